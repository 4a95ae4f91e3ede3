/*
 * See host.h.  The connector thread alone opens and closes; the close callback
 * (event thread) only marks the loss and wakes it.  Drivers inside this process
 * have no client that could break: there all lines are one connection.  Not
 * guaranteed: that a hanging virConnectOpen ever returns (the engine ends the
 * process then).
 */
#include "engine/hypervisor/host.h"

#include <libvirt/virterror.h>
#include <libxml/uri.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/access.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/events.h"
#include "engine/hypervisor/kvm.h"
#include "engine/hypervisor/labels.h"
#include "engine/hypervisor/lifeline.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/stream.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

static void on_wake(int timer, void *opaque)
{
	(void)opaque;
	virEventUpdateTimeout(timer, -1);
}

int host_init(struct host *h, struct error *err)
{
	pthread_condattr_t attr;

	memset(h, 0, sizeof(*h));
	pthread_mutex_init(&h->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&h->changed, &attr);
	pthread_condattr_destroy(&attr);
	TEXT_SET(h->trouble, "the engine has not named a host yet");
	xml_init();
	virt_quiet();
	if (virInitialize() < 0 || virEventRegisterDefaultImpl() < 0)
		return virt_error(err, "libvirt does not start"), -1;
	h->wake_timer = virEventAddTimeout(-1, on_wake, NULL, NULL);
	if (h->wake_timer < 0)
		return virt_error(err, "libvirt's event loop"), -1;
	return 0;
}

