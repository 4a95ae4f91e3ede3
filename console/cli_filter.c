/*
 * The filter language of lists: words separated by blanks, all must match.
 * Matching ignores the case of ASCII letters.  Any text is a filter: there is
 * nothing to get wrong, at worst nothing matches.
 */
#include "console/cli_output.h"

#include <ctype.h>
#include <fnmatch.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "engine/base/text.h"

enum { WORD_SIZE = 256, CELL = 1024 };

static const struct cli_output plain = { .utf8 = true, .utc = true };

static bool fuzzy(const char *letters, const char *text)
{
	for (; *text && *letters; text++)
		if (tolower((unsigned char)*text) ==
		    tolower((unsigned char)*letters))
			letters++;
	return !*letters;
}

static bool any_column(const char *word, bool loose,
		       const struct cli_view *view, const json_t *item)
{
	char cell[CELL];

	for (const struct cli_column *c = view->columns; c->title; c++) {
		if (!(c->where & ON_TABLE))
			continue;
		cell_text(cell, sizeof(cell), &plain, c, item);
		if (loose ? fuzzy(word, cell) : strcasestr(cell, word) != NULL)
			return true;
	}
	return false;
}

/* By column title or by field; the value as shown or as it is. */
static bool key_matches(const char *key, const char *pattern,
			const struct cli_view *view, const json_t *item)
{
	struct cli_column field = { .key = key };
	char text[CELL];

	for (const struct cli_column *c = view->columns; c->title; c++) {
		if (strcasecmp(c->title, key) != 0)
			continue;
		cell_text(text, sizeof(text), &plain, c, item);
		if (fnmatch(pattern, text, FNM_CASEFOLD) == 0)
			return true;
		cell_raw(text, sizeof(text), c, item);
		if (fnmatch(pattern, text, FNM_CASEFOLD) == 0)
			return true;
	}
	cell_raw(text, sizeof(text), &field, item);
	return json_object_get(item, key) &&
	       fnmatch(pattern, text, FNM_CASEFOLD) == 0;
}

static bool word_matches(const char *word, const struct cli_view *view,
			 const json_t *item)
{
	bool wanted = word[0] != '!';
	const char *equals;
	char key[64];

	word += !wanted;
	equals = strchr(word, '=');
	if (equals && equals > word && equals - word < (long)sizeof(key)) {
		text_copy_slice(key, sizeof(key),
				(struct slice){ word,
						(uint32_t)(equals - word) });
		return key_matches(key, equals + 1, view, item) == wanted;
	}
	if (word[0] == '~')
		return any_column(word + 1, true, view, item) == wanted;
	return any_column(word, false, view, item) == wanted;
}

bool filter_match(const char *expr, const struct cli_view *view,
		  const json_t *item)
{
	char word[WORD_SIZE];

	while (*(expr += strspn(expr, " \t"))) {
		size_t n = strcspn(expr, " \t");

		text_copy_slice(word, sizeof(word),
				(struct slice){ expr, (uint32_t)n });
		if (!word_matches(word, view, item))
			return false;
		expr += n;
	}
	return true;
}
