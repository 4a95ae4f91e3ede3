/*
 * Help: what this view is, every key with what it does, what the words and signs
 * mean, how common things are done.  The keys come from the list of intents and
 * from keys.lua, commands from the table of the command line: neither is
 * written here a second time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "console/keys.h"
#include "console/pager.h"
#include "console/theme.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

enum { HELP_ROWS_MAX = 64, HELP_LINE_SIZE = 64, KEY_CELLS = 9 };

/* ---- how things are done --------------------------------------------- */

/* %s is the key of the intent before it, as it is bound now. */
static const struct {
	const char *want;
	const char *how;
	enum intent keys[3];
} tasks[] = {
	{ "see what is broken and why",
	  "%s alarms, Enter on one; or %s machines, %s then  state=quarantined",
	  { INTENT_ALARMS, INTENT_MACHINES, INTENT_FILTER } },
	{ "see why a pool has the size it has",
	  "%s pools, Enter on it: why; Tab to Why has what rules said",
	  { INTENT_POOLS } },
	{ "end a user's session", "%s sessions, move to the user, %s, then y",
	  { INTENT_SESSIONS, INTENT_END } },
	{ "look into a machine", "%s machines, move to it, %s its console; "
	  "Ctrl-] or F12 leaves it", { INTENT_MACHINES, INTENT_CONSOLE } },
	{ "change the size of a pool", "%s pools, move to it, %s, a number",
	  { INTENT_POOLS, INTENT_SCALE } },
	{ "grow a cluster at a date",
	  "%s site file, in the cluster:  calendar = { { on = \"DATE\", nodes = 4 } },",
	  { INTENT_EDIT } },
	{ "take the last change back", "%s within 60 s", { INTENT_UNDO } },
	{ "make a pool of a machine of mine",
	  "%s then  pool create NAME from=DOMAIN application=APP serve=3",
	  { INTENT_COMMAND } },
	{ "know who used most", "%s then  usage", { INTENT_COMMAND } },
	{ "change nothing by mistake", "%s then  read-only", { INTENT_COMMAND } },
	{ "get a machine from a workstation",
	  "there:  remuda connect APP     %s applications: their doors",
	  { INTENT_APPS } },
	{ "do one thing to many", "%s marks, %s all shown, then the key of it",
	  { INTENT_MARK, INTENT_MARK_ALL } },
	{ "leave", "%s; machines and sessions stay as they are",
	  { INTENT_QUIT } },
};

static const char *first_key(enum intent intent, char *out, size_t size)
{
	keys_of(intent, false, out, size);
	if (!*out)
		keys_of(intent, true, out, size);
	if (!*out)
		snprintf(out, size, ":%s", intent_table[intent].name);
	return out;
}

const char *help_task(size_t i, char *out, size_t size)
{
	if (i >= sizeof(tasks) / sizeof(tasks[0]))
		return NULL;
	const char *how = tasks[i].how;
	size_t used = 0;
	int key = 0;

	while (*how && used + 1 < size) {
		char name[32];

		if (how[0] != '%' || how[1] != 's') {
			out[used++] = *how++;
			continue;
		}
		first_key(tasks[i].keys[key++], name, sizeof(name));
		used += (size_t)snprintf(out + used, size - used, "%s", name);
		used = used < size ? used : size - 1;
		how += 2;
	}
	out[used] = '\0';
	return tasks[i].want;
}

/* ---- the overlay ----------------------------------------------------- */

/* As many whole keys of the intent as fit, the first one first. */
static void key_column(enum intent intent, char *out, size_t size)
{
	const char *key = keys_list(intent);
	size_t length, used = 0;

	out[0] = '\0';
	for (; (key = keys_next(key, &length)) != NULL; key += length) {
		if (used + length + (used > 0) > KEY_CELLS ||
		    used + length + 2 > size)
			continue;
		used += (size_t)snprintf(out + used, size - used, "%s%.*s",
					 used ? " " : "", (int)length, key);
	}
}

/* "  keys     help" lines of a group; returns how many. */
static int group_lines(enum intent_group group, const char *title,
		       char lines[][HELP_LINE_SIZE], int at)
{
	char keys[16];

	if (at < HELP_ROWS_MAX)
		snprintf(lines[at++], HELP_LINE_SIZE, "%s", title);
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++) {
		if (intent_table[i].group != group || at >= HELP_ROWS_MAX)
			continue;
		key_column((enum intent)i, keys, sizeof(keys));
		snprintf(lines[at++], HELP_LINE_SIZE, " %-9s %.24s", keys,
			 intent_table[i].help);
	}
	return at;
}

