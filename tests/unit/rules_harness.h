/*
 * A rules role in a process of its own, and the engine's side of its socket.
 * Used by the tests named rules_*.
 */
#ifndef REMUDA_TESTS_RULES_HARNESS_H
#define REMUDA_TESTS_RULES_HARNESS_H

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/rules/rules.h"
#include "engine/wire/message.h"
#include "tests/tap.h"

struct role {
	int fd;
	pid_t pid;	/* the role's first process */
	struct wire_buffer buffer;
};

struct module_text {
	const char *name, *file, *text;
};

/* How a bundle_load ended. */
struct outcome {
	bool done;
	char *json;
	size_t length;
	char file[256];
	uint32_t line;
	char text[600], hint[300];
	int64_t took_ms;
};

static inline int64_t test_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static inline void role_send(struct role *r, const struct message *m)
{
	struct error err = { "the role does not read" };

	if (wire_send(r->fd, m, &err) != 1)
		tap_bail("send: %s", err.text);
}

/* The next message, or bail out after limit_ms. */
static inline void role_next(struct role *r, struct message *m, int limit_ms)
{
	struct error err;
	int64_t end = test_now_ms() + limit_ms;

	for (;;) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		int64_t left = end - test_now_ms();

		if (left <= 0 || poll(&p, 1, (int)left) == 0)
			tap_bail("no message within %d ms", limit_ms);
		int rc = wire_receive(r->fd, &r->buffer, m, &err);
		if (rc < 0)
			tap_bail("receive: %s", err.text);
		if (rc > 0)
			return;
	}
}

/* True when the role says nothing within ms. */
static inline bool role_is_quiet(struct role *r, int ms)
{
	struct pollfd p = { .fd = r->fd, .events = POLLIN };

	return poll(&p, 1, ms) == 0;
}

static inline void role_start(struct role *r)
{
	int pair[2];
	struct message m;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		tap_bail("socketpair");
	fflush(stdout);
	r->pid = fork();
	if (r->pid == 0) {
		close(pair[0]);
		log_open("rules", 2, LOG_ERROR);
		exit(rules_run(pair[1]));
	}
	close(pair[1]);
	r->fd = pair[0];
	role_next(r, &m, 5000);
	if (m.type != WIRE_TYPE_role_ready || m.role_ready.pid != (uint32_t)r->pid)
		tap_bail("no role_ready");
}

/* Closes the socket; returns the role's wait status. */
static inline int role_stop(struct role *r)
{
	int status = -1;

	close(r->fd);
	waitpid(r->pid, &status, 0);
	return status;
}

static inline void role_load(struct role *r, const char *hash, const char *text,
			     size_t length)
{
	struct message m = { .type = WIRE_TYPE_bundle_load, .fd_count = 1 };
	struct error err;

	m.bundle_load.hash = slice_of(hash);
	m.bundle_load.file = slice_of("site.lua");
	m.fds[0] = wire_memfd(text, length, &err);
	role_send(r, &m);
	close(m.fds[0]);
}

static inline void role_give_module(struct role *r, const struct message *need,
				    const struct module_text *modules)
{
	struct message m = { .type = WIRE_TYPE_bundle_module };
	struct error err;
	char name[200];

	text_copy_slice(name, sizeof(name), need->bundle_need.name);
	m.bundle_module.name = slice_of(name);
	for (; modules && modules->name; modules++) {
		if (strcmp(modules->name, name) != 0)
			continue;
		m.bundle_module.file = slice_of(modules->file);
		m.fds[0] = wire_memfd(modules->text, strlen(modules->text), &err);
		m.fd_count = 1;
		break;
	}
	role_send(r, &m);
	wire_close_fds(&m);
}

/* Takes the messages of a load to its end. */
static inline struct outcome role_outcome(struct role *r,
					  const struct module_text *modules)
{
	struct outcome o = { .done = false };
	struct message m;
	struct error err;
	int64_t start = test_now_ms();

	for (;;) {
		role_next(r, &m, 10000);
		if (m.type != WIRE_TYPE_bundle_need)
			break;
		role_give_module(r, &m, modules);
	}
	o.took_ms = test_now_ms() - start;
	if (m.type == WIRE_TYPE_bundle_done) {
		o.done = true;
		o.json = wire_read_memfd(m.fds[0], 16 << 20, &o.length, &err);
		if (!o.json)
			tap_bail("bundle_done: %s", err.text);
	} else if (m.type == WIRE_TYPE_bundle_error) {
		TEXT_SET(o.text, "");
		text_copy_slice(o.file, sizeof(o.file), m.bundle_error.file);
		text_copy_slice(o.text, sizeof(o.text), m.bundle_error.text);
		text_copy_slice(o.hint, sizeof(o.hint), m.bundle_error.hint);
		o.line = m.bundle_error.line;
	} else {
		tap_bail("a message %s", wire_type_name(m.type));
	}
	wire_close_fds(&m);
	return o;
}

