-- Backup: keeps a stream under a name, for its user, and gives it back exactly.
--
--     { echo "store home"; tar c ~; } | remuda connect backup
--     echo "restore home" | remuda connect backup | tar t
application "backup" {
    endpoint = "channel",
    identity = "agent",
    resources = { "files" },

    -- Opens the machine's ports and records what belongs to the prepared machine.
    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "backup", machine.name }
    end,

    -- The helper answers only when its ports are open.
    ready = function(machine)
        machine:exec{ "/usr/lib/remuda/status" }
    end,

    -- Both hooks give the session's number and nonce in, and want them back.
    accept = function(machine, session)
        machine:confirm{ "/usr/lib/remuda/accept", session.user }
    end,

    clean = function(machine, session)
        machine:confirm{ "/usr/lib/remuda/clean" }
    end,
}
