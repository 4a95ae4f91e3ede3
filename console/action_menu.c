/* The menu of what can be done with the marked objects or the one under the
 * cursor: what cannot be done now stays in it, with the reason. */
#include <inttypes.h>
#include <stdio.h>

#include "console/action.h"
#include "console/app_internal.h"
#include "console/keys.h"

static void on_menu(struct app *app, int choice)
{
	if (choice >= 0)
		action_intent(app, app->menu[choice]);
}

static void menu_title(struct app *app, const struct objects *o, bool marked,
		       char *title, size_t size)
{
	snprintf(title, size, "Actions");
	if (marked) {
		snprintf(title, size, "Actions on %zu marked", o->count);
	} else if (o->count) {
		const char *ref = item_text(o->items[0], "ref");

		if (*ref)
			snprintf(title, size, "Actions on %s", ref);
		else
			snprintf(title, size, "Actions on %s/%s",
				 topic_noun(o->topics[0]),
				 item_text(o->items[0], "name"));
	}
	(void)app;
}

/* Why the action cannot be taken on any of the marked ones, or on this one. */
static const char *menu_reason(struct app *app, const struct action *a,
			       const struct objects *o)
{
	const char *why = action_refusal(app), *first = NULL;

	for (size_t i = 0; i < o->count && !why; i++) {
		const char *reason;

		if (o->topics[i] != a->topic)
			continue;
		if (action_on(a->intent, a->topic, o->items[i], &reason) != a)
			return "";	/* its counterpart is what can be done */
		if (!reason)
			return NULL;
		first = first ? first : reason;
	}
	return why ? why : first;
}

static bool in_menu(const struct app *app, int count, enum intent intent)
{
	for (int i = 0; i < count; i++)
		if (app->menu[i] == intent)
			return true;
	return false;
}

static bool about(const struct objects *o, enum topic topic)
{
	for (size_t i = 0; i < o->count; i++)
		if (o->topics[i] == topic)
			return true;
	return false;
}

void action_menu(struct app *app)
{
	struct objects o = { 0 };
	const struct action *a;
	char title[128], key[8];
	int at = 0;

	objects_marked(app, &o);
	bool marked = o.count > 0;

	if (!marked)
		objects_near(app, &o);
	menu_title(app, &o, marked, title, sizeof(title));
	dialog_open(&app->dialog, DIALOG_MENU, title, on_menu);
	for (int i = 0; (a = action_at(i)); i++) {
		const char *why;

		if (!about(&o, a->topic) || in_menu(app, at, a->intent))
			continue;
		why = menu_reason(app, a, &o);
		if (why && !*why)
			continue;
		keys_of(a->intent, false, key, sizeof(key));
		dialog_choice(&app->dialog, key[0], !why, a->label, why);
		app->menu[at++] = a->intent;
	}
	if (at == 0)
		dialog_choice(&app->dialog, 0, false, "Nothing can be done here",
			      "go to a pool, a machine or a session");
	objects_fini(&o);
}
