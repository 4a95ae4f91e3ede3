/*
 * What is left over: files in our storage pools that no row names, sockets of
 * gateways that are no more.  Asked for by an operator; the plan first, then
 * each thing by itself, a file by the key and inode it was listed with.  Also
 * the end of a site: when its last machine is gone, all of that, its pools and
 * its folders, proved by listing once more.
 *
 * Domains with our mark and without a machine are not here: each poll of a
 * host finds them, and the core destroys them.  Those whose mark is of an
 * earlier store or not signed by our key the core never hears of: they are
 * listed, and end by `remuda reclaim` alone; until then no file is removed,
 * for it may be theirs.
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/verbs.h"

enum stage { STAGE_LIST, STAGE_REMOVE, STAGE_POOLS };

/* A call of ours at a host's role. */
struct gc_call {
	struct gc_call *next;
	uint64_t call;
	char host[SITE_NAME_SIZE];
	json_t *item;		/* being removed, borrowed; NULL: a listing */
};

struct gc {
	uint64_t client;	/* 0 = nobody asked: the end of a site */
	json_int_t id;
	bool remove, destroy;
	bool reclaim;		/* domains, not files */
	bool unsigned_too;	/* also those our key has not signed */
	enum stage stage;
	struct gc_call *calls;
	json_t *items;
	char trouble[300];	/* the first thing that did not work */
};

static void advance(struct shell *sh);

static void note_trouble(struct gc *gc, const char *host, const char *text)
{
	if (!gc->trouble[0])
		snprintf(gc->trouble, sizeof(gc->trouble), "host %.60s: %.200s",
			 host, text);
}

static void call_host(struct shell *sh, const char *host, struct message *m,
		      json_t *item)
{
	struct gc_call *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	*c = (struct gc_call){ .next = sh->gc->calls, .item = item,
			       .call = sh->next_shell_call++ };
	TEXT_SET(c->host, host);
	m->request = c->call;
	if (!hosts_send(sh, host, m)) {
		note_trouble(sh->gc, host, "it does not answer");
		free(c);
		return;
	}
	sh->gc->calls = c;
}

static void call_all_hosts(struct shell *sh, uint16_t type)
{
	for (const struct host_role *r = sh->hosts; r; r = r->next) {
		struct message m = { .type = type };
		const struct host *h = world_host(&sh->world, slice_of(r->host));

		/* libvirt's test driver has no volumes of ours. */
		if (h && strncmp(h->spec.uri, "test:", 5) != 0)
			call_host(sh, r->host, &m, NULL);
	}
}

static bool has_row(const struct shell *sh, struct slice name)
{
	for (size_t i = 0; i < sh->world.pool_count; i++)
		LIST_EACH(&sh->world.pools[i]->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);

			char image[ROW_NAME_SIZE + 32];

			shell_image_name(m, image, sizeof(image));
			if (m->row.image != IMAGE_NONE && slice_is(name, image))
				return true;
			LIST_EACH(&m->volumes, jt)
				if (slice_is(name, LIST_ENTRY(jt, struct volume,
						machine_link)->row.name))
					return true;
		}
	return false;
}

void gc_on_volume(struct shell *sh, const char *host, const struct message *m)
{
	const struct wire_volume_seen *v = &m->volume_seen;

	if (!sh->gc || sh->gc->stage != STAGE_LIST || has_row(sh, v->name))
		return;
	json_array_append_new(sh->gc->items, json_pack(
		"{s:s, s:s, s:s%, s:s%, s:I, s:I, s:s}", "kind", "volume",
		"host", host, "name", v->name.ptr, (size_t)v->name.length,
		"path", v->key.ptr, (size_t)v->key.length, "bytes",
		(json_int_t)v->bytes, "inode", (json_int_t)v->inode, "result",
		"left over"));
}

