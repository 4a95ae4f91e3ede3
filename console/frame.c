/*
 * What surrounds a view: two lines above, the message or input line with the
 * status word, the key line.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "console/keys.h"
#include "console/pager.h"
#include "console/term.h"
#include "console/theme.h"
#include "console/tutorial.h"
#include "engine/base/text.h"

enum { FRAME_MIN_ROWS = 8, FRAME_MIN_COLS = 40 };

static const char *engine_words(const struct app *app)
{
	bool embedded = app->options->embedded;

	if (view_wide(&app->grid))
		return embedded ? "embedded engine" : "attached";
	return embedded ? "embedded" : "attached";
}

/* A word such as PROD before everything else; returns its cells. */
static int draw_word(struct app *app)
{
	const char *word = settings_text(&app->settings, SETTING_WORD);
	bool accent = !settings_is(&app->settings, SETTING_ACCENT, "none");
	char text[SETTING_SIZE + 4];

	if (!*word && !accent)
		return 0;
	snprintf(text, sizeof(text), " %.40s ", *word ? word : app->model.site);
	return grid_text(&app->grid, 0, 1, app->grid.cols / 3, ROLE_ACCENT,
			 text) + 1;
}

/* Line 1: who and where on the left, the totals and the time on the right. */
static void draw_header(struct app *app)
{
	struct grid *g = &app->grid;
	struct model_totals t = model_totals(&app->model);
	bool wide = view_wide(g), change = !action_refusal(app);
	bool quiet = settings_on(&app->settings, SETTING_QUIET);
	char clock[16], right[160], bad[32] = "", hosts[32];
	int used, room;

	format_clock(clock, sizeof(clock), quiet ? 0 : app->wall_ms);
	if (app->alarms.items && json_array_size(app->alarms.items))
		snprintf(bad, sizeof(bad), wide ? "  %s%zu alarms" : "  %s%zu",
			 glyph(g->ascii, GLYPH_WARN),
			 json_array_size(app->alarms.items));
	else if (t.bad && !app->alarms.items)
		snprintf(bad, sizeof(bad), "  %s%" PRId64 " bad",
			 glyph(g->ascii, GLYPH_WARN), t.bad);
	if (app->link.up)
		snprintf(hosts, sizeof(hosts), "%d/%d", t.hosts_up, t.hosts);
	else
		TEXT_SET(hosts, "?");
	used = draw_word(app);
	used += grid_printf(g, 0, 1 + used, g->cols - 2 - used, ROLE_HEADER,
			    wide ? "remuda  %s   %s   %s" : "remuda %s  %s %s",
			    *app->model.site ? app->model.site : "-",
			    engine_words(app),
			    change ? "rw" : app->link.up ? "READ ONLY" : "-");
	/* What there is room for: all, the short form, the time. */
	room = g->cols - used - 3;
	snprintf(right, sizeof(right), "hosts %s  pools %d  machines %d  "
		 "sessions %d  waiting %d%s   %s", hosts, t.pools, t.machines,
		 t.sessions, t.waiting, bad, clock);
	if (!wide || text_cells(g->ascii, right) >= room)
		snprintf(right, sizeof(right), "hosts %s sess %d wait %d%s"
			 "  %s", hosts, t.sessions, t.waiting, bad, clock);
	if (quiet)	/* short, and without what always changes */
		snprintf(right, sizeof(right), "sessions %d%s", t.sessions, bad);
	if (text_cells(g->ascii, right) >= room)
		snprintf(right, sizeof(right), "%s", clock);
	grid_text_right(g, 0, used + 2, room, ROLE_NORMAL, right);
}

/* How old what is shown is; quiet while it is live. */
static void age_text(struct app *app, char *out, size_t size)
{
	char text[16];
	int64_t age = app->mono_ms - app->link.last_line_ms;

	if (!app->link.up && app->link.ever_up) {
		format_clock(text, sizeof(text), app->wall_ms - age);
		snprintf(out, size, "LAST KNOWN DATA %s, not live", text);
	} else if (!app->link.up) {
		snprintf(out, size, "no data yet");
	} else if (app_stale(app)) {
		snprintf(out, size, "LAST KNOWN DATA, %s old",
			 format_age(text, sizeof(text), age));
	} else {
		snprintf(out, size, "%s", app->holding ? "paused: p goes on" :
			 "live");
	}
}

