-- Small at night, unless it is in use.  For clusters and pools.
--
--     rule "night" { cluster = "payroll",
--         scale = require "rules.night_shrink" { from = 22, till = 6, night = { nodes = 1 },
--             day = { nodes = 3 }, weekend = true, busy = 20 } }
--     rule "desks" { pool = "desk",
--         scale = require "rules.night_shrink" { night = { serve = 2, spare = 0 },
--             day = { serve = 10, spare = 3 } } }
--
-- from, till   hours of the night (default 22 and 6)
-- weekend      true: Saturday and Sunday are nights as well
-- night, day   sizes; without `day` the calendar and the site file say it (clusters
--              only: a pool keeps what it had last)
-- busy         at night, more open transactions or busy machines than that, or anybody
--              who waits, make it day (default 0)

local function is_night(now, o)
    if o.weekend and now.weekday >= 6 then
        return true
    elseif o.from <= o.till then
        return now.hour >= o.from and now.hour < o.till
    end
    return now.hour >= o.from or now.hour < o.till
end

local function sized(size, why)
    if not size then
        return nil
    end
    return { nodes = size.nodes, vcpus = size.vcpus, memory = size.memory,
             serve = size.serve, spare = size.spare, why = why }
end

return function(options)
    local o = { from = options.from or 22, till = options.till or 6, weekend = options.weekend }
    local night, day, busy = options.night, options.day, options.busy or 0

    if type(night) ~= "table" then
        error("rules.night_shrink: write night = { nodes = 1 }", 2)
    end
    return function(now)
        local used = now.open or now.busy or 0
        if not is_night(now, o) then
            return sized(day, "day")
        elseif (now.waiting or 0) > 0 or used > busy then
            return sized(day, ("night, but %d in use"):format(used))
        end
        return sized(night, "night")
    end
end
