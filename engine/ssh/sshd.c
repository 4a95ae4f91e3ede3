/*
 * One ssh client: login, channels, the end; see sshd.h.  Owner of libssh.
 *
 * Login waits, for a client has nothing else till then; after it one loop over
 * poll(2), and libssh's session never waits.  How long a client may take, and
 * how many there may be, is the gateway's: it ends this process.
 */
#include "engine/ssh/sshd.h"

#include <libssh/libssh.h>
#include <libssh/server.h>
#include <errno.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/list.h"
#include "engine/base/log.h"
#include "engine/ssh/tunnel.h"
#include "engine/wire/message.h"
#include "engine/wire/sshkey.h"

enum { TRIES_MAX = 12, USER_SIZE = 64, PAGES_MAX = 8, WAIT_MS = 60 * 1000 };

/* No file is needed: Diffie-Hellman groups of /etc/ssh/moduli are left out. */
static const char exchanges[] =
	"curve25519-sha256,curve25519-sha256@libssh.org,ecdh-sha2-nistp256,"
	"ecdh-sha2-nistp384,ecdh-sha2-nistp521";

struct sshd {
	int client_fd, gateway_fd;
	ssh_bind bind;
	ssh_session session;
	ssh_event event;
	bool known, told;	/* logged in; heard why a key is refused */
	int tries;
	struct list tunnels;
	unsigned channels;	/* ever opened */
	ssh_channel pages[PAGES_MAX];	/* ssh GATEWAY without an application */
	unsigned page_count;
	struct wire_buffer packet;
};

static const char page[] =
	"This is a gateway to machines; it has no shell of its own.\r\n"
	"Name an application:  ssh -J THIS-HOST APPLICATION\r\n";

/* ---- login ------------------------------------------------------------------ */

/* The first time a key is refused the client hears why. */
static void tell(struct sshd *s, struct slice text)
{
	char said[256];

	if (!text.length || s->told)
		return;
	text_display(said, sizeof(said) - 2, text.ptr, text.length);
	strncat(said, "\r\n", sizeof(said) - strlen(said) - 1);
	ssh_string banner = ssh_string_from_char(said);
	ssh_send_issue_banner(s->session, banner);
	ssh_string_free(banner);
	s->told = true;
}

/* The gateway's word on a key.  Waits: until then a client has nothing. */
static bool ask(struct sshd *s, const struct message *m)
{
	struct pollfd p = { .fd = s->gateway_fd, .events = POLLIN };
	struct message answer;
	struct error err;
	bool right = false;
	int rc = wire_send(s->gateway_fd, m, &err);

	if (rc <= 0)
		return false;
	do
		rc = wire_receive(s->gateway_fd, &s->packet, &answer, &err);
	while (rc == 0 && (poll(&p, 1, -1) >= 0 || errno == EINTR));
	if (rc <= 0)	/* the gateway is gone, and takes this process with it */
		exit(1);
	if (answer.type == WIRE_TYPE_ssh_answer) {
		right = answer.ssh_answer.ok;
		if (!right)
			tell(s, answer.ssh_answer.text);
	}
	wire_close_fds(&answer);
	return right;
}

/* libssh calls these deprecated for a callback, and with callbacks answers
 * direct-tcpip by itself: no. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
static ssh_key key_of(ssh_message m, enum ssh_publickey_state_e *state)
{
	*state = ssh_message_auth_publickey_state(m);
	return ssh_message_auth_pubkey(m);
}
#pragma GCC diagnostic pop

/* A key and, proven, its signature; true: answered. */
static bool on_key(struct sshd *s, ssh_message m)
{
	const char *user = ssh_message_auth_user(m);
	enum ssh_publickey_state_e state;
	ssh_key key = key_of(m, &state);
	bool proven = state == SSH_PUBLICKEY_STATE_VALID, right = false;
	char *base64 = NULL;

	/* SSH_PUBLICKEY_STATE_NONE asks, anything else is a bad signature. */
	if (s->known || !user || strlen(user) >= USER_SIZE ||
	    (!proven && state != SSH_PUBLICKEY_STATE_NONE) ||
	    ssh_pki_export_pubkey_base64(key, &base64) != SSH_OK)
		return false;
	const struct message ask_for = {
		.type = WIRE_TYPE_ssh_offer,
		.ssh_offer = { .user = slice_of(user), .key = slice_of(base64),
			       .proven = proven },
	};
	if (strlen(base64) < SSHKEY_TEXT_MAX)
		right = ask(s, &ask_for);
	ssh_string_free_char(base64);
	if (!right)
		return false;
	s->known = proven;
	return (proven ? ssh_message_auth_reply_success(m, 0) :
			 ssh_message_auth_reply_pk_ok_simple(m)) == SSH_OK;
}

