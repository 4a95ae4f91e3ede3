/*
 * Clients that are slow on purpose, and honest ones beside them.
 *
 *     slow_clients hold N CONNECT SOCKS TLS        N slow connections to these
 *         ports of 127.0.0.1, from 127.1.0.1 onwards, 100 from each address: by
 *         turns silent, one byte a second, half an HTTP header, half a TLS
 *         hello, half a SOCKS login.  A connection that is cut comes again, until
 *         standard input ends.  Prints "held" when N are connected for the first
 *         time; at the end how often one was cut.
 *     slow_clients ask N CONNECT SOCKS TOKEN       N honest sessions, 25 at once,
 *         from 127.0.0.2 onwards, half through each door: login, a line, its
 *         echo.  Prints how many succeeded, and the faults of the others.
 *
 * One thread, one epoll.  It ends by itself after a minute.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
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

enum { KINDS = 5, PER_ADDRESS = 100, AT_ONCE = 25, END_MS = 60000, ASK_MS = 20000 };

struct peer {
	int fd, number, step;
	bool connected;
	size_t got;
	int64_t begun_ms;
};

static int epoll_fd;
static uint16_t connect_port, socks_port, tls_port;
static unsigned long cuts, connected, connects;
static const char *token;

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "slow_clients: %s: %s\n", what, strerror(errno));
	exit(1);
}

static long number(const char *text, long high)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (end == text || *end || v < 1 || v > high) {
		fprintf(stderr, "slow_clients: \"%s\" is not a number from 1 to %ld\n", text, high);
		exit(2);
	}
	return v;
}

/* Begins to connect p from an address of its own group. */
static void dial(struct peer *p, uint32_t from, uint16_t port)
{
	struct sockaddr_in own = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(from) };
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = p };

	p->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	p->connected = false;
	p->step = 0;
	p->got = 0;
	p->begun_ms = now_ms();
	if (p->fd < 0 || bind(p->fd, (struct sockaddr *)&own, sizeof(own)) < 0)
		die("bind");
	if (connect(p->fd, (struct sockaddr *)&to, sizeof(to)) < 0 && errno != EINPROGRESS)
		die("connect");
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, p->fd, &e) < 0)
		die("epoll_ctl");
}

