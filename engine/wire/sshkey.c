/*
 * Keys of ssh; see sshkey.h.  Everything within them is counted strings,
 * big-endian.  Pure but for sshkey_generate, which asks OpenSSL for a key.
 */
#include "engine/wire/sshkey.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

#include "engine/base/error.h"

enum { SEED = 32, PUBLIC = 32, SIGNATURE = 64, HOST_CERTIFICATE = 2, FOLD = 70 };

static const char begins[] = "-----BEGIN OPENSSH PRIVATE KEY-----\n";
static const char ends[] = "-----END OPENSSH PRIVATE KEY-----\n";
static const char magic[] = "openssh-key-v1";	/* with its NUL */
static const char ed25519[] = "ssh-ed25519";
static const char cert_suffix[] = "-cert-v01@openssh.com";

/* ---- reading and writing counted strings ---------------------------------- */

struct reading {
	const uint8_t *at, *end;
	bool bad;
};

struct writing {
	uint8_t *out;
	size_t used, size;
	bool full;
};

static uint32_t get_u32(struct reading *r)
{
	if (r->end - r->at < 4) {
		r->bad = true;
		return 0;
	}
	r->at += 4;
	return (uint32_t)r->at[-4] << 24 | (uint32_t)r->at[-3] << 16 |
	       (uint32_t)r->at[-2] << 8 | r->at[-1];
}

static struct slice get_string(struct reading *r)
{
	uint32_t n = get_u32(r);

	if (r->bad || n > (size_t)(r->end - r->at)) {
		r->bad = true;
		return (struct slice){ "", 0 };
	}
	r->at += n;
	return (struct slice){ (const char *)r->at - n, n };
}

static void put(struct writing *w, const void *bytes, size_t n)
{
	if (n > w->size - w->used) {
		w->full = true;
		return;
	}
	memcpy(w->out + w->used, bytes, n);
	w->used += n;
}

static void put_u32(struct writing *w, uint32_t n)
{
	const uint8_t b[4] = { (uint8_t)(n >> 24), (uint8_t)(n >> 16),
			       (uint8_t)(n >> 8), (uint8_t)n };

	put(w, b, 4);
}

static void put_u64(struct writing *w, uint64_t n)
{
	put_u32(w, (uint32_t)(n >> 32));
	put_u32(w, (uint32_t)n);
}

static void put_string(struct writing *w, const void *bytes, size_t n)
{
	put_u32(w, (uint32_t)n);
	put(w, bytes, n);
}

static void put_text(struct writing *w, const char *text)
{
	put_string(w, text, strlen(text));
}

/* ---- base64 ------------------------------------------------------------------ */

/* Decodes exactly what an encoder writes, so that equal keys are equal texts;
 * the length or -1. */
static int decode(struct slice text, uint8_t *out, size_t size)
{
	char again[SSHKEY_TEXT_MAX * 2];
	size_t n = text.length / 4 * 3;

	if (!text.length || text.length % 4 || n > size ||
	    text.length >= sizeof(again))
		return -1;
	if (EVP_DecodeBlock(out, (const uint8_t *)text.ptr, (int)text.length) < 0)
		return -1;
	if (text.ptr[text.length - 1] == '=')
		n -= text.ptr[text.length - 2] == '=' ? 2 : 1;
	EVP_EncodeBlock((uint8_t *)again, out, (int)n);
	return memcmp(again, text.ptr, text.length) == 0 ? (int)n : -1;
}

static bool is_plain_type(struct slice type)
{
	size_t suffix = sizeof(cert_suffix) - 1;

	if (!type.length || type.length >= 64)
		return false;
	for (uint32_t i = 0; i < type.length; i++)
		if (type.ptr[i] <= ' ' || type.ptr[i] > '~')
			return false;
	return type.length < suffix ||
	       memcmp(type.ptr + type.length - suffix, cert_suffix, suffix) != 0;
}

