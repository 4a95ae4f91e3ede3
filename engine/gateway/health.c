/*
 * Is a node well?  Each gateway finds out by itself.
 *
 * Checks: every interval a connection of our own; with a request or an expected
 * answer, that too.  `fall` failed ones in a row take the node out, `rise` good
 * ones bring it in, also the first time.  Only an answer shows that a frozen
 * machine is not well: its kernel, or the host's, goes on accepting.
 *
 * Transactions: one that fails at a node asks for a check at once, and until
 * that has ended others come first (doubted).  Connections that could not be
 * made at all are checks that failed: several between two good checks take the
 * node out.  How connections end is in the hands of whoever is at their other
 * end, so that alone never takes out a node: a client could make a node reset
 * connections.  But after several of them one failed check is enough.
 *
 * A node that is taken out loses what it has not begun to answer to others; what
 * it is answering may go on.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "engine/base/log.h"
#include "engine/gateway/cluster.h"
#include "engine/wire/proxy_v2.h"

enum {
	TROUBLES_MAX = 3,
	ALARM_GAP_MS = 20,	/* between checks that transactions ask for */
};

static void turn_up(struct gateway *g, struct node *n)
{
	log_info("cluster %s: node %s is up", n->cluster->name, n->name);
	n->up = true;
	n->why[0] = '\0';
	node_reload(g, n);
	node_tell(g, n);
}

static void turn_down(struct gateway *g, struct node *n, const char *why)
{
	log_warn("cluster %s: node %s is down: %s", n->cluster->name, n->name,
		 why);
	n->up = false;
	n->good = 0;
	TEXT_SET(n->why, why);
	node_reload(g, n);
	node_tell(g, n);
	transaction_rescue(g, n, false);
}

static void note_good(struct gateway *g, struct node *n)
{
	n->bad = 0;
	n->good++;
	if (!n->again)
		n->troubles = n->unreached = 0;
	if (!n->up && n->good >= n->cluster->health.rise)
		turn_up(g, n);
	else if (!n->up)
		snprintf(n->why, sizeof(n->why), "%u of %u good checks", n->good,
			 n->cluster->health.rise);
}

static void note_bad(struct gateway *g, struct node *n, const char *why)
{
	n->good = 0;
	n->bad++;
	if (n->up && (n->bad >= n->cluster->health.fall ||
		      n->troubles >= TROUBLES_MAX))
		turn_down(g, n, why);
	else if (!n->up)
		TEXT_SET(n->why, why);
}

/* The check is over; why: NULL when it was good. */
static void conclude(struct gateway *g, struct node *n, const char *why)
{
	int64_t next = n->checked_ms + n->cluster->health.interval;

	/* One that timed out may have left bytes on their way. */
	end_close(g, &n->check, why != NULL);
	n->known = true;
	if (why)
		note_bad(g, n, why);
	else
		note_good(g, n);
	node_reload(g, n);
	node_tell(g, n);
	if (n->again)
		next = n->checked_ms + ALARM_GAP_MS;
	n->again = false;
	poll_timer_set(&g->poll, &n->timer,
		       next > g->poll.now_ms ? next : g->poll.now_ms + 1);
}

/* Does what has come satisfy?  Without an expectation any byte does. */
static bool satisfied(const struct node *n)
{
	const struct health *h = &n->cluster->health;
	const struct chunk *in = n->check.in;

	if (!h->request_length && !h->expect_length)
		return true;
	return in && memmem(in->bytes + in->start, in->end - in->start,
			    h->expect, h->expect_length);
}

static void hear(struct gateway *g, struct node *n)
{
	struct end *e = &n->check;
	char why[WHY_MAX];

	end_fill(g, e, HEALTH_ANSWER_MAX);
	if (satisfied(n)) {
		conclude(g, n, NULL);
	} else if (e->error) {
		snprintf(why, sizeof(why), "check: %s", strerror(e->error));
		conclude(g, n, why);
	} else if (e->in_ended) {
		conclude(g, n, e->in ? "check: not the expected answer" :
				       "check: closed without an answer");
	} else if (e->in && e->in->end - e->in->start >= HEALTH_ANSWER_MAX) {
		conclude(g, n, "check: not the expected answer");
	}
}

