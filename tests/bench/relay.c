/*
 * A gateway with an engine that says yes to everything at once: what the
 * gateway alone can do.
 *
 *     relay PORT MACHINE_IP:PORT [--proxy] [--gateways N]
 *     relay PORT NODE_IP:PORT,NODE_IP:PORT --cluster [--proxy] [--gateways N]
 *
 * Nodes are asked "check\n" every second and must say it again.  Ends at
 * end-of-file on standard input, then prints how many sessions ended, or what
 * became of the cluster's transactions.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/spread.h"
#include "engine/gateway/gateway.h"
#include "engine/wire/message.h"

enum { GATEWAYS_MAX = 16 };

static int engines[GATEWAYS_MAX];
static const char *machine;
static bool proxy, cluster;
static uint64_t sessions, ended;
static struct wire_cluster_count counts[GATEWAYS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void start(uint32_t index)
{
	int pair[2], knock = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un un = { .sun_family = AF_UNIX };

	int n = snprintf(un.sun_path + 1, 60, "remuda-bench-%d-%u", (int)getpid(),
			 index);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    bind(knock, (struct sockaddr *)&un, (socklen_t)(3 + n)) < 0 ||
	    listen(knock, 1) < 0)
		die("sockets");
	pid_t pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0) {
		struct gateway_options o = {
			.index = index, .term = 1, .engine_fd = pair[1],
			.rendezvous_fd = knock,
			.key_fd = wire_memfd("bench", 5, NULL),
		};

		for (uint32_t i = 0; i < index; i++)
			close(engines[i]);
		close(pair[0]);
		log_open("gateway", 2, LOG_ERROR);
		_exit(gateway_run(&o));
	}
	close(pair[1]);
	close(knock);
	engines[index] = pair[0];
}

static void send_message(int fd, struct message *m)
{
	struct error err;
	int sent;

	while ((sent = wire_send(fd, m, &err)) == 0)
		poll(&(struct pollfd){ .fd = fd, .events = POLLOUT }, 1, -1);
	if (sent < 0) {
		fprintf(stderr, "relay: %s\n", err.text);
		exit(1);
	}
}

static void offer(int fd, uint16_t port, uint32_t sockets)
{
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int on = 1, door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct error err;

	setsockopt(door, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	setsockopt(door, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on));
	if (bind(door, (struct sockaddr *)&in, sizeof(in)) < 0 ||
	    listen(door, 4096) < 0)
		die("listen");
	spread_in_turn(door, sockets, &err);	/* or by the kernel's hash */
	struct message m = {
		.type = WIRE_TYPE_gateway_listener, .fds = { door, -1 },
		.fd_count = 1,
		.gateway_listener = { .listener = 1, .name = SLICE("bench"),
				      .door = cluster ? WIRE_DOOR_CLUSTER :
							WIRE_DOOR_DIRECT,
				      .user_source = WIRE_USER_FIXED,
				      .user = SLICE("kiosk"),
				      .application = SLICE("echo") },
	};
	send_message(fd, &m);
	close(door);
}

/* The cluster and its nodes, as an engine would tell of them. */
static void tell_cluster(int fd)
{
	char copy[512], *save = NULL;
	struct message m = {
		.type = WIRE_TYPE_cluster_set,
		.cluster_set = {
			.name = SLICE("echo"), .balance = WIRE_BALANCE_LEAST,
			.replay = 1, .wait_ms = 10000,
			.identity = proxy ? WIRE_IDENTITY_PROXY
					  : WIRE_IDENTITY_NONE,
			.health_request = SLICE("check\n"),
			.health_expect = SLICE("check"),
			.health_interval_ms = 1000, .health_timeout_ms = 1000,
			.health_fall = 2, .health_rise = 1,
		},
	};

	send_message(fd, &m);
	snprintf(copy, sizeof(copy), "%s", machine);
	m = (struct message){ .type = WIRE_TYPE_node_set, .incarnation = 1,
			      .node_set = { .cluster = SLICE("echo"),
					    .machine_name = SLICE("echo-01"),
					    .node = WIRE_NODE_SERVING } };
	for (char *at = strtok_r(copy, ",", &save); at;
	     at = strtok_r(NULL, ",", &save)) {
		m.node_set.machine++;
		m.node_set.address = slice_of(at);
		send_message(fd, &m);
	}
}

