/*
 * The terminal in a pane: see vt.h.  Lines that scroll off are kept as cells.
 * Sequences that ask for answers are answered to the guest by libvterm itself;
 * titles, bells and clipboard are not passed on.
 */
#include "console/vt.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <vterm.h>
#include <wchar.h>

#include "console/keys.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

/* libvterm 0.1.4 writes a wide character past the end of a screen of one
 * column (tests/fuzz/vt found it). */
enum { LEAST_ROWS = 2, LEAST_COLS = 4 };

/* Where in a control sequence (ECMA-48) the guest's last byte was. */
enum place { IN_TEXT, AFTER_ESC, IN_CSI };
enum { CAN = 0x18, SUB = 0x1a, ESC = 0x1b, DEL = 0x7f, ARGUMENTS_MAX = 16 };

struct line {
	int cols;
	VTermScreenCell *cells;
};

struct vt {
	VTerm *vterm;
	VTermScreen *screen;
	void (*send)(void *arg, const char *bytes, size_t n);
	void *arg;
	int rows, cols;
	VTermPos cursor;
	bool cursor_visible;
	struct line kept[VT_KEPT_LINES];	/* a ring */
	int kept_count, kept_at;	/* at: where the next one goes */
	enum place place;
	int arguments;			/* of that sequence, so far */
};

static void on_output(const char *bytes, size_t n, void *arg)
{
	struct vt *v = arg;

	v->send(v->arg, bytes, n);
}

static int on_cursor(VTermPos at, VTermPos before, int visible, void *arg)
{
	struct vt *v = arg;

	(void)before;
	v->cursor = at;
	v->cursor_visible = visible;
	return 1;
}

static int on_property(VTermProp property, VTermValue *value, void *arg)
{
	struct vt *v = arg;

	if (property == VTERM_PROP_CURSORVISIBLE)
		v->cursor_visible = value->boolean;
	return 1;
}

/* A line leaves at the top. */
static int on_push(int cols, const VTermScreenCell *cells, void *arg)
{
	struct vt *v = arg;
	struct line *l = &v->kept[v->kept_at];

	free(l->cells);
	l->cells = malloc((size_t)cols * sizeof(*cells));
	CHECK("", l->cells, "out of memory");
	memcpy(l->cells, cells, (size_t)cols * sizeof(*cells));
	l->cols = cols;
	v->kept_at = (v->kept_at + 1) % VT_KEPT_LINES;
	v->kept_count += v->kept_count < VT_KEPT_LINES;
	return 1;
}

struct vt *vt_new(int rows, int cols,
		  void (*send)(void *arg, const char *bytes, size_t n),
		  void *arg)
{
	static const VTermScreenCallbacks callbacks = {
		.movecursor = on_cursor, .settermprop = on_property,
		.sb_pushline = on_push,
	};
	struct vt *v = calloc(1, sizeof(*v));

	CHECK("", v, "out of memory");
	v->send = send;
	v->arg = arg;
	v->rows = rows < LEAST_ROWS ? LEAST_ROWS : rows;
	v->cols = cols < LEAST_COLS ? LEAST_COLS : cols;
	v->cursor_visible = true;
	v->vterm = vterm_new(v->rows, v->cols);
	CHECK("", v->vterm, "out of memory");
	vterm_set_utf8(v->vterm, 1);
	vterm_output_set_callback(v->vterm, on_output, v);
	v->screen = vterm_obtain_screen(v->vterm);
	vterm_screen_enable_altscreen(v->screen, 1);
	vterm_screen_set_callbacks(v->screen, &callbacks, v);
	vterm_screen_reset(v->screen, 1);
	return v;
}

void vt_free(struct vt *v)
{
	if (!v)
		return;
	for (int i = 0; i < VT_KEPT_LINES; i++)
		free(v->kept[i].cells);
	vterm_free(v->vterm);
	free(v);
}

/* Is that byte of a sequence libvterm must not see?  As libvterm reads them: what
 * does not belong in a sequence neither ends it nor an ESC. */
