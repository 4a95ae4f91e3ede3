-- A class: so many machines are ready at one o'clock, and given back at three.
--
--     remuda run class_at_one --pool lab --machines 30
--     remuda run class_at_one --pool lab --from 13:00 --till 15:00 --days Mon-Fri --lead "20 min"
--     remuda run class_at_one --pool lab --machines 12 --once
--
-- It begins --lead before the class, so that the machines are booted when it
-- starts, and says by then whether they are.  At the end the pool is what the
-- site file says; who is still on a machine keeps it until the session ends.

local options = require "lib.options"
local o = options { pool = "class", machines = 30, from = "13:00", till = "15:00", lead = "20 min", days = "Mon-Fri", once = false }
local pool = remuda.pool(o.pool)

-- The time of day that is `seconds` before another.
local function before(clock, seconds)
    local h, m, s = clock:match("^(%d%d?):(%d%d):?(%d*)$")
    if not h then remuda.fail(("%q is no time of a day"):format(clock), "usage") end
    local t = (h * 3600 + m * 60 + (tonumber(s) or 0) - seconds) % 86400
    return ("%02d:%02d:%02d"):format(t // 3600, t // 60 % 60, t % 60)
end

local function begin()
    pool:refresh()
    print(pool:scale { serve = o.machines, max = math.max(o.machines, pool.max), why = "class at " .. o.from }.text)
    local ok, e = pcall(remuda.wait, { pool = o.pool, timeout = o.lead, ready = function(ready, p)
        return ready + p.in_use >= o.machines
    end })
    pool:refresh()
    print(("class at %s: %d of %d machines are ready"):format(o.from, pool.ready + pool.in_use, o.machines))
    if not ok and e.code ~= "timeout" then error(e, 0) end
end

local function finish()
    print(pool:reset { why = "class is over" }.text)
    if o.once then return false end
end

local lead = remuda.seconds(o.lead)
local when = o.once and remuda.at or remuda.every
local days = o.once and "" or o.days .. " "
when(days .. before(o.from, lead), begin)
when(days .. o.till, finish)
