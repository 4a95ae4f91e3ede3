-- Options of a script: --name value, or --name alone for what is true or false.
--
--     local options = require "lib.options"
--     local o = options { older = "10 min", pool = false, really = false }
--
-- What a script takes stands in the table with its default; a number stays one.
-- Anything else on the command line is a mistake, told with what there is.

local function known(defaults)
    local words = {}
    for name, value in pairs(defaults) do
        words[#words + 1] = ("--%s (%s)"):format(name, tostring(value))
    end
    table.sort(words)
    return table.concat(words, ", ")
end

local function value_of(default, text, name)
    if type(default) ~= "number" then return text end
    return tonumber(text) or error(("--%s wants a number, not %q"):format(name, text), 0)
end

return function(defaults)
    local o, i = {}, 1
    for name, value in pairs(defaults) do o[name] = value end
    while arg[i] do
        local name = arg[i]:match("^%-%-([%w_]+)$")
        if not name or defaults[name] == nil then
            error(("what is %q?  Options: %s"):format(arg[i], known(defaults)), 0)
        end
        if defaults[name] == false and (not arg[i + 1] or arg[i + 1]:find("^%-%-")) then
            o[name] = true
        else
            i = i + 1
            o[name] = value_of(defaults[name], arg[i] or error(("--%s wants a value"):format(name), 0), name)
        end
        i = i + 1
    end
    return o
end
