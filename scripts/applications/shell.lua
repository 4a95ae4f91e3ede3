-- A root shell on the session, for tests that plant files, processes and mounts
-- and want to see them gone.  Not for users: root can fool its own cleaning, so
-- give a pool of it untrusted = true wherever anybody else may use it.
application "shell" {
    endpoint = "channel",
    identity = "agent",

    -- Opens the machine's ports and records what belongs to the prepared machine.
    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "shell", machine.name }
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
