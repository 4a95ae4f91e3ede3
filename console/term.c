/*
 * The terminal: see term.h.  Owned by the console process, one at a time.
 *
 * ncurses does the output; signals are ours (term_signal.c).  It would catch
 * SIGTERM, SIGINT, SIGTSTP and SIGWINCH with handlers that are not safe, and
 * nothing at all for crashes and hangups.  So ours are installed before it
 * starts: it keeps away from signals that are taken.
 */
#include "console/term_internal.h"

#include <errno.h>
#include <langinfo.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "console/format.h"
#include "console/probe.h"
#include "console/settings.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* Adds a capability without its padding ("$<5>"). */
static void add_restore(struct term *t, const char *name)
{
	const char *s = tigetstr((char *)(uintptr_t)name);

	if (!s || s == (char *)-1)
		return;
	while (*s && t->restore_length + 1 < sizeof(t->restore)) {
		if (s[0] == '$' && s[1] == '<' && strchr(s, '>')) {
			s = strchr(s, '>') + 1;
			continue;
		}
		t->restore[t->restore_length++] = *s++;
	}
}

/* Terminals that know bracketed paste, OSC and private modes at all. */
static bool is_modern(const char *name)
{
	static const char *const not[] = { "dumb", "vt", "linux", "ansi",
					   "cons", "wsvt", "cygwin" };

	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (strncmp(name, not[i], strlen(not[i])) == 0)
			return false;
	return true;
}

void term_write(struct term *t, const char *bytes, size_t length)
{
	if (t->script)
		return;
	while (length > 0) {
		ssize_t n = write(STDOUT_FILENO, bytes, length);

		if (n < 0 && errno != EINTR)
			return;	/* gone: term_wait sees it */
		bytes += n > 0 ? n : 0;
		length -= n > 0 ? (size_t)n : 0;
	}
}

void term_say(struct term *t, const char *text)
{
	term_write(t, text, strlen(text));
}

/* Whatever was switched on, also what is switched on later. */
static void prepare_restore(struct term *t)
{
	static const char off[] = "\033[?2026l\033[?1006l\033[?1000l\033[?2004l";

	if (t->modern) {
		memcpy(t->restore, off, sizeof(off) - 1);
		t->restore_length = sizeof(off) - 1;
	}
	add_restore(t, "rmkx");
	add_restore(t, "rmacs");
	add_restore(t, "sgr0");
	add_restore(t, "cnorm");
	add_restore(t, "rmcup");
}

/* ---- looks ----------------------------------------------------------- */

static bool light_by_environment(void)
{
	const char *value = getenv("COLORFGBG");
	const char *last = value ? strrchr(value, ';') : NULL;

	return last && (strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0);
}

static void set_pairs(struct term *t)
{
	if (t->look.colours == 0)
		return;
	for (int role = 0; role < ROLE_COUNT; role++)
		init_pair((short)(role + 1), (short)theme_style(
			  (enum role)role, 0, &t->look).colour, -1);
	init_pair(PAIR_OLD, (short)theme_style(ROLE_NORMAL, CELL_OLD,
					       &t->look).colour, -1);
	for (int colour = 0; colour < 8; colour++)
		init_pair((short)(PAIR_GUEST + colour), (short)colour, -1);
}

static void start_colours(struct term *t)
{
	const char *no = getenv("NO_COLOR");

	if (!t->colour_wanted || (no && *no) || !has_colors() ||
	    tigetnum((char *)(uintptr_t)"colors") < 8)
		return;
	start_color();
	if (use_default_colors() != ERR)
		t->look.colours = COLORS;
}

/* What it is asked depends on what nobody said. */
static void ask(struct term *t, const struct settings *s)
{
	struct probe p = {
		.ask_background = t->modern && t->look.colours &&
				  settings_is(s, SETTING_BACKGROUND, "auto") &&
				  !settings_is(s, SETTING_THEME, "light"),
		.ask_width = !t->ascii_forced &&
			     settings_is(s, SETTING_GLYPHS, "auto"),
	};

	t->asked_light = light_by_environment();
	if (t->script)
		return;
	term_probe(t, &p);
	if (p.background != PROBE_UNKNOWN)
		t->asked_light = p.background == PROBE_LIGHT;
	t->wide_signs = p.cells > 1;
}

