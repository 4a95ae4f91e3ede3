/*
 * Completion: `remuda completion SHELL` prints a script that asks
 * `remuda __complete -- WORD...` for candidates, the last word being the one
 * typed; with --describe each comes with its help, after a tab.  Names come
 * from the engine within ENGINE_MS, else from the list kept the last time;
 * nothing is ever printed on standard error, and a name that a shell could
 * misread is left out.  Where there is no candidate the shell offers files.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "console/clock.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { ENGINE_MS = 200, NAME_MAX_BYTES = 128 };

/* bash splits words also at its word breaks, so the line is split here, and
 * what stands before the last break is not repeated in the answer; an @ is a
 * break that belongs to the word behind it. */
static const char bash_script[] =
	"# bash completion for remuda: eval \"$(remuda completion bash)\"\n"
	"_remuda() {\n"
	"\tlocal IFS=$' \\t\\n' line=${COMP_LINE:0:COMP_POINT} word reply before\n"
	"\tlocal -a words\n"
	"\tread -ra words <<<\"$line\"\n"
	"\t[[ $line == *[[:blank:]] ]] && words+=('')\n"
	"\tword=${words[${#words[@]}-1]}\n"
	"\tbefore=${word%\"${word##*[\"$COMP_WORDBREAKS\"]}\"}\n"
	"\t[[ $before == *@ ]] && before=${before%@}\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r reply; do\n"
	"\t\tCOMPREPLY+=(\"${reply#\"$before\"}\")\n"
	"\tdone < <(\"$1\" __complete -- \"${words[@]:1}\" 2>/dev/null)\n"
	"}\n"
	"complete -o default -F _remuda remuda\n";

static const char zsh_script[] =
	"#compdef remuda\n"
	"# zsh completion for remuda: eval \"$(remuda completion zsh)\", or this\n"
	"# file as _remuda in a folder of $fpath\n"
	"_remuda() {\n"
	"\tlocal line\n"
	"\tlocal -a lines candidates\n"
	"\tlines=(\"${(@f)$(\"${(Q)words[1]}\" __complete --describe -- "
	"\"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tfor line in $lines; do\n"
	"\t\t[[ -n $line ]] || continue\n"
	"\t\tcandidates+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\tdone\n"
	"\tif (( $#candidates )); then\n"
	"\t\t_describe -t remuda remuda candidates\n"
	"\telse\n"
	"\t\t_files\n"
	"\tfi\n"
	"}\n"
	"if [[ ${funcstack[1]} == _remuda ]]; then\n"
	"\t_remuda \"$@\"\n"
	"else\n"
	"\tcompdef _remuda remuda\n"
	"fi\n";

static const char fish_script[] =
	"# fish completion for remuda: remuda completion fish | source\n"
	"function __remuda_complete\n"
	"\tset -l words (commandline -opc)\n"
	"\tset -l word (commandline -ct)\n"
	"\tset -l found ($words[1] __complete --describe -- $words[2..-1] \"$word\" 2>/dev/null)\n"
	"\tif count $found >/dev/null\n"
	"\t\tprintf '%s\\n' $found\n"
	"\telse\n"
	"\t\t__fish_complete_path \"$word\"\n"
	"\tend\n"
	"end\n"
	"complete -c remuda -f -a '(__remuda_complete)'\n";

static const struct {
	const char *shell, *script;
} scripts[] = { { "bash", bash_script },
		{ "zsh", zsh_script },
		{ "fish", fish_script } };

enum { SHELLS = sizeof(scripts) / sizeof(scripts[0]) };

int cli_run_completion(struct cli *cli)
{
	for (int i = 0; i < SHELLS; i++) {
		if (strcmp(cli->call.words[0], scripts[i].shell) != 0)
			continue;
		fputs(scripts[i].script, stdout);
		return CLI_DONE;
	}
	return cli_fail(cli, CLI_USAGE, NULL, NULL,
			"completion knows bash, zsh and fish, not \"%.40s\"",
			cli->call.words[0]);
}

/* What is being completed. */
struct typed {
	const char *word;
	const char *before;	/* "--pool=", which every candidate begins with */
	bool describe;
};

static void candidate(const struct typed *t, const char *word,
		      const char *help)
{
	if (strncmp(word, t->word, strlen(t->word)) != 0)
		return;
	printf("%s%s%s%s\n", t->before, word, t->describe ? "\t" : "",
	       t->describe ? help : "");
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
		       const struct typed *t)
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
			candidate(t, line, noun);
	}
	fclose(in);
}

