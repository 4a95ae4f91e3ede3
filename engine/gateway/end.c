/*
 * Ends, and the chunks and tubes they borrow; see end.h.
 *
 * A chunk is borrowed only while bytes wait, so ten thousand quiet sessions
 * cost no buffers; free ones are kept in short lists to spare the allocator.
 */
#include "engine/gateway/end.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/gateway/internal.h"

static struct chunk *chunk_new(uint32_t size)
{
	struct chunk *c = malloc(sizeof(*c) + size);

	CHECK("", c, "out of memory");
	*c = (struct chunk){ .size = size };
	return c;
}

struct chunk *chunk_take(struct stores *s, size_t need)
{
	bool small = need <= CHUNK_SMALL;
	struct chunk **list = small ? &s->small : &s->big;
	struct chunk *c = *list;

	CHECK("S18", need <= CHUNK_BIG);
	if (!c)
		return chunk_new(small ? CHUNK_SMALL : CHUNK_BIG);
	*list = c->next;
	(*(small ? &s->small_count : &s->big_count))--;
	c->start = c->end = 0;
	c->next = NULL;
	return c;
}

void chunk_give(struct stores *s, struct chunk *c)
{
	bool small;
	uint32_t *count;

	if (!c)
		return;
	small = c->size == CHUNK_SMALL;
	count = small ? &s->small_count : &s->big_count;
	if (*count >= CHUNKS_KEPT ||
	    (c->size != CHUNK_SMALL && c->size != CHUNK_BIG)) {
		free(c);
		return;
	}
	struct chunk **list = small ? &s->small : &s->big;
	c->next = *list;
	*list = c;
	(*count)++;
}

struct tube *tube_take(struct stores *s)
{
	struct tube *t = s->tubes;
	int fds[2];

	if (t) {
		s->tubes = t->next;
		s->tube_count--;
		return t;
	}
	if (s->tubes_made >= TUBES_MAX || pipe2(fds, O_NONBLOCK | O_CLOEXEC) < 0)
		return NULL;
	t = malloc(sizeof(*t));
	CHECK("", t, "out of memory");
	*t = (struct tube){ .read_fd = fds[0], .write_fd = fds[1] };
	/* Refused past the user's pipe limit: then it is just smaller. */
	(void)fcntl(fds[1], F_SETPIPE_SZ, TUBE_SIZE);
	s->tubes_made++;
	return t;
}

static void tube_free(struct stores *s, struct tube *t)
{
	close(t->read_fd);
	close(t->write_fd);
	free(t);
	s->tubes_made--;
}

void tube_give(struct stores *s, struct tube *t, bool empty)
{
	/* Bytes left inside belong to somebody: never to be lent again (S8). */
	if (!empty || s->tube_count >= TUBES_KEPT) {
		tube_free(s, t);
		return;
	}
	t->next = s->tubes;
	s->tubes = t;
	s->tube_count++;
}

void stores_fini(struct stores *s)
{
	while (s->small || s->big) {
		struct chunk **list = s->small ? &s->small : &s->big;
		struct chunk *c = *list;

		*list = c->next;
		free(c);
	}
	while (s->tubes) {
		struct tube *t = s->tubes;

		s->tubes = t->next;
		tube_free(s, t);
	}
	s->small_count = s->big_count = s->tube_count = 0;
}

int end_open(struct gateway *g, struct end *e, int fd, bool framed, bool foreign,
	     void (*ready)(struct gateway *g, struct watch *w, uint32_t events))
{
	*e = (struct end){
		.watch = { .fd = fd, .foreign = foreign, .ready = ready },
		.framed = framed, .writable = true,
	};
	if (foreign) {
		int flags = fcntl(fd, F_GETFL);

		if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0)
			goto fail;
	}
	if (watch_arm(&g->poll, &e->watch,
		      EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) == 0)
		return 0;
fail:
	close(fd);
	e->watch.fd = -1;
	return -1;
}

