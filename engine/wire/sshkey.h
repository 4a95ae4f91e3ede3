/*
 * Keys of ssh as text: public keys as one line (RFC 4253 6.6, the form of
 * authorized_keys), private keys and host certificates in OpenSSH's forms
 * (its PROTOCOL.key and PROTOCOL.certkeys).  Keys made here are Ed25519
 * (RFC 8709); others are passed on by their bytes.
 */
#ifndef REMUDA_WIRE_SSHKEY_H
#define REMUDA_WIRE_SSHKEY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;

enum {
	SSHKEY_TEXT_MAX = 1024,		/* base64 of a public key, with NUL */
	SSHKEY_LINE_MAX = 64 + SSHKEY_TEXT_MAX,	/* "TYPE BASE64" */
	SSHKEY_PRIVATE_MAX = 4096,	/* a private key's text, with NUL */
	SSHKEY_CERT_MAX = 4096,		/* a certificate's line, with NUL */
	SSHKEY_FINGERPRINT_MAX = 64,	/* "SHA256:..." */
};

/*
 * Reads "TYPE BASE64 [comment]" and writes "TYPE BASE64" to line.  Options in
 * front, certificates, a type that is not the key's own: -1.
 */
int sshkey_parse(const char *text, char line[SSHKEY_LINE_MAX], struct error *err);

/* Is base64 the key of one of these lines ("TYPE BASE64\n...")? */
bool sshkey_holds(const char *lines, struct slice base64);

/* As ssh-keygen -l prints it; "(no key)" for what is none. */
void sshkey_fingerprint(struct slice base64, char out[SSHKEY_FINGERPRINT_MAX]);

/* A new Ed25519 key, a file's text without passphrase. */
int sshkey_generate(const char *comment, char out[SSHKEY_PRIVATE_MAX],
		    struct error *err);

/*
 * The public line of a private key's text ("BEGIN OPENSSH PRIVATE KEY").  -1
 * when it is none, or has a passphrase.
 */
int sshkey_public_of(const char *text, size_t length,
		     char line[SSHKEY_LINE_MAX], struct error *err);

struct sshkey_host {
	const char *line;	/* the host's public key */
	const char *id;		/* for logs of the client */
	const char *principal;	/* the name clients ask for */
	uint64_t serial;
	uint8_t nonce[32];
	uint64_t from_s, until_s;	/* seconds since 1970 */
};

/* The host certificate's line, signed by an Ed25519 authority's private text. */
int sshkey_sign_host(const char *authority, const struct sshkey_host *host,
		     char out[SSHKEY_CERT_MAX], struct error *err);

#endif
