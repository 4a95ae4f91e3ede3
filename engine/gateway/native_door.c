/*
 * The native door: what a client says before and after its bytes.
 *
 *     client                      gateway
 *     HELLO(version, user, secret)
 *                                 HELLO(version)
 *     ALLOCATE(application, ...)
 *                                 WAITING(place, wait)   as often as it changes
 *                                 ALLOCATED(session, machine, ...)
 *                                 ACCEPT                 the machine accepted
 *     DATA, END                   DATA, END
 *     DEALLOCATE [CONFIRM]
 *                                 CONFIRMED(session)     if asked for
 *
 * An ERROR(code, text) and a close take the place of any answer.  Everything
 * up to a complete ALLOCATE comes from a stranger: it must arrive within one
 * deadline, fits in one small buffer, and costs the engine nothing.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum {
	WAIT_MAX_MS = 24 * 3600 * 1000,	/* longest own wait */
	COUNT_MAX = 100,		/* machines of one request */
};
enum step { STEP_HELLO, STEP_ALLOCATE };	/* of opening.step */

static void begin_error(struct native_builder *b, const char *code,
			struct slice text)
{
	char said[512];

	text_copy_slice(said, sizeof(said), text);
	native_begin(b, NATIVE_ERROR, 0);
	native_put_text(b, NATIVE_TAG_CODE, code);
	native_put_text(b, NATIVE_TAG_TEXT, said);
}

void native_door_error(struct gateway *g, struct end *e, const char *code,
		  struct slice text, const uint64_t *nonce)
{
	struct native_builder b;

	begin_error(&b, code, text);
	if (nonce)
		native_put_u64(&b, NATIVE_TAG_NONCE, *nonce);
	/* When it does not fit, the other side reads nothing anyway. */
	end_put_frame(g, e, &b);
}

static void native_refuse(struct gateway *g, struct caller *c, const char *code,
			  struct slice text)
{
	struct native_builder b;

	begin_error(&b, code, text);
	if (c->taken)
		native_put_u64(&b, NATIVE_TAG_SESSION, c->taken);
	end_put_frame(g, &c->client, &b);
}

static void native_waiting(struct gateway *g, struct caller *c,
			   const struct wire_session_waiting *w)
{
	struct native_builder b;

	native_begin(&b, NATIVE_WAITING, 0);
	native_put_u64(&b, NATIVE_TAG_PLACE, w->place);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS,
		       w->left_ms > 0 ? (uint64_t)w->left_ms : 0);
	/* A client that does not read its place can do without it. */
	if (end_flush(g, &c->client))
		end_put_frame(g, &c->client, &b);
}

static void native_ticket(struct gateway *g, struct caller *c,
			  const struct message *m)
{
	const struct wire_session_ticket *t = &m->session_ticket;
	struct native_builder b;

	native_begin(&b, NATIVE_ALLOCATED, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, t->session);
	native_put_bytes(&b, NATIVE_TAG_MACHINE, t->machine_name.ptr,
			 t->machine_name.length);
	native_put_u64(&b, NATIVE_TAG_INCARNATION, m->incarnation);
	native_put_bytes(&b, NATIVE_TAG_USER, t->user.ptr, t->user.length);
	native_put_bytes(&b, NATIVE_TAG_APPLICATION, t->application.ptr,
			 t->application.length);
	native_put_bytes(&b, NATIVE_TAG_TICKET, t->ticket.ptr, t->ticket.length);
	native_put_u64(&b, NATIVE_TAG_WAIT_MS, (uint64_t)t->valid_ms);
	native_put_u64(&b, NATIVE_TAG_COUNT, t->left);
	/* What cannot be written now runs out by itself. */
	end_put_frame(g, &c->client, &b);
}

/* ALLOCATED and ACCEPT. */
static struct greeting *native_greeting(const struct caller *c,
					const struct message *m)
{
	const struct wire_session_assign *a = &m->session_assign;
	struct native_builder b;
	size_t n;

	native_begin(&b, NATIVE_ALLOCATED, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, caller_session(c));
	native_put_bytes(&b, NATIVE_TAG_MACHINE, a->machine_name.ptr,
			 a->machine_name.length);
	native_put_u64(&b, NATIVE_TAG_INCARNATION, m->incarnation);
	native_put_bytes(&b, NATIVE_TAG_USER, a->user.ptr, a->user.length);
	native_put_bytes(&b, NATIVE_TAG_APPLICATION, a->application.ptr,
			 a->application.length);
	n = native_finish(&b);
	native_put_header(b.bytes + n, NATIVE_ACCEPT, 0, 0);
	return door_greeting(b.bytes, n + NATIVE_HEADER_SIZE);
}