void end_note(struct end *e, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->readable = true;
	if (events & (EPOLLOUT | EPOLLHUP | EPOLLERR))
		e->writable = true;
	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->hangup = true;
	if (!e->tls)
		return;
	/* Either direction of TLS may have waited for the other of the socket. */
	e->readable = e->writable = true;
	if (e->shut_due)
		end_shut(e);
}

void end_note_error(struct end *e, uint32_t events)
{
	int error = 0;
	socklen_t length = sizeof(error);

	if (!(events & EPOLLERR) || e->error)
		return;
	getsockopt(e->watch.fd, SOL_SOCKET, SO_ERROR, &error, &length);
	e->error = error;
}

ssize_t end_recv(struct end *e, void *out, size_t size)
{
	return e->tls ? tls_recv(e->tls, out, size) :
			recv(e->watch.fd, out, size, MSG_DONTWAIT);
}

ssize_t end_send(struct end *e, const void *bytes, size_t size)
{
	return e->tls ? tls_send(e->tls, bytes, size) :
			send(e->watch.fd, bytes, size,
			     MSG_NOSIGNAL | MSG_DONTWAIT);
}

size_t end_receive(struct end *e, uint8_t *buffer, size_t size)
{
	ssize_t n;

	do
		n = end_recv(e, buffer, size);
	while (n < 0 && errno == EINTR);
	e->bulk = n == (ssize_t)size && !e->tls;
	if (n < 0 && errno == EAGAIN) {
		e->readable = false;
	} else if (n < 0) {
		e->error = errno;
	} else if (n == 0) {
		/* Frames end with END: a bare FIN cuts the stream short. */
		if (e->framed)
			e->error = EPIPE;
		else
			e->in_ended = true;
	} else if ((size_t)n < size && !e->hangup && !e->tls) {
		e->readable = false;
	}
	return n > 0 ? (size_t)n : 0;
}

int end_shut(struct end *e)
{
	e->shut_due = e->tls && !tls_shutdown(e->tls);
	return e->shut_due ? 0 : shutdown(e->watch.fd, SHUT_WR);
}

static void drop_waiting(struct stores *s, struct end *e)
{
	chunk_give(s, e->out);
	e->out = NULL;
	if (e->tube)
		tube_give(s, e->tube, e->piped == 0);
	e->tube = NULL;
	e->piped = 0;
}

void end_close(struct gateway *g, struct end *e, bool abort)
{
	static const struct linger now = { .l_onoff = 1 };

	if (e->watch.fd < 0)
		return;
	drop_waiting(&g->stores, e);
	if (e->in)
		explicit_bzero(e->in->bytes, e->in->end);
	chunk_give(&g->stores, e->in);
	e->in = NULL;
	if (abort && e->tcp)
		setsockopt(e->watch.fd, SOL_SOCKET, SO_LINGER, &now,
			   sizeof(now));
	if (e->tls && !abort && !e->out_ended && !e->error)
		tls_shutdown(e->tls);
	tls_free(e->tls);
	e->tls = NULL;
	watch_close(&g->poll, &e->watch);
}

static void write_failed(struct gateway *g, struct end *e)
{
	e->out_dead = true;
	e->out_error = errno;
	drop_waiting(&g->stores, e);
}

static bool flush_chunk(struct gateway *g, struct end *e)
{
	struct chunk *c = e->out;

	while (c->start < c->end) {
		ssize_t n = end_send(e, c->bytes + c->start, c->end - c->start);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			e->writable = false;
			return false;
		}
		if (n < 0) {
			write_failed(g, e);
			return true;
		}
		c->start += (uint32_t)n;
	}
	chunk_give(&g->stores, c);
	e->out = NULL;
	return true;
}

static bool flush_tube(struct gateway *g, struct end *e)
{
	while (e->piped) {
		ssize_t n = splice(e->tube->read_fd, NULL, e->watch.fd, NULL,
				   e->piped,
				   SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			e->writable = false;
			return false;
		}
		if (n <= 0) {
			write_failed(g, e);
			return true;
		}
		e->piped -= (size_t)n;
	}
	tube_give(&g->stores, e->tube, true);
	e->tube = NULL;
	return true;
}

