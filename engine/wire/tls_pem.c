/* TLS contexts from PEM; see tls_pem.h. */
#include "engine/wire/tls_pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#include "engine/base/error.h"

struct loading {
	const struct tls_pem *pem;
	SSL_CTX *ctx;
	struct error *err;
	int64_t expires_ms;
	enum tls_pem_part expires_part;
};

static int bad(struct loading *l, enum tls_pem_part part, const char *what)
{
	return error_set(l->err, "%s: %s", l->pem->name[part], what);
}

static BIO *reader(const struct loading *l, enum tls_pem_part part)
{
	return BIO_new_mem_buf(l->pem->part[part].ptr,
			       (int)l->pem->part[part].length);
}

/* No terminal may be asked: the engine has none. */
static int no_passphrase(char *out, int size, int writing, void *arg)
{
	(void)out;
	(void)size;
	(void)writing;
	(void)arg;
	return -1;
}

static void note_end(struct loading *l, enum tls_pem_part part, const X509 *cert)
{
	struct tm end;

	if (!ASN1_TIME_to_tm(X509_get0_notAfter(cert), &end))
		return;
	int64_t ms = (int64_t)timegm(&end) * 1000;
	if (ms < l->expires_ms) {
		l->expires_ms = ms;
		l->expires_part = part;
	}
}

/* Gives each certificate of a part to use (which takes it over when it
 * returns 1); returns how many there were, or -1. */
static int each_certificate(struct loading *l, enum tls_pem_part part,
			    int (*use)(struct loading *l, X509 *cert, int i))
{
	BIO *in = reader(l, part);
	X509 *cert;
	int count = 0;

	while (in && (cert = PEM_read_bio_X509_AUX(in, NULL, no_passphrase, NULL))) {
		note_end(l, part, cert);
		if (!use(l, cert, count)) {
			X509_free(cert);
			count = -1;
			break;
		}
		count++;
	}
	BIO_free(in);
	ERR_clear_error();
	if (count < 0)
		return bad(l, part, "a certificate in it cannot be used");
	if (count == 0)
		return bad(l, part, "no certificate in PEM form is in it");
	return count;
}

static int use_server(struct loading *l, X509 *cert, int i)
{
	if (i > 0)
		return (int)SSL_CTX_add0_chain_cert(l->ctx, cert);
	if (SSL_CTX_use_certificate(l->ctx, cert) != 1)
		return 0;
	X509_free(cert);	/* counted by the context */
	return 1;
}

static int use_authority(struct loading *l, X509 *cert, int i)
{
	X509_STORE *store = SSL_CTX_get_cert_store(l->ctx);

	(void)i;
	if (X509_STORE_add_cert(store, cert) != 1 ||
	    SSL_CTX_add_client_CA(l->ctx, cert) != 1)
		return 0;
	X509_free(cert);
	return 1;
}

static int load_key(struct loading *l)
{
	BIO *in = reader(l, TLS_PEM_KEY);
	EVP_PKEY *key = in ? PEM_read_bio_PrivateKey(in, NULL, no_passphrase,
						     NULL) : NULL;
	int rc = 0;

	BIO_free(in);
	if (!key)
		rc = bad(l, TLS_PEM_KEY, "no private key without a passphrase is in it");
	else if (SSL_CTX_use_PrivateKey(l->ctx, key) != 1 ||
		 SSL_CTX_check_private_key(l->ctx) != 1)
		rc = error_set(l->err, "%s: it is not the key of the certificate in %s",
			       l->pem->name[TLS_PEM_KEY],
			       l->pem->name[TLS_PEM_CERTIFICATE]);
	EVP_PKEY_free(key);
	ERR_clear_error();
	return rc;
}

static int load(struct loading *l)
{
	if (each_certificate(l, TLS_PEM_CERTIFICATE, use_server) < 0 ||
	    load_key(l) < 0)
		return -1;
	if (!l->pem->part[TLS_PEM_CLIENT_CA].length)
		return 0;
	if (each_certificate(l, TLS_PEM_CLIENT_CA, use_authority) < 0)
		return -1;
	SSL_CTX_set_verify(l->ctx, l->pem->client_required ?
			   SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT :
			   SSL_VERIFY_PEER, NULL);
	return 0;
}

struct ssl_ctx_st *tls_pem_context(const struct tls_pem *pem,
				   int64_t *expires_wall_ms,
				   enum tls_pem_part *expires_part,
				   struct error *err)
{
	struct loading l = { .pem = pem, .err = err, .expires_ms = INT64_MAX,
			     .ctx = SSL_CTX_new(TLS_server_method()) };

	if (!l.ctx) {
		error_set(err, "TLS: out of memory");
		return NULL;
	}
	SSL_CTX_set_min_proto_version(l.ctx, TLS1_2_VERSION);
	SSL_CTX_set_options(l.ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET |
				   SSL_OP_NO_COMPRESSION | SSL_OP_ENABLE_KTLS);
	SSL_CTX_set_session_cache_mode(l.ctx, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_num_tickets(l.ctx, 0);
	SSL_CTX_set_max_cert_list(l.ctx, TLS_PEM_PEER_MAX);
	SSL_CTX_set_mode(l.ctx, SSL_MODE_ENABLE_PARTIAL_WRITE |
				SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
				SSL_MODE_RELEASE_BUFFERS);
	if (load(&l) < 0) {
		SSL_CTX_free(l.ctx);
		return NULL;
	}
	if (expires_wall_ms)
		*expires_wall_ms = l.expires_ms;
	if (expires_part)
		*expires_part = l.expires_part;
	return l.ctx;
}
