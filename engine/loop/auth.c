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
#include "engine/wire/sshkey.h"

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

static const char wrong[] = "user name or password is wrong";

static unsigned waiting;

/* Tickets for the machines of a counted request. */
static void make_grants(struct event *ev)
{
	static struct grant grants[COUNT_MAX];
	uint8_t bytes[20];

	for (uint32_t i = 0; i < ev->request.count; i++) {
		struct grant *g = &grants[i];

		shell_random(bytes, sizeof(bytes));
		for (size_t j = 0; j < sizeof(bytes); j++)
			snprintf(g->ticket + 2 * j, 3, "%02x", bytes[j]);
		shell_hash(g->ticket, strlen(g->ticket), g->hash);
		g->nonce = shell_nonce();
	}
	ev->request.grants = grants;
}

static void request_step(struct shell *sh, struct event *ev)
{
	static struct session_row prior;
	char user[ROW_USER_SIZE], key[ROW_KEY_SIZE];
	struct error err;

	text_copy_slice(user, sizeof(user), ev->request.user);
	text_copy_slice(key, sizeof(key), ev->request.key);
	ev->request.nonce = shell_nonce();
	for (int i = 0; i < ASSIGN_TRIES - 1; i++)
		ev->request.more_nonces[i] = shell_nonce();
	if (ev->request.count)
		make_grants(ev);
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

/* The texts of an event that the throttle counts by. */
struct who {
	char user[ROW_USER_SIZE], peer[ROW_PEER_SIZE];
};

static struct who who_of(const struct event *ev)
{
	struct who who;

	text_copy_slice(who.user, sizeof(who.user), ev->request.user);
	text_copy_slice(who.peer, sizeof(who.peer), ev->request.peer);
	return who;
}

/* A failed login: counted, refused in words that say nothing more. */
static void refuse_login(struct shell *sh, struct event *ev, const char *text)
{
	struct who who = who_of(ev);
	char alarm[ROW_TEXT_SIZE];

	if (throttle_failed(&sh->throttle, who.user, who.peer, shell_now_ms())) {
		snprintf(alarm, sizeof(alarm),
			 "many logins fail for this name or from %s", who.peer);
		ev->request.alarm = slice_of(alarm);
	}
	refuse(sh, ev, "not_authenticated", text);
}

/* True when it was refused without a look at its secret. */
static bool throttled(struct shell *sh, struct event *ev)
{
	struct who who = who_of(ev);
	int64_t ms = throttle_wait_ms(&sh->throttle, who.user, who.peer,
				      shell_now_ms());
	char text[80];

	if (!ms)
		return false;
	snprintf(text, sizeof(text), "too many failed logins; try again in %lld s",
		 (long long)(ms + 999) / 1000);
	ev->request.quiet = true;
	refuse(sh, ev, "throttled", text);
	return true;
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
	if (status == 0 && l->right) {
		throttle_right(&l->sh->throttle, l->user, l->peer);
		request_step(l->sh, &l->ev);
	} else {
		refuse_login(l->sh, &l->ev, wrong);
	}
	free(l);
}

/* The user whose token that is: one of the site's, or one made since. */
static const char *user_of_token(const struct shell *sh, const char *hash)
{
	const struct token *t = dict_get(&sh->world.tokens, hash);
	const struct site_user *u = dict_get(&sh->world.user_tokens, hash);

	if (u)
		return u->name;
	return t ? t->row.user : NULL;
}

/* A secret that is a token of the user, or of anybody where no name is given.
 * Tables are searched by hash: how long it takes tells nothing of a token. */
static bool by_token(struct shell *sh, struct event *ev, struct slice secret)
{
	static char hash[SITE_HASH_SIZE], user[ROW_USER_SIZE];
	const char *owner;

	shell_hash(secret.ptr, secret.length, hash);
	owner = user_of_token(sh, hash);
	if (!owner || (ev->request.user.length && !slice_is(ev->request.user, owner)))
		return false;
	TEXT_SET(user, owner);
	ev->request.user = slice_of(user);
	if (dict_get(&sh->world.tokens, hash))
		ev->request.token = slice_of(hash);
	request_step(sh, ev);
	return true;
}

static void by_password(struct shell *sh, struct event *ev, struct slice secret)
{
	bool named = ev->request.user.length;
	char name[ROW_USER_SIZE];
	const struct site_user *u;

	if (throttled(sh, ev) || by_token(sh, ev, secret))
		return;
	if (!named) {
		ev->request.user = SLICE("unknown");
		refuse_login(sh, ev, wrong);
		return;
	}
	text_copy_slice(name, sizeof(name), ev->request.user);
	u = world_user(&sh->world, name);
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
	const struct world *w = &sh->world;
	const struct passwd *pw = getpwuid(uid);
	const struct site_user *u = map_get(&w->uids, (uint64_t)uid + 1);

	if (!u && pw)
		u = dict_get(&w->logins, pw->pw_name);
	if (u)
		return text_copy(user, size, u->name);
	return w->spec.peers && pw && text_copy(user, size, pw->pw_name);
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

/* May a client of that listener be that user with that key? */
static bool key_right(const struct shell *sh, const struct listener *l,
		      struct slice user, struct slice key, char *why, size_t size)
{
	char name[ROW_USER_SIZE], print[SSHKEY_FINGERPRINT_MAX];
	const struct site_user *u;

	text_copy_slice(name, sizeof(name), user);
	u = world_user(&sh->world, name);
	if (l && l->spec.user_source == USER_KEY && u &&
	    sshkey_holds(u->ssh_keys, key))
		return true;
	/* The same words for a user that is not there. */
	sshkey_fingerprint(key, print);
	snprintf(why, size, "key %s is none of user %.60s", print, name);
	return false;
}

static void by_key(struct shell *sh, const struct listener *l, struct event *ev,
		   struct slice key)
{
	char why[160];

	if (key_right(sh, l, ev->request.user, key, why, sizeof(why)))
		request_step(sh, ev);
	else	/* counted for the alarm; a key is not guessed by trying often */
		refuse_login(sh, ev, why);
}

void auth_ssh_login(struct shell *sh, uint32_t gateway, const struct message *m)
{
	const struct wire_ssh_login *r = &m->ssh_login;
	char why[160] = "";
	bool right = key_right(sh, listeners_by_id(sh, r->listener), r->user,
			       r->key, why, sizeof(why));
	struct message answer = {
		.type = WIRE_TYPE_ssh_known,
		.ssh_known = { .conn = r->conn, .ok = right,
			       .text = slice_of(why) },
	};

	gateways_send(sh, gateway, &answer);
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
	ev.request.count = r->tickets ? r->count : 0;
	if (!l) {
		refuse(sh, &ev, "refused", "this listener is being closed");
		return;
	}
	if (ev.request.count > COUNT_MAX) {
		refuse(sh, &ev, "count", "a request may be for 1 to 100 machines");
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
	case USER_KEY:
		by_key(sh, l, &ev, r->secret);
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

void auth_claim(struct shell *sh, uint32_t gateway, const struct message *m)
{
	const struct wire_session_claim *c = &m->session_claim;
	const struct listener *l = listeners_by_id(sh, c->listener);
	struct event ev = { .kind = EVENT_CLAIM };
	char hash[SITE_HASH_SIZE];

	shell_hash(c->ticket.ptr, c->ticket.length, hash);
	ev.claim.gateway = gateway;
	ev.claim.conn = c->conn;
	ev.claim.listener = slice_of(l ? l->name : "");
	ev.claim.peer = c->peer;
	ev.claim.hash = slice_of(hash);
	shell_step(sh, &ev);
}