/* "TYPE BASE64" of a key's bytes. */
static int line_of(const uint8_t *blob, size_t length,
		   char line[SSHKEY_LINE_MAX], struct error *err)
{
	struct reading r = { blob, blob + length, false };
	struct slice type = get_string(&r);

	if (r.bad || !is_plain_type(type) || r.at == r.end ||
	    (length + 2) / 3 * 4 >= SSHKEY_TEXT_MAX)
		return error_set(err, "that is no public key");
	int n = snprintf(line, SSHKEY_LINE_MAX, "%.*s ", (int)type.length, type.ptr);
	EVP_EncodeBlock((uint8_t *)line + n, blob, (int)length);
	return 0;
}

int sshkey_parse(const char *text, char line[SSHKEY_LINE_MAX], struct error *err)
{
	size_t type = strcspn(text, " "), gap = strspn(text + type, " ");
	struct slice base64 = { text + type + gap,
				(uint32_t)strcspn(text + type + gap, " ") };
	uint8_t blob[SSHKEY_TEXT_MAX];
	int n;

	if (base64.length >= SSHKEY_TEXT_MAX)
		return error_set(err, "the key is longer than %d characters",
				 SSHKEY_TEXT_MAX - 1);
	n = decode(base64, blob, sizeof(blob));
	if (n < 0)
		return error_set(err, "not a type and a key in base64");
	if (line_of(blob, (size_t)n, line, err) < 0)
		return -1;
	if (strncmp(line, text, type + 1) != 0)
		return error_set(err, "the key in it is of type %.*s",
				 (int)strcspn(line, " "), line);
	return 0;
}

bool sshkey_holds(const char *lines, struct slice base64)
{
	while (base64.length && lines && *lines) {
		const char *key = strchr(lines, ' ');
		size_t n = key ? strcspn(++key, "\n") : 0;

		if (key && n == base64.length && memcmp(key, base64.ptr, n) == 0)
			return true;
		lines = key ? key + n + (key[n] == '\n') : NULL;
	}
	return false;
}

void sshkey_fingerprint(struct slice base64, char out[SSHKEY_FINGERPRINT_MAX])
{
	uint8_t blob[SSHKEY_TEXT_MAX], hash[EVP_MAX_MD_SIZE];
	char text[64];
	int n = decode(base64, blob, sizeof(blob));
	unsigned size = 0;

	if (n < 0 || !EVP_Digest(blob, (size_t)n, hash, &size, EVP_sha256(), NULL)) {
		text_copy(out, SSHKEY_FINGERPRINT_MAX, "(no key)");
		return;
	}
	EVP_EncodeBlock((uint8_t *)text, hash, (int)size);
	text[strcspn(text, "=")] = '\0';
	snprintf(out, SSHKEY_FINGERPRINT_MAX, "SHA256:%.48s", text);
}

/* ---- private keys --------------------------------------------------------------- */

static void put_public(struct writing *w, const uint8_t key[PUBLIC])
{
	put_text(w, ed25519);
	put_string(w, key, PUBLIC);
}

static void put_private(struct writing *w, const char *comment,
			const uint8_t seed[SEED], const uint8_t key[PUBLIC],
			uint32_t check)
{
	uint8_t both[SEED + PUBLIC];

	memcpy(both, seed, SEED);
	memcpy(both + SEED, key, PUBLIC);
	put_u32(w, check);
	put_u32(w, check);
	put_public(w, key);
	put_string(w, both, sizeof(both));
	put_text(w, comment);
	/* Cipher "none" has blocks of 8: padded with 1, 2, 3 ... */
	for (uint8_t pad = 1; w->used % 8; pad++)
		put(w, &pad, 1);
	OPENSSL_cleanse(both, sizeof(both));
}

static void armour(const uint8_t *bytes, size_t length, char *out, size_t size)
{
	char text[SSHKEY_PRIVATE_MAX];
	size_t all = (size_t)EVP_EncodeBlock((uint8_t *)text, bytes, (int)length);
	size_t n = (size_t)snprintf(out, size, "%s", begins);

	for (size_t at = 0; at < all; at += FOLD)
		n += (size_t)snprintf(out + n, size - n, "%.*s\n", FOLD, text + at);
	snprintf(out + n, size - n, "%s", ends);
	OPENSSL_cleanse(text, sizeof(text));
}

