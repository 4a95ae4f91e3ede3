/*
 * List views: see list.h; marks are in list_mark.c, drawing in list_draw.c.
 * Rows are kept sorted whole and filtered by index, so typing in a filter never
 * sorts again.  Sorting reads every item once; a key press moves only numbers
 * and draws only the visible lines.
 */
#include "console/list.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/text.h"

void list_view_init(struct list_view *l, const struct column *columns,
		    int count, int sort)
{
	*l = (struct list_view){ .columns = columns, .column_count = count,
				 .sort = sort, .page = 1,
				 .inverted = columns[sort].newest_first };
	CHECK("", count <= LIST_COLUMNS_MAX);
	for (int i = 0; i < count; i++)
		l->order[i] = (uint8_t)i;
}

static void drop_rows(struct list_view *l)
{
	for (size_t i = 0; i < l->count; i++)
		json_decref(l->rows[i].item);
	l->count = 0;
}

void list_view_fini(struct list_view *l)
{
	drop_rows(l);
	free(l->rows);
	free(l->shown);
	free(l->marks);
	*l = (struct list_view){ 0 };
}

void list_view_begin(struct list_view *l)
{
	drop_rows(l);
}

void list_view_add(struct list_view *l, uint64_t key, json_t *item)
{
	list_view_add_named(l, key, item, NULL);
}

void list_view_add_named(struct list_view *l, uint64_t key, json_t *item,
			 const char *name)
{
	if (l->count == l->size) {
		l->size = l->size ? l->size * 2 : 64;
		l->rows = realloc(l->rows, l->size * sizeof(*l->rows));
		l->shown = realloc(l->shown, l->size * sizeof(*l->shown));
		CHECK("", l->rows && l->shown, "out of memory");
	}
	l->rows[l->count++] = (struct list_row){
		.key = key, .item = json_incref(item), .name = name,
		.shown = true };
}

void list_view_field(const struct list_view *l, int column,
		     const struct list_context *context, const json_t *item,
		     struct field *out)
{
	const struct column *c = &l->columns[column];

	*out = (struct field){ .text = "" };
	if (c->get)
		c->get(context, item, out);
	else
		field_get(c->as, c->member, c->kind, context, item, out);
}

/* ---- filter ---------------------------------------------------------- */

static bool contains(const char *text, const char *word, size_t length)
{
	for (; strlen(text) >= length; text++)
		if (strncasecmp(text, word, length) == 0)
			return true;
	return length == 0;
}

/* The letters of word, in order, with anything between them. */
static bool resembles(const char *text, const char *word, size_t length)
{
	size_t at = 0;

	for (; *text && at < length; text++)
		at += tolower((unsigned char)*text) ==
		      tolower((unsigned char)word[at]);
	return at == length;
}

static bool word_matches(const struct list_view *l,
			 const struct list_context *context,
			 const json_t *item, const char *word, size_t length)
{
	const char *equals = memchr(word, '=', length);
	size_t name = equals ? (size_t)(equals - word) : 0;
	bool fuzzy = length > 1 && *word == '~';

	for (int i = 0; i < l->column_count; i++) {
		struct field f;
		const char *value = equals ? equals + 1 : word + fuzzy;
		size_t n = length - (size_t)(value - word);

		if (equals && (strlen(l->columns[i].title) != name ||
			       strncasecmp(l->columns[i].title, word, name)))
			continue;
		list_view_field(l, i, context, item, &f);
		if (fuzzy ? resembles(f.text, value, n) :
		    contains(f.text, value, n))
			return true;
	}
	return false;
}

bool list_view_matches(const struct list_view *l, const char *filter,
		       const struct list_context *context, const json_t *item)
{
	const char *word = filter;

	for (;;) {
		word += strspn(word, " ");
		size_t length = strcspn(word, " ");

		if (length == 0)
			return true;
		bool not = *word == '!';

		if (length > not && word_matches(l, context, item, word + not,
						 length - not) == not)
			return false;
		word += length;
	}
}

/* ---- order ----------------------------------------------------------- */

/* What is compared of a row; its text is the item's or a constant's when it can
 * be: 10,000 of these are made for a list of as many. */
struct sort_key {
	const char *text;
	int64_t number;
	bool has_number, owned;
	struct list_row row;
};

/* What has no number stands before what has one. */
static int compare_keys(const void *a, const void *b)
{
	const struct sort_key *x = a, *y = b;
	int order;

	if (x->has_number && y->has_number)
		order = x->number < y->number ? -1 : x->number > y->number;
	else if (x->has_number != y->has_number)
		order = x->has_number - y->has_number;
	else
		order = strverscmp(x->text, y->text);
	return order ? order : x->row.key < y->row.key ? -1 : 1;
}

static void key_make(const struct list_view *l, const struct list_row *row,
		     const struct list_context *context, struct sort_key *out)
{
	const struct column *c = &l->columns[l->sort];
	struct field f;

	if (row->name && *row->name && !c->get && c->as == AS_TEXT &&
	    strcmp(c->member, "name") == 0) {
		*out = (struct sort_key){ .text = row->name, .row = *row };
		return;
	}
	list_view_field(l, l->sort, context, row->item, &f);
	*out = (struct sort_key){ .text = f.text, .number = f.number,
				  .has_number = f.has_number, .row = *row,
				  .owned = f.text == f.buf && !f.has_number };
	if (!out->owned)
		return;
	out->text = strdup(f.buf);
	CHECK("", out->text, "out of memory");
}

