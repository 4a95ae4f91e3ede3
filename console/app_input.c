/*
 * What keys and words do in the console: the stack of views, intents, input
 * lines, pasted text.  Nothing here draws or waits; the loop in app.c does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "console/keys.h"
#include "console/term.h"
#include "console/tutorial.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { PASTE_SILENCE_MS = 3000, INTERRUPT_TWICE_MS = 1000 };

/* ---- views ----------------------------------------------------------- */

struct view *app_view(struct app *app)
{
	return app->stack[app->depth - 1];
}

struct view *app_push(struct app *app, const struct view_ops *ops,
		      const char *target)
{
	if (app->place_count)	/* where the cursor stood, for [ */
		app->places[app->place_at] = app_place(app);
	if (app->depth == APP_STACK_MAX)	/* the deepest makes room */
		view_free(app->stack[--app->depth]);
	app->stack[app->depth++] = view_new(app, ops, target);
	app->dirty = true;
	return app_view(app);
}

void app_show(struct app *app, const struct view_ops *ops, const char *target)
{
	const struct view *v = app_view(app);

	app->dirty = true;
	if (v->ops == ops && strcmp(v->target, target) == 0)
		return;
	app->last = app_place(app);
	if (app->place_count && v->ops != &view_text)
		app->places[app->place_at] = app->last;
	if (!ops->detail)
		while (app->depth > 1)
			view_free(app->stack[--app->depth]);
	if (ops == &view_overview)
		view_update(app->stack[0]);
	else
		app_push(app, ops, target);
	app_place_seen(app);
}

void app_pop(struct app *app)
{
	if (app->depth <= 1)
		return;
	view_free(app->stack[--app->depth]);
	view_update(app_view(app));
}

static void go_back(struct app *app)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	if (l && *l->filter) {
		list_view_set_filter(l, "", &context);
		return;
	}
	if (app->depth > 1) {
		app->last = app_place(app);
		app_pop(app);
		app_place_seen(app);
	}
}

static void open_item(struct app *app, enum topic topic, const json_t *item)
{
	const struct view_ops *ops = view_of(topic);
	char id[32];

	if (!ops || !item) {
		app_message(app, false, "There is nothing more to see of it.");
		return;
	}
	snprintf(id, sizeof(id), "%" PRId64, item_int(item, "id", 0));
	app_show(app, ops, topic == TOPIC_SESSIONS ? id :
		 item_text(item, "name"));
}

void app_open_ref(struct app *app, const char *ref)
{
	const char *slash = strchr(ref, '/');

	for (int i = 0; slash && i < TOPIC_COUNT; i++) {
		const char *noun = topic_noun((enum topic)i);
		const struct model *m = &app->model;
		json_t *item;

		if (strlen(noun) != (size_t)(slash - ref) ||
		    strncmp(noun, ref, strlen(noun)) != 0)
			continue;
		item = i == TOPIC_SESSIONS ?
		       model_find(m, TOPIC_SESSIONS,
				  strtoull(slash + 1, NULL, 10)) :
		       model_named(m, (enum topic)i, slash + 1);
		if (item && view_of((enum topic)i)) {
			open_item(app, (enum topic)i, item);
			return;
		}
	}
	app_message(app, false, "%s is not there any more.",
		    *ref ? ref : "What it was about");
}

static void open_selected(struct app *app)
{
	struct view *v = app_view(app);
	enum topic topic;
	json_t *item = view_object(v, &topic);

	if (item && topic == TOPIC_EVENTS &&
	    (v->ops == &view_machine || v->ops == &view_session)) {
		char ref[32];

		snprintf(ref, sizeof(ref), "session/%" PRId64,
			 item_int(v->item, "session", 0));
		if (v->ops == &view_machine)
			app_open_ref(app, ref);
		else
			open_item(app, TOPIC_MACHINES,
				  model_named(&app->model, TOPIC_MACHINES,
					      item_text(v->item, "machine")));
	} else if (item && topic == TOPIC_EVENTS) {
		app_open_ref(app, item_text(item, "object"));
	} else {
		open_item(app, topic, item);
	}
}

void app_filter(struct app *app, const char *text)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	if (v->ops->search)
		v->ops->search(v, text);
	else if (l)
		list_view_set_filter(l, text, &context);
	app->dirty = true;
}

void app_look_only(struct app *app, bool on)
{
	struct error err = { "" };

	app->looks_only = on;
	app_message(app, false, on ? "The console only looks now, and the engine "
		    "refuses changes from it; :read-only again changes that." :
		    "Changes are possible again.");
	/* The engine keeps to it too, whatever this program does wrong. */
	if (app->link.up &&
	    link_request(&app->link, json_pack("{s:s,s:b}", "verb",
			 "read_only", "on", on), "", NULL, NULL,
			 app->mono_ms, &err))
		app_message(app, true, "%s", err.text);
}

