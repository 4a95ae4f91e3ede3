/*
 * Help and man page, printed from the table of cli_table.c.  share/man/remuda.1
 * is the output of `remuda help --man`; a test holds them together.
 */
#include "console/cli.h"

#include <string.h>

void cli_synopsis(char *out, size_t out_size, const struct cli_command *c)
{
	size_t used = (size_t)snprintf(out, out_size, "%s%s%s",
				       c->noun ? c->noun : "",
				       c->noun ? " " : "", c->verb);

	for (int i = 0; i < CLI_ARGUMENTS && c->arguments[i].name; i++) {
		const struct cli_argument *a = &c->arguments[i];

		if (used < out_size)
			used += (size_t)snprintf(out + used, out_size - used,
						 " %s%s%s%s",
						 a->optional ? "[" : "",
						 a->name, a->many ? "..." : "",
						 a->optional ? "]" : "");
	}
}

/* "-n, --dry-run" or "    --serve N". */
static void flag_form(char *out, size_t out_size, const struct cli_flag_info *f)
{
	char letter[8] = "    ";

	if (f->letter)
		snprintf(letter, sizeof(letter), "-%c, ", f->letter);
	snprintf(out, out_size, "%s--%s%s%s", letter, f->name,
		 f->value ? " " : "", f->value ? f->value : "");
}

static void print_flag(FILE *out, const struct cli_flag_info *f)
{
	char form[64];

	flag_form(form, sizeof(form), f);
	fprintf(out, "  %-24s  %s\n", form, f->help);
}

static void print_command(FILE *out, const struct cli_command *c)
{
	char form[128];

	cli_synopsis(form, sizeof(form), c);
	fprintf(out, "  %-32s  %s\n", form, c->help);
}

static bool of_noun(const struct cli_command *c, const char *noun)
{
	if (c->hidden)
		return false;
	return noun ? c->noun && strcmp(c->noun, noun) == 0 : !c->noun;
}

static void print_commands(FILE *out, const char *noun)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (of_noun(c, noun))
			print_command(out, c);
}

static void print_global_flags(FILE *out)
{
	fprintf(out, "\nFlags of every command\n");
	for (int i = 0; i < FLAG_COUNT; i++)
		if (cli_flags[i].global)
			print_flag(out, &cli_flags[i]);
}

void cli_help_all(FILE *out)
{
	fprintf(out, "Remuda keeps pools of virtual machines that are ready, "
		     "and gives each user one.\n\n"
		     "  remuda                            the console, on a "
		     "terminal\n"
		     "  remuda NOUN VERB [NAME...] [flags]\n\n"
		     "Commands\n");
	for (const struct cli_noun *n = cli_nouns; n->name; n++)
		print_commands(out, n->name);
	fprintf(out, "\n");
	print_commands(out, NULL);
	fprintf(out, "\nShort forms\n");
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->alias)
			fprintf(out, "  remuda %-25s  %s %s\n", c->alias,
				c->noun, c->verb);
	print_global_flags(out);
	fprintf(out, "\nExit codes\n");
#define X(name, code, help) fprintf(out, "  %3d  %s\n", code, help);
	CLI_EXITS(X)
#undef X
	fprintf(out, "\nMore about one: remuda help pool, remuda help pool "
		     "scale\n");
}

void cli_help_noun(FILE *out, const char *noun)
{
	const struct cli_noun *n = cli_noun(noun);

	fprintf(out, "%s: %s", n->name, n->help);
	if (n->alias)
		fprintf(out, " (also: %s)", n->alias);
	fprintf(out, "\n\n");
	print_commands(out, n->name);
}

void cli_help_command(FILE *out, const struct cli_command *c)
{
	char form[128];

	cli_synopsis(form, sizeof(form), c);
	fprintf(out, "remuda %s%s\n  %s\n", form, c->flags ? " [flags]" : "",
		c->help);
	if (c->alias)
		fprintf(out, "  also: remuda %s\n", c->alias);
	if (c->confirm == CONFIRM_ALWAYS)
		fprintf(out, "  asks first; --yes does not\n");
	if (c->confirm == CONFIRM_SHRINK)
		fprintf(out, "  asks first when it becomes smaller; --yes does "
			     "not\n");
	if (c->confirm == CONFIRM_TYPED)
		fprintf(out, "  asks for its name; --confirm NAME does not\n");
	if (c->confirm == CONFIRM_IN_SESSION)
		fprintf(out, "  asks first while someone is on the machine; "
			     "--yes does not\n");
	if (c->flags)
		fprintf(out, "\n");
	for (int i = 0; i < FLAG_COUNT; i++)
		if (FLAG_IN(c->flags, i))
			print_flag(out, &cli_flags[i]);
	fprintf(out, "\nFlags of every command: remuda help\n");
}