void gc_on_mark(struct shell *sh, const char *host, const struct message *m)
{
	const struct wire_mark_seen *v = &m->mark_seen;
	struct gc *gc = sh->gc;
	char text[200];

	if (!gc || gc->stage != STAGE_LIST)
		return;
	json_array_append_new(gc->items, json_pack(
		"{s:s, s:s, s:s%, s:s%, s:i, s:b, s:s%}", "kind", "domain",
		"host", host, "name", v->name.ptr, (size_t)v->name.length,
		"uuid", v->uuid.ptr, (size_t)v->uuid.length, "owner", v->owner,
		"runs", v->state == WIRE_DOMAIN_RUNNING, "result", v->text.ptr,
		(size_t)v->text.length));
	snprintf(text, sizeof(text),
		 "domain %.*s names this site, which does not know it; these files may be its own: first look at `remuda reclaim`",
		 (int)v->name.length, v->name.ptr);
	if (gc->remove && !gc->reclaim)
		note_trouble(gc, host, text);
}

static bool is_stale_socket(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0 || !TEXT_SET(at.sun_path, path)) {
		if (fd >= 0)
			close(fd);
		return false;
	}
	int rc = connect(fd, (struct sockaddr *)&at, sizeof(at));
	bool stale = rc < 0 && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

