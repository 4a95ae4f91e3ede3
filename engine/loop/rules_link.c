/*
 * The rules role and the site file.  The engine reads the files (the role has
 * none): the site file first, each module it requires when it asks.  The role
 * answers with the checked site as JSON or with file, line and what to write
 * instead; a bad site changes nothing.
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

static char *read_file(const char *path, size_t *length, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = malloc(RULES_TEXT_MAX + 1);
	ssize_t n = 0, used = 0;

	CHECK("", text, "out of memory");
	while (fd >= 0 && used <= RULES_TEXT_MAX &&
	       (n = read(fd, text + used,
			 (size_t)(RULES_TEXT_MAX + 1 - used))) > 0)
		used += n;
	if (fd < 0 || n < 0)
		error_errno(err, "%s", path);
	if (fd >= 0)
		close(fd);
	if (fd < 0 || n < 0 || used > RULES_TEXT_MAX) {
		if (used > RULES_TEXT_MAX)
			error_set(err, "%s is larger than %d bytes", path,
				  RULES_TEXT_MAX);
		free(text);
		return NULL;
	}
	/* Texts of a site are kept, shown and compared as texts. */
	if (memchr(text, '\0', (size_t)used)) {
		error_set(err, "%s is no text: it holds a NUL byte", path);
		free(text);
		return NULL;
	}
	*length = (size_t)used;
	return text;
}

static void hash_add(struct shell *sh, const char *name, const char *text,
		     size_t length)
{
	char with[2 * SITE_HASH_SIZE + 256], module[SITE_HASH_SIZE];

	shell_hash(text, length, module);
	int n = snprintf(with, sizeof(with), "%s %s %s", sh->rules.version, name,
			 module);
	shell_hash(with, (size_t)n, sh->rules.version);
}

static int send_text(struct shell *sh, struct message *m, const char *text,
		     size_t length, struct error *err)
{
	int fd = wire_memfd(text, length, err);

	if (fd < 0)
		return -1;
	m->fds[0] = fd;
	m->fd_count = 1;
	link_send(&sh->rules.link, m);
	close(fd);
	return 0;
}

int rules_load_site(struct shell *sh, struct error *err)
{
	const char *slash = strrchr(sh->o.site_file, '/');
	struct message m = { .type = WIRE_TYPE_bundle_load };
	size_t length;
	char *text = read_file(sh->o.site_file, &length, err);
	int rc;

	if (!text)
		return -1;
	shell_hash(text, length, sh->rules.hash);
	TEXT_SET(sh->rules.version, sh->rules.hash);
	source_clear(&sh->rules.source);
	source_add(&sh->rules.source, slash ? slash + 1 : sh->o.site_file, text,
		   length);
	m.bundle_load.hash = slice_of(sh->rules.hash);
	m.bundle_load.file = slice_of(slash ? slash + 1 : sh->o.site_file);
	rc = send_text(sh, &m, text, length, err);
	free(text);
	return rc;
}

/* "applications.mail" beside the site file, then in the scripts folder. */
static void on_need(struct shell *sh, const struct message *msg)
{
	struct message m = { .type = WIRE_TYPE_bundle_module };
	char name[256], path[2400], shown[300];
	struct error err;
	size_t length;
	char *text = NULL;

	text_copy_slice(name, sizeof(name), msg->bundle_need.name);
	m.bundle_module.name = slice_of(name);
	char file[256];
	text_copy(file, sizeof(file), name);
	bool sound = file[0] != '\0';
	for (char *p = file; *p; p++) {
		sound = sound && ((*p >= 'a' && *p <= 'z') ||
				  (*p >= '0' && *p <= '9') || *p == '-' ||
				  *p == '_' || *p == '.');
		if (*p == '.')
			*p = '/';
	}
	for (int i = 0; i < 2 && sound && !text; i++) {
		const char *dir = i == 0 ? sh->site_dir : sh->o.scripts_dir;

		if (!dir)
			continue;
		snprintf(path, sizeof(path), "%s/%s.lua", dir, file);
		text = read_file(path, &length, &err);
	}
	snprintf(shown, sizeof(shown), "%s.lua", file);
	m.bundle_module.file = slice_of(shown);
	if (!text || send_text(sh, &m, text, length, &err) < 0)
		link_send(&sh->rules.link, &m);	/* without text: not found */
	/* The version of what a site declares covers its modules too. */
	if (text) {
		hash_add(sh, name, text, length);
		source_add(&sh->rules.source, name, text, length);
	}
	free(text);
}

