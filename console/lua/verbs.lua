-- The nouns and verbs of the command line, made from its table: what
-- `remuda pool scale mail 20` does, remuda.pool("mail"):scale(20) and
-- remuda.pool.scale("mail", 20) do, read by the same parser.  A verb that needs
-- more than a request is written out here, and no other.
local S = ...
local core, wish, remuda = S.core, S.wish, S.remuda

-- Options of every change; the command's own are its flags.
local common = { confirm = true, why = true, timeout = true, wait = true }

-- An option's name: since `for` and `end` are words of Lua, for_ will do.
local function bare_key(key) return type(key) == "string" and key:gsub("_$", "") or key end

-- The flags of the command among the options, the rest, and what flags there are.
local function split_options(command, options)
	local flags, rest, known = {}, {}, {}
	for _, f in ipairs(command.flags) do
		known[f.name:gsub("-", "_")] = f.name
		if f.key then known[f.key] = f.name end
	end
	for key, value in pairs(options or {}) do
		local bare = bare_key(key)
		local plain = type(value) ~= "function" and type(value) ~= "table"
		if known[bare] and plain and not common[bare] then flags[known[bare]] = value else rest[bare] = value end
	end
	return flags, rest, known
end

local function refuse_unknown(command, rest, known)
	for key in pairs(rest) do
		if not common[key] then
			local all = {}
			for k in pairs(known) do all[k] = true end
			for k in pairs(common) do all[k] = true end
			S.wrong('%s%s has no option "%s"%s', command.noun and command.noun .. " " or "", command.verb,
				tostring(key), S.near(key, all))
		end
	end
end

-- The last table among the arguments holds options; the rest are words.
local function words_and_options(...)
	local words, options = table.pack(...), nil
	if type(words[words.n]) == "table" and not S.is_object(words[words.n]) then
		options = words[words.n]
		words[words.n] = nil
		words.n = words.n - 1
	end
	for i = 1, words.n do
		words[i] = S.bare(words[i])
		if words[i] == nil then S.wrong("argument %d is nil", i) end
	end
	return words, options
end