int sshkey_generate(const char *comment, char out[SSHKEY_PRIVATE_MAX],
		    struct error *err)
{
	uint8_t seed[SEED], key[PUBLIC], check[4], bytes[1024], secret[512];
	struct writing w = { bytes, 0, sizeof(bytes), false };
	struct writing s = { secret, 0, sizeof(secret), false };
	EVP_PKEY *pair = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	size_t seed_size = SEED, key_size = PUBLIC;
	int rc = -1;

	if (pair && RAND_bytes(check, 4) == 1 && strlen(comment) < 128 &&
	    EVP_PKEY_get_raw_private_key(pair, seed, &seed_size) == 1 &&
	    EVP_PKEY_get_raw_public_key(pair, key, &key_size) == 1) {
		struct reading r = { check, check + 4, false };

		put(&w, magic, sizeof(magic));
		put_text(&w, "none");
		put_text(&w, "none");
		put_text(&w, "");
		put_u32(&w, 1);
		put_private(&s, comment, seed, key, get_u32(&r));
		put_u32(&w, 4 + sizeof(ed25519) - 1 + 4 + PUBLIC);
		put_public(&w, key);
		put_string(&w, secret, s.used);
		armour(bytes, w.used, out, SSHKEY_PRIVATE_MAX);
		rc = 0;
	} else {
		error_set(err, "OpenSSL makes no Ed25519 key");
	}
	EVP_PKEY_free(pair);
	OPENSSL_cleanse(seed, sizeof(seed));
	OPENSSL_cleanse(secret, sizeof(secret));
	OPENSSL_cleanse(bytes, sizeof(bytes));
	return rc;
}

struct opened {
	uint8_t bytes[SSHKEY_PRIVATE_MAX];
	struct slice blob;	/* the public key */
	struct slice secret;	/* the private part */
};

static int open_private(const char *text, size_t length, struct opened *o,
			struct error *err)
{
	char base64[SSHKEY_PRIVATE_MAX];
	const char *end;
	size_t n = 0;

	if (length >= SSHKEY_PRIVATE_MAX || length < sizeof(begins) ||
	    memcmp(text, begins, sizeof(begins) - 1) != 0 ||
	    !(end = memmem(text, length, ends, sizeof(ends) - 2)))
		return error_set(err, "no private key of OpenSSH's form; ssh-keygen -t ed25519 makes one");
	for (const char *at = text + sizeof(begins) - 1; at < end; at++)
		if (*at != '\n' && *at != '\r')
			base64[n++] = *at;
	int got = n && n % 4 == 0 ? EVP_DecodeBlock(o->bytes, (uint8_t *)base64,
						    (int)n) : -1;
	OPENSSL_cleanse(base64, sizeof(base64));
	if (got < (int)sizeof(magic) || memcmp(o->bytes, magic, sizeof(magic)))
		return error_set(err, "the private key is damaged");
	struct reading r = { o->bytes + sizeof(magic), o->bytes + got, false };
	struct slice cipher = get_string(&r);
	get_string(&r);
	get_string(&r);
	uint32_t keys = get_u32(&r);
	o->blob = get_string(&r);
	o->secret = get_string(&r);
	if (r.bad || keys != 1)
		return error_set(err, "the private key is damaged");
	if (!slice_is(cipher, "none"))
		return error_set(err, "the private key has a passphrase; ssh-keygen -p takes it off");
	return 0;
}

int sshkey_public_of(const char *text, size_t length,
		     char line[SSHKEY_LINE_MAX], struct error *err)
{
	struct opened o;
	int rc = open_private(text, length, &o, err);

	if (rc == 0)
		rc = line_of((const uint8_t *)o.blob.ptr, o.blob.length, line, err);
	OPENSSL_cleanse(&o, sizeof(o));
	return rc;
}

/* ---- host certificates ------------------------------------------------------------ */

