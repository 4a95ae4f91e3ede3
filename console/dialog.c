/* Dialogs: see dialog.h.  Drawn over the view in the middle of the body. */
#include "console/dialog.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "console/keys.h"
#include "console/theme.h"
#include "engine/base/text.h"

void dialog_open(struct dialog *d, enum dialog_kind kind, const char *title,
		 dialog_done *done)
{
	*d = (struct dialog){ .kind = kind, .done = done };
	TEXT_SET(d->title, title);
}

void dialog_line(struct dialog *d, const char *fmt, ...)
{
	va_list ap;

	if (d->line_count == DIALOG_LINES_MAX)
		return;
	va_start(ap, fmt);
	vsnprintf(d->lines[d->line_count++], DIALOG_LINE_SIZE, fmt, ap);
	va_end(ap);
}

int dialog_choice(struct dialog *d, char key, bool enabled, const char *label,
		  const char *note)
{
	struct dialog_choice *c = &d->choices[d->choice_count];

	if (d->choice_count == DIALOG_CHOICES_MAX)
		return DIALOG_KEPT;
	*c = (struct dialog_choice){ .key = key, .enabled = enabled };
	TEXT_SET(c->label, label);
	TEXT_SET(c->note, note ? note : "");
	return d->choice_count++;
}

void dialog_buttons(struct dialog *d, const char *keep, const char *act)
{
	dialog_choice(d, 'n', true, keep, NULL);
	dialog_choice(d, 'y', true, act, NULL);
	d->at = 0;
}

void dialog_word(struct dialog *d, const char *label, const char *word)
{
	TEXT_SET(d->label, label);
	TEXT_SET(d->word, word);
}

static void finish(struct dialog *d, struct app *app, int choice)
{
	dialog_done *done = d->done;

	d->kind = DIALOG_NONE;
	if (done)
		done(app, choice);
}

static void move(struct dialog *d, int step)
{
	if (d->choice_count)
		d->at = (d->at + step + d->choice_count) % d->choice_count;
}

/* Text: arrows scroll, any other key closes. */
static void text_key(struct dialog *d, struct app *app, uint32_t key)
{
	enum intent intent = keys_intent(key);

	if (intent == INTENT_UP)
		d->scroll--;
	else if (intent == INTENT_DOWN)
		d->scroll++;
	else if (intent == INTENT_PAGE_UP)
		d->scroll -= 10;
	else if (intent == INTENT_PAGE_DOWN)
		d->scroll += 10;
	else
		finish(d, app, DIALOG_KEPT);
	d->scroll = d->scroll > d->scroll_max ? d->scroll_max : d->scroll;
	d->scroll = d->scroll < 0 ? 0 : d->scroll;
}

static bool leaves(uint32_t key)
{
	return key == KEYS_ESC || key == KEYS_F1 + 2 || key == KEYS_F12 ||
	       key == KEYS_CTRL('c');
}

/* Only the whole word does it; what else is typed waits to be the word. */
static void name_key(struct dialog *d, struct app *app, uint32_t key)
{
	size_t length = strlen(d->typed);

	if (leaves(key)) {
		finish(d, app, DIALOG_KEPT);
	} else if (key == KEYS_ENTER || key == '\n') {
		if (strcmp(d->typed, d->word) == 0)
			finish(d, app, 1);
		else if (length == 0)
			finish(d, app, DIALOG_KEPT);
	} else if (key == KEYS_BACKSPACE && length > 0) {
		d->typed[length - 1] = '\0';
	} else if (key == KEYS_CTRL('u')) {
		d->typed[0] = '\0';
	} else if (key > ' ' && key < 0x7f && length + 1 < sizeof(d->typed)) {
		d->typed[length] = (char)key;
		d->typed[length + 1] = '\0';
	}
}

