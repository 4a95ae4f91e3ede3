/*
 * The serial console of a machine in a pane (console.md C.9).  While the keyboard
 * is in the guest all keys go there but those that leave, which always stand in
 * the last line: the leave key (Ctrl-]), F12, and ~. after Enter.  A second leave
 * key at once goes in again and sends itself.  The engine keeps the last 256 KiB,
 * so what was said before this was opened is above.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "console/keys.h"
#include "console/theme.h"
#include "console/vt.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/control.h"

enum { HISTORY_BYTES = 256 * 1024, TWICE_MS = 1000 };

struct console {
	struct vt *vt;
	unsigned connects;	/* of the link when it was asked for */
	bool asked, open;
	bool typing;		/* keys go to the guest */
	bool mine;		/* the keyboard is this console's */
	bool full;		/* the whole screen but the last line */
	bool line_start, tilde;	/* for ~. */
	int64_t left_ms;	/* when the leave key was pressed */
	int back;		/* lines scrolled back */
	int watchers;
	char keyboard[64];	/* whose it is */
	char wants[64];		/* who asks for it */
	char over[256];		/* why it is not open */
};

/* ---- to the engine --------------------------------------------------- */

static void say(struct view *v, json_t *line)
{
	struct error err;

	json_object_set_new(line, "console", json_string(v->target));
	/* A lost link is seen by its step. */
	if (client_send(&v->app->link.client, line, &err) < 0)
		return;
}

static void send_bytes(void *arg, const char *bytes, size_t n)
{
	struct view *v = arg;
	struct console *c = v->own;
	char text[512];

	if (!c->open || !c->mine || !v->app->link.up)
		return;		/* an answer of the terminal: nobody's */
	while (n > 0) {
		size_t part = n > sizeof(text) / 2 ? sizeof(text) / 2 : n;
		size_t used = control_bytes_to_text(text, bytes, part);

		say(v, json_pack("{s:s%}", "data", text, used));
		bytes += part;
		n -= part;
	}
}

static struct view *console_view(struct app *app)
{
	for (int i = 0; i < app->depth; i++)
		if (app->stack[i]->ops == &view_console)
			return app->stack[i];
	return NULL;
}

static void on_open(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	struct view *v = console_view(app);
	struct console *c = v ? v->own : NULL;
	const json_t *error = json_object_get(answer, "error");

	(void)shell;
	if (!c)
		return;
	c->open = item_bool(answer, "ok");
	if (!c->open)
		TEXT_SET(c->over, answer ? item_text(error, "message") :
			 "the engine went away");
	app->dirty = true;
}

/* Opens it, with the keyboard if it may be had. */
static void call_console(struct view *v)
{
	struct console *c = v->own;
	struct app *app = v->app;
	struct error err = { "" };
	bool looks = action_refusal(app) != NULL;
	json_t *request = json_pack("{s:s,s:s,s:i}", "verb", looks ?
				    "machine.watch" : "machine.console", "name",
				    v->target, "history", HISTORY_BYTES);

	c->asked = true;
	c->connects = app->link.connects;
	c->over[0] = '\0';
	c->typing = !looks;
	if (link_request(&app->link, request, "remuda machine console", on_open,
			 app, app->mono_ms, &err))
		TEXT_SET(c->over, err.text);
}

/* ---- life ------------------------------------------------------------ */

static void console_open(struct view *v)
{
	struct console *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	c->vt = vt_new(24, 80, send_bytes, v);
	c->line_start = true;
	v->own = c;
}

static void console_close(struct view *v)
{
	struct console *c = v->own;

	if (c->asked && v->app->link.up)
		say(v, json_pack("{s:b}", "close", 1));
	vt_free(c->vt);
	free(c);
}

/* Called for each change of the model: a link that came back opens anew. */
static void console_fill(struct view *v)
{
	struct console *c = v->own;

	if (!v->app->link.up || (c->asked &&
				 c->connects == v->app->link.connects))
		return;
	c->open = false;
	call_console(v);
}

