/*
 * The question before a work (console.md C.5): what is touched, what follows
 * from it, what would be softer.  Enter and Esc keep things as they are, y does
 * it; what would end several sessions or take away a pool wants a word typed
 * that nobody types by accident.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "console/theme.h"
#include "console/work.h"
#include "engine/base/text.h"

enum { NAMES_SHOWN = 10 };

/* ---- what a change does ---------------------------------------------- */

static const json_t *machine_of(struct app *app, const json_t *request)
{
	return model_named(&app->model, TOPIC_MACHINES,
			   item_text(request, "name"));
}

static int machine_ends(struct app *app, const json_t *request)
{
	const json_t *m = machine_of(app, request);

	return item_int(m, "session", 0) > 0 || *item_text(m, "user");
}

static int session_ends(struct app *app, const json_t *request)
{
	(void)app;
	(void)request;
	return 1;
}

/* Members of a set that belong to the named one. */
static int count_of(struct app *app, enum topic topic, const char *member,
		    const char *name)
{
	const struct model_set *set = &app->model.sets[topic];
	int count = 0;

	for (size_t i = 0; i < set->count; i++)
		count += strcmp(item_text(set->entries[i].item, member),
				name) == 0;
	return count;
}

static int pool_ends(struct app *app, const json_t *request)
{
	return count_of(app, TOPIC_SESSIONS, "pool",
			item_text(request, "name"));
}

static int user_ends(struct app *app, const json_t *request)
{
	return item_bool(request, "end_sessions") ?
	       count_of(app, TOPIC_SESSIONS, "user",
			item_text(request, "name")) : 0;
}

static int all_end(struct app *app, const json_t *request)
{
	(void)request;
	return (int)app->model.sets[TOPIC_SESSIONS].count;
}

static void machine_line(struct app *app, const json_t *request, char *out,
			 size_t size)
{
	const json_t *m = machine_of(app, request);
	struct state_look look = state_look("machine", item_text(m, "state"));
	const char *user = item_text(m, "user");
	bool ascii = app->grid.ascii;

	snprintf(out, size, "%s %-18s %-12s %-8s %s%s",
		 glyph(ascii, role_glyph(look.role)),
		 item_text(request, "name"), m ? look.word : "not there",
		 item_text(m, "host"), machine_ends(app, request) ? "used by " :
		 "no session", machine_ends(app, request) ? *user ? user :
		 "somebody" : "");
}

static void session_line(struct app *app, const json_t *request, char *out,
			 size_t size)
{
	int64_t id = item_int(request, "session", 0);
	const json_t *s = model_find(&app->model, TOPIC_SESSIONS, (uint64_t)id);

	snprintf(out, size, "session/%-8" PRId64 " %-14s on %-14s from %s", id,
		 s ? item_text(s, "user") : "not there now",
		 item_text(s, "machine"), item_text(s, "peer"));
}

static void scale_line(struct app *app, const json_t *request, char *out,
		       size_t size)
{
	const char *name = item_text(request, "name");
	const json_t *p = model_named(&app->model, TOPIC_POOLS, name);
	int64_t now = item_int(p, "serve", 0);

	snprintf(out, size, "pool/%s serve %" PRId64 " -> %" PRId64
		 "   %" PRId64 " in use, %" PRId64 " ready now", name, now,
		 item_int(request, "serve", now), item_int(p, "in_use", 0),
		 item_int(p, "ready", 0));
}

static void cluster_line(struct app *app, const json_t *request, char *out,
			 size_t size)
{
	const char *name = item_text(request, "name");
	const json_t *c = model_named(&app->model, TOPIC_CLUSTERS, name);
	int64_t now = item_int(c, "nodes", 0);

	if (json_object_get(request, "nodes"))
		snprintf(out, size, "cluster/%s nodes %" PRId64 " -> %" PRId64
			 ", %" PRId64 " serve now", name, now,
			 item_int(request, "nodes", now),
			 item_int(c, "serving", 0));
	else
		snprintf(out, size, "cluster/%s %" PRId64 " nodes, %s", name,
			 now, item_text(c, "state"));
}

static void change_line(struct app *app, const json_t *request, char *out,
			size_t size)
{
	int64_t id = item_int(request, "change", 0);
	const json_t *c = model_find(&app->model, TOPIC_CHANGES, (uint64_t)id);

	snprintf(out, size, "change/%" PRId64 " of cluster/%s, step %" PRId64
		 ": %s", id, item_text(c, "cluster"), item_int(c, "step_number",
		 0), item_text(c, "step"));
}