/* Line 2: the way to here, and what the list leaves out. */
static void draw_crumbs(struct app *app)
{
	struct grid *g = &app->grid;
	const char *arrow = glyph(g->ascii, GLYPH_CRUMB);
	struct list_view *l = view_list(app_view(app));
	char right[512], age[96], sort[96] = "", filter[160] = "";
	char marked[32] = "";
	int col = 1, width;

	for (int i = 0; i < app->depth; i++) {
		const struct view *v = app->stack[i];
		bool same = v->ops == &view_text || (i > 0 &&
			    strcmp(app->stack[i - 1]->ops->title,
				   v->ops->title) == 0);

		if (!v->ops->detail || !same) {
			if (i)
				col += grid_printf(g, 1, col, g->cols - col - 1,
						   ROLE_HEADER, " %s ", arrow);
			col += grid_text(g, 1, col, g->cols - col - 1,
					 ROLE_HEADER, v->ops->title);
		}
		if (v->ops->detail)
			col += grid_printf(g, 1, col, g->cols - col - 1,
					   ROLE_HEADER, " %s %s", arrow,
					   v->target);
	}
	age_text(app, age, sizeof(age));
	if (l && *l->filter)
		snprintf(filter, sizeof(filter), "filter /%s   ", l->filter);
	if (l && view_wide(g))
		snprintf(sort, sizeof(sort), "sort %s%s   ",
			 l->columns[l->sort].title,
			 glyph(g->ascii, l->inverted ? GLYPH_DOWN : GLYPH_UP));
	if (l && l->mark_count)
		snprintf(marked, sizeof(marked), "marked %zu   ", l->mark_count);
	snprintf(right, sizeof(right), "%s%s%s%s", marked, filter, sort, age);
	width = text_cells(g->ascii, right);
	if (col + width + 3 > g->cols)
		snprintf(right, sizeof(right), "%s%s", marked, age);
	grid_text_right(g, 1, col + 2, g->cols - col - 3,
			app->link.up && !app_stale(app) ? ROLE_OFF : ROLE_WARN,
			right);
}

/* The one word that says what the console is doing. */
static enum role status_word(struct app *app, char *out, size_t size)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	size_t below = v->ops->below ? v->ops->below(v) :
		       l ? list_view_below(l) : 0;
	int64_t oldest;
	const char *own = v->ops->status ? v->ops->status(v) : NULL;

	if (own && app->link.up && app->dialog.kind == DIALOG_NONE) {
		snprintf(out, size, "%s", own);
	} else if (app->dialog.kind != DIALOG_NONE) {
		snprintf(out, size, "%s", app->dialog.kind == DIALOG_TEXT ?
			 "READING" : "ASKING");
	} else if (app->prompt.kind != PROMPT_NONE) {
		snprintf(out, size, "%s", app->prompt.kind == PROMPT_FILTER ?
			 v->ops->search ? "SEARCH" : "FILTER" :
			 app->prompt.kind == PROMPT_COMMAND ? "COMMAND" :
			 "ASKING");
	} else if (!app->link.up) {
		snprintf(out, size, "DISCONNECTED %" PRId64 "s",
			 (app->mono_ms - app->link.lost_ms) / 1000);
		return ROLE_FAILED;
	} else if (app_stale(app)) {
		snprintf(out, size, "STALE %" PRId64 "s",
			 (app->mono_ms - app->link.last_line_ms) / 1000);
		return ROLE_FAILED;
	} else if (link_waiting(&app->link, &oldest) &&
		   app->mono_ms - oldest >= 1000) {
		snprintf(out, size, "BUSY %" PRId64 "s",
			 (app->mono_ms - oldest) / 1000);
		return ROLE_CHANGING;
	} else if (app->holding) {
		snprintf(out, size, "HOLDING");
		return ROLE_WARN;
	} else if (app->options->read_only || app->read_only ||
		   app->looks_only) {
		snprintf(out, size, "READ ONLY");
	} else {
		snprintf(out, size, "%s", below ? "MORE..." : "RUNNING");
	}
	return ROLE_STATUS;
}

