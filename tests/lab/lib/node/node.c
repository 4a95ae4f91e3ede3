/*
 * A cluster's node for tests, inside a guest: one process, many short
 * connections, no state.  A connection's first line says what is wanted:
 *
 *     GET /PATH HTTP/1.x   an answer in HTTP/1.0, then the end
 *         /                NAME vcpus=N memory=MIB served=COUNT
 *         /slow/MS         the same, MS later
 *         /big/BYTES       so many bytes, NAME again and again
 *         /half/MS         the answer's head and half a line; the rest MS later
 *     anything else        NAME and the line come back, for each line, until
 *                          the client has ended its side
 *
 *     node NAME PORT      in the background; it listens when this has returned
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
#include <sys/socket.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 4096, CONNECTIONS = 1024, HEAD_MAX = 512 };

struct conn {
	int fd;			/* -1: free */
	char in[LINE_MAX_BYTES];
	size_t length;
	bool http, answered, ended;
	char *out;		/* malloc'd, or NULL */
	size_t out_at, out_length;
	size_t out_now;		/* may be sent before due_ms */
	int64_t due_ms;		/* not before; 0 = at once */
};

static struct conn conns[CONNECTIONS];
static const char *name;
static unsigned long served;
static int epoll_fd;

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void drop(struct conn *c)
{
	close(c->fd);
	free(c->out);
	memset(c, 0, sizeof(*c));
	c->fd = -1;
}

static void want(struct conn *c, uint32_t events)
{
	struct epoll_event ev = { .events = events, .data = { .ptr = c } };

	epoll_ctl(epoll_fd, EPOLL_CTL_MOD, c->fd, &ev);
}

/* Sends what is due; drops the connection when all was said. */
static void push(struct conn *c)
{
	bool due = c->due_ms <= now_ms();
	size_t until = due ? c->out_length : c->out_now;

	while (c->out_at < until) {
		ssize_t n = send(c->fd, c->out + c->out_at, until - c->out_at,
				 MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EAGAIN) {
			want(c, EPOLLOUT);
			return;
		}
		if (n <= 0) {
			drop(c);
			return;
		}
		c->out_at += (size_t)n;
	}
	if (!due) {
		want(c, 0);
		return;
	}
	free(c->out);
	c->out = NULL;
	c->out_at = c->out_length = c->out_now = 0;
	if (c->http || c->ended)
		drop(c);
	else
		want(c, EPOLLIN);
}

static unsigned long memory_mib(void)
{
	struct sysinfo info;

	return sysinfo(&info) < 0 ? 0 : info.totalram / 1024 * info.mem_unit / 1024;
}

static int vcpus(void)
{
	return (int)sysconf(_SC_NPROCESSORS_ONLN);
}

static void put(struct conn *c, const char *text, size_t length)
{
	char *grown = realloc(c->out, c->out_length + length);

	if (!grown)
		exit(1);
	memcpy(grown + c->out_length, text, length);
	c->out = grown;
	c->out_length += length;
}

static void answer_http(struct conn *c)
{
	char body[HEAD_MAX], head[HEAD_MAX], path[HEAD_MAX] = "/";
	long number = 0;

	sscanf(c->in, "%*s %511s", path);
	const char *slash = strrchr(path, '/');
	if (slash && slash != path)
		number = strtol(slash + 1, NULL, 10);
	int n = snprintf(body, sizeof(body), "%s vcpus=%d memory=%lu served=%lu\n",
			 name, vcpus(), memory_mib(), ++served);
	size_t total = (size_t)n;
	if (strncmp(path, "/big/", 5) == 0 && number > 0) {
		n = snprintf(body, sizeof(body), "%s\n", name);
		total = (size_t)number;
	}
	int h = snprintf(head, sizeof(head), "HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n"
			 "Content-Length: %zu\r\nConnection: close\r\n\r\n", total);
	put(c, head, (size_t)h);
	for (size_t left = total; left > 0;) {
		size_t part = left < (size_t)n ? left : (size_t)n;

		put(c, body, part);
		left -= part;
	}
	if (strncmp(path, "/half/", 6) == 0)
		c->out_now = (size_t)h + (size_t)n / 2;
	if (strncmp(path, "/slow/", 6) == 0 || strncmp(path, "/half/", 6) == 0)
		c->due_ms = now_ms() + number;
}

