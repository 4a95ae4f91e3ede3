-- Statistics: numbers in; count, mean, deviation, quantiles and histogram out.
-- It keeps nothing and needs nobody: the smallest complete application.
--
--     seq 1000 | remuda connect statistics
application "statistics" {
    endpoint = "channel",
    identity = "agent",

    -- Opens the machine's ports and records what belongs to the prepared machine.
    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "statistics", machine.name }
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