/* ---- man page (man(7) macros) -------------------------------------------- */

/* Hyphens that are typed, backslashes, and lines that begin with a dot. */
static void man_text(FILE *out, const char *text)
{
	if (*text == '.' || *text == '\'')
		fputs("\\&", out);
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '~')
			fputs("\\(ti", out);
		else
			fputc(*text, out);
	}
}

static void man_item(FILE *out, const char *term, const char *text)
{
	fputs(".TP\n.B ", out);
	man_text(out, term);
	fputc('\n', out);
	man_text(out, text);
	fputc('\n', out);
}

static void man_commands(FILE *out)
{
	char form[160], flag[64];

	for (const struct cli_command *c = cli_commands; c->verb; c++) {
		if (c->hidden)
			continue;
		cli_synopsis(form, sizeof(form), c);
		man_item(out, form, c->help);
		if (c->alias)
			fprintf(out, "(short: remuda %s)\n", c->alias);
		if (c->flags)
			fputs(".RS\n", out);
		for (int i = 0; i < FLAG_COUNT; i++) {
			if (!(FLAG_IN(c->flags, i)))
				continue;
			flag_form(flag, sizeof(flag), &cli_flags[i]);
			man_item(out, flag + strspn(flag, " "),
				 cli_flags[i].help);
		}
		if (c->flags)
			fputs(".RE\n", out);
	}
}

void cli_man_page(FILE *out)
{
	char flag[64], code[16];

	fputs(".\\\" Printed by `remuda help --man`; do not edit.\n"
	      ".TH REMUDA 1 \"\" \"Remuda " REMUDA_VERSION "\"\n"
	      ".SH NAME\n"
	      "remuda \\- pools of virtual machines that are ready for their "
	      "users\n"
	      ".SH SYNOPSIS\n"
	      ".B remuda\n"
	      ".br\n"
	      ".B remuda\n"
	      ".RI [ flags ] \" NOUN VERB \" [ NAME... ] \" \" [ flags ]\n"
	      ".SH DESCRIPTION\n"
	      "Without words, on a terminal, the console.  With words, one "
	      "command to the engine of a site.\n"
	      "Data go to standard output, messages to standard error.\n"
	      ".SH COMMANDS\n", out);
	man_commands(out);
	fputs(".SH FLAGS\nThey may stand anywhere and mean the same "
	      "everywhere.\n", out);
	for (int i = 0; i < FLAG_COUNT; i++) {
		if (!cli_flags[i].global)
			continue;
		flag_form(flag, sizeof(flag), &cli_flags[i]);
		man_item(out, flag + strspn(flag, " "), cli_flags[i].help);
	}
	fputs(".SH FILES\n"
	      "Of a site other than \\(dqdefault\\(dq the first is in a folder of its "
	      "name.\n", out);
	man_item(out, "/etc/remuda/site.lua",
		 "the site file; of a user: $XDG_CONFIG_HOME/remuda/site.lua");
	man_item(out, "/var/lib/remuda/SITE",
		 "store, key, volumes, log; of a user: $XDG_STATE_HOME/remuda/SITE");
	man_item(out, "/run/remuda/SITE",
		 "sockets; of a user: $XDG_RUNTIME_DIR/remuda/SITE");
	fputs(".SH ENVIRONMENT\n"
	      ".BR REMUDA_SITE , REMUDA_CONFIG , REMUDA_SOCKET , "
	      "REMUDA_RUN_DIR\nand\n.B REMUDA_STATE_DIR\nare the flags of these "
	      "names; a flag goes before them.\n.B NO_COLOR\n"
	      "is as everywhere.\n", out);
	fputs(".SH EXIT STATUS\n"
	      "Of\n.B machine exec\nand\n.B run\nit is that of the command in the "
	      "machine and of the script.\n", out);
#define X(name, number, help)                                                  \
	snprintf(code, sizeof(code), "%d", number);                            \
	man_item(out, code, help);
	CLI_EXITS(X)
#undef X
	fputs(".SH SEE ALSO\n"
	      ".BR remuda\\-console (1),\n.BR remuda\\-lua (3),\n"
	      ".BR remuda\\-site (5),\n.BR remuda\\-access (7),\n"
	      ".BR remuda\\-clusters (7),\n.BR remuda\\-protocol (7),\n"
	      ".BR remuda\\-resources (7),\n.BR remuda\\-usage (7)\n", out);
}
