-- Shell commands in a machine, for pipes and redirections.  Plain commands
-- are better off as machine:exec{"/path/program", "argument"}: no quoting.
--
--     local shell = require "lib.shell"
--     shell.run(machine, "ls " .. shell.quote(folder) .. " | wc -l")

local M = {}

-- One word for the shell, whatever it holds.
function M.quote(text)
    return "'" .. tostring(text):gsub("'", "'\\''") .. "'"
end

-- Runs a command line; raises when it fails.
function M.run(machine, line)
    return machine:exec{"/bin/sh", "-c", line}
end

-- Its output without the last line end.
function M.output(machine, line)
    return (M.run(machine, line).out:gsub("\n$", ""))
end

-- True when it exits with 0.
function M.test(machine, line)
    return machine:exec{"/bin/sh", "-c", line, check = false}.code == 0
end

return M
