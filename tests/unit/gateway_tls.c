/* TLS at the doors: who the certificate names, half-close and loss, bulk both
 * ways, new keys beside old connections, and who is turned away. */
#include "tests/unit/gateway_lab.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

enum { BULK = 8 * 1024 * 1024 };

static struct lab lab;
static uint16_t direct, proxy, native, machine_port;
static int machine_listen;

struct identity {
	EVP_PKEY *key;
	X509 *cert;
};

static void add(X509 *cert, X509 *issuer, int nid, const char *value)
{
	X509V3_CTX ctx;

	X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
	X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
	X509_add_ext(cert, e, -1);
	X509_EXTENSION_free(e);
}

/* Signed by ca, or by itself.  second: another CN; mail: subjectAltName. */
static struct identity make(const char *cn, const char *second, const char *mail,
			    const struct identity *ca)
{
	static long serial;
	struct identity id = { EVP_EC_gen("P-256"), X509_new() };
	X509_NAME *name = X509_get_subject_name(id.cert);

	X509_set_version(id.cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial);
	X509_gmtime_adj(X509_getm_notBefore(id.cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(id.cert), 3600);
	X509_set_pubkey(id.cert, id.key);
	X509_NAME_add_entry_by_txt(name, "O", MBSTRING_ASC, (const uint8_t *)"test", -1, -1, 0);
	if (cn)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)cn, -1, -1, 0);
	if (second)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const uint8_t *)second, -1, -1, 0);
	X509_set_issuer_name(id.cert, ca ? X509_get_subject_name(ca->cert) : name);
	add(id.cert, ca ? ca->cert : id.cert, NID_basic_constraints,
	    ca ? "CA:FALSE" : "critical,CA:TRUE");
	if (mail)
		add(id.cert, ca->cert, NID_subject_alt_name, mail);
	if (!X509_sign(id.cert, ca ? ca->key : id.key, EVP_sha256()))
		tap_bail("no certificate");
	return id;
}

static struct identity ca, other_ca, server;

/* The PEM of certificate, key or both at the end of out. */
static uint32_t pem(char *out, const X509 *cert, const EVP_PKEY *key)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;

	if (cert)
		PEM_write_bio_X509(bio, (X509 *)(uintptr_t)cert);
	if (key)
		PEM_write_bio_PrivateKey(bio, (EVP_PKEY *)(uintptr_t)key, NULL, NULL, 0, NULL, NULL);
	long n = BIO_get_mem_data(bio, &bytes);
	memcpy(out, bytes, (size_t)n);
	BIO_free(bio);
	return (uint32_t)n;
}

static void send_keys(const char *name, const struct identity *id, bool clients)
{
	static char bytes[32768];
	struct message m = { .type = WIRE_TYPE_gateway_tls, .fd_count = 1 };
	uint32_t at = pem(bytes, id->cert, NULL);

	m.gateway_tls = (struct wire_gateway_tls){ .name = slice_of(name),
		.certificate = at, .client_required = clients };
	at += m.gateway_tls.key = pem(bytes + at, NULL, id->key);
	if (clients)
		at += m.gateway_tls.client_ca = pem(bytes + at, ca.cert, NULL);
	m.fds[0] = wire_memfd(bytes, at, NULL);
	m.fds[1] = -1;
	lab_send(&lab, &m);
	close(m.fds[0]);
}

static uint16_t offer(uint64_t id, const char *name, enum wire_door door,
		      enum wire_user_source source)
{
	uint16_t port = 0;
	int fd = lab_listen(&port);
	struct message m = {
		.type = WIRE_TYPE_gateway_listener, .fds = { fd, -1 },
		.fd_count = 1,
		.gateway_listener = {
			.listener = id, .name = slice_of(name),
			.door = (uint8_t)door, .user_source = (uint8_t)source,
			.user = slice_of(source == WIRE_USER_FIXED ? "kiosk" : ""),
			.application = SLICE("mail"), .opening_ms = 700, .tls = 1,
		},
	};

	lab_send(&lab, &m);
	close(fd);
	return port;
}

struct client {
	int fd;
	SSL *tls;
	X509 *server;		/* what it showed */
};

