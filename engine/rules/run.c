/*
 * One run of a hook or a rule; see run.h.
 *
 * Owner: the role's first process.  What a child says is checked before it is
 * passed on: the child runs Lua, so its steps must be numbered, one at a time
 * and of known verbs, or it is killed; a rule has no steps.  Call id and incarnation are the role's,
 * never the child's.
 */
#include "engine/rules/run.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/text.h"
#include "engine/rules/bundle.h"
#include "engine/rules/outbox.h"
#include "engine/rules/rules.h"
#include "engine/rules/schema.h"
#include "engine/wire/message.h"

static void set_title(struct run *r, const struct message *m)
{
	const struct wire_hook_run *h = &m->hook_run;
	bool known = !r->rule && h->hook >= WIRE_HOOK_PREPARE &&
		     h->hook <= WIRE_HOOK_HEALTH;

	if (r->rule)
		snprintf(r->title, sizeof(r->title), "rule %.*s",
			 (int)m->rule_run.name.length, m->rule_run.name.ptr);
	else
		snprintf(r->title, sizeof(r->title), "%s of %.*s",
			 known ? schema_hooks[h->hook] : "hook",
			 (int)h->machine_name.length, h->machine_name.ptr);
}

static int64_t deadline_of(const struct message *m)
{
	return m->type == WIRE_TYPE_rule_run ? m->rule_run.deadline_ms :
					       m->hook_run.deadline_ms;
}

struct run *run_new(const struct message *m, int64_t now_ms)
{
	static uint8_t bytes[WIRE_PACKET_MAX];
	static uint64_t last_serial;
	int length = wire_encode(m, bytes, NULL);
	struct run *r = length < 0 ? NULL : calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->packet = malloc((size_t)length);
	if (!r->packet) {
		free(r);
		return NULL;
	}
	memcpy(r->packet, bytes, (size_t)length);
	r->length = (size_t)length;
	r->state = RUN_QUEUED;
	r->call = m->request;
	r->serial = ++last_serial;
	r->incarnation = m->incarnation;
	r->fd = r->pidfd = -1;
	r->rule = m->type == WIRE_TYPE_rule_run;
	r->limit_ms = deadline_of(m) > 0 ? deadline_of(m) : 1;
	if (r->limit_ms > 86400000)
		r->limit_ms = 86400000;
	r->deadline_ms = now_ms + r->limit_ms;
	set_title(r, m);
	return r;
}

void run_free(struct run *r)
{
	if (!r)
		return;
	list_remove(&r->node);
	if (r->bundle)
		r->bundle->runs--;
	if (r->pidfd >= 0) {
		syscall(SYS_pidfd_send_signal, r->pidfd, SIGKILL, NULL, 0);
		close(r->pidfd);
	}
	if (r->fd >= 0)
		close(r->fd);
	free(r->packet);
	free(r);
}

int run_start(struct run *r, struct bundle *b)
{
	struct message m;
	struct error err;
	int pair[2];

	if (wire_decode(r->packet, r->length, &m, &err) < 0)
		check_fail("", __FILE__, __LINE__, "packet", "%s", err.text);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
		log_error("%s: socketpair: %s", r->title, strerror(errno));
		return -1;
	}
	m.request = r->serial;
	if (r->rule)
		m.rule_run.deadline_ms = r->limit_ms;
	else
		m.hook_run.deadline_ms = r->limit_ms;
	m.fds[0] = pair[1];
	m.fd_count = 1;
	int rc = wire_send(b->fd, &m, &err);
	close(pair[1]);
	if (rc != 1) {
		close(pair[0]);
		return -1;
	}
	fcntl(pair[0], F_SETFL, O_NONBLOCK);
	r->fd = pair[0];
	r->bundle = b;
	b->runs++;
	r->state = RUN_STARTING;
	return 0;
}

static void pass_on(const struct run *r, struct outbox *out, struct message *m)
{
	struct error err;

	m->request = r->call;
	m->incarnation = r->incarnation;
	m->fd_count = 0;
	if (outbox_send(out, m, &err) < 0)
		log_error("%s: %s", r->title, err.text);
}

void run_lose(const struct run *r, struct outbox *out, const char *text)
{
	struct message m = { .type = WIRE_TYPE_hook_lost };
	char line[512];

	snprintf(line, sizeof(line), "%s %s", r->title, text);
	if (r->rule) {
		m.type = WIRE_TYPE_rule_done;
		m.rule_done = (struct wire_rule_done){
			.serve = -1, .spare = -1, .text = slice_of(line) };
	} else {
		m.hook_lost.text = slice_of(line);
	}
	pass_on(r, out, &m);
}

