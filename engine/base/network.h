/*
 * Networks and the addresses in them: "10.1.0.0/16", "2001:db8::/32", or an
 * address alone, which is a network of one.  IPv4 addresses that a dual-stack
 * socket maps into IPv6 are IPv4 here.
 */
#ifndef REMUDA_BASE_NETWORK_H
#define REMUDA_BASE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;
struct sockaddr;

struct address {
	uint8_t family;		/* 4, 6, or 0: none */
	uint8_t bytes[16];	/* 4 or 16 of them */
};

struct network {
	struct address base;	/* its bits beyond `bits` are zero */
	uint8_t bits;
};

/* 0, or -1 with an error that says what to write instead. */
int network_parse(const char *text, struct network *out, struct error *err);
bool network_holds(const struct network *n, const struct address *a);
bool network_same(const struct network *a, const struct network *b);
bool network_address_same(const struct address *a, const struct address *b);

/* Family 0 for anything but IPv4 and IPv6. */
struct address network_address_of(const struct sockaddr *a);
/* "10.1.0.7:4711", "[2001:db8::7]:4711" or without the port; family 0: none. */
struct address network_address_parse(struct slice text);

#endif
