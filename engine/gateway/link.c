/*
 * The socket to the engine, and what is kept while there is none.
 *
 * Messages go out in order, as many in one packet as a turn of the loop had.
 * When the engine is slow they queue here; they are bounded by what sessions
 * exist, because no new ones come from a silent engine.  When it dies, facts
 * (an ended session, a failed one, a used resource) stay queued for the next
 * engine, the rest is dropped: requests and byte counts are told anew from the
 * connections themselves.
 *
 * How a session ended is a record: numbered, and kept after it was sent until
 * the engine says that it is stored.  What a dead engine had read and not
 * stored goes to the next one once more, which takes the same end twice.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/gateway/internal.h"

enum { PACKET_MESSAGES = 64 };

struct parcel {
	struct list link;
	bool durable;
	uint16_t type;
	uint32_t length;
	uint64_t record;		/* its number, 0 = is none */
	uint8_t bytes[];
};

bool link_up(const struct gateway *g)
{
	return g->engine.fd >= 0;
}

static bool is_record(uint16_t type)
{
	return type == WIRE_TYPE_session_ended || type == WIRE_TYPE_session_failed;
}

static void parcel_free(struct gateway *g, struct parcel *p)
{
	list_remove(&p->link);
	if (p->durable)
		g->durable_queued--;
	free(p);
}

static void enqueue(struct gateway *g, const struct message *said, bool durable)
{
	static struct wire_buffer buffer;
	struct message numbered = *said, *m = &numbered;
	struct error err;

	if (is_record(m->type))
		m->request = ++g->next_record;
	int length = wire_encode(m, buffer.bytes, &err);

	if (length < 0) {
		log_error("message to the engine lost: %s", err.text);
		return;
	}
	/* A connected engine gives no work it does not hear the end of; only
	 * what guests can cause by themselves is bounded then. */
	if (durable && g->durable_queued >= g->limits.record_count &&
	    (!link_up(g) || m->type == WIRE_TYPE_resource_used)) {
		g->records_lost++;
		return;
	}
	struct parcel *p = malloc(sizeof(*p) + (size_t)length);
	CHECK("", p, "out of memory");
	*p = (struct parcel){ .durable = durable, .type = m->type,
			      .length = (uint32_t)length,
			      .record = is_record(m->type) ? m->request : 0 };
	memcpy(p->bytes, buffer.bytes, (size_t)length);
	list_add_tail(&g->queue, &p->link);
	g->queued++;
	if (durable)
		g->durable_queued++;
}

void engine_link_send(struct gateway *g, const struct message *m, bool durable)
{
	if (!link_up(g) && !durable)
		return;
	enqueue(g, m, durable);
	/* The engine may begin with these while we go on. */
	if (g->queued >= PACKET_MESSAGES)
		link_flush(g);
}

