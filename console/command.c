/*
 * The command line after `:`.  Its grammar is that of the shell: cli_parse()
 * and its table read it.  Before that come the words that only a console
 * knows: views, intents, quit, and what scripts use.  command_words.c completes
 * them.
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

int command_split(char *line, char **words)
{
	int count = 0;

	while (count < COMMAND_WORDS_MAX) {
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

bool command_topic(const char *noun, enum topic *topic)
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
	if (command_topic(noun, &topic)) {
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
	char copy[PROMPT_TEXT_SIZE], shell[160], *words[COMMAND_WORDS_MAX + 2];
	struct cli_call call;
	struct error err = { "" };
	int count;

	TEXT_SET(copy, line);
	words[0] = "remuda";
	count = command_split(copy, words + 1);
	if (count > 1 && strcmp(words[1], "remuda") == 0) {
		const char *rest = line + 6 + strspn(line, " ");

		memcpy(copy, rest, strlen(rest) + 1);
		count = command_split(copy, words + 1);
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
