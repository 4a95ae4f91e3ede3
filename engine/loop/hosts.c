/*
 * Hypervisor roles, one for each host of the site.  A role that dies is
 * restarted after a pause; meanwhile its host counts as not answering and the
 * outcomes of its calls as unknown.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum { RESTART_MS = 500 };

static void host_start(struct host_role *r);

struct host_role *hosts_find(const struct shell *sh, const char *host)
{
	for (struct host_role *r = sh->hosts; r; r = r->next)
		if (strcmp(r->host, host) == 0)
			return r;
	return NULL;
}

bool hosts_send(struct shell *sh, const char *host, const struct message *m)
{
	struct host_role *r = hosts_find(sh, host);

	if (!r || !r->ready)
		return false;
	link_send(&r->link, m);
	return true;
}

/* decisions.md 25.  A uri with a server names another machine: there the
 * system's place for state holds, made by its libvirt. */
static void storage_folder(const struct shell *sh, const char *uri, char *out,
			   size_t size)
{
	const char *server = strstr(uri, "://");

	if (!server || server[3] == '/' || server[3] == '\0')
		snprintf(out, size, "%s/images", sh->o.state_dir);
	else
		snprintf(out, size, "/var/lib/remuda/%s/images",
			 sh->world.spec.name);
}

static void send_open(struct host_role *r)
{
	char storage[1100];

	struct shell *sh = r->shell;
	const struct host *h = world_host(&sh->world, slice_of(r->host));
	struct message m = { .type = WIRE_TYPE_host_open };

	if (!h)
		return;
	m.host_open.uri = slice_of(h->spec.uri);
	m.host_open.site = slice_of(sh->world.spec.name);
	m.host_open.key = (struct slice){ (const char *)sh->key, SHELL_KEY_SIZE };
	m.host_open.store = slice_of(sh->store);
	storage_folder(sh, h->spec.uri, storage, sizeof(storage));
	m.host_open.storage = slice_of(storage);
	link_send(&r->link, &m);
}

static void on_call_done(struct host_role *r, struct message *m)
{
	struct shell *sh = r->shell;
	int fd = wire_take_fd(m, 0);
	struct event ev = {
		.kind = EVENT_CALL_DONE,
		.done = { .call = m->request,
			  .result = (enum call_result)m->call_done.result,
			  .code = m->call_done.code,
			  .out = m->call_done.out,
			  .errout = m->call_done.errout,
			  .text = m->call_done.text,
			  .evidence = m->call_done.evidence,
			  .has_fd = fd >= 0 },
	};

	if (m->request & SHELL_CALL_BIT) {
		char text[300];

		text_copy_slice(text, sizeof(text), m->call_done.text);
		if (guest_exec_done(sh, m) || gc_on_done(sh, r->host, m))
			return;
		control_on_console(sh, m->request,
				   m->call_done.result == WIRE_OK, fd, text);
		return;
	}
	if (m->call_done.result > WIRE_UNKNOWN)
		ev.done.result = CALL_UNKNOWN;
	if (fd >= 0)
		shell_keep_fd(sh, m->request, fd);
	shell_step(sh, &ev);
}

static void learn_facts(struct host_role *r, const struct wire_host_state *s)
{
	text_copy_slice(r->version, sizeof(r->version), s->version);
	text_copy_slice(r->hostname, sizeof(r->hostname), s->hostname);
	r->cpus = s->cpus;
	r->memory_mib = s->memory_mib;
	r->kvm = s->kvm;
	r->isolated = s->isolated;
	text_copy_slice(r->labels, sizeof(r->labels), s->labels);
	r->known = true;
}

static void stats_event(const struct message *m, struct event *ev)
{
	const struct wire_domain_stats *s = &m->domain_stats;

	ev->kind = EVENT_STATS;
	ev->stats.machine = s->machine;
	ev->stats.incarnation = m->incarnation;
	ev->stats.at_ms = s->at_ms;
	ev->stats.cpu_ms = s->cpu_ms;
	ev->stats.memory_mib = s->memory_mib;
	ev->stats.rss_mib = s->rss_mib;
	ev->stats.read_bytes = s->read_bytes;
	ev->stats.written_bytes = s->written_bytes;
	ev->stats.in_bytes = s->in_bytes;
	ev->stats.out_bytes = s->out_bytes;
}

