/* TLS for clients; see tls.h.  Owner: the gateway's loop. */
#include "engine/gateway/tls.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"
#include "engine/wire/tls_pem.h"

enum { RECORD_HEADER = 5, RECORD_HANDSHAKE = 22, RECORD_MAX = 16384 };

/* The protocol of the door, where it has a name; others are not negotiated. */
static int choose_alpn(SSL *ssl, const unsigned char **out, unsigned char *length,
		       const unsigned char *in, unsigned in_length, void *arg)
{
	const struct listener *l = arg;
	const char *own = l->door->alpn;

	(void)ssl;
	if (!own)
		return SSL_TLSEXT_ERR_NOACK;
	for (unsigned at = 0; at < in_length; at += 1u + in[at]) {
		if (at + 1u + in[at] > in_length)
			break;
		if (in[at] != strlen(own) || memcmp(in + at + 1, own, in[at]) != 0)
			continue;
		*out = in + at + 1;
		*length = in[at];
		return SSL_TLSEXT_ERR_OK;
	}
	return SSL_TLSEXT_ERR_ALERT_FATAL;
}

static SSL_CTX *make(const struct wire_gateway_tls *w, char *bytes, size_t length)
{
	struct tls_pem pem = {
		.name = { "certificate", "key", "client_ca" },
		.client_required = w->client_required,
	};
	const uint32_t sizes[TLS_PEM_PARTS] = { w->certificate, w->key, w->client_ca };
	struct error err = { "the parts do not add up" };
	SSL_CTX *ctx = NULL;
	size_t at = 0;

	for (int i = 0; i < TLS_PEM_PARTS && at <= length; i++) {
		pem.part[i] = (struct slice){ bytes + at, sizes[i] };
		at += sizes[i];
	}
	if (at == length)
		ctx = tls_pem_context(&pem, NULL, NULL, &err);
	if (!ctx)
		log_error("listener %.*s: %s", (int)w->name.length, w->name.ptr,
			  err.text);
	return ctx;
}

void tls_on_message(struct gateway *g, struct message *m)
{
	const struct wire_gateway_tls *w = &m->gateway_tls;
	struct listener *l = listener_named(g, w->name);
	struct error err = { "it came without its keys" };
	size_t length = 0;
	SSL_CTX *ctx;
	char *bytes = m->fd_count ? wire_read_memfd(m->fds[0],
			TLS_PEM_PARTS * TLS_PEM_FILE_MAX, &length, &err) : NULL;

	if (!bytes || !l) {
		log_error("TLS of listener %.*s: %s", (int)w->name.length,
			  w->name.ptr, l ? err.text : "there is no such listener");
	} else if ((ctx = make(w, bytes, length))) {
		SSL_CTX_set_alpn_select_cb(ctx, choose_alpn, l);
		SSL_CTX_set_session_id_context(ctx, (const uint8_t *)"remuda", 6);
		/* Connections keep the old one as long as they last. */
		SSL_CTX_free(l->tls_context);
		l->tls_context = ctx;
		listener_rearm(g, l);
	}
	if (bytes)
		explicit_bzero(bytes, length);
	free(bytes);
}

int tls_hello(int fd)
{
	uint8_t head[RECORD_HEADER];
	ssize_t n = recv(fd, head, sizeof(head), MSG_PEEK | MSG_DONTWAIT);
	int waiting = 0;

	if ((n >= 1 && head[0] != RECORD_HANDSHAKE) || (n >= 2 && head[1] != 3))
		return -1;
	if (n < RECORD_HEADER)
		return 0;
	int size = head[3] << 8 | head[4];
	if (size == 0 || size > RECORD_MAX)
		return -1;
	ioctl(fd, FIONREAD, &waiting);
	return waiting >= RECORD_HEADER + size;
}

struct ssl_st *tls_new(struct listener *l, int fd)
{
	SSL *ssl = SSL_new(l->tls_context);

	if (ssl && SSL_set_fd(ssl, fd) == 1) {
		SSL_set_accept_state(ssl);
		SSL_set_read_ahead(ssl, 1);
		return ssl;
	}
	SSL_free(ssl);
	return NULL;
}

