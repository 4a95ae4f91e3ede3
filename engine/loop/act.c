/*
 * Acts and sends: one effect of the core becomes one message to a role.  Names,
 * paths and settings are looked up here; what may not wait (epochs, nonces,
 * descriptors) came with the effect.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum { TEMPLATE_MAX = 48 * 1024, STEP_OUTPUT_MAX = 28 * 1024,
       MIGRATE_MARGIN_MS = 15 * 1000 };

/* An act that cannot be sent failed for certain: the core hears it next turn
 * through the call's own deadline, and the host's loss before that. */
static void to_host(struct shell *sh, const char *host, const struct message *m)
{
	if (!hosts_send(sh, host, m))
		log_debug("host %s is down: %s not sent", host,
			  wire_type_name(m->type));
}

void shell_site_path(const struct shell *sh, const char *path, char *out,
		     size_t size)
{
	if (!path[0] || path[0] == '/')
		text_copy(out, size, path);
	else
		snprintf(out, size, "%s/%s", sh->site_dir, path);
}

/* The template's text for this machine; empty when it cannot be had. */
static struct slice read_template(const char *path, const struct machine *m,
				  char *buf, size_t size)
{
	static char raw[TEMPLATE_MAX];
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	ssize_t n = fd < 0 ? -1 : read(fd, raw, sizeof(raw));

	if (fd >= 0)
		close(fd);
	if (n < 0 || (size_t)n == sizeof(raw) ||
	    !text_expand((struct slice){ raw, (uint32_t)n }, m->row.slot,
			 m->row.name, buf, size)) {
		log_error("template %s: %s", path,
			  n < 0 ? "cannot be read" : "is too large");
		return (struct slice){ buf, 0 };
	}
	return slice_of(buf);
}

static void channel_names(const struct pool *p, char *out, size_t size)
{
	const struct site_application *a = &p->application;
	size_t used = 0;

	out[0] = '\0';
	if (a->endpoint == ENDPOINT_CHANNEL)
		used = (size_t)snprintf(out, size, "remuda.session");
	for (size_t i = 0; i < a->resources.count && used < size; i++)
		used += (size_t)snprintf(out + used, size - used,
					 "%sremuda.resource.%s",
					 used ? "," : "", a->resources.names[i]);
}

/* A node of a cluster may grow to the cluster's bound while it runs. */
static void domain_size(const struct shell *sh, const struct machine *m,
			struct wire_domain_create *d)
{
	const struct site_pool *p = &m->pool->spec;
	const struct cluster *c = p->cluster ?
		world_cluster(&sh->world, slice_of(p->name)) : NULL;

	d->vcpus = m->row.vcpus ? m->row.vcpus : p->vcpus;
	d->memory_mib = m->row.memory_mib ? m->row.memory_mib : p->memory_mib;
	if (c && c->spec.max.vcpus > d->vcpus)
		d->max_vcpus = c->spec.max.vcpus;
	if (c && c->spec.max.memory_mib > d->memory_mib)
		d->max_memory_mib = c->spec.max.memory_mib;
}

static void domain_create(struct shell *sh, const struct effect *e,
			  const struct machine *m)
{
	static char template[TEMPLATE_MAX];
	char kernel[2048], initrd[2048], path[2048], given[SITE_CMDLINE_SIZE + 256];
	char cmdline[sizeof(given) + 128];
	char channels[700], volume[2048] = "";
	const struct site_pool *p = &m->pool->spec;
	struct message msg = { .type = WIRE_TYPE_domain_create,
			       .request = e->call, .incarnation = e->incarnation };
	struct wire_domain_create *d = &msg.domain_create;

	shell_site_path(sh, p->kernel, kernel, sizeof(kernel));
	shell_site_path(sh, p->initrd, initrd, sizeof(initrd));
	shell_site_path(sh, p->template_path, path, sizeof(path));
	text_expand(slice_of(p->cmdline), m->row.slot, m->row.name, given,
		    sizeof(given));
	snprintf(cmdline, sizeof(cmdline), "%s%sremuda.name=%s%s", given,
		 p->cmdline[0] ? " " : "", m->row.name,
		 p->volume_mib ? " remuda.data=1" : "");
	channel_names(m->pool, channels, sizeof(channels));
	if (p->volume_mib) {
		snprintf(volume, sizeof(volume), "%s/volumes/%s.img",
			 sh->o.state_dir, m->row.name);
		/* A volume that is not kept is part of what a user left. */
		if (!p->keep)
			unlink(volume);
	}
	d->machine = m->row.id;
	d->name = slice_of(m->row.name);
	d->uuid = slice_of(m->row.uuid);
	domain_size(sh, m, d);
	d->kernel = slice_of(kernel);
	d->initrd = slice_of(initrd);
	d->cmdline = slice_of(p->kernel[0] ? cmdline : "");
	if (p->template_path[0])
		d->template = read_template(path, m, template, sizeof(template));
	d->channels = slice_of(channels);
	d->volume = slice_of(volume);
	d->volume_mib = p->volume_mib;
	volumes_describe(sh, m, d);
	to_host(sh, m->host->spec.name, &msg);
}