static void on_check(struct gateway *g, struct watch *w, uint32_t events)
{
	struct node *n = POLL_OWNER(w, struct node, check.watch);
	char why[WHY_MAX];

	end_note(&n->check, events);
	if (!n->connected) {
		int error = dial_outcome(g, &n->check, events);

		if (error == DIAL_PENDING)
			return;
		if (error) {
			snprintf(why, sizeof(why), "check: %s", strerror(error));
			conclude(g, n, why);
			return;
		}
		n->connected = true;
	}
	hear(g, n);
}

/* What the check says to the node, after a PROXY header that calls it one. */
static void say(struct gateway *g, struct node *n)
{
	const struct cluster *c = n->cluster;
	static const struct proxy_v2 local = { .local = true };
	uint8_t header[PROXY_V2_MAX];

	if (c->identity == WIRE_IDENTITY_PROXY)
		end_put_raw(g, &n->check, header,
			    proxy_v2_encode(&local, header, sizeof(header)));
	if (c->health.request_length)
		end_put_raw(g, &n->check, c->health.request,
			    c->health.request_length);
}

static void begin(struct gateway *g, struct node *n)
{
	bool done = false;
	char why[WHY_MAX];
	int fd;

	n->checked_ms = g->poll.now_ms;
	n->again = n->connected = false;
	fd = dial_connect(&n->address, n->address_length, &done);
	if (fd < 0 ||
	    end_open(g, &n->check, fd, false, false, on_check) < 0) {
		/* Without descriptors or ports nothing is known of it. */
		if (attempt_own_fault(errno)) {
			poll_timer_set(&g->poll, &n->timer, g->poll.now_ms +
				       n->cluster->health.interval);
			return;
		}
		snprintf(why, sizeof(why), "check: %s", strerror(errno));
		conclude(g, n, why);
		return;
	}
	n->check.tcp = n->tcp;
	poll_timer_set(&g->poll, &n->timer,
		       g->poll.now_ms + n->cluster->health.timeout);
	say(g, n);
	if (n->check.out_dead) {
		snprintf(why, sizeof(why), "check: %s",
			 strerror(n->check.out_error));
		conclude(g, n, why);
	}
}

static void on_timer(struct gateway *g, struct timer *t)
{
	struct node *n = POLL_OWNER(t, struct node, timer);
	char why[WHY_MAX];

	if (n->check.watch.fd < 0) {
		begin(g, n);
		return;
	}
	snprintf(why, sizeof(why), "check: no %s within %lld ms",
		 n->connected ? "answer" : "connection",
		 (long long)n->cluster->health.timeout);
	conclude(g, n, why);
}

static void on_alarm(struct gateway *g, struct timer *t)
{
	struct node *n = POLL_OWNER(t, struct node, alarm);
	int64_t at = n->checked_ms + ALARM_GAP_MS;
	char why[WHY_MAX];

	if (n->up && n->unreached >= TROUBLES_MAX) {
		snprintf(why, sizeof(why), "%u connections could not be made",
			 n->unreached);
		turn_down(g, n, why);
	}
	if (n->check.watch.fd >= 0)
		n->again = true;
	else if (at < n->timer.at_ms)
		poll_timer_set(&g->poll, &n->timer,
			       at > g->poll.now_ms ? at : g->poll.now_ms);
}

void health_trouble(struct gateway *g, struct node *n, bool unreached)
{
	n->troubles++;
	n->unreached += unreached;
	node_load(n)->doubted = true;
	/* Not here: taking a node out moves other transactions than the one
	 * that is being handled. */
	if (n->timer.fire)
		poll_timer_set(&g->poll, &n->alarm, g->poll.now_ms);
}

void health_start(struct gateway *g, struct node *n)
{
	health_stop(g, n);
	n->known = n->up = false;
	n->good = n->bad = n->troubles = n->unreached = 0;
	n->timer.fire = on_timer;
	n->alarm.fire = on_alarm;
	poll_timer_set(&g->poll, &n->timer, g->poll.now_ms);
}

void health_stop(struct gateway *g, struct node *n)
{
	poll_timer_stop(&g->poll, &n->timer);
	poll_timer_stop(&g->poll, &n->alarm);
	n->timer.fire = NULL;
	end_close(g, &n->check, true);
}