void dialog_key(struct dialog *d, struct app *app, uint32_t key)
{
	if (d->kind == DIALOG_TEXT) {
		text_key(d, app, key);
		return;
	}
	if (d->kind == DIALOG_NAME) {
		name_key(d, app, key);
		return;
	}
	if (d->key && d->key(app, d, key))
		return;
	if (d->dry && (key == 'd' || key == 'l')) {
		finish(d, app, key == 'd' ? DIALOG_DRY_RUN : DIALOG_LIST);
		return;
	}
	for (int i = 0; i < d->choice_count; i++)
		if (key == (unsigned char)d->choices[i].key &&
		    d->choices[i].key) {
			d->at = i;
			if (d->choices[i].enabled)
				finish(d, app, i);
			return;
		}
	switch (key) {
	case KEYS_UP:
	case KEYS_LEFT:
	case KEYS_SHIFT_TAB:
	case 'k':
		move(d, -1);
		break;
	case KEYS_DOWN:
	case KEYS_RIGHT:
	case KEYS_TAB:
	case 'j':
		move(d, 1);
		break;
	case KEYS_ENTER:
	case '\n':
		if (d->choice_count && d->choices[d->at].enabled)
			finish(d, app, d->at);
		break;
	case 'n':
	case 'q':
		finish(d, app, DIALOG_KEPT);
		break;
	default:
		if (leaves(key))
			finish(d, app, DIALOG_KEPT);
	}
}

static int widest(const struct dialog *d, const struct grid *g)
{
	int width = text_cells(g->ascii, d->title) + 6, cells;
	int label = 0, note = 0;

	if (d->kind == DIALOG_NAME)
		width = text_cells(g->ascii, d->label) +
			text_cells(g->ascii, d->word) + 24;
	for (int i = 0; i < d->line_count; i++) {
		cells = text_cells(g->ascii, d->lines[i]) + 4;
		width = cells > width ? cells : width;
	}
	for (int i = 0; d->kind == DIALOG_MENU && i < d->choice_count; i++) {
		cells = text_cells(g->ascii, d->choices[i].label);
		label = cells > label ? cells : label;
		cells = text_cells(g->ascii, d->choices[i].note);
		note = cells > note ? cells : note;
	}
	width = label + note + 13 > width ? label + note + 13 : width;
	return width < g->cols ? width : g->cols;
}

