/*
 * machine:exec, write, tcp, sleep and so on; see machine.h.
 *
 * Owner: the child of the zygote that runs one hook.  A step is sent to the
 * engine (hook_step) and the process blocks until its step_result, which makes
 * a hook look like what it does: the engine remains free because it is another
 * process, and a hook can wait inside anything, even inside a pcall or an
 * iterator.
 *
 * Not guaranteed: that a step which failed did not happen; that is what ok = 0
 * with its text says, and the engine treats the machine as dirty.
 */
#include "engine/rules/machine.h"

#include <lauxlib.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/sandbox.h"
#include "engine/wire/message.h"

enum {
	STEP_BYTES_MAX = 60000,	/* argv and input of one step */
	LOG_BYTES_MAX = 1000,
	PORT_TRY_MS = 1000,
	PORT_PAUSE_MS = 200,
	PORT_WAIT_MS = 30000,
};

static struct {
	int fd;
	uint64_t step;
	int64_t deadline_ms;
	struct wire_buffer buffer;
	struct message result;	/* of the last step, slices into buffer */
} run;

static const char machine_key;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

/* Sends one step; with wait, returns its result.  Raises if it cannot. */
static const struct wire_step_result *step(lua_State *L,
					   struct wire_hook_step s, bool wait)
{
	struct message m = { .type = WIRE_TYPE_hook_step };
	struct error err;

	s.step = ++run.step;
	m.hook_step = s;
	if (wire_send(run.fd, &m, &err) != 1)
		sandbox_fail(L, NULL, NULL, "%s", err.text);
	while (wait) {
		struct pollfd p = { .fd = run.fd, .events = POLLIN };

		poll(&p, 1, -1);
		int rc = wire_receive(run.fd, &run.buffer, &run.result, &err);
		if (rc < 0)
			_exit(1);	/* the role is gone: nobody listens */
		if (rc == 0)
			continue;
		wire_close_fds(&run.result);
		if (run.result.type == WIRE_TYPE_step_result &&
		    run.result.step_result.step == s.step)
			break;
	}
	return &run.result.step_result;
}

/* Foreign text for one line of an error: visible, without line ends. */
const char *machine_shown(char *out, size_t out_size, struct slice s)
{
	while (s.length && strchr("\r\n ", s.ptr[s.length - 1]))
		s.length--;
	text_display(out, out_size, s.ptr ? s.ptr : "", s.length);
	return out;
}

static void check_self(lua_State *L, const char *method)
{
	lua_rawgetp(L, LUA_REGISTRYINDEX, &machine_key);
	if (!lua_rawequal(L, 1, -1))
		sandbox_fail(L, NULL, NULL, "write machine:%s with a colon",
			     method);
	lua_pop(L, 1);
}

/* Seconds or "30 s" at that index, in ms. */
static int64_t duration_arg(lua_State *L, int index, int64_t preset_ms)
{
	int64_t ms = -1;

	if (lua_isnoneornil(L, index))
		return preset_ms;
	if (lua_type(L, index) == LUA_TNUMBER) {
		lua_Number s = lua_tonumber(L, index);

		ms = s >= 0 && s <= 86400 ? (int64_t)(s * 1000 + 0.5) : -1;
	} else if (lua_type(L, index) == LUA_TSTRING) {
		struct error err;

		if (text_parse_duration_ms(lua_tostring(L, index), &ms, &err) < 0)
			ms = -1;
	}
	if (ms < 0 || ms > 86400000)
		sandbox_fail(L, NULL, NULL, "a time must be seconds or a text "
			     "such as \"30 s\", at most a day, not %s",
			     luaL_tolstring(L, index, NULL));
	return ms;
}

static struct slice string_at(lua_State *L, int index)
{
	size_t length;
	const char *text = lua_tolstring(L, index, &length);

	return (struct slice){ text, (uint32_t)length };
}

