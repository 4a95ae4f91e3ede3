/*
 * Completion: `remuda completion bash` prints a script that asks
 * `remuda __complete -- WORD...` for candidates, the last word being the one
 * typed.  Names come from the engine within ENGINE_MS, else from the list kept
 * the last time; nothing is ever printed on standard error, and a name that a
 * shell could misread is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"

enum { ENGINE_MS = 200, NAME_MAX_BYTES = 128 };

static const char bash_script[] =
	"# bash completion for remuda: eval \"$(remuda completion bash)\"\n"
	"_remuda() {\n"
	"\tlocal IFS=$'\\n'\n"
	"\tCOMPREPLY=($(\"$1\" __complete -- "
	"\"${COMP_WORDS[@]:1:COMP_CWORD}\" 2>/dev/null))\n"
	"}\n"
	"complete -o default -F _remuda remuda\n";

int cli_run_completion(struct cli *cli)
{
	if (strcmp(cli->call.words[0], "bash") != 0)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"completion knows bash, not \"%.40s\"",
				cli->call.words[0]);
	fputs(bash_script, stdout);
	return CLI_DONE;
}

static void candidate(const char *typed, const char *word)
{
	if (strncmp(word, typed, strlen(typed)) == 0)
		printf("%s\n", word);
}

static bool shell_safe(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz"
				"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+-");

	return n > 0 && name[n] == '\0' && n <= NAME_MAX_BYTES &&
	       name[0] != '-';
}

/* ---- names ------------------------------------------------------------------ */

static void cache_path(const struct cli *cli, const char *noun, char *out,
		       size_t out_size)
{
	snprintf(out, out_size, "%s/%s-%s.names", cli->paths.cache_dir,
		 cli->paths.site, noun);
}

/* Written whole beside its place, then renamed.  A cache that cannot be
 * written costs nothing but the next answer without an engine. */
static void keep_names(const struct cli *cli, const char *noun,
		       const json_t *names)
{
	char path[PATHS_SIZE + 80], fresh[PATHS_SIZE + 96];
	json_t *name;
	FILE *out;
	size_t i;

	cache_path(cli, noun, path, sizeof(path));
	snprintf(fresh, sizeof(fresh), "%s.%d", path, (int)getpid());
	if (mkdir(cli->paths.cache_dir, 0700) && errno != EEXIST)
		return;
	out = fopen(fresh, "wxe");
	if (!out)
		return;
	json_array_foreach(names, i, name)
		fprintf(out, "%s\n", json_string_value(name));
	if (fclose(out) || rename(fresh, path))
		unlink(fresh);
}

static void kept_names(const struct cli *cli, const char *noun,
		       const char *typed)
{
	char path[PATHS_SIZE + 80], line[NAME_MAX_BYTES + 8];
	FILE *in;

	cache_path(cli, noun, path, sizeof(path));
	in = fopen(path, "re");
	if (!in)
		return;
	while (fgets(line, sizeof(line), in)) {
		line[strcspn(line, "\n")] = '\0';
		if (shell_safe(line))
			candidate(typed, line);
	}
	fclose(in);
}

/* A new array of the noun's safe names, or NULL without an engine. */
static json_t *asked_names(struct cli *cli, const char *noun, const char *key)
{
	struct cli_column column = { .key = key };
	json_t *answer = NULL, *names, *item;
	char verb[64], name[256];
	size_t i;

	snprintf(verb, sizeof(verb), "%s.list", noun);
	if (client_connect(&cli->client, cli->socket, ENGINE_MS, NULL) == 0)
		answer = client_call(&cli->client,
				     json_pack("{s:s}", "verb", verb),
				     ENGINE_MS, NULL);
	client_close(&cli->client);
	if (!json_is_array(json_object_get(answer, "items"))) {
		json_decref(answer);
		return NULL;
	}
	names = json_array();
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		cell_raw(name, sizeof(name), &column, item);
		if (shell_safe(name))
			json_array_append_new(names, json_string(name));
	}
	json_decref(answer);
	return names;
}

static void names_of(struct cli *cli, const char *noun, const char *typed)
{
	json_t *names = asked_names(cli, noun, cli_noun(noun)->key), *name;
	size_t i;

	if (!names) {
		kept_names(cli, noun, typed);
		return;
	}
	json_array_foreach(names, i, name)
		candidate(typed, json_string_value(name));
	keep_names(cli, noun, names);
	json_decref(names);
}

/* ---- words ------------------------------------------------------------------- */

static void first_words(const char *typed)
{
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		candidate(typed, n->name);
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		if (!c->noun && !c->hidden)
			candidate(typed, c->verb);
		if (c->alias && !cli_noun(c->alias))
			candidate(typed, c->alias);
	}
}

