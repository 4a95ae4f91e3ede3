/*
 * The tour: one step at a time in a line above the message, which goes on when
 * the person has done it.  Nothing is held back meanwhile: every key works.
 */
#include "console/tutorial.h"

#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"

static bool at_pools(struct app *app)
{
	return app_view(app)->ops == &view_pools;
}

static bool in_pool(struct app *app)
{
	return app_view(app)->ops == &view_pool;
}

static bool other_tab(struct app *app)
{
	return app_view(app)->focus != 0;
}

static bool filtered(struct app *app)
{
	struct list_view *l = view_list(app_view(app));

	return l && *l->filter && app->prompt.kind == PROMPT_NONE;
}

static bool unfiltered(struct app *app)
{
	struct list_view *l = view_list(app_view(app));

	return l && !*l->filter;
}

static bool marked(struct app *app)
{
	struct list_view *l = view_list(app_view(app));

	return l && l->mark_count > 0;
}

static bool menu(struct app *app)
{
	return app->dialog.kind == DIALOG_MENU;
}

static bool quiet_again(struct app *app)
{
	return app->dialog.kind == DIALOG_NONE;
}

static bool page(struct app *app)
{
	return app_view(app)->ops == &view_text;
}

static bool help(struct app *app)
{
	return app->dialog.kind == DIALOG_TEXT;
}

static const struct {
	const char *text;
	bool (*done)(struct app *app);
} steps[] = {
	{ "The digits are views. Press 2: the pools of like machines.", at_pools },
	{ "Each line is a pool; the bar shows used, starting, ready, bad, room. "
	  "Press Enter to open one.", in_pool },
	{ "Its machines, sessions and events are tabs. Press Tab.", other_tab },
	{ "Esc always goes back. Press Esc until you see the pools.", at_pools },
	{ "/ filters what you see. Press / and type a letter of a name, then "
	  "Enter.", filtered },
	{ "Esc clears a filter before it goes back. Press Esc.", unfiltered },
	{ "Space marks lines: an action is then about all marked. Press Space.",
	  marked },
	{ "a shows what can be done here, and why the rest cannot. Press a.",
	  menu },
	{ "Nothing happens before you choose. Press Esc.", quiet_again },
	{ "d describes what the cursor is on, in words. Press d.", page },
	{ "? helps on every screen: keys, words, how to do common things. "
	  "Press ?.", help },
	{ "That is all you need. : takes the commands of the shell, u takes the "
	  "last change back, q leaves. Esc ends the tour.", NULL },
};

enum { STEPS = sizeof(steps) / sizeof(steps[0]) };

void tutorial_start(struct app *app)
{
	app->tour = app->tour ? 0 : 1;
	app_message(app, false, app->tour ? "" : "The tour is over; :tutorial "
		    "begins it again.");
}

void tutorial_key(struct app *app)
{
	if (app->tour < 1)
		return;
	if (app->tour == STEPS) {
		if (app->dialog.kind == DIALOG_NONE && app->tour_shown)
			tutorial_start(app);
		app->tour_shown = app->dialog.kind == DIALOG_NONE;
		return;
	}
	if (steps[app->tour - 1].done(app)) {
		app->tour++;
		app->tour_shown = false;
	}
}

void tutorial_draw(struct app *app, struct grid *g)
{
	char text[256];
	int row = g->rows - 4;

	if (app->tour < 1 || row < 4)
		return;
	snprintf(text, sizeof(text), " Tour %d/%d  %s", app->tour, STEPS,
		 steps[app->tour - 1].text);
	grid_blank(g, (struct rect){ row, 0, 2, g->cols });
	view_wrap(g, (struct rect){ row, 0, 2, g->cols }, ROLE_STRONG, text);
	for (int i = 0; i < 2; i++)
		grid_flag(g, (struct rect){ row + i, 0, 1, g->cols },
			  CELL_SELECTED);
}