/* ---- intents --------------------------------------------------------- */

static void toggle_pause(struct app *app)
{
	app->holding = !app->holding;
	app_message(app, false, app->holding ?
		    "This screen stands still; p goes on." : "");
}

static void interrupted(struct app *app)
{
	if (app->interrupt_ms &&
	    app->mono_ms - app->interrupt_ms <= INTERRUPT_TWICE_MS)
		action_quit(app);
	else
		app_message(app, false, "Ctrl-C again or q asks whether to "
			    "quit.");
	app->interrupt_ms = app->mono_ms;
}

static void mouse_intent(struct app *app)
{
	settings_next(&app->settings, SETTING_MOUSE);
	app_settings_changed(app);
	app_message(app, false, settings_on(&app->settings, SETTING_MOUSE) ?
		    "Mouse on: clicks and the wheel work here; Alt-m off, to "
		    "select text." : "Mouse off: the terminal selects text.");
}

static void read_only_intent(struct app *app)
{
	if (app->options->read_only)
		app_message(app, true, "Started read-only: it stays so until "
			    "you leave.");
	else
		app_look_only(app, !app->looks_only);
}

/* Where the focused list stands, for intents that need one. */
static bool list_intent(struct app *app, enum intent intent)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	if (!l)
		return false;
	if (intent == INTENT_INVERT)
		action_sort(app, l->sort, !l->inverted);
	else if (intent == INTENT_MARK)
		list_view_mark_toggle(l);
	else if (intent == INTENT_MARK_ALL)
		list_view_mark_shown(l);
	else if (intent == INTENT_MARK_NONE)
		list_view_mark_none(l);
	else if (intent == INTENT_MARK_MATCHING)
		prompt_open(&app->prompt, PROMPT_MARK, "mark what matches: ",
			    "");
	else if (intent == INTENT_UNMARK_MATCHING)
		prompt_open(&app->prompt, PROMPT_UNMARK,
			    "unmark what matches: ", "");
	else if (intent == INTENT_LEFT || intent == INTENT_RIGHT)
		list_view_sideways(l, intent == INTENT_RIGHT ? 1 : -1);
	else if (intent == INTENT_SEARCH_NEXT ||
		 intent == INTENT_SEARCH_PREVIOUS) {
		if (!list_view_find(l, intent == INTENT_SEARCH_PREVIOUS,
				    &context))
			app_message(app, false, *l->search ? "Nothing here has "
				    "\"%s\"." : "/ says what to look for.%s",
				    l->search);
	} else
		return false;
	if (intent >= INTENT_MARK && intent <= INTENT_MARK_NONE)
		app_message(app, false, l->mark_count ? "%zu marked: a shows "
			    "what can be done, U unmarks all, + by pattern." :
			    "Nothing is marked.", l->mark_count);
	return true;
}

static void filter_intent(struct app *app)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);

	if (!l && !v->ops->search)
		return;
	TEXT_SET(app->filter_before, l ? l->filter : "");
	prompt_open(&app->prompt, PROMPT_FILTER, "/", l ? l->filter : "");
}

static void time_intent(struct app *app)
{
	if (app_view(app)->ops->go_time)
		prompt_open(&app->prompt, PROMPT_TIME, "go to (2h ago, "
			    "2026-11-22, 2026-11-22T05:30): ", "");
	else
		app_message(app, false, "Times are in events (6) and history "
			    "(8).");
}

/* The log; of an object, the lines with its name. */
static void log_intent(struct app *app)
{
	enum topic topic;
	const json_t *item = view_object(app_view(app), &topic);
	char name[96];

	TEXT_SET(name, item_text(item, "name"));
	if (*name && app_view(app)->ops != &view_log) {
		app_push(app, &view_log, "");
		app_filter(app, name);
	} else {
		app_show(app, &view_log, "");
	}
}

/* Of the machine under the cursor, or that the view is about. */
static void machine_console(struct app *app)
{
	struct view *v = app_view(app);
	enum topic topic;
	const json_t *item = view_object(v, &topic);
	const char *name = "";

	if (item && topic == TOPIC_MACHINES)
		name = item_text(item, "name");
	else if (item && topic == TOPIC_SESSIONS)
		name = item_text(item, "machine");
	else if (v->ops->target == TOPIC_MACHINES && v->ops->detail)
		name = v->target;
	if (*name)
		view_console_show(app, name);
	else
		app_message(app, false, "Go to a machine first: its console "
			    "opens there.");
}

