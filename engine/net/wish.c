/*
 * What the engine wants held: names and their addresses; see vip.h.  One address
 * may have several names, for clusters that differ by their port; it goes with
 * the last.  The newest wish for an address says where it is.
 */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/net/vip.h"

static struct vip *vip_at(struct net *n, const struct address *ip)
{
	LIST_EACH(&n->vips, it) {
		struct vip *v = LIST_ENTRY(it, struct vip, link);

		if (network_address_same(&v->ip, ip))
			return v;
	}
	return NULL;
}

static struct vip_name *name_of(const struct vip *v, const char *name)
{
	LIST_EACH(&v->names, it) {
		struct vip_name *k = LIST_ENTRY(it, struct vip_name, link);

		if (strcmp(k->name, name) == 0)
			return k;
	}
	return NULL;
}

static struct vip *vip_find(struct net *n, const char *name)
{
	LIST_EACH(&n->vips, it) {
		struct vip *v = LIST_ENTRY(it, struct vip, link);

		if (name_of(v, name))
			return v;
	}
	return NULL;
}

static struct vip *vip_new(struct net *n, const struct address *ip)
{
	struct vip *v = calloc(1, sizeof(*v));

	CHECK("", v, "out of memory");
	list_init(&v->names);
	v->ip = *ip;
	inet_ntop(ip->family == 6 ? AF_INET6 : AF_INET, ip->bytes, v->text_ip,
		  sizeof(v->text_ip));
	v->ether = ETHER_CLOSED;
	v->claim_fd = -1;
	v->deadline_ms = INT64_MAX;
	list_add_tail(&n->vips, &v->link);
	return v;
}

static void vip_free(struct vip *v)
{
	ether_close(&v->ether);
	if (v->claim_fd >= 0)
		close(v->claim_fd);
	list_remove(&v->link);
	free(v);
}

/* Without a name it is let go; -1 when it is still there. */
static int drop_name(struct net *n, struct vip *v, const char *name,
		     struct error *err)
{
	struct vip_name *k = name_of(v, name);
	int rc = 0;

	list_remove(&k->link);
	free(k);
	if (list_empty(&v->names)) {
		rc = vip_take_off(n, v, err);
		vip_free(v);
	}
	return rc;
}

void vip_remove(struct net *n, const char *name, uint64_t request)
{
	struct vip *v = vip_find(n, name);
	struct error err = { "" };

	if (v && drop_name(n, v, name, &err) < 0) {
		error_wrap(&err, "it is still on its interface");
		net_tell(n, name, true, err.text, request);
		return;
	}
	if (v)
		log_info("%s: its address is let go", name);
	net_tell(n, name, false, "it is let go", request);
}

void vip_add(struct net *n, const struct wire_vip_add *want)
{
	struct address ip = network_address_parse(want->ip);
	char name[VIP_NAME_SIZE], interface[IFNAMSIZ];
	struct error err = { "" };

	text_copy_slice(name, sizeof(name), want->name);
	if (!ip.family ||
	    !text_copy_slice(interface, sizeof(interface), want->interface)) {
		net_tell(n, name, false, "that is no address, or no name of an interface", 0);
		return;
	}
	struct vip *v = vip_at(n, &ip), *before = vip_find(n, name);
	if (before && before != v && drop_name(n, before, name, &err) < 0)
		log_error("%s: %s", name, err.text);
	bool changed = !v || v->prefix != want->prefix ||
		       strcmp(v->interface, interface) != 0;
	if (!v)
		v = vip_new(n, &ip);
	else if (v->state == VIP_HELD && strcmp(v->interface, interface) != 0)
		vip_say(n, v, false, "it moves from %s to %s", v->interface, interface);
	v->prefix = want->prefix;
	TEXT_SET(v->interface, interface);
	if (!name_of(v, name)) {
		struct vip_name *k = calloc(1, sizeof(*k));

		CHECK("", k, "out of memory");
		TEXT_SET(k->name, name);
		list_add_tail(&v->names, &k->link);
	}
	if (v->told)
		net_tell(n, name, v->told_held, v->text, 0);
	if (!n->able)
		vip_say_unable(n, v);
	else if (changed)
		vip_begin(n, v);
}