static void verbs_of(const char *noun, const char *typed)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun && strcmp(c->noun, noun) == 0)
			candidate(typed, c->verb);
}

static void flags_for(const struct cli_command *c, const char *typed)
{
	char word[64];

	for (int i = 0; i < FLAG_COUNT; i++) {
		if (!cli_flags[i].global &&
		    !(c && cli_takes(c, i)))
			continue;
		snprintf(word, sizeof(word), "--%s", cli_flags[i].name);
		candidate(typed, word);
	}
}

static void columns_of(const struct cli_command *c, const char *typed)
{
	const struct cli_noun *noun = c && c->noun ? cli_noun(c->noun) : NULL;

	for (const struct cli_column *k = noun && noun->view
						  ? noun->view->columns
						  : NULL;
	     k && k->title; k++)
		candidate(typed, k->title);
}

/* Values of a flag; files for the rest come from the shell. */
static void values_of(struct cli *cli, const struct cli_command *c,
		      enum cli_flag flag, const char *typed)
{
	static const struct {
		enum cli_flag flag;
		const char *noun, *words[5];
	} values[] = {
		{ FLAG_POOL, "pool", { NULL } },
		{ FLAG_MACHINE, "machine", { NULL } },
		{ FLAG_APP, "application", { NULL } },
		{ FLAG_OUTPUT, NULL, { "name", "wide", NULL } },
		{ FLAG_LOG_LEVEL, NULL,
		  { "error", "warn", "info", "debug", NULL } },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i].flag != flag)
			continue;
		if (values[i].noun)
			names_of(cli, values[i].noun, typed);
		for (int k = 0; values[i].words[k]; k++)
			candidate(typed, values[i].words[k]);
	}
	if (flag == FLAG_SORT)
		columns_of(c, typed);
}

static int flag_with_value(const char *word)
{
	for (int i = 0; i < FLAG_COUNT; i++) {
		const struct cli_flag_info *f = &cli_flags[i];

		if (!f->value)
			continue;
		if (word[0] == '-' && word[1] == '-' &&
		    strcmp(word + 2, f->name) == 0)
			return i;
		if (word[0] == '-' && f->letter && word[1] == f->letter &&
		    !word[2])
			return i;
	}
	return FLAG_COUNT;
}

static void arguments_of(struct cli *cli, const struct cli_command *c, int at,
			 const char *typed)
{
	const struct cli_argument *a = NULL;

	for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++)
		if (i == at || c->arguments[i].many)
			a = &c->arguments[i];
	if (a && a->noun)
		names_of(cli, a->noun, typed);
	if (strcmp(c->verb, "completion") == 0)
		candidate(typed, "bash");
	if (strcmp(c->verb, "help") == 0 && at == 0)
		first_words(typed);
}

/*
 * The words before the one typed: plain ones are kept, flags with their values
 * are dropped.  Returns the flag whose value is being typed, or FLAG_COUNT.
 * bash gives "--pool=x" as three words.
 */
static int read_words(const char **words, int count, const char **plain,
		      int *plain_count)
{
	int flag = FLAG_COUNT;

	*plain_count = 0;
	for (int i = 0; i < count; i++) {
		if (strcmp(words[i], "=") == 0)
			continue;
		if (flag != FLAG_COUNT) {
			flag = FLAG_COUNT;
			continue;
		}
		flag = flag_with_value(words[i]);
		if (words[i][0] != '-')
			plain[(*plain_count)++] = words[i];
	}
	return flag;
}

static void complete(struct cli *cli, const char **words, int count)
{
	const char *typed = count ? words[count - 1] : "";
	const char **plain = calloc((size_t)count + 1, sizeof(*plain));
	const struct cli_command *c = NULL;
	const struct cli_noun *noun = NULL;
	int n, used = 1;
	int flag = read_words(words, count ? count - 1 : 0, plain, &n);

	if (strcmp(typed, "=") == 0)
		typed = "";
	if (n > 0)
		noun = cli_noun(plain[0]);
	if (noun && n > 1) {
		c = cli_command(noun->name, plain[1]);
		used = 2;
	} else if (n > 0 && !noun) {
		c = cli_command(NULL, plain[0]);
	}
	if (flag != FLAG_COUNT)
		values_of(cli, c, (enum cli_flag)flag, typed);
	else if (typed[0] == '-')
		flags_for(c, typed);
	else if (n == 0)
		first_words(typed);
	else if (noun && n == 1)
		verbs_of(noun->name, typed);
	else if (c)
		arguments_of(cli, c, n - used, typed);
	free(plain);
}

int cli_run_complete(struct cli *cli)
{
	const char **words = cli->call.words;
	int count = cli->call.word_count;

	if (count && strcmp(words[0], "--") == 0) {
		words++;
		count--;
	}
	complete(cli, words, count);
	return CLI_DONE;
}