-- session:extend("30 min"): the word too many is the time.
local function take_time(command, words, flags, known)
	local last = command.arguments[#command.arguments]
	local most = #command.arguments
	if not known["for"] or words.n < 2 then return end
	local word = words[words.n]
	if words.n > most or (last.many and type(word) == "string" and word:find("^%d+ ?%a")) then
		flags["for"], words[words.n] = word, nil
		words.n = words.n - 1
	end
end

local function run_change(command, ...)
	local words, options = words_and_options(...)
	local flags, rest, known = split_options(command, options)
	take_time(command, words, flags, known)
	refuse_unknown(command, rest, known)
	words.n = nil
	local requests, answers = S.need(core.request(command.noun, command.verb, words, flags)), {}
	for i, request in ipairs(requests) do
		local wait = rest.wait and not wish.dry_run
		local before = wait and S.fetch(command.noun, request.name or request.session)
		answers[i] = S.perform(request, { confirm = rest.confirm, why = rest.why, timeout = not wait and rest.timeout or nil })
		if wait and answers[i].change then
			S.finish_change(answers[i].change, rest.timeout)
		elseif wait then
			S.settle(request, before, rest.timeout)
		end
	end
	return #answers == 1 and answers[1] or answers
end

-- ---- lists ------------------------------------------------------------------------------

local past = { "history", "all", "since", "until", "search", "code" }

-- Is it about what is over?  `state` alone means one of those that live.
local function is_past(command, flags, rest)
	if command.kind ~= "either" then return command.kind == "pages" end
	for _, flag in ipairs(past) do
		if flags[flag] ~= nil then return true end
	end
	rest.state, flags.state = flags.state, nil
	return false
end

local function run_list(command, ...)
	local words, options = words_and_options(...)
	local flags, rest = split_options(command, options)
	local in_past = is_past(command, flags, rest)
	words.n = nil
	local request = S.need(core.request(command.noun, command.verb, words, flags))[1]
	local dress = command.verb == "list" and S.nouns[command.noun].listed and
		function(item) return S.new_object(command.noun, item, true) end or function(item) return item end
	if in_past then
		if request.verb == "session.list" or request.verb == "request.list" then request.history = true end
		local rows = S.pages(request, function(item) return S.matches(item, rest) end, request.limit)
		return function()
			local item = rows()
			return item and dress(item)
		end
	end
	local list = S.new_list()
	for _, item in ipairs(S.ask(request).items) do
		if S.matches(item, rest) then list[#list + 1] = dress(item) end
	end
	return list
end

local function run_show(command, name)
	local noun = command.noun
	if name == nil then S.wrong("%s show wants a %s", noun, S.nouns[noun].key) end
	return S.new_object(noun, S.need(S.fetch(noun, S.bare(name))), true)
end

-- ---- verbs that need more than a request ----------------------------------------------------

local special = {}

local function create(command, name, options)
	local rest, fields = {}, {}
	for key, value in pairs(options or {}) do
		if common[key] then rest[key] = value else fields[key] = value end
	end
	return S.perform({ verb = command.control, name = name, fields = fields }, rest)
end
special["pool create"], special["cluster create"] = create, create

-- machine:exec("ls", "/") or machine:exec{ "ls", "/", input = text, for_ = "5 min" }
special["machine exec"] = function(command, name, ...)
	local words, options = words_and_options(...)
	options = options or {}
	for i, word in ipairs(options) do words[words.n + i] = word end
	words.n = nil
	for i, word in ipairs(words) do words[i] = tostring(word) end
	local answer = S.perform({ verb = command.control, name = S.bare(name), input = options.input,
		["for"] = options["for"] or options.for_, argv = S.array(words) },
		{ why = options.why, timeout = options.timeout or options["for"] or options.for_ })
	if answer.dry_run then return answer end
	local item = answer.item
	return { code = item.code, out = S.need(core.bytes(item.out)), err = S.need(core.bytes(item.err)) }
end

special["token create"] = function(command, ...)
	local answer = run_change(command, ...)
	return answer.token, answer.text
end

-- Oldest first; follow = true: what happens from now on; all = true: newest first.
special["event list"] = function(command, options)
	options = options or {}
	if options.follow then return S.follow(options) end
	if options.all then
		local flags, rest = split_options(command, options)
		flags.all = nil
		local request = S.need(core.request("event", "list", {}, flags))[1]
		return S.pages(request, function(item) return S.matches(item, rest) end, request.limit)
	end
	local list = run_list(command, options)
	table.sort(list, function(a, b) return a.id < b.id end)
	return list
end
special["watch"] = function(_, options) return S.follow(options or {}) end

special["whois"] = function(_, who)
	local word, request = tostring(S.bare(who)), { verb = "whois" }
	if S.noun_of(who) == "session" or word:find("^%d+$") then
		request.session = math.tointeger(tonumber(word))
	elseif word:find("[.:]") then
		request.address = word
	else
		request.name = word
	end
	return S.ask(request).item
end

local function version_and_options(version, options)
	if type(version) == "table" then return nil, version end
	return version, options or {}
end

special["plan"] = function(_, ...)
	local version, options = version_and_options(...)
	return S.ask({ verb = "site.plan", version = version, undo = options.undo }).item
end

special["apply"] = function(_, ...)
	local version, options = version_and_options(...)
	local plan = S.ask({ verb = "site.plan", version = version, undo = options.undo }).item
	if plan.version == plan.in_force then
		return { ok = true, unchanged = true, text = "nothing to change", plan = plan }
	end
	local text = ("site %s: version %.12s -> %.12s, %d changes%s"):format(plan.site, plan.in_force, plan.version,
		#plan.changes, plan.destroys and ", machines are destroyed or made anew" or "")
	S.refuse_read_only("apply changes the site")
	if wish.dry_run then return S.planned("would apply " .. text, "site.apply", "site") end
	if plan.destroys and not (options.confirm or wish.yes) then
		S.fail { code = "usage", object = "site", message = text .. ": say confirm = true to do it" }
	end
	return S.perform({ verb = "site.apply", version = version, undo = options.undo,
		expect = options.expect or plan.version }, options)
end

special["backup"] = function(_, path, options)
	options = options or {}
	if path:sub(1, 1) ~= "/" then S.wrong('the path of a backup is absolute, not "%s"', path) end
	return S.perform({ verb = "backup", path = path, with_key = options.with_key },
		{ why = options.why, timeout = options.timeout or "1 h" })
end

-- Shown; removed with confirm = true, or reclaim's confirm = SITE.
local function leftovers(noun)
	return function(_, options)
		local confirm = options and options.confirm
		if not confirm then return S.ask({ verb = noun .. ".plan" }).items end
		return S.perform({ verb = noun .. ".run", confirm = type(confirm) == "string" and confirm or nil },
			options).items
	end
end
special["gc"], special["reclaim"] = leftovers("gc"), leftovers("reclaim")

-- What a rule would decide now; nothing is done.
special["rule test"] = function(_, name)
	return S.ask { verb = "rule.run", name = S.bare(name), dry_run = true }
end

-- Until a change is over: the change as it ended, which is an error when it
-- did not end well.
function S.finish_change(id, timeout)
	local found = S.until_true("changes", function()
		local item = S.need(S.fetch("change", id))
		return item.removed and item
	end, S.milliseconds(timeout), "change/" .. tostring(id))
	if found.state ~= "done" then
		S.fail { code = "failed", object = found.ref, message = ("%s %s: %s"):format(found.ref, found.state, found.text or "") }
	end
	return S.new_object("change", found, true)
end

special["change wait"] = function(_, id, options) return S.finish_change(S.bare(id), options and options.timeout) end

-- The ledger: by what, and from when until when, or month = "2026-11" of the local clock.
special["usage"] = function(command, options)
	local flags, rest, known = split_options(command, options)
	refuse_unknown(command, rest, known)
	local month = flags.month or not flags.from and os.date("%Y-%m")
	flags.month = nil
	local request = S.need(core.request(nil, "usage", {}, flags))[1]
	if month then
		local y, m = month:match("^(%d%d%d%d)%-(%d%d)$")
		if not y then S.wrong('a month is such as "2026-11", not "%s"', month) end
		request.from_ms = os.time { year = y, month = m, day = 1, hour = 0 } * 1000
		request.until_ms = os.time { year = y, month = m + 1, day = 1, hour = 0 } * 1000
	end
	request.until_ms = request.until_ms or core.wall_ms()
	return S.ask(request).items
end

special["info"] = function() return S.ask({ verb = "info" }).item end
special["engine status"] = function()
	local item = S.hello()
	item.uptime_ms = remuda.info().uptime_ms
	return item
end
special["engine stop"] = function(_, options)
	return S.perform({ verb = "engine.stop", machines = "stay" }, options)
end
special["site show"] = function(_, version) return S.ask({ verb = "site.show", version = version }).items end

-- ---- remuda.NOUN, remuda.NOUNs and remuda.VERB --------------------------------------------------

-- Not for scripts: they have a terminal, or no request.
local without = { ["machine console"] = true, ["engine upgrade"] = true }

-- Any other verb that becomes a request: what it answers.
local function run_other(command, ...)
	local words, options = words_and_options(...)
	local flags, rest, known = split_options(command, options)
	refuse_unknown(command, rest, known)
	words.n = nil
	local answer
	for _, request in ipairs(S.need(core.request(command.noun, command.verb, words, flags))) do
		answer = S.perform(request, rest)
	end
	return answer.item or answer.items or answer
end

local runners = { list = run_list, pages = run_list, either = run_list, show = run_show, change = run_change }

local function function_of(command)
	local name = (command.noun and command.noun .. " " or "") .. command.verb
	local run = special[name] or runners[command.kind]
	if command.verb == "show" and command.noun and S.nouns[command.noun].listed then run = special[name] or run_show end
	if not run and command.control and not without[name] then run = run_other end
	return run and function(...) return run(command, ...) end
end

-- Verbs that take an object of the noun first are its methods.
local function is_method(command)
	local first = command.arguments[1]
	return first and first.noun == command.noun and command.kind ~= "show"
end

local function fill(noun)
	local space, methods = {}, S.methods[noun]
	for name, command in pairs(S.commands[noun]) do
		local run = function_of(command)
		local names = name == "end" and { "end", "end_", "finish" } or { name }
		for _, as in ipairs(names) do
			space[as] = run
			methods[as] = run and is_method(command) and run or methods[as]
		end
	end
	return space
end

local function open_space(noun)
	local space = fill(noun.name)
	setmetatable(space, {
		-- remuda.pool("mail"), or remuda.queue() for the list
		__call = function(_, name)
			if name ~= nil and (type(name) ~= "table" or S.is_object(name)) then
				return S.named_object(noun.name, S.bare(name))
			elseif rawget(space, "list") then
				return space.list(name)
			end
			S.wrong("%s is no list%s", noun.name, S.near("", space))
		end,
		__index = function(_, key) S.wrong('%s has no verb "%s"%s', noun.name, tostring(key), S.near(key, space)) end,
	})
	for _, name in ipairs { noun.name, noun.alias } do
		remuda[name] = space
		remuda[name .. "s"] = rawget(space, "list")
	end
end

for _, noun in ipairs(S.grammar.nouns) do open_space(noun) end
for _, command in ipairs(S.grammar.commands) do
	if not command.noun and command.control then
		remuda[command.verb:gsub("-", "_")] = function_of(command)
	end
end

-- The nouns and commands as data: { nouns = {...}, commands = {...} }.
function remuda.grammar() return core.grammar() end
