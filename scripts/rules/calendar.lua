-- Days that a cluster's `calendar` cannot name: the last Friday of a month, its
-- first working day, its last day.
--
--     rule "month-end" { cluster = "payroll",
--         scale = require "rules.calendar" {
--             { when = "last workday", nodes = 6 },
--             { when = "2nd Tue", from = 20, till = 24, nodes = 2 },
--             { when = "day 15", month = 4, vcpus = 4, memory = "8 GiB" },
--         } }
--
-- when         "first", "2nd", "3rd", "4th", "5th" or "last", then Mon to Sun, "day" or
--              "workday" (Monday to Friday; only first and last); or "day 15"
-- from, till   hours of that day, the second excluded (default 0 and 24)
-- month        1 to 12 (default: each)
--
-- The last entry that holds decides; when none holds there is no wish, and the
-- calendar of the cluster and the site file say its size.

local weekdays = { Mon = 1, Tue = 2, Wed = 3, Thu = 4, Fri = 5, Sat = 6, Sun = 7 }
local ordinals = { first = 1, ["2nd"] = 2, ["3rd"] = 3, ["4th"] = 4, ["5th"] = 5, last = 0 }

local function month_days(year, month)
    local leap = year % 4 == 0 and (year % 100 ~= 0 or year % 400 == 0)
    return ({ 31, leap and 29 or 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 })[month]
end

-- The weekday of another day of the same month.
local function weekday_of(now, day)
    return (now.weekday - 1 + day - now.day) % 7 + 1
end

-- The day of this month that `when` names, or nil.
local function day_of(now, nth, what)
    local last = month_days(now.year, now.month)
    if what == "day" then
        return nth > 0 and nth or last
    elseif what == "workday" and nth == 0 then
        return last - math.max(0, weekday_of(now, last) - 5)
    elseif what == "workday" then
        local first = weekday_of(now, 1)
        return first > 5 and 9 - first or 1
    end
    local first = 1 + (weekdays[what] - weekday_of(now, 1)) % 7
    local day = first + 7 * (nth > 0 and nth - 1 or (last - first) // 7)
    return day <= last and day or nil
end

-- "last Fri" as 0, "Fri"; "day 15" as 15, "day".
local function parse(when)
    local left, right = tostring(when):match("^(%w+) (%w+)$")
    local nth, number = ordinals[left], math.tointeger(tonumber(right))
    if left == "day" and number and number >= 1 and number <= 31 then
        return number, "day"
    elseif nth and (weekdays[right] or (nth <= 1 and (right == "day" or right == "workday"))) then
        return nth, right
    end
    error(('rules.calendar: when = "%s": write "last Fri", "first workday" or "day 15"')
        :format(tostring(when)), 3)
end

return function(entries)
    local list = {}
    for i, e in ipairs(entries) do
        local nth, what = parse(e.when)
        list[i] = { nth = nth, what = what, from = e.from or 0, till = e.till or 24, entry = e }
    end
    return function(now)
        local wish
        for _, l in ipairs(list) do
            local e = l.entry
            if (not e.month or e.month == now.month) and now.day == day_of(now, l.nth, l.what)
                and now.hour >= l.from and now.hour < l.till then
                wish = { nodes = e.nodes, vcpus = e.vcpus, memory = e.memory, why = e.when }
            end
        end
        return wish
    end
end
