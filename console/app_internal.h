/*
 * The console's own state, shared by its files (app, action, command, script,
 * view).  Nobody outside console/ includes this.
 */
#ifndef REMUDA_CONSOLE_APP_INTERNAL_H
#define REMUDA_CONSOLE_APP_INTERNAL_H

#include "console/app.h"
#include "console/cells.h"
#include "console/dialog.h"
#include "console/intent.h"
#include "console/link.h"
#include "console/memory.h"
#include "console/model.h"
#include "console/prompt.h"
#include "console/settings.h"
#include "console/view.h"
#include "console/work.h"

struct pager;
struct script;
struct term;

enum {
	APP_STACK_MAX = 8,
	APP_PLACES_MAX = 32,
	APP_ENGINE_STARTS_MAX = 3,
	APP_ENGINE_START_PAUSE_MS = 2000,
	APP_STALE_MS = 4000,
	APP_HOURS_MS = 5000,	/* between questions for the counts per hour */
};

/* Open alarms, as the engine told last. */
struct alarms {
	json_t *items, *parts;	/* NULL = not told yet; an answer that comes */
	unsigned connects;	/* of the link when asked */
	uint64_t events;	/* model's events then */
	int64_t next_ms;	/* not before */
	bool asking, unknown;	/* unknown: this engine has none */
};

/* A view that was looked at, and where in it. */
struct place {
	const struct view_ops *ops;
	char target[VIEW_TARGET_SIZE];
	int focus;
	uint64_t cursor_key;
	char filter[LIST_FILTER_SIZE];
};

/* A key in the last line, for the mouse. */
struct key_box {
	enum intent intent;
	int from, to;
};

enum { APP_KEY_BOXES_MAX = 24 };

struct app {
	const struct console_options *options;
	struct term *term;
	struct grid grid;
	struct model model;
	struct link link;
	struct view *stack[APP_STACK_MAX];
	int depth;
	unsigned views_made;	/* numbers them */
	struct place last;	/* for `-`; ops NULL = none */
	struct place places[APP_PLACES_MAX];	/* for [ and ], oldest first */
	int place_count, place_at;
	struct prompt prompt;
	struct memory memory;
	struct alarms alarms;
	struct settings settings;
	char filter_before[LIST_FILTER_SIZE];
	struct dialog dialog;
	struct work *pending;	/* waits for the answer to its question */
	struct work *scaling;	/* waits for its number */
	struct work_undo undo;
	enum intent menu[DIALOG_CHOICES_MAX];
	struct script *script;
	char message[512];
	bool message_bad;
	char *pages;		/* what F1 shows of the message, owned */
	bool pasting;
	bool holding;
	bool read_only;		/* the engine lets it look only */
	bool looks_only;	/* a person said :read-only */
	bool dirty;		/* the next frame differs */
	bool redraw;		/* and must be written whole */
	bool new_size;		/* the grid must be made anew */
	bool complete_seen;	/* of model.complete */
	bool keyed;		/* a key came since the lists were filled */
	uint64_t failures;	/* highest id of an event that failed */
	struct key_box key_boxes[APP_KEY_BOXES_MAX];
	int key_box_count;
	int click_row;
	int64_t click_ms;	/* of the last click */
	int tour;		/* its step, 0 = none */
	bool tour_shown;
	bool quit, stopping;	/* stopping: engine.stop was asked for */
	int exit_code;
	int engine_starts;
	int64_t next_start_ms;	/* not before, on the console's clock */
	unsigned connects_seen;	/* of link.connects */
	unsigned hours_connects;	/* the same, of ask_hours */
	int64_t next_hours_ms;	/* when the counts per hour are asked for */
	int64_t wall_ms;	/* for display; stands still with a fixed clock */
	int64_t mono_ms;	/* for timers; follows a fixed clock */
	int64_t clock_step_ms;	/* how far a script moved the fixed clock */
	int64_t paste_ms;	/* real time of the last pasted key */
	int64_t interrupt_ms;	/* of the last Ctrl-C */
};

/* ---- app.c ----------------------------------------------------------- */

