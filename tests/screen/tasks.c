/*
 * Ten tasks of a newcomer, done in the console with keys alone.  Each key is
 * first looked for on the screen, else in what ? shows; only then is it pressed,
 * so a task fails when nothing says how it is done.  What is typed is a line of
 * that text with its capitals filled in.  The presses of each are printed.
 *
 * Seven run on the practice site, whose engine is a real one.  Its hosts are
 * libvirt's test driver, which has no serial consoles and no last month: the
 * other three run on an engine played here.
 *
 *   tasks REMUDA
 */
#include <ftw.h>
#include <sys/stat.h>

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

enum { SLOW_MS = 60000, KEY_LINE = 128 };

static const char *remuda;
static char dir[32];

/* Waits longer than an answer takes. */
#define SLOWLY(h, cond)                                                        \
	({                                                                     \
		int64_t slow_limit = real_ms() + SLOW_MS;                      \
		while (!(cond) && real_ms() < slow_limit)                      \
			pump(h, 50);                                           \
		(cond);                                                        \
	})

/* ---- pressing what is seen ---------------------------------------------- */

struct task {
	struct harness *h;
	const char *what;
	int keys;		/* pressed for it */
	int looks;		/* times ? had to say how */
};

enum { TASKS = 10 };

static char results[TASKS][KEY_LINE];
static int result_count;

/* Runs of blanks as one. */
static void flat(char *out, size_t size, const char *text)
{
	size_t used = 0;

	for (; *text && used + 1 < size; text++)
		if (*text != ' ' || (used && out[used - 1] != ' '))
			out[used++] = *text;
	out[used] = '\0';
}

/* The line with the words, -1 = none. */
static int row_of(struct harness *h, const char *words)
{
	char line[4096];

	for (int row = 0; row < h->rows; row++) {
		flat(line, sizeof(line), screen_line(h, row));
		if (strstr(line, words))
			return row;
	}
	return -1;
}

static bool visible(struct harness *h, const char *words)
{
	return row_of(h, words) >= 0;
}

static bool within(struct harness *h, const char *words, int ms)
{
	int64_t limit = real_ms() + ms;

	while (!visible(h, words) && real_ms() < limit)
		pump(h, 20);
	return visible(h, words);
}

/* ? would be text, or an answer, now. */
static bool asked(struct harness *h)
{
	const char *line = screen_line(h, h->rows - 2);

	return strstr(line, "ASKING") || strstr(line, "COMMAND") ||
	       strstr(line, "GUEST READ");
}

/* How much of the help is below; -1 = it is not open. */
static int below(struct harness *h)
{
	for (int row = 0; row < h->rows; row++) {
		const char *line = screen_line(h, row);
		const char *at = strstr(line, " more below");

		while (at && at > line && at[-1] >= '0' && at[-1] <= '9')
			at--;
		if (at)
			return atoi(at);
	}
	return -1;
}

/* Reads all of ? until it has the words. */
static bool in_help(struct task *t, const char *words)
{
	struct harness *h = t->h;
	bool found;
	int now;

	t->looks++;
	type(h, "?");
	UNTIL(h, below(h) >= 0);
	while (!(found = visible(h, words)) && (now = below(h)) > 0) {
		type(h, "\033[6~");	/* PgDn */
		UNTIL(h, below(h) != now || visible(h, words));
	}
	type(h, "\033");
	UNTIL(h, below(h) < 0);
	return found;
}

/* The words name the key, and are there to be read. */
static void told(struct task *t, const char *name, const char *words)
{
	bool seen = within(t->h, words, asked(t->h) ? HARNESS_LIMIT_MS : 300) ||
		    (!asked(t->h) && in_help(t, words));

	ok(seen && strstr(words, name), "%s: told \"%s\"", t->what, words) ||
		(dump(t->h), 0);
}

/* Presses one key that the screen calls name. */
static void press(struct task *t, const char *key, const char *name,
		  const char *words)
{
	told(t, name, words);
	type(t->h, key);
	t->keys++;
}

/* Types a line that was told, with its words in capitals filled in: pairs of
 * such a word and what stands for it, NULL at the end. */
static void fill(struct task *t, const char *line, const char *const *with)
{
	char text[256], rest[256];

	snprintf(text, sizeof(text), "%s", line);
	for (; with && with[0]; with += 2) {
		char *at = strstr(text, with[0]);

		if (!at)
			tap_bail("\"%s\" has no %s", line, with[0]);
		snprintf(rest, sizeof(rest), "%s", at + strlen(with[0]));
		snprintf(at, sizeof(text) - (size_t)(at - text), "%s%s", with[1],
			 rest);
	}
	type(t->h, text);
	t->keys += (int)strlen(text);
}

