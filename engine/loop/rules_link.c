/*
 * The rules role: its process, its messages, and the hooks that wait while it
 * has no site.  What is done with a site it has read: site_load.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"
#include "engine/loop/site.h"
#include "engine/rules/rules.h"

enum { RESTART_MS = 300 };

struct held_message {
	struct held_message *next;
	struct message m;
	char *bytes;
};

static void rules_spawn(struct shell *sh);

/* A step that touches no machine: the core has no part in it.  The name in the
 * certificate is the application's, whatever the hook says. */
static void sign_host_key(struct shell *sh, const struct message *m)
{
	const struct call *c = map_get(&sh->world.calls, m->request);
	const struct machine *k = c && c->hook ?
				  world_machine(&sh->world, c->machine) : NULL;
	char key[SSHKEY_LINE_MAX * 2], cert[SSHKEY_CERT_MAX] = "";
	struct message answer = { .type = WIRE_TYPE_step_result,
				  .request = m->request,
				  .incarnation = m->incarnation };
	struct error err = { "" };

	if (!k)
		return;		/* the hook was given up */
	if (!text_copy_slice(key, sizeof(key), m->hook_step.input))
		error_set(&err, "that is no public key");
	else
		ssh_keys_sign(sh, key, k->pool->spec.application, k->row.name,
			      cert, &err);
	answer.step_result = (struct wire_step_result){
		.step = m->hook_step.step, .ok = cert[0] != '\0',
		.out = slice_of(cert), .text = slice_of(err.text) };
	rules_send(sh, &answer);
}

static void on_message(struct link *l, struct message *m)
{
	struct shell *sh = l->shell;
	struct event ev = { 0 };

	switch (m->type) {
	case WIRE_TYPE_role_ready:
		sh->rules.ready = true;
		site_load_role_ready(sh);
		return;
	case WIRE_TYPE_bundle_need:
		site_load_need(sh, m);
		return;
	case WIRE_TYPE_bundle_done:
		site_load_done(sh, m);
		return;
	case WIRE_TYPE_bundle_error:
		site_load_error(sh, m);
		return;
	case WIRE_TYPE_rule_done:
		if (rule_replay_done(sh, m))
			return;
		rule_runs_done(sh, m);
		return;
	case WIRE_TYPE_hook_step:
		if (m->hook_step.verb == WIRE_STEP_SIGN) {
			sign_host_key(sh, m);
			return;
		}
		ev.kind = EVENT_HOOK_STEP;
		ev.step.call = m->request;
		ev.step.step = m->hook_step.step;
		ev.step.verb = (enum hook_verb)m->hook_step.verb;
		ev.step.argv = m->hook_step.argv;
		ev.step.input = m->hook_step.input;
		ev.step.path = m->hook_step.path;
		ev.step.mode = m->hook_step.mode;
		ev.step.port = m->hook_step.port;
		ev.step.ms = m->hook_step.ms;
		break;
	case WIRE_TYPE_hook_done:
		ev.kind = EVENT_HOOK_DONE;
		ev.hook.call = m->request;
		ev.hook.ok = m->hook_done.ok;
		ev.hook.text = m->hook_done.text;
		break;
	case WIRE_TYPE_hook_lost:
		ev.kind = EVENT_HOOK_LOST;
		ev.hook.call = m->request;
		ev.hook.text = m->hook_lost.text;
		break;
	default:
		log_warn("rules: unexpected message %s", wire_type_name(m->type));
		return;
	}
	shell_step(sh, &ev);
}

static void hold(struct rules_role *r, const struct message *m)
{
	/* Only hook_run may come before the bundle: its texts are few. */
	struct held_message *h = calloc(1, sizeof(*h));
	struct wire_hook_run *run;
	struct slice *texts[7];
	size_t size = 0, used = 0;

	CHECK("", h && m->type == WIRE_TYPE_hook_run);
	h->m = *m;
	run = &h->m.hook_run;
	texts[0] = &run->machine_name;
	texts[1] = &run->pool;
	texts[2] = &run->application;
	texts[3] = &run->address;
	texts[4] = &run->user;
	texts[5] = &run->listener;
	texts[6] = &run->ssh_keys;
	for (int i = 0; i < 7; i++)
		size += texts[i]->length;
	h->bytes = malloc(size + 1);
	CHECK("", h->bytes, "out of memory");
	for (int i = 0; i < 7; i++) {
		if (texts[i]->length)
			memcpy(h->bytes + used, texts[i]->ptr, texts[i]->length);
		texts[i]->ptr = h->bytes + used;
		used += texts[i]->length;
	}
	*r->held_last = h;
	r->held_last = &h->next;
}

void rules_send(struct shell *sh, const struct message *m)
{
	if (sh->rules.loaded)
		link_send(&sh->rules.link, m);
	else if (m->type == WIRE_TYPE_hook_run)
		hold(&sh->rules, m);
}

void rules_use(struct shell *sh, const char *hash)
{
	struct rules_role *r = &sh->rules;
	struct message m = { .type = WIRE_TYPE_bundle_use };

	m.bundle_use.hash = slice_of(hash);
	link_send(&r->link, &m);
	r->loaded = true;
	while (r->held) {
		struct held_message *h = r->held;

		r->held = h->next;
		link_send(&r->link, &h->m);
		free(h->bytes);
		free(h);
	}
	r->held_last = &r->held;
	rule_runs_send(sh);
}

static void on_restart(uv_timer_t *timer)
{
	rules_spawn(timer->data);
}

static void on_close(struct link *l, const char *why)
{
	struct shell *sh = l->shell;
	struct event ev = { .kind = EVENT_RULES_LOST };

	if (sh->stopping)
		return;
	log_error("rules role: %s; restarting it", why);
	if (sh->rules.child.running)
		uv_process_kill(&sh->rules.child.process, SIGKILL);
	sh->rules.ready = sh->rules.loaded = false;
	site_load_role_lost(sh);
	rule_replays_lost(sh);
	shell_step(sh, &ev);
	rule_runs_lose(sh);
	uv_timer_start(&sh->rules.restart, on_restart, RESTART_MS, 0);
}

static int spawn(struct shell *sh, struct error *err)
{
	static const char *const args[] = { "rules", "--engine-fd", "3", NULL };
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return error_errno(err, "socketpair");
	rc = child_start(sh, &sh->rules.child, args, &pair[1], 1, false, err);
	close(pair[1]);
	if (rc < 0)
		close(pair[0]);
	else
		link_open(sh, &sh->rules.link, pair[0]);
	return rc;
}

static void rules_spawn(struct shell *sh)
{
	struct error err;

	if (sh->rules.child.running || spawn(sh, &err) < 0)
		uv_timer_start(&sh->rules.restart, on_restart, RESTART_MS, 0);
}

int rules_start(struct shell *sh, struct error *err)
{
	struct rules_role *r = &sh->rules;

	r->held_last = &r->held;
	list_init(&r->runs);
	r->link.fd = -1;
	r->link.on_message = on_message;
	r->link.on_close = on_close;
	r->restart.data = sh;
	uv_timer_init(&sh->loop, &r->restart);
	return spawn(sh, err);
}

void rules_stop(struct shell *sh)
{
	link_close(&sh->rules.link);
	if (sh->rules.child.running)
		uv_process_kill(&sh->rules.child.process, SIGKILL);
}
