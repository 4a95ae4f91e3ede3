-- Trying again: for what a machine needs a moment to get right.
--
--     local try = require "lib.try"
--     prepare = function(machine)
--         try.again(5, "2 s", function()
--             machine:exec{"/usr/bin/pg_isready"}
--         end)
--     end

local M = {}

-- Calls step() up to `times` times with a pause between (seconds or "2 s").
-- A step has failed when it raises an error or returns false.  Returns what
-- the first good step returned; raises the last failure.
function M.again(times, pause, step)
    local why
    for i = 1, times do
        local good, result, text = pcall(step)
        if good and result ~= false then
            return result
        end
        why = not good and result or text or "it said no"
        if i < times then
            sleep(pause)
        end
    end
    error(("gave up after %d tries: %s"):format(times, why), 2)
end

-- True when step() neither raises nor returns false.
function M.once(step)
    local good, result = pcall(step)
    return good and result ~= false
end

return M
