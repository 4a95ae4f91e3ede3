/*
 * A listener's TLS from its PEM files: what the engine checks before it applies
 * a site, and what the gateway makes of the same bytes.  TLS 1.2 and newer, no
 * renegotiation, no compression, no session tickets or resumption.
 */
#ifndef REMUDA_WIRE_TLS_PEM_H
#define REMUDA_WIRE_TLS_PEM_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;
struct ssl_ctx_st;

enum {
	TLS_PEM_FILE_MAX = 256 * 1024,	/* one file */
	TLS_PEM_PEER_MAX = 32 * 1024,	/* a client's certificates */
};

enum tls_pem_part { TLS_PEM_CERTIFICATE, TLS_PEM_KEY, TLS_PEM_CLIENT_CA, TLS_PEM_PARTS };

struct tls_pem {
	/* certificate: the server's and the chain above it, in this order;
	 * key: its private key, not encrypted; client_ca: who signs clients,
	 * or empty: no client is asked for a certificate. */
	struct slice part[TLS_PEM_PARTS];
	const char *name[TLS_PEM_PARTS];	/* files, for messages */
	bool client_required;
};

/* A server's SSL_CTX (free with SSL_CTX_free), or NULL with an error that
 * names the file.  expires_wall_ms: when the first of the certificates given
 * ends, with *expires_part; both may be NULL. */
struct ssl_ctx_st *tls_pem_context(const struct tls_pem *pem,
				   int64_t *expires_wall_ms,
				   enum tls_pem_part *expires_part,
				   struct error *err);

#endif
