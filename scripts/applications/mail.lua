-- Mail: leave a message for a user, read your own.  Messages live on the file
-- manager's machine, so they survive every machine of this application.
--
--     remuda connect mail      send USER SUBJECT, list, read N, delete N, quit
application "mail" {
    endpoint = "channel",
    identity = "agent",
    resources = { "files" },

    -- Opens the machine's ports and records what belongs to the prepared machine.
    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "mail", machine.name }
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
