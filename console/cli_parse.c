/*
 * From words to a command and from a command to a request, by the table.
 * Flags may stand anywhere; a flag takes a value or not in every command
 * alike, so the words can be told apart before the command is known.
 *
 * Nothing is guessed: a word that is not in the table is an error with the
 * nearest word that is.
 */
#include "console/cli.h"

#include <ctype.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

enum { CANDIDATES = 64, NUMBER_MAX = 1000000 };

/* Damerau-Levenshtein (adjacent swaps count one), words up to 31 letters. */
static int distance(const char *a, const char *b)
{
	int d[33][33], n = (int)strlen(a), m = (int)strlen(b);

	if (n > 31 || m > 31)
		return 99;
	for (int i = 0; i <= n; i++)
		d[i][0] = i;
	for (int j = 0; j <= m; j++)
		d[0][j] = j;
	for (int i = 1; i <= n; i++) {
		for (int j = 1; j <= m; j++) {
			int best = d[i - 1][j - 1] + (a[i - 1] != b[j - 1]);

			if (d[i - 1][j] + 1 < best)
				best = d[i - 1][j] + 1;
			if (d[i][j - 1] + 1 < best)
				best = d[i][j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] &&
			    a[i - 2] == b[j - 1] && d[i - 2][j - 2] + 1 < best)
				best = d[i - 2][j - 2] + 1;
			d[i][j] = best;
		}
	}
	return d[n][m];
}

const char *cli_suggest(const char *word, const char *const *candidates)
{
	const char *best = NULL;
	int least = 3;

	for (; *candidates; candidates++) {
		int d = distance(word, *candidates);
		size_t n = strlen(word);

		/* A long enough beginning or plural is nearer than a typo. */
		if (n >= 2 && (strncmp(word, *candidates, n) == 0 ||
			       strncmp(word, *candidates,
				       strlen(*candidates)) == 0))
			d = d > 1 ? 1 : d;
		if (d < least && (size_t)d < n) {
			least = d;
			best = *candidates;
		}
	}
	return best;
}

int64_t cli_moment(const char *text, bool utc)
{
	static const char *const forms[] = { "%Y-%m-%dT%H:%M:%S",
					     "%Y-%m-%dT%H:%M", "%Y-%m-%d" };
	struct error why;
	int64_t ago_ms;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		struct tm tm = { .tm_isdst = -1 };
		const char *rest = strptime(text, forms[i], &tm);
		bool z = rest && strcmp(rest, "Z") == 0;

		if (rest && (!*rest || z)) {
			time_t at = z || utc ? timegm(&tm) : mktime(&tm);

			return at < 0 ? -1 : (int64_t)at * 1000;
		}
	}
	if (text_parse_duration_ms(text, &ago_ms, &why))
		return -1;
	int64_t at = (int64_t)time(NULL) * 1000 - ago_ms;
	return at < 0 ? 0 : at;
}

int cli_month(const char *text, bool utc, int64_t *from_ms, int64_t *until_ms)
{
	struct tm tm = { .tm_isdst = -1 };
	int year, month, n = 0;
	time_t at[2];

	if (strlen(text) != 7 || sscanf(text, "%4d-%2d%n", &year, &month, &n) != 2 ||
	    n != 7 || year < 1970 || month < 1 || month > 12)
		return -1;
	for (int i = 0; i < 2; i++) {
		tm = (struct tm){ .tm_year = year - 1900, .tm_mday = 1,
				  .tm_mon = month - 1 + i, .tm_isdst = -1 };
		at[i] = utc ? timegm(&tm) : mktime(&tm);
	}
	*from_ms = (int64_t)at[0] * 1000;
	*until_ms = (int64_t)at[1] * 1000;
	return at[0] < 0 ? -1 : 0;
}

const struct cli_noun *cli_noun(const char *word)
{
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		if (strcmp(n->name, word) == 0 ||
		    (n->alias && strcmp(n->alias, word) == 0))
			return n;
	return NULL;
}

