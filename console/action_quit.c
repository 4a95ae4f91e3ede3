/*
 * Menus about the console itself: the order of a list, and leaving.  Quitting
 * an embedded console asks what becomes of the engine (console.md C.7): with
 * live sessions the default keeps it.
 */
#include <stdio.h>

#include "console/app_internal.h"
#include "engine/base/error.h"

/* ---- sorting --------------------------------------------------------- */

static void on_sort(struct app *app, int choice)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	if (choice < 0 || !l)
		return;
	list_view_sort(l, choice, choice == l->sort ? !l->inverted :
		       l->columns[choice].newest_first, &context);
}

void action_sort_menu(struct app *app)
{
	struct list_view *l = view_list(app_view(app));

	if (!l)
		return;
	dialog_open(&app->dialog, DIALOG_MENU, "Sort by", on_sort);
	for (int i = 0; i < l->column_count && i < LIST_COLUMNS_MAX; i++)
		dialog_choice(&app->dialog, "123456789ABCDEFGHIK"[i], true,
			      l->columns[i].title, i != l->sort ? "" :
			      l->inverted ? "now, descending" : "now");
	app->dialog.at = l->sort;
}

/* ---- quitting -------------------------------------------------------- */

static void on_stopped(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;

	if (answer && !item_bool(answer, "ok")) {
		app->stopping = false;
		action_answer(app, shell, answer);
		return;
	}
	app->quit = true;	/* stopped, or gone before it could say so */
}

enum { QUIT_KEEP, QUIT_STOP, QUIT_STAY };

static void on_quit_embedded(struct app *app, int choice)
{
	struct error err = { "" };

	if (choice == QUIT_KEEP) {
		app->quit = true;
	} else if (choice == QUIT_STOP) {
		app->stopping = true;
		app_message(app, false, "Stopping the engine; machines stay up "
			    "...   [remuda engine stop]");
		if (link_request(&app->link, json_pack("{s:s,s:s}", "verb",
				 "engine.stop", "machines", "stay"),
				 "remuda engine stop", on_stopped, app,
				 app->mono_ms, &err)) {
			app->stopping = false;
			app_message(app, true, "Not stopped: %s.", err.text);
		}
	}
}

static void on_quit_attached(struct app *app, int choice)
{
	app->quit = choice == 0;
}

void action_quit(struct app *app)
{
	struct model_totals t = model_totals(&app->model);
	struct dialog *d = &app->dialog;
	bool embedded = app->options->embedded && app->link.up;

	dialog_open(d, DIALOG_MENU, "Quit", embedded ? on_quit_embedded :
		    on_quit_attached);
	if (embedded) {
		const char *why = action_refusal(app);

		dialog_line(d, "%d %s, %d machines.", t.sessions,
			    t.sessions == 1 ? "session" : "sessions",
			    t.machines);
		dialog_choice(d, 'k', true, "Keep the engine running",
			      "sessions go on");
		dialog_choice(d, 's', !why, "Stop the engine, machines stay up",
			      why ? why : "nobody new gets in");
		dialog_choice(d, 'n', true, "Stay", "");
		d->at = t.sessions > 0 || why ? QUIT_KEEP : QUIT_STOP;
		return;
	}
	dialog_line(d, "%s", app->link.up ?
		    "The engine goes on without this console." :
		    "No engine answers; nothing is stopped by quitting.");
	dialog_choice(d, 'y', true, "Quit the console", "");
	dialog_choice(d, 'n', true, "Stay", "");
	d->at = 0;
}
