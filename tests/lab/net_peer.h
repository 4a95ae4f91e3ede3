/*
 * The engine's side of net roles, and what their neighbours see; for
 * net_peer.c.  One loop takes in everything: the roles' messages, and what an
 * oracle on host `near` hears.  Every wait has a deadline.
 */
#ifndef REMUDA_TESTS_NET_PEER_H
#define REMUDA_TESTS_NET_PEER_H

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/net/net.h"
#include "engine/net/packet.h"
#include "engine/wire/message.h"
#include "tests/tap.h"

enum { ROLES = 2, ASK_EVERY_MS = 20, HOSTS = 4, WAIT_MS = 20000 };

/* A role and what it said last; one name is enough for most. */
struct peer {
	int fd;				/* -1 = none */
	pid_t pid;
	struct wire_buffer buf;
	bool ready;
	int states;			/* vip_state messages */
	uint64_t answered;		/* request of the last answer */
	bool held;
	char name[64], text[512];
};

/*
 * On `near`: asks for the address again and again as any host would, and sees
 * who says that he has it.  MACs are 02:00:00:00:00:0N: N is the host.
 */
struct oracle {
	int fd;
	struct address ip;
	bool asks;
	int64_t ask_ms;
	int requests, unanswered;
	int doubles;			/* requests that two answered */
	unsigned now;			/* hosts that answered this request */
	unsigned last;			/* and the one before */
	int announced[HOSTS];		/* packets nobody had asked for */
};

static struct peer peers[ROLES] = { { .fd = -1 }, { .fd = -1 } };
static struct oracle oracle = { .fd = -1 };

static inline int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* A command of the shell; must work. */
static inline void run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline void run(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (system(line) != 0)
		tap_bail("%s: failed", line);
}

/* Whether a command of the shell says yes. */
static inline bool says(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
static inline bool says(const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	return system(line) == 0;
}

static inline void enter(const char *host)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", host);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET) < 0)
		tap_bail("%s: %s", path, strerror(errno));
	close(fd);
}

static inline void leave(void)
{
	static int home = -1;

	if (home < 0)
		home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
	else if (setns(home, CLONE_NEWNET) < 0)
		tap_bail("setns: %s", strerror(errno));
}

/* A packet socket on a host's eth0; stays there. */
static inline int packet_socket(const char *host, int protocol)
{
	leave();
	enter(host);
	int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK,
			htons((uint16_t)protocol));
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
				  .sll_protocol = htons((uint16_t)protocol),
				  .sll_ifindex = (int)if_nametoindex("eth0") };
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0)
		tap_bail("packet socket on %s: %s", host, strerror(errno));
	leave();
	return fd;
}

static inline void send_packet(int fd, uint8_t family, const uint8_t *bytes,
			       size_t length, const uint8_t *to)
{
	struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_halen = 6 };
	socklen_t size = sizeof(at);

	getsockname(fd, (struct sockaddr *)&at, &size);
	at.sll_protocol = htons(family == 6 ? ETH_P_IPV6 : ETH_P_ARP);
	at.sll_halen = 6;
	memcpy(at.sll_addr, to, 6);
	if (sendto(fd, bytes, length, 0, (struct sockaddr *)&at, sizeof(at)) < 0)
		tap_bail("send: %s", strerror(errno));
}

/* ---- the oracle -------------------------------------------------------------- */

static const uint8_t near_mac[6] = { 2, [5] = 2 };

static inline size_t arp_question(const struct address *ip, uint8_t *out,
				  uint8_t *to)
{
	static const uint8_t head[] = { 0, 1, 8, 0, 6, 4, 0, 1, 2, 0, 0, 0, 0, 2,
					10, 77, 0, 2, 0, 0, 0, 0, 0, 0 };

	memcpy(out, head, sizeof(head));
	memcpy(out + sizeof(head), ip->bytes, 4);
	memset(to, 255, 6);
	return 28;
}

/* A solicitation from fd77::2, made out of a probe: source and option more. */
static inline size_t nd_question(const struct address *ip, uint8_t *out,
				 uint8_t *to)
{
	uint32_t sum = 58 + 32;

	packet_probe(ip, near_mac, out, to);
	out[5] = 32;
	out[8] = 0xfd;
	out[9] = 0x77;
	out[23] = 2;
	out[64] = 1;
	out[65] = 1;
	memcpy(out + 66, near_mac, 6);
	out[42] = out[43] = 0;
	for (int i = 8; i < 72; i += 2)
		sum += (uint32_t)out[i] << 8 | out[i + 1];
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	out[42] = (uint8_t)(sum >> 8);
	out[43] = (uint8_t)sum;
	return 72;
}

static inline void oracle_ask(void)
{
	uint8_t out[PACKET_MAX], to[6];
	size_t length = oracle.ip.family == 6 ?
		nd_question(&oracle.ip, out, to) :
		arp_question(&oracle.ip, out, to);

	if (oracle.requests) {
		oracle.unanswered += oracle.now == 0;
		oracle.doubles += (oracle.now & (oracle.now - 1)) != 0;
	}
	oracle.last = oracle.now;
	oracle.now = 0;
	oracle.requests++;
	oracle.ask_ms = now_ms() + ASK_EVERY_MS;
	send_packet(oracle.fd, oracle.ip.family, out, length, to);
}

