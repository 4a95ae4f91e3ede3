/*
 * libvirt streams pumped into a socketpair whose other end goes to the engine:
 * the serial console, and ports whose socket this user may not open.
 */
#ifndef REMUDA_HYPERVISOR_STREAM_H
#define REMUDA_HYPERVISOR_STREAM_H

#include "engine/hypervisor/queue.h"

enum {
	STREAM_MAX = 256,
	STREAM_BUFFER = 16 * 1024,
	STREAM_BUSY_MS = 1000,	/* how long to wait for another's close */
};

/* Run function of a console_open job.  Only one console stream per machine is
 * possible at a time, `virsh console` counts too: then FAILED. */
enum job_next console_open(struct job *job);
/* Ends a channel_open job whose job->domain is set. */
enum job_next stream_open_channel(struct job *job, const char *name);
/* Takes a stream nobody listens to any more, and ends it: from the event thread
 * too, for libvirt is asked on another. */
void stream_close(struct role *role, virStreamPtr st);
/* The connection is lost, of which libvirt tells its streams nothing: hangs up
 * on every stream's reader. */
void stream_cut_all(void);

#endif