const struct cli_command *cli_command(const char *noun, const char *verb)
{
	const struct cli_noun *n = noun ? cli_noun(noun) : NULL;

	if (noun && !n)
		return NULL;
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		if (!n && c->alias && strcmp(c->alias, verb) == 0)
			return c;
		if (strcmp(c->verb, verb) == 0 &&
		    (n ? c->noun && strcmp(c->noun, n->name) == 0 : !c->noun))
			return c;
	}
	return NULL;
}

static int unknown(struct error *err, const char *what, const char *word,
		   const char *const *candidates)
{
	const char *near = cli_suggest(word, candidates);
	char shown[80];

	text_display(shown, sizeof(shown), word, strlen(word));
	if (near)
		return error_set(err, "unknown %s \"%s\". Did you mean \"%s\"?",
				 what, shown, near);
	return error_set(err, "unknown %s \"%s\"; see: remuda help", what,
			 shown);
}

static int unknown_noun(struct error *err, const char *word)
{
	const char *all[CANDIDATES + 1] = { NULL };
	int n = 0;

	for (const struct cli_noun *c = cli_nouns; c->name; c++)
		all[n++] = c->name;
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		if (!c->noun && !c->hidden && n < CANDIDATES)
			all[n++] = c->verb;
		if (c->alias && n < CANDIDATES)
			all[n++] = c->alias;
	}
	return unknown(err, "noun", word, all);
}

static int unknown_verb(struct error *err, const char *noun, const char *word)
{
	const char *all[CANDIDATES + 1] = { NULL };
	char what[80];
	int n = 0;

	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->noun && strcmp(c->noun, noun) == 0 && n < CANDIDATES)
			all[n++] = c->verb;
	snprintf(what, sizeof(what), "verb of %s", noun);
	return unknown(err, what, word, all);
}

static int unknown_flag(struct error *err, const char *word)
{
	const char *all[FLAG_COUNT + 1] = { NULL };

	for (int i = 0; i < FLAG_COUNT; i++)
		all[i] = cli_flags[i].name;
	return unknown(err, "flag", word, all);
}

/* Checks and keeps a flag's value; "" stands for a switch. */
static int set_flag(struct cli_call *call, int i, const char *value,
		    struct error *err)
{
	const struct cli_flag_info *f = &cli_flags[i];
	struct error why;
	int64_t ms;
	char *end;

	switch (f->kind) {
	case VALUE_SWITCH:
	case VALUE_TEXT:
		break;
	case VALUE_NUMBER:
		if (!isdigit((unsigned char)value[0]) || strlen(value) > 7 ||
		    strtol(value, &end, 10) > NUMBER_MAX || *end)
			return error_set(err,
					 "--%s wants a number from 0 to %d, "
					 "not \"%.40s\"",
					 f->name, NUMBER_MAX, value);
		break;
	case VALUE_DURATION:
		if (text_parse_duration_ms(value, &ms, &why) || ms == 0)
			return error_set(err,
					 "--%s wants a time such as 30s, not "
					 "\"%.40s\"", f->name, value);
		break;
	case VALUE_TIME:
		if (cli_moment(value, false) < 0)
			return error_set(err, "--%s wants 2h (ago), a date such "
					 "as 2026-11-22 or a time such as "
					 "2026-11-22T05:30, not \"%.40s\"",
					 f->name, value);
		break;
	case VALUE_MEMORY:
		if (text_parse_memory_mib(value, &ms, &why) || ms == 0)
			return error_set(err, "--%s wants a size such as 4G or "
					 "512M, not \"%.40s\"", f->name, value);
		break;
	}
	call->value[i] = value;
	return 0;
}

static int parse_long(struct cli_call *call, const char *word, char **argv,
		      int *at, struct error *err)
{
	const char *equals = strchr(word, '=');
	size_t length = equals ? (size_t)(equals - word) : strlen(word);
	const char *value = equals ? equals + 1 : NULL;

	for (int i = 0; i < FLAG_COUNT; i++) {
		const struct cli_flag_info *f = &cli_flags[i];

		if (strlen(f->name) != length ||
		    memcmp(f->name, word, length) != 0)
			continue;
		if (!f->value && value)
			return error_set(err, "--%s takes no value", f->name);
		if (f->value && !value && !(value = argv[*at + 1]))
			return error_set(err, "--%s wants a value: --%s %s",
					 f->name, f->name, f->value);
		if (f->value && !equals)
			++*at;
		return set_flag(call, i, f->value ? value : "", err);
	}
	return unknown_flag(err, word);
}

