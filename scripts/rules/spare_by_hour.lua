-- Free machines of a pool ahead of its users: as many as usually come while one
-- is being made, by the sessions of the last four weeks.
--
--     rule "mornings" { pool = "mail", every = "5 min",
--         scale = require "rules.spare_by_hour" { minutes = 3, least = 1, most = 10 } }
--
-- minutes      from an empty place to a ready machine, cleaning or boot (default 5)
-- percent      of what usually comes, for days that are busier (default 150)
-- least, most  free machines at any time (default 1 and the pool's max)
-- ahead        minutes before an hour begins that count as it already (default 15)
--
-- hour_sessions are sessions begun in each hour of a day like today (Monday to
-- Friday, or Saturday and Sunday), on average of 28 days.  A new pool has none:
-- then there is no wish.

-- Rounded up: half a machine is one.
local function divide(a, b)
    return (a + b - 1) // b
end

return function(options)
    local minutes, percent = options.minutes or 5, options.percent or 150
    local least, ahead = options.least or 1, options.ahead or 15

    return function(now)
        local hours = now.hour_sessions
        if type(hours) ~= "table" then
            return nil
        end
        local sessions, hour = hours[now.hour + 1], now.hour
        local next_hour = (now.hour + 1) % 24
        if now.minute >= 60 - ahead and hours[next_hour + 1] > sessions then
            sessions, hour = hours[next_hour + 1], next_hour
        end
        local spare = divide(sessions * minutes * percent, 60 * 100)
        spare = math.max(least, math.min(spare, options.most or now.max))
        return { spare = spare, why = ("%d sessions usually begin in hour %d"):format(sessions, hour) }
    end
end