bool end_flush(struct gateway *g, struct end *e)
{
	if (end_idle(e))
		return true;
	if (!e->writable)
		return false;
	if (e->out && !flush_chunk(g, e))
		return false;
	return !e->tube || flush_tube(g, e);
}

/* Queues what a write left behind. */
static bool append(struct gateway *g, struct end *e, const void *bytes, size_t n)
{
	struct chunk *c = e->out;

	if (!n)
		return true;
	if (!c) {
		c = e->out = chunk_take(&g->stores, n);
	} else if (c->size - c->end < n && c->size < CHUNK_BIG) {
		struct chunk *big = chunk_take(&g->stores, CHUNK_BIG);

		big->end = c->end - c->start;
		memcpy(big->bytes, c->bytes + c->start, big->end);
		chunk_give(&g->stores, c);
		c = e->out = big;
	}
	if (c->size - c->end < n)
		return false;
	memcpy(c->bytes + c->end, bytes, n);
	c->end += (uint32_t)n;
	return true;
}

/* Sends two pieces; returns how much went, all when the end is dead. */
static size_t send_pieces(struct gateway *g, struct end *e, const void *a,
			  size_t a_size, const void *b, size_t b_size)
{
	struct iovec iov[2] = {
		{ (void *)(uintptr_t)a, a_size },
		{ (void *)(uintptr_t)b, b_size },
	};
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = 2 };
	ssize_t n;

	if (a_size && e->tls) {
		size_t head = send_pieces(g, e, NULL, 0, a, a_size);

		return head < a_size || e->out_dead || !b_size ? head :
		       head + send_pieces(g, e, NULL, 0, b, b_size);
	}
	do
		n = a_size ? sendmsg(e->watch.fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT)
			   : end_send(e, b, b_size);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN) {
		e->writable = false;
		return 0;
	}
	if (n < 0) {
		write_failed(g, e);
		return a_size + b_size;
	}
	if ((size_t)n < a_size + b_size)
		e->writable = false;
	return (size_t)n;
}

void end_put(struct gateway *g, struct end *e, const void *bytes, size_t n)
{
	uint8_t header[NATIVE_HEADER_SIZE] = { 0 };
	size_t header_size = 0, sent = 0;

	if (e->out_dead || !n)
		return;
	CHECK("S8", !e->piped && !e->out_ended);
	if (e->framed) {
		native_put_header(header, NATIVE_DATA, 0, (uint32_t)n);
		header_size = sizeof(header);
	}
	if (!e->out)
		sent = send_pieces(g, e, header, header_size, bytes, n);
	if (e->out_dead)
		return;
	if (sent < header_size) {
		append(g, e, header + sent, header_size - sent);
		sent = header_size;
	}
	if (!append(g, e, (const uint8_t *)bytes + (sent - header_size),
		    n - (sent - header_size)))
		check_fail("S18", __FILE__, __LINE__, "append", "chunk is full");
}

bool end_put_raw(struct gateway *g, struct end *e, const void *bytes, size_t n)
{
	size_t sent = 0;

	if (e->out_dead)
		return true;
	if (e->piped)
		return false;
	if (!e->out)
		sent = send_pieces(g, e, NULL, 0, bytes, n);
	if (e->out_dead)
		return true;
	return append(g, e, (const uint8_t *)bytes + sent, n - sent);
}

bool end_put_frame(struct gateway *g, struct end *e, struct native_builder *b)
{
	size_t n = native_finish(b);

	return n && end_put_raw(g, e, b->bytes, n);
}

void end_finish(struct gateway *g, struct end *e)
{
	uint8_t header[NATIVE_HEADER_SIZE];

	if (e->out_ended || e->out_dead)
		return;
	e->out_ended = true;
	if (e->framed) {
		native_put_header(header, NATIVE_DATA, NATIVE_END, 0);
		end_put_raw(g, e, header, sizeof(header));
	} else if (end_shut(e) < 0) {
		e->out_dead = true;
	}
}