static void draw_message(struct app *app)
{
	struct grid *g = &app->grid;
	int row = g->rows - 2, room;
	char word[32], text[640];
	enum role role = status_word(app, word, sizeof(word));
	int width = (int)strlen(word);

	grid_text(g, row, g->cols - width - 1, width, role, word);
	room = g->cols - width - 4;
	if (app->prompt.kind != PROMPT_NONE) {
		prompt_draw(&app->prompt, g, row, room);
		return;
	}
	if (!app->link.up && !*app->message) {
		int64_t left = app->link.next_try_ms - app->mono_ms;
		char next[64] = "it was the only way to it";

		if (app->link.next_try_ms != INT64_MAX)
			snprintf(next, sizeof(next), "try %d in %" PRId64 " s",
				 app->link.tries, left > 0 ?
				 (left + 999) / 1000 : 0);
		snprintf(text, sizeof(text), "No engine (%s): %s", next,
			 app->link.trouble);
		grid_text(g, row, 1, room, ROLE_FAILED, text);
		return;
	}
	if (text_cells(g->ascii, app->message) > room || app->pages) {
		room -= 8;
		grid_text(g, row, room + 2, 7, ROLE_KEY, "F1 more");
	}
	grid_text(g, row, 1, room, app->message_bad ? ROLE_FAILED : ROLE_NORMAL,
		  app->message);
}

/* The keys of an intent as the key line shows them. */
static void key_names(struct app *app, enum intent intent, char *out,
		      size_t size)
{
	const struct settings *s = &app->settings;
	bool wide = view_wide(&app->grid);
	char fkey[16], key[16];

	keys_of(intent, true, fkey, sizeof(fkey));
	keys_of(intent, false, key, sizeof(key));
	if (settings_is(s, SETTING_KEYLINE, "letters") ||
	    (settings_is(s, SETTING_KEYLINE, "both") && !wide))
		fkey[0] = *key ? '\0' : fkey[0];
	if (settings_is(s, SETTING_KEYLINE, "fkeys") && *fkey)
		key[0] = '\0';
	snprintf(out, size, "%s%s%s", fkey, *fkey && *key ? " " : "", key);
}

/* One intent of the key line; returns the cells used, 0 when it does not
 * fit before end. */
static int draw_key(struct app *app, int row, int col, int end,
		    enum intent intent)
{
	struct grid *g = &app->grid;
	char keys[40];
	bool wide = view_wide(g);
	const char *label = intent_table[intent].label;
	int used;

	const struct view *v = app_view(app);
	const char *own = v->ops->label ? v->ops->label(v, intent) : NULL;

	if (intent == INTENT_FILTER && v->ops->search)
		label = "Search";
	label = own ? own : label;
	key_names(app, intent, keys, sizeof(keys));
	if (!*keys)
		return 0;	/* unbound */
	used = (int)(strlen(keys) + strlen(label)) + 1;
	if (!wide && strlen(keys) == 1 && strchr("?/:", keys[0]))
		used--;
	if (col + used > end)
		return 0;
	grid_text(g, row, col, end - col, ROLE_KEY, keys);
	grid_text(g, row, col + used - (int)strlen(label), end - col,
		  ROLE_NORMAL, label);
	if (app->key_box_count < APP_KEY_BOXES_MAX)
		app->key_boxes[app->key_box_count++] = (struct key_box){
			.intent = intent, .from = col, .to = col + used };
	return used + (wide ? 3 : 1);
}

enum intent frame_key_at(struct app *app, int col)
{
	for (int i = 0; i < app->key_box_count; i++)
		if (col >= app->key_boxes[i].from && col < app->key_boxes[i].to)
			return app->key_boxes[i].intent;
	return INTENT_NONE;
}

static void draw_keys(struct app *app)
{
	static const enum intent lost[] = { INTENT_RESTART, INTENT_COMMAND,
					    INTENT_NONE };
	struct grid *g = &app->grid;
	const enum intent *keys = app->link.up ? app_view(app)->ops->keys : lost;
	int row = g->rows - 1, col = 1, quit = g->cols - 8;
	const char *words = NULL;
	char own[160];

	app->key_box_count = 0;
	if (app->dialog.kind != DIALOG_NONE)
		words = dialog_keys(&app->dialog);
	else if (app->prompt.kind == PROMPT_COMMAND)
		words = "Enter Run  Tab Complete  Up Down History  "
			"Ctrl-R Search  Ctrl-U Clear  Esc Close";
	else if (app->prompt.kind == PROMPT_FILTER)
		words = "Enter Keep filter   Esc Clear   word  !not  ~fuzzy  "
			"column=text";
	else if (app->prompt.kind == PROMPT_MARK ||
		 app->prompt.kind == PROMPT_UNMARK)
		words = "Enter Go on   word  !not  ~fuzzy  column=text   "
			"Esc Leave as it is";
	else if (app->prompt.kind == PROMPT_FILE ||
		 app->prompt.kind == PROMPT_TIME)
		words = "Enter Go on   Ctrl-U Clear   Esc Leave as it is";
	else if (app->prompt.kind == PROMPT_NUMBER)
		words = "digits   Enter Go on   Esc Leave as it is";
	else if (app_view(app)->ops->words && app->link.up)
		words = app_view(app)->ops->words(app_view(app), view_wide(g),
						  own, sizeof(own));
	if (words) {
		grid_text(g, row, 1, g->cols - 2, words == own ? ROLE_KEY :
			  ROLE_NORMAL, words);
		return;
	}
	col += draw_key(app, row, col, quit, INTENT_HELP);
	for (; *keys != INTENT_NONE; keys++) {
		if (!app->link.up && *keys == INTENT_RESTART) {
			col += grid_text(g, row, col, quit - col, ROLE_KEY,
					 "r");
			col += grid_text(g, row, col, quit - col, ROLE_NORMAL,
					 " Retry now   ");
			continue;
		}
		col += draw_key(app, row, col, quit, *keys);
	}
	draw_key(app, row, col, g->cols, INTENT_QUIT);
}

