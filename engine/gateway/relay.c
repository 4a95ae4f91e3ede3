/*
 * Moving bytes; see relay.h.  Owner: the gateway's loop.
 *
 * Small traffic is copied through one buffer of the process: a 64-byte
 * question costs one recv and one send.  When a read comes back full, raw to
 * raw goes on by splice through a lent pipe, until it runs dry.  A pump takes
 * a bounded number of rounds, so that one fast session does not hold up the
 * others; what is left runs again after the next look at epoll.
 *
 * Not guaranteed: bytes counted were taken from their sender; when the
 * receiver breaks, up to one buffer of them may not have reached it.
 */
#include "engine/gateway/relay.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/gateway/internal.h"

enum { ROUNDS = 8 };

void relay_start(struct gateway *g, struct relay *r, struct end *asked,
		 struct end *serving, const struct relay_ops *ops)
{
	*r = (struct relay){
		.end = { asked, serving },
		.moved_ms = g->poll.now_ms, .running = true, .ops = ops,
	};
}

void relay_stop(struct relay *r)
{
	r->running = false;
	list_remove(&r->run);
}

static void pass(struct gateway *g, struct relay *r, int i, const uint8_t *bytes,
		 size_t n)
{
	if (!n || r->way[i] != RELAY_PASS)
		return;
	r->bytes[i] += n;
	r->moved_ms = g->poll.now_ms;
	end_put(g, r->end[!i], bytes, n);
}

void relay_give(struct gateway *g, struct relay *r, int from,
		const uint8_t *bytes, size_t n)
{
	pass(g, r, from, bytes, n);
}

void relay_feed(struct gateway *g, struct relay *r, int from)
{
	struct end *e = r->end[from];
	size_t n = e->in ? e->in->end - e->in->start : 0;

	if (!n || e->framed)
		return;
	pass(g, r, from, e->in->bytes + e->in->start, n);
	end_consume(g, e, n);
}

static void take_bytes(struct gateway *g, struct relay *r, int i)
{
	uint8_t *buffer = g->stores.scratch;

	pass(g, r, i, buffer, end_receive(r->end[i], buffer, END_READ_MAX));
}

