/*
 * PROXY protocol version 2 headers (HAProxy's doc/proxy-protocol.txt, section
 * 2.2) with the TLVs of a session (decisions.md 19): CRC32C, AUTHORITY,
 * UNIQUE_ID and three of the application's own range.
 *
 * Nothing here does I/O.  The encoder is the gateway's; the decoder serves
 * services written for Remuda, tests and benches.
 */
#ifndef REMUDA_WIRE_PROXY_V2_H
#define REMUDA_WIRE_PROXY_V2_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;
struct sockaddr;

enum {
	PROXY_V2_PREFIX = 16,		/* signature, version, family, length */
	PROXY_V2_MAX = 1536,		/* largest header encoded here */
	/* TLV types. */
	PROXY_V2_AUTHORITY = 0x02,	/* the alternate user */
	PROXY_V2_CRC32C = 0x03,
	PROXY_V2_UNIQUE_ID = 0x05,	/* "session/4711" */
	PROXY_V2_LISTENER = 0xe0,
	PROXY_V2_APPLICATION = 0xe1,
	PROXY_V2_INCARNATION = 0xe2,	/* decimal text */
};

/* Empty slices are left out of the header. */
struct proxy_v2 {
	bool local;			/* LOCAL: a check, nobody's bytes */
	/* Both of one family, AF_INET or AF_INET6; anything else, or NULL:
	 * AF_UNSPEC, "there is no network address". */
	const struct sockaddr *source, *destination;
	struct slice authority, unique_id, listener, application, incarnation;
};

/* Returns the header's length, or 0 when it does not fit in size bytes. */
size_t proxy_v2_encode(const struct proxy_v2 *p, uint8_t *out, size_t size);

/* Where a decoder finds things: slices into the input. */
struct proxy_v2_info {
	bool local;
	uint8_t family;			/* AF_UNSPEC, AF_INET, AF_INET6 */
	uint8_t source[16], destination[16];
	uint16_t source_port, destination_port;
	struct slice authority, unique_id, listener, application, incarnation;
	bool checked;			/* a CRC32C was there and right */
};

/*
 * Reads a header at the start of in.  Returns its length, 0 when more bytes
 * are needed to tell, -1 when it is none or is damaged.
 */
int proxy_v2_decode(const uint8_t *in, size_t length,
		    struct proxy_v2_info *info, struct error *err);

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4); start with crc = 0. */
uint32_t proxy_v2_crc32c(uint32_t crc, const void *bytes, size_t length);

#endif
