/*
 * Tables, CSV and JSON documents for scripts: the very output of the commands
 * (cli_output.c), over a noun's columns or over columns that the script names.
 */
#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "console/lua_internal.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { COLUMNS_MAX = 31, TITLE_SIZE = 64 };

struct view {
	struct cli_view view;
	struct cli_column columns[COLUMNS_MAX + 1];
	char titles[COLUMNS_MAX][TITLE_SIZE], keys[COLUMNS_MAX][TITLE_SIZE];
	int count;
};

static bool is_number(const json_t *rows, const char *key)
{
	const json_t *value =
		json_object_get(json_array_get(rows, 0), key);

	return json_is_number(value);
}

static void add_column(struct view *v, const char *key, const json_t *rows)
{
	int i = v->count;

	if (i == COLUMNS_MAX)
		return;
	TEXT_SET(v->keys[i], key);
	TEXT_SET(v->titles[i], key);
	for (char *p = v->titles[i]; *p; p++)
		*p = *p == '_' ? '-' : (char)toupper((unsigned char)*p);
	v->columns[i] = (struct cli_column){
		.title = v->titles[i], .key = v->keys[i], .cell = CELL_TEXT,
		.where = ON_ALL, .rank = i, .right = is_number(rows, key),
	};
	v->count++;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The keys of a row, by name: a table of Lua has them in no order. */
static void add_all(struct view *v, const json_t *row, const json_t *rows)
{
	const char *keys[COLUMNS_MAX], *key;
	size_t count = 0;
	json_t *value;

	json_object_foreach((json_t *)row, key, value)
		if (count < COLUMNS_MAX)
			keys[count++] = key;
	qsort(keys, count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < count; i++)
		add_column(v, keys[i], rows);
}

/* The columns that the script names, else those of the first row. */
static void choose_columns(lua_State *L, int index, const json_t *rows,
			   struct view *v)
{
	const json_t *first = json_array_get(rows, 0);
	lua_Integer count = lua_istable(L, index) ?
				    (lua_Integer)lua_rawlen(L, index) : 0;

	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		add_column(v, luaL_tolstring(L, -1, NULL), rows);
		lua_pop(L, 2);
	}
	if (!count)
		add_all(v, first, rows);
	v->view = (struct cli_view){ .columns = v->columns, .noun = "row",
				     .key = v->keys[0], .many = "rows" };
}

static int choose_format(struct cli_output *o, const char *format)
{
	static const struct {
		const char *name;
		enum cli_format format;
	} formats[] = {
		{ "table", FORMAT_TABLE }, { "csv", FORMAT_CSV },
		{ "json", FORMAT_JSON },   { "wide", FORMAT_WIDE },
		{ "name", FORMAT_NAME },
	};

	for (size_t i = 0; format && i < sizeof(formats) / sizeof(formats[0]);
	     i++) {
		if (strcmp(format, formats[i].name) != 0)
			continue;
		o->format = formats[i].format;
		return 0;
	}
	return format ? -1 : 0;
}

static int print(lua_State *L, const struct cli_output *o, const json_t *rows)
{
	const char *noun = lua_type(L, 2) == LUA_TSTRING ?
				   lua_tostring(L, 2) : NULL;
	const struct cli_noun *known = noun ? cli_noun(noun) : NULL;
	struct view own = { .count = 0 };
	struct error err = { "" };
	char kind[80];
	size_t shown;

	if (noun && !(known && known->view))
		return lua_fail(L, "usage", "the second argument of print is a noun with a list, or a list of columns");
	if (!known)
		choose_columns(L, 2, rows, &own);
	snprintf(kind, sizeof(kind), "%s_list", known ? known->name : "row");
	if (output_list(o, known ? known->view : &own.view, kind, rows, &shown,
			&err) < 0)
		return lua_fail(L, "usage", err.text);
	lua_pushboolean(L, 1);
	return 1;
}

/* The flags of the command, or a table on standard output. */
static struct cli_output output_of(lua_State *L)
{
	const struct cli *cli = lua_touserdata(L, lua_upvalueindex(1));

	return cli ? cli->output :
		     (struct cli_output){ .out = stdout, .format = FORMAT_TABLE,
					  .header = true, .utf8 = true };
}

/* (rows, noun or {columns} or nil, format or nil): on standard output */
static int print_rows(lua_State *L)
{
	struct cli_output o = output_of(L);
	struct error err = { "" };
	json_t *rows = lua_to_json(L, 1, &err);
	int results;

	if (!json_is_array(rows) ||
	    choose_format(&o, luaL_optstring(L, 3, NULL))) {
		json_decref(rows);
		return lua_fail(L, "usage", *err.text ? err.text :
				"print wants a list of rows, and table, wide, csv, json or name");
	}
	results = print(L, &o, rows);
	json_decref(rows);
	return results;
}

/* (rows, noun or {columns} or nil, format) -> text */
static int format_rows(lua_State *L)
{
	struct cli_output o = { .header = true, .utf8 = true };
	struct error err = { "" };
	json_t *rows = lua_to_json(L, 1, &err);
	char *text = NULL;
	size_t length;
	int results;

	if (!json_is_array(rows) ||
	    choose_format(&o, luaL_checkstring(L, 3))) {
		json_decref(rows);
		return lua_fail(L, "usage", *err.text ? err.text :
				"a list of rows is wanted");
	}
	o.out = open_memstream(&text, &length);
	if (!o.out)
		abort();
	results = print(L, &o, rows);
	fclose(o.out);
	if (results == 1)
		lua_pushlstring(L, text, length);
	free(text);
	json_decref(rows);
	return results;
}

/* A text in an RFC 3339 time -> seconds since 1970, with fractions */
static int time_of(lua_State *L)
{
	long long ms = cell_parse_time(luaL_checkstring(L, 1));

	if (ms < 0)
		return lua_fail(L, "usage", "that is no time such as 2026-11-22T05:42:05Z");
	lua_pushnumber(L, (lua_Number)ms / 1000);
	return 1;
}

void lua_open_output(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "print", print_rows },
		{ "format", format_rows },
		{ "time", time_of },
		{ NULL, NULL },
	};

	lua_getfield(L, LUA_REGISTRYINDEX, "remuda.cli");
	luaL_setfuncs(L, functions, 1);
}
