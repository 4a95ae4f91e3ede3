-- A desk for database work: ssh into a machine that has psql and reaches the
-- site's resources "db" and "files" by tcp.  It has an address of its own, and is
-- known to the resources by it: nothing in the guest has to know Remuda.
--
--     psql -h 10.0.7.254 herd        in the guest; the role is the session's user
--
-- What the machine needs: sshd, psql, a network card in the bridge of 10.0.7.0/24
-- (share/examples/machine.xml), and the image's start, accept and clean.
application "database" {
    endpoint = "tcp:10.0.7.{index}:22",
    identity = "agent",
    resources = { "db", "files" },

    -- Starts sshd on the address that the kernel's command line gave the machine.
    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "ssh", machine.name, "-", "22" }
    end,

    ready = function(machine)
        machine:tcp(22)
    end,

    -- Both hooks give the session's number and nonce in, and want them back.
    accept = function(machine, session)
        machine:confirm{ "/usr/lib/remuda/accept", session.user }
    end,

    clean = function(machine, session)
        machine:confirm{ "/usr/lib/remuda/clean" }
    end,
}
