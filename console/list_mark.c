/*
 * Marks of a list: see list.h.  A sorted array of keys, so that a list of ten
 * thousand is marked and filled again without a search for each.
 */
#include "console/list.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

/* Where key is, or where it would go. */
static size_t place_of(const struct list_view *l, uint64_t key)
{
	size_t low = 0, high = l->mark_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (l->marks[middle] < key)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool list_view_is_marked(const struct list_view *l, uint64_t key)
{
	size_t at = place_of(l, key);

	return at < l->mark_count && l->marks[at] == key;
}

static void set(struct list_view *l, uint64_t key, bool on)
{
	size_t at = place_of(l, key);
	bool marked = at < l->mark_count && l->marks[at] == key;

	if (on == marked)
		return;
	if (!on) {
		l->mark_count--;
		memmove(l->marks + at, l->marks + at + 1,
			(l->mark_count - at) * sizeof(*l->marks));
		return;
	}
	if (l->mark_count == l->mark_size) {
		l->mark_size = l->mark_size ? l->mark_size * 2 : 64;
		l->marks = realloc(l->marks, l->mark_size * sizeof(*l->marks));
		CHECK("", l->marks, "out of memory");
	}
	memmove(l->marks + at + 1, l->marks + at,
		(l->mark_count - at) * sizeof(*l->marks));
	l->marks[at] = key;
	l->mark_count++;
}

void list_view_mark(struct list_view *l, uint64_t key, bool on)
{
	set(l, key, on);
	for (size_t i = 0; i < l->count; i++)
		if (l->rows[i].key == key)
			l->rows[i].marked = on;
}

void list_view_mark_toggle(struct list_view *l)
{
	if (l->cursor >= l->shown_count)
		return;
	struct list_row *row = &l->rows[l->shown[l->cursor]];

	row->marked = !row->marked;
	set(l, row->key, row->marked);
	list_view_intent(l, INTENT_DOWN);
}

static int compare_keys(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* The array anew from the rows' flags. */
static void collect(struct list_view *l)
{
	size_t count = 0;

	for (size_t i = 0; i < l->count; i++)
		count += l->rows[i].marked;
	if (count > l->mark_size) {
		l->marks = realloc(l->marks, count * sizeof(*l->marks));
		CHECK("", l->marks, "out of memory");
		l->mark_size = count;
	}
	l->mark_count = 0;
	for (size_t i = 0; i < l->count; i++)
		if (l->rows[i].marked)
			l->marks[l->mark_count++] = l->rows[i].key;
	if (l->mark_count)
		qsort(l->marks, l->mark_count, sizeof(*l->marks), compare_keys);
}

void list_view_mark_shown(struct list_view *l)
{
	for (size_t i = 0; i < l->shown_count; i++)
		l->rows[l->shown[i]].marked = true;
	collect(l);
}

void list_view_mark_none(struct list_view *l)
{
	for (size_t i = 0; i < l->count; i++)
		l->rows[i].marked = false;
	l->mark_count = 0;
}

size_t list_view_mark_matching(struct list_view *l, const char *filter, bool on,
			       const struct list_context *context)
{
	size_t changed = 0;

	for (size_t i = 0; i < l->shown_count; i++) {
		struct list_row *row = &l->rows[l->shown[i]];

		if (row->marked == on ||
		    !list_view_matches(l, filter, context, row->item))
			continue;
		row->marked = on;
		changed++;
	}
	collect(l);
	return changed;
}

size_t list_view_marked_hidden(const struct list_view *l)
{
	size_t hidden = 0;

	for (size_t i = 0; i < l->count; i++)
		hidden += l->rows[i].marked && !l->rows[i].shown;
	return hidden;
}

void list_view_mark_refresh(struct list_view *l)
{
	if (l->mark_count == 0)
		return;
	for (size_t i = 0; i < l->count; i++)
		l->rows[i].marked = list_view_is_marked(l, l->rows[i].key);
	collect(l);
}