void frame_title(struct app *app)
{
	char word[32], text[128];

	status_word(app, word, sizeof(word));
	snprintf(text, sizeof(text), "remuda %s: %s", app->model.site, word);
	term_title(app->term, text);
}

/* Less than the smallest size: say the most important on a line or three. */
static void draw_tiny(struct app *app)
{
	struct grid *g = &app->grid;
	struct model_totals t = model_totals(&app->model);

	grid_printf(g, 0, 0, g->cols, ROLE_NORMAL, "remuda: %" PRId64
		    " in use %" PRId64 " ready %" PRId64 " bad%s", t.in_use,
		    t.ready, t.bad, app->link.up ? "" : " DISCONNECTED");
	grid_printf(g, 1, 0, g->cols, ROLE_NORMAL, "Window is %dx%d; %dx%d "
		    "needed.", g->cols, g->rows, FRAME_MIN_COLS,
		    FRAME_MIN_ROWS);
	grid_text(g, 2, 0, g->cols, ROLE_NORMAL, "q quit");
	grid_cursor(g, 0, 0);
}

void frame_draw(struct app *app)
{
	struct grid *g = &app->grid;
	struct view *v = app_view(app);
	struct rect body = { 2, 0, g->rows - 4, g->cols };

	grid_clear(g);
	if (g->rows < FRAME_MIN_ROWS || g->cols < FRAME_MIN_COLS) {
		draw_tiny(app);
		return;
	}
	if (v->ops->full && v->ops->full(v) && app->dialog.kind == DIALOG_NONE &&
	    app->prompt.kind == PROMPT_NONE) {
		v->ops->draw(v, g, (struct rect){ 0, 0, g->rows - 1, g->cols });
		draw_keys(app);
		return;
	}
	draw_header(app);
	draw_crumbs(app);
	g->rows -= 2;	/* a view that asks for too much is cut, here */
	v->ops->draw(v, g, body);
	g->rows += 2;
	if (!app->link.up || app_stale(app))
		grid_flag(g, body, CELL_OLD);
	if (app->dialog.kind != DIALOG_NONE)
		dialog_draw(&app->dialog, g);
	else if (app->prompt.kind == PROMPT_COMMAND)
		prompt_draw_candidates(&app->prompt, g, g->rows - 2);
	tutorial_draw(app, g);
	draw_message(app);
	draw_keys(app);
}

/* The whole message, when the line was too short for it. */
bool frame_message(struct app *app)
{
	const char *text = app->message;
	int cols = app->grid.cols > 100 ? 90 : app->grid.cols - 8;

	if (app->pages) {
		struct pager *p = view_text_show(app, "Outcome");

		pager_add(p, app->pages, strlen(app->pages));
		return true;
	}
	if (text_cells(app->grid.ascii, text) < app->grid.cols - 20)
		return false;
	dialog_open(&app->dialog, DIALOG_TEXT, "Message", NULL);
	while (*text) {
		char line[DIALOG_LINE_SIZE];
		size_t n;

		text_clip(app->grid.ascii, line, sizeof(line), text, cols);
		n = strlen(line);
		if (n == 0)
			break;
		if (text[n] && text[n] != ' ' && strrchr(line, ' '))
			n = (size_t)(strrchr(line, ' ') - line);
		if (n == 0)
			n = strlen(line);
		dialog_line(&app->dialog, "%.*s", (int)n, text);
		text += n;
		text += strspn(text, " ");
	}
	return true;
}