/* What the engine has of a noun within ENGINE_MS, a new reference, or NULL. */
static json_t *asked_items(struct cli *cli, const char *noun)
{
	int64_t deadline_ms = now_ms() + ENGINE_MS;
	json_t *answer = NULL, *items;
	char verb[64];

	snprintf(verb, sizeof(verb), "%s.list", noun);
	if (client_connect(&cli->client, cli->socket, ENGINE_MS, NULL) == 0)
		answer = client_call(&cli->client,
				     json_pack("{s:s}", "verb", verb),
				     deadline_ms - now_ms(), NULL);
	client_close(&cli->client);
	items = json_incref(json_object_get(answer, "items"));
	json_decref(answer);
	return items;
}

/* The names of a noun; key is the field that names one. */
static void names_by(struct cli *cli, const char *noun, const char *key,
		     const struct typed *t)
{
	struct cli_column column = { .key = key }, state = { .key = "state" };
	json_t *items = asked_items(cli, noun), *names = json_array(), *item;
	char name[256], shown[64];
	size_t i;

	if (!json_is_array(items))
		kept_names(cli, noun, t);
	json_array_foreach(items, i, item) {
		cell_raw(name, sizeof(name), &column, item);
		cell_raw(shown, sizeof(shown), &state, item);
		if (!shell_safe(name))
			continue;
		candidate(t, name, shell_safe(shown) ? shown : noun);
		json_array_append_new(names, json_string(name));
	}
	if (json_is_array(items))
		keep_names(cli, noun, names);
	json_decref(items);
	json_decref(names);
}

static void names_of(struct cli *cli, const char *noun, const struct typed *t)
{
	names_by(cli, noun, cli_noun(noun)->key, t);
}

/* ---- words ------------------------------------------------------------------- */

static void first_words(const struct typed *t)
{
	char same[96];

	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		candidate(t, n->name, n->help);
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		if (!c->noun && !c->hidden)
			candidate(t, c->verb, c->help);
		if (!c->alias || cli_noun(c->alias))
			continue;
		snprintf(same, sizeof(same), "%s %s", c->noun ? c->noun : "",
			 c->verb);
		candidate(t, c->alias, same);
	}
}

static void verbs_of(const char *noun, const struct typed *t)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun && strcmp(c->noun, noun) == 0)
			candidate(t, c->verb, c->help);
}

/* Those of the command first, then those of all. */
static void flags_for(const struct cli_command *c, const struct typed *t)
{
	char word[64];

	for (int global = 0; global < 2; global++) {
		for (int i = 0; i < FLAG_COUNT; i++) {
			if (cli_flags[i].global != global ||
			    (!global && !(c && FLAG_IN(c->flags, i))))
				continue;
			snprintf(word, sizeof(word), "--%s", cli_flags[i].name);
			candidate(t, word, cli_flags[i].help);
		}
	}
}

static void columns_of(const struct cli_command *c, const struct typed *t)
{
	const struct cli_noun *noun = c && c->noun ? cli_noun(c->noun) : NULL;
	const struct cli_view *view = c && c->view ? c->view :
				      noun ? noun->view : NULL;

	for (const struct cli_column *k = view ? view->columns : NULL;
	     k && k->title; k++)
		candidate(t, k->title, "column");
}

/* Values of a flag; files for the rest come from the shell. */
static void values_of(struct cli *cli, const struct cli_command *c,
		      enum cli_flag flag, const struct typed *t)
{
	static const struct {
		enum cli_flag flag;
		const char *noun, *words[7];
	} values[] = {
		{ FLAG_POOL, "pool", { NULL } },
		{ FLAG_MACHINE, "machine", { NULL } },
		{ FLAG_APP, "application", { NULL } },
		{ FLAG_USER, "user", { NULL } },
		{ FLAG_LISTENER, "listener", { NULL } },
		{ FLAG_OUTPUT, NULL, { "name", "wide", NULL } },
		{ FLAG_SEVERITY, NULL, { "info", "warn", "fail", NULL } },
		{ FLAG_OUTCOME, NULL, { "ok", "failed", NULL } },
		{ FLAG_STATE, NULL, { "active", "closed", "lost", "failed",
				      "refused", NULL } },
		{ FLAG_HOST, "host", { NULL } },
		{ FLAG_CLUSTER, "cluster", { NULL } },
		{ FLAG_STRATEGY, NULL,
		  { "failover", "shutdown", "move", "live", NULL } },
		{ FLAG_BY, NULL,
		  { "user", "application", "pool", "cluster", "host", "machine",
		    NULL } },
		{ FLAG_LOG, NULL, { "syslog", NULL } },
		{ FLAG_LOG_LEVEL, NULL,
		  { "error", "warn", "info", "debug", NULL } },
	};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i].flag != flag)
			continue;
		if (values[i].noun)
			names_of(cli, values[i].noun, t);
		for (int k = 0; values[i].words[k]; k++)
			candidate(t, values[i].words[k], "");
	}
	if (flag == FLAG_SORT || flag == FLAG_OUTPUT)
		columns_of(c, t);
	if (flag == FLAG_COMMAND)
		names_by(cli, "verbs", "verb", t);
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