/* About the console itself. */
static bool console_intent(struct app *app, enum intent intent)
{
	if (intent == INTENT_HELP)
		help_show(app);
	else if (intent == INTENT_COMMAND)
		prompt_open(&app->prompt, PROMPT_COMMAND, ":", "");
	else if (intent == INTENT_PAUSE)
		toggle_pause(app);
	else if (intent == INTENT_REDRAW)
		app->redraw = true;
	else if (intent == INTENT_SUSPEND)
		term_suspend(app->term);
	else if (intent == INTENT_CANCEL)
		interrupted(app);
	else if (intent == INTENT_QUIT)
		action_quit(app);
	else if (intent == INTENT_COPY)
		export_copy(app);
	else if (intent == INTENT_WRITE)
		export_ask(app);
	else if (intent == INTENT_READ_ONLY)
		read_only_intent(app);
	else if (intent == INTENT_MOUSE)
		mouse_intent(app);
	else
		return false;
	return true;
}

/* What the console does itself; false = ask the view and the actions. */
static bool own_intent(struct app *app, enum intent intent)
{
	const struct view_ops *main_view =
		view_named(intent_table[intent].name);

	if (intent == INTENT_LOG)
		log_intent(app);
	else if (intent == INTENT_CONSOLE)
		machine_console(app);
	else if (main_view)
		app_show(app, main_view, "");
	else if (intent == INTENT_OPEN)
		open_selected(app);
	else if (intent == INTENT_BACK)
		go_back(app);
	else if (intent == INTENT_LAST_VIEW)
		app_place_last(app);
	else if (intent == INTENT_OLDER || intent == INTENT_NEWER)
		app_place_step(app, intent == INTENT_NEWER ? 1 : -1);
	else if (intent == INTENT_FILTER)
		filter_intent(app);
	else if (intent == INTENT_SORT)
		action_sort_menu(app);
	else if (intent == INTENT_COLUMNS)
		action_columns_menu(app);
	else if (intent == INTENT_GO_TIME)
		time_intent(app);
	else if (intent == INTENT_ACTIONS)
		action_menu(app);
	else if (intent == INTENT_UNDO)
		work_take_back(app);
	else if (intent == INTENT_EDIT)
		edit_site(app);
	else if (intent == INTENT_RESTART && !app->link.up)
		link_retry(&app->link, app->mono_ms);
	else
		return console_intent(app, intent);
	return true;
}

void app_intent(struct app *app, enum intent intent)
{
	const struct view *v = app_view(app);

	app->dirty = true;
	if (intent == INTENT_NONE ||
	    (v->ops->intent && v->ops->intent(app_view(app), intent)) ||
	    own_intent(app, intent) || list_intent(app, intent) ||
	    view_intent(app_view(app), intent) || action_look(app, intent))
		return;
	if (!action_intent(app, intent))
		app_message(app, false, "%s does nothing here.",
			    intent_table[intent].label);
}

/* ---- keys ------------------------------------------------------------ */

static void mark_matching(struct app *app, const char *text, bool on)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);
	size_t changed;

	if (!l || !*text)
		return;
	changed = list_view_mark_matching(l, text, on, &context);
	app_message(app, false, "%zu %s; %zu marked now.", changed, on ?
		    "marked" : "unmarked", l->mark_count);
}

static void go_time(struct app *app, const char *text)
{
	struct view *v = app_view(app);
	int64_t ms = cli_moment(text, false);

	if (!*text || !v->ops->go_time)
		return;
	if (ms < 0)
		app_message(app, true, "\"%s\" is no time; write 2h (ago), "
			    "2026-11-22 or 2026-11-22T05:30", text);
	else
		v->ops->go_time(v, ms);
}

static void prompt_done(struct app *app)
{
	enum prompt_kind kind = app->prompt.kind;
	char text[PROMPT_TEXT_SIZE];

	TEXT_SET(text, app->prompt.text);
	prompt_close(&app->prompt, kind == PROMPT_COMMAND);
	switch (kind) {
	case PROMPT_COMMAND:
		command_run(app, text);
		break;
	case PROMPT_NUMBER:
		action_number(app, text);
		break;
	case PROMPT_MARK:
	case PROMPT_UNMARK:
		mark_matching(app, text, kind == PROMPT_MARK);
		break;
	case PROMPT_FILE:
		if (*text)
			export_write(app, text);
		break;
	case PROMPT_TIME:
		go_time(app, text);
		break;
	case PROMPT_FILTER:
	case PROMPT_NONE:
		break;
	}
}

static void prompt_input(struct app *app, uint32_t key, bool pasted)
{
	switch (prompt_key(&app->prompt, key, pasted)) {
	case PROMPT_TYPING:
		break;
	case PROMPT_CHANGED:
		if (app->prompt.kind == PROMPT_FILTER)
			app_filter(app, app->prompt.text);
		break;
	case PROMPT_DONE:
		prompt_done(app);
		break;
	case PROMPT_CANCELLED:
		if (app->prompt.kind == PROMPT_FILTER)
			app_filter(app, app->filter_before);
		if (app->prompt.kind == PROMPT_NUMBER)
			action_number(app, "");
		prompt_close(&app->prompt, false);
		break;
	case PROMPT_COMPLETE:
		if (app->prompt.kind != PROMPT_COMMAND)
			break;
		command_complete(app, &app->prompt);
		prompt_completed(&app->prompt, key == KEYS_SHIFT_TAB);
		break;
	}
}

