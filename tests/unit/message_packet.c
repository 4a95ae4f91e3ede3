/* Packets of several role messages: what comes out is what went in, in order,
 * and nothing after a message that is none. */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/wire/message.h"
#include "tests/tap.h"

static struct wire_buffer out, in;
static int ends[2];

/* Appends session_ended of that number; returns the new length. */
static size_t add(size_t at, uint64_t session)
{
	static uint8_t bytes[WIRE_PACKET_MAX];
	struct message m = {
		.type = WIRE_TYPE_session_ended, .incarnation = session * 2,
		.session_ended = { .session = session, .text = SLICE("why") },
	};
	int n = wire_encode(&m, bytes, NULL);

	if (n < 0)
		tap_bail("encode");
	memcpy(out.bytes + at, bytes, (size_t)n);
	return at + (size_t)n;
}

static void put(size_t length)
{
	if (send(ends[0], out.bytes, length, 0) != (ssize_t)length)
		tap_bail("send");
}

/* The sessions of all messages of the next packet, "1 2 3"; "!" for an error. */
static const char *take(void)
{
	static char text[200];
	struct error err;
	struct message m;
	size_t used = 0;
	int rc = wire_receive_first(ends[1], &in, &m, &err);

	text[0] = '\0';
	for (; rc > 0 && used < sizeof(text); rc = wire_next(&in, &m, &err)) {
		if (m.incarnation != m.session_ended.session * 2 ||
		    !slice_is(m.session_ended.text, "why"))
			rc = -1;
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%llu",
					 used ? " " : "",
					 (unsigned long long)m.session_ended.session);
	}
	if (rc < 0)
		snprintf(text + used, sizeof(text) - used, "!");
	is_int(wire_next(&in, &m, &err), 0, "nothing is left behind");
	return text;
}

static void test_packets(void)
{
	struct error err;
	struct message m;

	put(add(0, 7));
	is_text(take(), "7", "one message");
	size_t two = add(add(0, 1), 2);
	put(add(two, 3));
	is_text(take(), "1 2 3", "three, in order");
	is_int(wire_receive_first(ends[1], &in, &m, &err), 0, "then there is none");
	put(two - 1);
	is_text(take(), "1!", "the second cut short");
	add(add(0, 1), 2);
	memset(out.bytes + two, 0, 5);
	put(two + 5);
	is_text(take(), "1 2!", "bytes behind the last");
	size_t one = add(0, 1);
	add(one, 2);
	out.bytes[one + 8] = 255;	/* its length */
	put(add(two, 3));
	is_text(take(), "1!", "a length that is not the message's");
	add(0, 1);
	memset(out.bytes + 8, 0, 4);
	put(two);
	is_text(take(), "!", "a length of nothing ends it");
	put(add(two, 3));
	is_int(wire_receive(ends[1], &in, &m, &err), -1,
	       "who expects one message refuses several");
}

static void test_descriptors(void)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { out.bytes, add(0, 1) };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };
	struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
	struct error err;
	struct message m;
	int fd = dup(0), next;

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	if (sendmsg(ends[0], &msg, 0) < 0)
		tap_bail("sendmsg");
	is_int(wire_receive_first(ends[1], &in, &m, &err), 1, "with a descriptor");
	is_int(m.fd_count, 1, "it came along");
	wire_close_fds(&m);
	iov.iov_len = add(iov.iov_len, 2);
	if (sendmsg(ends[0], &msg, 0) < 0)
		tap_bail("sendmsg");
	is_int(wire_receive_first(ends[1], &in, &m, &err), -1,
	       "with a descriptor and not alone: refused");
	close(fd);
	next = dup(0);
	is_int(next, fd, "and no descriptor is left open");
	close(next);
}

int main(void)
{
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, ends) < 0)
		tap_bail("socketpair");
	test_packets();
	test_descriptors();
	return tap_done();
}
