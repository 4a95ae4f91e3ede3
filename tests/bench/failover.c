/*
 * What clients see when a node dies, or freezes, with their transactions in flight.
 *
 *     failover FRONT_IP:PORT NODE_IP:PORT NODE_IP:PORT [--freeze] [--clients N]
 *              [--rounds N]
 *
 * Both nodes are processes of this program: they say again what they are asked
 * ("check..." at once, else after DELAY_MS, so that many are in flight).  In
 * each round the first is killed (its sockets close) or stopped (they do not),
 * and started again when everybody has had his time.  Prints one line; a
 * transaction is connect, 64 bytes of its own, the same 64 bytes, close:
 *
 *     failed    it ended before the first byte of an answer
 *     cut       within the answer
 *     wrong     another answer
 *     hanging   no end HANGING_MS after the node's
 *     first     from the node's end to the first answer of a transaction that was
 *               begun after it
 *     slowest   of all that were answered
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
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
	ASK = 64, DELAY_MS = 20, SOURCES = 32, EVENTS = 256, ROUNDS_MAX = 100,
	BEFORE_MS = 500,	/* of a round, with both nodes */
	AFTER_MS = 1000,	/* new transactions begin so long after its end */
	HANGING_MS = 6000,
	BACK_MS = 20000,	/* till a node that is back must have work */
};

static struct sockaddr_in front, node_address[2];
static pid_t node_pid[2];
static volatile uint64_t *served;	/* shared: by each node */
static int epoll_fd;

static void die(const char *what)
{
	fprintf(stderr, "failover: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void watch(int epoll, int fd, void *what, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = what };

	if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &e) < 0)
		die("epoll_ctl");
}

/* ---- a node ----------------------------------------------------------------- */

struct guest {
	struct guest *next;	/* waits for its answer */
	int fd;
	bool waits, gone;
	int64_t due_us;
	ssize_t length;
	char bytes[ASK];
};

static struct guest *first, *last;

static void drop(struct guest *p)
{
	close(p->fd);
	p->gone = true;
	if (!p->waits)
		free(p);
}

static void hear(struct guest *p)
{
	char bytes[ASK];
	ssize_t n = recv(p->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n <= 0 || p->waits) {
		drop(p);
		return;
	}
	if (n >= 5 && !memcmp(bytes, "check", 5)) {
		if (send(p->fd, bytes, (size_t)n, MSG_NOSIGNAL) < 0)
			drop(p);
		return;
	}
	memcpy(p->bytes, bytes, (size_t)n);
	p->length = n;
	p->due_us = now_us() + DELAY_MS * 1000;
	p->waits = true;
	p->next = NULL;
	if (first)
		last->next = p;
	else
		first = p;
	last = p;
}

/* Answers what is due; how long until the next is, in ms. */
static int answer(volatile uint64_t *count)
{
	int64_t now = now_us();

	while (first && first->due_us <= now) {
		struct guest *p = first;

		first = p->next;
		p->waits = false;
		if (p->gone) {
			free(p);
			continue;
		}
		if (send(p->fd, p->bytes, (size_t)p->length, MSG_NOSIGNAL) > 0)
			++*count;
	}
	return first ? (int)((first->due_us - now) / 1000) + 1 : -1;
}

static void node(int listening, volatile uint64_t *count)
{
	struct epoll_event events[EVENTS];
	struct guest *p;
	int epoll = epoll_create1(EPOLL_CLOEXEC), fd;

	watch(epoll, listening, NULL, EPOLLIN);
	for (;;) {
		int n = epoll_wait(epoll, events, EVENTS, answer(count));

		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr) {
				hear(events[i].data.ptr);
				continue;
			}
			fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
			p = fd < 0 ? NULL : calloc(1, sizeof(*p));
			if (!p)
				continue;
			p->fd = fd;
			watch(epoll, fd, p, EPOLLIN);
		}
	}
}

static void start_node(int i)
{
	int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (bind(fd, (struct sockaddr *)&node_address[i],
		 sizeof(node_address[i])) < 0 || listen(fd, 4096) < 0)
		die("a node's address");
	node_pid[i] = fork();
	if (node_pid[i] < 0)
		die("fork");
	if (node_pid[i] == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		node(fd, &served[i]);
	}
	close(fd);
}

/* ---- clients ------------------------------------------------------------------ */

struct client {
	int fd;			/* -1: none under way */
	bool asked;
	size_t got;
	int64_t begun_us;
	char ask[ASK], answer[ASK];
};

struct result {
	unsigned in_flight, answered, failed, cut, wrong, hanging;
	int64_t first_us, slowest_us;
};

static struct result total;
static int64_t ended_us;	/* the node's end in this round, 0 = not yet */
static int64_t round_first_us;

static void begin(struct client *c)
{
	static uint32_t turn;
	struct sockaddr_in from = { .sin_family = AF_INET };
	int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	from.sin_addr.s_addr = htonl(0x7f000002u + turn++ % SOURCES);
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof(on));
	if (bind(c->fd, (struct sockaddr *)&from, sizeof(from)) < 0)
		die("bind");
	if (connect(c->fd, (struct sockaddr *)&front, sizeof(front)) < 0 &&
	    errno != EINPROGRESS)
		die("connect");
	snprintf(c->ask, sizeof(c->ask), "transaction %u", turn);
	c->asked = false;
	c->got = 0;
	c->begun_us = now_us();
	watch(epoll_fd, c->fd, c, EPOLLIN | EPOLLOUT | EPOLLET);
}

static void end(struct client *c)
{
	close(c->fd);
	c->fd = -1;
}