static void site_failed(struct shell *sh, const char *text)
{
	TEXT_SET(sh->site_error, text);
	if (!sh->world.has_spec)
		shell_die(sh, "%s", text);
	control_answer(sh, sh->reload.client, sh->reload.id, false, "failed", text);
	sh->reload = (struct reload){ 0 };
	log_error("the site file is not applied: %s", text);
}

static void on_done(struct shell *sh, struct message *m)
{
	struct rules_role *r = &sh->rules;
	struct site_spec spec = { 0 };
	struct error err = { "" };
	size_t length;

	if (!slice_is(m->bundle_done.hash, r->hash))
		return;	/* of a load that a newer one replaced */
	char *json = wire_read_memfd(m->fds[0], RULES_JSON_MAX, &length, &err);
	if (!json || site_decode(json, length, &spec, &err) < 0) {
		free(json);
		site_failed(sh, err.text);
		return;
	}
	/* A site whose keys cannot be read is a site with an error; a role
	 * that only began again changes nothing, so nothing is asked of it. */
	TEXT_SET(spec.bundle, r->version);
	bool same = sh->world.has_spec &&
		    strcmp(sh->world.spec.bundle, spec.bundle) == 0;
	bool keys = keys_check(sh, &spec, &err) == 0;
	if (!keys && !same) {
		site_spec_fini(&spec);
		free(json);
		site_failed(sh, err.text);
		return;
	}
	for (size_t i = 0; i < spec.application_count; i++)
		TEXT_SET(spec.applications[i].version, r->version);
	site_version_set(sh, &spec);
	sh->site_error[0] = '\0';
	r->loaded = true;
	if (same) {
		site_spec_fini(&spec);	/* a restarted role, or new keys */
		if (keys)
			keys_reload(sh);
	} else {
		shell_save_bundle(sh, json);
		/* Effects of this turn may need hooks: they are held till now. */
		shell_apply_site(sh, &spec);
		site_spec_fini(&spec);
		hosts_sync(sh);
		listeners_sync(sh);
		shell_site_applied(sh);
	}
	if (!keys)
		site_failed(sh, err.text);
	control_answer(sh, sh->reload.client, sh->reload.id, true, "",
		       "site file applied");
	sh->reload = (struct reload){ 0 };
	free(json);
	while (r->held) {
		struct held_message *h = r->held;

		r->held = h->next;
		link_send(&r->link, &h->m);
		free(h->bytes);
		free(h);
	}
	r->held_last = &r->held;
}

static void on_error(struct shell *sh, const struct message *m)
{
	const struct wire_bundle_error *e = &m->bundle_error;
	char text[600];

	if (!slice_is(e->hash, sh->rules.hash))
		return;
	snprintf(text, sizeof(text), "%.*s:%u: %.*s%s%.*s",
		 (int)e->file.length, e->file.ptr, e->line, (int)e->text.length,
		 e->text.ptr, e->hint.length ? "; " : "", (int)e->hint.length,
		 e->hint.ptr);
	site_failed(sh, text);
}

static void on_message(struct link *l, struct message *m)
{
	struct shell *sh = l->shell;
	struct event ev = { 0 };
	struct error err;

	switch (m->type) {
	case WIRE_TYPE_role_ready:
		sh->rules.ready = true;
		if (rules_load_site(sh, &err) < 0)
			site_failed(sh, err.text);
		return;
	case WIRE_TYPE_bundle_need:
		on_need(sh, m);
		return;
	case WIRE_TYPE_bundle_done:
		on_done(sh, m);
		return;
	case WIRE_TYPE_bundle_error:
		on_error(sh, m);
		return;
	case WIRE_TYPE_hook_step:
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
	struct slice *texts[5];
	size_t size = 0, used = 0;

	CHECK("", h && m->type == WIRE_TYPE_hook_run);
	h->m = *m;
	run = &h->m.hook_run;
	texts[0] = &run->machine_name;
	texts[1] = &run->pool;
	texts[2] = &run->application;
	texts[3] = &run->address;
	texts[4] = &run->user;
	run->listener = (struct slice){ 0 };
	for (int i = 0; i < 5; i++)
		size += texts[i]->length;
	h->bytes = malloc(size + 1);
	CHECK("", h->bytes, "out of memory");
	for (int i = 0; i < 5; i++) {
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
	shell_step(sh, &ev);
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
