/* Encoding, decoding and transport of role messages; see message.h. */
#include "engine/wire/message.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"

enum { HEADER_SIZE = 4 + 2 + 2 + 4 + 4 + 8 + 8 };

struct writer {
	uint8_t *at, *end;
	bool full;
};

struct reader {
	const uint8_t *at, *end;
	bool bad;
};

static void put_int(struct writer *w, uint64_t v, size_t width)
{
	if ((size_t)(w->end - w->at) < width) {
		w->full = true;
		return;
	}
	for (size_t i = 0; i < width; i++)
		*w->at++ = (uint8_t)(v >> 8 * i);
}

static void put_slice(struct writer *w, struct slice s)
{
	put_int(w, s.length, 4);
	if (w->full || (size_t)(w->end - w->at) < s.length) {
		w->full = true;
		return;
	}
	if (s.length)
		memcpy(w->at, s.ptr, s.length);
	w->at += s.length;
}

static uint64_t get_int(struct reader *r, size_t width)
{
	uint64_t v = 0;

	if (r->bad || (size_t)(r->end - r->at) < width) {
		r->bad = true;
		return 0;
	}
	for (size_t i = 0; i < width; i++)
		v |= (uint64_t)*r->at++ << 8 * i;
	return v;
}

static struct slice get_blob(struct reader *r)
{
	struct slice s = { .length = (uint32_t)get_int(r, 4) };

	if (r->bad || (size_t)(r->end - r->at) < s.length) {
		r->bad = true;
		return (struct slice){ 0 };
	}
	s.ptr = (const char *)r->at;
	r->at += s.length;
	return s;
}

static struct slice get_text(struct reader *r)
{
	struct slice s = get_blob(r);

	if (s.length && memchr(s.ptr, '\0', s.length))
		r->bad = true;
	return s;
}

#define PUT_u8(w, v) put_int(w, v, 1)
#define PUT_u32(w, v) put_int(w, v, 4)
#define PUT_u64(w, v) put_int(w, v, 8)
#define PUT_i64(w, v) put_int(w, (uint64_t)(v), 8)
#define PUT_text(w, v) put_slice(w, v)
#define PUT_blob(w, v) put_slice(w, v)
#define GET_u8(r) (uint8_t)get_int(r, 1)
#define GET_u32(r) (uint32_t)get_int(r, 4)
#define GET_u64(r) get_int(r, 8)
#define GET_i64(r) (int64_t)get_int(r, 8)
#define GET_text(r) get_text(r)
#define GET_blob(r) get_blob(r)

#define F(type, name) PUT_##type(w, m->name);
#define M(code, msg)                                                           \
	static void put_##msg(struct writer *w, const struct wire_##msg *m)    \
	{                                                                      \
		WIRE_##msg(F)                                                  \
	}
WIRE_MESSAGES(M)
#undef M
#undef F

#define F(type, name) m->name = GET_##type(r);
#define M(code, msg)                                                           \
	static void get_##msg(struct reader *r, struct wire_##msg *m)          \
	{                                                                      \
		WIRE_##msg(F)                                                  \
	}
WIRE_MESSAGES(M)
#undef M
#undef F

const char *wire_type_name(uint16_t type)
{
	switch (type) {
#define M(code, name)                                                          \
	case code:                                                             \
		return #name;
		WIRE_MESSAGES(M)
#undef M
	}
	return "unknown";
}

int wire_encode(const struct message *m, uint8_t *out, struct error *err)
{
	struct writer w = { out, out + WIRE_PACKET_MAX, false };

	put_int(&w, WIRE_MAGIC, 4);
	put_int(&w, WIRE_VERSION, 2);
	put_int(&w, m->type, 2);
	put_int(&w, 0, 4);	/* length, set below */
	put_int(&w, 0, 4);	/* reserved */
	put_int(&w, m->request, 8);
	put_int(&w, m->incarnation, 8);
	switch (m->type) {
#define M(code, name)                                                          \
	case code:                                                             \
		put_##name(&w, &m->name);                                      \
		break;
		WIRE_MESSAGES(M)
#undef M
	default:
		return error_set(err, "message type %u is unknown", m->type);
	}
	if (w.full)
		return error_set(err, "message %s is larger than %d bytes",
				 wire_type_name(m->type), WIRE_PACKET_MAX);
	size_t length = (size_t)(w.at - out);
	struct writer fix = { out + 8, out + 12, false };
	put_int(&fix, length, 4);
	return (int)length;
}

int wire_decode(const uint8_t *in, size_t length, struct message *m,
		struct error *err)
{
	struct reader r = { in, in + length, false };
	uint64_t magic = get_int(&r, 4), version = get_int(&r, 2);

	m->type = (uint16_t)get_int(&r, 2);
	uint64_t declared = get_int(&r, 4);
	uint64_t reserved = get_int(&r, 4);
	m->request = get_int(&r, 8);
	m->incarnation = get_int(&r, 8);
	if (r.bad || magic != WIRE_MAGIC || declared != length || reserved)
		return error_set(err, "not a role message (%zu bytes)", length);
	if (version != WIRE_VERSION)
		return error_set(err, "role message of version %u, this program speaks %u",
				 (unsigned)version, WIRE_VERSION);
	switch (m->type) {
#define M(code, name)                                                          \
	case code:                                                             \
		get_##name(&r, &m->name);                                      \
		break;
		WIRE_MESSAGES(M)
#undef M
	default:
		return error_set(err, "message type %u is unknown", m->type);
	}
	if (r.bad || r.at != r.end)
		return error_set(err, "message %s is malformed",
				 wire_type_name(m->type));
	return 0;
}