static bool on_login(struct sshd *s, ssh_message m)
{
	if (ssh_message_subtype(m) == SSH_AUTH_METHOD_PUBLICKEY && on_key(s, m))
		return true;
	ssh_message_auth_set_methods(m, SSH_AUTH_METHOD_PUBLICKEY);
	if (++s->tries == TRIES_MAX) {
		ssh_session_set_disconnect_message(s->session, "too many keys were tried");
		ssh_disconnect(s->session);
	}
	return false;
}

/* ---- the process --------------------------------------------------------- */

/* What a broken-in process must not do; all it needs is open already. */
static int confine(struct error *err)
{
	static const int denied[] = {
		SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(creat),
		SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(socket),
		SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(listen),
		SCMP_SYS(fork), SCMP_SYS(vfork), SCMP_SYS(clone),
		SCMP_SYS(ptrace), SCMP_SYS(process_vm_readv),
		SCMP_SYS(process_vm_writev), SCMP_SYS(kill), SCMP_SYS(tkill),
		SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
		SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(mount),
		SCMP_SYS(io_uring_setup), SCMP_SYS(setuid), SCMP_SYS(setgid),
	};
	const struct rlimit none = { 0, 0 }, files = { TUNNELS_MAX + 64, TUNNELS_MAX + 64 };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = filter ? 0 : -1;

	setrlimit(RLIMIT_CORE, &none);
	setrlimit(RLIMIT_NOFILE, &files);
	prctl(PR_SET_DUMPABLE, 0);
	for (size_t i = 0; rc == 0 && i < sizeof(denied) / sizeof(denied[0]); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(EPERM), denied[i], 0);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	return rc == 0 ? 0 : error_set(err, "seccomp: %s", strerror(-rc));
}

static int host_key(struct sshd *s, int fd, struct error *err)
{
	size_t length;
	char *text = wire_read_memfd(fd, SSHKEY_PRIVATE_MAX, &length, err);
	ssh_key key = NULL;
	bool no = false;

	close(fd);
	if (!text)
		return -1;
	int rc = ssh_pki_import_privkey_base64(text, NULL, NULL, NULL, &key);
	explicit_bzero(text, length);
	free(text);
	if (rc != SSH_OK)
		return error_set(err, "libssh does not read the host key");
	/* Order counts: a configuration file would be read first. */
	ssh_bind_options_set(s->bind, SSH_BIND_OPTIONS_PROCESS_CONFIG, &no);
	ssh_bind_options_set(s->bind, SSH_BIND_OPTIONS_KEY_EXCHANGE, exchanges);
	if (ssh_bind_options_set(s->bind, SSH_BIND_OPTIONS_IMPORT_KEY, key) < 0) {
		ssh_key_free(key);
		return error_set(err, "%s", ssh_get_error(s->bind));
	}
	return 0;
}

/* Key exchange.  Waits: nothing else is to be done, and the gateway's death
 * or its word ends the process. */
static int greet(struct sshd *s, int key_fd, struct error *err)
{
	s->bind = ssh_bind_new();
	s->session = ssh_new();
	if (!s->bind || !s->session)
		return error_set(err, "out of memory");
	if (host_key(s, key_fd, err) < 0 || confine(err) < 0)
		return -1;
	if (ssh_bind_accept_fd(s->bind, s->session, s->client_fd) != SSH_OK)
		return error_set(err, "%s", ssh_get_error(s->bind));
	ssh_set_auth_methods(s->session, SSH_AUTH_METHOD_PUBLICKEY);
	if (ssh_handle_key_exchange(s->session) != SSH_OK)
		return error_set(err, "key exchange: %s", ssh_get_error(s->session));
	ssh_set_blocking(s->session, 0);
	s->event = ssh_event_new();
	if (!s->event || ssh_event_add_session(s->event, s->session) != SSH_OK)
		return error_set(err, "out of memory");
	return 0;
}

/* ---- channels ------------------------------------------------------------------ */

/* A terminal or a command instead of a tunnel: a few words. */
static bool open_page(struct sshd *s, ssh_message m)
{
	ssh_channel channel = NULL;

	if (s->page_count < PAGES_MAX)
		channel = ssh_message_channel_request_open_reply_accept(m);
	if (channel)
		s->pages[s->page_count++] = channel;
	return channel != NULL;
}

static bool show_page(ssh_message m)
{
	ssh_channel channel = ssh_message_channel_request_channel(m);

	switch (ssh_message_subtype(m)) {
	case SSH_CHANNEL_REQUEST_PTY:
	case SSH_CHANNEL_REQUEST_ENV:
		return ssh_message_channel_request_reply_success(m) == SSH_OK;
	case SSH_CHANNEL_REQUEST_SHELL:
	case SSH_CHANNEL_REQUEST_EXEC:
		break;
	default:
		return false;
	}
	ssh_message_channel_request_reply_success(m);
	ssh_channel_write_stderr(channel, page, sizeof(page) - 1);
	ssh_channel_request_send_exit_status(channel, 1);
	ssh_channel_send_eof(channel);
	ssh_channel_close(channel);
	return true;
}

