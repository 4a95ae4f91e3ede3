-- Events as they come, and waiting for what they bring about.
local S = ...
local core, wish, remuda = S.core, S.wish, S.remuda

-- The engine ticks every second: no word for so long means that it hangs.
local SILENT_MS = 15000

local function subscribe(topic)
	local line = S.open_client()
	S.need(line:call({ verb = "subscribe", topics = S.array { topic } }, 30000))
	return line
end

-- What happens from now on, one event after another, in its order; ends when
-- nothing that is wanted came for options.timeout.
function S.follow(options)
	local wanted, queue, seen = {}, {}, nil
	for key, value in pairs(options) do
		if key ~= "follow" and key ~= "timeout" then wanted[key] = value end
	end
	local quiet_ms = S.milliseconds(options.timeout)
	local line = subscribe("events")
	local since_ms = core.now_ms()

	local function take(items)
		local known = seen	-- the first line is history
		table.sort(items, function(a, b) return a.id < b.id end)
		for _, item in ipairs(items) do
			if item.id > (seen or 0) then
				seen = item.id
				if known and S.matches(item, wanted) then queue[#queue + 1] = item end
			end
		end
		seen = seen or 0
	end

	return function()
		while not queue[1] do
			local left = quiet_ms and since_ms + quiet_ms - core.now_ms()
			if left and left <= 0 then
				line:close()
				return nil
			end
			local got = S.need(line:next(math.min(left or SILENT_MS, SILENT_MS)))
			if got and got.topic == "events" then
				take(got.items)
			elseif not got and not (left and left < SILENT_MS) then
				S.fail { code = "timeout", message = "the engine is silent" }
			end
		end
		since_ms = core.now_ms()
		return table.remove(queue, 1)
	end
end

-- ---- waiting ------------------------------------------------------------------------------------

local topics = { pool = "pools", machine = "machines", session = "sessions", request = "requests",
	host = "hosts", gateway = "gateways", cluster = "clusters", node = "nodes", change = "changes", rule = "rules" }

-- A number is reached from below; anything else is met when it is so.
local function met(item, wanted)
	for key, value in pairs(wanted) do
		local has = item and item[key]
		if key == "state" and value == "gone" and not item then
			has = value
		end
		if type(value) == "function" then
			if not value(has, item) then return false end
		elseif math.type(value) then
			if not (tonumber(has) and tonumber(has) >= value) then return false end
		elseif has ~= value then
			return false
		end
	end
	return true
end

-- Calls check whenever the engine tells of the topic, and at least once a
-- second, until it returns something true.
function S.until_true(topic, check, timeout_ms, what)
	local now = check()
	if now then return now end
	local line = subscribe(topic)
	local deadline_ms = timeout_ms and core.now_ms() + timeout_ms
	repeat
		local left = deadline_ms and deadline_ms - core.now_ms() or SILENT_MS
		if left <= 0 then
			line:close()
			S.fail { code = "timeout", message = "waited in vain for " .. what }
		end
		S.need(line:next(math.min(left, SILENT_MS)))
		now = check()
	until now
	line:close()
	return now
end

-- One that is not there (yet, or any more) is nil; any other trouble an error.
local function quietly(noun, name)
	local item, e = S.fetch(noun, name)
	if not item and e.code ~= "not_found" then S.fail(e) end
	return item
end

local function in_words(wanted)
	local words = {}
	for key, value in pairs(wanted) do
		words[#words + 1] = key .. (math.type(value) and " >= " or " = ") .. tostring(value)
	end
	table.sort(words)
	return table.concat(words, ", ")
end

local function wait_for_function(check, options)
	if wish.dry_run then
		S.planned("would wait for a condition", "wait")
		return true
	end
	return S.until_true("events", check, S.milliseconds(options and options.timeout), "a condition")
end

-- What is waited for when several nouns are named: { session = 12, user = "anna" }
local first = { "change", "session", "request", "node", "machine", "pool", "cluster", "rule" }

-- The noun, the name and the conditions of { pool = "mail", ready = 5 }.
local function read_wish(what)
	local noun, name, wanted = nil, nil, {}
	for _, n in ipairs(first) do noun = noun or what[n] and n end
	for _, n in ipairs(S.grammar.nouns) do noun = noun or what[n.name] and n.key and n.name end
	if not noun then S.wrong("wait for what?  remuda.wait { pool = NAME, ready = N }") end
	for key, value in pairs(what) do
		if key == noun then name = S.bare(value) elseif key ~= "timeout" then wanted[key] = value end
	end
	if not next(wanted) then S.wrong("wait until %s/%s is how?", noun, tostring(name)) end
	return noun, name, wanted
end

-- remuda.wait { pool = "mail", ready = 5, timeout = "30 s" }, or
-- remuda.wait(function() ... end, { timeout = "30 s" }).
function remuda.wait(what, options)
	if type(what) == "function" then return wait_for_function(what, options) end
	local noun, name, wanted = read_wish(what)
	local text = ("%s/%s: %s"):format(noun, name, in_words(wanted))
	if wish.dry_run then
		S.planned("would wait for " .. text, "wait", noun .. "/" .. name)
		return S.named_object(noun, name)
	end
	local found = S.until_true(topics[noun] or "events", function()
		local item = quietly(noun, name)
		return met(item, wanted) and { item }
	end, S.milliseconds(what.timeout), text)
	return found[1] and S.new_object(noun, found[1], true)
end

-- Until what a change began is done (the command line's --wait); before: the
-- object before it.
function S.settle(request, before, timeout)
	local noun, name = request.verb:match("^(%w+)%."), request.name or request.session
	if not topics[noun] or not name then return end
	S.until_true(topics[noun], function()
		return core.settled(request, before, quietly(noun, name))
	end, S.milliseconds(timeout, 600000), ("%s of %s/%s"):format(request.verb, noun, tostring(name)))
end
