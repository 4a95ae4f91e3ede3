/*
 * The command line's grammar for Lua: its table as data, and its parser.  What
 * a script calls is turned into the words of a command and read by cli_parse,
 * so that shell, `:` line and Lua cannot differ in what they take or refuse.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "console/cli_run.h"
#include "console/lua_internal.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { WORDS_MAX = 512 };

static const char *kind_of(const struct cli_command *c)
{
	static const struct {
		int (*run)(struct cli *cli);
		const char *kind;
	} kinds[] = {
		{ cli_run_list, "list" },	{ cli_run_show, "show" },
		{ cli_run_history, "pages" },	{ cli_run_now_or_history, "either" },
		{ cli_run_change, "change" },	{ cli_run_events, "events" },
	};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (c->run == kinds[i].run)
			return kinds[i].kind;
	return "other";
}

static json_t *arguments_of(const struct cli_command *c)
{
	json_t *list = json_array();

	for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++) {
		const struct cli_argument *a = &c->arguments[i];

		json_array_append_new(list, json_pack(
			"{s:s, s:s*, s:s*, s:b, s:b, s:b}", "name", a->name,
			"noun", a->noun, "key", a->key, "number", a->number,
			"optional", a->optional, "many", a->many));
	}
	return list;
}

static json_t *flags_of(const struct cli_command *c)
{
	json_t *list = json_array();

	for (int i = 0; i < FLAG_COUNT; i++)
		if (FLAG_IN(c->flags, i))
			json_array_append_new(list, json_pack(
				"{s:s, s:s*, s:b}", "name", cli_flags[i].name,
				"key", cli_flags[i].key, "switch",
				cli_flags[i].kind == VALUE_SWITCH));
	return list;
}

static const char *asks(const struct cli_command *c)
{
	switch (c->confirm) {
	case CONFIRM_NONE:
		return "never";
	case CONFIRM_IN_SESSION:
		return "in_session";
	case CONFIRM_SHRINK:
		return "shrink";
	case CONFIRM_ALWAYS:
		return "always";
	case CONFIRM_TYPED:
		return "typed";
	}
	return "always";
}

/* grammar() -> {nouns = {...}, commands = {...}} */
static int grammar(lua_State *L)
{
	json_t *nouns = json_array(), *commands = json_array(), *both;

	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		json_array_append_new(nouns, json_pack(
			"{s:s, s:s*, s:s*, s:b}", "name", n->name, "alias",
			n->alias, "key", n->key, "listed", n->view != NULL));
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (!c->hidden)
			json_array_append_new(commands, json_pack(
				"{s:s*, s:s, s:s*, s:s, s:b, s:s, s:o, s:o}",
				"noun", c->noun, "verb", c->verb, "control",
				c->control, "kind", kind_of(c), "changes",
				c->changes, "asks", asks(c), "arguments",
				arguments_of(c), "flags", flags_of(c)));
	both = json_pack("{s:o, s:o}", "nouns", nouns, "commands", commands);
	lua_push_json(L, both);
	json_decref(both);
	return 1;
}

/* ---- words ----------------------------------------------------------------- */

struct words {
	char *at[WORDS_MAX];
	int count;
};

static void add_word(struct words *w, const char *prefix, const char *text)
{
	char *word = NULL;

	if (w->count < WORDS_MAX - 1 &&
	    (asprintf(&word, "%s%s", prefix, text) < 0 || !word))
		abort();
	if (word)
		w->at[w->count++] = word;
}

/* {serve = 3, once = true} as --serve=3 --once */
static void add_flags(lua_State *L, int index, struct words *w)
{
	char flag[80];

	lua_pushnil(L);
	while (lua_next(L, index)) {
		lua_pushvalue(L, -2);	/* a copy: next() needs its own */
		snprintf(flag, sizeof(flag), "--%s%s", lua_tostring(L, -1),
			 lua_isboolean(L, -2) ? "" : "=");
		if (!lua_isboolean(L, -2))
			add_word(w, flag, luaL_tolstring(L, -2, NULL));
		else if (lua_toboolean(L, -2))
			add_word(w, flag, "");
		lua_pop(L, lua_isboolean(L, -2) ? 2 : 3);
	}
}

static void add_arguments(lua_State *L, int index, struct words *w)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, index);

	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, index, i);
		add_word(w, "", luaL_tolstring(L, -1, NULL));
		lua_pop(L, 2);
	}
}

