/*
 * Clients of a cluster: short transactions without a pause, until they are told to
 * stop, and what became of them.
 *
 *     transactions IP:PORT [--clients N] [--path /PATH] [--seconds N] [--late MS]
 *
 * A transaction is a connection, GET PATH, an answer of node.c to its end.  SIGUSR1
 * marks a moment (a node is killed now); SIGTERM, or the end of --seconds (120 at
 * most), stops.  Prints one line of JSON:
 *
 *     ok        answered whole
 *     failed    ended before the first byte of an answer
 *     cut       ended within the answer
 *     hanging   no end within --late ms (5,000); it is given up then
 *     slowest   ms of the slowest that was answered
 *     nodes     answers by each node
 *     marks     of each mark: ms to the first answer of a transaction begun after it,
 *               ms to the last answer of those that were in flight then, and how many
 *               of those had none
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
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { CLIENTS_MAX = 256, NODES_MAX = 64, MARKS_MAX = 64, ANSWER_MAX = 4096 };

struct client {
	int fd;			/* -1: none */
	bool sent;
	int64_t began_us;
	size_t length;
	char answer[ANSWER_MAX];
};

struct mark {
	int64_t at_us, first_us, last_us;	/* 0 = not yet */
	int in_flight;
};

static struct client clients[CLIENTS_MAX];
static struct sockaddr_in front;
static char question[512];
static int epoll_fd, client_count = 32, mark_count;
static int64_t late_us = 5000 * 1000, slowest_us;
static uint64_t ok, failed, cut, hanging;
static struct mark marks[MARKS_MAX];
static struct { char name[64]; uint64_t count; } nodes[NODES_MAX];

static int64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void die(const char *what)
{
	fprintf(stderr, "transactions: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void begin(struct client *c)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT | EPOLLET,
				 .data.ptr = c };
	static const int on = 1;

	c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		die("socket");
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	c->began_us = now_us();
	c->length = 0;
	c->sent = false;
	if ((connect(c->fd, (struct sockaddr *)&front, sizeof(front)) < 0 &&
	     errno != EINPROGRESS) ||
	    epoll_ctl(epoll_fd, EPOLL_CTL_ADD, c->fd, &e) < 0)
		die("connect");
}

static void count_node(const char *answer)
{
	size_t length = strcspn(answer, " \n");

	for (int i = 0; i < NODES_MAX; i++) {
		if (!nodes[i].name[0])
			snprintf(nodes[i].name, sizeof(nodes[i].name), "%.*s",
				 (int)length, answer);
		if (strlen(nodes[i].name) == length &&
		    memcmp(nodes[i].name, answer, length) == 0) {
			nodes[i].count++;
			return;
		}
	}
}

/* Answered whole: what that says of the marks. */
static void note_marks(const struct client *c, int64_t now)
{
	for (int i = 0; i < mark_count; i++) {
		struct mark *m = &marks[i];

		if (c->began_us >= m->at_us && !m->first_us)
			m->first_us = now;
		if (c->began_us < m->at_us && m->in_flight > 0) {
			m->in_flight--;
			m->last_us = now;
		}
	}
}

static void ended(struct client *c)
{
	const char *body = strstr(c->answer, "\r\n\r\n");
	int64_t now = now_us();

	close(c->fd);
	c->fd = -1;
	if (!c->length) {
		failed++;
	} else if (!body || !strchr(body, '=') || c->answer[c->length - 1] != '\n') {
		cut++;
	} else {
		ok++;
		count_node(body + 4);
		note_marks(c, now);
		if (now - c->began_us > slowest_us)
			slowest_us = now - c->began_us;
	}
}

static void serve(struct client *c)
{
	if (!c->sent) {
		ssize_t n = send(c->fd, question, strlen(question), MSG_NOSIGNAL);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0) {
			ended(c);
			return;
		}
		c->sent = true;
	}
	for (;;) {
		ssize_t n = recv(c->fd, c->answer + c->length,
				 ANSWER_MAX - 1 - c->length, 0);

		if (n < 0 && errno == EAGAIN)
			return;
		if (n <= 0) {
			ended(c);
			return;
		}
		c->length += (size_t)n;
		c->answer[c->length] = '\0';
	}
}