void term_set(struct term *t, const struct settings *s)
{
	bool was = t->ascii;

	t->look.theme = theme_named(settings_text(s, SETTING_THEME));
	t->look.light = settings_is(s, SETTING_THEME, "light") ||
			settings_is(s, SETTING_BACKGROUND, "light") ||
			(settings_is(s, SETTING_BACKGROUND, "auto") &&
			 t->asked_light);
	t->look.accent = theme_accent(settings_text(s, SETTING_ACCENT));
	t->ascii = t->ascii_forced || settings_is(s, SETTING_GLYPHS, "ascii") ||
		   (settings_is(s, SETTING_GLYPHS, "auto") && t->wide_signs);
	t->title = settings_on(s, SETTING_TITLE) && t->modern;
	t->sync = settings_on(s, SETTING_SYNC) && t->modern;
	term_start_mouse(t, settings_on(s, SETTING_MOUSE) && !t->script);
	set_escdelay((int)settings_number(s, SETTING_ESCAPE_MS));
	set_pairs(t);
	t->shown_valid = t->shown_valid && was == t->ascii;
}

void term_describe(const struct term *t, char *out, size_t out_size)
{
	const char *name = getenv("TERM");
	char colours[32] = "no colours";
	int rows, cols;

	if (t->look.colours)
		snprintf(colours, sizeof(colours), "%d colours, %s",
			 t->look.colours, t->look.light ? "light" : "dark");
	term_size(t, &rows, &cols);
	snprintf(out, out_size, "TERM %s  %s  %s  %dx%d", name ? name : "-",
		 colours, t->ascii ? t->acs ? "ASCII with its lines" : "ASCII" :
		 "UTF-8", cols, rows);
}

void term_title(struct term *t, const char *text)
{
	char safe[sizeof(t->title_text)], line[sizeof(safe) + 8];

	if (!t->title)
		return;
	text_display(safe, sizeof(safe), text, strlen(text));
	if (strcmp(safe, t->title_text) == 0)
		return;
	TEXT_SET(t->title_text, safe);
	snprintf(line, sizeof(line), "\033]2;%s\a", safe);
	term_say(t, line);
}

void term_bell(struct term *t)
{
	term_say(t, "\a");
}

static int open_files(struct term *t, struct error *err)
{
	if (!t->script)
		return 0;
	t->out = fopen("/dev/null", "we");
	t->in = fopen("/dev/null", "re");
	return t->out && t->in ? 0 : error_errno(err, "/dev/null");
}

static bool has_acs(void)
{
	const char *acs = tigetstr((char *)(uintptr_t)"acsc");

	/* Pairs of sign and character; some consoles have 8-bit ones, which are
	 * not theirs to have here. */
	if (!acs || acs == (char *)-1 || !*acs)
		return false;
	for (; *acs; acs++)
		if (*acs & 0x80)
			return false;
	return true;
}

static int start_screen(struct term *t, const struct term_options *options,
			struct error *err)
{
	const char *name = t->script ? "dumb" : getenv("TERM");

	if (!name || !*name)
		name = "dumb";
	if (open_files(t, err))
		return -1;
	term_frame_open(t);
	term_signal_install(t->tty_fd, !t->script, &t->old_mask);
	use_env(TRUE);
	use_tioctl(!t->script);
	t->screen = newterm((char *)(uintptr_t)name, t->script ? t->out :
			    stdout, t->script ? t->in : stdin);
	if (!t->screen) {
		term_signal_remove(&t->old_mask);
		return error_set(err, "terminal type \"%s\" is not known here; "
				 "set TERM to one that is, for example xterm",
				 name);
	}
	set_term(t->screen);
	t->modern = t->paste = !t->script && is_modern(name);
	t->ascii_forced = options->ascii ||
			  strcmp(nl_langinfo(CODESET), "UTF-8") != 0 ||
			  (!t->script && strcmp(name, "dumb") == 0);
	/* A terminal that has lines of its own draws them in any locale. */
	t->acs = t->ascii_forced && !options->ascii && !t->script &&
		 strcmp(nl_langinfo(CODESET), "UTF-8") != 0 && has_acs();
	t->colour_wanted = !options->no_color;
	prepare_restore(t);
	t->last_words = options->last_words;
	if (!t->script)
		term_signal_arm(t->restore, t->restore_length, t->last_words);
	start_colours(t);
	term_start_input(t, (int)settings_number(options->settings,
						 SETTING_ESCAPE_MS));
	ask(t, options->settings);
	term_set(t, options->settings);
	return 0;
}