/* gateway-N.sock of gateways this engine does not have. */
static void list_sockets(struct shell *sh)
{
	DIR *dir = opendir(sh->o.run_dir);
	struct dirent *d;
	unsigned index;
	char path[1400], rest[8];

	while (dir && (d = readdir(dir))) {
		snprintf(path, sizeof(path), "%s/%s", sh->o.run_dir, d->d_name);
		if (sscanf(d->d_name, "gateway-%u.%7s", &index, rest) == 2 &&
		    strcmp(rest, "sock") == 0 && index >= sh->gateway_count &&
		    is_stale_socket(path))
			json_array_append_new(sh->gc->items, json_pack(
				"{s:s, s:n, s:s, s:s, s:s}", "kind", "socket",
				"host", "name", d->d_name, "path", path,
				"result", "left over"));
	}
	if (dir)
		closedir(dir);
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

static void set_result(json_t *item, const char *text)
{
	json_object_set_new(item, "result", json_string(text));
}

static void reclaim_item(struct shell *sh, json_t *item)
{
	struct message m = { .type = WIRE_TYPE_domain_reclaim };

	m.domain_reclaim = (struct wire_domain_reclaim){
		.uuid = slice_of(text_of(item, "uuid")),
		.owner = (uint8_t)json_integer_value(json_object_get(item, "owner")),
	};
	if (m.domain_reclaim.owner != WIRE_OWNER_EARLIER && !sh->gc->unsigned_too) {
		set_result(item, "left alone: its mark is not signed by this site's key; --confirm SITE destroys it too");
		return;
	}
	set_result(item, "still there: its host does not answer");
	log_info("host %s: domain %s (%s) names this site and is destroyed by reclaim",
		 text_of(item, "host"), text_of(item, "name"),
		 text_of(item, "uuid"));
	call_host(sh, text_of(item, "host"), &m, item);
}

static void remove_item(struct shell *sh, json_t *item)
{
	struct message m = { .type = WIRE_TYPE_volume_delete };

	if (strcmp(text_of(item, "kind"), "domain") == 0) {
		reclaim_item(sh, item);
		return;
	}
	if (strcmp(text_of(item, "kind"), "socket") == 0) {
		set_result(item, unlink(text_of(item, "path")) == 0 ?
					 "removed" : "cannot be removed");
		return;
	}
	set_result(item, "cannot be removed: its host does not answer");
	m.volume_delete = (struct wire_volume_delete){
		.name = slice_of(text_of(item, "name")),
		.key = slice_of(text_of(item, "path")),
		.inode = (uint64_t)json_integer_value(
			json_object_get(item, "inode")),
	};
	call_host(sh, text_of(item, "host"), &m, item);
}

static void finish(struct shell *sh)
{
	struct gc *gc = sh->gc;
	struct control_client *c = gc->client ?
		control_client_of(sh->control, gc->client) : NULL;

	sh->gc = NULL;
	if (c && gc->trouble[0])
		control_error(c, gc->id, "failed", NULL, gc->trouble, NULL);
	else if (c)
		control_items(c, gc->id, "leftover_list",
			      json_incref(gc->items));
	json_decref(gc->items);
	free(gc);
}

/* All of a folder of ours, then the folder; true when it is not there. */
static bool remove_folder(const struct shell *sh, const char *name)
{
	char path[1400], file[1700];

	snprintf(path, sizeof(path), "%s/%s", sh->o.state_dir, name);
	DIR *dir = opendir(path);
	struct dirent *d;
	while (dir && (d = readdir(dir))) {
		snprintf(file, sizeof(file), "%s/%s", path, d->d_name);
		if (d->d_name[0] != '.')
			unlink(file);
	}
	if (dir)
		closedir(dir);
	return rmdir(path) == 0 || errno == ENOENT;
}

/* The pools are gone; so are the folders, and the engine after them. */
static void end_site(struct shell *sh)
{
	struct gc *gc = sh->gc;
	bool gone = !gc->trouble[0] && remove_folder(sh, "volumes") &&
		    remove_folder(sh, "images");

	if (!gone && !gc->trouble[0])
		snprintf(gc->trouble, sizeof(gc->trouble),
			 "something is left in images or volumes of %.200s",
			 sh->o.state_dir);
	log_info("the site is %s%s", gone ? "destroyed: nothing of it is left" :
				     "not destroyed: ", gc->trouble);
	finish(sh);
	sh->destroy = (struct asker){ 0 };
	if (gone)
		shell_stop(sh, 0);
}

/* A site's end waits for its virtual addresses (gc_on_net). */
static bool addresses_are_gone(struct shell *sh)
{
	char text[200] = "";
	bool gone = net_let_go(sh, text, sizeof(text));

	if (text[0])
		note_trouble(sh->gc, "here", text);
	return gone;
}

static void advance(struct shell *sh)
{
	struct gc *gc = sh->gc;
	json_t *item;
	size_t i;

	if (gc->calls)
		return;
	if (gc->stage == STAGE_LIST && gc->remove && !gc->trouble[0]) {
		gc->stage = STAGE_REMOVE;
		json_array_foreach(gc->items, i, item)
			remove_item(sh, item);
		if (gc->calls)
			return;
	}
	if (gc->stage == STAGE_REMOVE && gc->destroy) {
		gc->stage = STAGE_POOLS;
		call_all_hosts(sh, WIRE_TYPE_pool_remove);
		if (gc->calls)
			return;
	}
	if (gc->destroy && !addresses_are_gone(sh))
		return;
	if (gc->destroy)
		end_site(sh);
	else
		finish(sh);
}

bool gc_on_done(struct shell *sh, const char *host, const struct message *m)
{
	char text[300];

	for (struct gc_call **at = sh->gc ? &sh->gc->calls : NULL; at && *at;
	     at = &(*at)->next) {
		struct gc_call *c = *at;

		if (c->call != m->request)
			continue;
		*at = c->next;
		text_copy_slice(text, sizeof(text), m->call_done.text);
		if (c->item)
			set_result(c->item, m->call_done.result == WIRE_OK ?
						    "removed" : text);
		if (m->call_done.result != WIRE_OK)
			note_trouble(sh->gc, host, text);
		free(c);
		advance(sh);
		return true;
	}
	return false;
}

void gc_on_net(struct shell *sh)
{
	if (sh->gc && sh->gc->destroy)
		advance(sh);
}

void gc_on_host_lost(struct shell *sh, const char *host)
{
	bool some = false;

	for (struct gc_call **at = sh->gc ? &sh->gc->calls : NULL; at && *at;) {
		struct gc_call *c = *at;

		if (strcmp(c->host, host) != 0) {
			at = &c->next;
			continue;
		}
		*at = c->next;
		free(c);
		some = true;
	}
	if (!some)
		return;
	note_trouble(sh->gc, host, "its hypervisor process died; try again");
	advance(sh);
}

static void start(struct shell *sh, const struct gc *what)
{
	sh->gc = calloc(1, sizeof(*sh->gc));
	CHECK("", sh->gc, "out of memory");
	*sh->gc = *what;
	sh->gc->items = json_array();
	if (!what->reclaim) {
		list_sockets(sh);
		call_all_hosts(sh, WIRE_TYPE_volume_list);
	}
	call_all_hosts(sh, WIRE_TYPE_mark_list);
	advance(sh);
}

static void run_as(const struct verb_call *a, struct gc what)
{
	what.client = a->c->number;
	what.id = a->id;
	if (a->sh->gc)
		control_error(a->c, a->id, "busy", NULL,
			      "another one looks already; try again", NULL);
	else
		start(a->sh, &what);
}

static void run_plan(const struct verb_call *a)
{
	run_as(a, (struct gc){ .remove = false });
}

static void run_remove(const struct verb_call *a)
{
	run_as(a, (struct gc){ .remove = true });
}

static void run_reclaim_plan(const struct verb_call *a)
{
	run_as(a, (struct gc){ .reclaim = true });
}

static void run_reclaim(const struct verb_call *a)
{
	const char *confirm = verb_text(a, "confirm");
	char text[200];

	if (*confirm && strcmp(confirm, a->sh->world.spec.name) != 0) {
		snprintf(text, sizeof(text), "this site is \"%s\": say --confirm %s",
			 a->sh->world.spec.name, a->sh->world.spec.name);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
		return;
	}
	run_as(a, (struct gc){ .reclaim = true, .remove = true,
			       .unsigned_too = *confirm != '\0' });
}

/* Each end takes its session off the list. */
static void end_sessions(struct shell *sh, const char *who)
{
	LIST_EACH(&sh->world.live, it) {
		struct event ev = {
			.kind = EVENT_COMMAND,
			.command = { .verb = COMMAND_SESSION_END,
				     .who = slice_of(who),
				     .session = LIST_ENTRY(it, struct session,
							   live_link)->row.id },
		};

		shell_step(sh, &ev);
	}
}

static void run_destroy(const struct verb_call *a)
{
	struct shell *sh = a->sh;
	size_t live = 0;
	char text[120];
	struct event ev = { .kind = EVENT_COMMAND,
			    .command = { .verb = COMMAND_SITE_CLOSE,
					 .who = slice_of(a->c->who) } };

	LIST_EACH(&sh->world.live, it)
		live++;
	if (live && !verb_true(a, "force")) {
		snprintf(text, sizeof(text), "%zu sessions are live: end them, or say --force",
			 live);
		control_error(a->c, a->id, "refused", NULL, text, NULL);
		return;
	}
	if (sh->destroy.client || sh->gc) {
		control_error(a->c, a->id, "busy", NULL,
			      "another one is at it already", NULL);
		return;
	}
	sh->destroy = (struct asker){ a->c->number, a->id, "" };
	end_sessions(sh, a->c->who);
	shell_step(sh, &ev);
}

void gc_end_site(struct shell *sh)
{
	if (!sh->gc)
		start(sh, &(struct gc){ .client = sh->destroy.client,
					.id = sh->destroy.id, .remove = true,
					.destroy = true });
}

const struct verb verbs_gc[] = {
	{ "gc.plan", run_plan, false, "" },
	{ "gc.run", run_remove, true, "" },
	{ "reclaim.plan", run_reclaim_plan, false, "" },
	{ "reclaim.run", run_reclaim, true, "confirm " },
	{ "site.destroy", run_destroy, true, "force " },
	{ 0 },
};