static void take_keyboard(struct view *v, const json_t *line)
{
	struct console *c = v->own;
	bool had = c->mine;

	c->mine = item_bool(line, "mine");
	c->watchers = (int)item_int(line, "watchers", 1);
	text_display(c->keyboard, sizeof(c->keyboard),
		     item_text(line, "keyboard"),
		     strlen(item_text(line, "keyboard")));
	c->wants[0] = '\0';
	if (c->mine && !had)
		app_message(v->app, false, "Keys go to the guest until you "
			    "leave; opening it was recorded.");
	else if (had && !c->mine)
		app_message(v->app, false, "The keyboard is %s's now; you look "
			    "on.", c->keyboard);
}

/* A line of the protocol about a console; raw, as the guest wrote it. */
void view_console_line(struct app *app, const json_t *line)
{
	struct view *v = console_view(app);
	struct console *c = v ? v->own : NULL;
	const json_t *data = json_object_get(line, "data");
	const char *asked = item_text(line, "asked");

	if (!c || strcmp(item_text(line, "console"), v->target) != 0)
		return;
	app->dirty = true;
	if (json_is_string(data)) {
		size_t length = json_string_length(data);
		char *bytes = malloc(length + 1);

		CHECK("", bytes, "out of memory");
		ssize_t n = control_text_to_bytes(bytes,
						  json_string_value(data),
						  length);
		if (n > 0)
			vt_write(c->vt, bytes, (size_t)n);
		free(bytes);
	} else if (item_bool(line, "closed")) {
		c->open = c->mine = false;
		text_display(c->over, sizeof(c->over), item_text(line, "text"),
			     strlen(item_text(line, "text")));
	} else if (json_object_get(line, "watchers")) {
		take_keyboard(v, line);
	} else if (*asked) {
		text_display(c->wants, sizeof(c->wants), asked, strlen(asked));
	} else if (json_object_get(line, "denied")) {
		app_message(app, true, "%s keeps the keyboard.",
			    item_text(line, "denied"));
	}
}

/* ---- keys ------------------------------------------------------------ */

static bool leaves(struct view *v, uint32_t key)
{
	const struct settings *s = &v->app->settings;
	const char *name = settings_text(s, SETTING_LEAVE);
	struct console *c = v->own;
	bool tilde = c->tilde;

	if (key == KEYS_F12 || key == keys_parse(name, strlen(name)))
		return true;
	if (!settings_on(s, SETTING_TILDE))
		return false;
	c->tilde = false;
	if (tilde && key == '.')
		return true;
	if (tilde && key != '~')
		vt_key(c->vt, '~');	/* it was only a tilde */
	return false;
}

static void leave(struct view *v)
{
	struct console *c = v->own;

	c->typing = false;
	c->full = false;
	c->left_ms = v->app->mono_ms;
	app_message(v->app, false, "The keyboard is yours again.  Enter goes "
		    "back in, Esc closes.");
}

static void scroll(struct console *c, int lines)
{
	int most = vt_kept(c->vt);

	c->back += lines;
	c->back = c->back > most ? most : c->back < 0 ? 0 : c->back;
}

/* Keys while the keyboard is in the guest. */
static void guest_key(struct view *v, uint32_t key)
{
	struct console *c = v->own;

	if (leaves(v, key)) {
		leave(v);
	} else if (key == KEYS_F1 + 10) {
		c->full = !c->full;
	} else if (key == KEYS_SHIFT_PAGE_UP || key == KEYS_SHIFT_PAGE_DOWN) {
		scroll(c, key == KEYS_SHIFT_PAGE_UP ? 10 : -10);
	} else if (key == '~' && c->line_start && !c->tilde &&
		   settings_on(&v->app->settings, SETTING_TILDE)) {
		c->tilde = true;
	} else {
		c->back = 0;
		vt_key(c->vt, key);
		c->line_start = key == KEYS_ENTER;
	}
}

/* Somebody wants the keyboard: y gives it, n keeps it; other keys wait. */
static bool asked_key(struct view *v, uint32_t key)
{
	struct console *c = v->own;

	if (!*c->wants || c->typing || (key != 'y' && key != 'n'))
		return false;
	say(v, json_pack("{s:b}", "give", key == 'y'));
	c->wants[0] = '\0';
	return true;
}

static bool again(struct view *v, uint32_t key)
{
	const struct console *c = v->own;
	const char *name = settings_text(&v->app->settings, SETTING_LEAVE);

	return key == keys_parse(name, strlen(name)) && c->mine &&
	       v->app->mono_ms - c->left_ms <= TWICE_MS;
}

