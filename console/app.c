/*
 * The console's loop: wait for a key, the engine or the clock; let it change
 * the state; draw once.  See app.h and app_internal.h.
 *
 * Frames: what a person typed shows at once, news of the engine at most ten
 * times a second, a storm of resizes every 50 ms.  Nothing changed, nothing is
 * written.
 *
 * With a fixed clock (tests) all that is shown and every timer follows the
 * clock that scripts move; only frames and a script's patience are real time.
 */
#include "console/app.h"

#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "console/script.h"
#include "console/term.h"
#include "console/tutorial.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/control.h"

enum {
	FRAME_NEWS_MS = 100,
	FRAME_KEY_MS = 10,
	FRAME_RESIZE_MS = 50,
};

static const char last_words[] =
	"remuda: the console broke down; the terminal was put back.\r\n"
	"The engine is a process of its own and goes on: see  remuda engine "
	"status\r\nand come back with  remuda attach\r\n";

static int64_t clock_ms(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t app_real_ms(void)
{
	return clock_ms(CLOCK_MONOTONIC);
}

void app_clock(struct app *app)
{
	int64_t fixed = app->options->fixed_clock_ms;

	if (fixed) {
		app->wall_ms = fixed + app->clock_step_ms;
		app->mono_ms = 1000000 + app->clock_step_ms;
	} else {
		app->wall_ms = clock_ms(CLOCK_REALTIME);
		app->mono_ms = clock_ms(CLOCK_MONOTONIC);
	}
}

void app_message(struct app *app, bool bad, const char *fmt, ...)
{
	char text[sizeof(app->message)];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	text_display(app->message, sizeof(app->message), text, strlen(text));
	app->message_bad = bad;
	free(app->pages);
	app->pages = NULL;
	app->dirty = true;
}

void app_message_pages(struct app *app, char *lines)
{
	free(app->pages);
	app->pages = lines;
}

bool app_stale(const struct app *app)
{
	return app->link.up &&
	       app->mono_ms - app->link.last_line_ms >= APP_STALE_MS;
}

bool app_idle(const struct app *app)
{
	int64_t oldest;

	if (!app->link.up)
		return app->link.tries > 0;
	return app->model.complete && link_waiting(&app->link, &oldest) == 0;
}

/* ---- the engine ------------------------------------------------------ */

/* An embedded engine that died is started again, a few times; a start that
 * fails is tried again after a while. */
static void revive(struct app *app)
{
	const struct console_options *o = app->options;
	sigset_t none, before;
	int fd;

	if (!o->embedded || !o->restart_engine || app->stopping ||
	    app->link.up || app->engine_starts >= APP_ENGINE_STARTS_MAX ||
	    app->mono_ms < app->next_start_ms)
		return;
	app->engine_starts++;
	app->next_start_ms = app->mono_ms + APP_ENGINE_START_PAUSE_MS;
	app_message(app, true, "The engine is gone (%s); starting it again.",
		    app->link.trouble);
	app_draw(app);
	sigemptyset(&none);	/* the new engine must not inherit our mask */
	sigprocmask(SIG_SETMASK, &none, &before);
	fd = o->restart_engine(o->restart_arg);
	sigprocmask(SIG_SETMASK, &before, NULL);
	app_clock(app);
	app->redraw = true;	/* whoever starts may have written here */
	if (fd < 0 || link_adopt(&app->link, fd, app->mono_ms))
		app_message(app, true, "The engine was gone and did not start "
			    "again (%d of %d); see its log.",
			    app->engine_starts, APP_ENGINE_STARTS_MAX);
	else
		app_message(app, true, "The engine was gone and was started "
			    "again (%d of %d); machines stayed up.",
			    app->engine_starts, APP_ENGINE_STARTS_MAX);
}

void app_settings_changed(struct app *app)
{
	bool was = term_ascii(app->term);

	term_set(app->term, &app->settings);
	app->redraw = true;
	app->dirty = true;
	app->model.changes++;	/* lists of settings are filled anew */
	if (was != term_ascii(app->term))
		app->new_size = true;
}

static void greet(struct app *app)
{
	const struct client *c = &app->link.client;
	struct error err = { "" };	/* a lost link is seen by its step */

	app->read_only = !client_may_change(c);
	if (app->options->read_only || app->looks_only)
		link_request(&app->link, json_pack("{s:s,s:b}", "verb",
			     "read_only", "on", 1), "", NULL, NULL,
			     app->mono_ms, &err);
	settings_for_site(&app->settings, app->model.site);
	app_settings_changed(app);
	if (c->api != CONTROL_API)
		app_message(app, true, "The engine speaks version %d of the "
			    "protocol, this console %d: it only looks.",
			    c->api, CONTROL_API);
}

/* The newest event that failed rings; in quiet mode news are a sentence. */
static void tell_news(struct app *app)
{
	const struct model_set *set = &app->model.sets[TOPIC_EVENTS];
	uint64_t newest = app->failures;
	const json_t *event = NULL;

	for (size_t i = 0; i < set->count; i++)
		if (set->entries[i].key > newest &&
		    strcmp(item_text(set->entries[i].item, "severity"),
			   "fail") == 0) {
			newest = set->entries[i].key;
			event = set->entries[i].item;
		}
	if (app->failures && event && settings_on(&app->settings, SETTING_BELL))
		term_bell(app->term);
	if (settings_on(&app->settings, SETTING_QUIET) &&
	    app_view(app)->seen != app->model.changes + 1)
		app_message(app, event != NULL, event ? "%s: %s" :
			    "Something changed; any key shows it.%.0s%.0s",
			    item_text(event, "object"), item_text(event, "text"));
	app->failures = newest ? newest : 1;
}

static void on_news(struct app *app, unsigned news)
{
	bool was_up = app->link.up;

	if (news & ~(unsigned)LINK_NEWS_MORE)
		app->dirty = true;
	if (app->model.complete && !app->complete_seen)
		app->keyed = true;	/* quiet lists begin full */
	app->complete_seen = app->model.complete;
	if (news & LINK_NEWS_MODEL && !app->keyed)
		tell_news(app);
	if (news & LINK_NEWS_LOST)
		app->next_start_ms = app->mono_ms;
	revive(app);
	if (news & LINK_NEWS_BACK && was_up)
		app_message(app, false, "The engine is back after %" PRId64
			    " s.  6 shows what happened.",
			    (app->mono_ms - app->link.lost_ms) / 1000);
	if (app->link.connects != app->connects_seen)
		greet(app);
	app->connects_seen = app->link.connects;
}

/* The engine tells its counts per hour only when asked. */
static void on_info(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;

	(void)shell;
	if (!answer || !item_bool(answer, "ok"))
		return;	/* the old counts stay; they are asked for again */
	model_site(&app->model, json_object_get(answer, "item"));
	app->dirty = true;
}

static void ask_hours(struct app *app)
{
	struct error err = { "" };

	if (!app->link.up || app->link.connects != app->hours_connects) {
		app->hours_connects = app->link.connects;
		app->next_hours_ms = app->mono_ms + APP_HOURS_MS;
		return;	/* a subscription begins with them */
	}
	if (app->mono_ms < app->next_hours_ms ||
	    app_view(app)->ops != &view_overview)
		return;
	app->next_hours_ms = app->mono_ms + APP_HOURS_MS;
	/* Failing here is a lost link, which link_step is about to see. */
	if (link_request(&app->link, json_pack("{s:s}", "verb", "info"), "",
			 on_info, app, app->mono_ms, &err))
		app->next_hours_ms = app->mono_ms + APP_STALE_MS;
}

static void on_console(void *arg, const json_t *line)
{
	view_console_line(arg, line);
}

/* ---- the loop -------------------------------------------------------- */

void app_draw(struct app *app)
{
	frame_draw(app);
	term_show(app->term, &app->grid, app->redraw);
	frame_title(app);
	app->dirty = false;
	app->redraw = false;
}

static void new_size(struct app *app)
{
	int rows, cols;

	term_size(app->term, &rows, &cols);
	grid_fini(&app->grid);
	grid_init(&app->grid, rows, cols, term_ascii(app->term));
	app->dirty = true;
}

struct pace {
	bool first;		/* none was drawn yet */
	int64_t drawn_ms;	/* real time of the last frame, or of the start */
	int64_t filled_ms;	/* of the last lists that were filled anew */
	int64_t second;		/* that was shown */
	int64_t least_ms;	/* between frames, for what made this dirty */
};

/* Are there news that the view has not taken in? */
static bool behind(struct app *app)
{
	return app_view(app)->seen != app->model.changes + 1;
}

/* A key is not kept waiting for a long list to be sorted anew because of news:
 * they are taken in as often as they are drawn. */
static void fill(struct app *app, struct pace *pace, int64_t now, bool quiet)
{
	if (!behind(app) || (!app->script && !quiet &&
			     now - pace->filled_ms < FRAME_NEWS_MS))
		return;
	view_update(app_view(app));
	pace->filled_ms = now;
}

/* Draws when it is time; returns the milliseconds until it will be. */
static int64_t draw_when_due(struct app *app, struct pace *pace)
{
	int64_t now = clock_ms(CLOCK_MONOTONIC);
	int64_t due = pace->drawn_ms + pace->least_ms;
	int64_t second = app->wall_ms / 1000;
	bool quiet = settings_on(&app->settings, SETTING_QUIET) && app->link.up;

	/* Not twice at the start: empty, and then with what the engine says. */
	if (pace->first && app->model.begun)
		due = now;
	if (second != pace->second && !quiet)
		app->dirty = true;	/* clock and ages */
	if (!app->dirty)
		return app->options->fixed_clock_ms ? 1000 :
		       1000 - app->wall_ms % 1000;
	if (now < due && !app->script)
		return due - now;
	if (!app->holding && (!quiet || app->keyed)) {
		fill(app, pace, now, quiet);
		app->keyed = false;
	}
	app_draw(app);
	app->dirty = !app->holding && !quiet && behind(app);
	pace->first = false;
	pace->drawn_ms = now;
	pace->second = second;
	pace->least_ms = FRAME_NEWS_MS;
	return app->options->fixed_clock_ms ? 1000 :
	       1000 - app->wall_ms % 1000;
}

static void take_keys(struct app *app, struct pace *pace)
{
	uint32_t key;

	while (!app->quit && (key = term_key(app->term)) != 0) {
		if (!app->pasting)
			pace->least_ms = FRAME_KEY_MS;
		app->keyed = true;
		app_key(app, key);
	}
}

static void loop(struct app *app)
{
	struct pace pace = { .first = true, .second = -1,
			     .drawn_ms = clock_ms(CLOCK_MONOTONIC),
			     .least_ms = FRAME_NEWS_MS };

	while (!app->quit) {
		int64_t wait, until;

		app_clock(app);
		if (term_stop_asked(app->term))
			term_suspend(app->term);
		if (term_resized(app->term) || app->new_size) {
			app->new_size = false;
			new_size(app);
			pace.least_ms = FRAME_RESIZE_MS;
		}
		unsigned news = link_step(&app->link, app->mono_ms);

		on_news(app, news);
		ask_hours(app);
		alarms_ask(app);
		if (app->link.up)
			view_ask(app);
		wait = draw_when_due(app, &pace);
		if (news & LINK_NEWS_MORE)
			wait = 0;
		if (app->script && !app->quit && !(news & LINK_NEWS_MORE)) {
			if (script_step(app, clock_ms(CLOCK_MONOTONIC)))
				continue;
			wait = wait > 100 ? 100 : wait;
		}
		until = link_deadline_ms(&app->link) - app->mono_ms;
		if (!app->options->fixed_clock_ms && until < wait)
			wait = until < 0 ? 0 : until;
		if (term_wait(app->term, app->link.up ? app->link.client.fd :
			      -1, client_unsent(&app->link.client) > 0,
			      wait)) {
			app->exit_code = 1;	/* the terminal went away */
			break;
		}
		take_keys(app, &pace);
	}
}

static void on_check(const char *name, const char *where, const char *text)
{
	(void)name;
	(void)where;
	(void)text;	/* check_fail says it, on a screen one can read */
	term_put_back();
}

static int open_all(struct app *app, struct error *err)
{
	const struct console_options *o = app->options;
	struct term_options term = {
		.settings = &app->settings,
		.ascii = o->ascii,
		.no_color = o->no_color,
		.script = o->script != NULL,
		.last_words = last_words,
	};

	if (o->script) {
		app->script = script_open(o->script, err);
		if (!app->script)
			return 1;
	}
	app->term = term_open(&term, err);
	return app->term ? 0 : 2;
}

int console_run(const struct console_options *options)
{
	struct app *app = calloc(1, sizeof(*app));
	struct error err = { "" }, wrong = { "" };

	CHECK("", app, "out of memory");
	app->options = options;
	app_clock(app);
	model_init(&app->model);
	link_init(&app->link, &app->model, options->socket_path, app->mono_ms);
	settings_init(&app->settings);
	if (options->settings_dir &&
	    settings_load(&app->settings, options->settings_dir, &wrong) == 0)
		wrong.text[0] = '\0';
	app->link.console = on_console;
	app->link.console_arg = app;
	app->exit_code = open_all(app, &err);
	if (app->exit_code) {
		fprintf(stderr, "remuda: %s\n", err.text);
		goto out;
	}
	check_set_handler(on_check);
	new_size(app);
	memory_load(&app->memory, options->memory, &app->prompt);
	app->stack[app->depth++] = view_new(app, &view_overview, "");
	app_place_seen(app);
	if (*wrong.text)
		app_message(app, true, "%s", wrong.text);
	if (options->control_fd >= 0 &&
	    link_adopt(&app->link, options->control_fd, app->mono_ms))
		app_message(app, true, "The engine: %s", app->link.trouble);
	if (options->tour)
		tutorial_start(app);
	loop(app);
	if (options->practice)
		term_note(app->term, "Removing the practice site ...");
	else if (!app->stopping && !app->script && options->embedded &&
		 app->link.up)
		term_note(app->term, "The engine keeps running.  Back to it: "
			  "remuda   Stop it: remuda engine stop");
	memory_save(&app->memory, &app->prompt);
out:
	memory_fini(&app->memory);
	settings_fini(&app->settings);
	alarms_fini(&app->alarms);
	keys_reset();
	while (app->depth > 0)
		view_free(app->stack[--app->depth]);
	term_close(app->term);
	check_set_handler(NULL);
	console_link_fini(&app->link);
	model_fini(&app->model);
	script_free(app->script);
	grid_fini(&app->grid);
	work_free(app->pending);
	work_free(app->scaling);
	work_free(app->undo.work);
	free(app->pages);
	int code = app->exit_code;

	free(app);
	return code;
}