static struct client dial(uint16_t port, const struct identity *id, int version,
			  const char *alpn)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	struct client c = { .fd = lab_dial(port), .tls = SSL_new(ctx) };

	SSL_set_fd(c.tls, c.fd);
	if (version) {
		SSL_set_security_level(c.tls, 0);
		SSL_set_min_proto_version(c.tls, version);
		SSL_set_max_proto_version(c.tls, version);
	}
	if (id) {
		SSL_use_certificate(c.tls, id->cert);
		SSL_use_PrivateKey(c.tls, id->key);
	}
	if (alpn)
		SSL_set_alpn_protos(c.tls, (const uint8_t *)alpn, (unsigned)strlen(alpn));
	if (SSL_connect(c.tls) != 1) {
		SSL_free(c.tls);
		c.tls = NULL;
	} else {
		c.server = SSL_get1_peer_certificate(c.tls);
	}
	SSL_CTX_free(ctx);
	return c;
}

static void hang_up(struct client *c)
{
	X509_free(c->server);
	SSL_free(c->tls);
	close(c->fd);
	*c = (struct client){ .fd = -1 };
}

static int assign(uint64_t session, const char *user)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_session_request);

	ok(slice_is(m.session_request.user, user), "asked by \"%s\"", user);
	ok(slice_is(m.session_request.application, "mail"), "for mail");
	lab_assign(&lab, (struct lab_assign){
		.conn = m.session_request.conn, .session = session, .machine = 7,
		.incarnation = 4, .endpoint = WIRE_ENDPOINT_TCP,
		.identity = WIRE_IDENTITY_NONE, .port = machine_port });
	int machine = lab_accept(machine_listen);
	lab_expect(&lab, WIRE_TYPE_session_accepted);
	return machine;
}

static bool tls_hears(struct client *c, const char *text)
{
	char got[256] = "";
	size_t n = 0, want = strlen(text);

	while (n < want) {
		int now = SSL_read(c->tls, got + n, (int)(want - n));

		if (now <= 0)
			return false;
		n += (size_t)now;
	}
	return !strcmp(got, text);
}

static void ends(enum wire_end how, const char *text)
{
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);

	is_int(m.session_ended.how, how, "that end");
	ok(slice_is(m.session_ended.text, text), "because \"%s\"", text);
}

static void test_half_close(int version)
{
	struct identity anna = make("anna", NULL, NULL, &ca);
	struct client c = dial(direct, &anna, version, "\x08http/1.1");

	if (!ok(c.tls != NULL, "a client with a certificate"))
		tap_bail("%s", ERR_error_string(ERR_get_error(), NULL));
	/* Before there is a machine, and the end behind it. */
	SSL_write(c.tls, "question", 8);
	SSL_shutdown(c.tls);
	int machine = assign(401, "anna");
	ok(lab_hears(machine, "question"), "early data reaches the machine");
	is_int(lab_end(machine), 0, "close_notify is a half-close");
	lab_says(machine, "answer");
	ok(tls_hears(&c, "answer"), "the other half goes on");
	close(machine);
	is_int(SSL_read(c.tls, (char[1]){ 0 }, 1), 0, "the machine's close");
	is_int(SSL_get_shutdown(c.tls) & SSL_RECEIVED_SHUTDOWN, SSL_RECEIVED_SHUTDOWN,
	       "is a close_notify");
	ends(WIRE_END_CLOSED, "");
	hang_up(&c);
}

static void test_loss(void)
{
	struct identity anna = make("anna", NULL, NULL, &ca);
	struct client c = dial(direct, &anna, 0, NULL);
	int machine = assign(411, "anna");

	SSL_write(c.tls, "x", 1);
	ok(lab_hears(machine, "x"), "a session flows");
	shutdown(c.fd, SHUT_WR);
	ok(lab_end(machine) >= 0, "a bare FIN is no end of the bytes");
	ends(WIRE_END_LOST, "the client closed without close_notify");
	hang_up(&c);
	close(machine);

	/* Who has all there is may go without a word. */
	c = dial(direct, &anna, 0, NULL);
	machine = assign(412, "anna");
	lab_says(machine, "all");
	close(machine);
	ok(tls_hears(&c, "all"), "the machine says all and closes");
	SSL_read(c.tls, (char[1]){ 0 }, 1);
	shutdown(c.fd, SHUT_WR);
	ends(WIRE_END_CLOSED, "");
	hang_up(&c);

	c = dial(direct, &anna, 0, NULL);
	machine = assign(413, "anna");
	lab_reset(machine);
	is_int(lab_expect(&lab, WIRE_TYPE_session_ended).session_ended.how,
	       WIRE_END_MACHINE, "a broken machine");
	ok(SSL_read(c.tls, (char[1]){ 0 }, 1) < 0 &&
	   !(SSL_get_shutdown(c.tls) & SSL_RECEIVED_SHUTDOWN),
	   "is no orderly end for the client");
	hang_up(&c);
}