static void show_keys(struct app *app)
{
	static char columns[4][HELP_ROWS_MAX][HELP_LINE_SIZE];
	int counts[4], rows = 0, width = view_wide(&app->grid) ? 4 : 2;

	memset(columns, 0, sizeof(columns));
	counts[0] = group_lines(GROUP_GO, "GO", columns[0], 0);
	counts[1] = group_lines(GROUP_LIST, "LIST", columns[1], 0);
	if (width == 4) {
		counts[2] = group_lines(GROUP_ACT, "ACT", columns[2], 0);
		counts[3] = group_lines(GROUP_ANY, "ANYWHERE", columns[3], 0);
	} else {
		counts[0] = group_lines(GROUP_ACT, "ACT", columns[0], counts[0]);
		counts[1] = group_lines(GROUP_ANY, "ANYWHERE", columns[1],
					counts[1]);
	}
	for (int c = 0; c < width; c++)
		rows = counts[c] > rows ? counts[c] : rows;
	for (int i = 0; i < rows; i++) {
		if (width == 4)
			dialog_line(&app->dialog, "%-27.27s %-31.31s %-29.29s %s",
				    columns[0][i], columns[1][i],
				    columns[2][i], columns[3][i]);
		else
			dialog_line(&app->dialog, "%-35.35s %s", columns[0][i],
				    columns[1][i]);
	}
}

static void show_states(struct app *app)
{
	static const struct {
		enum role role;
		const char *word;
	} states[] = {
		{ ROLE_USED, "in use" }, { ROLE_FREE, "ready" },
		{ ROLE_CHANGING, "changing" }, { ROLE_LEAVING, "leaving" },
		{ ROLE_FAILED, "failed" }, { ROLE_OFF, "off" },
		{ ROLE_UNKNOWN, "unknown" },
	};
	char line[DIALOG_LINE_SIZE] = "STATES";
	size_t used = strlen(line);

	for (size_t i = 0; i < sizeof(states) / sizeof(states[0]); i++)
		used += (size_t)snprintf(line + used, sizeof(line) - used,
					 "  %s %s", glyph(app->grid.ascii,
					 role_glyph(states[i].role)),
					 states[i].word);
	dialog_line(&app->dialog, "%s", line);
}

/* Text of any length as lines of the dialog. */
static void show_text(struct app *app, const char *text)
{
	int cols = view_wide(&app->grid) ? 110 : app->grid.cols - 6;

	while (*text) {
		char line[DIALOG_LINE_SIZE];
		size_t n;

		text_clip(app->grid.ascii, line, sizeof(line), text, cols);
		n = strlen(line);
		if (text[n] && text[n] != ' ' && strrchr(line, ' '))
			n = (size_t)(strrchr(line, ' ') - line);
		if (n == 0)
			break;
		dialog_line(&app->dialog, "%.*s", (int)n, text);
		text += n + strspn(text + n, " ");
	}
}

void help_show(struct app *app)
{
	const struct view_ops *ops = app_view(app)->ops;
	struct dialog *d = &app->dialog;
	char title[96], how[128];
	const char *want;
	bool wide = view_wide(&app->grid);

	snprintf(title, sizeof(title), "Help: %s", ops->title);
	dialog_open(d, DIALOG_TEXT, title, NULL);
	if (ops->about) {
		show_text(app, ops->about);
		dialog_line(d, "%s", "");
	}
	show_keys(app);
	dialog_line(d, "%s", "");
	show_states(app);
	dialog_line(d, "%s", "");
	dialog_line(d, "HOW TO");
	for (size_t i = 0; (want = help_task(i, how, sizeof(how))); i++) {
		if (wide) {
			dialog_line(d, " %-36s %s", want, how);
			continue;
		}
		dialog_line(d, " %s:", want);
		dialog_line(d, "   %s", how);
	}
	dialog_line(d, "%s", "");
	show_text(app, "Words after : are those of the shell: :pool scale mail 5 "
		  "is  remuda pool scale mail 5.  More:  :help states  :help "
		  "keys  :help pool  :help calendar  :tutorial");
	show_text(app, app->options->embedded ? "The engine runs beside this "
		  "console; quitting asks whether it goes on." :
		  "The engine is not part of this console; quitting stops "
		  "nothing.");
}

/* ---- on a word ------------------------------------------------------- */

