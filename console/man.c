/* The console's manual page; what it lists is what keys.h and view.h have. */
#include "console/man.h"

#include "console/app_internal.h"
#include "console/intent.h"
#include "console/keys.h"
#include "console/settings.h"
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
		fputs(v->about ? ".  " : "", out);
		word(out, v->about ? v->about : "");
		fputc('\n', out);
	}
}

static void tasks(FILE *out)
{
	const char *want;
	char how[128];

	for (size_t i = 0; (want = help_task(i, how, sizeof(how))); i++) {
		fputs(".TP\n\\&", out);
		word(out, want);
		fputs("\n\\&", out);
		word(out, how);
		fputc('\n', out);
	}
}

static void settings(FILE *out)
{
	for (int i = 0; i < SETTING_COUNT; i++) {
		const struct setting_info *s = &setting_table[i];

		fputs(".TP\n.BI ", out);
		word(out, s->name);
		fputs(" \" ", out);
		word(out, *s->choices ? s->choices : "TEXT");
		fputs("\"\n\\&", out);
		word(out, s->help);
		fputs(" (", out);
		word(out, *s->standard ? s->standard : "none");
		fputs(")\n", out);
	}
}

static const char files[] =
	".SH MACHINE'S CONSOLE\n"
	"c opens the serial console of the machine under the cursor; every key but\n"
	"those in the last line goes to the guest.  Ctrl\\-] or F12 leaves it, and\n"
	"so does ~. at the beginning of a line.\n"
	".SH FILES\n"
	"In $XDG_CONFIG_HOME/remuda, of root in /etc/remuda:\n"
	".TP\n.B console.lua\n"
	"Settings, as in return { theme = \\(dqdeutan\\(dq, quiet = true };\n"
	".B :set save\n"
	"writes it, sites = { lab = { word = \\(dqPROD\\(dq } } is for one site.\n"
	".TP\n.B keys.lua\n"
	"Other keys, as in return { scale = \\(dqA\\-s\\(dq, delete = false }; the names\n"
	"are those in brackets above,\n"
	".B :keys\n"
	"shows what came of it.\n"
	".SH ENVIRONMENT\n"
	".TP\n.B NO_COLOR\nNot empty: no colours.\n"
	".TP\n.B VISUAL, EDITOR\nWhat e opens the site file with (vi).\n"
	".TP\n.B COLORFGBG\n"
	"The terminal's background, when it does not answer a question about it.\n"
	".SH EXIT STATUS\n"
	"0 when it was left, 1 when its terminal went away, 2 when it cannot run on this\n"
	"terminal.  Whatever ends it but SIGKILL, the terminal is as it was before.\n";

void man_console(FILE *out)
{
	fputs(".\\\" Printed by `remuda help --man console`; do not edit.\n"
	      ".TH REMUDA\\-CONSOLE 1 \"\" \"Remuda " REMUDA_VERSION "\"\n"
	      ".SH NAME\n"
	      "remuda\\-console \\- pools, machines and sessions on a terminal\n"
	      ".SH SYNOPSIS\n"
	      ".B remuda\n"
	      "[\\-\\-site NAME] [\\-\\-practice] [\\-\\-read\\-only] [\\-\\-ascii] [\\-\\-no\\-color]\n"
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
	fputs(".SH HOW TO\n", out);
	tasks(out);
	fputs(".SH SETTINGS\n.B :set NAME VALUE\nsays one, Tab completes both, "
	      "\n.B :set save\nkeeps them.  In brackets what is built in.\n", out);
	settings(out);
	fputs(files, out);
	fputs(".SH SEE ALSO\n.BR remuda (1),\n.BR remuda\\-site (5),\n"
	      ".BR remuda\\-lua (3)\n", out);
}