static void refuse_options(lua_State *L, const char *method,
			   const char *const *words)
{
	for (lua_pushnil(L); lua_next(L, 2); lua_pop(L, 1)) {
		char hint[128];
		size_t i = 0;

		if (lua_type(L, -2) != LUA_TSTRING)
			continue;
		const char *key = lua_tostring(L, -2);
		while (words[i] && strcmp(words[i], key) != 0)
			i++;
		if (words[i])
			continue;
		sandbox_nearest(hint, sizeof(hint), key, words);
		sandbox_fail(L, NULL, hint, "machine:%s{} has no option '%.60s'",
			     method, key);
	}
}

/* The words of the table at 2 as one NUL-separated string, left on the
 * stack; name: the first of them for messages. */
static struct slice command_words(lua_State *L, const char *method, char *name,
				  size_t name_size)
{
	lua_Integer count = lua_istable(L, 2) ? (lua_Integer)lua_rawlen(L, 2) : 0;
	luaL_Buffer b;

	if (count == 0)
		sandbox_fail(L, NULL, NULL, "write machine:%s{\"/path/program\", "
			     "\"argument\"}", method);
	lua_rawgeti(L, 2, 1);
	text_display(name, name_size, luaL_tolstring(L, -1, NULL),
		     lua_rawlen(L, -1));
	lua_pop(L, 2);
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= count; i++) {
		size_t length;

		lua_rawgeti(L, 2, i);
		const char *word = lua_tolstring(L, -1, &length);
		if (!word || strlen(word) != length)
			sandbox_fail(L, NULL, NULL, "machine:%s{}: word %d must "
				     "be a text, not a %s", method, (int)i,
				     luaL_typename(L, -1));
		luaL_addvalue(&b);
		luaL_addchar(&b, '\0');
	}
	luaL_pushresult(&b);
	return string_at(L, -1);
}

static void refuse_large(lua_State *L, const char *method, size_t bytes)
{
	if (bytes > STEP_BYTES_MAX)
		sandbox_fail(L, NULL, "put large files into the image or the "
			     "initrd", "machine:%s: %zu bytes, at most %d go in "
			     "one step", method, bytes, STEP_BYTES_MAX);
}

/* machine:exec{ "prog", "arg", input = "", timeout = 30, check = true } */
static int machine_exec(lua_State *L)
{
	static const char *const options[] = { "input", "timeout", "check", NULL };
	struct wire_hook_step s = { .verb = WIRE_STEP_EXEC };
	char name[128], text[400];

	check_self(L, "exec");
	s.argv = command_words(L, "exec", name, sizeof(name));
	refuse_options(L, "exec", options);
	if (lua_getfield(L, 2, "input") == LUA_TSTRING)
		s.input = string_at(L, -1);
	else if (!lua_isnil(L, -1))
		sandbox_fail(L, NULL, NULL, "machine:exec{}: input must be a "
			     "text, not a %s", luaL_typename(L, -1));
	refuse_large(L, "exec", (size_t)s.argv.length + s.input.length);
	lua_getfield(L, 2, "timeout");
	s.ms = duration_arg(L, -1, run.deadline_ms);
	lua_getfield(L, 2, "check");
	bool check = lua_isnil(L, -1) || lua_toboolean(L, -1);
	const struct wire_step_result *r = step(L, s, true);
	if (!r->ok)
		sandbox_fail(L, NULL, NULL, "exec %s: %s", name,
			     machine_shown(text, sizeof(text), r->text));
	if (check && r->code != 0) {
		machine_shown(text, sizeof(text), r->errout.length ? r->errout : r->out);
		sandbox_fail(L, NULL, NULL, "exec %s: exit %lld%s%s", name,
			     (long long)r->code, *text ? ": " : "", text);
	}
	lua_createtable(L, 0, 3);
	lua_pushinteger(L, r->code);
	lua_setfield(L, -2, "code");
	lua_pushlstring(L, r->out.ptr ? r->out.ptr : "", r->out.length);
	lua_setfield(L, -2, "out");
	lua_pushlstring(L, r->errout.ptr ? r->errout.ptr : "",
			r->errout.length);
	lua_setfield(L, -2, "err");
	return 1;
}

