/*
 * Load for relays, and the server behind them.
 *
 *     load serve PORT [--proxy]     echoes; --proxy: behind a PROXY v2 header
 *     load sink PORT                reads and forgets
 *     load cycle HOST:PORT [N [S]]  connect, ask 64 bytes, read them, close;
 *                                   N at once (32) for S seconds (5)
 *     load pingpong HOST:PORT [N [S]]  64 bytes to and fro on kept connections
 *     load bulk HOST:PORT [N [S]]   sends as fast as it can
 *     load hold HOST:PORT [N]       opens N, asks once on each, says so and keeps
 *                                   them quiet till its input ends; asks again
 *
 * One thread, one epoll.  Cycles come from 127.0.0.2 onwards, because one
 * address runs out of ports; a server answers on every address of the loopback
 * device, and on no other device, so that one plays many machines.  Prints one
 * line: what, how many a second.  Only figures of one run on one machine may be
 * compared.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "engine/wire/proxy_v2.h"

enum {
	ASK = 64, BLOCK = 256 * 1024, SOURCES = 32, EVENTS = 256,
	SLOTS = 1 << 17,	/* of times, a microsecond each; the last: or more */
	OPENING = 128,		/* hold: at once */
	HOLD_S = 60,		/* hold: to open, and to ask again */
};

enum mode { CYCLE, PINGPONG, BULK, HOLD };

struct peer {
	int fd;
	bool headed;		/* server: no PROXY header, or it was read */
	size_t got;		/* client: bytes of the answer */
	bool warm;		/* client: has been answered */
	int64_t asked_us;
};

static uint8_t block[BLOCK];
static int epoll_fd;
static bool proxy, sink;

static void die(const char *what)
{
	fprintf(stderr, "load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/* A number of an argument; exits when it is none. */
static double number(const char *text, double low, double high)
{
	char *end;
	double v = strtod(text, &end);

	if (*end || end == text || v < low || v > high) {
		fprintf(stderr, "load: \"%s\" is not a number from %g to %g\n",
			text, low, high);
		exit(2);
	}
	return v;
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void watch(struct peer *p, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = p };

	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e) < 0)
		die("epoll_ctl");
}

static void no_delay(int fd)
{
	int on = 1;

	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

/* ---- server ---- */

static void drop(struct peer *p)
{
	close(p->fd);
	free(p);
}

/* Takes the PROXY header off the front; what is left of n bytes, or -1. */
static ssize_t unwrap(struct peer *p, ssize_t n)
{
	struct proxy_v2_info info;
	int header = proxy_v2_decode(block, (size_t)n, &info, NULL);

	if (header <= 0)
		return -1;	/* headers come in one piece on this machine */
	p->headed = true;
	memmove(block, block + header, (size_t)(n - header));
	return n - header;
}

static void serve_peer(struct peer *p)
{
	ssize_t n = recv(p->fd, block, sink ? BLOCK : 16384, MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0 && !p->headed)
		n = unwrap(p, n);
	if (n < 0 || (n == 0 && p->headed)) {
		drop(p);
		return;
	}
	if (!sink && n > 0 && send(p->fd, block, (size_t)n, MSG_NOSIGNAL) < 0)
		drop(p);
}

static void serve(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_ANY) };
	struct epoll_event events[EVENTS];
	struct peer door = { .fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0) };
	int on = 1;

	setsockopt(door.fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (setsockopt(door.fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) < 0 ||
	    bind(door.fd, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(door.fd, 4096) < 0)
		die("listen");
	no_delay(door.fd);
	watch(&door, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, EVENTS, -1);

		for (int i = 0; i < n; i++) {
			struct peer *p = events[i].data.ptr;
			int fd;

			if (p != &door) {
				serve_peer(p);
				continue;
			}
			while ((fd = accept4(door.fd, NULL, NULL,
					     SOCK_CLOEXEC)) >= 0) {
				p = calloc(1, sizeof(*p));
				if (!p)
					die("calloc");
				p->fd = fd;
				p->headed = !proxy;
				watch(p, EPOLLIN);
			}
		}
	}
}

