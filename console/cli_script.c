/*
 * `remuda run FILE.lua [ARGS]`: a script of the operator's, in this process and
 * with his rights.  It has the whole of Lua; what it asks of the engine goes
 * through the control protocol as every command does.
 *
 * A script that is not found here is looked for among those that come with
 * Remuda.  What it raises becomes one error with file and line, and the exit
 * code of the error's code; a number that it returns is the exit code.
 */
#include <errno.h>
#include <jansson.h>
#include <lua.h>
#include <lualib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "console/lua_internal.h"
#include "engine/base/text.h"
#include "engine/wire/control.h"

static lua_State *running;

static void stop_now(lua_State *L, lua_Debug *ar)
{
	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	lua_createtable(L, 0, 2);
	lua_pushstring(L, "interrupted");
	lua_setfield(L, -2, "code");
	lua_pushstring(L, "interrupted");
	lua_setfield(L, -2, "message");
	lua_error(L);
}

/* Whatever waits returns and is told; whatever computes meets the hook.  The
 * second time the signal does what it does by itself. */
static void on_interrupt(int signum)
{
	signal(signum, SIG_DFL);
	lua_interrupted = 1;
	lua_sethook(running, stop_now, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT,
		    1);
}

static void watch_interrupt(void)
{
	struct sigaction action = { .sa_handler = on_interrupt };

	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);	/* without SA_RESTART */
	signal(SIGPIPE, SIG_IGN);
}

/* ---- the file ------------------------------------------------------------- */

static bool readable(const char *path)
{
	return access(path, R_OK) == 0;
}

/* FILE, else automation/FILE or automation/FILE.lua of those that come along. */
static int find_script(const struct cli *cli, char *out, size_t out_size)
{
	const char *file = cli->call.words[0];
	const char *const endings[] = { "", ".lua" };

	if (strcmp(file, "-") == 0) {
		text_copy(out, out_size, "-");
		return CLI_DONE;
	}
	if (readable(file) || strchr(file, '/')) {
		if (text_copy(out, out_size, file) && readable(file))
			return CLI_DONE;
		return cli_fail(cli, CLI_NOT_FOUND, NULL, NULL, "%.200s: %s", file,
				strerror(errno));
	}
	for (int i = 0; i < 2; i++) {
		int n = snprintf(out, out_size, "%s/automation/%s%s",
				 cli->paths.scripts_dir, file, endings[i]);

		if (n > 0 && (size_t)n < out_size && readable(out))
			return CLI_DONE;
	}
	return cli_fail(cli, CLI_NOT_FOUND, NULL, NULL,
			"there is no script \"%.100s\", neither here nor in "
			"%s/automation", file, cli->paths.scripts_dir);
}

/* Modules beside the script, then those that come with Remuda. */
static void set_path(lua_State *L, const struct cli *cli, const char *script)
{
	char folder[PATHS_SIZE];
	char *slash;

	text_copy(folder, sizeof(folder), script);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	lua_getglobal(L, "package");
	lua_getfield(L, -1, "path");
	lua_pushfstring(L, "%s/?.lua;%s/?.lua;%s", slash ? folder : ".",
			cli->paths.scripts_dir, lua_tostring(L, -1));
	lua_setfield(L, -3, "path");
	lua_pop(L, 2);
}

/* arg[0], arg[1] ... as the lua program has them. */
static void set_arguments(lua_State *L, const struct cli *cli,
			  const char *script)
{
	lua_createtable(L, cli->call.word_count, 1);
	lua_pushstring(L, script);
	lua_rawseti(L, -2, 0);
	for (int i = 1; i < cli->call.word_count; i++) {
		lua_pushstring(L, cli->call.words[i]);
		lua_rawseti(L, -2, i);
	}
	lua_setglobal(L, "arg");
}

/* ---- errors ----------------------------------------------------------------- */

/* Beside the error itself: the way to it, for --verbose. */
static int with_traceback(lua_State *L)
{
	const char *message = luaL_tolstring(L, 1, NULL);

	luaL_traceback(L, L, message, 1);
	lua_setfield(L, LUA_REGISTRYINDEX, "remuda.traceback");
	lua_settop(L, 1);
	return 1;
}

static const char *field(lua_State *L, const char *name)
{
	if (!lua_istable(L, 1))
		return NULL;
	lua_getfield(L, 1, name);
	return lua_tostring(L, -1);
}

/* With its place, where it knows it. */
static const char *text_of_error(lua_State *L)
{
	if (!luaL_getmetafield(L, 1, "__tostring") && field(L, "message"))
		return lua_tostring(L, -1);
	return luaL_tolstring(L, 1, NULL);
}

