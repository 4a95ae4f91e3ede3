/*
 * Who a client is (spec 2.3), before the core hears of its request (S16).
 * Passwords are checked with crypt(3) on a worker thread: a yescrypt takes a
 * tenth of a second.  An unknown user costs the same time as a wrong password.
 */
#include <crypt.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "engine/base/check.h"
#include "engine/loop/shell.h"

enum { PASSWORDS_MAX = 256 };	/* waiting to be checked at once */

/* A hash that no password has, so that unknown users take as long. */
static const char no_such_user[] =
	"$y$j9T$F5Jx5fExrKuPp53xLKQ..1$tnSYvahCwPBHKZUspmcxMfb0.WiB9W.zEaKlOBL35rC";

struct login {
	uv_work_t work;
	struct shell *sh;
	struct event ev;
	char listener[SITE_NAME_SIZE], application[ROW_NAME_SIZE];
	char user[ROW_USER_SIZE], peer[ROW_PEER_SIZE], key[ROW_KEY_SIZE];
	char secret[512], hash[SITE_PASSWORD_SIZE];
	bool right;
};

static unsigned waiting;

static void request_step(struct shell *sh, struct event *ev)
{
	static struct session_row prior;
	char user[ROW_USER_SIZE], key[ROW_KEY_SIZE];
	struct error err;

	text_copy_slice(user, sizeof(user), ev->request.user);
	text_copy_slice(key, sizeof(key), ev->request.key);
	ev->request.nonce = shell_nonce();
	if (key[0]) {
		if (db_find_request(sh->db, user, key, &prior, &err) < 0)
			shell_die(sh, "the store cannot be read: %s", err.text);
		if (prior.id)
			ev->request.prior = &prior;
	}
	shell_step(sh, ev);
}

static void refuse(struct shell *sh, struct event *ev, const char *code,
		   const char *text)
{
	ev->kind = EVENT_REFUSED;
	ev->request.code = slice_of(code);
	ev->request.text = slice_of(text);
	shell_step(sh, ev);
}

static void check_password(uv_work_t *work)
{
	struct login *l = work->data;
	struct crypt_data *data = calloc(1, sizeof(*data));
	const char *got = data ? crypt_r(l->secret, l->hash, data) : NULL;
	size_t n = strlen(l->hash);

	l->right = got && strlen(got) == n && CRYPTO_memcmp(got, l->hash, n) == 0;
	OPENSSL_cleanse(l->secret, sizeof(l->secret));
	free(data);
}

static void password_checked(uv_work_t *work, int status)
{
	struct login *l = work->data;

	waiting--;
	l->ev.request.listener = slice_of(l->listener);
	l->ev.request.application = slice_of(l->application);
	l->ev.request.user = slice_of(l->user);
	l->ev.request.peer = slice_of(l->peer);
	l->ev.request.key = slice_of(l->key);
	if (status == 0 && l->right)
		request_step(l->sh, &l->ev);
	else
		refuse(l->sh, &l->ev, "not_authenticated",
		       "user name or password is wrong");
	free(l);
}

static bool token_right(const struct site_user *u, struct slice secret)
{
	char hex[SITE_HASH_SIZE];

	shell_hash(secret.ptr, secret.length, hex);
	return strlen(u->token) == sizeof(hex) - 1 &&
	       CRYPTO_memcmp(hex, u->token, sizeof(hex) - 1) == 0;
}

/* A bearer token comes without a name; tokens are unique in a site. */
static const struct site_user *by_token(const struct shell *sh, struct slice secret)
{
	const struct site_spec *spec = &sh->world.spec;

	for (size_t i = 0; i < spec->user_count; i++)
		if (spec->users[i].token[0] && token_right(&spec->users[i], secret))
			return &spec->users[i];
	return NULL;
}

static void by_password(struct shell *sh, struct event *ev, struct slice secret)
{
	char name[ROW_USER_SIZE];
	const struct site_user *u;

	if (!ev->request.user.length) {
		u = by_token(sh, secret);
		ev->request.user = slice_of(u ? u->name : "unknown");
		if (u)
			request_step(sh, ev);
		else
			refuse(sh, ev, "not_authenticated",
			       "that is no user's token");
		return;
	}
	text_copy_slice(name, sizeof(name), ev->request.user);
	u = world_user(&sh->world, name);
	if (u && u->token[0] && token_right(u, secret)) {
		request_step(sh, ev);
		return;
	}
	if (waiting >= PASSWORDS_MAX) {
		refuse(sh, ev, "busy", "too many logins at once; try again");
		return;
	}
	struct login *l = calloc(1, sizeof(*l));
	CHECK("", l, "out of memory");
	l->sh = sh;
	l->ev = *ev;
	l->work.data = l;
	text_copy_slice(l->listener, sizeof(l->listener), ev->request.listener);
	text_copy_slice(l->application, sizeof(l->application),
			ev->request.application);
	text_copy_slice(l->user, sizeof(l->user), ev->request.user);
	text_copy_slice(l->peer, sizeof(l->peer), ev->request.peer);
	text_copy_slice(l->key, sizeof(l->key), ev->request.key);
	text_copy_slice(l->secret, sizeof(l->secret), secret);
	TEXT_SET(l->hash, u && u->password[0] ? u->password : no_such_user);
	waiting++;
	uv_queue_work(&sh->loop, &l->work, check_password, password_checked);
}

