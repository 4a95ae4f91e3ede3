/*
 * The grammar's promises: every command of the table is in the help, in the
 * completion and in the man page, none of them says more than the table, and
 * --read-only stops every command that changes something.
 */
#include "console/cli.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_output.h"
#include "tests/tap.h"

static const struct cli_roles no_roles;

/* Runs a command line; its exit code, its standard output in *out. */
static int run(char **out, const char *const *words)
{
	char *argv[16] = { (char *)"remuda" };
	FILE *before = stdout;
	size_t length;
	int argc = 1, code;

	while (words[argc - 1])
		argv[argc] = (char *)words[argc - 1], argc++;
	argv[argc] = NULL;
	fflush(stdout);
	stdout = open_memstream(out, &length);
	code = cli_main(argc, argv, &no_roles);
	fclose(stdout);
	stdout = before;
	return code;
}

static bool has_line(const char *text, const char *line)
{
	size_t n = strlen(line);

	for (const char *p = text; (p = strstr(p, line)); p++)
		if ((p == text || p[-1] == '\n') && p[n] == '\n')
			return true;
	return false;
}

/* A line that begins, after blanks, with form. */
static bool has_form(const char *text, const char *form)
{
	for (const char *p = text; (p = strstr(p, form)); p++) {
		const char *start = p;

		while (start > text && start[-1] == ' ')
			start--;
		if (start == text || start[-1] == '\n')
			return true;
	}
	return false;
}

/* As the man page writes it. */
static void man_form(char *out, const char *form)
{
	out = stpcpy(out, ".B ");
	for (; *form; form++) {
		if (*form == '-')
			*out++ = '\\';
		*out++ = *form;
	}
	*out = '\0';
}

static void test_everywhere(void)
{
	char *help, *man, *words, *topic, form[160], line[320];

	is_int(run(&help, (const char *[]){ "help", NULL }), 0, "help");
	is_int(run(&man, (const char *[]){ "help", "--man", NULL }), 0,
	       "help --man");
	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		cli_synopsis(form, sizeof(form), c);
		man_form(line, form);
		ok(has_form(help, form) == !c->hidden, "help: %s", form);
		ok(has_line(man, line) == !c->hidden, "man page: %s", form);
		if (c->noun)
			run(&words, (const char *[]){ "__complete", "--",
						      c->noun, "", NULL });
		else
			run(&words, (const char *[]){ "__complete", "--", "",
						      NULL });
		ok(has_line(words, c->verb) == !c->hidden, "completion: %s",
		   form);
		free(words);
		if (c->hidden)
			continue;
		is_int(c->noun ? run(&topic, (const char *[]){
						     "help", c->noun, c->verb,
						     NULL })
			       : run(&topic, (const char *[]){ "help", c->verb,
							       NULL }),
		       0, "help %s", form);
		ok(strstr(topic, c->help) != NULL, "help %s says it", form);
		for (int i = 0; i < FLAG_COUNT; i++)
			if (FLAG_IN(c->flags, i))
				ok(strstr(topic, cli_flags[i].help) != NULL,
				   "help %s: --%s", form, cli_flags[i].name);
		free(topic);
		if (c->alias)
			ok(strstr(help, c->alias) && strstr(man, c->alias),
			   "short form %s is told", c->alias);
	}
	free(help);
	free(man);
}

static void test_flags(void)
{
	char *help, *man, *words, dashed[64], line[80];

	run(&help, (const char *[]){ "help", NULL });
	run(&man, (const char *[]){ "help", "--man", NULL });
	run(&words, (const char *[]){ "__complete", "--", "--", NULL });
	for (int i = 0; i < FLAG_COUNT; i++) {
		bool used = cli_flags[i].global;

		snprintf(dashed, sizeof(dashed), "--%s", cli_flags[i].name);
		snprintf(line, sizeof(line), "\\-\\-%s", cli_flags[i].name);
		for (const struct cli_command *c = cli_commands; c->verb; c++)
			used |= FLAG_IN(c->flags, i);
		ok(used, "%s goes with some command", dashed);
		ok(strstr(help, dashed) || !cli_flags[i].global,
		   "help: %s", dashed);
		ok(has_line(words, dashed) == cli_flags[i].global,
		   "completion: %s", dashed);
		for (const char *p = line; *p; p++)
			if (*p == '-' && p > line && p[-1] != '\\') {
				/* no-color is no\-color there */
				memmove((char *)p + 1, p, strlen(p) + 1);
				*(char *)p = '\\';
				p++;
			}
		ok(strstr(man, line) != NULL, "man page: %s", dashed);
		for (int k = 0; k < i; k++)
			ok(strcmp(cli_flags[i].name, cli_flags[k].name) &&
				   (!cli_flags[i].letter ||
				    cli_flags[i].letter != cli_flags[k].letter),
			   "--%s and --%s differ", cli_flags[i].name,
			   cli_flags[k].name);
	}
	free(help);
	free(man);
	free(words);
}

static void test_man_file(void)
{
	char *man, *kept = calloc(1, 256 * 1024);
	FILE *in = fopen("share/man/remuda.1", "r");

	run(&man, (const char *[]){ "help", "--man", NULL });
	ok(in != NULL, "share/man/remuda.1 is there");
	if (in) {
		kept[fread(kept, 1, 256 * 1024 - 1, in)] = '\0';
		fclose(in);
	}
	is_text(kept, man, "it is what `remuda help --man` prints");
	free(man);
	free(kept);
}

static void test_read_only(void)
{
	int changing = 0;
	char *out;

	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		const char *words[8] = { "--read-only", "--socket",
					 "/nonexistent/socket" };
		int n = 3, code;

		if (c->hidden || !c->control)
			continue;
		changing += c->changes;
		if (c->noun)
			words[n++] = c->noun;
		words[n++] = c->verb;
		for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++)
			if (i == 0 || !c->arguments[i].optional)
				words[n++] = "7";
		if (strcmp(c->control, "pool.scale") == 0)
			words[n++] = "3";
		code = run(&out, words);
		is_int(code, c->changes ? CLI_NOT_ALLOWED : CLI_UNREACHABLE,
		       "--read-only %s%s%s", c->noun ? c->noun : "",
		       c->noun ? " " : "", c->verb);
		free(out);
	}
	ok(changing >= 10, "%d commands change something", changing);
}

static void test_columns(void)
{
	for (const struct cli_noun *n = cli_nouns; n->name; n++) {
		int stay = 0, flexible = 0;

		if (!n->view)
			continue;
		for (const struct cli_column *c = n->view->columns; c->title;
		     c++) {
			if (!(c->where & ON_TABLE))
				continue;
			stay += c->rank == 0;
			flexible += c->flexible;
		}
		ok(stay >= 1 && stay <= 3, "%s: %d columns always stay",
		   n->name, stay);
		ok(flexible <= 1, "%s: at most one takes the rest", n->name);
	}
}

int main(void)
{
	test_everywhere();
	test_flags();
	test_man_file();
	test_read_only();
	test_columns();
	return tap_done();
}