/* Reads an optional text; false when it is there but not acceptable. */
static bool optional_text(const uint8_t *p, size_t n, enum native_tag tag,
			  char *out, size_t size)
{
	const uint8_t *value;

	out[0] = '\0';
	return native_find(p, n, tag, &value) < 0 ||
	       native_get_text(p, n, tag, out, size) == 0;
}

static bool optional_u64(const uint8_t *p, size_t n, enum native_tag tag,
			 uint64_t *v)
{
	const uint8_t *value;

	return native_find(p, n, tag, &value) < 0 ||
	       native_get_u64(p, n, tag, v) == 0;
}

static const char *on_hello(struct gateway *g, struct caller *c, const uint8_t *p,
			    size_t n)
{
	struct native_builder b;
	struct asking *a;
	const uint8_t *secret;
	uint64_t version;
	int length;

	if (native_get_u64(p, n, NATIVE_TAG_VERSION, &version) < 0 || !version)
		return "HELLO without a version";
	a = door_asking(c);
	if (!optional_text(p, n, NATIVE_TAG_USER, a->user, sizeof(a->user)))
		return "the user's name is too long or has a NUL";
	length = native_find(p, n, NATIVE_TAG_SECRET, &secret);
	if (length > SECRET_MAX)
		return "the password is too long";
	if (length > 0 && c->listener->user_source == WIRE_USER_PASSWORD) {
		memcpy(a->secret, secret, (size_t)length);
		a->secret_length = (uint32_t)length;
	}
	c->opening->step = STEP_ALLOCATE;
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION,
		       version < NATIVE_VERSION ? version : NATIVE_VERSION);
	if (!end_put_frame(g, &c->client, &b))
		return "the answers are not read";
	return NULL;
}

/* NULL, or what is wrong; *code then names it. */
static const char *read_allocate(struct caller *c, const uint8_t *p, size_t n,
				 const char **code)
{
	struct asking *a = c->asking;
	uint64_t wait = UINT64_MAX, count = 1;
	const uint8_t *value;

	*code = "protocol";
	if (!optional_text(p, n, NATIVE_TAG_APPLICATION, a->application,
			   sizeof(a->application)) ||
	    (a->application[0] && !text_is_name(a->application))) {
		*code = "no_application";
		return "that is not the name of an application";
	}
	if (!a->application[0] && !c->listener->application[0]) {
		*code = "no_application";
		return "name an application: this listener has none of its own";
	}
	if (!optional_u64(p, n, NATIVE_TAG_WAIT_MS, &wait) ||
	    !optional_u64(p, n, NATIVE_TAG_COUNT, &count))
		return "a number in ALLOCATE is not 8 bytes wide";
	if (!optional_text(p, n, NATIVE_TAG_REQUEST_ID, a->request_id,
			   sizeof(a->request_id)))
		return "the request id is too long or has a NUL";
	a->tickets = count != 1 ||
		     native_find(p, n, NATIVE_TAG_TICKET, &value) >= 0;
	if (count < 1 || count > COUNT_MAX) {
		*code = "count";
		return "a request may be for 1 to 100 machines";
	}
	if (c->listener->user_source == WIRE_USER_PASSWORD &&
	    (!a->user[0] || !a->secret_length)) {
		*code = "denied";
		return "this listener wants a user and a password";
	}
	a->count = (uint32_t)count;
	a->wait_ms = wait == UINT64_MAX ? -1
		     : wait > WAIT_MAX_MS ? WAIT_MAX_MS : (int64_t)wait;
	return NULL;
}

/* CONNECT: a ticket says all there is to say. */
static const char *read_connect(struct caller *c, const uint8_t *p, size_t n)
{
	const uint8_t *value;
	int length = native_find(p, n, NATIVE_TAG_TICKET, &value);

	if (length <= 0 || length >= TICKET_MAX || memchr(value, 0, (size_t)length))
		return "CONNECT without a ticket";
	memcpy(c->asking->ticket, value, (size_t)length);
	c->asking->ticket[length] = '\0';
	return NULL;
}

/* NULL, or what is wrong with a stranger's frame; *code then names it. */
static const char *on_opening_frame(struct gateway *g, struct caller *c,
				    const struct native_header *h,
				    const uint8_t *p, const char **code)
{
	bool allocate = c->opening->step == STEP_ALLOCATE;

	*code = "protocol";
	if (h->type == NATIVE_HELLO && !allocate)
		return on_hello(g, c, p, h->length);
	if (h->type == NATIVE_ALLOCATE && allocate)
		return read_allocate(c, p, h->length, code);
	if (h->type == NATIVE_CONNECT && allocate)
		return read_connect(c, p, h->length);
	return allocate ? "ALLOCATE was expected" : "HELLO was expected";
}

static enum door_step native_read(struct gateway *g, struct caller *c)
{
	struct native_header h;
	const uint8_t *payload;
	const char *code = "protocol", *wrong = "malformed frame";
	int got = end_peek(&c->client, &h, &payload);

