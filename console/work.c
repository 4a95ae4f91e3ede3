/*
 * Works: see work.h.  Owned by the console process; the answers of the link
 * call back with (work, deed), so a work lives until its last answer came.
 * Several works may be on their way at once.
 */
#include "console/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* What the answer to one deed comes back with. */
struct errand {
	struct work *work;
	size_t deed;
};

struct work *work_new(struct app *app)
{
	struct work *w = calloc(1, sizeof(*w));
	const struct view *v = app_view(app);

	CHECK("", w, "out of memory");
	w->app = app;
	w->ops = v->ops;
	w->list = v->focus;
	TEXT_SET(w->target, v->target);
	return w;
}

void work_free(struct work *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->count; i++) {
		json_decref(w->deeds[i].request);
		json_decref(w->deeds[i].undo);
	}
	free(w->deeds);
	free(w);
}

void work_add(struct work *w, json_t *request, const char *shell,
	      const char *name, uint64_t key)
{
	if (w->count == w->size) {
		w->size = w->size ? w->size * 2 : 4;
		w->deeds = realloc(w->deeds, w->size * sizeof(*w->deeds));
		CHECK("", w->deeds, "out of memory");
	}
	struct deed *d = &w->deeds[w->count++];

	*d = (struct deed){ .request = request, .key = key };
	TEXT_SET(d->shell, shell);
	TEXT_SET(d->name, name);
}

/* ---- outcome --------------------------------------------------------- */

/* The list the marks are in, if it is still there. */
static struct list_view *marked_list(const struct work *w)
{
	for (int i = 0; i < w->app->depth; i++) {
		struct view *v = w->app->stack[i];

		if (v->ops == w->ops && strcmp(v->target, w->target) == 0 &&
		    w->list < v->ops->lists)
			return &v->lists[w->list];
	}
	return NULL;
}

static void tell_one(struct app *app, const struct work *w)
{
	const struct deed *d = &w->deeds[0];
	bool bad = d->state == DEED_FAILED;

	app_message(app, bad, "%s%s   [%s]", d->text, !bad && !w->undoing &&
		    work_undo_seconds(app) ? "; u undoes for 60 s" : "",
		    d->shell);
}

/* One line in the message, each outcome behind F1. */
static void tell_many(struct app *app, const struct work *w)
{
	char *all = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&all, &size);
	const struct deed *first = NULL;

	CHECK("", f, "out of memory");
	for (size_t i = 0; i < w->count; i++) {
		const struct deed *d = &w->deeds[i];

		if (d->state == DEED_FAILED && !first)
			first = d;
		fprintf(f, "%-7s %s: %s\n", d->state == DEED_FAILED ? "failed" :
			"done", d->name, d->text);
	}
	fclose(f);
	if (first)
		app_message(app, true, "%zu of %zu done; %s: %s.  What failed "
			    "stays marked; F1 shows each.",
			    w->count - w->failed, w->count, first->name,
			    first->text);
	else
		app_message(app, false, "%zu done%s.  F1 shows each.", w->count,
			    work_undo_seconds(app) && !w->undoing ?
			    "; u undoes for 60 s" : "");
	app_message_pages(app, all);
}

static void work_over(struct work *w)
{
	struct app *app = w->app;

	if (!w->dry && !w->undoing)
		work_remember(app, w);
	if (w->done) {
		w->done(app, w);
		return;
	}
	if (w->count == 1)
		tell_one(app, w);
	else
		tell_many(app, w);
	work_free(w);
}

/* ---- sending --------------------------------------------------------- */

static void outcome(struct deed *d, const json_t *answer)
{
	const json_t *error = json_object_get(answer, "error");
	const char *hint = item_text(error, "hint");
	const char *text = item_text(answer, "text");
	char line[sizeof(d->text)];

	d->state = DEED_FAILED;
	if (!answer) {
		TEXT_SET(d->text, "The engine went away before it answered; "
			 "look whether it was done");
		return;
	}
	if (item_bool(answer, "ok")) {
		d->state = DEED_DONE;
		snprintf(line, sizeof(line), "%.250s", *text ? text : "done");
	} else {
		snprintf(line, sizeof(line), "%.160s%s%.80s",
			 item_text(error, "message"), *hint ? "; " : "", hint);
	}
	TEXT_SET(d->text, line);
}

static void send_more(struct work *w);	/* and on_answer sends the next */

static void on_answer(void *arg, const char *shell, const json_t *answer)
{
	struct errand *e = arg;
	struct work *w = e->work;
	struct deed *d = &w->deeds[e->deed];
	struct list_view *l = marked_list(w);

	(void)shell;
	free(e);
	outcome(d, answer);
	w->failed += d->state == DEED_FAILED;
	w->over++;
	if (l && d->key && d->state == DEED_DONE)
		list_view_mark(l, d->key, false);
	/* What comes with an answer beside its one sentence. */
	if (w->count == 1 && item_bool(answer, "ok") &&
	    json_is_object(json_object_get(answer, "item")) && !w->done)
		action_show_item(w->app, d->shell, answer);
	w->app->dirty = true;
	send_more(w);
	if (w->over == w->count)
		work_over(w);
}

static void fail_rest(struct work *w, const char *why)
{
	while (w->sent < w->count) {
		struct deed *d = &w->deeds[w->sent++];

		d->state = DEED_FAILED;
		TEXT_SET(d->text, why);
		w->failed++;
		w->over++;
	}
}

/* As many as the link takes; the rest when answers make room. */
static void send_more(struct work *w)
{
	struct app *app = w->app;
	struct error err = { "" };

	while (w->sent < w->count && link_room(&app->link)) {
		struct deed *d = &w->deeds[w->sent];
		struct errand *e = malloc(sizeof(*e));

		CHECK("", e, "out of memory");
		*e = (struct errand){ w, w->sent };
		if (link_request(&app->link, json_incref(d->request), d->shell,
				 on_answer, e, app->mono_ms, &err)) {
			free(e);
			fail_rest(w, err.text);
			break;
		}
		d->state = DEED_SENT;
		w->sent++;
	}
	if (!app->link.up)
		fail_rest(w, "the engine does not answer");
}

void work_start(struct app *app, struct work *w)
{
	const char *refusal = w->dry ? NULL : action_refusal(app);

	if (refusal) {
		app_message(app, true, "Not done: %s.   [%s]", refusal,
			    w->deeds[0].shell);
		work_free(w);
		return;
	}
	for (size_t i = 0; i < w->count && !w->dry; i++) {
		struct deed *d = &w->deeds[i];

		d->undo = work_inverse(app, d->request, d->undo_shell,
				       sizeof(d->undo_shell));
	}
	if (w->count == 1)
		app_message(app, false, "%s ...", w->deeds[0].shell);
	else
		app_message(app, false, "%zu changes on their way ...",
			    w->count);
	send_more(w);
	if (w->over == w->count)	/* none could be sent */
		work_over(w);
}

void work_offer(struct app *app, struct work *w)
{
	if (action_refusal(app) || ask_level(app, w) == ASK_NOT) {
		work_start(app, w);
		return;
	}
	work_free(app->pending);
	app->pending = w;
	ask_open(app);
}
