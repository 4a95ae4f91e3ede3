/*
 * PROXY protocol version 1, the line of text (HAProxy's doc/proxy-protocol.txt,
 * section 2.1), as load balancers in front of a listener send it.
 */
#ifndef REMUDA_WIRE_PROXY_V1_H
#define REMUDA_WIRE_PROXY_V1_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct proxy_v2_info;

enum { PROXY_V1_MAX = 107 };	/* with its CR LF */

/*
 * Reads a header at the start of in: "PROXY TCP4 SOURCE DESTINATION PORT PORT",
 * TCP6, or UNKNOWN (family AF_UNSPEC).  Returns its length, 0 when more bytes
 * are needed to tell, -1 when it is none.
 */
int proxy_v1_decode(const uint8_t *in, size_t length,
		    struct proxy_v2_info *info, struct error *err);

#endif