static inline struct outcome role_evaluate(struct role *r, const char *text,
					   const struct module_text *modules)
{
	struct message use = { .type = WIRE_TYPE_bundle_use };

	use.bundle_use.hash = SLICE("h1");
	role_load(r, "h1", text, strlen(text));
	struct outcome o = role_outcome(r, modules);
	if (o.done)
		role_send(r, &use);
	return o;
}

/* Loads a site that must be good. */
static inline void role_must_load(struct role *r, const char *text,
				  const struct module_text *modules)
{
	struct outcome o = role_evaluate(r, text, modules);

	if (!o.done)
		tap_bail("%s:%u: %s", o.file, o.line, o.text);
	free(o.json);
}

/* The text of a file of the tree, or NULL. */
static inline char *role_slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, RULES_TEXT_MAX + 1);

	if (!text)
		tap_bail("out of memory");
	if (!f) {
		free(text);
		return NULL;
	}
	size_t length = fread(text, 1, RULES_TEXT_MAX, f);
	fclose(f);
	text[length] = '\0';
	return text;
}

/* Evaluates a site; answers needs from the scripts folder, as the engine does. */
static inline struct outcome role_load_shipped(struct role *r, const char *text)
{
	struct message m;
	char name[132], path[200];

	role_load(r, "h1", text, strlen(text));
	for (;;) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		struct error err;
		uint8_t peek[WIRE_PACKET_MAX];

		if (poll(&p, 1, 10000) != 1)
			tap_bail("no answer");
		ssize_t n = recv(r->fd, peek, sizeof(peek), MSG_PEEK);
		if (n <= 0 || wire_decode(peek, (size_t)n, &m, &err) < 0)
			tap_bail("no message");
		if (m.type != WIRE_TYPE_bundle_need)
			return role_outcome(r, NULL);
		role_next(r, &m, 1000);
		text_copy_slice(name, sizeof(name), m.bundle_need.name);
		for (char *c = name; *c; c++)
			*c = *c == '.' ? '/' : *c;
		snprintf(path, sizeof(path), "scripts/%s.lua", name);
		text_copy_slice(name, sizeof(name), m.bundle_need.name);
		char *module = role_slurp(path);
		struct module_text list[] = { { name, path, module },
					      { NULL, NULL, NULL } };
		role_give_module(r, &m, module ? list : NULL);
		free(module);
	}
}

static inline void role_hook(struct role *r, uint64_t call, enum wire_hook hook,
			     const char *application, int64_t deadline_ms)
{
	struct message m = { .type = WIRE_TYPE_hook_run, .request = call,
			     .incarnation = 7 };

	m.hook_run = (struct wire_hook_run){
		.machine = 1, .machine_name = SLICE("mail-01"),
		.pool = SLICE("mail"), .application = slice_of(application),
		.index = 1, .address = SLICE("10.0.7.1"), .hook = hook,
		.session = hook >= WIRE_HOOK_ACCEPT ? 4711 : 0,
		.user = SLICE("anna"), .listener = SLICE("door"),
		.ssh_keys = SLICE("k\n"),
		.deadline_ms = deadline_ms,
	};
	role_send(r, &m);
}

/* Answers a step; out and errout may be NULL. */
static inline void role_result(struct role *r, const struct message *step,
			       bool good, int64_t code, const char *out,
			       const char *errout, const char *text)
{
	struct message m = { .type = WIRE_TYPE_step_result,
			     .request = step->request,
			     .incarnation = step->incarnation };

	m.step_result = (struct wire_step_result){
		.step = step->hook_step.step, .ok = good, .code = code,
		.out = slice_of(out), .errout = slice_of(errout),
		.text = slice_of(text),
	};
	role_send(r, &m);
}