void shell_image_name(const struct machine *m, char *out, size_t size)
{
	snprintf(out, size, "%s.%llu.ram", m->row.name,
		 (unsigned long long)m->row.image_built);
}

static void domain_image(struct shell *sh, const struct effect *e,
			 const struct machine *m)
{
	struct message msg = { .request = e->call, .incarnation = e->incarnation };
	char image[ROW_NAME_SIZE + 32];

	shell_image_name(m, image, sizeof(image));
	if (e->kind == EFFECT_DOMAIN_SAVE) {
		msg.type = WIRE_TYPE_domain_save;
		msg.domain_save = (struct wire_domain_save){
			m->row.id, slice_of(m->row.name), slice_of(m->row.uuid),
			slice_of(image) };
	} else {
		msg.type = WIRE_TYPE_domain_restore;
		msg.domain_restore = (struct wire_domain_restore){
			.machine = m->row.id, .name = slice_of(m->row.name),
			.uuid = slice_of(m->row.uuid), .image = slice_of(image),
			.key = slice_of(m->row.image_key) };
		volumes_of_restore(m, &msg.domain_restore);
	}
	to_host(sh, m->host->spec.name, &msg);
}

static void domain_destroy(struct shell *sh, const struct effect *e,
			   const struct machine *m)
{
	struct message msg = { .type = WIRE_TYPE_domain_destroy,
			       .request = e->call, .incarnation = e->incarnation };
	char host[SITE_NAME_SIZE], image[ROW_NAME_SIZE + 32];

	text_copy_slice(host, sizeof(host), e->host);
	if (m && e->ok && m->row.image != IMAGE_NONE) {
		shell_image_name(m, image, sizeof(image));
		msg.domain_destroy.image = slice_of(image);
	}
	msg.domain_destroy.machine = e->machine;
	msg.domain_destroy.name = m ? slice_of(m->row.name) : e->resource;
	msg.domain_destroy.uuid = m ? slice_of(m->row.uuid) : e->text;
	to_host(sh, m ? m->host->spec.name : host, &msg);
}

/* Where the machine listens; "" for endpoints that come as a descriptor. */
static void machine_address(const struct machine *m, uint32_t port, char *out,
			    size_t size)
{
	const struct site_application *a = &m->pool->application;
	char host[128];

	out[0] = '\0';
	if (a->endpoint != ENDPOINT_TCP && !port)
		return;
	text_expand(slice_of(a->host[0] ? a->host : "127.0.0.1"), m->row.slot,
		    m->row.name, host, sizeof(host));
	snprintf(out, size, "%s:%u", host, port ? port : a->port);
}

void shell_machine_address(const struct machine *m, char *out, size_t size)
{
	machine_address(m, 0, out, size);
}

static void to_guest(struct shell *sh, const struct effect *e,
		     const struct machine *m)
{
	struct message msg = { .request = e->call, .incarnation = e->incarnation };
	struct slice uuid = slice_of(m->row.uuid);
	char address[160];

	switch (e->kind) {
	case EFFECT_AGENT_PING:
		msg.type = WIRE_TYPE_agent_ping;
		msg.agent_ping = (struct wire_agent_ping){ e->machine, uuid };
		break;
	case EFFECT_AGENT_EXEC:
		msg.type = WIRE_TYPE_agent_exec;
		msg.agent_exec = (struct wire_agent_exec){
			e->machine, uuid, e->argv, e->input, e->ms };
		break;
	case EFFECT_AGENT_WRITE:
		msg.type = WIRE_TYPE_agent_write;
		msg.agent_write = (struct wire_agent_write){
			e->machine, uuid, e->path, e->input, e->mode };
		break;
	case EFFECT_CHANNEL_OPEN:
		msg.type = WIRE_TYPE_channel_open;
		msg.channel_open = (struct wire_channel_open){ e->machine, uuid,
							       e->text };
		break;
	default:
		machine_address(m, e->port, address, sizeof(address));
		msg.type = WIRE_TYPE_tcp_probe;
		msg.tcp_probe = (struct wire_tcp_probe){
			e->machine, slice_of(address), e->ms };
	}
	to_host(sh, m->host->spec.name, &msg);
}

