/*
 * remuda.allocate: a session of the native door as a stream for Lua.
 *
 * Blocking with a deadline, in one thread.  What the machine says while we send
 * is kept, so that two sides that both talk cannot block each other; otherwise
 * nothing is read before it is asked for, and the machine is held back by the
 * socket as it would be without us.  A stream that nobody closed takes its
 * leave when it is collected.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "console/clock.h"
#include "console/connect_wish.h"
#include "console/lua_internal.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/native.h"

#define STREAM_TYPE "remuda.stream"

enum {
	IN_SIZE = 64 * 1024,	/* more than a control frame, or any part of DATA */
	CHUNK = 64 * 1024,
	LEAVE_MS = 10 * 1000,	/* for the gateway to let go */
};

struct stream {
	int fd;				/* -1 = over */
	uint8_t in[IN_SIZE];		/* a frame that is not whole yet */
	size_t in_used;
	uint32_t data_left;		/* of the DATA frame that is coming */
	bool data_end;
	char *data;			/* the machine's bytes, not taken yet */
	size_t start, used, size;
	bool accepted, ended, shut, confirmed, over;
	uint64_t session;
	char machine[128], user[256], notice[256];
	char code[64], text[512];	/* of the gateway's ERROR */
};

static void stream_end(struct stream *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

static int failed(struct stream *s, const char *code, const char *text)
{
	if (!s->code[0]) {
		TEXT_SET(s->code, code);
		TEXT_SET(s->text, text);
	}
	return -1;
}

/* ---- what the gateway says ---------------------------------------------- */

static void keep_data(struct stream *s, const uint8_t *bytes, size_t n)
{
	if (s->start == s->used)
		s->start = s->used = 0;
	if (s->used + n > s->size) {
		memmove(s->data, s->data + s->start, s->used - s->start);
		s->used -= s->start;
		s->start = 0;
	}
	if (s->used + n > s->size) {
		s->size = (s->used + n) * 2;
		s->data = realloc(s->data, s->size);
		if (!s->data)
			abort();
	}
	memcpy(s->data + s->used, bytes, n);
	s->used += n;
}

static void text_of(const uint8_t *p, size_t n, enum native_tag tag, char *out,
		    size_t size)
{
	if (native_get_text(p, n, tag, out, size) < 0)
		text_copy(out, size, "");
}

static int on_control(struct stream *s, const struct native_header *h,
		      const uint8_t *p)
{
	switch ((enum native_type)h->type) {
	case NATIVE_ALLOCATED:
		native_get_u64(p, h->length, NATIVE_TAG_SESSION, &s->session);
		text_of(p, h->length, NATIVE_TAG_MACHINE, s->machine,
			sizeof(s->machine));
		text_of(p, h->length, NATIVE_TAG_USER, s->user,
			sizeof(s->user));
		return 0;
	case NATIVE_ACCEPT:
		s->accepted = true;
		return 0;
	case NATIVE_CONFIRMED:
		s->confirmed = true;
		return 0;
	case NATIVE_NOTICE:
		text_of(p, h->length, NATIVE_TAG_TEXT, s->notice,
			sizeof(s->notice));
		return 0;
	case NATIVE_ERROR:
		text_of(p, h->length, NATIVE_TAG_CODE, s->code,
			sizeof(s->code));
		text_of(p, h->length, NATIVE_TAG_TEXT, s->text,
			sizeof(s->text));
		return failed(s, "refused", "the gateway refused");
	case NATIVE_HELLO:
	case NATIVE_WAITING:
		return 0;
	case NATIVE_EXTEND:
	case NATIVE_ALLOCATE:
	case NATIVE_CONNECT:
	case NATIVE_DATA:
	case NATIVE_DEALLOCATE:
		break;
	}
	return failed(s, "protocol", "the gateway sent an unexpected frame");
}

static size_t take_data(struct stream *s, const uint8_t *bytes, size_t n)
{
	if (n > s->data_left)
		n = s->data_left;
	keep_data(s, bytes, n);
	s->data_left -= (uint32_t)n;
	if (!s->data_left && s->data_end)
		s->ended = true;
	return n;
}

/* Takes one frame, or a part of its data, from bytes; how many it took, 0 when
 * more must come first, -1 when it is the end. */
static ssize_t take_frame(struct stream *s, const uint8_t *bytes, size_t n)
{
	struct native_header h;

	if (s->data_left)
		return (ssize_t)take_data(s, bytes, n);
	if (n < NATIVE_HEADER_SIZE)
		return 0;
	if (native_get_header(bytes, &h) < 0)
		return failed(s, "protocol", "what answers there is not a gateway");
	if (h.type == NATIVE_DATA) {
		s->data_left = h.length;
		s->data_end = h.flags & NATIVE_END;
		s->ended |= s->data_end && !h.length;
		return NATIVE_HEADER_SIZE;
	}
	if (n < NATIVE_HEADER_SIZE + (size_t)h.length)
		return 0;
	if (on_control(s, &h, bytes + NATIVE_HEADER_SIZE) < 0)
		return -1;
	return NATIVE_HEADER_SIZE + (ssize_t)h.length;
}

/* Reads once; 0, or -1 when the connection is over. */
static int take_bytes(struct stream *s)
{
	size_t at = 0;
	ssize_t n = recv(s->fd, s->in + s->in_used, IN_SIZE - s->in_used,
			 MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		s->over = true;
		return failed(s, "lost", n < 0 ? strerror(errno) :
			      "the gateway closed the connection");
	}
	s->in_used += (size_t)n;
	while (at < s->in_used) {
		n = take_frame(s, s->in + at, s->in_used - at);
		if (n < 0)
			return -1;
		if (n == 0)
			break;
		at += (size_t)n;
	}
	memmove(s->in, s->in + at, s->in_used - at);
	s->in_used -= at;
	return 0;
}

/* Waits for events until deadline_ms (-1 = for ever); what came, 0 when it is
 * past, -1 with the stream's code. */
static int wait_for(struct stream *s, short events, int64_t deadline_ms)
{
	for (;;) {
		struct pollfd p = { .fd = s->fd, .events = events };
		int64_t left = deadline_ms < 0 ? 60000 : deadline_ms - now_ms();

		if (lua_interrupted)
			return failed(s, "interrupted", "interrupted");
		if (left <= 0)
			return 0;
		if (poll(&p, 1, left > 60000 ? 60000 : (int)left) > 0)
			return p.revents;
	}
}

/* ---- sending -------------------------------------------------------------- */

/* All of it, keeping what comes meanwhile. */
static int put_all(struct stream *s, const uint8_t *bytes, size_t n,
		   int64_t deadline_ms)
{
	while (n) {
		int came = wait_for(s, POLLOUT | POLLIN, deadline_ms);
		ssize_t sent = 0;

		if (came < 0)
			return -1;
		if (came == 0)
			return failed(s, "timeout", "the machine takes no more in time");
		if (came & POLLOUT)
			sent = send(s->fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (sent > 0) {
			bytes += sent;
			n -= (size_t)sent;
		}
		/* A broken connection is told by reading, after its last words. */
		if ((came & (POLLIN | POLLHUP | POLLERR)) && take_bytes(s) < 0)
			return -1;
	}
	return 0;
}

static int put_data(struct stream *s, const char *bytes, size_t n, bool end,
		    int64_t deadline_ms)
{
	uint8_t frame[NATIVE_HEADER_SIZE + CHUNK];

	do {
		size_t part = n > CHUNK ? CHUNK : n;

		native_put_header(frame, NATIVE_DATA,
				  end && part == n ? NATIVE_END : 0,
				  (uint32_t)part);
		memcpy(frame + NATIVE_HEADER_SIZE, bytes, part);
		if (put_all(s, frame, NATIVE_HEADER_SIZE + part, deadline_ms) < 0)
			return -1;
		bytes += part;
		n -= part;
	} while (n);
	return 0;
}

static size_t leave_frame(uint8_t *out, bool confirm)
{
	struct native_builder b;
	size_t n;

	native_begin(&b, NATIVE_DEALLOCATE, confirm ? NATIVE_CONFIRM : 0);
	n = native_finish(&b);
	memcpy(out, b.bytes, n);
	return n;
}

/* ---- for Lua ---------------------------------------------------------------- */

static struct stream *check_stream(lua_State *L)
{
	return luaL_checkudata(L, 1, STREAM_TYPE);
}

/* -1 and nil stand for no limit. */
static int64_t deadline_at(lua_State *L, int index)
{
	lua_Integer ms = luaL_optinteger(L, index, -1);

	return ms < 0 ? -1 : now_ms() + ms;
}

static int fail_stream(lua_State *L, struct stream *s)
{
	char code[64], text[512];

	TEXT_SET(code, s->code);
	TEXT_SET(text, s->text);
	s->code[0] = '\0';
	return lua_fail(L, code, text);
}

static const char *field(lua_State *L, const char *name)
{
	lua_getfield(L, 1, name);
	const char *text = lua_tostring(L, -1);

	lua_pop(L, 1);	/* the table keeps it */
	return text;
}

static int allocated(struct stream *s, const struct connect_wish *w,
		     int64_t deadline_ms)
{
	uint8_t words[2 * NATIVE_CONTROL_MAX];
	struct error err = { "" };
	ssize_t n = connect_ask(w, words, sizeof(words), &err);
	int rc = n < 0 ? failed(s, "usage", err.text)
		       : put_all(s, words, (size_t)n, deadline_ms);

	explicit_bzero(words, sizeof(words));
	while (rc == 0 && !s->accepted) {
		int came = wait_for(s, POLLIN, deadline_ms);

		if (came == 0)
			rc = failed(s, "timeout", "no machine in time");
		else
			rc = came < 0 ? -1 : take_bytes(s);
	}
	return rc;
}

/* {application=, user=, ...}, timeout_ms -> stream */
static int stream_open(lua_State *L)
{
	luaL_checktype(L, 1, LUA_TTABLE);
	const struct connect_wish w = {
		.application = field(L, "application"),
		.socket = field(L, "socket"), .to = field(L, "to"),
		.user = field(L, "user"), .site = field(L, "site"),
		.request_id = field(L, "request_id"),
		.run_dir = field(L, "run_dir"),
		.password = field(L, "password"), .password_fd = -1,
		.wait_ms = (lua_getfield(L, 1, "wait_ms"),
			    luaL_optinteger(L, -1, -1)),
	};
	struct stream *s = lua_newuserdatauv(L, sizeof(*s), 0);
	struct error err = { "" };

	*s = (struct stream){ .fd = -1 };
	luaL_setmetatable(L, STREAM_TYPE);
	s->fd = connect_dial(&w, &err);
	if (s->fd < 0)
		return lua_fail(L, "unreachable", err.text);
	if (allocated(s, &w, deadline_at(L, 2)) < 0) {
		stream_end(s);
		return fail_stream(L, s);
	}
	return 1;
}

/* stream:send(bytes, timeout_ms) */
static int stream_send(lua_State *L)
{
	struct stream *s = check_stream(L);
	size_t n;
	const char *bytes = luaL_checklstring(L, 2, &n);

	if (s->fd < 0 || s->shut)
		return lua_fail(L, "usage", s->shut ? "the stream was shut: nothing more can be sent" :
				"the session is over");
	if (n && put_data(s, bytes, n, false, deadline_at(L, 3)) < 0)
		return fail_stream(L, s);
	lua_pushboolean(L, 1);
	return 1;
}

/* stream:shut(timeout_ms): we send no more (a half-close). */
static int stream_shut(lua_State *L)
{
	struct stream *s = check_stream(L);

	if (s->fd >= 0 && !s->shut) {
		s->shut = true;
		if (put_data(s, "", 0, true, deadline_at(L, 2)) < 0)
			return fail_stream(L, s);
	}
	lua_pushboolean(L, 1);
	return 1;
}

/* How many of the bytes at hand answer the question; 0 = not yet. */
static size_t enough(const struct stream *s, const char *what, lua_Integer count)
{
	size_t have = s->used - s->start;
	const char *line;

	if (count > 0)
		return have >= (size_t)count ? (size_t)count : 0;
	if (strcmp(what, "all") == 0)
		return 0;
	if (strcmp(what, "line") != 0)
		return have;
	line = have ? memchr(s->data + s->start, '\n', have) : NULL;
	return line ? (size_t)(line - (s->data + s->start)) + 1 : 0;
}

static int push_bytes(lua_State *L, struct stream *s, size_t n, bool line)
{
	const char *bytes = s->data ? s->data + s->start : "";
	bool newline = line && n && bytes[n - 1] == '\n';

	lua_pushlstring(L, bytes, n - newline);
	s->start += n;
	return 1;
}

/* stream:receive("some"|"line"|"all"|count, timeout_ms) -> text; nothing at
 * the end */
static int stream_receive(lua_State *L)
{
	struct stream *s = check_stream(L);
	bool counted = lua_isinteger(L, 2);
	const char *what = counted ? "" : luaL_checkstring(L, 2);
	lua_Integer count = counted ? lua_tointeger(L, 2) : 0;
	int64_t deadline_ms = deadline_at(L, 3);
	size_t n;

	while (!(n = enough(s, what, count)) && s->fd >= 0 && !s->ended) {
		int came = wait_for(s, POLLIN, deadline_ms);

		if (came == 0)
			return lua_fail(L, "timeout", "the machine says nothing in time");
		if (came < 0 || take_bytes(s) < 0)
			return fail_stream(L, s);
	}
	if (!n)		/* the end: what is left, if that was asked for */
		n = s->used - s->start;
	if (n || strcmp(what, "all") == 0)
		return push_bytes(L, s, n, strcmp(what, "line") == 0);
	lua_pushnil(L);
	return 1;
}

/* Until the gateway has let go, or the machine is clean. */
static int say_goodbye(struct stream *s, bool confirm, int64_t deadline_ms)
{
	uint8_t frame[NATIVE_HEADER_SIZE + 8];
	size_t n = leave_frame(frame, confirm);

	if (put_all(s, frame, n, deadline_ms) < 0)
		return s->over && !confirm ? 0 : -1;
	while (confirm ? !s->confirmed : !s->over) {
		int came = wait_for(s, POLLIN, deadline_ms);

		s->start = s->used = 0;
		if (came == 0 && confirm)
			return failed(s, "timeout", "the machine was not clean in time");
		if (came == 0)
			return 0;
		if ((came < 0 || take_bytes(s) < 0) && !(s->over && !confirm))
			return -1;
	}
	return 0;
}

/* stream:close(confirm, timeout_ms) */
static int stream_close(lua_State *L)
{
	struct stream *s = check_stream(L);
	bool confirm = lua_toboolean(L, 2);
	int64_t deadline_ms = deadline_at(L, 3);
	int rc = 0;

	if (deadline_ms < 0 && !confirm)
		deadline_ms = now_ms() + LEAVE_MS;
	if (s->fd >= 0)
		rc = say_goodbye(s, confirm, deadline_ms);
	stream_end(s);
	s->ended = true;
	if (rc < 0)
		return fail_stream(L, s);
	lua_pushboolean(L, 1);
	return 1;
}

static int stream_free(lua_State *L)
{
	struct stream *s = check_stream(L);
	uint8_t frame[NATIVE_HEADER_SIZE + 8];

	if (s->fd >= 0)
		(void)!send(s->fd, frame, leave_frame(frame, false),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	stream_end(s);
	free(s->data);
	s->data = NULL;
	s->start = s->used = s->size = 0;
	return 0;
}

/* stream:about() -> {id=, machine=, user=, notice=} */
static int stream_about(lua_State *L)
{
	const struct stream *s = check_stream(L);

	lua_createtable(L, 0, 4);
	lua_pushinteger(L, (lua_Integer)s->session);
	lua_setfield(L, -2, "id");
	lua_pushstring(L, s->machine);
	lua_setfield(L, -2, "machine");
	lua_pushstring(L, s->user);
	lua_setfield(L, -2, "user");
	if (s->notice[0]) {
		lua_pushstring(L, s->notice);
		lua_setfield(L, -2, "notice");
	}
	return 1;
}

void lua_open_stream(lua_State *L)
{
	static const luaL_Reg methods[] = {
		{ "send", stream_send },   { "receive", stream_receive },
		{ "shut", stream_shut },   { "close", stream_close },
		{ "about", stream_about }, { "__gc", stream_free },
		{ "__close", stream_free }, { NULL, NULL },
	};

	luaL_newmetatable(L, STREAM_TYPE);
	luaL_setfuncs(L, methods, 0);
	lua_pushvalue(L, -1);
	lua_setfield(L, -2, "__index");
	lua_pop(L, 1);
	lua_pushcfunction(L, stream_open);
	lua_setfield(L, -2, "allocate");
}