static void print_counts(int gateways)
{
	struct wire_cluster_count sum = { .transactions = 0 };

	for (int i = 0; i < gateways; i++) {
		sum.transactions += counts[i].transactions;
		sum.answered += counts[i].answered;
		sum.replayed += counts[i].replayed;
		sum.failed += counts[i].failed;
		sum.reset += counts[i].reset;
		sum.refused += counts[i].refused;
	}
	printf("%llu transactions, %llu answered, %llu replayed, %llu failed, %llu reset, %llu refused\n",
	       (unsigned long long)sum.transactions,
	       (unsigned long long)sum.answered,
	       (unsigned long long)sum.replayed,
	       (unsigned long long)sum.failed, (unsigned long long)sum.reset,
	       (unsigned long long)sum.refused);
}

static void answer(int fd, int gateway, const struct message *q)
{
	if (q->type == WIRE_TYPE_cluster_count)
		counts[gateway] = q->cluster_count;
	if (q->type != WIRE_TYPE_session_request) {
		ended += q->type == WIRE_TYPE_session_ended;
		return;
	}
	sessions++;
	struct message m = {
		.type = WIRE_TYPE_session_assign, .incarnation = 1,
		.session_assign = {
			.conn = q->session_request.conn, .session = sessions,
			.machine = 1 + sessions % 1000,
			.machine_name = SLICE("echo-01"),
			.endpoint = WIRE_ENDPOINT_TCP,
			.address = slice_of(machine),
			.identity = proxy ? WIRE_IDENTITY_PROXY
					  : WIRE_IDENTITY_NONE,
			.user = SLICE("kiosk"), .application = SLICE("echo"),
			.listener = SLICE("bench"), .accept_deadline_ms = 5000,
		},
	};

	send_message(fd, &m);
}

/* A number of an argument; exits when it is none. */
static long number(const char *text, long low, long high)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*end || end == text || v < low || v > high) {
		fprintf(stderr, "relay: \"%s\" is not a number from %ld to %ld\n",
			text, low, high);
		exit(2);
	}
	return v;
}

int main(int argc, char **argv)
{
	static struct wire_buffer buffer;
	struct pollfd p[GATEWAYS_MAX + 1] = { { .fd = 0, .events = POLLIN } };
	int count = 1;

	if (argc < 3) {
		fprintf(stderr, "usage: relay PORT IP:PORT[,IP:PORT --cluster] [--proxy] [--gateways N]\n");
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	machine = argv[2];
	for (int i = 3; i < argc; i++) {
		proxy |= !strcmp(argv[i], "--proxy");
		cluster |= !strcmp(argv[i], "--cluster");
		if (!strcmp(argv[i], "--gateways") && i + 1 < argc)
			count = (int)number(argv[++i], 1, GATEWAYS_MAX);
	}
	for (int i = 0; i < count; i++) {
		start((uint32_t)i);
		offer(engines[i], (uint16_t)number(argv[1], 1, 65535),
		      (uint32_t)i + 1);
		if (cluster)
			tell_cluster(engines[i]);
		p[i + 1] = (struct pollfd){ .fd = engines[i], .events = POLLIN };
	}
	while (poll(p, (nfds_t)count + 1, -1) > 0 && !p[0].revents) {
		for (int i = 0; i < count; i++) {
			struct message m;
			struct error err;
			int got;

			if (!p[i + 1].revents)
				continue;
			buffer.at = buffer.length = 0;
			while ((got = wire_next(&buffer, &m, &err)) > 0 ||
			       (got == 0 &&
				(got = wire_receive_first(engines[i], &buffer, &m,
							  &err)) > 0))
				answer(engines[i], i, &m);
			if (got < 0) {
				fprintf(stderr, "relay: gateway: %s\n", err.text);
				return 1;
			}
		}
	}
	for (int i = 0; i < count; i++) {
		struct message stop = { .type = WIRE_TYPE_gateway_stop };

		send_message(engines[i], &stop);
		wait(NULL);
	}
	if (cluster)
		print_counts(count);
	else
		printf("%llu sessions, %llu ended\n",
		       (unsigned long long)sessions, (unsigned long long)ended);
	return 0;
}