/* A command after the colon; before it, for behind it ? is text. */
static void command(struct task *t, const char *line, const char *const *with)
{
	told(t, "", line);
	press(t, ":", ":", ": Command");
	UNTIL(t->h, shows(t->h, "COMMAND"));
	fill(t, line, with);
	press(t, "\r", "Enter", "Enter Run");
}

/* Down to the line of a name. */
static void go_to(struct task *t, const char *name)
{
	char line[64];

	snprintf(line, sizeof(line), "\xe2\x96\xb6 %s ", name);
	UNTIL(t->h, shows(t->h, "\xe2\x96\xb6"));
	if (shows(t->h, line))
		return;
	told(t, "j", "j Down one line down");
	for (int i = 0; i < 20 && !shows(t->h, line); i++) {
		type(t->h, "j");
		t->keys++;
		within(t->h, line, 500);
	}
	ok(shows(t->h, line), "%s: the cursor is on %s", t->what, name);
}

static struct task begin(struct harness *h, const char *what)
{
	type(h, "1");		/* where everybody begins */
	UNTIL(h, shows(h, "Latest events"));
	return (struct task){ .h = h, .what = what };
}

static void end(struct task *t)
{
	snprintf(results[result_count++ % TASKS], KEY_LINE,
		 "%3d keys, %d looks into ?   %s", t->keys, t->looks, t->what);
}

/* ---- on the practice site ----------------------------------------------- */

static void find_failing(struct harness *h)
{
	struct task t = begin(h, "find the failing machine and why");

	ok(SLOWLY(h, shows(h, " alarms")), "there are alarms");
	press(&t, "!", "!", "! open alarms");
	sees(h, "machine/build-03", "which machine");
	press(&t, "\r", "Enter", "Enter Open");
	sees(h, "no space left on /build (100 % used)", "and why, in full");
	end(&t);
}

static void end_session(struct harness *h)
{
	struct task t = begin(h, "end a user's session");
	char line[256] = "", *user, *rest;

	press(&t, "3", "3", "3 Sessions");
	UNTIL(h, shows(h, "Overview \xe2\x80\xba Sessions") &&
	      shows(h, "\xe2\x96\xb6"));
	for (int row = 0; row < h->rows && !*line; row++)
		if ((rest = strstr((char *)(uintptr_t)screen_line(h, row),
				   "\xe2\x96\xb6")))
			snprintf(line, sizeof(line), "%s", rest + 3);
	user = strtok_r(line, " ", &rest);
	tap_note("it is %s's", user);
	press(&t, "x", "x", "x End");
	sees(h, user, "the question names the user");
	press(&t, "y", "y", "y Do it");
	sees(h, "[remuda session end ", "and it ends");
	end(&t);
}

static void make_pool(struct harness *h)
{
	struct task t = begin(h, "make a pool from an existing domain");

	command(&t, "pool create NAME from=DOMAIN application=APP serve=3",
		(const char *const[]){ "NAME", "mine", "DOMAIN", "test", "APP",
				       "office", NULL });
	sees(h, "pool/mine created", "the engine made it");
	press(&t, "2", "2", "2 Pools");
	sees(h, "mine ", "and it is among the pools");
	end(&t);
}

static void grow_at_date(struct harness *h)
{
	static const char line[] = "calendar = { { on = \"DATE\", nodes = 4 } },";
	struct task t = begin(h, "grow a cluster at a date");
	char date[64];
	time_t now = time(NULL);
	struct tm tm;

	strftime(date, sizeof(date), "%Y-%m-%d..2099-12-31",
		 localtime_r(&now, &tm));
	told(&t, "", line);
	press(&t, "e", "e", "e site file, in the cluster:");
	sees(h, "a line for the cluster:", "an editor has the site file");
	fill(&t, line, (const char *const[]){ "DATE", date, NULL });
	press(&t, "\r", "", "a line for the cluster:");
	sees(h, "Apply the site", "what it would change, and a question");
	press(&t, "y", "y", "y Do it");
	sees(h, "applied", "and it is in force");
	type(h, "5\r");
	ok(SLOWLY(h, shows(h, "calendar 2")), "the cluster's size says so") ||
		(dump(h), 0);
	end(&t);
}

