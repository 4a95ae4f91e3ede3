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
#include "console/model.h"
#include "console/prompt.h"
#include "console/view.h"

struct script;
struct term;

enum {
	APP_STACK_MAX = 8,
	APP_ENGINE_STARTS_MAX = 3,
	APP_ENGINE_START_PAUSE_MS = 2000,
	APP_STALE_MS = 4000,
	APP_HOURS_MS = 5000,	/* between questions for the counts per hour */
};

/* A change that waits for the answer to its question. */
struct pending_action {
	char shell[160];	/* the command that does the same */
	json_t *request;	/* owned; NULL = none waits */
};

struct app {
	const struct console_options *options;
	struct term *term;
	struct grid grid;
	struct model model;
	struct link link;
	struct view *stack[APP_STACK_MAX];
	int depth;
	const struct view_ops *last_ops;	/* for `-` */
	char last_target[VIEW_TARGET_SIZE];
	struct prompt prompt;
	char prompt_name[96];	/* PROMPT_NUMBER: the pool to scale */
	char filter_before[LIST_FILTER_SIZE];
	struct dialog dialog;
	struct pending_action pending;
	enum intent menu[DIALOG_CHOICES_MAX];
	struct script *script;
	char message[512];
	bool message_bad;
	bool pasting;
	bool holding;
	bool read_only;
	bool dirty;		/* the next frame differs */
	bool redraw;		/* and must be written whole */
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
void app_draw(struct app *app);
/* Reads the clocks. */
void app_clock(struct app *app);
/* The monotonic clock, also when that of the console is fixed. */
int64_t app_real_ms(void);
bool app_idle(const struct app *app);
bool app_stale(const struct app *app);

/* ---- app_input.c ----------------------------------------------------- */

struct view *app_view(struct app *app);
/* Shows a view: main views start the stack anew, details go on top. */
void app_show(struct app *app, const struct view_ops *ops, const char *target);
void app_key(struct app *app, uint32_t key);
void app_intent(struct app *app, enum intent intent);
/* Changes the filter of the focused list. */
void app_filter(struct app *app, const char *text);

/* ---- frame.c: what surrounds the view ------------------------------- */

void frame_draw(struct app *app);
void frame_help(struct app *app);
/* Opens the message as text; false when the line shows all of it. */
bool frame_message(struct app *app);

/* ---- action.c -------------------------------------------------------- */

/* Why nothing can be changed now; NULL when it can. */
const char *action_refusal(const struct app *app);
/* True when the intent is an action on the object under the cursor. */
bool action_intent(struct app *app, enum intent intent);
void action_menu(struct app *app);
/* A change as a request (its reference is taken) and as a command line.  Asks
 * first when it takes something away from somebody. */
void action_change(struct app *app, json_t *request, const char *shell);
/* The number that was asked for; "" is none. */
void action_number(struct app *app, const char *text);
/* Asks something whose answer is shown as pages of text. */
void action_question(struct app *app, json_t *request, const char *shell);

/* Says what an answer to a change says. */
void action_answer(void *arg, const char *shell, const json_t *answer);

/* ---- action_quit.c: menus about the console itself -------------------- */

void action_quit(struct app *app);
void action_sort_menu(struct app *app);

/* ---- command.c ------------------------------------------------------- */

/* Runs what stands after the colon. */
void command_run(struct app *app, const char *line);
void command_complete(struct app *app, struct prompt *p);

#endif