void app_message(struct app *app, bool bad, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Lines that F1 shows of the message just said; owned from here on. */
void app_message_pages(struct app *app, char *lines);
void app_draw(struct app *app);
/* Reads the clocks. */
void app_clock(struct app *app);
/* Takes over the settings as they are now. */
void app_settings_changed(struct app *app);
/* The monotonic clock, also when that of the console is fixed. */
int64_t app_real_ms(void);
bool app_idle(const struct app *app);
bool app_stale(const struct app *app);

/* ---- app_input.c ----------------------------------------------------- */

struct view *app_view(struct app *app);
/* Shows a view: main views start the stack anew, details go on top. */
void app_show(struct app *app, const struct view_ops *ops, const char *target);
/* On top of what is shown; `[` does not come back to it. */
struct view *app_push(struct app *app, const struct view_ops *ops,
		      const char *target);
void app_key(struct app *app, uint32_t key);
void app_intent(struct app *app, enum intent intent);
/* Changes the filter of the focused list, or the search of a text. */
void app_filter(struct app *app, const char *text);
/* Only looks from now on, or no longer; the engine is told too. */
void app_look_only(struct app *app, bool on);

/* Opens "machine/mail-07" if it still exists. */
void app_open_ref(struct app *app, const char *ref);

/* Back to what lies below. */
void app_pop(struct app *app);

/* ---- view_console.c --------------------------------------------------- */

void view_console_show(struct app *app, const char *machine);
void view_console_line(struct app *app, const json_t *line);

/* ---- alarms.c -------------------------------------------------------- */

void alarms_ask(struct app *app);	/* when it is time */
void alarms_fini(struct alarms *a);

/* ---- app_place.c: where one has been ---------------------------------- */

struct place app_place(struct app *app);
void app_place_seen(struct app *app);	/* after a view was shown */
void app_place_last(struct app *app);
void app_place_step(struct app *app, int step);

/* ---- frame.c: what surrounds the view ------------------------------- */

void frame_draw(struct app *app);
/* The status word for the window's title. */
void frame_title(struct app *app);
/* The intent whose key stands there in the last line; INTENT_NONE. */
enum intent frame_key_at(struct app *app, int col);
/* Opens the message as text; false when the line shows all of it. */
bool frame_message(struct app *app);

/* ---- action.c -------------------------------------------------------- */

/* Why nothing can be changed now; NULL when it can. */
const char *action_refusal(const struct app *app);
/* True when the intent is an action on the object under the cursor. */
bool action_intent(struct app *app, enum intent intent);
void action_menu(struct app *app);
/* An action on this very object. */
void action_item(struct app *app, enum intent intent, enum topic topic,
		 json_t *item);
/* A change as a request (its reference is taken) and as a command line.  Asks
 * first when it takes something away from somebody. */
void action_change(struct app *app, json_t *request, const char *shell);
/* d and y: the object under the cursor as text; false for other intents. */
bool action_look(struct app *app, enum intent intent);
/* An answer's "item" as a page. */
void action_show_item(struct app *app, const char *shell, const json_t *answer);
/* A page of text with that title, to be filled. */
struct pager *view_text_show(struct app *app, const char *title);
/* The number that was asked for; "" is none. */
void action_number(struct app *app, const char *text);
/* Asks something whose answer is shown as pages of text. */
void action_question(struct app *app, json_t *request, const char *shell);

/* Says what an answer to a change says. */
void action_answer(void *arg, const char *shell, const json_t *answer);

/* ---- action_quit.c: menus about the console itself -------------------- */

void action_quit(struct app *app);
void action_sort_menu(struct app *app);
/* The focused list by that column. */
void action_sort(struct app *app, int column, bool inverted);
void action_columns_menu(struct app *app);

/* ---- export.c: what leaves the console -------------------------------- */

/* Y: to the terminal's clipboard. */
void export_copy(struct app *app);
/* w: asks for a file; then writes the view into it. */
void export_ask(struct app *app);
void export_write(struct app *app, const char *path);

/* ---- edit.c: the site file -------------------------------------------- */

/* e: $EDITOR, then the plan, then the question. */
void edit_site(struct app *app);
/* Asks for the plan of a site.apply request and offers to apply it. */
void edit_plan(struct app *app, json_t *request, const char *shell);

/* ---- help.c ---------------------------------------------------------- */

/* `?`: this view, every key, what the words mean, how things are done. */
void help_show(struct app *app);
/* The i-th common thing and how it is done with the keys of now; NULL behind the
 * last. */
const char *help_task(size_t i, char *out, size_t size);
/* `:help WORD`; false when nothing is known under it. */
bool help_word(struct app *app, const char *word);

/* ---- command.c ------------------------------------------------------- */

/* Runs what stands after the colon. */
void command_run(struct app *app, const char *line);
/* Splits in place at blanks; "double quotes" keep blanks together.  words ends
 * with NULL. */
enum { COMMAND_WORDS_MAX = 24 };
int command_split(char *line, char **words);
/* What the engine tells of under that noun; false when nothing. */
bool command_topic(const char *noun, enum topic *topic);
/* Tab: fills the prompt's candidates.  command_words.c */
void command_complete(struct app *app, struct prompt *p);

#endif