static void print_json_error(lua_State *L, const char *message)
{
	const char *code = field(L, "code"), *bare = field(L, "message");
	json_t *error = json_pack("{s:s, s:s}", "code", code ? code : "failed",
				  "message", bare ? bare : message);
	static const char *const more[] = { "object", "hint", "script" };
	json_t *whole;

	for (size_t i = 0; i < 3; i++)
		if (field(L, more[i]))
			json_object_set_new(error, more[i],
					    json_string(lua_tostring(L, -1)));
	if (field(L, "line"))
		json_object_set_new(error, "line",
				    json_integer(lua_tointeger(L, -1)));
	whole = json_pack("{s:o}", "error", error);
	json_dumpf(whole, stderr, JSON_COMPACT | JSON_ENSURE_ASCII);
	fputc('\n', stderr);
	json_decref(whole);
}

/* The error on the top of the stack, said; its exit code. */
static int say_error(lua_State *L, const struct cli *cli)
{
	const char *message, *hint;
	char shown[4096];
	int code = lua_module_exit_code(L, -1);

	lua_replace(L, 1);
	lua_settop(L, 1);
	message = text_of_error(L);
	if (cli_has(cli, FLAG_JSON)) {
		print_json_error(L, message);
		return code;
	}
	text_display(shown, sizeof(shown), message, strlen(message));
	fprintf(stderr, "error: %s\n", shown);
	hint = field(L, "hint");
	if (hint) {
		text_display(shown, sizeof(shown), hint, strlen(hint));
		fprintf(stderr, "  %s\n", shown);
	}
	lua_getfield(L, LUA_REGISTRYINDEX, "remuda.traceback");
	if (cli_has(cli, FLAG_VERBOSE) && lua_isstring(L, -1))
		fprintf(stderr, "%s\n", lua_tostring(L, -1));
	return code;
}

/* ---- running it ----------------------------------------------------------------- */

/* The chunk with its words; then remuda.loop. */
static int run_chunk(lua_State *L, const struct cli *cli, const char *script)
{
	int first, code = CLI_DONE;

	lua_pushcfunction(L, with_traceback);
	if (luaL_loadfilex(L, strcmp(script, "-") ? script : NULL, "t") != LUA_OK)
		return say_error(L, cli);
	first = lua_gettop(L);
	for (int i = 1; i < cli->call.word_count; i++)
		lua_pushstring(L, cli->call.words[i]);
	if (lua_pcall(L, cli->call.word_count - 1, 1, first - 1) != LUA_OK)
		return say_error(L, cli);
	if (lua_isinteger(L, -1))
		code = (int)lua_tointeger(L, -1) & 255;
	lua_getglobal(L, "require");
	lua_pushstring(L, "remuda");
	lua_call(L, 1, 1);
	lua_getfield(L, -1, "loop");
	if (lua_pcall(L, 0, 0, first - 1) != LUA_OK)
		return say_error(L, cli);
	return code;
}

static int push_module(lua_State *L)
{
	lua_module_push(L, lua_touserdata(L, lua_upvalueindex(1)));
	return 1;
}

static int run_script(lua_State *L, const struct cli *cli,
		      const struct lua_wish *wish, const char *script)
{
	luaL_openlibs(L);
	set_path(L, cli, script);
	set_arguments(L, cli, script);
	/* require "remuda" finds this one, and it is there without as well. */
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	lua_pushlightuserdata(L, (void *)wish);
	lua_pushcclosure(L, push_module, 1);
	lua_setfield(L, -2, "remuda");
	lua_pop(L, 1);
	lua_getglobal(L, "require");
	lua_pushstring(L, "remuda");
	if (lua_pcall(L, 1, 1, 0) != LUA_OK)
		return say_error(L, cli);
	lua_setglobal(L, "remuda");
	return run_chunk(L, cli, script);
}

int cli_run_run(struct cli *cli)
{
	const struct lua_wish wish = {
		.cli = cli,
		.socket = cli->socket_named ? cli->socket : NULL,
		.site = cli->call.value[FLAG_SITE],
		.run_dir = cli->call.value[FLAG_RUN_DIR],
		.timeout_ms = cli->timeout_ms,
		.dry_run = cli_has(cli, FLAG_DRY_RUN),
		.read_only = cli_has(cli, FLAG_READ_ONLY),
		.yes = cli_has(cli, FLAG_YES),
		.verbose = cli_has(cli, FLAG_VERBOSE),
	};
	char script[PATHS_SIZE];
	int code = find_script(cli, script, sizeof(script));

	if (code != CLI_DONE)
		return code;
	running = luaL_newstate();
	if (!running)
		abort();
	watch_interrupt();
	code = run_script(running, cli, &wish, script);
	lua_close(running);
	return code;
}