/* To our own link address: an answer.  To everybody: an announcement. */
static inline void oracle_hear(void)
{
	struct sockaddr_ll from;
	socklen_t size = sizeof(from);
	struct packet_seen p;
	uint8_t in[2000];
	ssize_t n;

	while ((n = recvfrom(oracle.fd, in, sizeof(in), 0,
			     (struct sockaddr *)&from, &size)) > 0) {
		size = sizeof(from);
		if (from.sll_pkttype == PACKET_OUTGOING ||
		    !packet_read(oracle.ip.family, in, (size_t)n, from.sll_addr,
				 &p) ||
		    p.kind != PACKET_CLAIM ||
		    memcmp(p.ip.bytes, oracle.ip.bytes, 16) != 0 ||
		    p.mac[5] >= HOSTS)
			continue;
		if (from.sll_pkttype == PACKET_HOST)
			oracle.now |= 1u << p.mac[5];
		else
			oracle.announced[p.mac[5]]++;
	}
}

static inline void oracle_start(const struct address *ip)
{
	if (oracle.fd >= 0)
		close(oracle.fd);
	oracle = (struct oracle){ .ip = *ip, .asks = true };
	oracle.fd = packet_socket("near", ip->family == 6 ? ETH_P_IPV6 : ETH_P_ARP);
}

/* ---- roles --------------------------------------------------------------------- */

/* As another user when uid is not 0. */
static inline void role_start(struct peer *p, const char *host, uid_t uid)
{
	int pair[2], log_fd = 2;

	memset(p, 0, sizeof(*p));
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
		       pair) < 0)
		tap_bail("socketpair: %s", strerror(errno));
	fflush(stdout);
	leave();
	enter(host);
	p->pid = fork();
	if (p->pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (p->pid == 0) {
		for (int fd = 3; fd < 64; fd++)
			if (fd != pair[1])
				close(fd);
		if (uid && (setgroups(0, NULL) < 0 || setgid(uid) < 0 ||
			    setuid(uid) < 0))
			_exit(2);
		/* It logs all there is in any case: also that is confined. */
		if (!getenv("REMUDA_TEST_LOG"))
			log_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
		log_open(host, log_fd, LOG_DEBUG);
		_exit(net_run(pair[1]));
	}
	leave();
	close(pair[1]);
	p->fd = pair[0];
}

static inline void role_message(struct peer *p, const struct message *m)
{
	if (m->type == WIRE_TYPE_role_ready) {
		p->ready = true;
		return;
	}
	if (m->type != WIRE_TYPE_vip_state)
		tap_bail("unexpected message %s", wire_type_name(m->type));
	p->states++;
	p->answered = m->request;
	p->held = m->vip_state.held;
	text_copy_slice(p->name, sizeof(p->name), m->vip_state.name);
	text_copy_slice(p->text, sizeof(p->text), m->vip_state.text);
	if (getenv("REMUDA_TEST_LOG"))
		tap_note("%d: %s held %d %s", (int)(p - peers), p->name, p->held,
			 p->text);
}

static inline void role_hear(struct peer *p)
{
	struct message m;
	struct error err;
	int rc;

	while ((rc = wire_receive(p->fd, &p->buf, &m, &err)) > 0) {
		role_message(p, &m);
		wire_close_fds(&m);
	}
	if (rc < 0) {
		int status = -1;

		waitpid(p->pid, &status, 0);
		tap_bail("the role is gone: %s (status 0x%x)", err.text,
			 (unsigned)status);
	}
}

/* Takes in what comes within a few milliseconds. */
static inline void pump(void)
{
	struct pollfd fds[ROLES + 1];

	if (oracle.fd >= 0 && oracle.asks && now_ms() >= oracle.ask_ms)
		oracle_ask();
	for (int i = 0; i < ROLES; i++)
		fds[i] = (struct pollfd){ .fd = peers[i].fd, .events = POLLIN };
	fds[ROLES] = (struct pollfd){ .fd = oracle.fd, .events = POLLIN };
	poll(fds, ROLES + 1, 5);
	if (oracle.fd >= 0)
		oracle_hear();
	for (int i = 0; i < ROLES; i++)
		if (fds[i].revents)
			role_hear(&peers[i]);
}

/* Until the condition holds, or the deadline: then false. */
#define UNTIL(cond)                                                            \
	({                                                                     \
		int64_t until_ms_ = now_ms() + WAIT_MS;                        \
		bool good_;                                                    \
		while (!(good_ = (cond)) && now_ms() < until_ms_)              \
			pump();                                                \
		good_;                                                         \
	})

/* For so long, for what must not come. */
static inline void pump_for(int64_t ms)
{
	int64_t end_ms = now_ms() + ms;

	while (now_ms() < end_ms)
		pump();
}

static inline void role_add(struct peer *p, const char *name, const char *ip,
			    uint32_t prefix, const char *interface)
{
	struct message m = {
		.type = WIRE_TYPE_vip_add,
		.vip_add = { slice_of(name), slice_of(ip), prefix,
			     slice_of(interface) },
	};
	struct error err;

	if (wire_send(p->fd, &m, &err) <= 0)
		tap_bail("%s", err.text);
}

static inline void role_remove(struct peer *p, const char *name, uint64_t request)
{
	struct message m = { .type = WIRE_TYPE_vip_remove, .request = request,
			     .vip_remove = { slice_of(name) } };
	struct error err;

	if (wire_send(p->fd, &m, &err) <= 0)
		tap_bail("%s", err.text);
}

/* Its socket ends, or it is killed; returns the wait status. */
static inline int role_end(struct peer *p, int signal)
{
	int status = -1;

	if (signal)
		kill(p->pid, signal);
	close(p->fd);
	waitpid(p->pid, &status, 0);
	p->fd = -1;
	return status;
}

#endif
