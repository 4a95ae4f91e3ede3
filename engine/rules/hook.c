/*
 * One hook run from its function to its answer; see hook.h.
 *
 * Owner: the child of the zygote that runs this one hook.  There is one hook
 * per process, hence the static state.
 */
#include "engine/rules/hook.h"

#include <lauxlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/rules/declare.h"
#include "engine/rules/machine.h"
#include "engine/rules/rules.h"
#include "engine/rules/sandbox.h"
#include "engine/rules/schema.h"
#include "engine/wire/message.h"

enum { TEXT_BYTES_MAX = 2000 };	/* of a hook's answer */

static struct {
	int fd;
	struct place function;	/* where the hook is written */
} run;

static void answer(bool ok, const char *text)
{
	struct message m = { .type = WIRE_TYPE_hook_done };
	struct error err;

	m.hook_done.ok = ok;
	m.hook_done.text = slice_of(text);
	if (m.hook_done.text.length > TEXT_BYTES_MAX)
		m.hook_done.text.length = TEXT_BYTES_MAX;
	if (wire_send(run.fd, &m, &err) != 1)
		_exit(1);
}

void hook_report_late(int fd, const struct place *p)
{
	char text[PLACE_FILE_SIZE + 32];

	run.fd = fd;
	snprintf(text, sizeof(text), "%s:%d", p->file, p->line);
	answer(false, text);
}

/* What the hook returned: nil or true; false [, "why"]. */
static int judge(lua_State *L)
{
	const char *hook = lua_tostring(L, 3);
	char text[400] = "";

	if (lua_isnil(L, 1) || (lua_isboolean(L, 1) && lua_toboolean(L, 1))) {
		answer(true, "");
		return 0;
	}
	if (!lua_isboolean(L, 1))
		sandbox_fail(L, &run.function, NULL, "%s returned a %s; return true, "
			     "false or false, \"why\"", hook,
			     luaL_typename(L, 1));
	if (!lua_isnil(L, 2)) {
		size_t length;
		const char *why = luaL_tolstring(L, 2, &length);

		machine_shown(text, sizeof(text),
			      (struct slice){ why, (uint32_t)length });
	}
	answer(false, *text ? text : "said no");
	return 0;
}

/* Protected; arguments: struct wire_hook_run, name of the hook */
static int run_protected(lua_State *L)
{
	const struct wire_hook_run *h = lua_touserdata(L, 1);
	const char *hook = lua_tostring(L, 2);
	char application[64];
	lua_Debug ar;

	text_copy_slice(application, sizeof(application), h->application);
	declare_push_hook(L, application, hook);
	if (lua_isnil(L, -1)) {
		bool clean = h->hook == WIRE_HOOK_CLEAN;

		answer(!clean, clean ? "there is no clean hook" : "");
		return 0;
	}
	lua_pushvalue(L, -1);
	lua_getinfo(L, ">S", &ar);
	text_copy(run.function.file, sizeof(run.function.file), ar.source + 1);
	run.function.line = ar.linedefined;
	machine_push(L, run.fd, h);
	machine_push_session(L, h);
	lua_call(L, 2, 2);
	lua_pushcfunction(L, judge);
	lua_insert(L, -3);
	lua_pushstring(L, hook);
	lua_call(L, 3, 0);
	return 0;
}

void hook_run_child(struct sandbox *sb, int fd, const struct message *m)
{
	const struct wire_hook_run *h = &m->hook_run;
	char text[1200];

	run.fd = fd;
	if (h->hook < WIRE_HOOK_PREPARE || h->hook > WIRE_HOOK_HEALTH) {
		answer(false, "no such hook");
		return;
	}
	sb->loading = false;
	sb->failure.set = false;
	sb->limit = sb->used + RULES_MEMORY;
	lua_settop(sb->L, 0);
	lua_pushcfunction(sb->L, run_protected);
	lua_pushlightuserdata(sb->L, (void *)h);
	lua_pushstring(sb->L, schema_hooks[h->hook]);
	if (sandbox_call(sb, 2, 0) == 0)
		return;
	sandbox_describe(sb, text, sizeof(text));
	answer(false, text);
}