static void *events_main(void *opaque)
{
	struct host *h = opaque;
	bool stopping = false;

	while (!stopping) {
		if (virEventRunDefaultImpl() < 0)
			log_warn("libvirt's event loop: %s",
				 virGetLastErrorMessage());
		pthread_mutex_lock(&h->lock);
		stopping = h->stopping;
		pthread_mutex_unlock(&h->lock);
	}
	pthread_mutex_lock(&h->lock);
	h->events_ended = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

static void send_state(struct role *role, bool up)
{
	struct host *h = &role->host;
	struct host_facts *f = &h->facts;	/* written by this thread only */
	struct message m = {
		.type = WIRE_TYPE_host_state,
		.host_state = {
			.up = up, .uri = slice_of(h->uri),
			.text = slice_of(up ? f->note : h->trouble),
		},
	};

	if (up) {
		m.host_state.version = slice_of(f->version);
		m.host_state.hostname = slice_of(f->hostname);
		m.host_state.cpus = f->cpus;
		m.host_state.memory_mib = f->memory_mib;
		m.host_state.kvm = f->kvm;
		m.host_state.isolated = f->isolated;
		m.host_state.labels = slice_of(f->labels);
	}
	log_info("host %s is %s%s%s", h->uri, up ? "up" : "down",
		 m.host_state.text.length ? ": " : "",
		 up ? f->note : h->trouble);
	answer_send(role, &m);
}

/* With the lock held. */
static void mark_lost(struct host *h, const char *why)
{
	h->lost = true;
	snprintf(h->trouble, sizeof(h->trouble),
		 "host %s is lost: %s; trying again until it answers", h->uri,
		 why);
	pthread_cond_broadcast(&h->changed);
}

static void on_close(virConnectPtr conn, int reason, void *opaque)
{
	struct host *h = opaque;
	const char *why = reason == VIR_CONNECT_CLOSE_REASON_KEEPALIVE ?
				  "its daemon stopped answering" :
			  reason == VIR_CONNECT_CLOSE_REASON_EOF ?
				  "its daemon closed the connection" :
				  "the connection broke";

	pthread_mutex_lock(&h->lock);
	if (conn == h->lines[HOST_LINE_EVENTS])
		mark_lost(h, why);
	pthread_mutex_unlock(&h->lock);
}

static void read_uri(struct host_facts *f)
{
	xmlURIPtr uri = xmlParseURI(f->uri);

	f->local = uri && (!uri->server || !*uri->server);
	f->session = uri && uri->path && strcmp(uri->path, "/session") == 0;
	xmlFreeURI(uri);
}

static void read_version(virConnectPtr conn, struct host_facts *f)
{
	const char *type = virConnectGetType(conn);
	unsigned long lib = 0, hv = 0;
	char name[16];

	TEXT_SET(name, type ? type : "?");
	for (char *p = name; *p; p++)
		*p = (char)(*p >= 'A' && *p <= 'Z' ? *p + 32 : *p);
	f->kind = strcmp(name, "qemu") == 0 ? HOST_QEMU :
		  strcmp(name, "test") == 0 ? HOST_TEST : HOST_OTHER;
	virConnectGetLibVersion(conn, &lib);
	virConnectGetVersion(conn, &hv);
	snprintf(f->version, sizeof(f->version),
		 "libvirt %lu.%lu.%lu %s %lu.%lu.%lu", lib / 1000000,
		 lib / 1000 % 1000, lib % 1000, name, hv / 1000000,
		 hv / 1000 % 1000, hv % 1000);
}

static int read_facts(virConnectPtr conn, struct host_facts *f,
		      struct error *err)
{
	virNodeInfo info;
	struct error why = { "" };
	char *uri = virConnectGetURI(conn);

	TEXT_SET(f->uri, uri ? uri : "");
	free(uri);
	read_uri(f);
	if (virNodeGetInfo(conn, &info) < 0)
		return virt_error(err, "the host does not describe itself"), -1;
	f->cpus = info.cpus;
	f->memory_mib = info.memory / 1024;
	char *hostname = virConnectGetHostname(conn);
	TEXT_SET(f->hostname, hostname ? hostname : "");
	free(hostname);
	read_version(conn, f);
	if (f->kind == HOST_QEMU &&
	    labels_read(conn, f, err) < 0)
		return -1;
	f->note[0] = '\0';
	f->kvm = f->kind == HOST_QEMU && kvm_usable(conn, f->local, &why);
	if (f->kind == HOST_QEMU && !f->kvm)
		snprintf(f->note, sizeof(f->note),
			 "%.400s; machines are emulated: slower, and no isolation",
			 why.text);
	return 0;
}

/* What went wrong, and what to do about it. */
static int cannot_connect(const struct host *h, struct error *err)
{
	const struct passwd *me = getpwuid(geteuid());
	char text[ACCESS_TEXT_SIZE];

	access_explain(h->uri, err->text, me ? me->pw_name : "this user", text);
	return error_set(err, "%s", text);
}

static void close_lines(virConnectPtr lines[HOST_LINES])
{
	for (int i = 0; i < HOST_LINES; i++)
		if (lines[i])
			virConnectClose(lines[i]);
}

/* A connection with keepalive, when its driver is not inside this process. */
static virConnectPtr open_line(const char *uri, int count, bool *outside,
			       struct error *err)
{
	virConnectPtr conn = virConnectOpen(uri);

	if (!conn)
		return virt_error(err, "cannot be opened"), NULL;
	*outside = virConnectSetKeepAlive(conn, HOST_KEEPALIVE_SECONDS,
					  (unsigned int)count) >= 0;
	return conn;
}

static int open_lines(const char *uri, virConnectPtr lines[HOST_LINES],
		      struct error *err)
{
	bool outside = true;

	lines[HOST_LINE_EVENTS] = open_line(uri, HOST_KEEPALIVE_COUNT + 1,
					    &outside, err);
	if (!lines[HOST_LINE_EVENTS])
		return -1;
	for (int i = 0; i < HOST_LINES; i++) {
		if (i == HOST_LINE_EVENTS)
			continue;
		if (outside)
			lines[i] = open_line(uri, HOST_KEEPALIVE_COUNT, &outside, err);
		else if (virConnectRef(lines[HOST_LINE_EVENTS]) == 0)
			lines[i] = lines[HOST_LINE_EVENTS];
		if (!lines[i])
			return -1;
	}
	return 0;
}

/* Opens and fills facts; on an error nothing is open. */
static int connect_once(struct role *role, virConnectPtr lines[HOST_LINES],
			struct host_facts *facts, struct error *err)
{
	struct host *h = &role->host;
	char uri[ACCESS_URI_SIZE];

	access_uri(h->uri, uri);
	int rc = open_lines(uri, lines, err);
	virConnectPtr conn = lines[HOST_LINE_EVENTS];

	if (rc == 0 &&
	    virConnectRegisterCloseCallback(conn, on_close, h, NULL) < 0 &&
	    !virt_error_is(VIR_ERR_NO_SUPPORT)) {
		virt_error(err, "cannot watch the connection");
		rc = -1;
	}
	if (rc == 0 && events_register(role, conn, err) == 0 &&
	    read_facts(conn, facts, err) == 0)
		return 0;
	close_lines(lines);
	return cannot_connect(h, err);
}

static void answer_open(struct role *role, bool up)
{
	struct host *h = &role->host;

	pthread_mutex_lock(&h->lock);
	struct job *job = h->open_job;
	h->open_job = NULL;
	pthread_mutex_unlock(&h->lock);
	if (!job)
		return;
	answer(job, up ? WIRE_OK : WIRE_FAILED, up ? NULL : h->trouble);
	job_free(job);
}

/* One attempt; returns true when connected. */
static bool attempt(struct role *role)
{
	struct host *h = &role->host;
	struct host_facts facts = { .generation = h->facts.generation + 1 };
	struct error err = { "" };
	virConnectPtr lines[HOST_LINES] = { NULL };
	bool up = connect_once(role, lines, &facts, &err) == 0, news = false;

	pthread_mutex_lock(&h->lock);
	if (up) {
		memcpy(h->lines, lines, sizeof(lines));
		h->lost = virConnectIsAlive(lines[HOST_LINE_EVENTS]) == 0;
		h->dead_ms = 0;
		h->facts = facts;
	} else {
		news = strcmp(h->trouble, err.text) != 0;
		TEXT_SET(h->trouble, err.text);
	}
	pthread_mutex_unlock(&h->lock);
	if (up || news)
		send_state(role, up);
	answer_open(role, up);
	return up;
}

static void drop(struct role *role)
{
	struct host *h = &role->host;
	virConnectPtr lines[HOST_LINES];

	pthread_mutex_lock(&h->lock);
	memcpy(lines, h->lines, sizeof(lines));
	memset(h->lines, 0, sizeof(h->lines));
	bool lost = h->lost;
	h->lost = false;
	pthread_mutex_unlock(&h->lock);
	if (!lines[HOST_LINE_EVENTS])
		return;
	lifelines_drop();
	events_unregister(lines[HOST_LINE_EVENTS]);
	virConnectUnregisterCloseCallback(lines[HOST_LINE_EVENTS], on_close);
	close_lines(lines);
	if (!lost)
		return;
	stream_cut_all();
	queue_abandon(&role->queue, HOST_GRACE_MS);
	send_state(role, false);
}

/*
 * libvirt's keepalive marks a connection dead, but tells nobody while a call
 * is in progress on it: so ask.  The events' line dies last; if it does not,
 * another one has broken alone.
 */
static void look_alive(struct host *h)
{
	bool dead = false;

	if (!h->lines[HOST_LINE_EVENTS] || h->lost)
		return;
	for (int i = 0; i < HOST_LINES; i++)
		dead = dead || virConnectIsAlive(h->lines[i]) == 0;
	if (!dead)
		h->dead_ms = 0;
	else if (h->dead_ms == 0)
		h->dead_ms = role_now_ms();
	if (virConnectIsAlive(h->lines[HOST_LINE_EVENTS]) == 0 ||
	    (dead && role_now_ms() > h->dead_ms + HOST_DEAD_MS))
		mark_lost(h, "its daemon stopped answering");
}

/* Waits until there is something to do, or until the time of the next attempt
 * (-1: none is due).  Returns false when the role ends. */
static bool wait_for_work(struct host *h, int64_t until_ms)
{
	int64_t now_ms;

	pthread_mutex_lock(&h->lock);
	while (!h->stopping && !h->lost) {
		now_ms = role_now_ms();
		if (until_ms >= 0 ? now_ms >= until_ms : h->wanted && !h->lines[HOST_LINE_EVENTS])
			break;
		int64_t wake_ms = now_ms + HOST_LOOK_MS;
		if (until_ms >= 0 && until_ms < wake_ms)
			wake_ms = until_ms;
		struct timespec ts = { wake_ms / 1000,
				       wake_ms % 1000 * 1000000 };
		pthread_cond_timedwait(&h->changed, &h->lock, &ts);
		look_alive(h);
	}
	bool go_on = !h->stopping;
	pthread_mutex_unlock(&h->lock);
	return go_on;
}

static void *connector_main(void *opaque)
{
	struct role *role = opaque;
	struct host *h = &role->host;
	int64_t retry_ms = HOST_RETRY_FIRST_MS, until_ms = -1;

	while (wait_for_work(h, until_ms)) {
		drop(role);
		if (attempt(role)) {
			until_ms = -1;
			retry_ms = HOST_RETRY_FIRST_MS;
			continue;
		}
		until_ms = role_now_ms() + retry_ms;
		retry_ms = retry_ms * 2 < HOST_RETRY_MAX_MS ? retry_ms * 2 :
							       HOST_RETRY_MAX_MS;
	}
	drop(role);
	pthread_mutex_lock(&h->lock);
	h->connector_ended = true;
	pthread_cond_broadcast(&h->changed);
	pthread_mutex_unlock(&h->lock);
	return NULL;
}

int host_start(struct role *role, struct error *err)
{
	struct host *h = &role->host;
	int rc = pthread_create(&h->events, NULL, events_main, h);

	if (rc == 0)
		rc = pthread_create(&h->connector, NULL, connector_main, role);
	if (rc != 0)
		return error_set(err, "cannot start a thread: %s", strerror(rc));
	h->threads = true;
	return 0;
}

static const char *check_open(const struct host *h, const struct wire_host_open *o)
{
	if (h->wanted)
		return "this process already serves a host; start one process per host";
	if (o->site.length == 0 || o->site.length >= HOST_SITE_MAX)
		return "host_open: the site's name must have 1 to 63 bytes";
	if (o->key.length < 16 || o->key.length > HOST_KEY_MAX)
		return "host_open: the site key must have 16 to 64 bytes";
	if (o->uri.length == 0 || o->uri.length >= sizeof(h->uri))
		return "host_open: the uri must have 1 to 255 bytes";
	if (o->storage.length >= sizeof(h->site.storage) ||
	    (o->storage.length && o->storage.ptr[0] != '/'))
		return "host_open: the storage directory must be an absolute path";
	return NULL;
}

void host_open(struct role *role, struct job *job)
{
	struct host *h = &role->host;
	struct wire_host_open *o = &job->m.host_open;

	pthread_mutex_lock(&h->lock);
	const char *refusal = check_open(h, o);
	if (!refusal) {
		text_copy_slice(h->uri, sizeof(h->uri), o->uri);
		if (slice_is(o->uri, "auto"))
			TEXT_SET(h->uri, geteuid() == 0 ? "qemu:///system" :
							 "qemu:///session");
		text_copy_slice(h->site.site, sizeof(h->site.site), o->site);
		memcpy(h->site.key, o->key.ptr, o->key.length);
		h->site.key_length = o->key.length;
		text_copy_slice(h->site.store, sizeof(h->site.store), o->store);
		text_copy_slice(h->site.storage, sizeof(h->site.storage),
				o->storage);
		h->trouble[0] = '\0';
		h->open_job = job;
		h->wanted = true;
		pthread_cond_broadcast(&h->changed);
	}
	pthread_mutex_unlock(&h->lock);
	if (!refusal)
		return;
	answer_later(role, job->m.request, 0, 0, WIRE_FAILED, refusal);
	job_free(job);
}

virConnectPtr host_take(struct job *job, struct host_facts *facts,
			struct error *err)
{
	struct host *h = &job->role->host;
	virConnectPtr line, conn = NULL;

	CHECK("", job->line >= 0 && job->line < HOST_LINES,
	      "a libvirt call on a thread without a line");
	pthread_mutex_lock(&h->lock);
	line = h->lost ? NULL : h->lines[job->line];
	if (!line) {
		error_set(err, "%s", h->trouble[0] ? h->trouble :
				     "the host is not connected yet");
	} else if (virConnectIsAlive(line) == 0) {
		error_set(err, "host %s does not answer", h->uri);
	} else if (virConnectRef(line) == 0) {
		conn = line;
		if (facts)
			*facts = h->facts;
	}
	pthread_mutex_unlock(&h->lock);
	return conn;
}

bool host_get_facts(struct host *h, struct host_facts *facts)
{
	pthread_mutex_lock(&h->lock);
	bool there = h->lines[HOST_LINE_EVENTS] != NULL;
	*facts = h->facts;
	pthread_mutex_unlock(&h->lock);
	return there;
}

bool host_stop(struct host *h, int64_t wait_ms)
{
	int64_t until = role_now_ms() + wait_ms;
	struct timespec ts = { until / 1000, until % 1000 * 1000000 };
	int rc = 0;

	if (!h->threads)
		return true;
	pthread_mutex_lock(&h->lock);
	h->stopping = true;
	pthread_cond_broadcast(&h->changed);
	while (!h->connector_ended && rc == 0)
		rc = pthread_cond_timedwait(&h->changed, &h->lock, &ts);
	pthread_mutex_unlock(&h->lock);
	virEventUpdateTimeout(h->wake_timer, 0);
	pthread_mutex_lock(&h->lock);
	while (!h->events_ended && rc == 0)
		rc = pthread_cond_timedwait(&h->changed, &h->lock, &ts);
	bool all = h->connector_ended && h->events_ended;
	pthread_mutex_unlock(&h->lock);
	if (!all)
		return false;
	pthread_join(h->connector, NULL);
	pthread_join(h->events, NULL);
	return true;
}

void host_fini(struct host *h)
{
	explicit_bzero(&h->site, sizeof(h->site));
	job_free(h->open_job);
	pthread_cond_destroy(&h->changed);
	pthread_mutex_destroy(&h->lock);
}