static void host_line(struct app *app, const json_t *request, char *out,
		      size_t size)
{
	const char *name = item_text(request, "name");
	const json_t *h = model_named(&app->model, TOPIC_HOSTS, name);

	snprintf(out, size, "host/%s  %s, %d nodes of clusters, %" PRId64
		 " machines", name, item_text(h, "state"),
		 count_of(app, TOPIC_NODES, "host", name),
		 item_int(h, "machines", 0));
}

static void pool_line(struct app *app, const json_t *request, char *out,
		      size_t size)
{
	const char *name = item_text(request, "name");

	snprintf(out, size, "pool/%-14s %d machines, %d sessions", name,
		 count_of(app, TOPIC_MACHINES, "pool", name),
		 pool_ends(app, request));
}

static void user_line(struct app *app, const json_t *request, char *out,
		      size_t size)
{
	const char *name = item_text(request, "name");

	snprintf(out, size, "user/%-14s %d sessions now", name,
		 count_of(app, TOPIC_SESSIONS, "user", name));
}

static void site_line(struct app *app, const json_t *request, char *out,
		      size_t size)
{
	(void)request;
	snprintf(out, size, "site %s: %zu machines, %zu sessions",
		 app->model.site, app->model.sets[TOPIC_MACHINES].count,
		 app->model.sets[TOPIC_SESSIONS].count);
}

static void name_line(struct app *app, const json_t *request, char *out,
		      size_t size)
{
	(void)app;
	snprintf(out, size, "%s", item_text(request, "name"));
}

/* ---- the table ------------------------------------------------------- */

enum rule {
	RULE_ALWAYS,		/* asks */
	RULE_IN_SESSION,	/* asks when it ends a session */
	RULE_DOWN,		/* asks when fewer machines are kept */
	RULE_NAME,		/* always wants the name */
};

static const struct asking {
	const char *verb, *title, *noun, *button;
	enum rule rule;
	int (*ends)(struct app *app, const json_t *request);
	void (*line)(struct app *app, const json_t *request, char *out,
		     size_t size);
	const char *then;	/* what follows from it */
	const char *softer;	/* instead, when somebody is on it */
	bool tried;		/* the engine itself can say what would be */
} askings[] = {
	{ "machine.delete", "Delete", "machine", "Delete", RULE_ALWAYS,
	  machine_ends, machine_line,
	  "Each pool makes others when it needs them; disks are deleted.",
	  "H holds a machine instead: it leaves the pool after its session.", false },
	{ "machine.restart", "Restart", "machine", "Restart", RULE_IN_SESSION,
	  machine_ends, machine_line, "Each is made anew and prepared again.",
	  "H holds a machine instead: it leaves the pool after its session.", false },
	{ "session.end", "End", "session", "End", RULE_ALWAYS, session_ends,
	  session_line, "The connection is cut and the machine cleaned.",
	  NULL, false },
	{ "pool.scale", "Scale down", "pool", "Scale down", RULE_DOWN, NULL,
	  scale_line, "Machines in use leave when their sessions end.", NULL,
	  true },
	{ "cluster.resize", "Shrink", "cluster", "Shrink", RULE_DOWN, NULL,
	  cluster_line, "Nodes that go finish their transactions first.", NULL,
	  true },
	{ "cluster.replace", "Replace", "cluster", "Replace", RULE_ALWAYS, NULL,
	  cluster_line, "Each node is made anew and takes over, one by one.",
	  NULL, true },
	{ "cluster.delete", "Delete", "cluster", "Delete", RULE_NAME, NULL,
	  cluster_line, "Nothing answers at its address any more.", NULL,
	  false },
	{ "change.cancel", "Cancel", "change", "Cancel it", RULE_ALWAYS, NULL,
	  change_line, "Everything it did is undone; the old nodes serve.",
	  NULL, true },
	{ "node.move", "Move", "node", "Move", RULE_ALWAYS, NULL, name_line,
	  "A new one takes over on another host, then this one goes.", NULL,
	  true },
	{ "host.drain", "Drain", "host", "Drain", RULE_ALWAYS, NULL, host_line,
	  "Clusters' nodes leave it, no machine is made there; sessions stay.",
	  NULL, true },
	{ "host.fence", "Fence", "host", "Fence", RULE_NAME, NULL, host_line,
	  "Its machines count as dead and are made elsewhere: it must be off!",
	  NULL, true },
	{ "pool.delete", "Delete", "pool", "Delete", RULE_NAME, pool_ends,
	  pool_line, "Its machines and their disks go with it.",
	  "Scaled to 0 first it is empty when the last session has ended.", false },
	{ "user.disable", "Disable", "user", "Disable", RULE_IN_SESSION,
	  user_ends, user_line, "New requests are refused from now on.",
	  NULL, false },
	{ "token.delete", "Delete", "token", "Delete", RULE_ALWAYS, NULL,
	  name_line, "Nobody gets in with it any more.", NULL, false },
	{ "site.close", "Close", "site", "Close", RULE_NAME, all_end, site_line,
	  "All machines are destroyed, then the engine stops.",
	  "remuda engine stop  leaves machines and sessions as they are.", false },
	{ "site.destroy", "Destroy", "site", "Destroy", RULE_NAME, all_end,
	  site_line, "All machines and every file of theirs are destroyed, "
	  "then the engine stops.",
	  "remuda engine stop  leaves machines and sessions as they are.", false },
	{ "reclaim.run", "Reclaim", "site", "Reclaim", RULE_NAME, NULL,
	  site_line, "Domains that the site's key signed are destroyed.",
	  NULL, false },
	{ "gc.run", "Clean up", "site", "Remove", RULE_ALWAYS, NULL, site_line,
	  "What is left over of machines that are gone is deleted.", NULL, false },
};

