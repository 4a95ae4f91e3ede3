/* The queue of messages to the engine; see outbox.h.  Owner: rules.c. */
#include "engine/rules/outbox.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/wire/message.h"

struct packet {
	struct list node;
	int fd;			/* -1: none */
	size_t length;
	uint8_t bytes[];
};

void outbox_init(struct outbox *o, int fd)
{
	o->fd = fd;
	list_init(&o->waiting);
}

static void packet_free(struct packet *p)
{
	list_remove(&p->node);
	if (p->fd >= 0)
		close(p->fd);
	free(p);
}

void outbox_fini(struct outbox *o)
{
	LIST_EACH(&o->waiting, it)
		packet_free(LIST_ENTRY(it, struct packet, node));
}

bool outbox_is_full(const struct outbox *o)
{
	return !list_empty(&o->waiting);
}

static int keep(struct outbox *o, const struct message *m, struct error *err)
{
	static uint8_t bytes[WIRE_PACKET_MAX];
	int length = wire_encode(m, bytes, err);

	if (length < 0)
		return -1;
	struct packet *p = malloc(sizeof(*p) + (size_t)length);
	if (!p)
		return error_set(err, "out of memory");
	p->fd = -1;
	p->length = (size_t)length;
	memcpy(p->bytes, bytes, p->length);
	if (m->fd_count > 0) {
		p->fd = fcntl(m->fds[0], F_DUPFD_CLOEXEC, 3);
		if (p->fd < 0) {
			free(p);
			return error_errno(err, "dup of a descriptor");
		}
	}
	list_add_tail(&o->waiting, &p->node);
	return 0;
}

int outbox_send(struct outbox *o, const struct message *m, struct error *err)
{
	int rc = outbox_is_full(o) ? 0 : wire_send(o->fd, m, err);

	if (rc < 0)
		return -1;
	return rc == 1 ? 0 : keep(o, m, err);
}

int outbox_flush(struct outbox *o, struct error *err)
{
	LIST_EACH(&o->waiting, it) {
		struct packet *p = LIST_ENTRY(it, struct packet, node);
		struct message m = { 0 };

		if (wire_decode(p->bytes, p->length, &m, err) < 0)
			return -1;
		m.fds[0] = p->fd;
		m.fd_count = p->fd >= 0;
		int rc = wire_send(o->fd, &m, err);
		if (rc < 0)
			return -1;
		if (rc == 0)
			break;
		packet_free(p);
	}
	return 0;
}
