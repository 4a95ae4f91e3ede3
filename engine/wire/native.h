/*
 * The native protocol: the frames spoken by `remuda connect` on a native
 * listener and, on the other side, by the helper inside a guest on its
 * virtio-serial port (decisions.md 17, 18; remuda-protocol(7)).
 *
 * A frame is an 8-byte header and a payload of at most NATIVE_PAYLOAD_MAX:
 *
 *     0       4      5       6      8
 *     | u32 length | type | flags | u16 zero |  payload ...
 *
 * All integers are big-endian.  The payload of a DATA frame is the user's
 * bytes; that of every other frame is a sequence of TLVs {u16 tag, u16 length,
 * value}.  Integers in TLVs are 8 bytes wide, texts are UTF-8 without NUL.
 *
 * Nothing here does I/O: encoders fill a caller's buffer, the decoder is fed
 * bytes and borrows from them.
 */
#ifndef REMUDA_WIRE_NATIVE_H
#define REMUDA_WIRE_NATIVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	NATIVE_HEADER_SIZE = 8,
	NATIVE_PAYLOAD_MAX = 256 * 1024,
	NATIVE_CONTROL_MAX = 4096,	/* largest payload of a control frame */
	NATIVE_VERSION = 1,
};

/* X(NAME, code, who sends it and what it means) */
#define NATIVE_FRAMES(X)                                                       \
	X(HELLO, 1, "client: version, user, secret; gateway: version")         \
	X(ALLOCATE, 2, "client: application, wait, request id, count")         \
	X(ALLOCATED, 3, "gateway: session, machine, ticket; may repeat")       \
	X(WAITING, 4, "gateway: place in the queue, deadline")                 \
	X(CONNECT, 5, "client: ticket or session on a further connection;"     \
		      " guest: name of a resource")                           \
	X(ACCEPT, 6, "gateway to guest: session, nonce, user, application;"    \
		     " guest echoes session and nonce; gateway to client:"     \
		     " the machine accepted")                                  \
	X(DATA, 7, "both: bytes; flag END is a half-close")                    \
	X(DEALLOCATE, 8, "client: end, flag CONFIRM asks for CONFIRMED;"       \
			 " gateway to guest: session, nonce")                  \
	X(CONFIRMED, 9, "gateway to client: the machine is clean;"             \
			" guest: session, nonce, port drained")                \
	X(ERROR, 10, "all: code and text, then close")                         \
	X(NOTICE, 11, "gateway to client: wait until the session ends, text")  \
	X(EXTEND, 12, "client: wait so much longer before ending the session")

enum native_type {
#define X(name, code, help) NATIVE_##name = (code),
	NATIVE_FRAMES(X)
#undef X
};

enum native_flag {
	NATIVE_END = 1,		/* DATA: no more bytes in this direction */
	NATIVE_CONFIRM = 2,	/* DEALLOCATE: answer CONFIRMED once clean */
};

enum native_tag {
	NATIVE_TAG_VERSION = 1,
	NATIVE_TAG_USER = 2,		/* text */
	NATIVE_TAG_SECRET = 3,		/* bytes: password or token */
	NATIVE_TAG_APPLICATION = 4,	/* text */
	NATIVE_TAG_SESSION = 5,		/* u64 */
	NATIVE_TAG_NONCE = 6,		/* u64 */
	NATIVE_TAG_INCARNATION = 7,	/* u64 */
	NATIVE_TAG_MACHINE = 8,		/* text */
	NATIVE_TAG_WAIT_MS = 9,		/* u64; NOTICE: 0 = no such end */
	NATIVE_TAG_REQUEST_ID = 10,	/* text */
	NATIVE_TAG_COUNT = 11,		/* u64 */
	NATIVE_TAG_TICKET = 12,		/* bytes */
	NATIVE_TAG_PLACE = 13,		/* u64, 1 = next */
	NATIVE_TAG_CODE = 14,		/* text, closed list (refusal codes) */
	NATIVE_TAG_TEXT = 15,		/* text for a person */
	NATIVE_TAG_RESOURCE = 16,	/* text */
	NATIVE_TAG_LISTENER = 17,	/* text */
};