/* Between two raw ends; false when no tube is to be had. */
static bool take_spliced(struct gateway *g, struct relay *r, int i)
{
	struct end *from = r->end[i], *to = r->end[!i];
	struct tube *t = tube_take(&g->stores);
	ssize_t n;

	if (!t)
		return false;
	do
		n = splice(from->watch.fd, NULL, t->write_fd, NULL, TUBE_SIZE,
			   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
	while (n < 0 && errno == EINTR);
	if (n <= 0) {
		tube_give(&g->stores, t, true);
		from->bulk = false;
		if (n == 0)
			from->in_ended = true;
		else if (errno == EAGAIN)
			from->readable = false;
		else if (errno == EINVAL)
			return false;
		else
			from->error = errno;
		return true;
	}
	r->bytes[i] += (uint64_t)n;
	r->moved_ms = g->poll.now_ms;
	if (n < END_READ_MAX / 4)
		from->bulk = false;
	to->tube = t;
	to->piped = (size_t)n;
	end_flush(g, to);
	return true;
}

/* State of one reading of frames. */
struct reading {
	uint8_t *buffer;
	size_t have, at;
	size_t kept;	/* payload moved to the buffer's front, not passed yet */
};

static void pass_kept(struct gateway *g, struct relay *r, int i,
		      struct reading *in)
{
	pass(g, r, i, in->buffer, in->kept);
	in->kept = 0;
}

static void take_payload(struct end *from, struct reading *in)
{
	size_t n = in->have - in->at;

	if (n > from->data_left)
		n = from->data_left;
	memmove(in->buffer + in->kept, in->buffer + in->at, n);
	in->kept += n;
	in->at += n;
	from->data_left -= (uint32_t)n;
	if (!from->data_left && from->data_end)
		from->in_ended = true;
}

/* Steps over the header of a DATA frame. */
static void begin_data(struct end *from, const struct native_header *h,
		       struct reading *in)
{
	in->at += NATIVE_HEADER_SIZE;
	from->data_left = h->length;
	from->data_end = h->flags & NATIVE_END;
	if (!h->length && from->data_end)
		from->in_ended = true;
}

/* One frame, or a part of DATA.  False: no more can be done with what is
 * here. */
static bool take_frame(struct gateway *g, struct relay *r, int i,
		       struct reading *in)
{
	struct end *from = r->end[i];
	struct native_header h;
	const uint8_t *at = in->buffer + in->at;

	if (in->at == in->have)
		return false;
	if (from->data_left) {
		take_payload(from, in);
		return true;
	}
	if (in->have - in->at < NATIVE_HEADER_SIZE)
		return false;
	if (native_get_header(at, &h) < 0)
		goto bad;
	if (h.type == NATIVE_DATA) {
		if (from->in_ended && r->way[i] == RELAY_PASS)
			goto bad;
		begin_data(from, &h, in);
		return true;
	}
	if (in->have - in->at < NATIVE_HEADER_SIZE + (size_t)h.length)
		return false;
	if (!native_payload_valid(at + NATIVE_HEADER_SIZE, h.length))
		goto bad;
	in->at += NATIVE_HEADER_SIZE + h.length;
	if (r->way[i] != RELAY_PASS)
		in->kept = 0;
	/* The payload stands behind the kept bytes: passing leaves it whole. */
	pass_kept(g, r, i, in);
	return r->ops->frame(g, r, i, &h, at + NATIVE_HEADER_SIZE) &&
	       r->running;
bad:
	from->error = EPROTO;
	return false;
}

static void take_frames(struct gateway *g, struct relay *r, int i)
{
	struct end *from = r->end[i];
	struct reading in = { .buffer = g->stores.scratch };

	if (from->in) {
		in.have = from->in->end - from->in->start;
		memcpy(in.buffer, from->in->bytes + from->in->start, in.have);
		end_consume(g, from, in.have);
	}
	from->in_fresh = false;
	if (from->readable && in.have < END_READ_MAX)
		in.have += end_receive(from, in.buffer + in.have,
				       END_READ_MAX - in.have);
	while (take_frame(g, r, i, &in))
		if (r->way[i] == RELAY_DROP)
			in.kept = 0;
	if (from->watch.fd < 0)
		return;
	if (r->running)
		pass_kept(g, r, i, &in);
	if (from->error != EPROTO && in.at < in.have)
		end_keep(g, from, in.buffer + in.at, in.have - in.at);
}

/* True when there is more to move from end i at once. */
static bool pump(struct gateway *g, struct relay *r, int i)
{
	struct end *from = r->end[i], *to = r->end[!i];
	bool passing = r->way[i] == RELAY_PASS;

	for (int round = 0;; round++) {
		if (passing && !end_flush(g, to))
			return false;
		if (from->error || (from->in_ended && !from->framed) ||
		    (!from->readable && !from->in_fresh))
			break;
		if (round == ROUNDS)
			return true;
		if (from->framed)
			take_frames(g, r, i);
		else if (!from->bulk || to->framed || to->tls || to->out_dead || !passing ||
			 !take_spliced(g, r, i))
			take_bytes(g, r, i);
		if (!r->running || r->way[i] == RELAY_OFF)
			return false;
		passing = r->way[i] == RELAY_PASS;
	}
	if ((from->in_ended || from->error) && !r->ended[i]) {
		r->ended[i] = true;
		r->moved_ms = g->poll.now_ms;
	}
	/* Both ended and raw: closing says it; no need for a shutdown. */
	if (passing && from->in_ended && !to->out_ended && end_idle(to)) {
		if (to->in_ended && !to->framed && !to->tls)
			to->out_ended = true;
		else
			end_finish(g, to);
	}
	return false;
}

void relay_pump(struct gateway *g, struct relay *r)
{
	bool more = false;

	list_remove(&r->run);
	for (int i = 0; i < 2; i++)
		if (!end_idle(r->end[i]))
			end_flush(g, r->end[i]);
	for (int i = 0; i < 2 && r->running; i++)
		if (r->way[i] != RELAY_OFF)
			more |= pump(g, r, i);
	if (!r->running)
		return;
	r->ops->settle(g, r);
	if (more && r->running && !list_linked(&r->run))
		list_add_tail(&g->run, &r->run);
}
