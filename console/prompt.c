/* The input line: see prompt.h.  Pure but for drawing into cells. */
#include "console/prompt.h"

#include <stdio.h>
#include <string.h>

#include "console/keys.h"
#include "console/theme.h"
#include "engine/base/text.h"

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *label,
		 const char *text)
{
	p->kind = kind;
	TEXT_SET(p->label, label);
	TEXT_SET(p->text, text);
	p->length = p->at = strlen(p->text);
	p->candidate_count = 0;
	p->candidate = -1;
	p->history_at = 0;
	p->searching = false;
}

void prompt_close(struct prompt *p, bool remember)
{
	p->kind = PROMPT_NONE;
	p->candidate_count = 0;
	if (!remember || p->length == 0 ||
	    (p->history_count &&
	     strcmp(p->history[p->history_count - 1], p->text) == 0))
		return;
	if (p->history_count == PROMPT_HISTORY_MAX) {
		memmove(p->history[0], p->history[1],
			sizeof(p->history) - sizeof(p->history[0]));
		p->history_count--;
	}
	TEXT_SET(p->history[p->history_count], p->text);
	p->history_count++;
	p->remembered++;
}

static bool continues(char c)
{
	return ((unsigned char)c & 0xc0) == 0x80;
}

static size_t step_back(const struct prompt *p, size_t at)
{
	if (at > 0)
		at--;
	while (at > 0 && continues(p->text[at]))
		at--;
	return at;
}

static size_t step_on(const struct prompt *p, size_t at)
{
	if (at < p->length)
		at++;
	while (at < p->length && continues(p->text[at]))
		at++;
	return at;
}

static void cut(struct prompt *p, size_t from, size_t to)
{
	memmove(p->text + from, p->text + to, p->length - to + 1);
	p->length -= to - from;
	p->at = from;
}

static bool insert(struct prompt *p, const char *bytes, size_t n)
{
	if (p->length + n >= sizeof(p->text))
		return false;
	memmove(p->text + p->at + n, p->text + p->at, p->length - p->at + 1);
	memcpy(p->text + p->at, bytes, n);
	p->length += n;
	p->at += n;
	return true;
}

static size_t utf8_put(char *out, uint32_t cp)
{
	if (cp < 0x80) {
		out[0] = (char)cp;
		return 1;
	}
	size_t n = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;

	for (size_t i = n - 1; i > 0; i--) {
		out[i] = (char)(0x80 | (cp & 0x3f));
		cp >>= 6;
	}
	out[0] = (char)((n == 2 ? 0xc0 : n == 3 ? 0xe0 : 0xf0) | cp);
	return n;
}

/* What is typed or pasted may be anything; only what can be shown stays. */
static enum prompt_result insert_key(struct prompt *p, uint32_t key,
				     bool pasted)
{
	char raw[4], shown[16];
	size_t n;

	if (pasted && (key == KEYS_ENTER || key == '\n' || key == KEYS_TAB))
		key = ' ';
	if (key < 0x20 || key >= KEYS_NAMED)
		return PROMPT_TYPING;
	n = utf8_put(raw, key);
	text_display(shown, sizeof(shown), raw, n);
	if (strlen(shown) != n || memcmp(shown, raw, n) != 0)
		return PROMPT_TYPING;
	if (p->kind == PROMPT_NUMBER && (key < '0' || key > '9'))
		return PROMPT_TYPING;
	return insert(p, raw, n) ? PROMPT_CHANGED : PROMPT_TYPING;
}

static enum prompt_result recall(struct prompt *p, int step)
{
	int at = p->history_at + step;

	if (p->kind != PROMPT_COMMAND || at < 0 || at > p->history_count)
		return PROMPT_TYPING;
	p->history_at = at;
	TEXT_SET(p->text, at ? p->history[p->history_count - at] : "");
	p->length = p->at = strlen(p->text);
	return PROMPT_CHANGED;
}

/* Ctrl-R: the next older line that has what was typed before the first one. */
static enum prompt_result search_back(struct prompt *p)
{
	if (p->kind != PROMPT_COMMAND)
		return PROMPT_TYPING;
	if (!p->searching) {
		TEXT_SET(p->search, p->text);
		p->searching = true;
	}
	for (int at = p->history_at + 1; at <= p->history_count; at++) {
		if (!strstr(p->history[p->history_count - at], p->search))
			continue;
		p->history_at = at;
		TEXT_SET(p->text, p->history[p->history_count - at]);
		p->length = p->at = strlen(p->text);
		return PROMPT_CHANGED;
	}
	return PROMPT_TYPING;
}

static enum prompt_result erase_word(struct prompt *p)
{
	size_t from = p->at;

	while (from > 0 && p->text[from - 1] == ' ')
		from--;
	while (from > 0 && p->text[from - 1] != ' ')
		from--;
	cut(p, from, p->at);
	return PROMPT_CHANGED;
}

/* Keys that edit or move; PROMPT_TYPING when the key is none of them and
 * *known stays false. */
