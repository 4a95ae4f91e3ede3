-- Services of a guest, whichever init it has: systemd, OpenRC, or plain
-- scripts in /etc/init.d.
--
--     local service = require "lib.service"
--     prepare = function(machine) service.start(machine, "postfix") end,
--     ready = function(machine) return service.is_active(machine, "postfix") end,

local shell = require "lib.shell"

local M = {}

-- The words that do `verb` (start, stop, restart, status) to a service.
local function command(machine, verb, name)
    if shell.test(machine, "test -d /run/systemd/system") then
        return { "systemctl", verb == "status" and "is-active" or verb, name }
    elseif shell.test(machine, "command -v rc-service >/dev/null") then
        return { "rc-service", name, verb }
    end
    return { "/etc/init.d/" .. name, verb }
end

function M.start(machine, name)
    machine:exec(command(machine, "start", name))
end

function M.stop(machine, name)
    machine:exec(command(machine, "stop", name))
end

function M.restart(machine, name)
    machine:exec(command(machine, "restart", name))
end

function M.is_active(machine, name)
    local words = command(machine, "status", name)
    words.check = false
    return machine:exec(words).code == 0
end

return M