/* Words of NATIVE_TAG_CODE; every refusal of every door is one of them.
 * X(code, what it means to who asked) */
#define NATIVE_CODES(X)                                                        \
	X(protocol, "what was sent makes no sense here")                      \
	X(not_authenticated, "who you are could not be proven")               \
	X(denied, "this listener wants a user and a secret")                  \
	X(not_allowed, "known, but not entitled to this")                     \
	X(no_application, "no such application, or not on this listener")     \
	X(no_resource, "no such resource, or not for this user")              \
	X(disabled, "the user is disabled")                                   \
	X(throttled, "too many failed logins; the text says how long to wait") \
	X(limit, "too many sessions or requests of the user at once")         \
	X(limit_group, "the same of one of the user's groups")                \
	X(limit_application, "the same of the application")                   \
	X(limit_listener, "the same of the listener")                         \
	X(count, "more machines than a pool may have, or than 100")           \
	X(ticket, "no session waits for that ticket, or not here")            \
	X(busy, "the engine has too much to do; try again")                   \
	X(queue_full, "too many wait already")                                \
	X(no_machine, "none is free and the request would not wait")          \
	X(timeout, "not in time: no machine, or no complete request")         \
	X(not_accepted, "the machine did not accept")                         \
	X(duplicate, "the request id has had its machine")                    \
	X(superseded, "the same request came again on another connection")    \
	X(unsupported, "asks for what this gateway cannot do")                \
	X(unavailable, "the resource does not answer")                        \
	X(lost, "the resource went away")                                     \
	X(unconfirmed, "the machine could not be cleaned, or not in time")    \
	X(stopped, "an operator or the engine ended it")                      \
	X(closed, "the listener is closed")                                   \
	X(machine_lost, "the machine or its host is gone")                    \
	X(refused, "another reason; the text says which")

struct native_header {
	uint32_t length;	/* payload bytes, <= NATIVE_PAYLOAD_MAX */
	uint8_t type;		/* enum native_type, unchecked */
	uint8_t flags;
};

/* Writes the 8 bytes of header to out. */
void native_put_header(uint8_t out[NATIVE_HEADER_SIZE], enum native_type type,
		       uint8_t flags, uint32_t length);

/*
 * Reads a header.  Returns 0, or -1 when the frame can never be valid: length
 * over the limit for its type, unknown type, non-zero reserved field.
 */
int native_get_header(const uint8_t in[NATIVE_HEADER_SIZE],
		      struct native_header *h);

/*
 * A control frame under construction in a fixed buffer.  The put functions
 * never fail visibly: overflow is remembered and native_finish returns 0.
 */
struct native_builder {
	uint8_t bytes[NATIVE_HEADER_SIZE + NATIVE_CONTROL_MAX];
	size_t length;
	bool overflow;
};

void native_begin(struct native_builder *b, enum native_type type,
		  uint8_t flags);
void native_put_u64(struct native_builder *b, enum native_tag tag, uint64_t v);
void native_put_text(struct native_builder *b, enum native_tag tag,
		     const char *text);
void native_put_bytes(struct native_builder *b, enum native_tag tag,
		      const void *bytes, size_t length);
/* Fixes the header's length; returns the frame's size, or 0 on overflow. */
size_t native_finish(struct native_builder *b);

/*
 * Finds tag in a control payload.  native_find returns the value's length and
 * sets *value, or -1 when absent or the payload is malformed.  The typed forms
 * also refuse a wrong width, an embedded NUL or a text that does not fit.
 */
int native_find(const uint8_t *payload, size_t length, enum native_tag tag,
		const uint8_t **value);
int native_get_u64(const uint8_t *payload, size_t length, enum native_tag tag,
		   uint64_t *v);
int native_get_text(const uint8_t *payload, size_t length, enum native_tag tag,
		    char *out, size_t out_size);
/* Whole payload is a well-formed TLV sequence without duplicate tags. */
bool native_payload_valid(const uint8_t *payload, size_t length);

const char *native_type_name(uint8_t type);

#endif
