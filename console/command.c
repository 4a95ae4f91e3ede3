/*
 * The command line after `:`.  Its grammar is that of the shell: cli_parse()
 * and its table read it.  Before that come the words that only a console
 * knows: views, intents, quit, and what scripts use.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "console/cli_run.h"
#include "console/keys.h"
#include "console/script.h"
#include "console/tutorial.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { WORDS_MAX = 24 };

/* Splits in place at blanks; "double quotes" keep blanks together. */
static int split(char *line, char **words)
{
	int count = 0;

	while (count < WORDS_MAX) {
		line += strspn(line, " \t");
		if (!*line)
			break;
		if (*line == '"') {
			words[count++] = ++line;
			line += strcspn(line, "\"");
		} else {
			words[count++] = line;
			line += strcspn(line, " \t");
		}
		if (!*line)
			break;
		*line++ = '\0';
	}
	words[count] = NULL;
	return count;
}

/* A view or an intent by its name alone. */
static bool one_word(struct app *app, const char *word)
{
	const struct view_ops *ops = view_named(word);
	enum intent intent = keys_intent_named(word);

	if (ops) {
		app_show(app, ops, "");
		return true;
	}
	if (strcmp(word, "tutorial") == 0) {
		tutorial_start(app);
		return true;
	}
	if (strcmp(word, "q") == 0)
		intent = INTENT_QUIT;
	if (intent == INTENT_NONE)
		return false;
	app_intent(app, intent);
	return true;
}

static bool topic_of(const char *noun, enum topic *topic)
{
	for (int i = 0; i < TOPIC_COUNT; i++)
		if (strcmp(topic_noun((enum topic)i), noun) == 0) {
			*topic = (enum topic)i;
			return true;
		}
	return false;
}

/* `machine show X` opens what the console has of X. */
static void show_object(struct app *app, const struct cli_call *call)
{
	const char *noun = call->command->noun;
	const char *name = call->word_count ? call->words[0] : "";
	const struct view_ops *ops = NULL;
	size_t length = strlen(noun);
	json_t *item = NULL;
	enum topic topic;

	if (strncmp(name, noun, length) == 0 && name[length] == '/')
		name += length + 1;
	if (topic_of(noun, &topic)) {
		ops = view_of(topic);
		item = topic == TOPIC_SESSIONS ?
		       model_find(&app->model, topic,
				  strtoull(name, NULL, 10)) :
		       model_named(&app->model, topic, name);
	}
	if (ops && item)
		app_show(app, ops, name);
	else if (ops)
		app_message(app, true, "There is no %s/%s now.", noun, name);
	else
		app_message(app, true, "The console has no screen for one %s; "
			    "in a shell: remuda %s show %s", noun, noun, name);
}

/* Runs in a shell only: it needs a terminal of its own, or has no verb. */
static bool shell_only(const struct cli_command *c)
{
	return !c->control || strcmp(c->control, "subscribe") == 0 ||
	       (strchr(c->control, '.') && !c->changes &&
		strcmp(c->control, "site.plan") != 0 && c->run != cli_run_list);
}

/* One request for each name; NULL with the reason. */
static struct work *work_of(struct app *app, const struct cli_call *call,
			    const char *shell, struct error *err)
{
	const struct cli_command *c = call->command;
	struct work *w = work_new(app);
	int count = call->word_count > 0 && c->arguments[0].many ?
		    call->word_count : 1;

	for (int i = 0; i < count; i++) {
		json_t *request = c->run == cli_run_create ?
				  cli_create_request(call, err) :
				  cli_request(call, i, err);
		char one[WORK_SHELL_SIZE], object[96];
		const char *name = call->word_count ? call->words[i] : c->verb;

		if (!request) {
			work_free(w);
			return NULL;
		}
		snprintf(object, sizeof(object), "%s%s%s", c->noun ? c->noun :
			 "", c->noun ? "/" : "", name);
		snprintf(one, sizeof(one), "remuda %s%s%s %s", c->noun ?
			 c->noun : "", c->noun ? " " : "", c->verb, name);
		work_add(w, request, count > 1 ? one : shell, object, 0);
	}
	return w;
}

static void run_change(struct app *app, const struct cli_call *call,
		       const char *shell)
{
	const struct cli_command *c = call->command;
	struct error err = { "" };
	struct work *w;

	if (strcmp(c->control, "engine.stop") == 0) {
		if (app->options->embedded)
			action_quit(app);
		else	/* attached: quitting would not stop it */
			app_message(app, true, "Not from an attached console; "
				    "in a shell: %s", shell);
		return;
	}
	w = work_of(app, call, shell, &err);
	if (!w) {
		app_message(app, true, "%s", err.text);
	} else if (strcmp(c->control, "site.apply") == 0) {
		edit_plan(app, json_incref(w->deeds[0].request), shell);
		work_free(w);
	} else {
		work_offer(app, w);
	}
}