/* machine:confirm{ "prog", "arg", timeout = 10 }: session and nonce go in on
 * standard input and must come back; the engine compares. */
static int machine_confirm(lua_State *L)
{
	static const char *const options[] = { "timeout", NULL };
	struct wire_hook_step s = { .verb = WIRE_STEP_CONFIRM };
	char name[128], text[400];

	check_self(L, "confirm");
	s.argv = command_words(L, "confirm", name, sizeof(name));
	refuse_options(L, "confirm", options);
	refuse_large(L, "confirm", s.argv.length);
	lua_getfield(L, 2, "timeout");
	s.ms = duration_arg(L, -1, run.deadline_ms);
	const struct wire_step_result *r = step(L, s, true);
	if (!r->ok)
		sandbox_fail(L, NULL, NULL, "confirm %s: %s", name,
			     machine_shown(text, sizeof(text), r->text));
	lua_pushboolean(L, 1);
	return 1;
}

/* machine:write(path, text [, mode]) */
static int machine_write(lua_State *L)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_WRITE };
	char text[400];
	int whole = 1;

	check_self(L, "write");
	if (lua_type(L, 2) != LUA_TSTRING || lua_type(L, 3) != LUA_TSTRING ||
	    *lua_tostring(L, 2) != '/' ||
	    strlen(lua_tostring(L, 2)) != lua_rawlen(L, 2))
		sandbox_fail(L, NULL, NULL, "write machine:write(\"/path\", "
			     "\"text\")");
	s.path = string_at(L, 2);
	s.input = string_at(L, 3);
	refuse_large(L, "write", (size_t)s.path.length + s.input.length);
	lua_Integer mode = lua_isnoneornil(L, 4) ? 0644 :
			   lua_tointegerx(L, 4, &whole);
	if (!whole || mode < 0 || mode > 07777)
		sandbox_fail(L, NULL, "Lua has no octal numbers: write "
			     "tonumber(\"600\", 8)",
			     "machine:write: the mode must be a number from 0 "
			     "to 4095");
	s.mode = (uint32_t)mode;
	s.ms = run.deadline_ms;
	const struct wire_step_result *r = step(L, s, true);
	if (!r->ok)
		sandbox_fail(L, NULL, NULL, "write %s: %s", lua_tostring(L, 2),
			     machine_shown(text, sizeof(text), r->text));
	return 0;
}

static uint32_t port_arg(lua_State *L, const char *method)
{
	int whole;
	lua_Integer port = lua_tointegerx(L, 2, &whole);

	if (!whole || port < 1 || port > 65535)
		sandbox_fail(L, NULL, NULL, "machine:%s needs a port from 1 to "
			     "65535", method);
	return (uint32_t)port;
}

/* machine:tcp(port [, seconds]) -> boolean */
static int machine_tcp(lua_State *L)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_TCP };

	check_self(L, "tcp");
	s.port = port_arg(L, "tcp");
	s.ms = duration_arg(L, 3, PORT_TRY_MS);
	lua_pushboolean(L, step(L, s, true)->ok);
	return 1;
}

static void pause_ms(lua_State *L, int64_t ms)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_SLEEP, .ms = ms };
	char text[400];

	const struct wire_step_result *r = step(L, s, true);
	if (!r->ok)
		sandbox_fail(L, NULL, NULL, "sleep: %s",
			     machine_shown(text, sizeof(text), r->text));
}

