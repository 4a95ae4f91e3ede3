/*
 * The net role's process: one loop over the engine's socket, rtnetlink and each
 * address's packet socket.  It gives up all rights but two before it hears a
 * word from anybody.
 *
 * Not guaranteed: that an address is held by one host only where two are parted
 * and neither's link goes down (a switch between them breaks): both then hold
 * it until somebody looks at the alarm that each raises when they meet.
 */
#include "engine/net/net.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/net/confine.h"
#include "engine/net/vip.h"

enum { EVENTS = 32, CATCH_UP_MS = 100 };

int64_t net_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void send_engine(struct net *n, const struct message *m)
{
	struct error err;
	int rc = wire_send(n->engine_fd, m, &err);

	/* Its end is seen when it is read next. */
	if (rc < 0)
		log_debug("%s", err.text);
	n->behind |= rc == 0;
}

void net_tell(struct net *n, const char *name, bool held, const char *text,
	      uint64_t request)
{
	struct message m = {
		.type = WIRE_TYPE_vip_state,
		.request = request,
		.vip_state = { .name = slice_of(name), .held = held,
			       .text = slice_of(text) },
	};

	send_engine(n, &m);
}

static void on_engine(struct net *n)
{
	char name[VIP_NAME_SIZE];
	struct message m;
	struct error err;
	int rc;

	while ((rc = wire_receive(n->engine_fd, &n->buf, &m, &err)) > 0) {
		if (m.type == WIRE_TYPE_vip_add) {
			vip_add(n, &m.vip_add);
		} else if (m.type == WIRE_TYPE_vip_remove) {
			text_copy_slice(name, sizeof(name), m.vip_remove.name);
			vip_remove(n, name, m.request);
		} else {
			log_warn("unexpected message %s", wire_type_name(m.type));
		}
		wire_close_fds(&m);
	}
	n->ended = rc < 0;
	if (n->ended)
		log_info("the engine's socket ended; addresses that it did not remove stay");
}

static void on_address(void *arg, const struct address *ip)
{
	struct net *n = arg;

	LIST_EACH(&n->vips, it) {
		struct vip *v = LIST_ENTRY(it, struct vip, link);

		if (!ip || network_address_same(&v->ip, ip))
			vip_on_address(n, v);
	}
}

static int on_rtnl(struct net *n, struct error *err)
{
	int rc = rtnl_hear(&n->rtnl, err);

	if (rc > 0)
		LIST_EACH(&n->vips, it)
			vip_on_links(n, LIST_ENTRY(it, struct vip, link));
	return rc;
}

/* An engine that does not read for long hears how things stand when it does. */
static void catch_up(struct net *n)
{
	n->behind = false;
	LIST_EACH(&n->vips, it)
		if (!n->behind)
			vip_tell(n, LIST_ENTRY(it, struct vip, link));
}

/* What is due; returns how long to wait for the next, -1 = nothing will be. */
static int on_time(struct net *n)
{
	int64_t now_ms = net_now_ms(), next_ms = INT64_MAX;

	if (n->behind)
		catch_up(n);
	if (n->behind)
		next_ms = now_ms + CATCH_UP_MS;
	LIST_EACH(&n->vips, it) {
		struct vip *v = LIST_ENTRY(it, struct vip, link);

		if (v->deadline_ms <= now_ms)
			vip_on_time(n, v);
		if (v->deadline_ms < next_ms)
			next_ms = v->deadline_ms;
	}
	if (next_ms == INT64_MAX)
		return -1;
	now_ms = net_now_ms();
	return next_ms <= now_ms ? 0 : (int)(next_ms - now_ms);
}

static int watch(struct net *n, int fd, void *what, struct error *err)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = what };

	if (epoll_ctl(n->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
		return error_errno(err, "epoll");
	return 0;
}

static int start(struct net *n, struct error *err)
{
	if (fcntl(n->engine_fd, F_SETFL, O_NONBLOCK) < 0)
		return error_errno(err, "the engine's socket");
	n->able = confine_can();
	n->rtnl.on_address = on_address;
	n->rtnl.arg = n;
	n->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (n->epoll_fd < 0)
		return error_errno(err, "epoll");
	if (rtnl_open(&n->rtnl, err) < 0 ||
	    watch(n, n->engine_fd, n, err) < 0 ||
	    watch(n, rtnl_fd(&n->rtnl), &n->rtnl, err) < 0)
		return -1;
	return confine_net(err);
}

/* The engine is heard last: only it can make an address go whose event waits. */
static int serve(struct net *n, struct error *err)
{
	struct epoll_event events[EVENTS];

	while (!n->ended) {
		bool engine = false;
		int count = epoll_wait(n->epoll_fd, events, EVENTS, on_time(n));

		if (count < 0 && errno != EINTR)
			return error_errno(err, "epoll");
		for (int i = 0; i < count; i++) {
			void *what = events[i].data.ptr;

			if (what == n)
				engine = true;
			else if (what != &n->rtnl)
				vip_on_packets(n, what);
			else if (on_rtnl(n, err) < 0)
				return -1;
		}
		if (engine)
			on_engine(n);
	}
	return 0;
}

int net_run(int engine_fd)
{
	static struct net n;
	struct error err = { "" };
	struct message ready = {
		.type = WIRE_TYPE_role_ready,
		.role_ready = { .pid = (uint32_t)getpid() },
	};

	n.engine_fd = engine_fd;
	list_init(&n.vips);
	if (start(&n, &err) < 0) {
		log_error("the net role does not start: %s", err.text);
		return 1;
	}
	send_engine(&n, &ready);
	if (serve(&n, &err) < 0) {
		log_error("the net role ends: %s", err.text);
		return 1;
	}
	return 0;
}