static EVP_PKEY *signer(const struct opened *o, struct error *err)
{
	const uint8_t *at = (const uint8_t *)o->secret.ptr;
	struct reading r = { at, at + o->secret.length, false };
	uint32_t check = get_u32(&r);
	bool same = get_u32(&r) == check;
	struct slice type = get_string(&r), key = get_string(&r);
	struct slice both = get_string(&r);
	EVP_PKEY *pair = NULL;

	if (!r.bad && same && slice_is(type, ed25519) && key.length == PUBLIC &&
	    both.length == SEED + PUBLIC)
		pair = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL,
						    (const uint8_t *)both.ptr, SEED);
	if (!pair)
		error_set(err, "the host authority's key is no Ed25519 key");
	return pair;
}

static int add_signature(struct writing *w, EVP_PKEY *pair, struct error *err)
{
	EVP_MD_CTX *ctx = EVP_MD_CTX_new();
	uint8_t signature[SIGNATURE];
	size_t size = SIGNATURE;
	int rc = -1;

	if (ctx && !w->full &&
	    EVP_DigestSignInit(ctx, NULL, NULL, NULL, pair) == 1 &&
	    EVP_DigestSign(ctx, signature, &size, w->out, w->used) == 1) {
		put_u32(w, 4 + sizeof(ed25519) - 1 + 4 + SIGNATURE);
		put_text(w, ed25519);
		put_string(w, signature, size);
		rc = 0;
	}
	EVP_MD_CTX_free(ctx);
	return rc < 0 || w->full ? error_set(err, "the certificate cannot be signed") : 0;
}

/* Everything of a certificate but its signature. */
static void put_certificate(struct writing *w, const struct sshkey_host *host,
			    struct slice type, struct slice key, struct slice authority)
{
	char name[64 + sizeof(cert_suffix)];

	snprintf(name, sizeof(name), "%.*s%s", (int)type.length, type.ptr, cert_suffix);
	put_text(w, name);
	put_string(w, host->nonce, sizeof(host->nonce));
	put(w, key.ptr, key.length);
	put_u64(w, host->serial);
	put_u32(w, HOST_CERTIFICATE);
	put_text(w, host->id);
	put_u32(w, (uint32_t)strlen(host->principal) + 4);
	put_text(w, host->principal);
	put_u64(w, host->from_s);
	put_u64(w, host->until_s);
	put_text(w, "");	/* critical options */
	put_text(w, "");	/* extensions */
	put_text(w, "");	/* reserved */
	put_string(w, authority.ptr, authority.length);
}

int sshkey_sign_host(const char *authority, const struct sshkey_host *host,
		     char out[SSHKEY_CERT_MAX], struct error *err)
{
	char line[SSHKEY_LINE_MAX];
	uint8_t blob[SSHKEY_TEXT_MAX], bytes[SSHKEY_CERT_MAX / 4 * 3 - 192];
	struct writing w = { bytes, 0, sizeof(bytes), false };
	struct opened o;
	EVP_PKEY *pair;

	if (sshkey_parse(host->line, line, err) < 0)
		return -1;
	int n = decode(slice_of(strchr(line, ' ') + 1), blob, sizeof(blob));
	struct reading r = { blob, blob + n, false };
	struct slice type = get_string(&r);
	struct slice key = { (const char *)r.at, (uint32_t)(r.end - r.at) };
	int rc = open_private(authority, strlen(authority), &o, err);
	if (rc == 0) {
		put_certificate(&w, host, type, key, o.blob);
		pair = signer(&o, err);
		rc = pair ? add_signature(&w, pair, err) : -1;
		EVP_PKEY_free(pair);
	}
	OPENSSL_cleanse(&o, sizeof(o));
	if (rc < 0)
		return -1;
	n = snprintf(out, SSHKEY_CERT_MAX, "%.*s%s ", (int)type.length, type.ptr,
		     cert_suffix);
	EVP_EncodeBlock((uint8_t *)out + n, bytes, (int)w.used);
	return 0;
}
