-- The file manager: the one machine that keeps things.  Mail and backup reach it
-- as a resource, under the alternate user of their own session, and that user is
-- the one whose space it opens.  What it speaks: app/files of the demo's image.
--
-- Its machine is kept (keep = true) and has a data volume.  Nothing of a user
-- stays outside /data/USER between two of its sessions: the helper in the guest
-- ends every process of a session before it confirms the end.
application "files" {
    endpoint = "channel",
    -- The helper gives the alternate user to the application; no agent call.
    identity = "none",

    prepare = function(machine)
        machine:exec{ "/usr/lib/remuda/start", "files", machine.name }
    end,

    ready = function(machine)
        machine:exec{ "/usr/lib/remuda/status" }
        machine:exec{ "/bin/grep", "-q", " /data ext4 rw", "/proc/mounts" }
    end,

    clean = function(machine, session)
        machine:confirm{ "/usr/lib/remuda/clean" }
    end,
}