static const struct asking *asking_of(const char *verb)
{
	for (size_t i = 0; i < sizeof(askings) / sizeof(askings[0]); i++)
		if (strcmp(askings[i].verb, verb) == 0)
			return &askings[i];
	return NULL;
}

static int ended_by(struct app *app, const struct work *w,
		    const struct asking *a)
{
	int ended = 0;

	for (size_t i = 0; i < w->count && a->ends; i++)
		ended += a->ends(app, w->deeds[i].request);
	return ended;
}

static bool scales_down(struct app *app, const struct work *w)
{
	static const char *const keys[] = { "serve", "spare", "max", "nodes",
					    "vcpus", "memory_mib" };
	enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

	for (size_t i = 0; i < w->count; i++) {
		const json_t *r = w->deeds[i].request;
		bool cluster = strcmp(item_text(r, "verb"),
				      "cluster.resize") == 0;
		const json_t *p = model_named(&app->model, cluster ?
					      TOPIC_CLUSTERS : TOPIC_POOLS,
					      item_text(r, "name"));

		for (size_t k = 0; k < KEYS && !item_bool(r, "dry_run"); k++) {
			int64_t now = item_int(p, keys[k], 0);

			if (item_int(r, keys[k], now) < now)
				return true;
		}
	}
	return false;
}

/* A verb the table above does not know asks when the command line does. */
static bool command_asks(const char *verb)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->control && strcmp(c->control, verb) == 0)
			return c->confirm == CONFIRM_ALWAYS;
	return false;
}

enum ask_level ask_level(struct app *app, const struct work *w)
{
	const char *verb = item_text(w->deeds[0].request, "verb");
	const struct asking *a = asking_of(verb);
	int ended = a ? ended_by(app, w, a) : 0;

	if (!a)
		return command_asks(verb) ? ASK_PLAIN : ASK_NOT;
	if (ended > 1)
		return ASK_NAME;
	switch (a->rule) {
	case RULE_ALWAYS:
		return ASK_PLAIN;
	case RULE_IN_SESSION:
		return ended ? ASK_PLAIN : ASK_NOT;
	case RULE_DOWN:
		return scales_down(app, w) ? ASK_PLAIN : ASK_NOT;
	case RULE_NAME:
		return ASK_NAME;
	}
	return ASK_PLAIN;
}

/* ---- the dialog ------------------------------------------------------ */

static void deed_line(struct app *app, const struct asking *a,
		      const struct deed *d, char *out, size_t size)
{
	if (a)
		a->line(app, d->request, out, size);
	else
		text_copy(out, size, d->shell);
}

static void draw_names(struct app *app, const struct work *w,
		       const struct asking *a, size_t most)
{
	char line[WORK_SHELL_SIZE];

	for (size_t i = 0; i < w->count && i < most; i++) {
		deed_line(app, a, &w->deeds[i], line, sizeof(line));
		dialog_line(&app->dialog, "  %s", line);
	}
	if (w->count > most)
		dialog_line(&app->dialog, "  and %zu more: l lists them all",
			    w->count - most);
}

/* The word to type: what it is called, or how many it hits. */
static void wanted_word(struct app *app, const struct work *w, int ended,
			char *word, size_t size, char *label, size_t label_size)
{
	const json_t *r = w->deeds[0].request;
	const char *name = item_text(r, "name");
	bool site = strncmp(item_text(r, "verb"), "site.", 5) == 0 ||
		    strncmp(item_text(r, "verb"), "reclaim.", 8) == 0;

	if (site) {
		snprintf(word, size, "%s", app->model.site);
		snprintf(label, label_size, "name of the site: ");
	} else if (w->count == 1 && *name) {
		snprintf(word, size, "%s", name);
		snprintf(label, label_size, "its name: ");
	} else {
		snprintf(word, size, "%d", ended > 0 ? ended : (int)w->count);
		snprintf(label, label_size, ended > 0 ?
			 "number of sessions it ends: " : "how many: ");
	}
}

