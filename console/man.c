/* The console's manual page; what it lists is what keys.h and view.h have. */
#include "console/man.h"

#include "console/intent.h"
#include "console/keys.h"
#include "console/view.h"
#include "engine/engine.h"

/* A word of roff: dashes are typed ones, a backslash is one. */
static void word(FILE *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '-')
			fputs("\\-", out);
		else if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '"')
			fputs("\\(dq", out);
		else
			fputc(*text, out);
	}
}

static void key_group(FILE *out, enum intent_group group, const char *title)
{
	fprintf(out, ".SS %s\n", title);
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++) {
		const struct intent_info *info = &intent_table[i];

		if (info->group != group)
			continue;
		fputs(".TP\n.B \\&", out);
		word(out, info->keys);
		fputs("\n\\&", out);
		word(out, info->help);
		fputs("\n.RB ( :", out);
		word(out, info->name);
		fputs(" )\n", out);
	}
}

static void views(FILE *out)
{
	for (int i = 0; view_table[i]; i++) {
		const struct view_ops *v = view_table[i];

		if (v->detail)
			continue;
		fputs(".TP\n.B :", out);
		word(out, v->name);
		fputs("\n\\&", out);
		word(out, v->title);
		if (*v->aliases) {
			fputs("; also ", out);
			word(out, v->aliases);
		}
		fputc('\n', out);
	}
}

void man_console(FILE *out)
{
	fputs(".\\\" Printed by `remuda help --man console`; do not edit.\n"
	      ".TH REMUDA\\-CONSOLE 1 \"\" \"Remuda " REMUDA_VERSION "\"\n"
	      ".SH NAME\n"
	      "remuda\\-console \\- pools, machines and sessions on a terminal\n"
	      ".SH SYNOPSIS\n"
	      ".B remuda\n"
	      "[\\-\\-site NAME] [\\-\\-read\\-only] [\\-\\-ascii] [\\-\\-no\\-color]\n"
	      ".br\n"
	      ".B remuda attach\n"
	      "[SOCKET]\n"
	      ".SH DESCRIPTION\n"
	      "Without a command, on a terminal, remuda is a console on the engine of\n"
	      "a site.  Where none runs it starts one, and asks at the end whether it\n"
	      "shall go on.  What the console shows comes from the engine as it\n"
	      "happens; the right end of the line above the keys says whether that is\n"
	      "so.  The last line has the keys that do something now.\n"
	      ".PP\n"
	      "After\n.B :\nstands a view, an intent by its name, or a command as in the\n"
	      "shell: :pool scale mail 5 is `remuda pool scale mail 5`.\n"
	      "What ends a session or destroys a machine is asked about first, and\n"
	      "another key than the one that asked says yes.\n"
	      ".SH VIEWS\n", out);
	views(out);
	fputs(".SH KEYS\nThe first is the one shown.  C\\- is with Ctrl, S\\- with "
	      "Shift.\n", out);
	key_group(out, GROUP_GO, "Going");
	key_group(out, GROUP_LIST, "In a list");
	key_group(out, GROUP_ACT, "Acting");
	key_group(out, GROUP_ANY, "Anywhere");
	fputs(".SH SEE ALSO\n.BR remuda (1),\n.BR remuda\\-lua (3)\n", out);
}
