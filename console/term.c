/*
 * The terminal: see term.h.  Owned by the console process, one at a time.
 *
 * ncurses does the output; signals are ours (term_signal.c).  It would catch
 * SIGTERM, SIGINT, SIGTSTP and SIGWINCH with handlers that are not safe, and
 * nothing at all for crashes and hangups.  So ours are installed before it
 * starts: it keeps away from signals that are taken.
 */
#define NCURSES_WIDECHAR 1
#include "console/term.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#include "console/cells.h"
#include "console/keys.h"
#include "console/term_signal.h"
#include "console/theme.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum {
	ESCAPE_MS = 25,
	PASTE_BEGIN_CODE = KEY_MAX + 10,
	PASTE_END_CODE,
	PAIR_OLD = ROLE_COUNT + 1,
	NOTES_SIZE = 64 * 1024,
};

struct term {
	SCREEN *screen;
	WINDOW *input;		/* a pad: reading from it draws nothing */
	FILE *out, *in;		/* of a script; NULL = the terminal's */
	bool script, ascii, paste;
	int colours;		/* 0 = none */
	bool light;
	int forced_rows, forced_cols;	/* by a script; 0 = not */
	struct grid shown;
	bool shown_valid;
	uint32_t pending_key;	/* read ahead after Esc */
	sigset_t old_mask;	/* before ours: to wait with */
	char restore[TERM_SIGNAL_RESTORE_MAX];	/* puts the terminal back */
	size_t restore_length;
	const char *last_words;
	char notes[NOTES_SIZE];
	size_t notes_used;
};

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

/* Terminals that know bracketed paste at all. */
static bool knows_paste(const char *name)
{
	static const char *const not[] = { "dumb", "vt", "linux", "ansi",
					   "cons", "wsvt", "cygwin" };

	for (size_t i = 0; i < sizeof(not) / sizeof(not[0]); i++)
		if (strncmp(name, not[i], strlen(not[i])) == 0)
			return false;
	return true;
}

static void write_out(struct term *t, const char *text)
{
	if (t->script)
		return;
	ssize_t ignored = write(STDOUT_FILENO, text, strlen(text));

	(void)ignored;	/* a terminal that went away is seen by term_wait */
}

static void prepare_restore(struct term *t)
{
	static const char paste_off[] = "\033[?2004l";

	if (t->paste) {
		memcpy(t->restore, paste_off, sizeof(paste_off) - 1);
		t->restore_length = sizeof(paste_off) - 1;
	}
	add_restore(t, "rmkx");
	add_restore(t, "sgr0");
	add_restore(t, "cnorm");
	add_restore(t, "rmcup");
}

static bool light_background(void)
{
	const char *value = getenv("COLORFGBG");
	const char *last = value ? strrchr(value, ';') : NULL;

	return last && (strcmp(last, ";7") == 0 || strcmp(last, ";15") == 0);
}

static void start_colours(struct term *t, bool wanted)
{
	const char *no = getenv("NO_COLOR");

	if (!wanted || (no && *no) || !has_colors() ||
	    tigetnum((char *)(uintptr_t)"colors") < 8)
		return;
	start_color();
	if (use_default_colors() == ERR)
		return;
	t->colours = COLORS;
	t->light = light_background();
	for (int role = 0; role < ROLE_COUNT; role++) {
		struct style s = theme_style((enum role)role, 0, t->colours,
					     t->light);

		init_pair((short)(role + 1), (short)s.colour, -1);
	}
	init_pair(PAIR_OLD, (short)theme_style(ROLE_NORMAL, CELL_OLD,
					       t->colours, t->light).colour, -1);
}

static void start_input(struct term *t)
{
	raw();
	noecho();
	nonl();
	typeahead(-1);
	t->input = newpad(1, 1);
	keypad(t->input, TRUE);
	nodelay(t->input, TRUE);
	set_escdelay(ESCAPE_MS);
	define_key("\033[200~", PASTE_BEGIN_CODE);
	define_key("\033[201~", PASTE_END_CODE);
	if (t->paste)
		write_out(t, "\033[?2004h");
}