/* Pasted text is text: it goes into an input line or nowhere. */
static bool paste_input(struct app *app, uint32_t key)
{
	int64_t now = app_real_ms();

	const struct view_ops *ops = app_view(app)->ops;
	bool plain = app->prompt.kind == PROMPT_NONE &&
		     app->dialog.kind == DIALOG_NONE;

	if (key == KEYS_PASTE_BEGIN || key == KEYS_PASTE_END) {
		app->pasting = key == KEYS_PASTE_BEGIN;
		app->paste_ms = now;
		if (plain && ops->paste)
			ops->paste(app_view(app), key);
		return true;
	}
	if (app->pasting && now - app->paste_ms > PASTE_SILENCE_MS)
		app->pasting = false;	/* the end got lost */
	if (!app->pasting)
		return false;
	app->paste_ms = now;
	if (plain && ops->paste && ops->paste(app_view(app), key))
		return true;
	if (app->prompt.kind != PROMPT_NONE &&
	    app->dialog.kind == DIALOG_NONE)
		prompt_input(app, key, true);
	return true;
}

/* ---- the mouse ------------------------------------------------------- */

enum { CLICK_TWICE_MS = 400, WHEEL_LINES = 3 };

/* The list whose line was hit has the cursor then; false when none was. */
static bool click_list(struct view *v, int row, int col)
{
	int lists = v->ops->lists;

	for (int i = 0; i < lists; i++) {
		struct list_view *l = &v->lists[i];
		int at = row - l->drawn.row;

		if (at < 0 || at >= l->drawn.rows || col < l->drawn.col ||
		    col >= l->drawn.col + l->drawn.cols ||
		    (v->tabs > 1 && l->drawn.rows == 0))
			continue;
		v->focus = v->tabs > 1 ? i : v->focus;
		return list_view_select_line(l, l->top + (size_t)at);
	}
	return false;
}

static void mouse_input(struct app *app)
{
	struct term_mouse m = term_mouse(app->term);
	bool twice = m.kind == TERM_CLICK && app->click_row == m.row &&
		     app->mono_ms - app->click_ms <= CLICK_TWICE_MS;

	if (m.kind != TERM_CLICK) {
		for (int i = 0; i < WHEEL_LINES; i++)
			app_intent(app, m.kind == TERM_WHEEL_UP ? INTENT_UP :
				   INTENT_DOWN);
		return;
	}
	app->click_row = m.row;
	app->click_ms = app->mono_ms;
	if (m.row == app->grid.rows - 1)
		app_intent(app, frame_key_at(app, m.col));
	else if (click_list(app_view(app), m.row, m.col) && twice)
		app_intent(app, INTENT_OPEN);
}

static bool too_small(const struct app *app)
{
	return app->grid.rows < 8 || app->grid.cols < 40;
}

static void key_input(struct app *app, uint32_t key)
{
	enum intent intent = keys_intent(key);
	char name[16];

	app->dirty = true;
	if (paste_input(app, key))
		return;
	if (app->dialog.kind == DIALOG_NONE && !too_small(app) &&
	    app->prompt.kind == PROMPT_NONE && app_view(app)->ops->key &&
	    app_view(app)->ops->key(app_view(app), key))
		return;
	if (intent == INTENT_SUSPEND || key == KEYS_CTRL('l')) {
		app_intent(app, intent);
	} else if (too_small(app)) {
		app->quit = intent == INTENT_QUIT;	/* keeps the engine */
	} else if (key == KEYS_MOUSE) {
		if (app->dialog.kind == DIALOG_NONE &&
		    app->prompt.kind == PROMPT_NONE)
			mouse_input(app);
	} else if (app->dialog.kind != DIALOG_NONE) {
		dialog_key(&app->dialog, app, key);
	} else if (app->prompt.kind != PROMPT_NONE) {
		prompt_input(app, key, false);
	} else if (key == KEYS_F1 && frame_message(app)) {
		return;
	} else if (intent == INTENT_NONE) {
		app_message(app, false, "%s does nothing; ? shows the keys.",
			    key < KEYS_OTHER ? keys_print(name, sizeof(name),
							  key) : "This key");
	} else {
		app_message(app, false, "%s", "");
		app_intent(app, intent);
	}
}

void app_key(struct app *app, uint32_t key)
{
	key_input(app, key);
	tutorial_key(app);
}