static void give_up_late(void)
{
	int64_t now = now_us();

	for (int i = 0; i < client_count; i++)
		if (clients[i].fd >= 0 && now - clients[i].began_us > late_us) {
			hanging++;
			close(clients[i].fd);
			clients[i].fd = -1;
		}
}

static void report(void)
{
	printf("{\"ok\":%llu,\"failed\":%llu,\"cut\":%llu,\"hanging\":%llu,\"slowest\":%.1f,\"nodes\":{",
	       (unsigned long long)ok, (unsigned long long)failed,
	       (unsigned long long)cut, (unsigned long long)hanging,
	       (double)slowest_us / 1000);
	for (int i = 0; i < NODES_MAX && nodes[i].name[0]; i++)
		printf("%s\"%s\":%llu", i ? "," : "", nodes[i].name,
		       (unsigned long long)nodes[i].count);
	printf("},\"marks\":[");
	for (int i = 0; i < mark_count; i++)
		printf("%s[%.1f,%.1f,%d]", i ? "," : "",
		       marks[i].first_us ?
			       (double)(marks[i].first_us - marks[i].at_us) / 1000 : -1,
		       marks[i].last_us ?
			       (double)(marks[i].last_us - marks[i].at_us) / 1000 : -1,
		       marks[i].in_flight);
	printf("]}\n");
}

static void set_mark(void)
{
	struct mark *m = &marks[mark_count];

	if (mark_count == MARKS_MAX)
		return;
	*m = (struct mark){ .at_us = now_us() };
	for (int i = 0; i < client_count; i++)
		m->in_flight += clients[i].fd >= 0;
	mark_count++;
}

static void run(int signals, int64_t until_us)
{
	struct epoll_event e = { .events = EPOLLIN }, events[64];
	struct signalfd_siginfo info;

	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, signals, &e);
	while (now_us() < until_us) {
		for (int i = 0; i < client_count; i++)
			if (clients[i].fd < 0)
				begin(&clients[i]);
		int n = epoll_wait(epoll_fd, events, 64, 20);
		for (int i = 0; i < n; i++) {
			if (events[i].data.ptr) {
				serve(events[i].data.ptr);
				continue;
			}
			if (read(signals, &info, sizeof(info)) != sizeof(info))
				die("signalfd");
			if (info.ssi_signo == SIGTERM)
				return;
			set_mark();
		}
		give_up_late();
	}
}

int main(int argc, char **argv)
{
	const char *path = "/";
	char ip[64] = "";
	int port = 0, seconds = 120;
	sigset_t set;

	if (argc < 2 || sscanf(argv[1], "%63[0-9.]:%d", ip, &port) != 2)
		return 2;
	for (int i = 2; i + 1 < argc; i += 2) {
		if (strcmp(argv[i], "--clients") == 0)
			client_count = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--path") == 0)
			path = argv[i + 1];
		else if (strcmp(argv[i], "--seconds") == 0)
			seconds = (int)strtol(argv[i + 1], NULL, 10);
		else if (strcmp(argv[i], "--late") == 0)
			late_us = strtol(argv[i + 1], NULL, 10) * 1000;
	}
	if (client_count < 1 || client_count > CLIENTS_MAX || seconds < 1 ||
	    seconds > 120)
		return 2;
	front = (struct sockaddr_in){ .sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port) };
	inet_pton(AF_INET, ip, &front.sin_addr);
	snprintf(question, sizeof(question), "GET %s HTTP/1.0\r\n\r\n", path);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	for (int i = 0; i < CLIENTS_MAX; i++)
		clients[i].fd = -1;
	run(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
	    now_us() + seconds * 1000000ll);
	report();
	return 0;
}