static void answered(struct client *c)
{
	int64_t now = now_us();

	total.answered++;
	if (memcmp(c->ask, c->answer, ASK))
		total.wrong++;
	if (now - c->begun_us > total.slowest_us)
		total.slowest_us = now - c->begun_us;
	if (ended_us && c->begun_us > ended_us && !round_first_us)
		round_first_us = now - ended_us;
	end(c);
}

static void on_event(struct client *c, uint32_t events)
{
	ssize_t n;

	if (!c->asked && events & EPOLLOUT) {
		c->asked = true;
		/* What went wrong is read below. */
		(void)!send(c->fd, c->ask, ASK, MSG_NOSIGNAL);
	}
	n = recv(c->fd, c->answer + c->got, ASK - c->got, MSG_DONTWAIT);
	if (n < 0 && errno == EAGAIN)
		return;
	if (n > 0) {
		c->got += (size_t)n;
		if (c->got == ASK)
			answered(c);
		return;
	}
	*(c->got ? &total.cut : &total.failed) += 1;
	end(c);
}

/* Serves clients for that long; new: those without a transaction begin one.
 * Returns how many have one, at once when that is 0. */
static int serve(struct client *clients, int count, int64_t ms, bool fresh)
{
	struct epoll_event events[EVENTS];
	int64_t until = now_us() + ms * 1000;
	int busy = 0;

	do {
		int n = epoll_wait(epoll_fd, events, EVENTS, 5);

		for (int i = 0; i < n; i++)
			on_event(events[i].data.ptr, events[i].events);
		busy = 0;
		for (int i = 0; i < count; i++) {
			if (clients[i].fd < 0 && fresh)
				begin(&clients[i]);
			busy += clients[i].fd >= 0;
		}
	} while (now_us() < until && busy);
	return busy;
}

/* Until the first node has work again. */
static void await_node(struct client *clients, int count)
{
	uint64_t before = served[0];
	int64_t until = now_us() + BACK_MS * 1000;

	while (served[0] < before + 5 && now_us() < until)
		serve(clients, count, 20, true);
	if (served[0] < before + 5) {
		fprintf(stderr, "failover: the node gets no work\n");
		exit(1);
	}
}

static void play_round(struct client *clients, int count, bool freeze)
{
	ended_us = round_first_us = 0;
	await_node(clients, count);
	serve(clients, count, BEFORE_MS, true);
	kill(node_pid[0], freeze ? SIGSTOP : SIGKILL);
	ended_us = now_us();
	for (int i = 0; i < count; i++)
		total.in_flight += clients[i].fd >= 0;
	serve(clients, count, AFTER_MS, true);
	total.hanging += (unsigned)serve(clients, count, HANGING_MS, false);
	for (int i = 0; i < count; i++)
		if (clients[i].fd >= 0)
			end(&clients[i]);
	kill(node_pid[0], SIGKILL);
	waitpid(node_pid[0], NULL, 0);
	start_node(0);
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

static void set_address(struct sockaddr_in *a, const char *text)
{
	char host[64];
	const char *colon = strrchr(text, ':');

	a->sin_family = AF_INET;
	if (colon && (size_t)(colon - text) < sizeof(host)) {
		memcpy(host, text, (size_t)(colon - text));
		host[colon - text] = '\0';
		a->sin_port = htons((uint16_t)strtoul(colon + 1, NULL, 10));
		if (inet_pton(AF_INET, host, &a->sin_addr) == 1 && a->sin_port)
			return;
	}
	fprintf(stderr, "failover: \"%s\" is not IP:PORT\n", text);
	exit(2);
}

int main(int argc, char **argv)
{
	int64_t firsts[ROUNDS_MAX];
	int count = 200, rounds = 5;
	bool freeze = false;

	if (argc < 4) {
		fprintf(stderr, "usage: failover IP:PORT NODE_IP:PORT NODE_IP:PORT [--freeze] [--clients N] [--rounds N]\n");
		return 2;
	}
	set_address(&front, argv[1]);
	set_address(&node_address[0], argv[2]);
	set_address(&node_address[1], argv[3]);
	for (int i = 4; i < argc; i++) {
		freeze |= !strcmp(argv[i], "--freeze");
		if (!strcmp(argv[i], "--clients") && i + 1 < argc)
			count = (int)strtol(argv[++i], NULL, 10);
		if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
			rounds = (int)strtol(argv[++i], NULL, 10);
	}
	if (count < 1 || rounds < 1 || rounds > ROUNDS_MAX)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	served = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct client *clients = calloc((size_t)count, sizeof(*clients));
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (served == MAP_FAILED || !clients || epoll_fd < 0)
		die("memory");
	for (int i = 0; i < count; i++)
		clients[i].fd = -1;
	start_node(0);
	start_node(1);
	await_node(clients, count);
	total = (struct result){ 0 };
	for (int i = 0; i < rounds; i++) {
		play_round(clients, count, freeze);
		firsts[i] = round_first_us;
	}
	qsort(firsts, (size_t)rounds, sizeof(firsts[0]), by_size);
	printf("%s %d rounds: %u in flight, %u answered, %u failed, %u cut, %u wrong, %u hanging, first %.1f ms, slowest %.1f ms\n",
	       freeze ? "freeze" : "kill", rounds, total.in_flight,
	       total.answered, total.failed, total.cut, total.wrong,
	       total.hanging, (double)firsts[rounds / 2] / 1e3,
	       (double)total.slowest_us / 1e3);
	for (int i = 0; i < 2; i++)
		kill(node_pid[i], SIGKILL);
	free(clients);
	return 0;
}