/* One packet of what is at the front of the queue; false when it did not go. */
static bool send_packet(struct gateway *g)
{
	struct iovec iov[PACKET_MESSAGES];
	struct msghdr msg = { .msg_iov = iov };
	size_t length = 0, count = 0;

	LIST_EACH(&g->queue, it) {
		struct parcel *p = LIST_ENTRY(it, struct parcel, link);

		length += p->length;
		if (count == PACKET_MESSAGES || length > WIRE_PACKET_MAX)
			break;
		iov[count++] = (struct iovec){ p->bytes, p->length };
	}
	msg.msg_iovlen = count;
	ssize_t n;
	do
		n = sendmsg(g->engine.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (n < 0 && errno == EINTR);
	/* An error is the engine's end, which epoll tells as well. */
	if (n < 0)
		return false;
	g->queued -= (uint32_t)count;
	while (count--) {
		struct parcel *p = LIST_ENTRY(g->queue.next, struct parcel, link);

		if (!p->record) {
			parcel_free(g, p);
			continue;
		}
		list_remove(&p->link);
		list_add_tail(&g->sent, &p->link);
	}
	return true;
}

void link_on_stored(struct gateway *g, uint64_t record)
{
	LIST_EACH(&g->sent, it) {
		struct parcel *p = LIST_ENTRY(it, struct parcel, link);

		if (p->record > record)
			return;
		parcel_free(g, p);
	}
}

/* The next engine shall have them again, before all that came later. */
static void recall_sent(struct gateway *g)
{
	while (!list_empty(&g->sent)) {
		struct list *last = g->sent.prev;

		list_remove(last);
		list_add_head(&g->queue, last);
		g->queued++;
	}
}

void link_flush(struct gateway *g)
{
	while (link_up(g) && !g->engine_full && !list_empty(&g->queue))
		g->engine_full = !send_packet(g);
}

/* What the report says about one session. */
static void report_sessions(struct gateway *g, uint32_t *count)
{
	*count = 0;
	LIST_EACH(&g->conns, it) {
		struct caller *c = LIST_ENTRY(it, struct caller, link);

		if (c->state < CALLER_DIALING || c->state > CALLER_DRAINING)
			continue;
		flow_report(g, c);
		(*count)++;
	}
}

static void hello(struct gateway *g, bool fresh)
{
	struct list kept;
	uint32_t sessions, ended = 0;
	struct message m = {
		.type = WIRE_TYPE_gateway_hello,
		.gateway_hello = { .index = g->index, .pid = (uint32_t)getpid(),
				   .term = g->term, .fresh = fresh },
	};

	/* Records of the time without engine come behind the hello and before
	 * ready: what is missing at ready is lost to the engine. */
	list_init(&kept);
	LIST_EACH(&g->queue, it) {
		struct parcel *p = LIST_ENTRY(it, struct parcel, link);

		ended += p->record != 0;
		list_remove(it);
		list_add_tail(&kept, it);
	}
	engine_link_send(g, &m, false);
	m = (struct message){
		.type = WIRE_TYPE_gateway_build,
		.gateway_build = { .build = g->build, .draining = g->draining },
	};
	engine_link_send(g, &m, false);
	report_sessions(g, &sessions);
	port_report_all(g);
	LIST_EACH(&kept, it) {
		list_remove(it);
		list_add_tail(&g->queue, it);
	}
	link_flush(g);
	m = (struct message){
		.type = WIRE_TYPE_gateway_ready,
		.gateway_ready = { .sessions = sessions, .ended = ended },
	};
	engine_link_send(g, &m, false);
}

void engine_link_open(struct gateway *g, int fd, bool fresh)
{
	int flags = fcntl(fd, F_GETFL);

	if (link_up(g))
		link_lost(g, "replaced by an engine of a higher term");
	g->engine = (struct watch){ .fd = fd, .ready = link_ready };
	g->engine_full = false;
	/* A stalled engine must never stall a relay. */
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ||
	    watch_arm(&g->poll, &g->engine,
		      EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET) < 0) {
		log_error("engine socket: %s", strerror(errno));
		close(fd);
		g->engine.fd = -1;
		return;
	}
	poll_timer_stop(&g->poll, &g->orphan);
	g->orphan_rounds = 0;
	if (g->records_lost)
		log_warn("%llu end-of-session records were lost without an engine",
			 (unsigned long long)g->records_lost);
	g->records_lost = 0;
	hello(g, fresh);
}

void link_lost(struct gateway *g, const char *why)
{
	if (!link_up(g))
		return;
	log_warn("engine gone (%s); %zu sessions go on", why,
		 g->by_session.used);
	watch_close(&g->poll, &g->engine);
	g->engine_full = false;
	LIST_EACH(&g->queue, it) {
		struct parcel *p = LIST_ENTRY(it, struct parcel, link);

		if (!p->durable) {
			g->queued--;
			parcel_free(g, p);
		}
	}
	recall_sent(g);
	LIST_EACH(&g->conns, it)
		LIST_ENTRY(it, struct caller, link)->requested = false;
	cluster_table_forget_engine(g);
	listener_pause_all(g);
	poll_timer_set(&g->poll, &g->orphan, g->poll.now_ms + g->limits.orphan_ms);
}

void link_ready(struct gateway *g, struct watch *w, uint32_t events)
{
	struct error err;
	struct message m;
	int got = 1;

	if (events & EPOLLOUT) {
		g->engine_full = false;
		link_flush(g);
	}
	g->packet.at = g->packet.length = 0;
	while (w->fd >= 0 && !g->stopping) {
		got = wire_next(&g->packet, &m, &err);
		if (got == 0)
			got = wire_receive_first(w->fd, &g->packet, &m, &err);
		if (got <= 0)
			break;
		gateway_on_message(g, &m);
		wire_close_fds(&m);
	}
	if (got < 0)
		link_lost(g, err.text);
}

void engine_link_fini(struct gateway *g)
{
	watch_close(&g->poll, &g->engine);
	recall_sent(g);
	LIST_EACH(&g->queue, it)
		parcel_free(g, LIST_ENTRY(it, struct parcel, link));
}