int wire_send(int fd, const struct message *m, struct error *err)
{
	static __thread struct wire_buffer buf;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control = { 0 };
	int length = wire_encode(m, buf.bytes, err);

	if (length < 0)
		return -1;
	struct iovec iov = { buf.bytes, (size_t)length };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	if (m->fd_count > 0) {
		size_t size = sizeof(int) * (size_t)m->fd_count;

		msg.msg_control = control.bytes;
		msg.msg_controllen = CMSG_SPACE(size);
		struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(size);
		memcpy(CMSG_DATA(c), m->fds, size);
	}
	ssize_t n;
	do
		n = sendmsg(fd, &msg, MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == ENOBUFS))
		return 0;
	if (n < 0)
		return error_errno(err, "send of %s", wire_type_name(m->type));
	return 1;
}

static void take_descriptors(struct msghdr *msg, struct message *m)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (size_t i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (m->fd_count < WIRE_FDS_MAX)
				m->fds[m->fd_count++] = fd;
			else
				close(fd);
		}
	}
}

/* Receives a packet into bytes; its length, 0 or -1 as wire_receive. */
static ssize_t receive(int fd, uint8_t *bytes, struct message *m,
		       struct error *err)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * WIRE_FDS_MAX)];
	} control;
	struct iovec iov = { bytes, WIRE_PACKET_MAX };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control) };
	ssize_t n;

	m->fd_count = 0;
	m->fds[0] = m->fds[1] = -1;
	do
		n = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0 && errno == EAGAIN)
		return 0;
	if (n < 0)
		return error_errno(err, "receive");
	if (n == 0)
		return error_set(err, "the other side has closed");
	take_descriptors(&msg, m);
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) {
		wire_close_fds(m);
		return error_set(err, "truncated role message");
	}
	return n;
}

int wire_receive(int fd, struct wire_buffer *buf, struct message *m,
		 struct error *err)
{
	ssize_t n = receive(fd, buf->bytes, m, err);

	if (n > 0 && wire_decode(buf->bytes, (size_t)n, m, err) < 0) {
		wire_close_fds(m);
		return -1;
	}
	return n > 0 ? 1 : (int)n;
}

/* What the header at the front of the rest says, at most the rest itself. */
static size_t declared_length(const struct wire_buffer *buf)
{
	struct reader r = { buf->bytes + buf->at + 8, buf->bytes + buf->length,
			    false };
	size_t left = buf->length - buf->at, length = left;

	if (left >= HEADER_SIZE)
		length = get_int(&r, 4);
	return length < left ? length : left;
}

int wire_next(struct wire_buffer *buf, struct message *m, struct error *err)
{
	size_t at = buf->at, length;

	m->fd_count = 0;
	if (at == buf->length)
		return 0;
	length = declared_length(buf);
	buf->at += length;
	if (wire_decode(buf->bytes + at, length, m, err) == 0)
		return 1;
	buf->at = buf->length;
	return -1;
}

int wire_receive_first(int fd, struct wire_buffer *buf, struct message *m,
		       struct error *err)
{
	ssize_t n = receive(fd, buf->bytes, m, err);
	int fd_count = m->fd_count;

	buf->at = 0;
	buf->length = n > 0 ? (size_t)n : 0;
	if (n <= 0)
		return (int)n;
	int rc = wire_next(buf, m, err);
	m->fd_count = fd_count;
	if (rc > 0 && fd_count && buf->at < buf->length)
		rc = error_set(err, "descriptors in a packet of several messages");
	if (rc < 0)
		wire_close_fds(m);
	return rc;
}

void wire_close_fds(struct message *m)
{
	for (int i = 0; i < m->fd_count; i++) {
		if (m->fds[i] >= 0)
			close(m->fds[i]);
		m->fds[i] = -1;
	}
	m->fd_count = 0;
}

int wire_take_fd(struct message *m, int i)
{
	if (i >= m->fd_count)
		return -1;
	int fd = m->fds[i];
	m->fds[i] = -1;
	return fd;
}

int wire_memfd(const void *bytes, size_t length, struct error *err)
{
	int fd = memfd_create("remuda", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0)
		return error_errno(err, "memfd_create");
	for (size_t done = 0; done < length;) {
		ssize_t n = write(fd, (const char *)bytes + done, length - done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error_errno(err, "write to memfd");
			close(fd);
			return -1;
		}
		done += (size_t)n;
	}
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				   F_SEAL_SEAL) < 0) {
		error_errno(err, "seal memfd");
		close(fd);
		return -1;
	}
	return fd;
}

char *wire_read_memfd(int fd, size_t limit, size_t *length, struct error *err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0) {
		error_set(err, "the message brought no memfd");
		return NULL;
	}
	if (st.st_size < 0 || (size_t)st.st_size > limit) {
		error_set(err, "a memfd of %lld bytes, the limit is %zu",
			  (long long)st.st_size, limit);
		return NULL;
	}
	size_t size = (size_t)st.st_size, done = 0;
	char *bytes = malloc(size + 1);
	if (!bytes) {
		error_set(err, "out of memory");
		return NULL;
	}
	while (done < size) {
		ssize_t n = pread(fd, bytes + done, size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			error_errno(err, "read of memfd");
			free(bytes);
			return NULL;
		}
		done += (size_t)n;
	}
	bytes[size] = '\0';
	*length = size;
	return bytes;
}