static void domain_resize(struct shell *sh, const struct effect *e,
			  const struct machine *m)
{
	struct message msg = { .type = WIRE_TYPE_domain_resize,
			       .request = e->call, .incarnation = e->incarnation };

	msg.domain_resize = (struct wire_domain_resize){
		m->row.id, slice_of(m->row.name), slice_of(m->row.uuid),
		m->row.vcpus, m->row.memory_mib };
	to_host(sh, m->host->spec.name, &msg);
}

/*
 * Ordered of the host it is on; nothing is sent when where to is not known.  The
 * role gives a migration up before the core gives up its call: one that came to
 * its end after that would be a stranger on the other host.
 */
static void domain_migrate(struct shell *sh, const struct effect *e,
			   const struct machine *m)
{
	struct message msg = { .type = WIRE_TYPE_domain_migrate,
			       .request = e->call, .incarnation = e->incarnation };
	const struct host *to = world_host(&sh->world, e->host);
	const struct call *c = map_get(&sh->world.calls, e->call);

	if (!to || !c)
		return;
	int64_t left_ms = c->timer.at_ms - sh->world.now_ms;
	left_ms = left_ms > 2 * MIGRATE_MARGIN_MS ? left_ms - MIGRATE_MARGIN_MS :
						    left_ms / 2;
	msg.domain_migrate = (struct wire_domain_migrate){
		m->row.id, slice_of(m->row.name), slice_of(m->row.uuid),
		slice_of(to->spec.uri), slice_of(to->spec.migrate),
		left_ms > 0 ? left_ms : 1 };
	to_host(sh, m->host->spec.name, &msg);
}

static void stats_read_act(struct shell *sh, const struct effect *e)
{
	struct message msg = { .type = WIRE_TYPE_stats_read, .request = e->call };
	char host[SITE_NAME_SIZE];

	text_copy_slice(host, sizeof(host), e->host);
	to_host(sh, host, &msg);
}

static void host_poll_act(struct shell *sh, const struct effect *e)
{
	struct message msg = { .type = WIRE_TYPE_host_poll, .request = e->call,
			       .host_poll = { .poll = e->step } };
	char host[SITE_NAME_SIZE];

	text_copy_slice(host, sizeof(host), e->host);
	to_host(sh, host, &msg);
}

static void hook_run(struct shell *sh, const struct effect *e,
		     const struct machine *m)
{
	const struct session *s = world_session(&sh->world, e->session);
	struct message msg = { .type = WIRE_TYPE_hook_run, .request = e->call,
			       .incarnation = e->incarnation };
	struct wire_hook_run *h = &msg.hook_run;
	char address[160];
	const struct site_user *u = s ? world_user(&sh->world, s->row.user) : NULL;

	machine_address(m, 0, address, sizeof(address));
	*h = (struct wire_hook_run){
		.machine = m->row.id,
		.machine_name = slice_of(m->row.name),
		.pool = slice_of(m->pool->spec.name),
		.application = slice_of(m->pool->spec.application),
		.index = m->row.slot,
		.address = slice_of(address),
		.hook = (uint8_t)e->hook,
		.session = e->session,
		.user = slice_of(s ? s->row.user : ""),
		.listener = slice_of(s ? s->row.listener : ""),
		.deadline_ms = e->ms,
		.ssh_keys = slice_of(u ? u->ssh_keys : ""),
	};
	rules_send(sh, &msg);
}

static void step_result(struct shell *sh, const struct effect *e)
{
	struct message msg = { .type = WIRE_TYPE_step_result, .request = e->call };
	struct slice out = e->out, errout = e->errout;

	/* Both must fit one packet beside the rest. */
	if (out.length > STEP_OUTPUT_MAX)
		out.length = STEP_OUTPUT_MAX;
	if (errout.length > STEP_OUTPUT_MAX)
		errout.length = STEP_OUTPUT_MAX;
	msg.step_result = (struct wire_step_result){
		.step = e->step, .ok = e->ok, .code = e->code, .out = out,
		.errout = errout, .text = e->text };
	rules_send(sh, &msg);
}