/* Both directions at once, more than any buffer holds, compared by sum. */
static void test_bulk(void)
{
	static uint8_t block[65536], got[65536];
	struct identity anna = make("anna", NULL, NULL, &ca);
	struct client c = dial(direct, &anna, 0, NULL);
	int machine = assign(421, "anna");
	size_t to = 0, from = 0, back = 0, sent = 0;
	bool same = true;

	for (size_t i = 0; i < sizeof(block); i++)
		block[i] = (uint8_t)(i * 31 >> 3);
	fcntl(c.fd, F_SETFL, O_NONBLOCK);
	SSL_set_mode(c.tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	int64_t until = lab_now_ms() + LAB_WAIT_MS;
	while ((from < BULK || back < BULK) && lab_now_ms() < until) {
		ssize_t n;

		if (to < BULK && (n = SSL_write(c.tls, block + to % 65536, (int)(65536 - to % 65536))) > 0)
			to += (size_t)n;
		if (sent < BULK && (n = send(machine, block + sent % 65536, 65536 - sent % 65536, MSG_DONTWAIT)) > 0)
			sent += (size_t)n;
		if ((n = recv(machine, got, sizeof(got) - from % 65536, MSG_DONTWAIT)) > 0) {
			same &= !memcmp(got, block + from % 65536, (size_t)n);
			from += (size_t)n;
		}
		if ((n = SSL_read(c.tls, got, (int)(sizeof(got) - back % 65536))) > 0) {
			same &= !memcmp(got, block + back % 65536, (size_t)n);
			back += (size_t)n;
		}
	}
	is_int(from, BULK, "all bytes reach the machine");
	is_int(back, BULK, "and the client");
	ok(same, "in order and whole");
	SSL_shutdown(c.tls);
	is_int(lab_end(machine), 0, "then the half-close");
	close(machine);
	struct message m = lab_expect(&lab, WIRE_TYPE_session_ended);
	is_int(m.session_ended.bytes_in, BULK, "counted in");
	is_int(m.session_ended.bytes_out, BULK, "counted out");
	hang_up(&c);
}

/* Refused in the handshake or told so by TLS; the engine hears nothing. */
static void refused(uint16_t port, const struct identity *id, int version,
		    const char *alpn, const char *what)
{
	struct client c = dial(port, id, version, alpn);
	char byte;

	ok(!c.tls || SSL_read(c.tls, &byte, 1) <= 0, "%s", what);
	ERR_clear_error();
	hang_up(&c);
}

static void test_refused(void)
{
	struct identity stranger = make("anna", NULL, NULL, &other_ca);
	struct identity nameless = make(NULL, NULL, NULL, &ca);
	struct identity twofold = make("anna", "root", NULL, &ca);
	struct identity odd = make("anna smith", NULL, NULL, &ca);
	struct identity mail = make(NULL, NULL, "email:anna@example.org", &ca);
	struct identity mails = make(NULL, NULL, "email:a@x.org,email:b@x.org", &ca);
	struct identity anna = make("anna", NULL, NULL, &ca);

	refused(direct, NULL, 0, NULL, "no certificate");
	refused(direct, &stranger, 0, NULL, "a certificate of another CA");
	refused(direct, &nameless, 0, NULL, "a certificate without a name");
	refused(direct, &twofold, 0, NULL, "a certificate with two names");
	refused(direct, &odd, 0, NULL, "a name that no user can have");
	refused(direct, &mails, 0, NULL, "two addresses");
	refused(direct, &anna, TLS1_1_VERSION, NULL, "TLS 1.1");
	refused(proxy, NULL, 0, "\2h2", "a protocol the door does not speak");
	ok(lab_quiet(&lab, 50), "the engine heard of none of these");
	struct client c = dial(direct, &mail, 0, NULL);
	close(assign(431, "anna@example.org"));
	hang_up(&c);
	lab_expect(&lab, WIRE_TYPE_session_ended);

	/* Plain bytes, half a hello, silence: the same deadline for all. */
	int plain = lab_dial(direct), half = lab_dial(direct), silent = lab_dial(direct);
	lab_says(plain, "GET / HTTP/1.1\r\n\r\n");
	lab_write(half, "\x16\x03\x01\x02\x00\x01", 6);
	ok(lab_end(plain) >= 0, "plain text is turned away");
	ok(lab_end(half) >= 0, "so is half a hello, at the deadline");
	ok(lab_end(silent) >= 0, "and silence");
	close(plain);
	close(half);
	close(silent);
	ok(lab_quiet(&lab, 20), "the engine heard of none");
}

static void test_other_doors(void)
{
	static const char request[] = "CONNECT mail:25 HTTP/1.1\r\nHost: mail\r\n\r\nquestion";
	struct client c = dial(proxy, NULL, 0, "\2h2\x08http/1.1");
	const uint8_t *chosen;
	unsigned n;

	SSL_get0_alpn_selected(c.tls, &chosen, &n);
	ok(n == 8 && !memcmp(chosen, "http/1.1", 8), "ALPN: http/1.1");
	for (size_t i = 0; i < sizeof(request) - 1; i++)
		SSL_write(c.tls, request + i, 1);
	int machine = assign(441, "kiosk");
	ok(tls_hears(&c, "HTTP/1.1 200 Connection established\r\nRemuda-Session: session/441\r\n\r\n"),
	   "connect over TLS");
	ok(lab_hears(machine, "question"), "with early data");
	SSL_shutdown(c.tls);
	is_int(lab_end(machine), 0, "and a half-close");
	close(machine);
	ends(WIRE_END_CLOSED, "");
	hang_up(&c);

	struct identity anna = make("anna", NULL, NULL, &ca);
	struct native_builder b;
	uint8_t header[NATIVE_HEADER_SIZE];
	struct native_header h;

	c = dial(native, &anna, 0, NULL);
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION, 1);
	native_put_text(&b, NATIVE_TAG_USER, "root");
	SSL_write(c.tls, b.bytes, (int)native_finish(&b));
	native_begin(&b, NATIVE_ALLOCATE, 0);
	native_put_text(&b, NATIVE_TAG_APPLICATION, "mail");
	SSL_write(c.tls, b.bytes, (int)native_finish(&b));
	machine = assign(442, "anna");
	ok(SSL_read(c.tls, header, 8) == 8 && native_get_header(header, &h) == 0 &&
	   h.type == NATIVE_HELLO, "native over TLS; what it says of its user does not count");
	close(machine);
	shutdown(c.fd, SHUT_WR);
	lab_expect(&lab, WIRE_TYPE_session_ended);
	hang_up(&c);
}