static json_t *requests_of(const struct cli_call *call, struct error *err)
{
	bool many = call->command->arguments[0].many;
	int count = many ? call->word_count : 1;
	json_t *list = json_array(), *one;

	for (int i = 0; i < count; i++) {
		one = cli_request(call, i, err);
		if (!one) {
			json_decref(list);
			return NULL;
		}
		json_array_append_new(list, one);
	}
	return list;
}

/* (noun or nil, verb, {words}, {flags}) -> list of requests */
static int request(lua_State *L)
{
	const char *noun = luaL_optstring(L, 1, NULL);
	const char *verb = luaL_checkstring(L, 2);
	struct words w = { .count = 0 };
	struct error err = { "" };
	struct cli_call call;
	json_t *list = NULL;

	luaL_checktype(L, 3, LUA_TTABLE);
	luaL_checktype(L, 4, LUA_TTABLE);
	add_word(&w, "", "remuda");
	if (noun)
		add_word(&w, "", noun);
	add_word(&w, "", verb);
	add_flags(L, 4, &w);
	add_word(&w, "", "--");
	add_arguments(L, 3, &w);
	w.at[w.count] = NULL;
	if (w.count == WORDS_MAX - 1)
		error_set(&err, "more than %d words", WORDS_MAX - 8);
	else if (cli_parse(&call, w.count, w.at, &err) == 0)
		list = requests_of(&call, &err);
	if (w.count < WORDS_MAX - 1)
		cli_call_fini(&call);
	for (int i = 0; i < w.count; i++)
		free(w.at[i]);
	if (!list)
		return lua_fail(L, "usage", err.text);
	lua_push_json(L, list);
	json_decref(list);
	return 1;
}

/* ---- words about a change ---------------------------------------------------- */

/* (request, item or nil) -> object, would, and what would be touched or nil */
static int describe(lua_State *L)
{
	struct error err = { "" };
	json_t *wish = lua_to_json(L, 1, &err);
	json_t *item = lua_istable(L, 2) ? lua_to_json(L, 2, &err) : NULL;
	const char *verb = json_string_value(json_object_get(wish, "verb"));
	const struct cli_command *c = verb ? cli_command_for(verb) : NULL;
	char object[160], would[400], touched[256];

	if (!wish || !verb) {
		json_decref(wish);
		json_decref(item);
		return lua_fail(L, "usage", wish ? "a request needs a verb" : err.text);
	}
	cli_object_of(object, sizeof(object), wish);
	cli_would(would, sizeof(would), wish, item);
	lua_pushstring(L, object);
	lua_pushstring(L, would);
	if (c && cli_touched(touched, sizeof(touched), c, object, wish, item))
		lua_pushstring(L, touched);
	else
		lua_pushnil(L);
	json_decref(wish);
	json_decref(item);
	return 3;
}

/* (request, item before or nil, item now or nil) -> is it done? */
static int settled(lua_State *L)
{
	struct error err;
	json_t *wish = lua_to_json(L, 1, &err);
	json_t *before = lua_istable(L, 2) ? lua_to_json(L, 2, &err) : NULL;
	json_t *item = lua_istable(L, 3) ? lua_to_json(L, 3, &err) : NULL;

	lua_pushboolean(L, cli_settled(wish, before, item));
	json_decref(wish);
	json_decref(before);
	json_decref(item);
	return 1;
}

/* (word, {candidates}) -> the nearest one, or nothing */
static int suggest(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1);
	const char *all[WORDS_MAX] = { NULL };
	lua_Integer count = (lua_Integer)lua_rawlen(L, 2);

	if (count > WORDS_MAX - 1)
		count = WORDS_MAX - 1;
	luaL_checkstack(L, (int)count + 4, "candidates");
	for (lua_Integer i = 0; i < count; i++) {
		lua_rawgeti(L, 2, i + 1);
		all[i] = lua_tostring(L, -1);
	}
	lua_pushstring(L, cli_suggest(word, all));
	return 1;
}

void lua_open_grammar(lua_State *L)
{
	static const luaL_Reg functions[] = {
		{ "grammar", grammar },	  { "request", request },
		{ "describe", describe }, { "suggest", suggest },
		{ "settled", settled },
		{ NULL, NULL },
	};

	luaL_setfuncs(L, functions, 0);
}
