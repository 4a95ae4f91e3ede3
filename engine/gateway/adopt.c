/*
 * Adoption: the next engine knocks at the rendezvous socket and proves that it
 * has the site's key and a later term (decisions.md 5).
 *
 * Whoever can reach the socket may knock; a candidate gets one message and a
 * few seconds, and at most a handful wait at once.  The proof binds the
 * gateway's index and the term, so one overheard is of no later use: the term
 * must be higher each time.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum { CANDIDATE_MS = 5000, PROOF_BYTES = 32 };

struct candidate {
	struct grave grave;
	struct watch watch;
	struct timer timer;
	struct list link;
};

static void candidate_bury(struct gateway *g, struct grave *grave)
{
	(void)g;
	free(POLL_OWNER(grave, struct candidate, grave));
}

static void candidate_close(struct gateway *g, struct candidate *c)
{
	poll_timer_stop(&g->poll, &c->timer);
	watch_close(&g->poll, &c->watch);
	list_remove(&c->link);
	g->candidate_count--;
	grave_add(&g->poll, &c->grave, candidate_bury);
}

static void candidate_late(struct gateway *g, struct timer *t)
{
	log_warn("an engine candidate said nothing");
	candidate_close(g, POLL_OWNER(t, struct candidate, timer));
}

static bool proof_right(const struct gateway *g, const struct wire_gateway_adopt *a)
{
	uint8_t digest[EVP_MAX_MD_SIZE];
	char text[64], hex[2 * PROOF_BYTES + 1];
	unsigned length = 0;
	int n = snprintf(text, sizeof(text), "gateway-adopt %u %llu", g->index,
			 (unsigned long long)a->term);

	if (!HMAC(EVP_sha256(), g->key, (int)g->key_length,
		  (const uint8_t *)text, (size_t)n, digest, &length) ||
	    length != PROOF_BYTES)
		return false;
	for (size_t i = 0; i < PROOF_BYTES; i++)
		snprintf(hex + 2 * i, 3, "%02x", digest[i]);
	return a->proof.length == 2 * PROOF_BYTES &&
	       !CRYPTO_memcmp(a->proof.ptr, hex, 2 * PROOF_BYTES);
}

/* Why this engine may not have the gateway, or NULL. */
static const char *objection(const struct gateway *g, const struct message *m)
{
	const struct wire_gateway_adopt *a = &m->gateway_adopt;

	if (m->type != WIRE_TYPE_gateway_adopt)
		return "its first message is not gateway_adopt";
	if (a->index != g->index)
		return "it wants another gateway";
	if (!proof_right(g, a))
		return "its proof of the site key is wrong";
	if (a->term <= g->term)
		return "its term is not higher than the present one";
	return NULL;
}

static void candidate_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct candidate *c = POLL_OWNER(w, struct candidate, watch);
	struct error err;
	struct message m;
	int got = wire_receive(w->fd, &g->packet, &m, &err);

	(void)events;
	if (got == 0)
		return;
	const char *why = got < 0 ? err.text : objection(g, &m);
	if (why) {
		log_warn("engine candidate refused: %s", why);
	} else {
		int fd = w->fd;

		watch_disarm(&g->poll, w);
		w->fd = -1;
		g->term = m.gateway_adopt.term;
		log_info("adopted by an engine of term %llu",
			 (unsigned long long)g->term);
		engine_link_open(g, fd, false);
		poll_timer_set(&g->poll, &g->stale,
			  g->poll.now_ms + g->limits.stale_ms);
	}
	if (got > 0)
		wire_close_fds(&m);
	candidate_close(g, c);
}

static void on_knock(struct gateway *g, struct watch *w, uint32_t events)
{
	int fd = accept4(w->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	(void)events;
	if (fd < 0)
		return;
	if (g->candidate_count >= CANDIDATES_MAX) {
		close(fd);
		return;
	}
	struct candidate *c = calloc(1, sizeof(*c));
	CHECK("", c, "out of memory");
	c->watch = (struct watch){ .fd = fd, .ready = candidate_ready };
	c->timer.fire = candidate_late;
	g->candidate_count++;
	list_add_tail(&g->candidates, &c->link);
	if (watch_arm(&g->poll, &c->watch, EPOLLIN) < 0) {
		candidate_close(g, c);
		return;
	}
	poll_timer_set(&g->poll, &c->timer, g->poll.now_ms + CANDIDATE_MS);
}

static int read_key(struct gateway *g, int fd)
{
	struct error err;
	char *bytes = wire_read_memfd(fd, KEY_MAX, &g->key_length, &err);

	close(fd);
	if (!bytes || !g->key_length) {
		log_error("site key: %s", bytes ? "it is empty" : err.text);
		free(bytes);
		return -1;
	}
	memcpy(g->key, bytes, g->key_length);
	explicit_bzero(bytes, g->key_length);
	free(bytes);
	return 0;
}

int adopt_init(struct gateway *g, int rendezvous_fd, int key_fd)
{
	g->rendezvous = (struct watch){ .fd = rendezvous_fd, .foreign = true,
					.ready = on_knock };
	if (read_key(g, key_fd) < 0)
		return -1;
	int flags = fcntl(rendezvous_fd, F_GETFL);
	/* Again, by us: an engine that connects learns our pid of the kernel. */
	if (listen(rendezvous_fd, CANDIDATES_MAX) < 0 || flags < 0 || fcntl(rendezvous_fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    watch_arm(&g->poll, &g->rendezvous, EPOLLIN) < 0) {
		log_error("rendezvous socket: %s", strerror(errno));
		return -1;
	}
	return 0;
}

void adopt_fini(struct gateway *g)
{
	LIST_EACH(&g->candidates, it)
		candidate_close(g, LIST_ENTRY(it, struct candidate, link));
	watch_close(&g->poll, &g->rendezvous);
	explicit_bzero(g->key, sizeof(g->key));
}
