/*
 * Menus about the console itself: the order of a list, and leaving.  Quitting
 * an embedded console asks what becomes of the engine (console.md C.7): with
 * live sessions the default keeps it.
 */
#include <stdio.h>

#include "console/app_internal.h"
#include "engine/base/error.h"

/* ---- sorting and columns --------------------------------------------- */

void action_sort(struct app *app, int column, bool inverted)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	list_view_sort(l, column, inverted, &context);
	memory_note(&app->memory, v->ops->name, v->focus, l);
}

static void on_sort(struct app *app, int choice)
{
	struct list_view *l = view_list(app_view(app));

	if (choice < 0 || !l)
		return;
	action_sort(app, choice, choice == l->sort ? !l->inverted :
		    l->columns[choice].newest_first);
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

static void columns_fill(struct dialog *d, const struct list_view *l)
{
	d->choice_count = 0;
	for (int i = 0; i < l->column_count; i++)
		dialog_choice(d, 0, true, l->columns[l->order[i]].title,
			      i == 0 ? "always" :
			      l->hidden >> l->order[i] & 1 ? "hidden" :
			      "shown");
}

/* Space shows or hides, < and > move; the first column stays first. */
static bool columns_key(struct app *app, struct dialog *d, uint32_t key)
{
	struct list_view *l = view_list(app_view(app));
	int at = d->at, to = at;

	if (!l)
		return false;
	if (key == ' ' && at > 0)
		l->hidden ^= 1u << l->order[at];
	else if (key == '<' && at > 1)
		to = at - 1;
	else if (key == '>' && at > 0 && at + 1 < l->column_count)
		to = at + 1;
	else if (key != ' ' && key != '<' && key != '>')
		return false;
	if (to != at) {
		uint8_t column = l->order[at];

		l->order[at] = l->order[to];
		l->order[to] = column;
		d->at = to;
	}
	l->skip = 0;
	memory_note(&app->memory, app_view(app)->ops->name,
		    app_view(app)->focus, l);
	columns_fill(d, l);
	return true;
}

void action_columns_menu(struct app *app)
{
	struct list_view *l = view_list(app_view(app));

	if (!l) {
		app_message(app, false, "There are no columns here.");
		return;
	}
	dialog_open(&app->dialog, DIALOG_MENU, "Columns", NULL);
	app->dialog.key = columns_key;
	app->dialog.key_words = "Space Show or hide   < > Move   Enter Esc Done";
	columns_fill(&app->dialog, l);
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

	if (app->options->practice) {
		dialog_open(d, DIALOG_MENU, "Quit", on_quit_attached);
		dialog_line(d, "This is the practice site: everything of it is "
			    "removed.");
		dialog_choice(d, 'y', true, "Leave", "it takes some seconds");
		dialog_choice(d, 'n', true, "Stay", "");
		d->at = 0;
		return;
	}
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
