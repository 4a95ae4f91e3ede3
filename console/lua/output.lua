-- What a script prints: JSON, CSV, and the tables of the commands.
local S = ...
local core, remuda = S.core, S.remuda

function remuda.json(value, pretty) return (S.need(core.json(value, pretty))) end
function remuda.parse(text) return (S.need(core.json_decode(text))) end

-- An empty list that JSON shall not take for an empty object.
function remuda.array(list) return S.array(list or {}) end

-- A list of rows, or an iterator of them.
local function rows_of(rows)
	if type(rows) ~= "function" then return rows end
	local list = S.new_list()
	for row in rows do list[#list + 1] = row end
	return list
end

-- On standard output as the flags of `remuda run` say: a table, --csv, --json,
-- -o.  Columns: those of a noun, or keys of the rows.
function remuda.print(rows, columns, format) S.need(core.print(rows_of(rows), columns, format)) end

function remuda.csv(rows, columns) return (S.need(core.format(rows_of(rows), columns, "csv"))) end
function remuda.table(rows, columns) return (S.need(core.format(rows_of(rows), columns, "table"))) end