int tls_accept(struct ssl_st *tls, bool *want_write, const char **why)
{
	ERR_clear_error();
	int rc = SSL_accept(tls);

	*want_write = false;
	*why = "the connection broke in the handshake";
	if (rc == 1)
		return 1;
	switch (SSL_get_error(tls, rc)) {
	case SSL_ERROR_WANT_WRITE:
		*want_write = true;
		return 0;
	case SSL_ERROR_WANT_READ:
		return 0;
	case SSL_ERROR_SSL:
		*why = ERR_reason_error_string(ERR_peek_last_error());
		break;
	}
	return -1;
}

void tls_log_kernel(struct listener *l, struct ssl_st *tls)
{
	if (l->tls_told)
		return;
	l->tls_told = true;
	log_info("listener %s: %s; TLS in the kernel: %s", l->name,
		 SSL_get_version(tls),
		 BIO_get_ktls_send(SSL_get_wbio(tls)) ?
			BIO_get_ktls_recv(SSL_get_rbio(tls)) ? "both directions" :
			"sending" : "no");
}

/* A text without NUL that could be a user's name. */
static bool take_user(const ASN1_STRING *s, char *out, size_t size)
{
	unsigned char *utf8 = NULL;
	int n = ASN1_STRING_to_UTF8(&utf8, s);
	bool good = n > 0 && (size_t)n < size && !memchr(utf8, 0, (size_t)n);

	if (good) {
		memcpy(out, utf8, (size_t)n);
		out[n] = '\0';
		good = text_is_user(out);
	}
	if (n >= 0)
		OPENSSL_free(utf8);
	return good;
}

static bool only_mail(X509 *cert, char *out, size_t size)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL,
						NULL);
	const ASN1_STRING *found = NULL;
	int count = 0;

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL) {
			found = name->d.rfc822Name;
			count++;
		}
	}
	bool good = count == 1 && take_user(found, out, size);
	GENERAL_NAMES_free(names);
	return good;
}

bool tls_user(struct ssl_st *tls, char *out, size_t size)
{
	X509 *cert = SSL_get0_peer_certificate(tls);

	if (!cert || SSL_get_verify_result(tls) != X509_V_OK)
		return false;
	const X509_NAME *subject = X509_get_subject_name(cert);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
	if (at < 0)
		return only_mail(cert, out, size);
	/* Of two nobody can say which is meant. */
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return false;
	return take_user(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)),
			 out, size);
}

/* errno for what SSL_read or SSL_write said; 0 is close_notify. */
static int trouble(SSL *ssl, int rc)
{
	int system = errno;

	switch (SSL_get_error(ssl, rc)) {
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return EAGAIN;
	case SSL_ERROR_SYSCALL:
		return system ? system : EPIPE;
	}
	return ERR_GET_REASON(ERR_peek_last_error()) ==
	       SSL_R_UNEXPECTED_EOF_WHILE_READING ? EPIPE : EPROTO;
}

ssize_t tls_recv(struct ssl_st *tls, void *out, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t n = 0;

		ERR_clear_error();
		errno = 0;
		int rc = SSL_read_ex(tls, (char *)out + done, size - done, &n);
		done += n;
		if (rc == 1)
			continue;
		/* What ended it will be said again when nothing else is left. */
		if (done > 0)
			break;
		errno = trouble(tls, rc);
		return errno ? -1 : 0;
	}
	return (ssize_t)done;
}

ssize_t tls_send(struct ssl_st *tls, const void *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		size_t n = 0;

		ERR_clear_error();
		errno = 0;
		int rc = SSL_write_ex(tls, (const char *)bytes + done,
				      size - done, &n);
		done += n;
		if (rc == 1)
			continue;
		if (done > 0)
			break;
		errno = trouble(tls, rc);
		if (!errno)
			errno = EPIPE;
		return -1;
	}
	return (ssize_t)done;
}

bool tls_shutdown(struct ssl_st *tls)
{
	ERR_clear_error();
	int rc = SSL_shutdown(tls);

	return rc >= 0 || SSL_get_error(tls, rc) != SSL_ERROR_WANT_WRITE;
}

void tls_free(struct ssl_st *tls)
{
	SSL_free(tls);
}
