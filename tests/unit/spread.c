/* Sockets of one port get connections in turn, whatever else comes to the port. */
#include "engine/base/spread.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/tap.h"

enum { SOCKETS = 3, ROUNDS = 20, WAIT_MS = 5000 };

/* Of the loopback device; the port is filled in by the first socket. */
struct place {
	const char *name;
	union {
		struct sockaddr sa;
		struct sockaddr_in four;
		struct sockaddr_in6 six;
	} at;
	socklen_t size;
};

static int listening(struct place *p)
{
	int on = 1, fd = socket(p->at.sa.sa_family, SOCK_STREAM | SOCK_NONBLOCK, 0);

	setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(fd, &p->at.sa, p->size) < 0 || listen(fd, 64) < 0)
		tap_bail("listen: %s", strerror(errno));
	getsockname(fd, &p->at.sa, &(socklen_t){ p->size });
	return fd;
}

static int connected(const struct place *p)
{
	int fd = socket(p->at.sa.sa_family, SOCK_STREAM, 0);

	if (connect(fd, &p->at.sa, p->size) < 0)
		tap_bail("connect: %s", strerror(errno));
	return fd;
}

/* Which socket has the connection; it is taken from there. */
static int taken_by(const int *fds, int count, int *connection)
{
	for (int i = 0; i < count; i++) {
		*connection = accept(fds[i], NULL, NULL);
		if (*connection >= 0)
			return i;
	}
	tap_bail("no socket has the connection");
}

/* A packet which belongs to no connection: this side forgot it in silence. */
static void stray(int client, int server)
{
	struct pollfd reset = { .fd = client, .events = POLLIN };
	int on = 1;

	if (setsockopt(server, IPPROTO_TCP, TCP_REPAIR, &on, sizeof(on)) < 0)
		tap_bail("TCP_REPAIR: %s", strerror(errno));
	close(server);
	if (send(client, "x", 1, MSG_NOSIGNAL) != 1 ||
	    poll(&reset, 1, WAIT_MS) != 1)
		tap_bail("no answer to a stray packet");
	close(client);
}

static void even(const struct place *p, const int *fds, int count)
{
	int got[SOCKETS] = { 0 }, server;

	for (int i = 0; i < ROUNDS * count; i++) {
		int client = connected(p);

		got[taken_by(fds, count, &server)]++;
		stray(client, server);
	}
	for (int i = 0; i < count; i++)
		is_int(got[i], ROUNDS, "%s: socket %d of %d has its share",
		       p->name, i + 1, count);
}

static void spread_at(struct place *p)
{
	struct error err = { "" };
	int fds[SOCKETS];

	for (int i = 0; i < SOCKETS - 1; i++)
		fds[i] = listening(p);
	if (spread_in_turn(fds[0], SOCKETS - 1, &err) < 0) {
		/* Words, and what the kernel does by itself goes on. */
		tap_skip(2 * SOCKETS - 1, err.text);
		int server, client = connected(p);
		taken_by(fds, SOCKETS - 1, &server);
		close(client);
		close(server);
	} else {
		even(p, fds, SOCKETS - 1);
		fds[SOCKETS - 1] = listening(p);
		spread_in_turn(fds[0], SOCKETS, &err);
		even(p, fds, SOCKETS);
		close(fds[SOCKETS - 1]);
	}
	for (int i = 0; i < SOCKETS - 1; i++)
		close(fds[i]);
}

int main(void)
{
	struct place four = { "127.0.0.1", { .four = {
		.sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) },
	} }, sizeof(four.at.four) };
	struct place six = { "::1", { .six = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	} }, sizeof(six.at.six) };
	struct error err = { "" };

	spread_at(&four);
	spread_at(&six);
	is_int(spread_in_turn(0, 2, &err), -1, "no socket, no turn");
	ok(err.text[0] != '\0', "with words: %s", err.text);
	return tap_done();
}
