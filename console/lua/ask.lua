-- Errors, and questions to the engine.  The first part of the Lua API
-- (remuda-lua(3)); lua_module.c hands the same table S to each part in turn:
-- S.core is what C does, S.wish what the command line said, S.remuda the module.
local S = ...
local core, wish, remuda = S.core, S.wish, S.remuda

-- ---- errors -------------------------------------------------------------------

local error_mark = {
	__name = "remuda.error",
	__tostring = function(e)
		local place = e.script and ("%s:%d: "):format(e.script, e.line) or ""
		return place .. e.message
	end,
}

-- Raises { code =, message = } at the line of the script that called the API.
function S.fail(e)
	e.exit = core.exit_code(e)
	core.raise(setmetatable(e, error_mark))
end

-- A mistake of the script's.
function S.wrong(format, ...)
	S.fail { code = "usage", message = format:format(...) }
end

-- Raises an error that ends the script with the exit code of its code.
function remuda.fail(message, code, hint)
	S.fail { code = code or "failed", message = message, hint = hint }
end

-- What a function of the core returned, or its error raised.
function S.need(value, e, ...)
	if value == nil and e then S.fail(e) end
	return value, e, ...
end

-- ' has no option "servee". Did you mean "serve"?', with all there are when
-- nothing is near.
function S.near(word, known)
	local all = {}
	for key in pairs(known) do all[#all + 1] = key end
	table.sort(all)
	local near = core.suggest(tostring(word), all)
	return near and ('. Did you mean "%s"?'):format(near) or "; there are: " .. table.concat(all, ", ")
end

function S.note(format, ...)
	if wish.verbose then io.stderr:write(format:format(...), "\n") end
end

-- "30 s", or a number of seconds.
function S.milliseconds(value, default)
	if value == nil then return default end
	if type(value) ~= "string" and not math.type(value) then S.wrong("a time is \"30 s\" or a number of seconds, not a %s", type(value)) end
	return (S.need(core.duration_ms(value)))
end

function S.array(list) return setmetatable(list, core.array_mark) end

-- ---- the engine -----------------------------------------------------------------

local client, verbs

function S.open_client()
	return S.need(core.open(wish.socket, wish.site, wish.run_dir, wish.timeout_ms or 30000))
end

-- The connection to ask by.  One that ended while the script did something else
-- is opened again; a question that is under way is never asked twice.
local function connection()
	if client and client:alive() then return client end
	client, verbs = S.open_client(), nil
	if wish.read_only then S.need(client:call({ verb = "read_only" }, 5000)) end
	return client
end

-- The answer, or nil and the error.
function S.try(request, timeout_ms)
	local c = connection()
	if wish.verbose then S.note("-> %s", core.json(request)) end
	return c:call(request, timeout_ms or wish.timeout_ms or 30000)
end

function S.ask(request, timeout_ms) return (S.need(S.try(request, timeout_ms))) end

function S.hello() return connection():hello() end

-- What the engine says of its verbs: name -> { changes, arguments = { name = true } }.
function S.verbs()
	connection()
	if not verbs then
		verbs = {}
		for _, v in ipairs(S.ask { verb = "verbs.list" }.items) do
			local arguments = {}
			for _, a in ipairs(v.arguments) do arguments[a] = true end
			verbs[v.verb] = { changes = v.changes, arguments = arguments }
		end
	end
	return verbs
end

local function verb_known(name)
	local v = S.verbs()[name]
	return v or S.wrong('the engine has no verb "%s"%s', name, S.near(name, S.verbs()))
end

-- Where to ask, and how: before the first question.
function remuda.connect(options)
	for key, value in pairs(options or {}) do
		if key == "timeout" then
			wish.timeout_ms = S.milliseconds(value)
		elseif key == "socket" or key == "site" or key == "run_dir" then
			wish[key] = value
		elseif key == "dry_run" or key == "read_only" or key == "yes" or key == "verbose" then
			wish[key] = wish[key] or value == true
		else
			S.wrong('connect has no option "%s"', tostring(key))
		end
	end
	client, verbs = nil, nil
	remuda.dry_run = wish.dry_run
	return S.hello()
end

-- ---- changes ---------------------------------------------------------------------

local asks_of = {}
for _, c in ipairs(S.grammar.commands) do
	if c.control then asks_of[c.control] = c.asks end
end

-- The object of a request as the engine shows it; nil when there is nothing to
-- show.  One that does not exist is an error.
local function shown(request)
	local noun = request.verb:match("^(%w+)%.")
	local about = noun and S.verbs()[noun .. ".show"]
	if not about or request.verb:find("%.create$") then return end
	for key in pairs(about.arguments) do
		if request[key] then return S.ask({ verb = noun .. ".show", [key] = request[key] }).item end
	end
end

-- A line of a dry run.
function S.planned(text, verb, object)
	if wish.json then
		print(core.json { planned = text, verb = verb, object = object })
	else
		print(text)
	end
	return { ok = true, dry_run = true, text = text, object = object }
end

function S.refuse_read_only(what)
	if wish.read_only then
		S.fail { code = "read_only", message = "this script is read-only: " .. what }
	end
end

-- Asks what a person would be asked, plans what the engine does not plan; the
-- plan, or nothing when the change may be sent.
local function before_change(request, options, engine_plans)
	local asks = asks_of[request.verb] or "never"
	-- What is asked for by its name on a terminal is named again here.
	local sure = asks == "typed" and options.confirm == (request.name or true) or
		asks ~= "typed" and (options.confirm == true or wish.yes)
	local item
	S.refuse_read_only(request.verb .. " changes something")
	if (asks ~= "never" and not sure) or (wish.dry_run and not engine_plans) then item = shown(request) end
	local object, would, touched = core.describe(request, item)
	if wish.dry_run then
		return not engine_plans and S.planned(would, request.verb, object) or nil
	end
	if touched and not sure then
		S.fail { code = "usage", object = object, message = ("%s: say confirm = %s to do it"):format(touched,
			asks == "typed" and core.json(request.name) or "true") }
	end
end

-- A request, whether its verb changes something or not.
function S.perform(request, options)
	options = options or {}
	local about, timeout_ms = verb_known(request.verb), S.milliseconds(options.timeout)
	if not about.changes then return S.ask(request, timeout_ms) end
	local plan = before_change(request, options, about.arguments.dry_run)
	if plan then return plan end
	request.why = options.why
	if wish.dry_run then request.dry_run = true end
	local answer = S.ask(request, timeout_ms)
	local text = answer.text or request.verb
	if wish.dry_run then return S.planned(text, request.verb, (core.describe(request))) end
	S.note("%s", text)
	return answer
end

-- Every verb of the control protocol: remuda.call("pool.scale", { name = "mail", serve = 20 }).
function remuda.call(verb, arguments)
	local request, options = { verb = verb }, {}
	for key, value in pairs(arguments or {}) do
		if key == "why" or key == "timeout" or (key == "confirm" and not (S.verbs()[verb] or { arguments = {} }).arguments.confirm) then
			options[key] = value
		else
			request[key] = value
		end
	end
	return S.perform(request, options)
end

-- Rows of a verb that answers in pages, one after another, newest first, until
-- limit rows that `keep` wants have come.
function S.pages(request, keep, limit)
	local items, at, left, more = {}, 0, limit or math.huge, true
	return function()
		while left > 0 do
			at = at + 1
			if items[at] and keep(items[at]) then
				left = left - 1
				return items[at]
			elseif not items[at] then
				if not more then return end
				request.limit = math.min(250, left)
				local answer = S.ask(request)
				items, at, more = answer.items, 0, answer.next
				request.before = answer.next
			end
		end
	end
end

function remuda.pages(verb, arguments)
	local request = { verb = verb }
	for key, value in pairs(arguments or {}) do request[key] = value end
	return S.pages(request, function() return true end, request.limit)
end
