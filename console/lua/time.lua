-- Clocks: sleep, at, every, and the loop that runs what they were told.
local S = ...
local core, wish, remuda = S.core, S.wish, S.remuda

local STEP_MS = 20000	-- somebody may set the clock on the wall
local LATE_MS = 10	-- os.time lags a tick behind: at 13:00 it shall say so

local function pause(ms)
	local deadline_ms = core.now_ms() + ms
	repeat
		S.need(core.sleep(deadline_ms - core.now_ms()))
	until core.now_ms() >= deadline_ms
end

function remuda.sleep(time)
	if wish.dry_run then
		S.planned("would sleep " .. tostring(time), "sleep")
	else
		pause(S.milliseconds(time))
	end
end

-- "20 min" in seconds.
function remuda.seconds(time) return S.milliseconds(time, 0) / 1000 end

-- ---- "13:00", "Mon-Fri 13:00", "2026-11-22 13:00", "+10 min" ------------------------------

local week = { sun = 1, mon = 2, tue = 3, wed = 4, thu = 5, fri = 6, sat = 7 }

-- "Mon-Fri,Sun" -> { [2] = true, ... } as os.date numbers the days
local function parse_days(text)
	local set = {}
	for part in text:lower():gmatch("[^,]+") do
		local from, to = part:match("^(%a%a%a)%a*%-(%a%a%a)%a*$")
		if not from then from = part:match("^(%a%a%a)%a*$") end
		to = to or from
		if not week[from] or not week[to] then S.wrong('"%s" names no days of a week', text) end
		local day = week[from]
		set[day] = true
		while day ~= week[to] do
			day = day % 7 + 1
			set[day] = true
		end
	end
	return set
end

local function parse_clock(text, whole)
	local h, m, s = text:match("^(%d%d?):(%d%d):?(%d*)$")
	h, m, s = tonumber(h), tonumber(m), s == "" and 0 or tonumber(s)
	if not h or not s or h > 23 or m > 59 or s > 59 then
		S.wrong('"%s" is no time: "13:00", "Mon-Fri 13:00", "2026-11-22 13:00" or "+10 min"', whole)
	end
	return h, m, s
end

-- { once = seconds since 1970 } or { hour, min, sec, days }
local function parse_when(when)
	if math.type(when) then return { once = when } end
	local plus = when:match("^%+%s*(.+)$")
	if plus then return { once = core.wall_ms() / 1000 + S.milliseconds(plus) / 1000 } end
	local y, mo, d, clock = when:match("^(%d%d%d%d)%-(%d%d)%-(%d%d)[ T](.+)$")
	local days, rest = when:match("^(%a[%a,-]*)%s+(.+)$")
	local h, m, s = parse_clock(clock or rest or when, when)
	if y then return { once = os.time { year = y, month = mo, day = d, hour = h, min = m, sec = s } } end
	return { hour = h, min = m, sec = s, days = days and parse_days(days) }
end

-- The next time after `after` at which the clock on the wall shows that.
local function next_at(w, after)
	local t = os.date("*t", math.floor(after))
	for i = 0, 8 do
		local at = os.time { year = t.year, month = t.month, day = t.day + i, hour = w.hour, min = w.min, sec = w.sec }
		if at > after and (not w.days or w.days[os.date("*t", at).wday]) then return at end
	end
end

-- ---- timers ------------------------------------------------------------------------------------

local timers = {}

local function add(timer, f)
	if type(f) ~= "function" then S.wrong("what shall happen then?  The second argument is a function") end
	timer.run = f
	timers[#timers + 1] = timer
	return timer
end

-- Once.
function remuda.at(when, f)
	local w = parse_when(when)
	return add({ due = w.once or next_at(w, core.wall_ms() / 1000), name = "at " .. tostring(when) }, f)
end

-- Again and again: "10 min", "13:00", "Mon-Fri 13:00"; until f returns false.
function remuda.every(when, f)
	if type(when) == "string" and when:find(":") then
		local w = parse_when(when)
		if w.once then S.wrong('"%s" comes only once: that is remuda.at', when) end
		return add({ due = next_at(w, core.wall_ms() / 1000), clock = w, name = "every " .. when }, f)
	end
	local ms = S.milliseconds(when)
	if not ms or ms <= 0 then S.wrong('"%s" is no time between two runs', tostring(when)) end
	return add({ due_ms = core.now_ms() + ms, step_ms = ms, name = "every " .. tostring(when) }, f)
end

local function left_ms(timer)
	if timer.due_ms then return timer.due_ms - core.now_ms() end
	return math.ceil(timer.due * 1000 - core.wall_ms()) + LATE_MS
end

local function forget(timer)
	for i, t in ipairs(timers) do
		if t == timer then return table.remove(timers, i) end
	end
end

-- A time that went by while something else ran is left out, not caught up.
local function run(timer)
	local again = timer.run()
	if again == false or wish.dry_run or not (timer.step_ms or timer.clock) then
		forget(timer)
	elseif timer.step_ms then
		repeat timer.due_ms = timer.due_ms + timer.step_ms until timer.due_ms > core.now_ms()
	else
		timer.due = next_at(timer.clock, core.wall_ms() / 1000)
	end
end

local function first_due()
	local first = timers[1]
	for _, t in ipairs(timers) do
		if left_ms(t) < left_ms(first) then first = t end
	end
	return first
end

-- Runs what at and every were told until nothing is left; `remuda run` calls it
-- after the script.  In a dry run each comes once, and at once.
function remuda.loop()
	while timers[1] do
		local timer = first_due()
		local ms = left_ms(timer)
		if wish.dry_run then
			S.planned(timer.name .. ":", "at")
			run(timer)
		elseif ms > 0 then
			pause(math.min(ms, STEP_MS))
		else
			run(timer)
		end
	end
end