static void describe(struct run *r, const struct wire_hook_step *s)
{
	char name[96];
	/* argv ends its words with NUL: the first one is a C string. */
	const char *word = s->argv.length &&
			   !s->argv.ptr[s->argv.length - 1] ? s->argv.ptr : "";

	switch ((enum wire_step)s->verb) {
	case WIRE_STEP_EXEC:
	case WIRE_STEP_CONFIRM:
		text_display(name, sizeof(name), word, strlen(word));
		snprintf(r->what, sizeof(r->what), "%s %s",
			 s->verb == WIRE_STEP_EXEC ? "exec" : "confirm", name);
		break;
	case WIRE_STEP_WRITE:
		text_display(name, sizeof(name), s->path.ptr, s->path.length);
		snprintf(r->what, sizeof(r->what), "write %s", name);
		break;
	case WIRE_STEP_TCP:
		snprintf(r->what, sizeof(r->what), "port %u", s->port);
		break;
	case WIRE_STEP_SLEEP:
		TEXT_SET(r->what, "a sleep");
		break;
	case WIRE_STEP_SIGN:
		TEXT_SET(r->what, "the signing of a host key");
		break;
	case WIRE_STEP_LOG:
		break;
	}
}

/* Passes a step on; false when the child does not keep the protocol. */
static bool take_step(struct run *r, struct outbox *out, struct message *m)
{
	struct wire_hook_step *s = &m->hook_step;

	if (s->step != r->steps + 1 || r->open || s->verb < WIRE_STEP_EXEC ||
	    s->verb > WIRE_STEP_SIGN)
		return false;
	r->steps = s->step;
	if (s->verb == WIRE_STEP_LOG) {
		if (++r->logs > RULES_LOGS_MAX)
			return true;
		if (r->logs == RULES_LOGS_MAX)
			s->path = SLICE("further lines of this hook are dropped");
	} else {
		r->open = s->step;
		describe(r, s);
	}
	pass_on(r, out, m);
	return true;
}

/* Past the deadline: where it stood, if it could tell. */
static void lose_late(const struct run *r, struct outbox *out,
		      const char *where)
{
	char text[400], limit[16];

	text_duration(limit, sizeof(limit), r->limit_ms);
	if (r->state == RUN_QUEUED)
		snprintf(text, sizeof(text), "found no free place within %s: %d "
			 "hooks and rules run already", limit, RULES_HOOKS_MAX);
	else if (r->state == RUN_STARTING)
		snprintf(text, sizeof(text), "was not started within %s", limit);
	else if (r->open)
		snprintf(text, sizeof(text), "did not finish within %s; it "
			 "waited for %s", limit, r->what);
	else
		snprintf(text, sizeof(text), "did not finish within %s; it was "
			 "computing%s%.300s", limit, *where ? " at " : "", where);
	run_lose(r, out, text);
}

bool run_receive(struct run *r, struct outbox *out)
{
	static struct wire_buffer buffer;
	struct message m;
	struct error err;
	int rc = wire_receive(r->fd, &buffer, &m, &err);

	if (rc == 0)
		return true;
	if (rc < 0) {
		if (r->state == RUN_LATE)
			lose_late(r, out, "");
		else
			run_lose(r, out, "ended without an answer: its process "
				 "died");
		return false;
	}
	wire_close_fds(&m);
	if (m.type == WIRE_TYPE_hook_done && r->state == RUN_LATE) {
		char where[300];

		text_display(where, sizeof(where), m.hook_done.text.ptr,
			     m.hook_done.text.length);
		lose_late(r, out, where);
		return false;
	}
	if (m.type == (r->rule ? WIRE_TYPE_rule_done : WIRE_TYPE_hook_done) &&
	    !r->open) {
		pass_on(r, out, &m);
		return false;
	}
	if (!r->rule && m.type == WIRE_TYPE_hook_step && take_step(r, out, &m))
		return true;
	run_lose(r, out, "was ended: its process broke the protocol");
	return false;
}

void run_result(struct run *r, const struct message *m)
{
	struct message copy = *m;
	struct error err = { "its socket is full" };

	/* 0: the engine names the call only, which is never used twice. */
	if (!r->open || m->step_result.step != r->open ||
	    (m->incarnation && m->incarnation != r->incarnation))
		return;
	r->open = 0;
	copy.fd_count = 0;
	/* A child that died meanwhile is seen by run_receive. */
	if (wire_send(r->fd, &copy, &err) != 1)
		log_info("%s: step %llu: %s", r->title,
			 (unsigned long long)m->step_result.step, err.text);
}

bool run_late(struct run *r, struct outbox *out)
{
	if (r->state == RUN_RUNNING && !r->open) {
		r->state = RUN_LATE;
		r->deadline_ms += RULES_GRACE_MS;
		syscall(SYS_pidfd_send_signal, r->pidfd, SIGUSR1, NULL, 0);
		return true;
	}
	lose_late(r, out, "");
	return false;
}
