/*
 * The trace: every event, effect and saved row, field by field, into one hash
 * (FNV-1a, 64 bits) and on demand as lines for people.  Fields, never memory:
 * padding and pointers differ between compilers, histories must not.
 */
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#include "engine/sim/internal.h"

static void hash_u64(struct sim *s, uint64_t n)
{
	uint64_t h = s->result->hash;

	for (int i = 0; i < 8; i++, n >>= 8)
		h = (h ^ (n & 0xff)) * 1099511628211ull;
	s->result->hash = h;
}

static void hash_slice(struct sim *s, struct slice t)
{
	uint64_t h = s->result->hash;

	for (uint32_t i = 0; i < t.length; i++)
		h = (h ^ (unsigned char)t.ptr[i]) * 1099511628211ull;
	s->result->hash = h;
	hash_u64(s, t.length);
}

void trace_note(struct sim *s, const char *fmt, ...)
{
	va_list ap;

	if (!s->trace)
		return;
	fprintf(s->trace, "%10" PRId64 "    -- ", s->now_ms);
	va_start(ap, fmt);
	vfprintf(s->trace, fmt, ap);
	va_end(ap);
	fprintf(s->trace, "\n");
}

#define TEXT(slice) (int)(slice).length, (slice).ptr ? (slice).ptr : ""

static void print_event(struct sim *s, const struct event *ev)
{
	fprintf(s->trace, "%10" PRId64 " > %s", ev->now_ms, event_name(ev->kind));
	switch (ev->kind) {
	case EVENT_COMMAND:
		fprintf(s->trace, " verb %d %.*s session %" PRIu64 " %" PRId64
			" %" PRId64 " %" PRId64, (int)ev->command.verb,
			TEXT(ev->command.name), ev->command.session,
			ev->command.serve, ev->command.spare, ev->command.max);
		break;
	case EVENT_HOST_STATE:
	case EVENT_HOST_LOST:
		fprintf(s->trace, " %.*s up %d", TEXT(ev->host.host), ev->host.up);
		break;
	case EVENT_CALL_DONE:
		fprintf(s->trace, " call %" PRIx64 " result %d code %" PRId64
			" fd %d \"%.*s\" %.*s", ev->done.call,
			(int)ev->done.result, ev->done.code, ev->done.has_fd,
			TEXT(ev->done.out), TEXT(ev->done.text));
		break;
	case EVENT_DOMAIN_SEEN:
		fprintf(s->trace, " %.*s poll %" PRIu64 " %.*s machine %" PRIu64
			" incarnation %" PRIu64 " state %d ours %d",
			TEXT(ev->domain.host), ev->domain.poll,
			TEXT(ev->domain.name), ev->domain.machine,
			ev->domain.incarnation, (int)ev->domain.state,
			ev->domain.ours);
		break;
	case EVENT_DOMAIN_HINT:
		fprintf(s->trace, " %.*s hint %d", TEXT(ev->hint.uuid),
			(int)ev->hint.hint);
		break;
	case EVENT_HOOK_STEP:
		fprintf(s->trace, " call %" PRIx64 " step %" PRIu64
			" verb %d %.*s", ev->step.call, ev->step.step,
			(int)ev->step.verb, TEXT(ev->step.argv));
		break;
	case EVENT_HOOK_DONE:
	case EVENT_HOOK_LOST:
		fprintf(s->trace, " call %" PRIx64 " ok %d %.*s", ev->hook.call,
			ev->hook.ok, TEXT(ev->hook.text));
		break;
	case EVENT_GATEWAY_UP:
	case EVENT_GATEWAY_READY:
	case EVENT_GATEWAY_LOST:
		fprintf(s->trace, " %u fresh %d", ev->gateway.index,
			ev->gateway.fresh);
		break;
	case EVENT_GATEWAY_SESSION:
		fprintf(s->trace, " %u session %" PRIu64 " flowing %d",
			ev->held.gateway, ev->held.session, ev->held.flowing);
		break;
	case EVENT_REQUEST:
	case EVENT_REFUSED:
	case EVENT_CANCEL:
		fprintf(s->trace, " %u/%" PRIu64 " %.*s wants %.*s at %.*s key %.*s wait %" PRId64,
			ev->request.gateway, ev->request.conn,
			TEXT(ev->request.user), TEXT(ev->request.application),
			TEXT(ev->request.listener), TEXT(ev->request.key),
			ev->request.wait_ms);
		break;
	case EVENT_ACCEPTED:
	case EVENT_FAILED:
	case EVENT_ENDED:
	case EVENT_BYTES:
		fprintf(s->trace, " %u session %" PRIu64 " machine %" PRIu64
			" incarnation %" PRIu64 " how %d touched %d drained %d confirm %d",
			ev->session.gateway, ev->session.session,
			ev->session.machine, ev->session.incarnation,
			(int)ev->session.how, ev->session.touched,
			ev->session.drained, ev->session.confirm);
		break;
	case EVENT_RESOURCE_USED:
	case EVENT_RESOURCE_LOST:
		fprintf(s->trace, " machine %" PRIu64, ev->resource.machine);
		break;
	case EVENT_TICK:
	case EVENT_SITE:
	case EVENT_RULES_LOST:
	case EVENT_KINDS:
		break;
	}
	fprintf(s->trace, "\n");
}