bool end_linger(struct gateway *g, struct end *e)
{
	if (e->watch.fd < 0)
		return true;
	/* It has ended: a plain close still sends what is queued. */
	if (e->error || e->in_ended)
		return end_flush(g, e);
	if (end_flush(g, e) && !e->out_ended) {
		e->out_ended = true;
		end_shut(e);
	}
	while (e->readable) {
		ssize_t n = end_recv(e, g->stores.scratch, END_READ_MAX);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			e->readable = false;
		} else if (n <= 0) {
			e->in_ended = true;
			return end_flush(g, e) || n < 0;
		}
	}
	return false;
}

/* Room behind what is held: a stranger who says little costs little. */
static bool make_room(struct gateway *g, struct end *e, size_t max)
{
	struct chunk *c = e->in;

	if (c && c->start) {
		memmove(c->bytes, c->bytes + c->start, c->end - c->start);
		c->end -= c->start;
		c->start = 0;
	}
	if (c && c->end < c->size)
		return true;
	if (c && c->size >= max)
		return false;
	size_t size = !c ? CHUNK_FIRST : c->size < CHUNK_SMALL ? CHUNK_SMALL : max;
	struct chunk *larger = chunk_new((uint32_t)(size < max ? size : max));
	if (c) {
		larger->end = c->end;
		memcpy(larger->bytes, c->bytes, c->end);
		explicit_bzero(c->bytes, c->end);
		chunk_give(&g->stores, c);
	}
	e->in = larger;
	return true;
}

void end_fill(struct gateway *g, struct end *e, size_t max)
{
	while (e->readable && !e->in_ended && !e->error) {
		if (!make_room(g, e, max))
			return;
		struct chunk *c = e->in;
		ssize_t n = end_recv(e, c->bytes + c->end, c->size - c->end);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			e->readable = false;
		} else if (n < 0) {
			e->error = errno;
		} else if (n == 0) {
			e->in_ended = true;
		} else {
			c->end += (uint32_t)n;
			e->in_fresh = true;
		}
	}
	if (e->in && e->in->start == e->in->end) {
		chunk_give(&g->stores, e->in);
		e->in = NULL;
	}
}

int end_peek(const struct end *e, struct native_header *h,
	     const uint8_t **payload)
{
	const struct chunk *c = e->in;

	if (!c || c->end - c->start < NATIVE_HEADER_SIZE)
		return 0;
	if (native_get_header(c->bytes + c->start, h) < 0)
		return -1;
	*payload = c->bytes + c->start + NATIVE_HEADER_SIZE;
	if (h->type == NATIVE_DATA)
		return 1;
	if (c->end - c->start < NATIVE_HEADER_SIZE + h->length)
		return 0;
	return native_payload_valid(*payload, h->length) ? 1 : -1;
}

void end_consume(struct gateway *g, struct end *e, size_t n)
{
	struct chunk *c = e->in;

	/* What was read may have been a password. */
	explicit_bzero(c->bytes + c->start, n);
	c->start += (uint32_t)n;
	if (c->start == c->end) {
		chunk_give(&g->stores, c);
		e->in = NULL;
	}
}

void end_keep(struct gateway *g, struct end *e, const void *bytes, size_t n)
{
	CHECK("S8", !e->in);
	if (!n)
		return;
	e->in = chunk_take(&g->stores, n);
	memcpy(e->in->bytes, bytes, n);
	e->in->end = (uint32_t)n;
}

void end_pair(uint8_t out[PAIR_SIZE], uint64_t session, uint64_t nonce)
{
	struct native_builder b;

	native_begin(&b, NATIVE_ACCEPT, 0);
	native_put_u64(&b, NATIVE_TAG_SESSION, session);
	native_put_u64(&b, NATIVE_TAG_NONCE, nonce);
	memcpy(out, b.bytes + NATIVE_HEADER_SIZE, PAIR_SIZE);
}

bool end_put_pair(struct gateway *g, struct end *e, enum native_type type,
		  uint64_t session, uint64_t nonce)
{
	uint8_t frame[NATIVE_HEADER_SIZE + PAIR_SIZE];

	native_put_header(frame, type, 0, PAIR_SIZE);
	end_pair(frame + NATIVE_HEADER_SIZE, session, nonce);
	return end_put_raw(g, e, frame, sizeof(frame));
}
