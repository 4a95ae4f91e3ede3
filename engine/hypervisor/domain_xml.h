/*
 * Domain XML: written only with libxml2 (never by printing), from nothing for
 * a kernel boot or from the operator's template; and read, for the paths of a
 * live domain's ports.
 *
 * From nothing: q35 with kernel and initrd, serial console, guest agent and
 * named virtio-serial ports, a random generator, an optional data disk, and
 * nothing else.  A guest's reboot destroys it: a machine that went through a
 * reboot is no longer prepared, and must not pass for the same incarnation.
 *
 * A machine that may grow while it runs starts with all its memory, which its
 * balloon takes back to what it is to have, and with empty places for further
 * processors; each but the first can be taken away again.
 *
 * From a template: name, uuid, memory and processors are set, mac addresses
 * dropped (libvirt makes new ones), the mark of ownership, the agent port and
 * the named ports added.  Everything else stays as written.
 *
 * From a domain of the operator's: the same, and what is bound to the original
 * is replaced or taken out (clone_xml.h).
 */
#ifndef REMUDA_HYPERVISOR_DOMAIN_XML_H
#define REMUDA_HYPERVISOR_DOMAIN_XML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"
#include "engine/hypervisor/host.h"
#include "engine/hypervisor/metadata.h"

struct error;

#define DOMAIN_AGENT_PORT "org.qemu.guest_agent.0"

enum {
	DOMAIN_CHANNELS_MAX = 8,
	DOMAIN_CHANNEL_NAME_MAX = 64,
	DOMAIN_PATH_MAX = 1024,
	DOMAIN_SOCKET_MAX = 108,	/* sun_path */
	DOMAIN_CMDLINE_MAX = 2048,
	DOMAIN_VCPUS_MAX = 512,
	DOMAIN_DISKS_MAX = 8,
};

struct domain_spec {
	enum host_kind kind;
	bool kvm;		/* usable on the host */
	char name[64];
	struct metadata mark;	/* with the uuid */
	uint32_t vcpus;		/* 0 with a template: as it says */
	uint64_t memory_mib;	/* the same */
	uint32_t max_vcpus;	/* it can grow to while it runs; at least vcpus */
	uint64_t max_memory_mib;	/* the same */
	char kernel[DOMAIN_PATH_MAX], initrd[DOMAIN_PATH_MAX];
	char cmdline[DOMAIN_CMDLINE_MAX];
	struct slice template;	/* borrowed; length 0: none */
	int channel_count;
	char channels[DOMAIN_CHANNELS_MAX][DOMAIN_CHANNEL_NAME_MAX];
	char volume[DOMAIN_PATH_MAX];	/* data disk, raw, or "" */
	/* Made from a domain or an image: qcow2 disks of the machine's own. */
	bool sourced;
	bool unsized;		/* as large as the domain it is made from */
	char *cloned;		/* the template is a domain's own XML: clone.c */
	int disk_count;
	char disks[DOMAIN_DISKS_MAX][DOMAIN_PATH_MAX];
	char seed[DOMAIN_PATH_MAX];	/* cloud-init data, or "" */
	char nvram[DOMAIN_PATH_MAX];	/* firmware's variables, or "" */
};

/* Checks and copies a domain_create message into spec (not template). */
int domain_spec_read(struct domain_spec *spec, const struct wire_domain_create *c,
		     uint64_t incarnation, struct error *err);
/* One more virtio-serial port. */
int domain_spec_add_channel(struct domain_spec *spec, struct slice name,
			    struct error *err);
/* The domain XML, to be freed with xmlFree; NULL with err. */
char *domain_xml_build(const struct domain_spec *spec,
		       const struct host_site *site, struct error *err);

struct xml_builder;
/* Replaces the mark of ownership in a <domain>, whoever's it is. */
void domain_xml_mark(struct xml_builder *b, xmlNodePtr root,
		     const struct host_site *site, const struct metadata *mark);

struct domain_port {
	char name[DOMAIN_CHANNEL_NAME_MAX];
	char path[DOMAIN_SOCKET_MAX];	/* unix socket on the host */
};

/* Reads the unix ports out of a live domain's XML; their count or -1. */
int domain_xml_read_ports(const char *xml,
			  struct domain_port ports[DOMAIN_CHANNELS_MAX],
			  struct error *err);

/* The lower-case printed form of a uuid, 36 characters. */
bool domain_is_uuid(const char *text);
/* A port's name: [A-Za-z0-9][A-Za-z0-9._-]*, at most 63 bytes. */
bool domain_is_port_name(const char *text);

#endif