/* machine:wait_port(port [, seconds]) */
static int machine_wait_port(lua_State *L)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_TCP };
	char text[400], took[16];

	check_self(L, "wait_port");
	s.port = port_arg(L, "wait_port");
	int64_t limit = duration_arg(L, 3, PORT_WAIT_MS), end = now_ms() + limit;
	for (;;) {
		int64_t left = end - now_ms();

		s.ms = left < 1 ? 1 : left < PORT_TRY_MS ? left : PORT_TRY_MS;
		const struct wire_step_result *r = step(L, s, true);
		if (r->ok)
			return 0;
		if (now_ms() + PORT_PAUSE_MS >= end)
			sandbox_fail(L, NULL, NULL, "port %u did not answer "
				     "within %s: %s", s.port,
				     text_duration(took, sizeof(took), limit),
				     machine_shown(text, sizeof(text), r->text));
		pause_ms(L, PORT_PAUSE_MS);
	}
}

/* machine:log(text) */
static int machine_log(lua_State *L)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_LOG };
	char text[LOG_BYTES_MAX];

	check_self(L, "log");
	luaL_tolstring(L, 2, NULL);
	s.path = slice_of(machine_shown(text, sizeof(text), string_at(L, -1)));
	step(L, s, false);
	return 0;
}

/* sleep(seconds) */
/* machine:sign_host_key("ssh-ed25519 AAAA...") -> the line of its certificate,
 * by the site's host authority, for the application's name. */
static int machine_sign_host_key(lua_State *L)
{
	struct wire_hook_step s = { .verb = WIRE_STEP_SIGN };
	char text[400];

	check_self(L, "sign_host_key");
	if (lua_type(L, 2) != LUA_TSTRING)
		sandbox_fail(L, NULL, NULL, "machine:sign_host_key wants the "
			     "text of a public key, not a %s", luaL_typename(L, 2));
	s.input = string_at(L, 2);
	while (s.input.length && strchr("\r\n ", s.input.ptr[s.input.length - 1]))
		s.input.length--;
	refuse_large(L, "sign_host_key", s.input.length);
	const struct wire_step_result *r = step(L, s, true);
	if (!r->ok)
		sandbox_fail(L, NULL, NULL, "sign_host_key: %s",
			     machine_shown(text, sizeof(text), r->text));
	lua_pushlstring(L, r->out.ptr, r->out.length);
	return 1;
}

static int hook_sleep(lua_State *L)
{
	if (lua_isnoneornil(L, 1))
		sandbox_fail(L, NULL, NULL, "write sleep(SECONDS)");
	int64_t ms = duration_arg(L, 1, 0);
	if (ms > 0)
		pause_ms(L, ms);
	return 0;
}

static void set_text(lua_State *L, const char *field, struct slice s)
{
	lua_pushlstring(L, s.ptr ? s.ptr : "", s.length);
	lua_setfield(L, -2, field);
}

void machine_push(lua_State *L, int fd, const struct wire_hook_run *h)
{
	static const luaL_Reg methods[] = {
		{ "exec", machine_exec }, { "confirm", machine_confirm },
		{ "write", machine_write }, { "tcp", machine_tcp },
		{ "wait_port", machine_wait_port }, { "log", machine_log },
		{ "sign_host_key", machine_sign_host_key },
		{ NULL, NULL },
	};

	run.fd = fd;
	run.deadline_ms = h->deadline_ms;
	lua_pushcfunction(L, hook_sleep);
	lua_setglobal(L, "sleep");
	lua_newtable(L);
	luaL_setfuncs(L, methods, 0);
	set_text(L, "name", h->machine_name);
	set_text(L, "pool", h->pool);
	set_text(L, "application", h->application);
	set_text(L, "address", h->address);
	lua_pushinteger(L, h->index);
	lua_setfield(L, -2, "index");
	sandbox_strict(L, "machine");
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &machine_key);
}

void machine_push_session(lua_State *L, const struct wire_hook_run *h)
{
	if (!h->session) {
		lua_pushnil(L);
		return;
	}
	lua_newtable(L);
	lua_pushinteger(L, (lua_Integer)h->session);
	lua_setfield(L, -2, "id");
	set_text(L, "user", h->user);
	set_text(L, "application", h->application);
	set_text(L, "listener", h->listener);
	set_text(L, "ssh_keys", h->ssh_keys);
	sandbox_strict(L, "session");
}
