/* Lists: order, filter, and a cursor that sticks to its object. */
#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "console/list.h"
#include "console/model.h"
#include "tests/tap.h"

static void get_name(const struct list_context *c, const json_t *item,
		     struct field *out)
{
	(void)c;
	out->text = item_text(item, "name");
}

static void get_size(const struct list_context *c, const json_t *item,
		     struct field *out)
{
	(void)c;
	out->number = item_int(item, "size", 0);
	out->has_number = true;
	snprintf(out->buf, sizeof(out->buf), "%" PRId64, out->number);
	out->text = out->buf;
}

static const struct column columns[] = {
	{ "NAME", 6, 10, 0, .get = get_name },
	{ "SIZE", 4, 0, 1, true, .get = get_size },
	{ "AGAIN", 8, 0, 2, .get = get_name },
};

static const struct list_context context;

/* "id:name:size" words. */
static void fill(struct list_view *l, const char *words)
{
	char name[32];
	int id, size, used;

	list_view_begin(l);
	while (sscanf(words, " %d:%31[^:]:%d%n", &id, name, &size, &used) == 3) {
		json_t *item = json_pack("{s:s,s:i}", "name", name, "size",
					 size);

		list_view_add(l, (uint64_t)id, item);
		json_decref(item);
		words += used;
	}
	list_view_end(l, &context);
}

static const char *shown(const struct list_view *l)
{
	static char out[512];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < l->shown_count; i++)
		used += (size_t)snprintf(out + used, sizeof(out) - used,
					 "%s%s", i ? " " : "",
					 item_text(l->rows[l->shown[i]].item,
						   "name"));
	return out;
}

static const char *at(const struct list_view *l)
{
	return item_text(list_view_selected(l), "name");
}

static void test_order(struct list_view *l)
{
	fill(l, "1:m-10:5 2:m-9:7 3:m-1:6");
	is_text(shown(l), "m-1 m-9 m-10", "names sort with their numbers");
	list_view_sort(l, 1, false, &context);
	is_text(shown(l), "m-10 m-1 m-9", "numbers sort as numbers");
	list_view_sort(l, 1, true, &context);
	is_text(shown(l), "m-9 m-1 m-10", "and the other way");
	fill(l, "4:b:1 2:a:1 3:c:1");
	list_view_sort(l, 1, false, &context);
	is_text(shown(l), "a c b", "equal ones keep the order of their keys");
	list_view_sort(l, 0, false, &context);
}

static void test_sticky(struct list_view *l)
{
	fill(l, "1:a:1 2:b:2 3:c:3 4:d:4");
	list_view_intent(l, INTENT_FIRST);
	list_view_intent(l, INTENT_DOWN);
	list_view_intent(l, INTENT_DOWN);
	is_text(at(l), "c", "two lines down");
	fill(l, "9:aa:1 1:a:1 2:b:2 3:c:3 4:d:4");
	is_text(at(l), "c", "a new line above does not move the cursor");
	list_view_sort(l, 1, true, &context);
	is_text(at(l), "c", "nor does another order");
	list_view_sort(l, 0, false, &context);
	fill(l, "9:aa:1 1:a:1 2:b:2 4:d:4");
	is_text(at(l), "d", "when the object is gone the line stays");
	fill(l, "9:aa:1");
	is_text(at(l), "aa", "or the last line");
	fill(l, "");
	ok(list_view_selected(l) == NULL, "nothing is selected in nothing");
	list_view_intent(l, INTENT_LAST);
	list_view_intent(l, INTENT_PAGE_UP);
	fill(l, "1:a:1 2:b:2 9:aa:3");
	is_text(at(l), "aa", "it finds its object when that comes back");
	ok(list_view_select(l, 2) && strcmp(at(l), "b") == 0, "select by key");
	ok(!list_view_select(l, 77), "a key that is not there");
}