	if (got == 0)
		return DOOR_MORE;
	if (got > 0)
		wrong = on_opening_frame(g, c, &h, payload, &code);
	if (wrong) {
		c->listener->turned_away++;
		caller_refuse(g, c, code, slice_of(wrong));
		return DOOR_OVER;
	}
	end_consume(g, &c->client, NATIVE_HEADER_SIZE + h.length);
	return h.type == NATIVE_HELLO ? DOOR_AGAIN : DOOR_ASKED;
}

/* A frame while the engine decides.  False: it has to wait. */
static bool on_waiting_frame(struct gateway *g, struct caller *c,
			     const struct native_header *h)
{
	if (h->type == NATIVE_DATA)
		return false;
	if (h->type == NATIVE_DEALLOCATE)
		caller_cancel(g, c);
	else
		caller_refuse(g, c, "protocol",
			    SLICE("only DEALLOCATE makes sense while waiting"));
	return true;
}

static void native_wait(struct gateway *g, struct caller *c)
{
	struct end *e = &c->client;
	struct native_header h;
	const uint8_t *payload;
	int got = 0;

	end_flush(g, e);
	end_fill(g, e, CHUNK_SMALL);
	while (c->state == CALLER_REQUESTED &&
	       (got = end_peek(e, &h, &payload)) > 0)
		if (!on_waiting_frame(g, c, &h))
			break;
	if (c->state != CALLER_REQUESTED)
		return;
	if (got < 0)
		caller_refuse(g, c, "protocol", SLICE("malformed frame"));
	else if (e->in_ended || e->error || e->hangup)
		caller_cancel(g, c);
}

/* The client wants more time; the engine knows how much it may have. */
static bool on_extend(struct gateway *g, const struct caller *c,
		      const struct native_header *h, const uint8_t *payload)
{
	struct message m = {
		.type = WIRE_TYPE_session_extend,
		.incarnation = c->incarnation,
		.session_extend = { .session = c->session,
				    .machine = c->machine_id },
	};
	uint64_t ms;

	if (native_get_u64(payload, h->length, NATIVE_TAG_WAIT_MS, &ms) < 0)
		return false;
	m.session_extend.ms = ms > INT64_MAX / 2 ? INT64_MAX / 2 : (int64_t)ms;
	/* Asked of a busy or dead engine in vain: the client may ask again. */
	if (link_up(g) && !g->engine_full && list_empty(&g->queue))
		engine_link_send(g, &m, false);
	return true;
}

static bool on_client_frame(struct gateway *g, struct caller *c,
			    const struct native_header *h,
			    const uint8_t *payload)
{
	if (h->type == NATIVE_EXTEND && on_extend(g, c, h, payload))
		return true;
	if (h->type == NATIVE_DEALLOCATE) {
		c->deallocated = true;
		c->confirm = h->flags & NATIVE_CONFIRM;
		c->client.in_ended = true;
		/* What the machine still says is for nobody. */
		c->relay.way[0] = RELAY_OFF;
		c->relay.way[1] = RELAY_DROP;
		c->relay.moved_ms = g->poll.now_ms;
		return false;
	}
	c->client.error = h->type == NATIVE_ERROR ? ECONNABORTED : EPROTO;
	return false;
}

static bool on_guest_frame(struct caller *c, const struct native_header *h,
			   const uint8_t *payload)
{
	uint64_t session, nonce;

	if (native_get_u64(payload, h->length, NATIVE_TAG_SESSION, &session) < 0 ||
	    native_get_u64(payload, h->length, NATIVE_TAG_NONCE, &nonce) < 0)
		session = nonce = 0;
	bool ours = session == c->session && nonce == c->nonce;
	if (c->state == CALLER_DRAINING) {
		c->drained = h->type == NATIVE_CONFIRMED && ours;
		return !c->drained;
	}
	if (h->type == NATIVE_ERROR && ours) {
		if (native_get_text(payload, h->length, NATIVE_TAG_TEXT, c->why,
				    sizeof(c->why)) < 0)
			c->why[0] = '\0';
		c->machine.error = ECONNABORTED;
		return false;
	}
	c->machine.error = EPROTO;
	return false;
}

bool native_door_frame(struct gateway *g, struct relay *r, int from,
		  const struct native_header *h, const uint8_t *payload)
{
	struct caller *c = POLL_OWNER(r, struct caller, relay);

	return from == 0 ? on_client_frame(g, c, h, payload)
			 : on_guest_frame(c, h, payload);
}

const struct door door_native = {
	.name = "native",
	.alpn = "remuda",
	.framed = true,
	.read = native_read,
	.wait = native_wait,
	.waiting = native_waiting,
	.greeting = native_greeting,
	.refuse = native_refuse,
	.ticket = native_ticket,
};