static void hash_event(struct sim *s, const struct event *ev)
{
	switch (ev->kind) {
	case EVENT_COMMAND:
		hash_u64(s, ev->command.verb);
		hash_slice(s, ev->command.name);
		hash_u64(s, ev->command.session);
		hash_u64(s, (uint64_t)ev->command.serve);
		hash_u64(s, (uint64_t)ev->command.max);
		break;
	case EVENT_HOST_STATE:
	case EVENT_HOST_LOST:
		hash_slice(s, ev->host.host);
		hash_u64(s, ev->host.up);
		break;
	case EVENT_CALL_DONE:
		hash_u64(s, ev->done.call);
		hash_u64(s, ev->done.result);
		hash_slice(s, ev->done.out);
		hash_u64(s, ev->done.has_fd);
		break;
	case EVENT_DOMAIN_SEEN:
		hash_u64(s, ev->domain.machine);
		hash_u64(s, ev->domain.incarnation);
		hash_u64(s, ev->domain.state);
		break;
	case EVENT_DOMAIN_HINT:
		hash_slice(s, ev->hint.uuid);
		hash_u64(s, ev->hint.hint);
		break;
	case EVENT_HOOK_STEP:
		hash_u64(s, ev->step.call);
		hash_u64(s, ev->step.verb);
		break;
	case EVENT_HOOK_DONE:
	case EVENT_HOOK_LOST:
		hash_u64(s, ev->hook.call);
		hash_u64(s, ev->hook.ok);
		break;
	case EVENT_GATEWAY_UP:
	case EVENT_GATEWAY_READY:
	case EVENT_GATEWAY_LOST:
		hash_u64(s, ev->gateway.index);
		break;
	case EVENT_GATEWAY_SESSION:
		hash_u64(s, ev->held.session);
		break;
	case EVENT_REQUEST:
	case EVENT_REFUSED:
	case EVENT_CANCEL:
		hash_u64(s, ev->request.conn);
		hash_slice(s, ev->request.user);
		hash_slice(s, ev->request.application);
		hash_u64(s, ev->request.nonce);
		break;
	case EVENT_ACCEPTED:
	case EVENT_FAILED:
	case EVENT_ENDED:
	case EVENT_BYTES:
		hash_u64(s, ev->session.session);
		hash_u64(s, ev->session.how);
		hash_u64(s, ev->session.bytes_in);
		break;
	case EVENT_RESOURCE_USED:
	case EVENT_RESOURCE_LOST:
		hash_u64(s, ev->resource.machine);
		break;
	case EVENT_TICK:
	case EVENT_SITE:
	case EVENT_RULES_LOST:
	case EVENT_KINDS:
		break;
	}
}

void trace_event(struct sim *s, const struct event *ev)
{
	hash_u64(s, ev->kind);
	hash_u64(s, (uint64_t)ev->now_ms);
	hash_u64(s, (uint64_t)ev->wall_ms);
	hash_event(s, ev);
	if (s->trace)
		print_event(s, ev);
}

void trace_effect(struct sim *s, const struct effect *e)
{
	hash_u64(s, e->kind);
	hash_u64(s, e->gateway);
	hash_u64(s, e->machine);
	hash_u64(s, e->session);
	hash_u64(s, e->call);
	hash_u64(s, e->conn);
	hash_u64(s, e->incarnation);
	hash_u64(s, e->step);
	hash_u64(s, (uint64_t)e->ms);
	hash_u64(s, e->ok);
	hash_slice(s, e->resource);
	hash_slice(s, e->input);
	hash_slice(s, e->word);
	hash_slice(s, e->text);
	if (e->kind == EFFECT_SAVE_EVENT)
		hash_slice(s, slice_of(e->row->event.text));
	if (!s->trace)
		return;
	fprintf(s->trace, "%10" PRId64 "     %s", s->now_ms, effect_name(e->kind));
	if (e->kind == EFFECT_SAVE_EVENT)
		fprintf(s->trace, " %s %s: %s", e->row->event.kind,
			e->row->event.object, e->row->event.text);
	if (e->machine)
		fprintf(s->trace, " machine %" PRIu64, e->machine);
	if (e->session)
		fprintf(s->trace, " session %" PRIu64, e->session);
	if (e->conn)
		fprintf(s->trace, " to %u/%" PRIu64, e->gateway, e->conn);
	if (e->call)
		fprintf(s->trace, " call %" PRIx64, e->call);
	if (e->kind == EFFECT_HOOK_RUN)
		fprintf(s->trace, " hook %d", (int)e->hook);
	if (e->input.length)
		fprintf(s->trace, " input \"%.*s\"", TEXT(e->input));
	if (e->text.length)
		fprintf(s->trace, " \"%.*s\"", TEXT(e->text));
	fprintf(s->trace, "\n");
}

void trace_machine(struct sim *s, const struct machine_row *row)
{
	hash_u64(s, row->id);
	hash_u64(s, row->incarnation);
	hash_u64(s, row->built);
	hash_u64(s, (uint64_t)row->state);
	hash_u64(s, (uint64_t)row->wish);
	hash_u64(s, row->dirty);
	hash_u64(s, row->session);
	hash_u64(s, row->failures);
	hash_slice(s, slice_of(row->name));
	hash_slice(s, slice_of(row->reason));
}

void trace_session(struct sim *s, const struct session_row *row)
{
	hash_u64(s, row->id);
	hash_u64(s, row->machine);
	hash_u64(s, row->incarnation);
	hash_u64(s, (uint64_t)row->state);
	hash_u64(s, row->bytes_in);
	hash_u64(s, (uint64_t)row->clean_ms);
	hash_slice(s, slice_of(row->user));
	hash_slice(s, slice_of(row->end_text));
}