static int open_files(struct term *t, struct error *err)
{
	if (!t->script)
		return 0;
	t->out = fopen("/dev/null", "we");
	t->in = fopen("/dev/null", "re");
	return t->out && t->in ? 0 : error_errno(err, "/dev/null");
}

static int start_screen(struct term *t, const struct term_options *options,
			struct error *err)
{
	const char *name = t->script ? "dumb" : getenv("TERM");

	if (!name || !*name)
		name = "dumb";
	if (open_files(t, err))
		return -1;
	term_signal_install(STDOUT_FILENO, !t->script, &t->old_mask);
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
	t->paste = !t->script && knows_paste(name);
	prepare_restore(t);
	t->last_words = options->last_words;
	if (!t->script)
		term_signal_arm(t->restore, t->restore_length, t->last_words);
	start_colours(t, !options->no_color);
	start_input(t);
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
	t->ascii = options->ascii ||
		   strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
	if (start_screen(t, options, err)) {
		if (t->out)
			fclose(t->out);
		if (t->in)
			fclose(t->in);
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
		write_out(t, "\033[?2004l");
	delwin(t->input);
	endwin();
	term_signal_disarm();
	term_signal_remove(&t->old_mask);
	delscreen(t->screen);
	if (t->out)
		fclose(t->out);
	if (t->in)
		fclose(t->in);
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

/* ---- output ---------------------------------------------------------- */

static void put_cell(const struct term *t, int row, int col,
		     const struct cell *c)
{
	struct style s = theme_style((enum role)c->role, c->flags, t->colours,
				     t->light);
	wchar_t wide[8] = L" ";
	attr_t attrs = A_NORMAL;
	short pair = 0;
	cchar_t cc;

	if (mbstowcs(wide, c->text, 7) == (size_t)-1)
		wcscpy(wide, L"?");
	if (s.attrs & STYLE_BOLD)
		attrs |= A_BOLD;
	if (s.attrs & STYLE_DIM)
		attrs |= A_DIM;
	if (s.attrs & STYLE_UNDERLINE)
		attrs |= A_UNDERLINE;
	if (s.attrs & STYLE_REVERSE)
		attrs |= A_REVERSE;
	if (s.colour >= 0)
		pair = c->flags & CELL_OLD ? PAIR_OLD : (short)(c->role + 1);
	setcchar(&cc, wide, attrs, pair, NULL);
	mvadd_wch(row, col, &cc);	/* the last corner says ERR and draws */
}

static bool same_size(const struct term *t, const struct grid *grid)
{
	return t->shown_valid && t->shown.rows == grid->rows &&
	       t->shown.cols == grid->cols;
}

void term_show(struct term *t, const struct grid *grid, bool whole)
{
	size_t line = (size_t)grid->cols * sizeof(struct cell);
	bool changed = whole;

	if (!same_size(t, grid)) {
		grid_fini(&t->shown);
		grid_init(&t->shown, grid->rows, grid->cols, grid->ascii);
		changed = true;
		t->shown_valid = false;
		erase();
	}
	for (int row = 0; row < grid->rows; row++) {
		const struct cell *want = grid_cell(grid, row, 0);
		struct cell *have = grid_cell(&t->shown, row, 0);

		if (t->shown_valid && !whole && memcmp(want, have, line) == 0)
			continue;
		for (int col = 0; col < grid->cols; col++)
			if (want[col].width)
				put_cell(t, row, col, &want[col]);
		memcpy(have, want, line);
		changed = true;
	}
	changed = changed || t->shown.cursor_row != grid->cursor_row ||
		  t->shown.cursor_col != grid->cursor_col;
	t->shown_valid = true;
	if (!changed)
		return;
	t->shown.cursor_row = grid->cursor_row;
	t->shown.cursor_col = grid->cursor_col;
	if (whole)
		clearok(curscr, TRUE);
	move(grid->cursor_row, grid->cursor_col);
	wnoutrefresh(stdscr);
	doupdate();
}

/* ---- input ----------------------------------------------------------- */

static uint32_t translate(wint_t code)
{
	switch (code) {
	case KEY_UP:
		return KEYS_UP;
	case KEY_DOWN:
		return KEYS_DOWN;
	case KEY_LEFT:
		return KEYS_LEFT;
	case KEY_RIGHT:
		return KEYS_RIGHT;
	case KEY_PPAGE:
		return KEYS_PAGE_UP;
	case KEY_NPAGE:
		return KEYS_PAGE_DOWN;
	case KEY_HOME:
		return KEYS_HOME;
	case KEY_END:
		return KEYS_END;
	case KEY_BTAB:
		return KEYS_SHIFT_TAB;
	case KEY_BACKSPACE:
		return KEYS_BACKSPACE;
	case KEY_DC:
		return KEYS_DELETE;
	case KEY_ENTER:
		return KEYS_ENTER;
	case PASTE_BEGIN_CODE:
		return KEYS_PASTE_BEGIN;
	case PASTE_END_CODE:
		return KEYS_PASTE_END;
	}
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return KEYS_F1 + (code - KEY_F(1));
	return KEYS_OTHER;
}

static uint32_t read_key(struct term *t)
{
	wint_t code = 0;
	int got = wget_wch(t->input, &code);

	if (got == ERR)
		return 0;
	if (got == KEY_CODE_YES)
		return translate(code);
	if (code == 127 || code == 8)
		return KEYS_BACKSPACE;
	return code == 0 ? KEYS_OTHER : code;
}

/* A key that terminfo does not know: the rest of it is not typed text. */
static uint32_t skip_sequence(struct term *t)
{
	uint32_t key;

	do
		key = read_key(t);
	while (key && (key < 0x40 || key > 0x7e));
	return KEYS_OTHER;
}

uint32_t term_key(struct term *t)
{
	uint32_t key = t->pending_key, next;

	t->pending_key = 0;
	if (t->script)
		return 0;
	if (!key)
		key = read_key(t);
	if (key != KEYS_ESC)
		return key;
	/* Alt is Esc with the next key at once.  Only Alt-1 to Alt-0 mean
	 * something; over a slow line any two keys may come at once. */
	next = read_key(t);
	if (next == 0)
		return KEYS_ESC;
	if (next >= '1' && next <= '9')
		return KEYS_F1 + (next - '1');
	if (next == '0')
		return KEYS_F1 + 9;
	if (next == '[' || next == 'O')
		return skip_sequence(t);
	t->pending_key = next;
	return KEYS_ESC;
}

int term_wait(struct term *t, int fd, bool writable, int64_t timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = t->script ? -1 : 0, .events = POLLIN },
		{ .fd = fd, .events = (short)(POLLIN |
					      (writable ? POLLOUT : 0)) },
	};
	struct timespec limit = { .tv_sec = timeout_ms / 1000,
				  .tv_nsec = timeout_ms % 1000 * 1000000 };
	int bytes = 1;

	if (t->pending_key || term_signal_pending())
		return 0;
	if (ppoll(fds, 2, &limit, &t->old_mask) < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		return -1;
	if ((fds[0].revents & POLLIN) && ioctl(0, FIONREAD, &bytes) == 0 &&
	    bytes == 0)
		return -1;	/* end of file: nobody will type again */
	return 0;
}

/* ---- stopping and going on ------------------------------------------- */

bool term_stop_asked(struct term *t)
{
	(void)t;
	return term_signal_stop_asked();
}

void term_suspend(struct term *t)
{
	if (t->script)
		return;
	if (t->paste)
		write_out(t, "\033[?2004l");
	endwin();
	term_signal_modes_back();
	term_signal_disarm();
	term_signal_stop();
	term_signal_arm(t->restore, t->restore_length, t->last_words);
	reset_prog_mode();
	if (t->paste)
		write_out(t, "\033[?2004h");
	term_signal_resize();	/* it may have changed meanwhile */
	t->shown_valid = false;
}