static bool console_key(struct view *v, uint32_t key)
{
	struct console *c = v->own;

	if (c->typing && c->open && c->mine) {
		guest_key(v, key);
		return true;
	}
	if (asked_key(v, key))
		return true;
	if (again(v, key)) {
		c->typing = true;
		vt_key(c->vt, key);
	} else if (key == KEYS_SHIFT_PAGE_UP || key == KEYS_SHIFT_PAGE_DOWN) {
		scroll(c, key == KEYS_SHIFT_PAGE_UP ? 10 : -10);
	} else if (key == KEYS_F1 + 10) {
		c->full = !c->full;
	} else if (key == 't' && c->open && !c->mine) {
		say(v, json_pack("{s:b}", "ask", 1));
		app_message(v->app, false, "%s is asked for the keyboard; it "
			    "comes within 20 s.", c->keyboard);
		c->typing = true;
	} else {
		return false;
	}
	return true;
}

static bool console_paste(struct view *v, uint32_t key)
{
	struct console *c = v->own;

	if (!c->typing || !c->open || !c->mine)
		return false;
	if (key == KEYS_PASTE_BEGIN || key == KEYS_PASTE_END)
		vt_paste(c->vt, key == KEYS_PASTE_BEGIN);
	else
		vt_key(c->vt, key == '\n' ? KEYS_ENTER : key);
	return true;
}

static bool console_intent(struct view *v, enum intent intent)
{
	struct console *c = v->own;

	if (intent == INTENT_OPEN || intent == INTENT_CONSOLE) {
		if (!c->open && *c->over)
			call_console(v);
		c->typing = c->mine || !c->open;
		if (c->open && !c->mine)
			app_message(v->app, false, "%s has the keyboard; t asks "
				    "for it.", *c->keyboard ? c->keyboard :
				    "Nobody");
		return true;
	}
	if (intent == INTENT_PAGE_UP || intent == INTENT_PAGE_DOWN ||
	    intent == INTENT_UP || intent == INTENT_DOWN) {
		bool up = intent == INTENT_PAGE_UP || intent == INTENT_UP;
		int lines = intent == INTENT_UP || intent == INTENT_DOWN ? 1 :
			    10;

		scroll(c, up ? lines : -lines);
		return true;
	}
	if (intent == INTENT_FIRST || intent == INTENT_LAST) {
		c->back = intent == INTENT_FIRST ? vt_kept(c->vt) : 0;
		return true;
	}
	return false;
}

/* ---- drawing --------------------------------------------------------- */

static bool in_guest(const struct console *c)
{
	return c->typing && c->open && c->mine;
}

static const char *console_status(const struct view *v)
{
	const struct console *c = v->own;

	return in_guest(c) ? "GUEST READ" : NULL;
}

static const char *console_words(const struct view *v, bool wide, char *out,
				 size_t size)
{
	const struct console *c = v->own;
	const char *leave = settings_text(&v->app->settings, SETTING_LEAVE);
	bool tilde = settings_on(&v->app->settings, SETTING_TILDE);
	char key[24];

	snprintf(key, sizeof(key), strncmp(leave, "C-", 2) == 0 ? "Ctrl-%s" :
		 "%s", strncmp(leave, "C-", 2) == 0 ? leave + 2 : leave);
	if (in_guest(c) && wide)
		snprintf(out, size, "KEYBOARD IS IN THE GUEST.   %s or F12%s "
			 "Leave   F11 Full screen   Shift-PgUp Scroll", key,
			 tilde ? " or Enter ~." : "");
	else if (in_guest(c))
		snprintf(out, size, "IN THE GUEST.  %s or F12%s Leave  F11 Full "
			 "screen", key, tilde ? " or ~." : "");
	else if (c->open && c->mine)
		snprintf(out, size, "Enter Into the guest   F11 Full screen   "
			 "PgUp Scroll   Esc Close");
	else if (c->open)
		snprintf(out, size, "t Take the keyboard   F11 Full screen   "
			 "PgUp Scroll   Esc Close");
	else
		snprintf(out, size, "Enter Try again   Esc Close");
	return out;
}

static bool console_full(const struct view *v)
{
	return ((const struct console *)v->own)->full;
}