static void test_new_keys(void)
{
	struct identity anna = make("anna", NULL, NULL, &ca);
	struct identity renewed = make("gateway", NULL, NULL, &ca);
	struct client before = dial(direct, &anna, 0, NULL), after;
	int old = assign(451, "anna"), machine;

	send_keys("direct", &renewed, true);
	int64_t until = lab_now_ms() + LAB_WAIT_MS;
	bool seen = false;
	for (uint64_t n = 452; !seen && lab_now_ms() < until; n++) {
		after = dial(direct, &anna, 0, NULL);
		machine = assign(n, "anna");
		seen = X509_cmp(after.server, renewed.cert) == 0;
		close(machine);
		hang_up(&after);
		lab_expect(&lab, WIRE_TYPE_session_ended);
	}
	ok(seen, "new connections get the new certificate");
	SSL_write(before.tls, "still", 5);
	ok(lab_hears(old, "still"), "an old one goes on");
	lab_says(old, "here");
	ok(tls_hears(&before, "here"), "in both directions");
	SSL_shutdown(before.tls);
	close(old);
	ends(WIRE_END_CLOSED, "");
	hang_up(&before);
}

int main(void)
{
	lab_start(&lab, (struct gateway_limits){ 0 });
	lab_greet(&lab);
	machine_listen = lab_listen(&machine_port);
	ca = make("test CA", NULL, NULL, NULL);
	other_ca = make("test CA", NULL, NULL, NULL);
	server = make("gateway", NULL, NULL, &ca);
	direct = offer(71, "direct", WIRE_DOOR_DIRECT, WIRE_USER_CERTIFICATE);
	proxy = offer(72, "proxy", WIRE_DOOR_CONNECT, WIRE_USER_FIXED);
	native = offer(73, "native", WIRE_DOOR_NATIVE, WIRE_USER_CERTIFICATE);
	int early = lab_dial(direct);
	ok(lab_quiet(&lab, 50), "without keys a listener does not answer");
	close(early);
	send_keys("direct", &server, true);
	send_keys("proxy", &server, false);
	send_keys("native", &server, true);
	test_half_close(TLS1_3_VERSION);
	test_half_close(TLS1_2_VERSION);
	test_loss();
	test_bulk();
	test_refused();
	test_other_doors();
	test_new_keys();
	lab_stop(&lab);
	return tap_done();
}
