/*
 * What keys and words do in the console: the stack of views, intents, input
 * lines, pasted text.  Nothing here draws or waits; the loop in app.c does.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "console/term.h"
#include "engine/base/text.h"

enum { PASTE_SILENCE_MS = 3000, INTERRUPT_TWICE_MS = 1000 };

/* ---- views ----------------------------------------------------------- */

struct view *app_view(struct app *app)
{
	return app->stack[app->depth - 1];
}

static void push(struct app *app, const struct view_ops *ops,
		 const char *target)
{
	if (app->depth == APP_STACK_MAX)	/* the deepest makes room */
		view_free(app->stack[--app->depth]);
	app->stack[app->depth++] = view_new(app, ops, target);
}

static void remember(struct app *app)
{
	const struct view *v = app_view(app);

	app->last_ops = v->ops;
	TEXT_SET(app->last_target, v->target);
}

void app_show(struct app *app, const struct view_ops *ops, const char *target)
{
	const struct view *v = app_view(app);

	app->dirty = true;
	if (v->ops == ops && strcmp(v->target, target) == 0)
		return;
	remember(app);
	if (!ops->detail)
		while (app->depth > 1)
			view_free(app->stack[--app->depth]);
	if (ops == &view_overview)
		view_update(app->stack[0]);
	else
		push(app, ops, target);
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
		remember(app);
		view_free(app->stack[--app->depth]);
		view_update(app_view(app));
	}
}

static void go_last_view(struct app *app)
{
	char target[VIEW_TARGET_SIZE];

	if (!app->last_ops)
		return;
	TEXT_SET(target, app->last_target);
	app_show(app, app->last_ops, target);
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

/* "machine/mail-07" opens that machine if it still exists. */
static void open_ref(struct app *app, const char *ref)
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
			open_ref(app, ref);
		else
			open_item(app, TOPIC_MACHINES,
				  model_named(&app->model, TOPIC_MACHINES,
					      item_text(v->item, "machine")));
	} else if (item && topic == TOPIC_EVENTS) {
		open_ref(app, item_text(item, "object"));
	} else {
		open_item(app, topic, item);
	}
}

void app_filter(struct app *app, const char *text)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);

	if (l)
		list_view_set_filter(l, text, &context);
	app->dirty = true;
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

/* What the console does itself; false = ask the view and the actions. */
static bool own_intent(struct app *app, enum intent intent)
{
	struct list_view *l = view_list(app_view(app));
	struct list_context context = view_context(app_view(app));
	const struct view_ops *main_view =
		view_named(intent_table[intent].name);

	if (main_view) {
		app_show(app, main_view, "");
		return true;
	}
	if (intent == INTENT_OPEN)
		open_selected(app);
	else if (intent == INTENT_BACK)
		go_back(app);
	else if (intent == INTENT_LAST_VIEW)
		go_last_view(app);
	else if (intent == INTENT_HELP)
		frame_help(app);
	else if (intent == INTENT_COMMAND)
		prompt_open(&app->prompt, PROMPT_COMMAND, ":", "");
	else if (intent == INTENT_FILTER && l) {
		TEXT_SET(app->filter_before, l->filter);
		prompt_open(&app->prompt, PROMPT_FILTER, "/", l->filter);
	} else if (intent == INTENT_SORT)
		action_sort_menu(app);
	else if (intent == INTENT_INVERT && l)
		list_view_sort(l, l->sort, !l->inverted, &context);
	else if (intent == INTENT_ACTIONS)
		action_menu(app);
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
	else if (intent == INTENT_RESTART && !app->link.up)
		link_retry(&app->link, app->mono_ms);
	else
		return false;
	return true;
}

void app_intent(struct app *app, enum intent intent)
{
	app->dirty = true;
	if (intent == INTENT_NONE || own_intent(app, intent) ||
	    view_intent(app_view(app), intent))
		return;
	action_intent(app, intent);
}

/* ---- keys ------------------------------------------------------------ */

static void prompt_done(struct app *app)
{
	enum prompt_kind kind = app->prompt.kind;
	char text[PROMPT_TEXT_SIZE];

	TEXT_SET(text, app->prompt.text);
	prompt_close(&app->prompt, kind == PROMPT_COMMAND);
	if (kind == PROMPT_COMMAND)
		command_run(app, text);
	else if (kind == PROMPT_NUMBER)
		action_number(app, text);
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

	if (key == KEYS_PASTE_BEGIN) {
		app->pasting = true;
		app->paste_ms = now;
		return true;
	}
	if (key == KEYS_PASTE_END) {
		app->pasting = false;
		return true;
	}
	if (app->pasting && now - app->paste_ms > PASTE_SILENCE_MS)
		app->pasting = false;	/* the end got lost */
	if (!app->pasting)
		return false;
	app->paste_ms = now;
	if (app->prompt.kind != PROMPT_NONE &&
	    app->dialog.kind == DIALOG_NONE)
		prompt_input(app, key, true);
	return true;
}

static bool too_small(const struct app *app)
{
	return app->grid.rows < 8 || app->grid.cols < 40;
}

void app_key(struct app *app, uint32_t key)
{
	enum intent intent = keys_intent(key);
	char name[16];

	app->dirty = true;
	if (paste_input(app, key))
		return;
	if (intent == INTENT_SUSPEND || key == KEYS_CTRL('l')) {
		app_intent(app, intent);
	} else if (too_small(app)) {
		app->quit = intent == INTENT_QUIT;	/* keeps the engine */
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