/* The user of a local uid: named in the site, or its login name. */
static bool by_peer(struct shell *sh, uint32_t uid, char *user, size_t size)
{
	const struct site_spec *spec = &sh->world.spec;
	const struct passwd *pw = getpwuid(uid);

	for (size_t i = 0; i < spec->user_count; i++) {
		const struct site_user *u = &spec->users[i];

		if (u->uid == (int64_t)uid ||
		    (pw && u->login[0] && strcmp(u->login, pw->pw_name) == 0))
			return text_copy(user, size, u->name);
	}
	return spec->peers && pw && text_copy(user, size, pw->pw_name);
}

/* The user of the longest network that holds the client's address. */
static const char *by_network(const struct site_listener *l, struct slice peer)
{
	struct address a = network_address_parse(peer);
	const struct site_network *best = NULL;

	for (size_t i = 0; i < l->network_count; i++) {
		const struct site_network *n = &l->networks[i];

		if (network_holds(&n->network, &a) &&
		    (!best || n->network.bits > best->network.bits))
			best = n;
	}
	return best ? best->user : NULL;
}

static void refuse_unknown(struct shell *sh, struct event *ev, const char *text)
{
	ev->request.user = SLICE("unknown");
	refuse(sh, ev, "not_authenticated", text);
}

static void by_certificate(struct shell *sh, struct event *ev)
{
	char name[ROW_USER_SIZE], text[160];

	text_copy_slice(name, sizeof(name), ev->request.user);
	if (world_user(&sh->world, name)) {
		request_step(sh, ev);
		return;
	}
	snprintf(text, sizeof(text), "the certificate's name \"%.60s\" is no user of this site",
		 name);
	refuse_unknown(sh, ev, text);
}

void auth_request(struct shell *sh, uint32_t gateway, const struct message *m)
{
	const struct wire_session_request *r = &m->session_request;
	const struct listener *l = listeners_by_id(sh, r->listener);
	struct event ev = { .kind = EVENT_REQUEST };
	char user[ROW_USER_SIZE] = "", text[120];

	ev.request.gateway = gateway;
	ev.request.conn = r->conn;
	ev.request.listener = slice_of(l ? l->name : "");
	ev.request.application = r->application;
	ev.request.user = r->user;
	ev.request.peer = r->peer;
	ev.request.key = r->request_id;
	ev.request.wait_ms = r->wait_ms;
	if (!l) {
		refuse(sh, &ev, "refused", "this listener is being closed");
		return;
	}
	/* What the listener says counts, not what the gateway says it says. */
	switch (l->spec.user_source) {
	case USER_FIXED:
		ev.request.user = slice_of(l->spec.user);
		request_step(sh, &ev);
		return;
	case USER_PASSWORD:
		by_password(sh, &ev, r->secret);
		return;
	case USER_CERTIFICATE:
		by_certificate(sh, &ev);
		return;
	case USER_NETWORK:
		if (!by_network(&l->spec, r->peer)) {
			refuse_unknown(sh, &ev, "no user of this listener comes from that address");
			return;
		}
		ev.request.user = slice_of(by_network(&l->spec, r->peer));
		request_step(sh, &ev);
		return;
	case USER_PEER:
		break;
	}
	if (!by_peer(sh, r->uid, user, sizeof(user))) {
		snprintf(text, sizeof(text),
			 "local uid %u is no user of this site; add user \"...\" { uid = %u }",
			 r->uid, r->uid);
		ev.request.user = SLICE("unknown");
		refuse(sh, &ev, "not_authenticated", text);
		return;
	}
	ev.request.user = slice_of(user);
	/* Root and the site's owner may speak for others: tests, operators. */
	if (r->user.length && (r->uid == 0 || r->uid == getuid())) {
		char named[ROW_USER_SIZE];

		text_copy_slice(named, sizeof(named), r->user);
		if (!world_user(&sh->world, named)) {
			refuse(sh, &ev, "not_authenticated",
			       "no user of that name in the site");
			return;
		}
		ev.request.user = r->user;
	}
	request_step(sh, &ev);
}