static void undo_scale(struct harness *h)
{
	struct task t = begin(h, "undo a mistaken scale");

	press(&t, "2", "2", "2 Pools");
	go_to(&t, "office");
	press(&t, "S", "S", "S Scale");
	told(&t, "", "digits Enter Go on");
	fill(&t, "60", NULL);
	press(&t, "\r", "Enter", "digits Enter Go on");
	sees(h, "u undoes for 60 s", "done, and how to take it back");
	press(&t, "u", "u", "u undoes for 60 s");
	sees(h, "[remuda pool scale office --serve 44]", "as it was");
	end(&t);
}

static void only_look(struct harness *h)
{
	struct task t = begin(h, "go read-only");

	command(&t, "read-only", NULL);
	sees(h, "READ ONLY", "line 1 says so");
	end(&t);
	type(h, "2S");
	sees(h, "the console only looks now", "and an action why it is off");
	type(h, ":read-only\r");
	sees(h, "Changes are possible again", "back");
}

static void allocate(struct harness *h)
{
	struct task t = begin(h, "find how to allocate from a workstation");

	press(&t, "0", "0", "0 applications");
	sees(h, "curl -p -x http://USER@127.0.0.1:",
	     "what to type there, with the door's address");
	end(&t);
}

/* Its editor is here a question on the same terminal: the one line that is told. */
static void write_editor(void)
{
	char path[64];
	FILE *f;

	snprintf(path, sizeof(path), "%s/editor", dir);
	f = fopen(path, "w");
	if (!f)
		tap_bail("%s: %s", path, strerror(errno));
	fprintf(f, "#!/bin/sh\nprintf 'a line for the cluster: '\nread -r line\n"
		"exec sed -i \"/^cluster \\\"web\\\" {/a $line\" \"$1\"\n");
	if (fclose(f) || chmod(path, 0755))
		tap_bail("%s: %s", path, strerror(errno));
	unsetenv("VISUAL");
	setenv("EDITOR", path, 1);
}

static void on_practice(struct harness *h)
{
	char *argv[] = { (char *)(uintptr_t)remuda,
			 (char *)(uintptr_t)"--practice", NULL };

	start(h, 36, 120, argv);
	ok(SLOWLY(h, shows(h, "active")), "the practice site has users");
	find_failing(h);
	end_session(h);
	make_pool(h);
	grow_at_date(h);
	undo_scale(h);
	only_look(h);
	allocate(h);
	type(h, "q");
	sees(h, "everything of it is removed", "leaving");
	type(h, "y");
	ok(SLOWLY(h, h->ended), "it is left");
	finish(h);
}

/* ---- on an engine played here ------------------------------------------- */

static void answer_with(struct fake_client *c, int id, const char *more)
{
	char line[1024];

	snprintf(line, sizeof(line), "{\"id\":%d,\"ok\":true,%s}\n", id, more);
	engine_send(c, line);
}

static bool last_month(const char *line)
{
	const char *from = strstr(line, "\"from_ms\":");
	time_t t = from ? (time_t)(strtoll(from + 10, NULL, 10) / 1000) : 0;
	time_t now = time(NULL);
	struct tm then, today;

	localtime_r(&t, &then);
	localtime_r(&now, &today);
	return then.tm_mon == (today.tm_mon + 11) % 12;
}

/* A pool that a rule and its spare have made grow, users of last month, a
 * serial console. */
static bool play(struct fake_engine *e, struct fake_client *c, const char *line)
{
	const char *id = strstr(line, "\"id\":");
	int number = id ? atoi(id + 5) : 0;

	(void)e;
	if (strstr(line, "\"decision.list\""))
		answer_with(c, number, "\"items\":[{\"id\":7,\"time\":"
			"\"2026-11-22T08:00:00Z\",\"object\":\"pool/mail\","
			"\"source\":\"rule/morning\",\"outcome\":\"changed\","
			"\"sentence\":\"rule/morning: 2 -> 3: Monday 08:00\"}]");
	else if (strstr(line, "\"verb\":\"usage\"") ||
		 strstr(line, "\"verb\": \"usage\""))
		answer_with(c, number, last_month(line) ?
			"\"items\":[{\"name\":\"anna\",\"machine_ms\":7200000},"
			"{\"name\":\"ben\",\"machine_ms\":900000000}]" :
			"\"items\":[{\"name\":\"anna\",\"machine_ms\":3600000}]");
	else if (strstr(line, "\"machine.console\"")) {
		answer_with(c, number, "\"text\":\"console open\"");
		engine_send(c, "{\"console\":\"mail-01\",\"data\":\"login: \"}\n"
			    "{\"console\":\"mail-01\",\"keyboard\":\"ops1\","
			    "\"mine\":true,\"watchers\":1}\n");
	} else {
		return false;
	}
	return true;
}