/* The next message must be a step of that verb. */
static inline void role_step(struct role *r, struct message *m,
			     enum wire_step verb)
{
	role_next(r, m, 5000);
	if (m->type != WIRE_TYPE_hook_step) {
		char text[400] = "";

		if (m->type == WIRE_TYPE_hook_done)
			text_copy_slice(text, sizeof(text), m->hook_done.text);
		if (m->type == WIRE_TYPE_hook_lost)
			text_copy_slice(text, sizeof(text), m->hook_lost.text);
		tap_bail("a %s instead of a step: %s", wire_type_name(m->type),
			 text);
	}
	is_int(m->hook_step.verb, verb, "step %llu has the verb %d",
	       (unsigned long long)m->hook_step.step, (int)verb);
}

/* Takes the answer of a hook: "done", "no: TEXT" or "lost: TEXT". */
static inline const char *role_answer(struct role *r, uint64_t call,
				      int limit_ms)
{
	static char text[1000];
	struct message m;

	role_next(r, &m, limit_ms);
	if (m.request != call)
		tap_bail("%s for call %llu, not %llu", wire_type_name(m.type),
			 (unsigned long long)m.request, (unsigned long long)call);
	if (m.incarnation != 7)
		tap_bail("the incarnation is lost");
	if (m.type == WIRE_TYPE_hook_done && m.hook_done.ok)
		return "done";
	if (m.type == WIRE_TYPE_hook_done)
		snprintf(text, sizeof(text), "no: %.*s",
			 (int)m.hook_done.text.length, m.hook_done.text.ptr);
	else if (m.type == WIRE_TYPE_hook_lost)
		snprintf(text, sizeof(text), "lost: %.*s",
			 (int)m.hook_lost.text.length, m.hook_lost.text.ptr);
	else
		tap_bail("a %s instead of an answer", wire_type_name(m.type));
	return text;
}

static inline void role_rule(struct role *r, uint64_t call, const char *name,
			     const char *inputs, int64_t deadline_ms)
{
	struct message m = { .type = WIRE_TYPE_rule_run, .request = call };

	m.rule_run = (struct wire_rule_run){ .name = slice_of(name),
					     .inputs = slice_of(inputs),
					     .deadline_ms = deadline_ms };
	role_send(r, &m);
}

/* "ok nodes=3: why" or "no text". */
static inline const char *role_show_wish(const struct message *m)
{
	static char out[1000];
	const struct wire_rule_done *d = &m->rule_done;
	size_t n = (size_t)snprintf(out, sizeof(out), "%s", d->ok ? "ok" : "no");

	if (d->nodes)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " nodes=%u", d->nodes);
	if (d->vcpus)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " vcpus=%u", d->vcpus);
	if (d->memory_mib)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " memory=%llu",
				      (unsigned long long)d->memory_mib);
	if (d->serve != -1)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " serve=%lld",
				      (long long)d->serve);
	if (d->spare != -1)
		n += (size_t)snprintf(out + n, sizeof(out) - n, " spare=%lld",
				      (long long)d->spare);
	if (d->text.length)
		snprintf(out + n, sizeof(out) - n, "%s%.*s", d->ok ? ": " : " ",
			 (int)d->text.length, d->text.ptr);
	return out;
}

/* The answer to a rule, shown so. */
static inline const char *role_wish(struct role *r, uint64_t call)
{
	static struct message m;

	role_next(r, &m, 10000);
	if (m.type != WIRE_TYPE_rule_done || m.request != call)
		tap_bail("a %s for call %llu", wire_type_name(m.type),
			 (unsigned long long)m.request);
	return role_show_wish(&m);
}

/* A site that must be refused, and how. */
struct mistake {
	const char *lua;
	const char *file;
	uint32_t line;
	const char *text, *hint;
};

static inline void role_mistakes(struct role *r, const struct mistake *m,
				 size_t count,
				 const struct module_text *modules)
{
	for (size_t i = 0; i < count; i++) {
		struct outcome o = role_evaluate(r, m[i].lua, modules);

		if (!ok(!o.done, "refused: %s", m[i].text)) {
			free(o.json);
			continue;
		}
		is_text(o.text, m[i].text, "  text");
		is_text(o.file, m[i].file, "  file");
		is_int(o.line, m[i].line, "  line");
		is_text(o.hint, m[i].hint, "  hint");
	}
}

#endif