static void put(struct peer *p, const void *bytes, size_t n)
{
	/* One that is cut meanwhile is seen by epoll. */
	if (send(p->fd, bytes, n, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		return;
}

/* ---- the slow ---- */

static uint16_t slow_port(const struct peer *p)
{
	const uint16_t ports[] = { connect_port, connect_port, connect_port, tls_port, socks_port };

	/* Silence and drops at every door in turn. */
	return p->number % KINDS < 2 ? ports[2 + p->number / KINDS % 3] : ports[p->number % KINDS];
}

static void slow_dial(struct peer *p)
{
	dial(p, 0x7f010001u + (uint32_t)(p->number / PER_ADDRESS), slow_port(p));
	connects++;
}

static void slow_begin(struct peer *p)
{
	switch (p->number % KINDS) {
	case 2: put(p, "CONNECT web:80 HTTP/1.1\r\nHost: web\r\nX: ", 40); break;
	case 3: put(p, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 11); break;
	case 4: put(p, "\5\1\2\1\4an", 7); break;
	}
}

static void slow_drip(struct peer *peers, long n)
{
	for (long i = 1; i < n; i += KINDS)
		if (peers[i].connected)
			put(&peers[i], "C", 1);
}

static void hold(long n)
{
	struct peer *peers = calloc((size_t)n, sizeof(*peers));
	struct epoll_event events[512], in = { .events = EPOLLIN, .data.ptr = NULL };
	int64_t end = now_ms() + END_MS, drip = now_ms() + 1000;
	bool told = false, over = false;
	static char block[4096];
	long next = 0;

	if (!peers || epoll_ctl(epoll_fd, EPOLL_CTL_ADD, 0, &in) < 0)
		die("standard input");
	while (!over && now_ms() < end) {
		for (int i = 0; i < 200 && next < n; i++, next++) {
			peers[next].number = (int)next;
			slow_dial(&peers[next]);
		}
		int got = epoll_wait(epoll_fd, events, 512, next < n ? 1 : 100);
		for (int i = 0; i < got; i++) {
			struct peer *p = events[i].data.ptr;

			if (!p) {
				over |= read(0, block, sizeof(block)) <= 0;
				continue;
			}
			if (!p->connected && events[i].events & EPOLLOUT &&
			    !(events[i].events & (EPOLLERR | EPOLLHUP))) {
				p->connected = true;
				connected++;
				slow_begin(p);
			}
			ssize_t r = events[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP) ?
				    recv(p->fd, block, sizeof(block), MSG_DONTWAIT) : -2;
			if (r == 0 || (r == -1 && errno != EAGAIN)) {
				close(p->fd);
				cuts++;
				slow_dial(p);
			}
		}
		if (!told && connected >= (unsigned long)n) {
			told = true;
			printf("held\n");
			fflush(stdout);
		}
		if (now_ms() >= drip) {
			drip += 1000;
			slow_drip(peers, n);
		}
	}
	printf("slow %ld connected %lu cut %lu\n", n, connected, cuts);
}

/* ---- the honest ---- */

static const char question[] = "honest question\n", echoed[] = "echo: honest question\n";
static unsigned long right, wrong[4];

static void ask_begin(struct peer *p, int i)
{
	p->number = i;
	dial(p, 0x7f000002u + (uint32_t)i % 50, i % 2 ? socks_port : connect_port);
}

/* What is to be said at this step; true when there is nothing more to hear. */
static bool ask_step(struct peer *p)
{
	char bytes[512];
	ssize_t n;

	if (p->number % 2 == 0 && p->step == 0) {
		n = snprintf(bytes, sizeof(bytes), "CONNECT web HTTP/1.1\r\nHost: web\r\n"
			     "Proxy-Authorization: Bearer %s\r\n\r\n%s", token, question);
		put(p, bytes, (size_t)n);
		p->step = 1;
	} else if (p->step == 0) {
		n = snprintf(bytes, sizeof(bytes), "\5\1\2\1%crobot%c%s", 5, (int)strlen(token), token);
		memcpy(bytes + n, "\5\1\0\3\3web\0\120", 10);
		n += 10;
		memcpy(bytes + n, question, sizeof(question) - 1);
		put(p, bytes, (size_t)n + sizeof(question) - 1);
		p->step = 1;
	}
	/* The answer ends with the echo, whatever the door says before it. */
	n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_PEEK);
	if (n < 0 && errno == EAGAIN)
		return false;
	if (n <= 0) {
		wrong[n < 0 ? 0 : 1]++;
		return true;
	}
	if (n >= (ssize_t)sizeof(echoed) - 1 &&
	    memcmp(bytes + n - (sizeof(echoed) - 1), echoed, sizeof(echoed) - 1) == 0) {
		right++;
		return true;
	}
	if (n > 9 && memcmp(bytes, "HTTP/1.1 ", 9) == 0 && bytes[9] != '2') {
		wrong[2]++;
		return true;
	}
	return false;
}

static void ask(long n)
{
	static struct peer peers[AT_ONCE];
	struct epoll_event events[64];
	long next = 0, done = 0;
	int64_t end = now_ms() + END_MS;

	for (int i = 0; i < AT_ONCE; i++)
		peers[i].fd = -1;
	while (done < n && now_ms() < end) {
		for (int i = 0; i < AT_ONCE; i++) {
			struct peer *p = &peers[i];

			if (p->fd >= 0 && now_ms() - p->begun_ms > ASK_MS) {
				wrong[3]++;
				done++;
				close(p->fd);
				p->fd = -1;
			}
			if (p->fd < 0 && next < n)
				ask_begin(p, (int)next++);
		}
		int got = epoll_wait(epoll_fd, events, 64, 100);
		for (int i = 0; i < got; i++) {
			struct peer *p = events[i].data.ptr;

			if (!ask_step(p))
				continue;
			close(p->fd);
			p->fd = -1;
			done++;
		}
	}
	printf("honest %ld succeeded %lu reset %lu closed %lu refused %lu silent %lu\n",
	       n, right, wrong[0], wrong[1], wrong[2], wrong[3]);
}

int main(int argc, char **argv)
{
	struct rlimit r;

	if (argc != 6 || (strcmp(argv[1], "hold") && strcmp(argv[1], "ask"))) {
		fprintf(stderr, "usage: slow_clients hold N CONNECT SOCKS TLS | ask N CONNECT SOCKS TOKEN\n");
		return 2;
	}
	getrlimit(RLIMIT_NOFILE, &r);
	r.rlim_cur = r.rlim_max;
	setrlimit(RLIMIT_NOFILE, &r);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	connect_port = (uint16_t)number(argv[3], 65535);
	socks_port = (uint16_t)number(argv[4], 65535);
	if (strcmp(argv[1], "hold") == 0) {
		tls_port = (uint16_t)number(argv[5], 65535);
		hold(number(argv[2], 15000));
	} else {
		token = argv[5];
		ask(number(argv[2], 100000));
	}
	return 0;
}
