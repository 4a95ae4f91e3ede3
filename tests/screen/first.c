/*
 * The first start, on a real pseudo terminal with the real program: what it says
 * and asks, that nothing is written before a choice and nothing is left of the
 * practice site, however its console ends.
 *
 *   first REMUDA
 */
#include <ftw.h>
#include <glob.h>

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

enum { SLOW_MS = 60000 };	/* an engine starts, or ends a site */

static const char *remuda;
static char dir[32];

static int files;

static int count_file(const char *path, const struct stat *s, int kind,
		      struct FTW *at)
{
	(void)s;
	(void)at;
	if (kind == FTW_D)
		return 0;
	tap_note("found %s", path);
	files++;
	return 0;
}

/* Files anywhere below the folder of this test. */
static int files_there(void)
{
	files = 0;
	nftw(dir, count_file, 16, FTW_PHYS);
	return files;
}

static bool sites_there(void)
{
	char pattern[64];
	glob_t found;
	bool there;

	snprintf(pattern, sizeof(pattern), "%s/run/remuda-practice-*", dir);
	there = glob(pattern, 0, NULL, &found) == 0;
	globfree(&found);
	return there;
}

/* Waits longer than an answer takes. */
#define SLOWLY(h, cond)                                                        \
	({                                                                     \
		int64_t slow_limit = real_ms() + SLOW_MS;                      \
		while (!(cond) && real_ms() < slow_limit)                      \
			pump(h, 50);                                           \
		(cond);                                                        \
	})

static void run(struct harness *h, int rows, int cols, char *option)
{
	char *argv[] = { (char *)(uintptr_t)remuda, option, NULL };

	start(h, rows, cols, argv);
}

static bool left(struct harness *h, int code)
{
	return SLOWLY(h, h->ended) && WIFEXITED(h->status) &&
	       WEXITSTATUS(h->status) == code;
}

static void test_no_trace(struct harness *h)
{
	for (int wide = 0; wide < 2; wide++) {
		run(h, wide ? 36 : 24, wide ? 120 : 80, NULL);
		sees(h, "4  Attach to an engine that runs already",
		     wide ? "120x36: the choices" : "80x24: the choices");
		sees(h, "nothing", "what would be used: nothing yet");
		sees(h, "site.lua", "and which file");
		sees(h, "t is the practice site", "the tour");
		sees(h, "\xe2\x96\x81\xe2\x96\x82", "bars to look at");
		type(h, "u");
		sees(h, ".:-=+*#@", "u: plain ones");
		type(h, "x");
		sees(h, "nothing is written before a choice", "a wrong key");
		type(h, "2");
		sees(h, "host \"local\" { uri = \"auto\" }",
		     "2: the file that would be written");
		sees(h, "y Write it", "and how");
		type(h, "\033");
		sees(h, "Nothing was written", "Esc keeps everything");
		type(h, "3");
		sees(h, "libvirt of the host", "3 asks for the host");
		type(h, "\025nonsense\r");
		sees(h, "looks like", "and wants a URI");
		type(h, "3hv01/system\r");
		sees(h, "uri = \"qemu+ssh://root@hv01/system\"",
		     "its file too is shown first");
		type(h, "n");
		sees(h, "1-5 Choose", "n goes back");
		type(h, "5nowhere.lua\r");
		sees(h, "No such file", "5: a file that is not there");
		resize(h, 30, 90);
		sees(h, "Read a site file", "another size");
		type(h, "q");
		ok(left(h, 0), "q leaves");
		ok(terminal_is_back(h), "the terminal is as before");
		finish(h);
		ok(files_there() == 0, "and no file was written anywhere");
	}
	run(h, 24, 80, NULL);
	sees(h, "Choose", "again");
	close(h->master);
	h->master = -1;
	ok(SLOWLY(h, h->ended), "a terminal that goes away ends it");
	h->master = dup(h->slave);
	finish(h);
	ok(files_there() == 0, "without a trace");
}

static void test_plain(void)
{
	char command[256], text[4096];
	size_t used;
	FILE *out;
	int status;

	snprintf(command, sizeof(command), "%s 2>&1 </dev/null", remuda);
	out = popen(command, "r");
	if (!out)
		tap_bail("popen: %s", strerror(errno));
	used = fread(text, 1, sizeof(text) - 1, out);
	text[used] = '\0';
	status = pclose(out);
	ok(WIFEXITED(status) && WEXITSTATUS(status) == 2,
	   "without a terminal: exit code 2");
	ok(strstr(text, "5  Read a site file") && strstr(text, "remuda info") &&
	   !strchr(text, '\033'), "and the same as plain text") ||
		(tap_note("%s", text), 0);
	ok(files_there() == 0, "and no file");
}