static void assign_send(struct shell *sh, const struct effect *e,
			const struct machine *m)
{
	const struct session *s = world_session(&sh->world, e->session);
	int fd = e->call ? shell_take_fd(sh, e->call) : -1;
	struct message msg = { .type = WIRE_TYPE_session_assign,
			       .request = s->share || e->join ? e->session : 0,
			       .incarnation = e->incarnation };
	char address[160];

	CHECK("S3", sh->saved_turn == sh->world.turn, "assigned before saved");
	if (fd >= 0) {
		msg.fds[0] = fd;
		msg.fd_count = 1;
	}
	machine_address(m, 0, address, sizeof(address));
	msg.session_assign = (struct wire_session_assign){
		.conn = e->conn,
		.session = e->join ? e->join : e->session,
		.machine = e->machine,
		.machine_name = slice_of(m->row.name),
		.endpoint = (uint8_t)m->pool->application.endpoint,
		.address = slice_of(address),
		.identity = (uint8_t)m->pool->application.identity,
		.nonce = s->nonce,
		.user = slice_of(s->row.user),
		.application = slice_of(s->row.application),
		.listener = slice_of(s->row.listener),
		.accept_deadline_ms = e->ms,
		.half_close_ms = m->pool->application.half_close_ms,
	};
	gateways_send(sh, e->gateway, &msg);
	if (fd >= 0)
		close(fd);
}

/* Where a resource is served: by a machine, or outside. */
static void resource_place(struct shell *sh, const struct effect *e,
			   const struct machine *m, char *address, size_t size,
			   struct wire_resource_target *out)
{
	const struct resource *r = world_resource(&sh->world, e->resource);

	out->endpoint = (uint8_t)(m ? m->pool->application.endpoint :
				  r && r->spec.path[0] ? ENDPOINT_UNIX :
							 ENDPOINT_TCP);
	if (!m && r && r->spec.path[0])
		text_copy(address, size, r->spec.path);
	else if (!m && r)
		snprintf(address, size, strchr(r->spec.ip, ':') ? "[%s]:%u" :
								  "%s:%u",
			 r->spec.ip, r->spec.port);
	out->address = slice_of(address);
	out->identity = (uint8_t)(r ? r->spec.identity : 0);
	out->source = slice_of(r ? r->spec.ident_ip : "");
}

static void resource_send(struct shell *sh, const struct effect *e)
{
	const struct machine *m = world_machine(&sh->world, e->machine);
	const struct session *s = world_session(&sh->world, e->session);
	int fd = e->call ? shell_take_fd(sh, e->call) : -1;
	struct message msg = {
		.type = WIRE_TYPE_resource_port, .incarnation = e->incarnation,
		.resource_port = { .machine = e->machine, .session = e->session,
				   .resource = e->resource,
				   .user = slice_of(s ? s->row.user : ""),
				   .allowed = e->ok, .address = e->text },
	};
	char address[160] = "";

	if (fd >= 0) {
		msg.fds[0] = fd;
		msg.fd_count = 1;
	}
	if (e->kind == EFFECT_RESOURCE_TARGET) {
		msg.type = WIRE_TYPE_resource_target;
		msg.resource_target = (struct wire_resource_target){
			.resource = e->resource, .machine = e->machine };
		if (m)
			machine_address(m, 0, address, sizeof(address));
		if (e->ok)
			resource_place(sh, e, m, address, sizeof(address),
				       &msg.resource_target);
	}
	gateways_send(sh, e->gateway, &msg);
	if (fd >= 0)
		close(fd);
}

static void ticket_send(struct shell *sh, const struct effect *e)
{
	const struct session *s = world_session(&sh->world, e->session);
	struct message msg = { .type = WIRE_TYPE_session_ticket,
			       .incarnation = e->incarnation };

	CHECK("S3", s && sh->saved_turn == sh->world.turn, "a ticket before it is saved");
	msg.session_ticket = (struct wire_session_ticket){
		.conn = e->conn,
		.session = e->session,
		.machine = e->machine,
		.machine_name = slice_of(s->row.machine_name),
		.user = slice_of(s->row.user),
		.application = slice_of(s->row.application),
		.ticket = e->text,
		.valid_ms = e->ms,
		.left = e->place,
	};
	gateways_send(sh, e->gateway, &msg);
}

static void send_to_gateway(struct shell *sh, const struct effect *e)
{
	struct message msg = { .incarnation = e->incarnation };

	switch (e->kind) {
	case EFFECT_REFUSE:
		msg.type = WIRE_TYPE_session_refuse;
		msg.session_refuse = (struct wire_session_refuse){
			e->conn, e->session, e->word, e->text };
		break;
	case EFFECT_WAITING:
		msg.type = WIRE_TYPE_session_waiting;
		msg.session_waiting = (struct wire_session_waiting){
			e->conn, e->place, e->ms };
		break;
	case EFFECT_STOP:
		msg.type = WIRE_TYPE_session_stop;
		msg.session_stop = (struct wire_session_stop){
			e->session, e->ms, e->text };
		break;
	case EFFECT_NOTICE:
		msg.type = WIRE_TYPE_session_notice;
		msg.session_notice = (struct wire_session_notice){
			e->session, e->ms, e->text };
		break;
	case EFFECT_CONFIRMED:
		msg.type = WIRE_TYPE_session_confirmed;
		msg.session_confirmed = (struct wire_session_confirmed){
			e->session, e->ok, e->text };
		break;
	default:
		msg.type = WIRE_TYPE_resource_close;
		msg.resource_close = (struct wire_resource_close){ e->machine,
								   e->session };
	}
	gateways_send(sh, e->gateway, &msg);
}