static void on_message(struct link *l, struct message *m)
{
	struct host_role *r = l->owner;
	struct event ev = { 0 };

	switch (m->type) {
	case WIRE_TYPE_role_ready:
		r->ready = true;
		send_open(r);
		return;
	case WIRE_TYPE_host_state:
		if (m->host_state.up)
			learn_facts(r, &m->host_state);
		ev.kind = EVENT_HOST_STATE;
		ev.host.host = slice_of(r->host);
		ev.host.up = m->host_state.up;
		ev.host.kvm = m->host_state.kvm;
		ev.host.isolated = m->host_state.isolated;
		ev.host.cpus = m->host_state.cpus;
		ev.host.memory_mib = m->host_state.memory_mib;
		ev.host.labels = m->host_state.labels;
		ev.host.text = m->host_state.up ? m->host_state.version :
						  m->host_state.text;
		log_info("host %s: %s %.*s%s", r->host,
			 m->host_state.up ? "up," : "not answering:",
			 (int)ev.host.text.length, ev.host.text.ptr,
			 !m->host_state.up ? "" : m->host_state.kvm ?
			 " with KVM" : " (TCG: NO ISOLATION between guests)");
		break;
	case WIRE_TYPE_call_done:
		on_call_done(r, m);
		return;
	case WIRE_TYPE_domain_seen:
		ev.kind = EVENT_DOMAIN_SEEN;
		ev.domain.host = slice_of(r->host);
		ev.domain.poll = m->domain_seen.poll;
		ev.domain.machine = m->domain_seen.machine;
		ev.domain.incarnation = m->incarnation;
		ev.domain.uuid = m->domain_seen.uuid;
		ev.domain.name = m->domain_seen.name;
		ev.domain.state = (enum domain_state)m->domain_seen.state;
		ev.domain.ours = m->domain_seen.owner == WIRE_OWNER_OURS;
		break;
	case WIRE_TYPE_domain_stats:
		stats_event(m, &ev);
		break;
	case WIRE_TYPE_volume_seen:
		gc_on_volume(r->shell, r->host, m);
		return;
	case WIRE_TYPE_mark_seen:
		gc_on_mark(r->shell, r->host, m);
		return;
	case WIRE_TYPE_volume_made:
		volumes_on_made(r->shell, &m->volume_made);
		return;
	case WIRE_TYPE_domain_hint:
		ev.kind = EVENT_DOMAIN_HINT;
		ev.hint.host = slice_of(r->host);
		ev.hint.uuid = m->domain_hint.uuid;
		ev.hint.hint = (enum domain_hint)m->domain_hint.kind;
		break;
	default:
		log_warn("host %s: unexpected message %s", r->host,
			 wire_type_name(m->type));
		return;
	}
	shell_step(l->shell, &ev);
}

static void on_restart(uv_timer_t *timer)
{
	host_start(timer->data);
}

static void host_down(struct host_role *r)
{
	struct event ev = { .kind = EVENT_HOST_LOST };

	if (r->shell->stopping)
		return;
	if (r->ready) {
		ev.host.host = slice_of(r->host);
		shell_step(r->shell, &ev);
	}
	r->ready = false;
	gc_on_host_lost(r->shell, r->host);
	uv_timer_start(&r->restart, on_restart, RESTART_MS, 0);
}

static void on_close(struct link *l, const char *why)
{
	struct host_role *r = l->owner;

	log_warn("host %s: hypervisor role: %s", r->host, why);
	if (r->child.running)
		uv_process_kill(&r->child.process, SIGKILL);
	host_down(r);
}

static void on_exit_role(struct child *c, int64_t status, int signal)
{
	struct host_role *r = c->owner;

	if (!r->shell->stopping)
		log_warn("host %s: hypervisor role ended, status %lld signal %d",
			 r->host, (long long)status, signal);
}

static void host_start(struct host_role *r)
{
	static const char *const args[] = { "hypervisor", "--engine-fd", "3", NULL };
	struct error err = { "" };
	int pair[2] = { -1, -1 };

	if (r->child.running || r->link.fd >= 0) {
		/* The old process or handle is still on its way out. */
		uv_timer_start(&r->restart, on_restart, 50, 0);
		return;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 ||
	    child_start(r->shell, &r->child, args, &pair[1], 1, false, &err) < 0) {
		log_error("host %s: %s", r->host,
			  err.text[0] ? err.text : strerror(errno));
		if (pair[0] >= 0) {
			close(pair[0]);
			close(pair[1]);
		}
		uv_timer_start(&r->restart, on_restart, RESTART_MS, 0);
		return;
	}
	close(pair[1]);
	link_open(r->shell, &r->link, pair[0]);
}

void hosts_sync(struct shell *sh)
{
	for (size_t i = 0; i < sh->world.host_count; i++) {
		const struct host *h = sh->world.hosts[i];

		if (h->removed || hosts_find(sh, h->spec.name))
			continue;
		struct host_role *r = calloc(1, sizeof(*r));
		CHECK("", r, "out of memory");
		r->shell = sh;
		TEXT_SET(r->host, h->spec.name);
		r->link.fd = -1;
		r->link.owner = r->child.owner = r->restart.data = r;
		r->link.on_message = on_message;
		r->link.on_close = on_close;
		r->child.on_exit = on_exit_role;
		uv_timer_init(&sh->loop, &r->restart);
		r->next = sh->hosts;
		sh->hosts = r;
		host_start(r);
	}
}

void hosts_restart(struct shell *sh, const char *host)
{
	struct host_role *r = hosts_find(sh, host);

	if (r && r->child.running)
		uv_process_kill(&r->child.process, SIGKILL);
}

void hosts_stop(struct shell *sh)
{
	for (struct host_role *r = sh->hosts; r; r = r->next) {
		link_close(&r->link);
		if (r->child.running)
			uv_process_kill(&r->child.process, SIGKILL);
	}
}