static void run_parsed(struct app *app, const struct cli_call *call,
		       const char *shell)
{
	const struct cli_command *c = call->command;
	struct error err = { "" };
	json_t *request;

	if (c->noun && strcmp(c->verb, "list") == 0 && view_named(c->noun)) {
		app_show(app, view_named(c->noun), "");
	} else if (c->noun && strcmp(c->verb, "show") == 0 &&
		   c->run == cli_run_show) {
		show_object(app, call);
	} else if (!c->noun && strcmp(c->verb, "help") == 0) {
		if (call->word_count == 0)
			help_show(app);
		else if (!help_word(app, call->words[0]))
			app_message(app, true, "There is no help on \"%s\"; "
				    "try a noun, a key's action, states, keys.",
				    call->words[0]);
	} else if (c->control && strcmp(c->control, "machine.console") == 0 &&
		   call->word_count) {
		view_console_show(app, call->words[0]);
	} else if (shell_only(c) || c->verbatim) {
		app_message(app, true, "Not in the console; in a shell: %s",
			    shell);
	} else if (c->changes) {
		run_change(app, call, shell);
	} else if (!(request = cli_request(call, 0, &err))) {
		app_message(app, true, "%s", err.text);
	} else if (strcmp(c->control, "site.plan") == 0) {
		edit_plan(app, request, "remuda plan");
	} else {
		action_question(app, request, shell);
	}
}

/* `:set NAME VALUE`, `:set NAME=VALUE`, `:set save`. */
static void set_command(struct app *app, int count, char **words)
{
	char *equals = strchr(words[0], '=');
	struct error err = { "" };

	if (count == 1 && strcmp(words[0], "save") == 0) {
		if (settings_save(&app->settings, &err))
			app_message(app, true, "Not saved: %s", err.text);
		else
			app_message(app, false, "Saved: %s", app->settings.path);
		return;
	}
	if (equals)
		*equals = '\0';
	if (settings_set(&app->settings, words[0], equals ? equals + 1 :
			 count > 1 ? words[1] : "", SETTING_SAID, &err)) {
		app_message(app, true, "%s", err.text);
		return;
	}
	app_settings_changed(app);
	app_message(app, false, "%s is %s now; :set save  keeps it.", words[0],
		    equals ? equals + 1 : count > 1 ? words[1] : "nothing");
}

void command_run(struct app *app, const char *line)
{
	char copy[PROMPT_TEXT_SIZE], shell[160], *words[WORDS_MAX + 2];
	struct cli_call call;
	struct error err = { "" };
	int count;

	TEXT_SET(copy, line);
	words[0] = "remuda";
	count = split(copy, words + 1);
	if (count > 1 && strcmp(words[1], "remuda") == 0) {
		const char *rest = line + 6 + strspn(line, " ");

		memcpy(copy, rest, strlen(rest) + 1);
		count = split(copy, words + 1);
	}
	if (count == 0)
		return;
	if (strcmp(words[1], "set") == 0 && count > 1) {
		set_command(app, count - 1, words + 2);
		return;
	}
	if (script_command(app, count, words + 1))
		return;
	if (count == 1 && one_word(app, words[1]))
		return;
	if (strcmp(words[1], "filter") == 0) {
		app_filter(app, line + strcspn(line, " ") + 1);
		return;
	}
	snprintf(shell, sizeof(shell), "remuda %.150s", line);
	if (cli_parse(&call, count + 1, words, &err))
		app_message(app, true, "%s", err.text);
	else if (!call.command || call.noun_help || call.value[FLAG_HELP])
		help_show(app);
	else
		run_parsed(app, &call, shell);
	cli_call_fini(&call);
}

/* ---- completion ------------------------------------------------------ */

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

	if (!noun || !topic_of(noun, &topic))
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
}

void command_complete(struct app *app, struct prompt *p)
{
	char copy[PROMPT_TEXT_SIZE], *words[WORDS_MAX + 1];
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
	count = split(copy, words);
	if (count == 0) {
		offer_first(p, word);
	} else if (count == 1 && cli_noun(words[0])) {
		const char *noun = cli_noun(words[0])->name;

		for (const struct cli_command *c = cli_commands; c->verb; c++)
			if (c->noun && strcmp(c->noun, noun) == 0 &&
			    (c->control || strcmp(c->verb, "show") == 0))
				offer(p, c->verb, word);
	} else if (count > 1) {
		const struct cli_command *c = cli_command(words[0], words[1]);
		int at = count - 2;

		if (c && at < CLI_ARGUMENTS && c->arguments[at].noun)
			offer_objects(app, p, c->arguments[at].noun, word);
		for (int f = 0; c && *word == '-' && f < FLAG_COUNT; f++) {
			char flag[48];

			snprintf(flag, sizeof(flag), "--%s", cli_flags[f].name);
			if (FLAG_IN(c->flags, f))
				offer(p, flag, word);
		}
	}
	qsort(p->candidates, (size_t)p->candidate_count,
	      sizeof(p->candidates[0]), compare_candidates);
}