/* What stands complete in c->in; the rest stays. */
static void answer(struct conn *c)
{
	char *end;

	c->http = strncmp(c->in, "GET ", 4) == 0;
	if (c->http) {
		if (!c->answered && (strstr(c->in, "\r\n\r\n") || strstr(c->in, "\n\n"))) {
			c->answered = true;
			answer_http(c);
		}
		return;
	}
	while ((end = memchr(c->in, '\n', c->length))) {
		size_t length = (size_t)(end - c->in) + 1;

		put(c, name, strlen(name));
		put(c, " ", 1);
		put(c, c->in, length);
		served++;
		c->length -= length;
		memmove(c->in, end + 1, c->length + 1);
	}
}

static void take(struct conn *c)
{
	ssize_t n = recv(c->fd, c->in + c->length, sizeof(c->in) - 1 - c->length,
			 MSG_DONTWAIT);

	if (n < 0 && errno == EAGAIN)
		return;
	if (n < 0 || (n == 0 && c->length == sizeof(c->in) - 1)) {
		drop(c);
		return;
	}
	c->ended = n == 0;
	c->length += (size_t)n;
	c->in[c->length] = '\0';
	if (n > 0)
		answer(c);
	if (c->out)
		push(c);
	else if (c->ended)
		drop(c);
}

static void accept_all(int listener)
{
	int fd, one = 1;

	while ((fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		struct conn *c = conns;

		while (c < conns + CONNECTIONS && c->fd >= 0)
			c++;
		if (c == conns + CONNECTIONS) {
			close(fd);
			continue;
		}
		struct epoll_event ev = { .events = EPOLLIN, .data = { .ptr = c } };
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
		c->fd = fd;
		epoll_ctl(epoll_fd, EPOLL_CTL_ADD, fd, &ev);
	}
}

/* Pushes what has become due; the time until the next, or -1. */
static int look_at_clocks(void)
{
	int64_t now = now_ms(), next = -1;

	for (struct conn *c = conns; c < conns + CONNECTIONS; c++) {
		if (c->fd < 0 || !c->due_ms)
			continue;
		if (c->due_ms <= now)
			push(c);
		else if (next < 0 || c->due_ms - now < next)
			next = c->due_ms - now;
	}
	return (int)next;
}

static int listen_at(int port)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_port = htons((uint16_t)port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) < 0 ||
	    listen(fd, 512) < 0) {
		perror("node");
		exit(1);
	}
	return fd;
}

int main(int argc, char **argv)
{
	struct epoll_event events[64], ev = { .events = EPOLLIN };

	if (argc != 3) {
		fprintf(stderr, "usage: node NAME PORT\n");
		return 2;
	}
	name = argv[1];
	signal(SIGPIPE, SIG_IGN);
	for (int i = 0; i < CONNECTIONS; i++)
		conns[i].fd = -1;
	int listener = listen_at(atoi(argv[2]));
	if (daemon(0, 0) < 0)
		return 1;
	FILE *pid = fopen("/run/node.pid", "w");
	if (!pid || fprintf(pid, "%d\n", getpid()) < 0 || fclose(pid) != 0)
		return 1;
	epoll_fd = epoll_create1(0);
	epoll_ctl(epoll_fd, EPOLL_CTL_ADD, listener, &ev);
	for (;;) {
		int n = epoll_wait(epoll_fd, events, 64, look_at_clocks());

		for (int i = 0; i < n; i++) {
			struct conn *c = events[i].data.ptr;

			if (!c)
				accept_all(listener);
			else if (c->fd < 0)
				continue;
			else if (events[i].events & (EPOLLERR | EPOLLHUP) &&
				 !(events[i].events & EPOLLIN))
				drop(c);
			else if (events[i].events & EPOLLIN)
				take(c);
			else if (events[i].events & EPOLLOUT)
				push(c);
		}
	}
}