struct term *term_open(const struct term_options *options, struct error *err)
{
	struct term *t;

	if (!options->script && (!isatty(0) || !isatty(1))) {
		error_set(err, "the console needs a terminal for input and "
			  "output; for other uses there are  remuda watch  "
			  "and the list commands");
		return NULL;
	}
	t = calloc(1, sizeof(*t));
	if (!t) {
		error_errno(err, "terminal");
		return NULL;
	}
	t->script = options->script;
	t->tty_fd = t->frame_fd = -1;
	if (start_screen(t, options, err)) {
		if (t->out)
			fclose(t->out);
		if (t->in)
			fclose(t->in);
		term_frame_close(t);
		free(t);
		return NULL;
	}
	grid_init(&t->shown, 1, 1, t->ascii);
	return t;
}

void term_close(struct term *t)
{
	if (!t)
		return;
	if (t->paste)
		term_say(t, "\033[?2004l");
	term_start_mouse(t, false);
	delwin(t->input);
	endwin();
	term_signal_disarm();
	term_signal_remove(&t->old_mask);
	delscreen(t->screen);
	if (t->out)
		fclose(t->out);
	if (t->in)
		fclose(t->in);
	term_frame_close(t);
	if (t->notes_used)
		fwrite(t->notes, 1, t->notes_used, stderr);
	grid_fini(&t->shown);
	free(t);
}

void term_note(struct term *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->notes + t->notes_used, NOTES_SIZE - t->notes_used,
		      fmt, ap);
	va_end(ap);
	if (n > 0 && t->notes_used + (size_t)n + 2 < NOTES_SIZE) {
		t->notes_used += (size_t)n;
		t->notes[t->notes_used++] = '\n';
	}
}

/* ---- size ------------------------------------------------------------ */

void term_size(const struct term *t, int *rows, int *cols)
{
	(void)t;
	getmaxyx(stdscr, *rows, *cols);
}

bool term_ascii(const struct term *t)
{
	return t->ascii;
}

void term_force_size(struct term *t, int rows, int cols)
{
	t->forced_rows = rows < 1 ? 1 : rows;
	t->forced_cols = cols < 1 ? 1 : cols;
	term_signal_resize();
}

bool term_resized(struct term *t)
{
	struct winsize size = { 0 };

	if (!term_signal_resized())
		return false;
	if (t->forced_rows)
		resize_term(t->forced_rows, t->forced_cols);
	else if (ioctl(1, TIOCGWINSZ, &size) == 0 && size.ws_row &&
		 size.ws_col)
		resize_term(size.ws_row, size.ws_col);
	clearok(curscr, TRUE);
	t->shown_valid = false;
	return true;
}

/* ---- stopping and going on ------------------------------------------- */

bool term_stop_asked(struct term *t)
{
	(void)t;
	return term_signal_stop_asked();
}

void term_leave(struct term *t)
{
	if (t->script)
		return;
	if (t->paste)
		term_say(t, "\033[?2004l");
	endwin();
	term_signal_modes_back();
	term_signal_disarm();
	term_signal_lend(true);
}

void term_return(struct term *t)
{
	if (t->script)
		return;
	term_signal_lend(false);
	term_signal_arm(t->restore, t->restore_length, t->last_words);
	reset_prog_mode();
	if (t->paste)
		term_say(t, "\033[?2004h");
	term_signal_resize();	/* it may have changed meanwhile */
	t->shown_valid = false;
}

void term_suspend(struct term *t)
{
	if (t->script)
		return;
	term_leave(t);
	term_signal_stop();
	term_return(t);
}

/* ---- the clipboard --------------------------------------------------- */

int term_copy(struct term *t, const char *text, size_t length)
{
	static const char head[] = "\033]52;c;";
	char *out;
	size_t used = sizeof(head) - 1;

	if (length > TERM_COPY_MAX || (!t->script && !t->paste))
		return -1;
	out = malloc(used + length * 4 / 3 + 8);
	if (!out)
		return -1;
	memcpy(out, head, used);
	used += format_base64(out + used, text, length);
	out[used++] = '\a';
	term_write(t, out, used);
	free(out);
	return 0;
}