static void why_it_grew(struct harness *h)
{
	struct task t = begin(h, "see why the pool grew");

	press(&t, "2", "2", "2 Pools");
	go_to(&t, "mail");
	press(&t, "\r", "Enter", "Enter Open");
	sees(h, "5 wanted: 3 in use + 2 spare + 0 waiting are more than serve 3",
	     "what asks for its size");
	end(&t);
	for (int i = 0; i < 3; i++)
		press(&t, "\t", "Tab", "Tab Next");
	sees(h, "rule/morning: 2 -> 3: Monday 08:00", "and which rule did");
}

static void leave_console(struct harness *h)
{
	struct task t = begin(h, "leave a machine's console");

	type(h, "M");
	sees(h, "\xe2\x96\xb6 mail-01", "a machine");
	type(h, "c");
	sees(h, "GUEST READ", "the keys go to the guest");
	resize(h, 24, 80);
	sees(h, "Ctrl-] or F12", "in a smaller window it says how to leave, too");
	ok(UNTIL(h, shows(h, "login:") && shows(h, "GUEST READ")),
	   "and stays open");
	resize(h, 36, 120);
	press(&t, "\035", "Ctrl-]", "Ctrl-] or F12 or Enter ~. Leave");
	sees_not(h, "GUEST READ", "and no longer");
	end(&t);
}

static void who_used_most(struct harness *h)
{
	struct task t = begin(h, "who used most last month");

	command(&t, "usage", NULL);
	sees(h, "Usage by user", "this month");
	press(&t, "<", "<", "< Month before");
	ok(UNTIL(h, row_of(h, "ben 250.0") > 0 &&
		 row_of(h, "ben 250.0") < row_of(h, "anna 2.0")),
	   "ben did, before anna") || (dump(h), 0);
	end(&t);
}

static void on_played(struct harness *h)
{
	char *argv[] = { (char *)(uintptr_t)remuda, (char *)(uintptr_t)"attach",
			 h->engine.path, NULL };

	h->engine.answer = play;
	prepare(h, state_of("{\"name\":\"mail\",\"application\":\"mail\","
		"\"serve\":3,\"spare\":2,\"max\":9,\"in_use\":3,\"ready\":2}",
		"{\"id\":1,\"ref\":\"machine/mail-01\",\"name\":\"mail-01\","
		"\"pool\":\"mail\",\"state\":\"ready\",\"host\":\"h\"}",
		"{\"name\":\"h\",\"state\":\"up\"}", ""));
	start(h, 36, 120, argv);
	sees(h, "RUNNING", "an engine");
	why_it_grew(h);
	leave_console(h);
	who_used_most(h);
	type(h, "qy");
	ok(UNTIL(h, h->ended), "it is left");
	finish(h);
	engine_stop(&h->engine);
}

static int remove_one(const char *path, const struct stat *s, int kind,
		      struct FTW *at)
{
	(void)s;
	(void)kind;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static void put(const char *name, const char *below_dir)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, below_dir);
	setenv(name, path, 1);
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };
	char path[64];

	if (argc != 2)
		tap_bail("usage: tasks REMUDA");
	remuda = argv[1];
	snprintf(dir, sizeof(dir), "/tmp/remuda-tasks-XXXXXX");
	if (!mkdtemp(dir))
		tap_bail("%s: %s", dir, strerror(errno));
	harness_begin(&h, dir);
	unsetenv("REMUDA_SITE");
	unsetenv("REMUDA_SOCKET");
	put("HOME", "home");
	put("XDG_RUNTIME_DIR", "run");
	put("XDG_CONFIG_HOME", "cfg");
	put("XDG_STATE_HOME", "state");
	put("XDG_CACHE_HOME", "cache");
	snprintf(path, sizeof(path), "%s/run", dir);
	if (mkdir(path, 0700))
		tap_bail("%s: %s", path, strerror(errno));
	write_editor();
	on_practice(&h);
	on_played(&h);
	for (int i = 0; i < result_count; i++)
		tap_note("%s", results[i]);
	is_int(result_count, TASKS, "ten tasks were done");
	free(h.engine.state);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