static bool is_unsafe(struct vt *v, unsigned char c)
{
	if (c == ESC) {
		v->place = AFTER_ESC;
	} else if (c == CAN || c == SUB) {
		v->place = IN_TEXT;
	} else if (c < ' ' || c >= DEL) {
		return false;
	} else if (v->place == AFTER_ESC && c >= '0') {
		v->place = c == '[' ? IN_CSI : IN_TEXT;
		v->arguments = 1;
	} else if (v->place == IN_CSI) {
		v->arguments += c == ';' || c == ':';
		if (c >= '@')
			v->place = IN_TEXT;
		return c == 'b' || v->arguments > ARGUMENTS_MAX;
	}
	return false;
}

/*
 * libvterm 0.1.4 repeats a character of no width for ever (REP, "CSI Ps b") and
 * writes past its sixteen arguments; tests/fuzz/vt found both.  A guest must not
 * stop the console or worse: such sequences are cancelled, byte by byte.
 */
void vt_write(struct vt *v, const char *bytes, size_t n)
{
	static const char cancel = CAN;
	size_t from = 0;

	for (size_t i = 0; i < n; i++) {
		if (!is_unsafe(v, (unsigned char)bytes[i]))
			continue;
		vterm_input_write(v->vterm, bytes + from, i - from);
		vterm_input_write(v->vterm, &cancel, 1);
		from = i + 1;
	}
	vterm_input_write(v->vterm, bytes + from, n - from);
}

void vt_resize(struct vt *v, int rows, int cols)
{
	rows = rows < LEAST_ROWS ? LEAST_ROWS : rows;
	cols = cols < LEAST_COLS ? LEAST_COLS : cols;
	if (rows == v->rows && cols == v->cols)
		return;
	v->rows = rows;
	v->cols = cols;
	vterm_set_size(v->vterm, rows, cols);
}

int vt_kept(const struct vt *v)
{
	return v->kept_count;
}

bool vt_cursor(const struct vt *v, int *row, int *col)
{
	*row = v->cursor.row;
	*col = v->cursor.col;
	return v->cursor_visible;
}

/* ---- keys ------------------------------------------------------------ */

void vt_paste(struct vt *v, bool begins)
{
	if (begins)
		vterm_keyboard_start_paste(v->vterm);
	else
		vterm_keyboard_end_paste(v->vterm);
}

static VTermKey named_key(uint32_t key, VTermModifier *modifier)
{
	static const struct {
		uint32_t key;
		VTermKey named;
		VTermModifier modifier;
	} names[] = {
		{ KEYS_ENTER, VTERM_KEY_ENTER, VTERM_MOD_NONE },
		{ KEYS_TAB, VTERM_KEY_TAB, VTERM_MOD_NONE },
		{ KEYS_ESC, VTERM_KEY_ESCAPE, VTERM_MOD_NONE },
		{ KEYS_BACKSPACE, VTERM_KEY_BACKSPACE, VTERM_MOD_NONE },
		{ KEYS_DELETE, VTERM_KEY_DEL, VTERM_MOD_NONE },
		{ KEYS_INSERT, VTERM_KEY_INS, VTERM_MOD_NONE },
		{ KEYS_UP, VTERM_KEY_UP, VTERM_MOD_NONE },
		{ KEYS_DOWN, VTERM_KEY_DOWN, VTERM_MOD_NONE },
		{ KEYS_LEFT, VTERM_KEY_LEFT, VTERM_MOD_NONE },
		{ KEYS_RIGHT, VTERM_KEY_RIGHT, VTERM_MOD_NONE },
		{ KEYS_HOME, VTERM_KEY_HOME, VTERM_MOD_NONE },
		{ KEYS_END, VTERM_KEY_END, VTERM_MOD_NONE },
		{ KEYS_PAGE_UP, VTERM_KEY_PAGEUP, VTERM_MOD_NONE },
		{ KEYS_PAGE_DOWN, VTERM_KEY_PAGEDOWN, VTERM_MOD_NONE },
		{ KEYS_SHIFT_TAB, VTERM_KEY_TAB, VTERM_MOD_SHIFT },
		{ KEYS_SHIFT_LEFT, VTERM_KEY_LEFT, VTERM_MOD_SHIFT },
		{ KEYS_SHIFT_RIGHT, VTERM_KEY_RIGHT, VTERM_MOD_SHIFT },
		{ KEYS_SHIFT_UP, VTERM_KEY_UP, VTERM_MOD_SHIFT },
		{ KEYS_SHIFT_DOWN, VTERM_KEY_DOWN, VTERM_MOD_SHIFT },
	};

	*modifier = VTERM_MOD_NONE;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].key == key) {
			*modifier = names[i].modifier;
			return names[i].named;
		}
	if (key >= KEYS_F1 && key <= KEYS_F12)
		return (VTermKey)VTERM_KEY_FUNCTION((int)(key - KEYS_F1 + 1));
	return VTERM_KEY_NONE;
}