static void key_free(struct sort_key *key)
{
	if (key->owned)
		free((char *)(uintptr_t)key->text);
}

/* An engine tells most things in the order of their names: then nothing is to
 * be done. */
static bool in_order(const struct list_view *l,
		     const struct list_context *context)
{
	struct sort_key last = { 0 }, next;
	bool so = true;

	for (size_t i = 0; i < l->count && so; i++) {
		key_make(l, &l->rows[i], context, &next);
		so = i == 0 || compare_keys(&last, &next) < 0;
		key_free(&last);
		last = next;
	}
	key_free(&last);
	return so;
}

static void sort_rows(struct list_view *l, const struct list_context *context)
{
	struct sort_key *keys;

	if (!l->inverted && in_order(l, context))
		return;
	keys = malloc((l->count + 1) * sizeof(*keys));
	CHECK("", keys, "out of memory");
	for (size_t i = 0; i < l->count; i++)
		key_make(l, &l->rows[i], context, &keys[i]);
	qsort(keys, l->count, sizeof(*keys), compare_keys);
	for (size_t i = 0; i < l->count; i++) {
		l->rows[l->inverted ? l->count - 1 - i : i] = keys[i].row;
		key_free(&keys[i]);
	}
	free(keys);
}

/* Shown rows anew; the cursor finds its object again or keeps its line. */
static void refilter(struct list_view *l, const struct list_context *context)
{
	bool found = false;

	l->shown_count = 0;
	for (size_t i = 0; i < l->count; i++) {
		l->rows[i].shown = list_view_matches(l, l->filter,
						     context,
						     l->rows[i].item);
		if (!l->rows[i].shown)
			continue;
		if (l->rows[i].key == l->cursor_key && l->cursor_key &&
		    !l->follow) {
			l->cursor = l->shown_count;
			found = true;
		}
		l->shown[l->shown_count++] = i;
	}
	if (l->follow)
		l->cursor = 0;
	if (l->cursor >= l->shown_count)
		l->cursor = l->shown_count ? l->shown_count - 1 : 0;
	/* An empty list keeps the key: the object may come back. */
	if (!found && l->shown_count)
		l->cursor_key = l->rows[l->shown[l->cursor]].key;
}

void list_view_end(struct list_view *l, const struct list_context *context)
{
	sort_rows(l, context);
	list_view_mark_refresh(l);
	refilter(l, context);
}

void list_view_set_filter(struct list_view *l, const char *filter,
			  const struct list_context *context)
{
	TEXT_SET(l->filter, filter);
	if (*filter)	/* n and N go on with it when it is cleared */
		TEXT_SET(l->search, filter);
	refilter(l, context);
}

void list_view_sort(struct list_view *l, int column, bool inverted,
		    const struct list_context *context)
{
	l->sort = column;
	l->inverted = inverted;
	sort_rows(l, context);
	refilter(l, context);
}

/* ---- cursor ---------------------------------------------------------- */

static void move_to(struct list_view *l, int64_t at)
{
	if (at >= (int64_t)l->shown_count)
		at = (int64_t)l->shown_count - 1;
	if (at < 0)
		at = 0;
	l->cursor = (size_t)at;
	if (l->shown_count)
		l->cursor_key = l->rows[l->shown[at]].key;
}

bool list_view_intent(struct list_view *l, enum intent intent)
{
	int64_t at = (int64_t)l->cursor;
	int step = l->page > 1 ? l->page - 1 : 1;

	if (intent == INTENT_UP)
		at--;
	else if (intent == INTENT_DOWN)
		at++;
	else if (intent == INTENT_PAGE_UP)
		at -= step;
	else if (intent == INTENT_PAGE_DOWN)
		at += step;
	else if (intent == INTENT_FIRST)
		at = 0;
	else if (intent == INTENT_LAST)
		at = (int64_t)l->shown_count - 1;
	else
		return false;
	if (at > 0)
		l->follow = false;
	move_to(l, at);
	return true;
}

bool list_view_select_line(struct list_view *l, size_t line)
{
	if (line >= l->shown_count)
		return false;
	l->follow = l->follow && line == 0;
	move_to(l, (int64_t)line);
	return true;
}

bool list_view_select(struct list_view *l, uint64_t key)
{
	for (size_t i = 0; i < l->shown_count; i++)
		if (l->rows[l->shown[i]].key == key) {
			move_to(l, (int64_t)i);
			return true;
		}
	return false;
}

bool list_view_find(struct list_view *l, bool backwards,
		    const struct list_context *context)
{
	size_t n = l->shown_count;

	for (size_t i = 1; i <= n && *l->search; i++) {
		size_t at = (l->cursor + (backwards ? n - i : i)) % n;

		if (!list_view_matches(l, l->search, context,
				       l->rows[l->shown[at]].item))
			continue;
		l->follow = l->follow && at == 0;
		move_to(l, (int64_t)at);
		return true;
	}
	return false;
}

json_t *list_view_selected(const struct list_view *l)
{
	return l->cursor < l->shown_count ?
	       l->rows[l->shown[l->cursor]].item : NULL;
}

size_t list_view_below(const struct list_view *l)
{
	size_t last = l->top + (size_t)l->page;

	return last < l->shown_count ? l->shown_count - last : 0;
}