static void test_attach(struct harness *h)
{
	char keys[160];

	engine_stop(&h->engine);
	prepare(h, plain_state());
	run(h, 24, 80, NULL);
	sees(h, "Choose", "with an engine elsewhere");
	snprintf(keys, sizeof(keys), "4\025%s\r", h->engine.path);
	type(h, keys);
	sees(h, "RUNNING", "4 and its socket attaches");
	sees(h, "lab", "to that one");
	type(h, "qy");
	ok(left(h, 0), "and leaves it");
	finish(h);
	engine_stop(&h->engine);
}

static void test_write(struct harness *h)
{
	char path[64];

	run(h, 24, 80, NULL);
	sees(h, "Choose", "once more");
	type(h, "3\025test:///default\r");
	sees(h, "y Write it", "a host that is there");
	type(h, "y");
	ok(SLOWLY(h, shows(h, "host1") && (shows(h, "o up") ||
					   shows(h, "\xe2\x97\x8b up"))),
	   "y writes the file and starts the engine with it") ||
		(dump(h), 0);
	snprintf(path, sizeof(path), "%s/cfg/remuda/site.lua", dir);
	ok(access(path, R_OK) == 0, "the file is there");
	type(h, "q");
	sees(h, "Stop the engine", "leaving asks about the engine");
	type(h, "s");
	ok(left(h, 0), "which is stopped");
	finish(h);
	run(h, 24, 80, NULL);
	SLOWLY(h, shows(h, "host1"));
	ok(shows(h, "host1"), "the next start just uses the file");
	type(h, "qs");
	ok(left(h, 0), "and leaves");
	finish(h);
	unlink(path);
}

static void test_practice(struct harness *h)
{
	run(h, 36, 120, NULL);
	sees(h, "Choose", "the practice site");
	int64_t begin = real_ms();

	type(h, "1");
	ok(SLOWLY(h, shows(h, "practice   embedded")),
	   "1 is a console on a practice site") || (dump(h), 0);
	tap_note("running after %d ms", (int)(real_ms() - begin));
	ok(SLOWLY(h, shows(h, "active")), "users have come") || (dump(h), 0);
	tap_note("the first session after %d ms", (int)(real_ms() - begin));
	ok(SLOWLY(h, shows(h, "hv03") && shows(h, "classroom") &&
			     shows(h, "Clusters 1")),
	   "hosts, pools, a cluster");
	ok(SLOWLY(h, shows(h, "serving")), "which serves") || (dump(h), 0);
	type(h, "q");
	sees(h, "everything of it is removed", "q says that all of it goes");
	type(h, "y");
	ok(left(h, 0), "and it does");
	ok(terminal_is_back(h), "the terminal is as before");
	finish(h);
	ok(!sites_there(), "nothing of it is left");

	run(h, 24, 80, (char *)(uintptr_t)"--practice");
	ok(SLOWLY(h, shows(h, "practice")), "--practice, for those who have a site") ||
		(dump(h), 0);
	kill(h->console, SIGKILL);
	ok(SLOWLY(h, h->ended), "its console is killed");
	ok(SLOWLY(h, !sites_there()), "the site still goes away");
	finish(h);

	run(h, 24, 80, NULL);
	sees(h, "Choose", "t");
	type(h, "t");
	SLOWLY(h, shows(h, "Press 2"));
	ok(shows(h, "Press 2"), "begins with the tour") || (dump(h), 0);
	type(h, "q");
	sees(h, "everything of it", "q asks in it too");
	type(h, "y");
	ok(left(h, 0) && SLOWLY(h, !sites_there()), "and leaves nothing");
	finish(h);
}

static int remove_one(const char *path, const struct stat *s, int kind,
		      struct FTW *at)
{
	(void)s;
	(void)kind;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

static void put(const char *name, const char *below)
{
	char path[64];

	snprintf(path, sizeof(path), "%s/%s", dir, below);
	setenv(name, path, 1);
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };
	char path[64];

	if (argc != 2)
		tap_bail("usage: first REMUDA");
	remuda = argv[1];
	snprintf(dir, sizeof(dir), "/tmp/remuda-first-XXXXXX");
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
	put("REMUDA_CONFIG", "cfg/remuda/site.lua");
	put("REMUDA_RUN_DIR", "run/site");
	put("REMUDA_STATE_DIR", "state/site");
	snprintf(path, sizeof(path), "%s/run", dir);
	if (mkdir(path, 0700) || chdir(dir))
		tap_bail("%s: %s", path, strerror(errno));
	test_no_trace(&h);
	test_plain();
	test_attach(&h);
	test_write(&h);
	test_practice(&h);
	engine_stop(&h.engine);
	free(h.engine.state);
	if (chdir("/") == 0)
		nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return tap_done();
}