static void test_filter(struct list_view *l)
{
	fill(l, "1:mail-1:1 2:mail-2:2 3:backup-1:3 4:stat:40");
	list_view_select(l, 2);
	list_view_set_filter(l, "MAIL", &context);
	is_text(shown(l), "mail-1 mail-2", "any case");
	is_text(at(l), "mail-2", "the cursor stays on its object");
	list_view_set_filter(l, "!mail", &context);
	is_text(shown(l), "backup-1 stat", "not");
	list_view_set_filter(l, "-1 !back", &context);
	is_text(shown(l), "mail-1", "all words must match");
	list_view_set_filter(l, "size=4", &context);
	is_text(shown(l), "stat", "one column only");
	list_view_set_filter(l, "!size=4", &context);
	is_text(shown(l), "backup-1 mail-1 mail-2", "not in one column");
	list_view_set_filter(l, "~bkp", &context);
	is_text(shown(l), "backup-1", "letters in their order");
	list_view_set_filter(l, "~pkb", &context);
	is_int(l->shown_count, 0, "not in another order");
	ok(list_view_selected(l) == NULL, "no line, no selection");
	list_view_set_filter(l, "! ~ =", &context);
	is_int(l->shown_count, 0, "odd words are only words");
	list_view_set_filter(l, "", &context);
	is_int(l->shown_count, 4, "all again");
}

static void test_follow(struct list_view *l)
{
	list_view_sort(l, 1, true, &context);
	fill(l, "1:a:1 2:b:2");
	l->follow = true;
	fill(l, "1:a:1 2:b:2 3:c:3");
	is_text(at(l), "c", "following shows the newest");
	list_view_intent(l, INTENT_DOWN);
	ok(!l->follow, "moving down stops that");
	fill(l, "1:a:1 2:b:2 3:c:3 4:d:4");
	is_text(at(l), "b", "and then the cursor stays");
	list_view_sort(l, 0, false, &context);
}

static void test_draw(struct list_view *l)
{
	struct grid g;
	char line[256], position[64];

	fill(l, "1:a:1 2:b:2 3:c:3 4:d:4 5:e:5");
	list_view_intent(l, INTENT_LAST);
	grid_init(&g, 4, 16, true);
	list_view_draw(l, &g, (struct rect){ 0, 0, 4, 16 }, &context, true,
		       true);
	grid_line(&g, 0, line, sizeof(line));
	is_text(line, "  NAME      SIZE", "the last column is dropped first");
	grid_line(&g, 3, line, sizeof(line));
	is_text(line, "> e            5", "the cursor's line is visible");
	is_int(list_view_below(l), 0, "nothing below");
	is_text(list_view_position(l, true, position, sizeof(position)),
		"3-5 of 5", "position");
	is_int(g.cursor_row, 3, "the terminal's cursor is on it");
	list_view_intent(l, INTENT_FIRST);
	list_view_draw(l, &g, (struct rect){ 0, 0, 4, 16 }, &context, true,
		       true);
	is_int(list_view_below(l), 2, "two lines below");
	grid_fini(&g);
	grid_init(&g, 1, 1, true);
	list_view_draw(l, &g, (struct rect){ 0, 0, 1, 1 }, &context, true,
		       true);
	list_view_draw(l, &g, (struct rect){ 0, 0, 0, 0 }, &context, true,
		       true);
	grid_fini(&g);
	ok(true, "drawing in no space at all does no harm");
}

static const char *marked(const struct list_view *l)
{
	static char out[256];
	size_t used = 0;

	out[0] = '\0';
	for (size_t i = 0; i < l->count; i++)
		if (l->rows[i].marked)
			used += (size_t)snprintf(out + used, sizeof(out) - used,
						 "%s%s", used ? " " : "",
						 item_text(l->rows[i].item,
							   "name"));
	return out;
}

