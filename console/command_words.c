/*
 * Completion of the command line after `:`: the words that may stand where the
 * cursor is, from the tables of the grammar, of settings and of views, and from
 * the objects that the engine told of.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "engine/base/text.h"

static void offer(struct prompt *p, const char *word, const char *typed)
{
	if (word && strncmp(word, typed, strlen(typed)) == 0)
		prompt_candidate(p, word);
}

/* Names of the objects of a noun that begin with what was typed. */
static void offer_objects(struct app *app, struct prompt *p, const char *noun,
			  const char *typed)
{
	enum topic topic;

	if (!noun || !command_topic(noun, &topic))
		return;
	const struct model_set *set = &app->model.sets[topic];

	for (size_t i = 0; i < set->count; i++) {
		const json_t *item = set->entries[i].item;
		char id[32];

		snprintf(id, sizeof(id), "%" PRId64, item_int(item, "id", 0));
		offer(p, *item_text(item, "name") ? item_text(item, "name") :
			 id, typed);
	}
}

static int compare_candidates(const void *a, const void *b)
{
	return strverscmp(a, b);
}

static void offer_first(struct prompt *p, const char *typed)
{
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		offer(p, n->name, typed);
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (!c->noun && !c->hidden && c->control && !c->verbatim)
			offer(p, c->verb, typed);
	for (int i = 0; view_table[i]; i++)
		if (!view_table[i]->detail)
			offer(p, view_table[i]->name, typed);
	offer(p, "quit", typed);
	offer(p, "help", typed);
	offer(p, "tutorial", typed);
	offer(p, "read-only", typed);
	offer(p, "filter", typed);
}

/* Their names; behind a name, or name=, what it may be. */
static void offer_settings(struct prompt *p, const char *name,
			   const char *typed)
{
	const char *equals = strchr(typed, '=');

	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct setting_info *s = &setting_table[i];
		const char *at = s->choices;
		size_t length = strlen(s->name);
		bool said = name ? strcmp(name, s->name) == 0 : equals &&
			    (size_t)(equals - typed) == length &&
			    strncmp(typed, s->name, length) == 0;

		if (!name && !equals)
			offer(p, s->name, typed);
		while (said && *at) {
			size_t n = strcspn(at, " ");
			char word[PROMPT_CANDIDATE_SIZE];

			snprintf(word, sizeof(word), "%s%s%.*s", name ? "" :
				 s->name, name ? "" : "=", (int)n, at);
			offer(p, word, typed);
			at += n + strspn(at + n, " ");
		}
	}
	if (!name)
		offer(p, "save", typed);
}

/* What help_word() knows. */
static void offer_help(struct prompt *p, const char *typed)
{
	static const char *const pages[] = { "states", "keys", "settings",
					     "calendar" };

	for (size_t i = 0; i < sizeof(pages) / sizeof(pages[0]); i++)
		offer(p, pages[i], typed);
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		offer(p, n->name, typed);
	for (int i = 0; view_table[i]; i++)
		if (view_table[i]->about && !view_table[i]->detail)
			offer(p, view_table[i]->name, typed);
}

static void offer_verbs(struct prompt *p, const char *noun, const char *typed)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun && strcmp(c->noun, noun) == 0 &&
		    (c->control || strcmp(c->verb, "show") == 0))
			offer(p, c->verb, typed);
}

/* The at-th argument of a command, or its flags. */
static void offer_arguments(struct app *app, struct prompt *p,
			    const struct cli_command *c, int at,
			    const char *typed)
{
	char flag[48];

	if (!c)
		return;
	if (at < CLI_ARGUMENTS && c->arguments[at].noun)
		offer_objects(app, p, c->arguments[at].noun, typed);
	for (int f = 0; *typed == '-' && f < FLAG_COUNT; f++) {
		snprintf(flag, sizeof(flag), "--%s", cli_flags[f].name);
		if (FLAG_IN(c->flags, f))
			offer(p, flag, typed);
	}
}

void command_complete(struct app *app, struct prompt *p)
{
	char copy[PROMPT_TEXT_SIZE], *words[COMMAND_WORDS_MAX + 1];
	const char *typed;
	int count;

	if (p->candidate_count > 0)
		return;	/* another Tab: the next of those already found */
	text_copy_slice(copy, sizeof(copy),
			(struct slice){ p->text, (uint32_t)p->at });
	for (p->word = p->at; p->word > 0 && copy[p->word - 1] != ' ';)
		p->word--;
	typed = p->text + p->word;
	char word[PROMPT_TEXT_SIZE];

	text_copy_slice(word, sizeof(word),
			(struct slice){ typed, (uint32_t)(p->at - p->word) });
	copy[p->word] = '\0';
	count = command_split(copy, words);
	if (count == 0) {
		offer_first(p, word);
	} else if (strcmp(words[0], "set") == 0 && count <= 2) {
		offer_settings(p, count == 2 ? words[1] : NULL, word);
	} else if (strcmp(words[0], "help") == 0 && count == 1) {
		offer_help(p, word);
	} else if (count == 1 && cli_noun(words[0])) {
		offer_verbs(p, cli_noun(words[0])->name, word);
	} else if (count > 1) {
		offer_arguments(app, p, cli_command(words[0], words[1]),
				count - 2, word);
	}
	qsort(p->candidates, (size_t)p->candidate_count,
	      sizeof(p->candidates[0]), compare_candidates);
}