static void draw_box(struct grid *g, struct rect r, const char *title)
{
	grid_blank(g, r);
	for (int i = 0; i < r.rows; i++) {
		grid_text(g, r.row + i, r.col, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
		grid_text(g, r.row + i, r.col + r.cols - 1, 1, ROLE_FRAME,
			  glyph(g->ascii, GLYPH_LINE_V));
	}
	for (int i = 0; i < 2; i++) {
		int row = i ? r.row + r.rows - 1 : r.row;

		grid_repeat(g, row, r.col, r.cols, ROLE_FRAME,
			    glyph(g->ascii, GLYPH_LINE_H));
		grid_text(g, row, r.col, 1, ROLE_FRAME,
			  glyph(g->ascii, i ? GLYPH_CORNER_BL :
					  GLYPH_CORNER_TL));
		grid_text(g, row, r.col + r.cols - 1, 1, ROLE_FRAME,
			  glyph(g->ascii, i ? GLYPH_CORNER_BR :
					  GLYPH_CORNER_TR));
	}
	grid_printf(g, r.row, r.col + 1, r.cols - 2, ROLE_TITLE, "%s %s ",
		    glyph(g->ascii, GLYPH_LINE_H), title);
}

static void draw_menu(struct dialog *d, struct grid *g, struct rect r)
{
	int label_width = 0;

	for (int i = 0; i < d->choice_count; i++) {
		int cells = text_cells(g->ascii, d->choices[i].label);

		label_width = cells > label_width ? cells : label_width;
	}
	if (d->at < d->scroll)
		d->scroll = d->at;
	if (d->at >= d->scroll + r.rows)
		d->scroll = d->at - r.rows + 1;
	for (int i = d->scroll; i < d->choice_count && i < d->scroll + r.rows;
	     i++) {
		const struct dialog_choice *c = &d->choices[i];
		enum role role = c->enabled ? ROLE_NORMAL : ROLE_OFF;
		int row = r.row + i - d->scroll;

		grid_printf(g, row, r.col, r.cols, role, "%s %c  %s",
			    i == d->at ? glyph(g->ascii, GLYPH_CURSOR) : " ",
			    c->key ? c->key : ' ', c->label);
		grid_text(g, row, r.col + label_width + 7,
			  r.cols - label_width - 7, ROLE_OFF, c->note);
		if (i == d->at) {
			grid_flag(g, (struct rect){ row, r.col, 1, r.cols },
				  CELL_SELECTED);
			grid_cursor(g, row, r.col + 5);
		}
	}
}

static void draw_buttons(struct dialog *d, struct grid *g, struct rect r)
{
	int col = r.col + 2;

	for (int i = 0; i < d->choice_count; i++) {
		char text[80];
		int used;

		snprintf(text, sizeof(text), "[ %s ]", d->choices[i].label);
		used = grid_text(g, r.row, col, r.col + r.cols - col,
				 ROLE_STRONG, text);
		if (i == d->at) {
			grid_flag(g, (struct rect){ r.row, col, 1, used },
				  CELL_SELECTED);
			grid_cursor(g, r.row, col + 2);
		}
		col += used + 4;
	}
	grid_printf(g, r.row + 2, r.col, r.cols, ROLE_NORMAL, "n, Esc, Enter = "
		    "keep    y = do it%s", d->dry ? "    d = dry run" : "");
}

static void draw_word(struct dialog *d, struct grid *g, struct rect r)
{
	int col = r.col;

	col += grid_printf(g, r.row, col, r.cols, ROLE_STRONG,
			   "To do it type %s", d->label);
	col += grid_text(g, r.row, col, r.cols - (col - r.col), ROLE_INPUT,
			 d->typed);
	grid_cursor(g, r.row, col);
	grid_text(g, r.row + 2, r.col, r.cols, ROLE_NORMAL, "Esc = keep    "
		  "Enter = do it, when the word is right");
}

void dialog_draw(struct dialog *d, struct grid *g)
{
	bool text = d->kind == DIALOG_TEXT;
	int gap = d->line_count > 0 && !text;
	bool ask = d->kind == DIALOG_ASK || d->kind == DIALOG_NAME;
	int extra = text ? 0 : gap + (ask ? 3 : d->choice_count + 1);
	int want = d->line_count + extra + 2 + !text;
	struct rect r = { .rows = want, .cols = widest(d, g) };
	int body, row;

	if (r.rows > g->rows - 4)
		r.rows = g->rows - 4;
	r.row = 2 + (g->rows - 4 - r.rows) / 2;
	r.col = (g->cols - r.cols) / 2;
	draw_box(g, r, d->title);
	if (extra > r.rows - 2)	/* a long menu in a small window scrolls */
		extra = r.rows - 2;
	body = r.rows - 2 - extra;
	d->scroll_max = d->kind == DIALOG_TEXT && d->line_count > body ?
			d->line_count - body : 0;
	row = r.row + 1 + (!text && r.rows == want);
	for (int i = text ? d->scroll : 0; i < d->line_count &&
	     row < r.row + r.rows - 1 - extra; i++)
		grid_text(g, row++, r.col + 2, r.cols - 4, ROLE_NORMAL,
			  d->lines[i]);
	struct rect in = { row + gap, r.col + 2,
			   r.row + r.rows - row - gap - 1, r.cols - 4 };

	if (d->kind == DIALOG_MENU)
		draw_menu(d, g, in);
	else if (d->kind == DIALOG_ASK)
		draw_buttons(d, g, in);
	else if (d->kind == DIALOG_NAME)
		draw_word(d, g, in);
	else
		grid_cursor(g, r.row + 1, r.col + 2);
	if (d->scroll_max)
		grid_printf(g, r.row + r.rows - 1, r.col + r.cols - 24, 22,
			    ROLE_FRAME, " %d more below ",
			    d->scroll_max - d->scroll);
}

const char *dialog_keys(const struct dialog *d)
{
	switch (d->kind) {
	case DIALOG_ASK:
		return d->dry ? "y Do it   n Enter Esc Keep   d Dry run   "
				"l List all   Tab Next button" :
				"y Do it   n Enter Esc Keep   Tab Next button";
	case DIALOG_NAME:
		return "type the word, then Enter   Ctrl-U Clear   Esc Keep";
	case DIALOG_MENU:
		return d->key_words ? d->key_words : "Enter Choose   letter Choose at once   Esc Close";
	case DIALOG_TEXT:
		return "Up Down Scroll   any other key closes";
	case DIALOG_NONE:
		break;
	}
	return "";
}