void shell_perform(struct shell *sh, const struct effect *e)
{
	const struct machine *m = world_machine(&sh->world, e->machine);
	struct message kill_hook = { .type = WIRE_TYPE_hook_kill,
				     .request = e->call };
	char host[SITE_NAME_SIZE];
	int fd;

	switch (e->kind) {
	case EFFECT_HOST_POLL:
		host_poll_act(sh, e);
		return;
	case EFFECT_HOST_RESTART:
		text_copy_slice(host, sizeof(host), e->host);
		hosts_restart(sh, host);
		return;
	case EFFECT_DOMAIN_CREATE:
		domain_create(sh, e, m);
		return;
	case EFFECT_DOMAIN_DESTROY:
		domain_destroy(sh, e, m);
		return;
	case EFFECT_BASE_LOOK:
	case EFFECT_VOLUME_DELETE:
		volumes_act(sh, e);
		return;
	case EFFECT_DOMAIN_SAVE:
	case EFFECT_DOMAIN_RESTORE:
		domain_image(sh, e, m);
		return;
	case EFFECT_DOMAIN_RESIZE:
		domain_resize(sh, e, m);
		return;
	case EFFECT_DOMAIN_MIGRATE:
		domain_migrate(sh, e, m);
		return;
	case EFFECT_STATS_READ:
		stats_read_act(sh, e);
		return;
	case EFFECT_AGENT_PING:
	case EFFECT_AGENT_EXEC:
	case EFFECT_AGENT_WRITE:
	case EFFECT_CHANNEL_OPEN:
	case EFFECT_TCP_PROBE:
		to_guest(sh, e, m);
		return;
	case EFFECT_DROP_FD:
		fd = shell_take_fd(sh, e->call);
		if (fd >= 0)
			close(fd);
		return;
	case EFFECT_HOOK_RUN:
		hook_run(sh, e, m);
		return;
	case EFFECT_HOOK_KILL:
		rules_send(sh, &kill_hook);
		return;
	case EFFECT_STEP_RESULT:
		step_result(sh, e);
		return;
	case EFFECT_RULE_RUN:
		rule_runs_act(sh, e);
		return;
	case EFFECT_VIP:
		net_act(sh, e);
		return;
	case EFFECT_ASSIGN:
		assign_send(sh, e, m);
		return;
	case EFFECT_RESOURCE_PORT:
	case EFFECT_RESOURCE_TARGET:
		resource_send(sh, e);
		return;
	case EFFECT_TICKET:
		ticket_send(sh, e);
		return;
	case EFFECT_REFUSE:
	case EFFECT_WAITING:
	case EFFECT_STOP:
	case EFFECT_NOTICE:
	case EFFECT_CONFIRMED:
	case EFFECT_RESOURCE_CLOSE:
		send_to_gateway(sh, e);
		return;
	case EFFECT_CLUSTER_SET:
	case EFFECT_CLUSTER_DROP:
	case EFFECT_NODE_SET:
	case EFFECT_NODE_DROP:
		clusters_send(sh, e);
		return;
	case EFFECT_SAVE_CLUSTER:
	case EFFECT_SAVE_CHANGE:
	case EFFECT_SAVE_DECISION:
	case EFFECT_SAVE_LEDGER:
	case EFFECT_SAVE_REQUEST:
	case EFFECT_SAVE_EVENT:
	case EFFECT_SAVE_OVERRIDE:
	case EFFECT_SAVE_TOKEN:
	case EFFECT_DELETE_TOKEN:
	case EFFECT_SAVE_JOIN:
	case EFFECT_DELETE_JOIN:
	case EFFECT_SAVE_VOLUME:
	case EFFECT_DELETE_VOLUME:
	case EFFECT_DELETE_OVERRIDE:
	case EFFECT_DELETE_MACHINE:
	case EFFECT_REPLY:
	case EFFECT_LOG:
	case EFFECT_KINDS:
		break;
	}
	CHECK("", false, "%s is performed elsewhere", effect_name(e->kind));
}