static const struct {
	const char *kind, *state, *means;
} meanings[] = {
	{ "machine", "defined", "has a place in its pool, nothing runs yet" },
	{ "machine", "booting", "starts; its agent has not answered yet" },
	{ "machine", "preparing", "the application's prepare hook runs in it" },
	{ "machine", "ready", "clean and prepared: the next user gets it" },
	{ "machine", "saving", "goes to sleep on disk" },
	{ "machine", "saved", "asleep on disk; wakes faster than one boots" },
	{ "machine", "waking", "comes back from disk" },
	{ "machine", "reserved", "given to a user who is about to be accepted" },
	{ "machine", "in_session", "a user works on it (shown as: in use)" },
	{ "machine", "cleaning", "made clean of its last user" },
	{ "machine", "held", "taken out for an operator; R puts it back" },
	{ "machine", "quarantined", "failed three times; why: d, its events" },
	{ "machine", "retiring", "leaves its pool" },
	{ "machine", "gone", "is no more" },
	{ "session", "assigned", "has its machine; not accepted yet" },
	{ "session", "active", "its user works" },
	{ "session", "closed", "ended as it should" },
	{ "session", "lost", "its connection broke" },
	{ "session", "failed", "never worked" },
	{ "request", "waiting", "stands in line for a machine" },
	{ "host", "not_answering", "unknown, not dead: its machines show ?" },
};

static void states_page(struct app *app)
{
	struct pager *p = view_text_show(app, "help states");

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		struct state_look look = state_look(meanings[i].kind,
						    meanings[i].state);

		if (i && strcmp(meanings[i].kind, meanings[i - 1].kind) != 0)
			pager_printf(p, "%s", "");
		pager_printf(p, "%-8s %s %-14s %s", meanings[i].kind,
			     glyph(app->grid.ascii, role_glyph(look.role)),
			     look.word, meanings[i].means);
	}
	pager_printf(p, "%s", "");
	pager_printf(p, "A machine of a host that does not answer shows ? and its "
		     "last known state: it may be anything by now.");
}

/* Sizes at a date: lines for the site file, for people who have e open. */
static void calendar_page(struct app *app)
{
	static const char *const lines[] = {
		"A cluster's size at a date, or at times that come again: in the "
		"site file, in the",
		"cluster, between its bounds min_nodes and max_nodes.  e opens the "
		"file; when it is",
		"saved the engine says what that changes, and y applies it.",
		"",
		"  calendar = {",
		"      { on = \"2026-12-24\", nodes = 4 },",
		"      { on = \"2026-12-24..2027-01-02 08:00-12:00\", nodes = 6 },",
		"      { every = \"Dec,May\", nodes = 4 },",
		"      { every = \"Mon-Fri 08:00-18:00\", nodes = 3, memory = "
		"\"8 GiB\" },",
		"  },",
		"",
		"Of entries that hold at the same time the last one counts; a rule "
		"and then an operator",
		"(S) come after the calendar.  A cluster's Why tells who said its "
		"size.  Other days,",
		"such as the last Friday of a month: scripts/rules/calendar.lua.  "
		"remuda-site(5)",
	};
	struct pager *p = view_text_show(app, "help calendar");

	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		pager_printf(p, "%s", lines[i]);
}

static void intent_page(struct app *app, enum intent intent)
{
	const struct intent_info *info = &intent_table[intent];
	struct pager *p = view_text_show(app, info->name);

	pager_printf(p, "%s: %s", info->name, info->help);
	pager_printf(p, "keys: %s", *keys_list(intent) ? keys_list(intent) :
		     "none");
	pager_printf(p, "command: :%s", info->name);
	pager_printf(p, "other keys: keys.lua,  return { [\"%s\"] = \"KEY\" }",
		     info->name);
}

static void cli_page(struct app *app, const char *noun,
		     const struct cli_command *command)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	char title[64];

	CHECK("", out, "out of memory");
	if (command)
		cli_help_command(out, command);
	else
		cli_help_noun(out, noun);
	fclose(out);
	snprintf(title, sizeof(title), "help %.50s", command ? command->verb :
		 noun);
	pager_add(view_text_show(app, title), text, size);
	free(text);
}

bool help_word(struct app *app, const char *word)
{
	const struct view_ops *ops = view_named(word);
	enum intent intent = keys_intent_named(word);

	if (strcmp(word, "states") == 0)
		states_page(app);
	else if (strcmp(word, "calendar") == 0)
		calendar_page(app);
	else if (strcmp(word, "keys") == 0)
		app_show(app, &view_keys, "");
	else if (strcmp(word, "settings") == 0)
		app_show(app, &view_set, "");
	else if (cli_noun(word))
		cli_page(app, cli_noun(word)->name, NULL);
	else if (cli_command(NULL, word))
		cli_page(app, NULL, cli_command(NULL, word));
	else if (intent != INTENT_NONE && !ops)
		intent_page(app, intent);
	else if (ops && ops->about)
		pager_printf(view_text_show(app, ops->title), "%s", ops->about);
	else
		return false;
	return true;
}
