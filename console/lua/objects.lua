-- Objects of the engine, lists of them, and what a script asks of a list.
local S = ...
local core, remuda = S.core, S.remuda

-- ---- lists -------------------------------------------------------------------------

-- A list that a for statement takes as it is: for m in remuda.machines{} do ... end
local places = setmetatable({}, { __mode = "k" })	-- list -> row -> its place
local list_mark = {
	__name = "remuda.list",
	__list = true,
	__index = table,
	__call = function(list, _, last)
		if not places[list] then
			places[list] = {}
			for i, item in ipairs(list) do places[list][item] = i end
		end
		return list[(last and places[list][last] or 0) + 1]
	end,
}

function S.new_list() return setmetatable({}, list_mark) end

function S.age(text) return core.wall_ms() / 1000 - S.need(core.time(text)) end

-- Seconds since a time of the engine's; the time as seconds since 1970.
remuda.age = S.age
function remuda.time(text) return (S.need(core.time(text))) end

local function one_of(value, list)
	for _, v in ipairs(list) do
		if v == value then return true end
	end
	return false
end

local function has(item, key, wanted)
	if key == "older" then
		return item.since ~= nil and S.age(item.since) * 1000 >= S.milliseconds(wanted)
	elseif key == "where" then
		return wanted(item)
	elseif type(wanted) == "function" then
		return wanted(item[key], item)
	elseif type(wanted) == "table" then
		return one_of(item[key], wanted)
	end
	return item[key] == wanted
end

-- Does the row have what the script wants: { key = value | list | function }?
function S.matches(item, wanted)
	for key, value in pairs(wanted) do
		if not has(item, key, value) then return false end
	end
	return true
end

-- ---- objects -------------------------------------------------------------------------

S.nouns, S.commands = {}, {}	-- by name; by noun and verb
for _, n in ipairs(S.grammar.nouns) do
	S.nouns[n.name], S.commands[n.name] = n, {}
	if n.alias then S.nouns[n.alias] = n end
end
for _, c in ipairs(S.grammar.commands) do
	if c.noun then S.commands[c.noun][c.verb:gsub("-", "_")] = c end
end

S.methods = {}		-- of each noun; verbs.lua fills them
local marks = {}	-- metatables
local about = setmetatable({}, { __mode = "k" })	-- object -> { noun, name, whole }

-- The name of an object, or the value itself.
function S.bare(value) return about[value] and about[value].name or value end
function S.is_object(value) return about[value] ~= nil end
function S.noun_of(value) return about[value] and about[value].noun end

-- A row, or { name = ... } of which the rest is asked for when it is looked at.
function S.new_object(noun, item, whole)
	about[item] = { noun = noun, name = item[S.nouns[noun].key], whole = whole }
	return setmetatable(item, marks[noun])
end

function S.named_object(noun, name) return S.new_object(noun, { [S.nouns[noun].key] = name }, false) end

-- What the engine shows of it, or nil and the error.
function S.fetch(noun, name)
	local show, key = S.commands[noun].show, S.nouns[noun].key
	if show and show.control then
		local answer, e = S.try { verb = show.control, [key == "id" and noun or key] = tonumber(name) and key == "id" and math.tointeger(tonumber(name)) or name }
		return answer and answer.item, e
	end
	local answer, e = S.try { verb = noun .. ".list" }
	if not answer then return nil, e end
	for _, item in ipairs(answer.items) do
		if item[key] == name then return item end
	end
	return nil, { code = "not_found", object = noun .. "/" .. tostring(name),
		message = ('there is no %s "%s"'):format(noun, tostring(name)) }
end

local function refresh(object)
	local a = about[object]
	local item = S.need(S.fetch(a.noun, a.name))
	for key in pairs(object) do object[key] = nil end
	for key, value in pairs(item) do object[key] = value end
	a.whole = true
	return object
end

for name, noun in pairs(S.nouns) do
	if name == noun.name then
		local methods = {
			refresh = refresh,
			age = function(object) return object.since and S.age(object.since) end,
		}
		S.methods[name] = methods
		marks[name] = {
			__name = "remuda." .. name,
			__tostring = function(object) return name .. "/" .. tostring(about[object].name) end,
			__index = function(object, key)
				if methods[key] then return methods[key] end
				if about[object].whole or type(key) ~= "string" then return nil end
				return rawget(refresh(object), key)
			end,
		}
	end
end
