/*
 * An end: one connected stream and what the gateway holds of it.  A raw end
 * carries bare bytes; a framed end carries native frames (engine/wire/native.h)
 * whose DATA payload is the bytes.
 *
 * Bounded (S18): what could not be written waits in one chunk or one tube, and
 * while it does nothing more is taken for that end.  An idle end holds neither.
 *
 * Descriptors are watched edge-triggered: `readable` and `writable` remember
 * what epoll said until a call proves otherwise.
 */
#ifndef REMUDA_GATEWAY_END_H
#define REMUDA_GATEWAY_END_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "engine/gateway/poll.h"
#include "engine/wire/native.h"

enum {
	END_READ_MAX = 64 * 1024,	/* one read of a flowing end */
	CHUNK_FIRST = 512,		/* what a stranger says first */
	CHUNK_SMALL = NATIVE_HEADER_SIZE + NATIVE_CONTROL_MAX + 512,
	CHUNK_BIG = END_READ_MAX + 2 * CHUNK_SMALL,
	CHUNKS_KEPT = 64,		/* free chunks of a size */
	TUBES_KEPT = 16,		/* free pipes */
	TUBES_MAX = 128,		/* pipes at all; more ends copy */
	TUBE_SIZE = 256 * 1024,
	PAIR_SIZE = 24,			/* TLVs session and nonce */
};

struct chunk {
	struct chunk *next;
	uint32_t start, end, size;
	uint8_t bytes[];
};

/* A pipe through which splice(2) moves bytes without copying. */
struct tube {
	struct tube *next;
	int read_fd, write_fd;
};

struct stores {
	struct chunk *small, *big;
	uint32_t small_count, big_count;
	struct tube *tubes;
	uint32_t tube_count, tubes_made;
	uint8_t scratch[END_READ_MAX + CHUNK_SMALL];
};

struct end {
	struct watch watch;
	struct ssl_st *tls;	/* a client's, or NULL (tls.h) */
	bool framed;
	bool tcp;		/* a TCP socket, else unix */
	bool readable, writable;
	bool hangup;		/* the peer's FIN was announced */
	bool in_ended;		/* FIN or END came */
	bool out_ended;		/* FIN or END was written */
	bool out_dead;		/* writing failed: what follows is dropped */
	bool bulk;		/* the last read was full: splice */
	bool in_fresh;		/* `in` may hold a whole frame */
	bool shut_due;		/* TLS: close_notify did not fit yet */
	bool data_end;		/* the DATA frame being read carries END */
	uint32_t data_left;	/* its payload still to come */
	int error;		/* errno of reading; EPROTO: bad frame */
	int out_error;		/* errno of writing, with out_dead */
	int64_t silent_ms;	/* TCP: unanswered since, or 0 */
	struct chunk *in;	/* read, not understood yet */
	struct chunk *out;	/* to be written */
	struct tube *tube;	/* to be written, after out */
	size_t piped;		/* bytes in tube */
};

void stores_fini(struct stores *s);
/* A chunk with room for `need` bytes (at most CHUNK_BIG), and back. */
struct chunk *chunk_take(struct stores *s, size_t need);
void chunk_give(struct stores *s, struct chunk *c);

/* Starts watching fd; closes it on failure.  Sets O_NONBLOCK when foreign. */
int end_open(struct gateway *g, struct end *e, int fd, bool framed, bool foreign,
	     void (*ready)(struct gateway *g, struct watch *w, uint32_t events));
/* Notes what epoll said; to be called first by every ready callback. */
void end_note(struct end *e, uint32_t events);
/* The same for a socket's error, where only closing may follow it. */
void end_note_error(struct end *e, uint32_t events);
/* Closes and gives back what is held; abort: by reset, where TCP can. */
void end_close(struct gateway *g, struct end *e, bool abort);

/* Everything given to the end was handed to the kernel. */
static inline bool end_idle(const struct end *e)
{
	return !e->out && !e->piped;
}

/* Writes what waits.  True when nothing waits any more (or writing failed and
 * it was dropped). */
bool end_flush(struct gateway *g, struct end *e);
/* Writes bytes; what does not go now waits.  Between two flushes at most one
 * reading's worth may be put. */
void end_put(struct gateway *g, struct end *e, const void *bytes, size_t n);
/* A finished control frame or a header; may queue behind waiting bytes.
 * False when it does not fit: the other side does not read. */
bool end_put_raw(struct gateway *g, struct end *e, const void *bytes, size_t n);
bool end_put_frame(struct gateway *g, struct end *e, struct native_builder *b);
/* recv(2) and send(2), through TLS where there is. */
ssize_t end_recv(struct end *e, void *out, size_t size);
ssize_t end_send(struct end *e, const void *bytes, size_t size);
/* One recv with its meaning noted in the end; 0 when no byte came. */
size_t end_receive(struct end *e, uint8_t *buffer, size_t size);
/* Says that nothing more will be written: close_notify, FIN. */
int end_shut(struct end *e);
/* Half-close: FIN or an empty DATA frame with END.  Nothing may be waiting. */
void end_finish(struct gateway *g, struct end *e);
/* Writes what waits, finishes, and reads away what still comes, because closing
 * on unread bytes would reset the last ones the peer got.  True: close it. */
bool end_linger(struct gateway *g, struct end *e);

/*
 * Reads between flows: into `in`, at most max bytes held, so that a stranger's
 * bytes cannot pile up.  Sets in_ended or error at the end of the stream.
 */
void end_fill(struct gateway *g, struct end *e, size_t max);
/*
 * A whole frame at the front of `in`: 1 with header and payload (DATA: header
 * only), 0 when more bytes are needed, -1 when it is none.
 */
int end_peek(const struct end *e, struct native_header *h,
	     const uint8_t **payload);
void end_consume(struct gateway *g, struct end *e, size_t n);
/* Keeps bytes for a later reading, in front of nothing. */
void end_keep(struct gateway *g, struct end *e, const void *bytes, size_t n);

/* An unused tube, or NULL when there are too many. */
struct tube *tube_take(struct stores *s);
void tube_give(struct stores *s, struct tube *t, bool empty);

/* The two TLVs that make a frame belong to one session (or exchange). */
void end_pair(uint8_t out[PAIR_SIZE], uint64_t session, uint64_t nonce);
/* A frame of exactly that pair; returns false when the peer does not read. */
bool end_put_pair(struct gateway *g, struct end *e, enum native_type type,
		  uint64_t session, uint64_t nonce);

#endif