/* -qv, -o name, -oname */
static int parse_short(struct cli_call *call, const char *letters, char **argv,
		       int *at, struct error *err)
{
	for (; *letters; letters++) {
		const struct cli_flag_info *f = NULL;
		const char *value = "";
		int i;

		for (i = 0; i < FLAG_COUNT && !f; i++)
			if (cli_flags[i].letter == *letters)
				f = &cli_flags[i];
		if (!f)
			return unknown_flag(err, letters);
		if (f->value && letters[1])
			value = letters + 1;
		else if (f->value && !(value = argv[++*at]))
			return error_set(err, "-%c wants a value: -%c %s",
					 f->letter, f->letter, f->value);
		if (set_flag(call, i - 1, value, err))
			return -1;
		if (f->value)
			break;
	}
	return 0;
}

/* Finds the command in the words gathered so far; 1 = more words needed. */
static int find_command(struct cli_call *call, bool end, struct error *err)
{
	const char *first = call->words[0];
	const struct cli_noun *noun = cli_noun(first);
	int used = 1;

	if (noun && call->word_count < 2 && !end)
		return 1;
	if (noun && call->word_count >= 2) {
		call->command = cli_command(noun->name, call->words[1]);
		used = 2;
		if (!call->command) {
			call->noun_help = noun->name;
			return unknown_verb(err, noun->name, call->words[1]);
		}
	} else {
		call->command = cli_command(NULL, first);
	}
	if (!call->command && noun) {
		call->noun_help = noun->name;
		return 0;
	}
	if (!call->command)
		return unknown_noun(err, first);
	call->word_count -= used;
	memmove(call->words, call->words + used,
		(size_t)call->word_count * sizeof(*call->words));
	return 0;
}

static int check_arguments(const struct cli_call *call, struct error *err)
{
	const struct cli_command *c = call->command;
	int least = 0, most = 0;
	char usage[160];

	for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++) {
		least += !c->arguments[i].optional;
		most = c->arguments[i].many ? call->word_count : most + 1;
	}
	cli_synopsis(usage, sizeof(usage), c);
	if (call->word_count < least)
		return error_set(err, "%s%s%s needs %s: remuda %s",
				 c->noun ? c->noun : "", c->noun ? " " : "",
				 c->verb, c->arguments[call->word_count].name,
				 usage);
	if (call->word_count > most)
		return error_set(err, "one word too many: \"%.60s\"; the form "
				 "is: remuda %s", call->words[most], usage);
	for (int i = 0; i < FLAG_COUNT; i++)
		if (call->value[i] && !cli_flags[i].global &&
		    !(FLAG_IN(c->flags, i)))
			return error_set(err, "--%s does not go with \"%s%s%s\"",
					 cli_flags[i].name,
					 c->noun ? c->noun : "",
					 c->noun ? " " : "", c->verb);
	return 0;
}

int cli_parse(struct cli_call *call, int argc, char **argv, struct error *err)
{
	bool flags = true;
	int got = 0;

	*call = (struct cli_call){ .words = calloc((size_t)argc + 1,
						   sizeof(char *)) };
	if (!call->words)
		abort();
	for (int i = 1; i < argc; i++) {
		const char *word = argv[i];

		if (call->command && (call->command->verbatim ||
				      (call->command->tail &&
				       call->word_count > 0))) {
			call->words[call->word_count++] = word;
			continue;
		}
		if (flags && strcmp(word, "--") == 0)
			flags = false;
		else if (flags && word[0] == '-' && word[1] == '-')
			got = parse_long(call, word + 2, argv, &i, err);
		else if (flags && word[0] == '-' && word[1])
			got = parse_short(call, word + 1, argv, &i, err);
		else {
			call->words[call->word_count++] = word;
			if (!call->command)
				got = find_command(call, false, err);
		}
		if (got < 0)
			return -1;
	}
	if (!call->command && call->word_count &&
	    find_command(call, true, err) < 0)
		return -1;
	if (call->command && !call->command->verbatim && !call->value[FLAG_HELP])
		return check_arguments(call, err);
	return 0;
}