/* Scripts that come with Remuda, by their names. */
static void scripts_of(const struct cli *cli, const struct typed *t)
{
	char path[PATHS_SIZE + 16], name[NAME_MAX_BYTES + 8];
	const struct dirent *entry;
	DIR *folder;

	snprintf(path, sizeof(path), "%s/automation", cli->paths.scripts_dir);
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		char *end;

		text_copy(name, sizeof(name), entry->d_name);
		end = strstr(name, ".lua");
		if (!end || end[4] || !shell_safe(name))
			continue;
		*end = '\0';
		candidate(t, name, "script");
	}
	if (folder)
		closedir(folder);
}

static void arguments_of(struct cli *cli, const struct cli_command *c, int at,
			 const struct typed *t)
{
	const struct cli_argument *a = NULL;

	for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++)
		if (i == at || c->arguments[i].many)
			a = &c->arguments[i];
	if (a && a->noun)
		names_of(cli, a->noun, t);
	if (c->run == cli_run_completion)
		for (int i = 0; i < SHELLS; i++)
			candidate(t, scripts[i].shell, "shell");
	if (c->run == cli_run_help && at == 0)
		first_words(t);
	if (c->run == cli_run_run && at == 0)
		scripts_of(cli, t);
	if (c->run == cli_run_query && at == 0)
		names_by(cli, "verbs", "verb", t);
}

/*
 * The words before the one typed: plain ones are kept, flags with their values
 * are dropped.  Returns the flag whose value is being typed, or FLAG_COUNT.
 */
static int read_words(const char **words, int count, const char **plain,
		      int *plain_count)
{
	int flag = FLAG_COUNT;

	*plain_count = 0;
	for (int i = 0; i < count; i++) {
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

/* "--pool=b" is the value b of --pool; before keeps the rest. */
static int split_flag(struct typed *t, char *before, size_t size)
{
	const char *equals = strchr(t->word, '=');

	if (strncmp(t->word, "--", 2) != 0 || !equals ||
	    (size_t)(equals - t->word) >= size - 1)
		return FLAG_COUNT;
	text_copy_slice(before, size, (struct slice){ t->word,
				(uint32_t)(equals - t->word) });
	int flag = flag_with_value(before);

	if (flag != FLAG_COUNT) {
		strncat(before, "=", 2);
		t->before = before;
		t->word = equals + 1;
	}
	return flag;
}

static void complete(struct cli *cli, const char **words, int count,
		     bool describe)
{
	struct typed t = { .word = count ? words[count - 1] : "",
			   .before = "", .describe = describe };
	const char **plain = calloc((size_t)count + 1, sizeof(*plain));
	const struct cli_command *c = NULL;
	const struct cli_noun *noun = NULL;
	char before[64];
	int n, used = 1;
	int flag = read_words(words, count ? count - 1 : 0, plain, &n);

	if (flag == FLAG_COUNT)
		flag = split_flag(&t, before, sizeof(before));
	if (n > 0)
		noun = cli_noun(plain[0]);
	if (noun && n > 1) {
		c = cli_command(noun->name, plain[1]);
		used = 2;
	} else if (n > 0 && !noun) {
		c = cli_command(NULL, plain[0]);
	}
	if (flag != FLAG_COUNT)
		values_of(cli, c, (enum cli_flag)flag, &t);
	else if (t.word[0] == '-')
		flags_for(c, &t);
	else if (n == 0)
		first_words(&t);
	else if (noun && n == 1)
		verbs_of(noun->name, &t);
	else if (c)
		arguments_of(cli, c, n - used, &t);
	free(plain);
}

int cli_run_complete(struct cli *cli)
{
	const char **words = cli->call.words;
	int count = cli->call.word_count;
	bool describe = count && strcmp(words[0], "--describe") == 0;

	words += describe;
	count -= describe;
	if (count && strcmp(words[0], "--") == 0) {
		words++;
		count--;
	}
	complete(cli, words, count, describe);
	return CLI_DONE;
}
