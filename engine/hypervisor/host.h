/*
 * The host's libvirt: opened, watched, lost and opened again on a thread of its
 * own, because virConnectOpen may hang.  A second thread runs libvirt's event
 * loop (keepalive, events, streams).
 *
 * A connection for each thread that calls libvirt, its line.  Of two calls in
 * progress on one connection libvirt's client (9.0, virNetClientIOEventLoop)
 * lets one thread poll for both; when that one leaves with an error, as at a
 * keepalive time-out, its GSource stays in the loop, pointing into its stack.
 * The other call then hangs, and when the daemon comes back it runs that source
 * and crashes (CVE-2024-4418; not fixed in Debian 12).  With one call at a time
 * nobody runs a source that was left behind.
 *
 * A line is dead when the daemon ended or answered no keepalive for
 * HOST_KEEPALIVE_SECONDS * (COUNT + 1), the line of the events one interval
 * later: then every call in progress has returned with an error, which
 * virt_error calls unknown, and the host is lost.  A thread that hangs all the
 * same is given up (queue_abandon) and its call answered.
 */
#ifndef REMUDA_HYPERVISOR_HOST_H
#define REMUDA_HYPERVISOR_HOST_H

#include <libvirt/libvirt.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/hypervisor/metadata.h"
#include "engine/wire/message.h"

struct error;
struct job;
struct role;

enum {
	HOST_KEEPALIVE_SECONDS = 5,
	HOST_KEEPALIVE_COUNT = 4,
	HOST_DEAD_MS = 8 * 1000,	/* a dead line is the host's loss then */
	HOST_LOOK_MS = 1000,		/* between two looks at a connection */
	HOST_GRACE_MS = 500,		/* for calls to end with a connection */
	HOST_RETRY_FIRST_MS = 1000,
	HOST_RETRY_MAX_MS = 30 * 1000,
	HOST_KEY_MAX = 64,
	HOST_SITE_MAX = 64,
	HOST_LINES = 8,			/* queue.c says whose */
	HOST_LINE_EVENTS = 0,
};

enum host_kind { HOST_QEMU, HOST_TEST, HOST_OTHER };

/* What does not change while the process lives; set before the first open. */
struct host_site {
	char site[HOST_SITE_MAX];
	uint8_t key[HOST_KEY_MAX];
	size_t key_length;
	char store[METADATA_STORE_SIZE];	/* of the engine that opened us */
	char storage[1024];	/* directory of the site's volumes */
};

/* What is true of one connection. */
struct host_facts {
	uint64_t generation;	/* counts successful opens, from 1 */
	enum host_kind kind;
	bool local;		/* the daemon runs on this machine */
	bool session;		/* a user's daemon, not the system's */
	bool kvm;
	bool isolated;		/* a security label for each domain */
	char labels[192];	/* which model labels, or why none does */
	char cpu[17];		/* hash of what the host's processor offers */
	char uri[256];
	char version[128];
	char hostname[256];
	uint32_t cpus;
	uint64_t memory_mib;
	char note[512];		/* for people, e.g. why no KVM */
};

struct host {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	pthread_t connector, events;
	bool threads;		/* both run */
	bool connector_ended, events_ended;
	bool stopping;
	bool wanted;		/* host_open came */
	bool lost;		/* the lines are dead, close them */
	int64_t dead_ms;	/* since when a line is seen dead, or 0 */
	virConnectPtr lines[HOST_LINES];	/* NULL: not connected */
	int wake_timer;		/* libvirt timer that ends a loop turn */
	char uri[256];		/* as opened, "auto" resolved */
	char trouble[512];	/* why there is no connection */
	struct host_site site;
	struct host_facts facts;
	struct job *open_job;	/* the host_open call not answered yet */
};

/* Before any other libvirt call of the process. */
int host_init(struct host *h, struct error *err);
int host_start(struct role *role, struct error *err);
/* Takes the host_open job: answers it after the first attempt. */
void host_open(struct role *role, struct job *job);
/*
 * The line of the thread that runs the job, with a reference of its own
 * (virConnectClose when done), and a copy of its facts; NULL with the reason in
 * err when there is none.
 */
virConnectPtr host_take(struct job *job, struct host_facts *facts,
			struct error *err);
/* The same facts without a connection; false when there is none. */
bool host_get_facts(struct host *h, struct host_facts *facts);
/* True when both threads have ended and been joined within wait_ms. */
bool host_stop(struct host *h, int64_t wait_ms);
void host_fini(struct host *h);

#endif
