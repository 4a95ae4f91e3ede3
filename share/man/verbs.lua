-- remuda run share/man/verbs.lua [--check] PAGE: the part of remuda-lua(3) that
-- is the table of commands.  Writes it into the page; with --check only looks
-- whether it stands there, exit code 1 when not.
local check = ... == "--check"
local file = select(check and 2 or 1, ...)

local function signature(c)
	local words, options = {}, {}
	for _, a in ipairs(c.arguments) do
		local word = a.name .. (a.many and "..." or "")
		words[#words + 1] = a.optional and "[" .. word .. "]" or word
	end
	for _, f in ipairs(c.flags) do
		local name = f.name:gsub("-", "_"):gsub("^dry_run$", "")
		if name ~= "" then options[#options + 1] = (name == "for" or name == "until" or name == "end") and name .. "_" or name end
	end
	if c.changes and c.noun and c.control then options[#options + 1] = "..." end
	if #options > 0 then words[#words + 1] = "{" .. table.concat(options, ", ") .. "}" end
	return table.concat(words, ", ")
end

-- What Lua can call of the table: rawget, since a noun complains of what it has not.
local function callable(c)
	local verb = c.verb:gsub("-", "_")
	if c.noun then return rawget(remuda[c.noun], verb) and c.noun .. "." .. verb end
	return c.control and remuda[verb] and verb
end

local lines = {}
for _, c in ipairs(remuda.grammar().commands) do
	local name = callable(c)
	if name then
		local text = ("remuda.%s(%s)"):format(name == "session.end" and "session.finish" or name, signature(c))
		lines[#lines + 1] = ".br\n.B \"" .. text:gsub("-", "\\-") .. "\"\n"
	end
end

local page = assert(io.open(file)):read("a")
local made = page:gsub('(%.\\" verbs: begin\n).*(%.\\" verbs: end\n)', function(a, b) return a .. table.concat(lines) .. b end)
if made == page then return 0 end
if check then
	io.stderr:write(file, " is not what the table of commands says: make man\n")
	return 1
end
assert(io.open(file, "w")):write(made):close()