void cli_call_fini(struct cli_call *call)
{
	free(call->words);
	call->words = NULL;
}

/* "machine/mail-07" -> "mail-07" for a machine; another noun is an error. */
static const char *bare_name(const struct cli_argument *a, const char *word,
			     struct error *err)
{
	const char *slash = strchr(word, '/');
	size_t n = slash ? (size_t)(slash - word) : 0;
	char prefix[32];

	if (!slash || !a->noun || n >= sizeof(prefix))
		return word;
	memcpy(prefix, word, n);
	prefix[n] = '\0';
	if (!cli_noun(prefix))
		return word;
	if (strcmp(cli_noun(prefix)->name, a->noun) == 0)
		return slash + 1;
	error_set(err, "\"%.60s\" is a %s; this wants a %s", word,
		  cli_noun(prefix)->name, a->noun);
	return NULL;
}

static int put_number(json_t *request, const char *key, const char *what,
		      const char *word, struct error *err)
{
	char *end;
	long long n = strtoll(word, &end, 10);

	if (!isdigit((unsigned char)word[0]) || *end || strlen(word) > 18)
		return error_set(err, "%s is a number, not \"%.40s\"", what,
				 word);
	if (json_object_get(request, key))
		return error_set(err, "%s is given twice: as a word and as "
				 "--%s", what, key);
	json_object_set_new(request, key, json_integer(n));
	return 0;
}

static int put_arguments(json_t *request, const struct cli_call *call, int i,
			 struct error *err)
{
	const struct cli_command *c = call->command;

	for (int k = 0; k < CLI_ARGUMENTS && c->arguments[k].name; k++) {
		const struct cli_argument *a = &c->arguments[k];
		int at = a->many ? k + i : k;
		const char *word;

		if (!a->key || at >= call->word_count)
			continue;
		word = bare_name(a, call->words[at], err);
		if (!word)
			return -1;
		if (a->number &&
		    put_number(request, a->key, a->name, word, err))
			return -1;
		if (!a->number && json_object_set_new(request, a->key,
						      json_string(word)))
			return error_set(err, "%s \"%.60s\" is not UTF-8 text",
					 a->name, word);
	}
	return 0;
}

bool cli_engine_plans(const struct cli_command *c)
{
	return FLAG_IN(c->flags, FLAG_DRY_RUN);
}

json_t *cli_request(const struct cli_call *call, int i, struct error *err)
{
	json_t *request = json_pack("{s:s}", "verb", call->command->control);
	json_t *value = NULL;
	int64_t mib;

	for (int f = 0; f < FLAG_COUNT; f++) {
		const char *text = call->value[f];

		if (!text || !cli_flags[f].key)
			continue;
		if (f == FLAG_DRY_RUN && !cli_engine_plans(call->command))
			continue;	/* cli_run_would does it */
		switch (cli_flags[f].kind) {
		case VALUE_SWITCH:
			value = json_true();
			break;
		case VALUE_NUMBER:
			value = json_integer(strtol(text, NULL, 10));
			break;
		case VALUE_TIME:
			value = json_integer(cli_moment(
				text, call->value[FLAG_UTC] != NULL));
			break;
		case VALUE_MEMORY:
			value = json_null();
			if (text_parse_memory_mib(text, &mib, err) == 0)
				value = json_integer(mib);
			break;
		case VALUE_DURATION:
		case VALUE_TEXT:
			value = json_string(text);
			break;
		}
		if (json_object_set_new(request, cli_flags[f].key, value)) {
			error_set(err, "--%s is not UTF-8 text",
				  cli_flags[f].name);
			goto bad;
		}
	}
	if (put_arguments(request, call, i, err))
		goto bad;
	return request;
bad:
	json_decref(request);
	return NULL;
}