static void on_answer(struct app *app, int choice);

void ask_open(struct app *app)
{
	struct work *w = app->pending;
	const char *verb = item_text(w->deeds[0].request, "verb");
	const struct asking *a = asking_of(verb);
	int ended = a ? ended_by(app, w, a) : 0;
	bool named = ask_level(app, w) == ASK_NAME;
	struct dialog *d = &app->dialog;
	const char *title = a ? a->title : "Change", *plural = "";
	char word[96], label[64], button[96];

	if (a && w->count > 1)
		plural = "s";
	dialog_open(d, named ? DIALOG_NAME : DIALOG_ASK, title, on_answer);
	if (w->count == 1)
		dialog_line(d, "%s this %s?", title, a ? a->noun : "so");
	else
		dialog_line(d, "%s %zu %s%s?", title, w->count,
			    a ? a->noun : "objects", plural);
	dialog_line(d, "%s", "");
	draw_names(app, w, a, NAMES_SHOWN);
	dialog_line(d, "%s", "");
	if (w->hidden)
		dialog_line(d, "%zu of them are hidden by the filter.",
			    w->hidden);
	if (a && a->then)
		dialog_line(d, "%s", a->then);
	if (named && ended)
		dialog_line(d, "%d %s cut off NOW.", ended, ended == 1 ?
			    "user is" : "users are");
	if (a && a->softer && ended)
		dialog_line(d, "%s", a->softer);
	if (w->skipped)
		dialog_line(d, "%zu marked are left out: %s.", w->skipped,
			    w->skipped_why);
	d->dry = true;
	if (named) {
		wanted_word(app, w, ended, word, sizeof(word), label,
			    sizeof(label));
		dialog_word(d, label, word);
		return;
	}
	if (w->count > 1)
		snprintf(button, sizeof(button), "%s %zu", a ? a->button :
			 "Do it", w->count);
	else
		snprintf(button, sizeof(button), "%s", a ? a->button : "Do it");
	dialog_buttons(d, "Keep", button);
}

/* ---- answers --------------------------------------------------------- */

/* After a page about it the question stands again. */
static void on_page_closed(struct app *app, int choice)
{
	(void)choice;
	if (app->pending)
		ask_open(app);
}

static void list_all(struct app *app)
{
	struct work *w = app->pending;
	const struct asking *a =
		asking_of(item_text(w->deeds[0].request, "verb"));
	char title[64];

	snprintf(title, sizeof(title), "All %zu", w->count);
	dialog_open(&app->dialog, DIALOG_TEXT, title, on_page_closed);
	draw_names(app, w, a, w->count);
}

static void on_tried(struct app *app, struct work *dry)
{
	dialog_open(&app->dialog, DIALOG_TEXT, "Dry run: nothing was changed",
		    on_page_closed);
	for (size_t i = 0; i < dry->count; i++)
		dialog_line(&app->dialog, "%s", dry->deeds[i].text);
	work_free(dry);
}

/* What the engine says it would do; else what the console knows of it. */
static void dry_run(struct app *app)
{
	struct work *w = app->pending, *dry;
	const char *verb = item_text(w->deeds[0].request, "verb");
	const struct asking *a = asking_of(verb);
	char line[WORK_SHELL_SIZE];

	if (a && a->tried && app->link.up) {
		ask_open(app);	/* stands until the engine has answered */
		dry = work_new(app);
		for (size_t i = 0; i < w->count; i++) {
			json_t *r = json_copy(w->deeds[i].request);

			json_object_set_new(r, "dry_run", json_true());
			work_add(dry, r, w->deeds[i].shell, w->deeds[i].name,
				 0);
		}
		dry->dry = true;
		dry->done = on_tried;
		work_start(app, dry);
		return;
	}
	dialog_open(&app->dialog, DIALOG_TEXT, "Dry run: nothing was changed",
		    on_page_closed);
	dialog_line(&app->dialog, "These commands would be run, on objects as "
		    "they are now:");
	for (size_t i = 0; i < w->count; i++) {
		deed_line(app, a, &w->deeds[i], line, sizeof(line));
		dialog_line(&app->dialog, "  %s", w->deeds[i].shell);
		dialog_line(&app->dialog, "      %s", line);
	}
}

static void on_answer(struct app *app, int choice)
{
	struct work *w = app->pending;

	if (!w)
		return;
	if (choice == DIALOG_DRY_RUN) {
		dry_run(app);
		return;
	}
	if (choice == DIALOG_LIST) {
		list_all(app);
		return;
	}
	app->pending = NULL;
	if (choice == 1) {
		work_start(app, w);
		return;
	}
	work_free(w);
	app_message(app, false, "Nothing was changed.");
}