static void test_marks(struct list_view *l)
{
	fill(l, "1:a:1 2:b:2 3:c:3 4:d:4");
	list_view_intent(l, INTENT_FIRST);
	list_view_mark_toggle(l);
	list_view_mark_toggle(l);
	is_text(marked(l), "a b", "marking goes on to the next line");
	is_text(at(l), "c", "where the cursor is now");
	fill(l, "9:aa:1 1:a:1 3:c:3 4:d:4");
	is_text(marked(l), "a", "marks stick to objects; that of a gone one goes");
	is_int(l->mark_count, 1, "and is not counted");
	fill(l, "9:aa:1 1:a:1 2:b:2 3:c:3 4:d:4");
	is_text(marked(l), "a", "also when another of that key comes");
	list_view_set_filter(l, "c", &context);
	list_view_mark_shown(l);
	list_view_set_filter(l, "", &context);
	is_text(marked(l), "a c", "all shown are not all there are");
	list_view_set_filter(l, "!a", &context);
	is_int(list_view_marked_hidden(l), 1, "a marked one that is hidden is counted");
	is_int(list_view_mark_matching(l, "b", true, &context), 1,
	       "one matches the pattern");
	is_int(list_view_mark_matching(l, "!c", false, &context), 1,
	       "and one does not match the other");
	list_view_set_filter(l, "", &context);
	is_text(marked(l), "a c", "the hidden one was left alone");
	list_view_mark(l, 1, false);
	list_view_mark(l, 77, false);
	is_text(marked(l), "c", "one mark off by its key");
	list_view_mark_none(l);
	is_text(marked(l), "", "none");
	fill(l, "");
	list_view_mark_toggle(l);
	list_view_mark_shown(l);
	is_int(l->mark_count, 0, "there is nothing to mark in nothing");
}

static void test_search(struct list_view *l)
{
	fill(l, "1:mail-1:1 2:backup:2 3:mail-2:3");
	list_view_intent(l, INTENT_FIRST);
	ok(!list_view_find(l, false, &context) || *l->search,
	   "nothing to look for yet, or what was filtered");
	list_view_set_filter(l, "mail", &context);
	list_view_set_filter(l, "", &context);
	is_text(at(l), "mail-1", "the cursor stayed on a hit");
	ok(list_view_find(l, false, &context), "the next");
	is_text(at(l), "mail-2", "hit");
	ok(list_view_find(l, false, &context), "and around");
	is_text(at(l), "mail-1", "the end");
	ok(list_view_find(l, true, &context), "and back");
	is_text(at(l), "mail-2", "again");
	list_view_set_filter(l, "xyz", &context);
	list_view_set_filter(l, "", &context);
	ok(!list_view_find(l, false, &context), "what is not there is not found");
}

static void test_columns(struct list_view *l)
{
	char text[128];
	struct grid g;
	char line[256];

	list_view_columns(l, text, sizeof(text));
	is_text(text, "NAME|SIZE|AGAIN", "columns in words");
	list_view_set_columns(l, "NAME|AGAIN|-SIZE");
	list_view_columns(l, text, sizeof(text));
	is_text(text, "NAME|AGAIN|-SIZE", "another order, one hidden");
	list_view_set_columns(l, "-AGAIN|NOSUCH|AGAIN|SIZE");
	list_view_columns(l, text, sizeof(text));
	is_text(text, "AGAIN|SIZE|NAME",
		"unknown and second ones go, missing ones come, the first is seen");
	list_view_set_columns(l, "");
	fill(l, "1:a:1");
	grid_init(&g, 2, 40, true);
	list_view_sideways(l, 1);
	list_view_draw(l, &g, (struct rect){ 0, 0, 2, 40 }, &context, true,
		       true);
	grid_line(&g, 0, line, sizeof(line));
	is_text(line, "  NAME       AGAIN", "to the right the first column stays");
	for (int i = 0; i < 9; i++)
		list_view_sideways(l, 1);
	is_int(l->skip, 1, "and one other is always seen");
	for (int i = 0; i < 9; i++)
		list_view_sideways(l, -1);
	is_int(l->skip, 0, "back");
	grid_fini(&g);
}

/* Ten thousand rows are marked and filled again at once. */
static void test_many(struct list_view *l)
{
	for (int round = 0; round < 2; round++) {
		list_view_begin(l);
		for (int i = 1; i <= 10000; i++) {
			json_t *item = json_pack("{s:s,s:i}", "name", "x",
						 "size", i);

			list_view_add(l, (uint64_t)i * 7919, item);
			json_decref(item);
		}
		list_view_end(l, &context);
		if (round == 0)
			list_view_mark_shown(l);
	}
	is_int(l->mark_count, 10000, "10,000 marks stay");
}

int main(void)
{
	struct list_view l;

	setlocale(LC_ALL, "C.UTF-8");
	list_view_init(&l, columns, 3, 0);
	test_order(&l);
	test_sticky(&l);
	test_filter(&l);
	test_follow(&l);
	test_draw(&l);
	test_marks(&l);
	test_search(&l);
	test_columns(&l);
	test_many(&l);
	list_view_fini(&l);
	return tap_done();
}