static enum prompt_result edit_key(struct prompt *p, uint32_t key, bool *known)
{
	*known = true;
	switch (key) {
	case KEYS_BACKSPACE:
		if (p->length == 0)
			return PROMPT_CANCELLED;
		cut(p, step_back(p, p->at), p->at);
		return PROMPT_CHANGED;
	case KEYS_DELETE:
		cut(p, p->at, step_on(p, p->at));
		return PROMPT_CHANGED;
	case KEYS_CTRL('u'):
		cut(p, 0, p->at);
		return PROMPT_CHANGED;
	case KEYS_CTRL('k'):
		p->text[p->length = p->at] = '\0';
		return PROMPT_CHANGED;
	case KEYS_CTRL('w'):
		return erase_word(p);
	case KEYS_LEFT:
	case KEYS_CTRL('b'):
		p->at = step_back(p, p->at);
		return PROMPT_TYPING;
	case KEYS_RIGHT:
	case KEYS_CTRL('f'):
		p->at = step_on(p, p->at);
		return PROMPT_TYPING;
	case KEYS_HOME:
	case KEYS_CTRL('a'):
		p->at = 0;
		return PROMPT_TYPING;
	case KEYS_END:
	case KEYS_CTRL('e'):
		p->at = p->length;
		return PROMPT_TYPING;
	case KEYS_UP:
		return recall(p, 1);
	case KEYS_DOWN:
		return recall(p, -1);
	}
	*known = false;
	return PROMPT_TYPING;
}

enum prompt_result prompt_key(struct prompt *p, uint32_t key, bool pasted)
{
	enum prompt_result result;
	bool known;

	if (!pasted && (key == KEYS_TAB || key == KEYS_SHIFT_TAB))
		return PROMPT_COMPLETE;
	p->candidate_count = 0;
	p->candidate = -1;
	if (key == KEYS_CTRL('r') && !pasted)
		return search_back(p);
	p->searching = false;
	if (pasted)
		return insert_key(p, key, true);
	if (key == KEYS_ENTER || key == '\n')
		return PROMPT_DONE;
	if (key == KEYS_ESC || key == KEYS_CTRL('c') || key == KEYS_F12 ||
	    key == KEYS_F1 + 2)
		return PROMPT_CANCELLED;
	result = edit_key(p, key, &known);
	return known ? result : insert_key(p, key, false);
}

void prompt_candidate(struct prompt *p, const char *word)
{
	if (p->candidate_count == PROMPT_CANDIDATES_MAX)
		return;
	for (int i = 0; i < p->candidate_count; i++)
		if (strcmp(p->candidates[i], word) == 0)
			return;
	TEXT_SET(p->candidates[p->candidate_count], word);
	p->candidate_count++;
}

static void replace_word(struct prompt *p, const char *word, size_t n,
			 bool final)
{
	cut(p, p->word, p->at);
	insert(p, word, n);
	if (final && p->at == p->length)
		insert(p, " ", 1);
}

void prompt_completed(struct prompt *p, bool backwards)
{
	size_t common, typed = p->at - p->word;

	if (p->candidate_count == 0)
		return;
	common = strlen(p->candidates[0]);
	for (int i = 1; i < p->candidate_count; i++) {
		size_t n = 0;

		while (n < common &&
		       p->candidates[i][n] == p->candidates[0][n])
			n++;
		common = n;
	}
	if (p->candidate < 0 && (common > typed || p->candidate_count == 1)) {
		replace_word(p, p->candidates[0], common,
			     p->candidate_count == 1);
		if (p->candidate_count == 1)
			p->candidate_count = 0;
		return;
	}
	p->candidate = (p->candidate + (backwards ? p->candidate_count - 1 :
					1)) % p->candidate_count;
	if (p->candidate < 0)
		p->candidate = p->candidate_count - 1;
	replace_word(p, p->candidates[p->candidate],
		     strlen(p->candidates[p->candidate]), false);
}

void prompt_draw(const struct prompt *p, struct grid *g, int row, int cols)
{
	char before[PROMPT_TEXT_SIZE];
	const char *text = p->text;
	int col = 1 + grid_text(g, row, 1, cols - 1, ROLE_STRONG, p->label);
	int at;

	text_copy_slice(before, sizeof(before),
			(struct slice){ p->text, (uint32_t)p->at });
	at = text_cells(g->ascii, before);
	/* A long line shows the end that is being typed. */
	while (at > cols - col - 2 && at > 0 && *text) {
		const char *next = text + 1;
		char first[8];

		while (continues(*next))
			next++;
		text_copy_slice(first, sizeof(first),
				(struct slice){ text,
						(uint32_t)(next - text) });
		at -= text_cells(g->ascii, first);
		text = next;
	}
	grid_text(g, row, col, cols - col - 1, ROLE_INPUT, text);
	grid_cursor(g, row, col + at);
}

void prompt_draw_candidates(const struct prompt *p, struct grid *g, int row)
{
	int width = 24, lines = p->candidate_count, top, first = 0;

	if (p->kind == PROMPT_NONE || lines < 2)
		return;
	for (int i = 0; i < p->candidate_count; i++) {
		int cells = text_cells(g->ascii, p->candidates[i]) + 4;

		width = cells > width ? cells : width;
	}
	lines = lines > 8 ? 8 : lines;
	lines = lines > row - 3 ? row - 3 : lines;
	if (p->candidate >= lines)
		first = p->candidate - lines + 1;
	top = row - lines - 1;
	if (lines < 1)
		return;
	/* From the edge on, and one cell more: no piece of a frame sticks to it. */
	grid_blank(g, (struct rect){ top, 0, lines + 1, width + 2 });
	grid_repeat(g, top, 0, width + 2, ROLE_FRAME,
		    glyph(g->ascii, GLYPH_LINE_H));
	for (int i = 0; i < lines; i++) {
		bool chosen = first + i == p->candidate;

		grid_printf(g, top + 1 + i, 1, width, ROLE_NORMAL, " %s %s",
			    chosen ? glyph(g->ascii, GLYPH_CURSOR) : " ",
			    p->candidates[first + i]);
		if (chosen)
			grid_flag(g, (struct rect){ top + 1 + i, 1, 1, width },
				  CELL_SELECTED);
	}
	if (p->candidate_count > lines)
		grid_printf(g, top, 3, width - 4, ROLE_FRAME, " %d words ",
			    p->candidate_count);
}
