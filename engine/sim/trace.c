/*
 * The trace: every event, effect and saved row, field by field, into one hash
 * (FNV-1a, 64 bits) and on demand as lines for people.  Fields, never memory:
 * padding and pointers differ between compilers, histories must not.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "engine/sim/internal.h"

static void hash_byte(struct sim *s, unsigned char byte)
{
	s->result->hash = (s->result->hash ^ byte) * 1099511628211ull;
}

static void hash_number(struct sim *s, uint64_t n)
{
	for (int i = 0; i < 8; i++, n >>= 8)
		hash_byte(s, n & 0xff);
}

static void number(struct sim *s, const char *name, uint64_t n)
{
	hash_number(s, n);
	if (s->trace && n)
		fprintf(s->trace, " %s %" PRIu64, name, n);
}

static void text(struct sim *s, const char *name, struct slice t)
{
	for (uint32_t i = 0; i < t.length; i++)
		hash_byte(s, (unsigned char)t.ptr[i]);
	hash_number(s, t.length);
	if (s->trace && t.length)
		fprintf(s->trace, " %s \"%.*s\"", name,
			(int)t.length - (t.ptr[t.length - 1] == '\n'), t.ptr);
}

static void line(struct sim *s, const char *mark, const char *what)
{
	if (s->trace)
		fprintf(s->trace, "%10" PRId64 " %s %s", s->now_ms, mark, what);
}

static void end_line(struct sim *s)
{
	if (s->trace)
		fprintf(s->trace, "\n");
}

void trace_note(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->trace)
		return;
	line(s, "   --", "");
	va_start(ap, fmt);
	vfprintf(s->trace, fmt, ap);
	va_end(ap);
	end_line(s);
}

/* ---- events ----------------------------------------------------------------- */

static void of_command(struct sim *s, const struct event *ev)
{
	number(s, "verb", ev->command.verb);
	text(s, "name", ev->command.name);
	number(s, "session", ev->command.session);
	number(s, "serve", (uint64_t)(ev->command.serve + 1));
	number(s, "spare", (uint64_t)(ev->command.spare + 1));
	number(s, "max", (uint64_t)(ev->command.max + 1));
	number(s, "dry", ev->command.dry_run);
}

static void of_call(struct sim *s, const struct event *ev)
{
	number(s, "call", ev->done.call);
	number(s, "result", ev->done.result);
	number(s, "code", (uint64_t)ev->done.code);
	number(s, "fd", ev->done.has_fd);
	number(s, "evidence", ev->done.evidence);
	text(s, "out", ev->done.out);
	text(s, "text", ev->done.text);
}

static void of_domain(struct sim *s, const struct event *ev)
{
	text(s, "host", ev->domain.host);
	number(s, "poll", ev->domain.poll);
	text(s, "name", ev->domain.name);
	number(s, "machine", ev->domain.machine);
	number(s, "incarnation", ev->domain.incarnation);
	number(s, "state", ev->domain.state);
	number(s, "ours", ev->domain.ours);
}

static void of_step(struct sim *s, const struct event *ev)
{
	number(s, "call", ev->step.call);
	number(s, "step", ev->step.step);
	number(s, "verb", ev->step.verb);
	text(s, "argv", ev->step.argv);
}

static void of_held(struct sim *s, const struct event *ev)
{
	number(s, "gateway", ev->held.gateway);
	number(s, "conn", ev->held.conn);
	number(s, "session", ev->held.session);
	number(s, "machine", ev->held.machine);
	number(s, "flowing", ev->held.flowing);
}

static void of_request(struct sim *s, const struct event *ev)
{
	number(s, "gateway", ev->request.gateway);
	number(s, "conn", ev->request.conn);
	text(s, "user", ev->request.user);
	text(s, "wants", ev->request.application);
	text(s, "at", ev->request.listener);
	text(s, "key", ev->request.key);
	text(s, "token", ev->request.token);
	number(s, "count", ev->request.count);
	number(s, "wait", (uint64_t)(ev->request.wait_ms + 1));
	hash_number(s, ev->request.nonce);
}

static void of_session(struct sim *s, const struct event *ev)
{
	number(s, "gateway", ev->session.gateway);
	number(s, "session", ev->session.session);
	number(s, "machine", ev->session.machine);
	number(s, "incarnation", ev->session.incarnation);
	number(s, "how", ev->session.how);
	number(s, "touched", ev->session.touched);
	number(s, "drained", ev->session.drained);
	number(s, "confirm", ev->session.confirm);
	number(s, "in", ev->session.bytes_in);
}