static void on_message(struct sshd *s, ssh_message m)
{
	int subtype = ssh_message_subtype(m);
	bool done = false;

	switch (ssh_message_type(m)) {
	case SSH_REQUEST_AUTH:
		done = on_login(s, m);
		break;
	case SSH_REQUEST_CHANNEL_OPEN:
		if (s->known && subtype == SSH_CHANNEL_DIRECT_TCPIP) {
			tunnel_open(s->session, &s->tunnels, s->gateway_fd, m,
				    s->channels++ == 0);
			return;
		}
		if (s->known && subtype == SSH_CHANNEL_SESSION) {
			s->channels++;
			done = open_page(s, m);
		}
		break;
	case SSH_REQUEST_CHANNEL:
		done = s->known && show_page(m);
		break;
	case SSH_REQUEST_SERVICE:
		done = ssh_message_service_reply_success(m) == SSH_OK;
		break;
	}
	if (!done)
		ssh_message_reply_default(m);
	ssh_message_free(m);
}

/* ---- the loop ---------------------------------------------------------------------- */

static bool session_lives(const struct sshd *s)
{
	return ssh_is_connected(s->session) &&
	       !(ssh_get_status(s->session) & (SSH_CLOSED | SSH_CLOSED_ERROR));
}

/* After the login it has nothing to say but that it is over. */
static bool gateway_lives(struct sshd *s)
{
	struct message m;
	struct error err;

	return wire_receive(s->gateway_fd, &s->packet, &m, &err) == 0;
}

static bool hear_client(struct sshd *s)
{
	ssh_message m;

	if (ssh_event_dopoll(s->event, 0) == SSH_ERROR)
		return false;
	while (session_lives(s) && (m = ssh_message_get(s->session)))
		on_message(s, m);
	return session_lives(s);
}

static size_t watch(struct sshd *s, struct pollfd *fds)
{
	size_t n = 2;

	fds[0] = (struct pollfd){ .fd = s->client_fd, .events = POLLIN };
	if (ssh_get_poll_flags(s->session) & SSH_WRITE_PENDING)
		fds[0].events |= POLLOUT;
	fds[1] = (struct pollfd){ .fd = s->gateway_fd, .events = POLLIN };
	LIST_EACH(&s->tunnels, it) {
		struct tunnel *t = LIST_ENTRY(it, struct tunnel, link);
		short wants = tunnel_wants(t, s->session);

		/* HUP is told unasked, and for ever: a fd that is not read is
		 * not watched. */
		fds[n++] = (struct pollfd){ .fd = wants ? t->fd : -1, .events = wants };
	}
	return n;
}

static bool turn(struct sshd *s)
{
	struct pollfd fds[2 + TUNNELS_MAX + 1];
	size_t n = watch(s, fds), i = 2;

	if (poll(fds, n, WAIT_MS) < 0 && errno != EINTR)
		return false;
	LIST_EACH(&s->tunnels, it)
		LIST_ENTRY(it, struct tunnel, link)->events = fds[i++].revents;
	if (fds[1].revents && !gateway_lives(s))
		return false;
	if (!hear_client(s))
		return false;
	LIST_EACH(&s->tunnels, it)
		if (!tunnel_pump(LIST_ENTRY(it, struct tunnel, link), s->session) &&
		    !session_lives(s))
			return false;
	return true;
}

/* An orderly leave is told, so that what closes now counts as closed. */
static void leave(struct sshd *s)
{
	static const char goodbye[] = "Received SSH_MSG_DISCONNECT";
	struct message over = { .type = WIRE_TYPE_ssh_over };
	struct error err;

	if (strncmp(ssh_get_error(s->session), goodbye, sizeof(goodbye) - 1) == 0)
		wire_send(s->gateway_fd, &over, &err);
	log_debug("the client is gone: %s", ssh_get_error(s->session));
	LIST_EACH(&s->tunnels, it) {
		struct tunnel *t = LIST_ENTRY(it, struct tunnel, link);

		t->channel = NULL;	/* freed with the session */
		tunnel_close(t);
	}
}

int sshd_run(const struct sshd_options *o)
{
	struct sshd *s = calloc(1, sizeof(*s));
	struct error err = { "" };

	if (!s)
		return 1;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal(SIGPIPE, SIG_IGN);
	s->client_fd = o->client_fd;
	s->gateway_fd = o->gateway_fd;
	list_init(&s->tunnels);
	ssh_init();
	if (greet(s, o->key_fd, &err) < 0) {
		log_debug("%s", err.text);
		return 1;
	}
	while (turn(s))
		;
	leave(s);
	ssh_disconnect(s->session);
	return 0;
}