void vt_key(struct vt *v, uint32_t key)
{
	VTermModifier modifier;
	VTermKey named = named_key(key, &modifier);
	char control = (char)key;

	if (named != VTERM_KEY_NONE) {
		vterm_keyboard_key(v->vterm, named, modifier);
	} else if (key < 0x20) {
		v->send(v->arg, &control, 1);
	} else if ((key & ~0x7fu) == KEYS_ALT(0)) {
		vterm_keyboard_unichar(v->vterm, key & 0x7f, VTERM_MOD_ALT);
	} else if (key < KEYS_NAMED) {
		vterm_keyboard_unichar(v->vterm, key, VTERM_MOD_NONE);
	}
}

/* ---- drawing --------------------------------------------------------- */

static size_t utf8_put(char *out, uint32_t cp)
{
	size_t n = cp < 0x80 ? 1 : cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	if (n == 1) {
		out[0] = (char)cp;
		return 1;
	}
	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp);
	return n;
}

/* Lines that guests draw, for a grid that has only ASCII. */
static uint32_t plain_line(uint32_t cp)
{
	if (cp < 0x2500 || cp > 0x257f)
		return cp;
	if (cp <= 0x2501 || cp == 0x2550)
		return '-';
	return cp <= 0x2503 || cp == 0x2551 ? '|' : '+';
}

/* What stands in a cell, safe to draw. */
static void cell_text(const VTermScreenCell *c, bool ascii, char *out,
		      size_t size)
{
	char raw[32];
	size_t n = 0;

	for (int i = 0; i < VTERM_MAX_CHARS_PER_CELL && c->chars[i] &&
	     n + 4 < sizeof(raw); i++)
		n += utf8_put(raw + n, ascii ? plain_line(c->chars[i]) :
			      c->chars[i]);
	if (n == 0)
		raw[n++] = ' ';
	text_display(out, size, raw, n);
	if (strlen(out) != n || memcmp(out, raw, n) != 0)
		text_copy(out, size, "?");	/* it was made visible: no room */
}

/* 1 to 16 for a colour of the sixteen, 0 for the terminal's own. */
static uint8_t cell_colour(const VTermScreenCell *c)
{
	if (VTERM_COLOR_IS_DEFAULT_FG(&c->fg) || !VTERM_COLOR_IS_INDEXED(&c->fg))
		return 0;
	return c->fg.indexed.idx < 16 ? (uint8_t)(c->fg.indexed.idx + 1) : 0;
}

static void draw_cell(struct grid *g, int row, int col, int room,
		      const VTermScreenCell *c)
{
	char text[64];
	struct cell *cell;

	cell_text(c, g->ascii, text, sizeof(text));
	grid_text(g, row, col, room, c->attrs.bold ? ROLE_STRONG : ROLE_NORMAL,
		  text);
	cell = grid_cell(g, row, col);
	if (!cell)
		return;
	cell->colour = cell_colour(c);
	if (c->attrs.reverse)
		cell->flags |= CELL_SELECTED;
}

static const VTermScreenCell *kept_cell(const struct vt *v, int line, int col)
{
	int at = (v->kept_at - v->kept_count + line + 2 * VT_KEPT_LINES) %
		 VT_KEPT_LINES;
	const struct line *l = &v->kept[at];

	return col < l->cols ? &l->cells[col] : NULL;
}

void vt_draw(struct vt *v, struct grid *g, struct rect r, int back)
{
	back = back > v->kept_count ? v->kept_count : back;
	for (int row = 0; row < r.rows; row++)
		for (int col = 0; col < r.cols;) {
			VTermScreenCell cell = { .width = 1 };
			const VTermScreenCell *c = &cell;

			if (row < back)
				c = kept_cell(v, v->kept_count - back + row,
					      col);
			else if (row - back < v->rows && col < v->cols)
				vterm_screen_get_cell(v->screen, (VTermPos){
					row - back, col }, &cell);
			if (c)
				draw_cell(g, r.row + row, r.col + col,
					  r.cols - col, c);
			col += c && c->width > 1 ? c->width : 1;
		}
}