static void of_event(struct sim *s, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_COMMAND:
		of_command(s, ev);
		break;
	case EVENT_HOST_STATE:
	case EVENT_HOST_LOST:
		text(s, "host", ev->host.host);
		number(s, "up", ev->host.up);
		break;
	case EVENT_CALL_DONE:
		of_call(s, ev);
		break;
	case EVENT_DOMAIN_SEEN:
		of_domain(s, ev);
		break;
	case EVENT_DOMAIN_HINT:
		text(s, "uuid", ev->hint.uuid);
		number(s, "hint", ev->hint.hint);
		break;
	case EVENT_HOOK_STEP:
		of_step(s, ev);
		break;
	case EVENT_HOOK_DONE:
	case EVENT_HOOK_LOST:
		number(s, "call", ev->hook.call);
		number(s, "ok", ev->hook.ok);
		text(s, "text", ev->hook.text);
		break;
	case EVENT_GATEWAY_UP:
	case EVENT_GATEWAY_READY:
	case EVENT_GATEWAY_LOST:
		number(s, "gateway", ev->gateway.index);
		number(s, "fresh", ev->gateway.fresh);
		break;
	case EVENT_GATEWAY_SESSION:
		of_held(s, ev);
		break;
	case EVENT_REQUEST:
	case EVENT_REFUSED:
	case EVENT_CANCEL:
		of_request(s, ev);
		break;
	case EVENT_CLAIM:
		number(s, "gateway", ev->claim.gateway);
		number(s, "conn", ev->claim.conn);
		text(s, "ticket", ev->claim.hash);
		break;
	case EVENT_ACCEPTED:
	case EVENT_FAILED:
	case EVENT_ENDED:
	case EVENT_BYTES:
	case EVENT_EXTEND:
		of_session(s, ev);
		break;
	case EVENT_RESOURCE_USED:
	case EVENT_RESOURCE_LOST:
	case EVENT_RESOURCE_OPENED:
	case EVENT_RESOURCE_CLOSED:
	case EVENT_RESOURCE_HELD:
		number(s, "machine", ev->resource.machine);
		number(s, "session", ev->resource.session);
		number(s, "exchange", ev->resource.exchange);
		break;
	case EVENT_VOLUME_MADE:
		text(s, "name", ev->volume.name);
		number(s, "inode", ev->volume.inode);
		break;
	case EVENT_NOTICE:
		text(s, "text", ev->notice.text);
		break;
	case EVENT_NODE_STATE:
	case EVENT_NODE_COUNT:
	case EVENT_NODE_CUT:
	case EVENT_CLUSTER_COUNT:
	case EVENT_STATS:
	case EVENT_RULE_DONE:
	case EVENT_VIP:
	case EVENT_TICK:
	case EVENT_SITE:
	case EVENT_RULES_LOST:
	case EVENT_KINDS:
		break;
	}
}

void trace_event(struct sim *s, const struct event *ev)
{
	line(s, ">", event_name(ev->kind));
	hash_number(s, ev->kind);
	hash_number(s, (uint64_t)ev->now_ms);
	hash_number(s, (uint64_t)ev->wall_ms);
	of_event(s, ev);
	end_line(s);
}

/* ---- effects and rows --------------------------------------------------------- */

void trace_effect(struct sim *s, const struct effect *e)
{
	line(s, "   ", effect_name(e->kind));
	hash_number(s, e->kind);
	if (e->kind == EFFECT_SAVE_EVENT) {
		text(s, "kind", slice_of(e->row->event.kind));
		text(s, "of", slice_of(e->row->event.object));
		text(s, "text", slice_of(e->row->event.text));
	}
	if (e->kind == EFFECT_SAVE_VOLUME || e->kind == EFFECT_VOLUME_DELETE) {
		text(s, "volume", slice_of(e->row->volume.name));
		number(s, "inode", e->row->volume.inode);
	}
	number(s, "gateway", e->gateway);
	number(s, "conn", e->conn);
	number(s, "machine", e->machine);
	number(s, "incarnation", e->incarnation);
	number(s, "session", e->session);
	number(s, "call", e->call);
	number(s, "hook", e->hook);
	number(s, "step", e->step);
	number(s, "ms", (uint64_t)e->ms);
	number(s, "ok", e->ok);
	text(s, "resource", e->resource);
	text(s, "input", e->input);
	text(s, "word", e->word);
	text(s, "text", e->text);
	end_line(s);
}

void trace_machine(struct sim *s, const struct machine_row *row)
{
	line(s, "   ", "saved machine");
	text(s, "name", slice_of(row->name));
	number(s, "id", row->id);
	number(s, "incarnation", row->incarnation);
	number(s, "built", row->built);
	text(s, "state", slice_of(sm_name(&machine_table, row->state)));
	number(s, "wish", (uint64_t)row->wish);
	number(s, "dirty", row->dirty);
	number(s, "session", row->session);
	number(s, "failures", row->failures);
	text(s, "reason", slice_of(row->reason));
	end_line(s);
}

void trace_session(struct sim *s, const struct session_row *row)
{
	line(s, "   ", "saved session");
	number(s, "id", row->id);
	number(s, "machine", row->machine);
	number(s, "incarnation", row->incarnation);
	text(s, "state", slice_of(sm_name(&session_table, row->state)));
	text(s, "user", slice_of(row->user));
	number(s, "in", row->bytes_in);
	hash_number(s, (uint64_t)row->clean_ms);
	text(s, "end", slice_of(row->end_text));
	end_line(s);
}