static void draw_over(struct view *v, struct grid *g, struct rect r)
{
	const struct console *c = v->own;

	r.row++;
	r.col += 2;
	r.cols -= 4;
	r.row += view_wrap(g, r, ROLE_WARN, *c->over ? c->over :
			   v->app->link.up ? "Opening ..." :
			   "The engine does not answer.") + 1;
	if (*c->over)
		view_wrap(g, r, ROLE_OFF, "A machine has a console when its XML "
			  "has a <console> or <serial> device and it runs.  "
			  "Enter tries again.");
}

static void draw_title(const struct view *v, char *out, size_t size)
{
	const struct console *c = v->own;
	char more[64] = "";

	if (c->watchers > 1)
		snprintf(more, sizeof(more), "  %d look on", c->watchers - 1);
	snprintf(out, size, "Console %s  %s  keyboard: %s%s%s", v->target,
		 c->open ? "CONNECTED" : "not connected", in_guest(c) ? "GUEST" :
		 c->mine ? "yours" : *c->keyboard ? c->keyboard : "nobody's",
		 more, c->back ? "  SCROLLED BACK" : "");
}

/* A machine's line above it, when there is room. */
static int draw_machine(struct view *v, struct grid *g, struct rect r)
{
	const json_t *m = v->item;
	int col = r.col + 1, end = r.col + r.cols;
	char age[16];
	struct state_look look;

	if (!m)
		return 0;
	look = state_look("machine", item_text(m, "state"));
	format_age(age, sizeof(age), v->app->wall_ms -
		   item_time_ms(m, "since"));
	col += grid_printf(g, r.row, col, end - col, look.role, "%s %s",
			   glyph(g->ascii, role_glyph(look.role)), look.word);
	col += grid_printf(g, r.row, col, end - col, ROLE_NORMAL,
			   " %s   pool %s   host %s", age, item_text(m, "pool"),
			   item_text(m, "host"));
	if (*item_text(m, "user"))
		grid_printf(g, r.row, col, end - col, ROLE_NORMAL, "   user %s",
			    item_text(m, "user"));
	return 1;
}

static void console_draw(struct view *v, struct grid *g, struct rect r)
{
	struct console *c = v->own;
	char title[256];
	int row, col;

	if (!c->full) {
		int used = draw_machine(v, g, r);

		r.row += used;
		r.rows -= used;
		draw_title(v, title, sizeof(title));
		r = view_pane(g, r, title, NULL);
	}
	vt_resize(c->vt, r.rows, r.cols);
	if (!c->open && vt_kept(c->vt) == 0 && (*c->over || !c->asked)) {
		draw_over(v, g, r);
		return;
	}
	vt_draw(c->vt, g, r, c->back);
	if (*c->wants)
		grid_printf(g, r.row + r.rows - 1, r.col, r.cols, ROLE_WARN,
			    " %s asks for the keyboard: leave, then y gives it, "
			    "n keeps it; in 20 s it goes over ", c->wants);
	if (*c->over)
		grid_printf(g, r.row + r.rows - 1, r.col, r.cols, ROLE_WARN,
			    " %s ", c->over);
	if (vt_cursor(c->vt, &row, &col) && row + c->back < r.rows)
		grid_cursor(g, r.row + row + c->back, r.col + col);
}

static const enum intent console_keys[] = {
	INTENT_OPEN, INTENT_BACK, INTENT_PAGE_UP, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_console = {
	.name = "console",
	.aliases = "",
	.title = "Machines",
	.about = "The serial console of a machine. While the keyboard is in the "
		 "guest all keys go there but Ctrl-], F12 and ~. after Enter, "
		 "which leave it. Several may look, one types: t asks for the "
		 "keyboard. What was said before is above, Shift-PgUp shows it.",
	.target = TOPIC_MACHINES,
	.detail = true,
	.keys = console_keys,
	.open = console_open,
	.close = console_close,
	.fill = console_fill,
	.draw = console_draw,
	.intent = console_intent,
	.key = console_key,
	.paste = console_paste,
	.status = console_status,
	.words = console_words,
	.full = console_full,
};

void view_console_show(struct app *app, const char *machine)
{
	struct view *v = app_view(app);

	if (v->ops == &view_console)	/* one at a time: the engine's rule */
		app_pop(app);
	v = console_view(app);
	if (v) {
		app_message(app, true, "The console of %s is open below; Esc "
			    "goes there.", v->target);
		return;
	}
	app_push(app, &view_console, machine);
}