/* ---- client ---- */

static struct sockaddr_in target;
static uint64_t done, warm, bytes, broken;
static int64_t worst_us, total_us;
static uint32_t times[SLOTS];

static void begin(struct peer *p, enum mode mode)
{
	static uint32_t turn;
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1;

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (p->fd < 0)
		die("socket");
	no_delay(p->fd);
	from.sin_addr.s_addr = htonl(0x7f000002u + turn++ % SOURCES);
	setsockopt(p->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(p->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind");
	if (connect(p->fd, (struct sockaddr *)&target, sizeof(target)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	p->got = 0;
	p->asked_us = now_us();
	watch(p, mode == BULK ? EPOLLOUT : EPOLLIN | EPOLLOUT | EPOLLET);
}

static void failed(struct peer *p, enum mode mode)
{
	broken++;
	close(p->fd);
	begin(p, mode);
}

static void answered(struct peer *p, enum mode mode)
{
	int64_t took = now_us() - p->asked_us;

	done++;
	warm += !p->warm;
	p->warm = true;
	total_us += took;
	if (took > worst_us)
		worst_us = took;
	times[took < SLOTS ? took : SLOTS - 1]++;
	p->got = 0;
	if (mode == HOLD)
		return;
	if (mode == CYCLE) {
		close(p->fd);
		begin(p, mode);
		return;
	}
	p->asked_us = now_us();
	if (send(p->fd, block, ASK, MSG_NOSIGNAL) != ASK)
		failed(p, mode);
}

static void client_event(struct peer *p, enum mode mode, uint32_t events)
{
	ssize_t n;

	if (mode == BULK) {
		n = send(p->fd, block, BLOCK, MSG_NOSIGNAL | MSG_DONTWAIT);
		if (n > 0)
			bytes += (uint64_t)n;
		else if (errno != EAGAIN)
			failed(p, mode);
		return;
	}
	if (!p->headed || mode == CYCLE || mode == HOLD) {
		/* The first event says that the connection stands. */
		if (events & EPOLLOUT && !(events & EPOLLIN)) {
			p->headed = true;
			if (send(p->fd, block, ASK, MSG_NOSIGNAL) != ASK)
				failed(p, mode);
			return;
		}
	}
	n = recv(p->fd, block + ASK, ASK - p->got, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0) {
		failed(p, mode);
		return;
	}
	p->got += (size_t)n;
	if (p->got == ASK)
		answered(p, mode);
}

/* Microseconds that this part of the answers took at most. */
static int64_t percentile(double part)
{
	uint64_t seen = 0;
	int64_t us = 0;

	while (us < SLOTS - 1 && (seen += times[us]) < (uint64_t)((double)done * part))
		us++;
	return us;
}

static void serve_events(enum mode mode)
{
	struct epoll_event events[EVENTS];
	int n = epoll_wait(epoll_fd, events, EVENTS, 100);

	for (int i = 0; i < n; i++)
		client_event(events[i].data.ptr, mode, events[i].events);
}

/* Serves events until that many answers have come; false when time is up. */
static bool await(uint64_t answers, double seconds)
{
	int64_t until = now_us() + (int64_t)(seconds * 1e6);

	while (done < answers && !broken && now_us() < until)
		serve_events(HOLD);
	return done >= answers;
}

static void hold(int count)
{
	struct peer *peers = calloc((size_t)count, sizeof(*peers));
	int64_t from = now_us();
	bool all = true;
	char byte;

	if (!peers)
		die("calloc");
	for (int i = 0; i < count && all; i++) {
		begin(&peers[i], HOLD);
		if (i >= OPENING)
			all = await((uint64_t)(i - OPENING), HOLD_S);
	}
	all = all && await((uint64_t)count, HOLD_S);
	printf("hold %d connections: %llu open in %.1f s, %llu broken\n", count,
	       (unsigned long long)done, (double)(now_us() - from) / 1e6,
	       (unsigned long long)broken);
	fflush(stdout);
	while (read(0, &byte, 1) > 0)
		;
	done = 0;
	for (int i = 0; i < count && all; i++) {
		peers[i].asked_us = now_us();
		if (send(peers[i].fd, block, ASK, MSG_NOSIGNAL) != ASK)
			broken++;
	}
	if (all)
		await((uint64_t)count, HOLD_S);
	printf("again: %llu of %d answered, %llu broken\n",
	       (unsigned long long)done, count, (unsigned long long)broken);
	free(peers);
}

/* Until each connection has answered once; then the figures begin. */
static void settle(int count)
{
	int64_t until = now_us() + (int64_t)(HOLD_S * 1e6);

	while (warm < (uint64_t)count && !broken && now_us() < until)
		serve_events(PINGPONG);
	done = 0;
	total_us = worst_us = 0;
	memset(times, 0, sizeof(times));
}

static void run(enum mode mode, int count, double seconds)
{
	struct peer *peers = calloc((size_t)count, sizeof(*peers));

	if (!peers)
		die("calloc");
	for (int i = 0; i < count; i++)
		begin(&peers[i], mode);
	/* What it takes to open them is measured by cycles. */
	if (mode == PINGPONG)
		settle(count);
	int64_t from = now_us(), until = from + (int64_t)(seconds * 1e6);
	while (now_us() < until)
		serve_events(mode);
	double took = (double)(now_us() - from) / 1e6;
	if (mode == BULK)
		printf("bulk %d connections: %.2f GB/s, %llu broken\n", count,
		       (double)bytes / took / 1e9, (unsigned long long)broken);
	else
		printf("%s %d at once: %.0f /s, mean %.0f us, p99 %lld us, worst %.1f ms, %llu broken\n",
		       mode == CYCLE ? "cycle" : "pingpong", count,
		       (double)done / took,
		       done ? (double)total_us / (double)done : 0.0,
		       (long long)percentile(0.99),
		       (double)worst_us / 1e3, (unsigned long long)broken);
	for (int i = 0; i < count; i++)
		close(peers[i].fd);
	free(peers);
}

static void set_target(const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	target.sin_family = AF_INET;
	if (colon && (size_t)(colon - text) < sizeof(host)) {
		memcpy(host, text, (size_t)(colon - text));
		host[colon - text] = '\0';
		target.sin_port = htons((uint16_t)number(colon + 1, 1, 65535));
		if (inet_pton(AF_INET, host, &target.sin_addr) == 1 &&
		    target.sin_port)
			return;
	}
	fprintf(stderr, "load: \"%s\" is not IP:PORT\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	static const char *const modes[] = { "cycle", "pingpong", "bulk", "hold" };
	struct rlimit limit;

	signal(SIGPIPE, SIG_IGN);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (argc >= 3 && (!strcmp(argv[1], "serve") || !strcmp(argv[1], "sink"))) {
		sink = argv[1][1] == 'i';
		proxy = argc > 3 && !strcmp(argv[3], "--proxy");
		serve((uint16_t)number(argv[2], 1, 65535));
	}
	for (int i = 0; argc >= 3 && i < 4; i++) {
		if (strcmp(argv[1], modes[i]))
			continue;
		int count = argc > 3 ? (int)number(argv[3], 1, 100000) : 32;

		set_target(argv[2]);
		if (i == HOLD)
			hold(count);
		else
			run((enum mode)i, count,
			    argc > 4 ? number(argv[4], 0.1, 3600) : 5);
		return 0;
	}
	fprintf(stderr, "usage: load serve|sink PORT [--proxy]\n"
			"       load cycle|pingpong|bulk|hold IP:PORT [N [SECONDS]]\n");
	return 2;
}
