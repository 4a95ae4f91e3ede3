/*
 * The console on a real pseudo terminal: start, quiet, paste, resizes, hostile
 * text, signals, stopping, terminals of other kinds, engines that come and go.
 *
 *   pty CONSOLE_DRIVER
 */

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

static const char *driver;

static void run_with(struct harness *h, int rows, int cols, const char *option)
{
	char *argv[] = { (char *)(uintptr_t)driver, "--socket",
			 h->engine.path, (char *)(uintptr_t)option, NULL };

	start(h, rows, cols, argv);
}

static void run_fixed(struct harness *h, int rows, int cols)
{
	char *argv[] = { (char *)(uintptr_t)driver, "--socket",
			 h->engine.path, "--clock", "1732279267", NULL };

	start(h, rows, cols, argv);
}

static void test_quiet(struct harness *h)
{
	uint64_t before;
	int ticks;

	prepare(h, plain_state());
	run_fixed(h, 36, 120);
	sees(h, "RUNNING", "the first screen");
	ok(h->alternate, "on the alternate screen");
	ok(memmem(h->log, h->log_used, "\033[?2004h", 8) != NULL,
	   "bracketed paste is on");
	settle(h);
	before = h->bytes;
	ticks = h->engine.ticks;
	UNTIL(h, h->engine.ticks >= ticks + 30);
	is_int(h->bytes - before, 0,
	       "30 messages that change nothing: 0 bytes");
	engine_tell(&h->engine, "{\"topic\":\"pools\",\"items\":[{\"name\":"
		    "\"mail\",\"application\":\"mail\",\"serve\":3,\"max\":6,"
		    "\"in_use\":1,\"ready\":2}]}\n");
	settle(h);
	is_int(h->bytes - before, 0, "a change that looks the same: 0 bytes");
	engine_tell(&h->engine, "{\"topic\":\"pools\",\"items\":[{\"name\":"
		    "\"mail\",\"application\":\"mail\",\"serve\":3,\"max\":6,"
		    "\"in_use\":2,\"ready\":1}]}\n");
	settle(h);
	ok(h->bytes > before && h->bytes - before < 300,
	   "one number changes: %d bytes, less than 300",
	   (int)(h->bytes - before));
	type(h, "qy");
	ok(UNTIL(h, h->ended), "q y leaves");
	is_int(h->status, 0, "with exit code 0");
	ok(terminal_is_back(h), "and the terminal is as before");
	ok(last_is(h, "\033[?2004l", "\033[?2004h"), "paste mode is off");
	finish(h);
}

static void test_clock(struct harness *h)
{
	uint64_t before;
	int ticks;

	prepare(h, plain_state());
	run_with(h, 36, 120, NULL);
	sees(h, "mail", "with a real clock");
	ticks = h->engine.ticks;
	UNTIL(h, h->engine.ticks >= ticks + 5);
	before = h->bytes;
	ticks = h->engine.ticks;
	UNTIL(h, h->engine.ticks >= ticks + 40);
	ok(h->bytes > before && h->bytes - before <= 80,
	   "2 s of nothing: %d bytes for the clock, at most 80",
	   (int)(h->bytes - before));
	finish(h);
}

static void test_paste(struct harness *h)
{
	static char paste[10 * 1024 + 16];
	size_t used = (size_t)sprintf(paste, "\033[200~");

	prepare(h, plain_state());
	run_fixed(h, 36, 120);
	sees(h, "RUNNING", "before a paste");
	type(h, "2");
	sees(h, "Overview \xe2\x80\xba Pools", "in the list of pools");
	while (used < 10 * 1024)
		used += (size_t)sprintf(paste + used, "qyxSHRry1 :q\r\t");
	strcpy(paste + used, "\033[201~");
	type(h, paste);
	settle(h);
	ok(!h->ended, "10 kB of pasted keys do not end the console");
	ok(shows(h, "Overview \xe2\x80\xba Pools") && shows(h, "RUNNING"),
	   "nor leave the list");
	is_int(h->engine.requests, 0, "nor ask anything of the engine");
	type(h, ":\033[200~pool scale mail\r5\033[201~");
	sees(h, ":pool scale mail 5", "pasted into the command line it is text");
	is_int(h->engine.requests, 0, "and its line end does not run it");
	type(h, "\r");
	ok(UNTIL(h, h->engine.requests == 1), "Enter does");
	ok(strstr(h->engine.last_request, "\"serve\":5") != NULL,
	   "with what was pasted");
	finish(h);
}

static void test_resize(struct harness *h)
{
	char before[120 * 4], *text;
	uint64_t bytes;
	unsigned seed = 4711;

	prepare(h, plain_state());
	run_fixed(h, 36, 120);
	sees(h, "RUNNING", "before the storm");
	settle(h);
	snprintf(before, sizeof(before), "%s", screen_line(h, 4));
	bytes = h->bytes;
	for (int i = 0; i < 200; i++) {
		int rows = 1 + rand_r(&seed) % 80;
		int cols = 1 + rand_r(&seed) % 250;

		if (i % 40 == 10)
			type(h, "?");
		if (i % 40 == 20)
			type(h, "x:po");
		if (i % 40 == 30)
			type(h, "\033");
		resize(h, rows, cols);
		pump(h, 5);
	}
	resize(h, 1, 1);
	pump(h, 100);
	resize(h, 36, 120);
	UNTIL(h, h->ended || shows(h, "ING"));
	tap_note("200 sizes: %d bytes", (int)(h->bytes - bytes));
	ok(!h->ended, "200 sizes in a second are survived");
	ok(h->bytes - bytes < 500000, "drawn less often than asked");
	settle(h);
	type(h, "\033");
	settle(h);
	type(h, "\033");
	settle(h);
	type(h, "1");
	sees(h, "Latest events", "the overview again");
	settle(h);
	text = strdup(screen_line(h, 4));
	is_text(text, before, "and it is drawn as before");
	free(text);
	/* A slow line brings Esc and the next key in one piece. */
	type(h, "\033:");
	sees(h, "COMMAND", "Esc does not swallow the key after it");
	type(h, "\003");
	sees(h, "RUNNING", "and the command line closes");
	type(h, "\033[77;88~");
	sees(h, "This key does nothing", "an unknown key's code is not typed text");
	resize(h, 24, 80);
	sees(h, "ready ! bad", "another layout below 100 columns");
	resize(h, 5, 30);
	sees(h, "40x8 needed", "too small: one line says so");
	finish(h);
}

/* Three sizes, one of them too small for anything, and back. */
static void shake(struct harness *h)
{
	resize(h, 24, 80);
	sees(h, "remuda lab", "a small window");
	resize(h, 5, 30);
	sees(h, "40x8 needed", "a tiny one");
	resize(h, 36, 120);
	sees(h, "remuda  lab", "the old one");
}

/* What is open stays open, with what was typed. */
static void test_resize_open(struct harness *h)
{
	int asked = h->engine.requests;

	prepare(h, plain_state());
	run_fixed(h, 36, 120);
	sees(h, "RUNNING", "a window to shake");
	type(h, ":pool delete mail\r");
	sees(h, "its name:", "a question that wants a name");
	type(h, "ma");
	sees(h, "its name: ma", "half of it is typed");
	shake(h);
	sees(h, "its name: ma", "it is still there in another size");
	is_int(h->engine.requests, asked, "and nothing was done");
	type(h, "il\r");
	ok(UNTIL(h, h->engine.requests == asked + 1 &&
		 strstr(h->engine.last_request, "\"pool.delete\"")),
	   "the other half does it");
	type(h, "2S1\r");
	sees(h, "Scale down", "a question with buttons");
	type(h, "\t");
	shake(h);
	sees(h, "Scale down this pool?", "stays");
	type(h, "\r");
	ok(UNTIL(h, h->engine.requests == asked + 2), "with the button that was chosen");
	type(h, ":pool scale mail 7");
	sees(h, ":pool scale mail 7", "a command being typed");
	shake(h);
	sees(h, ":pool scale mail 7", "stays");
	type(h, "0\r");
	ok(UNTIL(h, h->engine.requests == asked + 3 &&
		 strstr(h->engine.last_request, "\"serve\":70")),
	   "and goes on where it was");
	type(h, "/mai");
	shake(h);
	sees(h, "/mai", "a filter being typed stays");
	type(h, "\033Sab5");
	sees(h, "scale pool/mail", "a number");
	shake(h);
	sees(h, "to: 5", "stays");
	type(h, "\033?");
	sees(h, "READING", "the help");
	shake(h);
	sees(h, "READING", "stays");
	type(h, "\033a");
	sees(h, "Actions", "a menu");
	shake(h);
	sees(h, "Enter Choose", "stays");
	finish(h);
}

static void test_hostile(struct harness *h)
{
	char *events, *state;
	char *big = malloc(90001);

	memset(big, 'A', 90000);
	big[90000] = '\0';
	if (!big || asprintf(&events, "{\"id\":1,\"severity\":\"fail\",\"kind\":"
		     "\"\\u001b[31mKIND\",\"object\":\"machine/x\",\"time\":"
		     "\"2024-11-22T12:00:00Z\",\"text\":\"\\u001b]0;owned\\u0007"
		     "\\u202egnp.exe \\u009b2J\\u200b\\r\\n\"},{\"id\":2,"
		     "\"text\":\"%s\"}", big) < 0)
		tap_bail("out of memory");
	state = state_of("", "{\"id\":1,\"name\":"
			 "\"\\u001b[2J\\u5c71\\u7530\\ud83d\\udc68\\u200d"
			 "\\ud83d\\udc69\",\"state\":\"no such state\\u001b\"}",
			 "{\"name\":\"\\u001b]0;owned\\u0007\\u001b[?1049l\","
			 "\"state\":\"up\"}", events);
	free(events);
	free(big);
	prepare(h, state);
	run_fixed(h, 36, 120);
	sees(h, "\\x1b]0;owned", "an escape sequence is shown as text");
	sees(h, "\\u202egnp", "so is a right-to-left override");
	settle(h);
	type(h, "M");
	sees(h, "\\x1b[2J\xe5\xb1\xb1\xe7\x94\xb0", "wide names are drawn");
	ok(h->alternate, "the alternate screen was not left");
	ok(!h->titled, "no title was set");
	type(h, "6");
	sees(h, "event/2", "an event of 90,000 characters");
	type(h, "j\r");
	settle(h);
	ok(!h->ended, "and opening what does not exist does no harm");
	finish(h);
}

static void test_signals(struct harness *h)
{
	static const int signals[] = { SIGTERM, SIGSEGV, SIGABRT, SIGHUP,
				       SIGBUS, SIGFPE, SIGILL, SIGQUIT,
				       SIGINT };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		const char *name = sigabbrev_np(signals[i]);

		prepare(h, plain_state());
		run_fixed(h, 24, 80);
		UNTIL(h, shows(h, "RUNNING"));
		kill(h->console, signals[i]);
		ok(UNTIL(h, h->ended), "SIG%s ends it", name);
		ok(WIFSIGNALED(h->status) &&
		   WTERMSIG(h->status) == signals[i], "by that signal");
		ok(terminal_is_back(h), "SIG%s: modes, screen, cursor back",
		   name);
		ok(last_is(h, "\033[?2004l", "\033[?2004h"),
		   "SIG%s: paste mode off", name);
		if (signals[i] == SIGSEGV)
			ok(shows(h, "remuda attach"),
			   "a crash says what goes on and how to come back");
		finish(h);
	}
}

/* A terminal that takes nothing must not keep a console alive. */
static void test_stalled(struct harness *h)
{
	prepare(h, plain_state());
	run_fixed(h, 80, 250);
	UNTIL(h, shows(h, "RUNNING"));
	h->stalled = true;
	for (int i = 0; i < 60; i++) {
		if (write(h->master, i % 2 ? "1\014" : "2\014", 2) != 2)
			break;
		pump(h, 5);
	}
	kill(h->console, SIGTERM);
	ok(UNTIL(h, h->ended), "SIGTERM ends a console whose terminal stalls");
	h->stalled = false;
	finish(h);
}

static void test_hangup(struct harness *h)
{
	prepare(h, plain_state());
	run_fixed(h, 24, 80);
	UNTIL(h, shows(h, "RUNNING"));
	close(h->slave);
	close(h->master);
	h->stalled = true;
	ok(UNTIL(h, h->ended), "it ends when its terminal is gone");
	h->master = open("/dev/null", O_RDWR | O_CLOEXEC);
	h->slave = open("/dev/null", O_RDWR | O_CLOEXEC);
	finish(h);
}

static void test_suspend(struct harness *h)
{
	static const char *const modes[] = { "", ":po", "/ma", "?", "q" };

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		char *line;

		prepare(h, plain_state());
		run_fixed(h, 24, 80);
		UNTIL(h, shows(h, "RUNNING"));
		type(h, modes[i]);
		settle(h);
		line = strdup(screen_line(h, 22));
		type(h, "\032");
		ok(UNTIL(h, h->stopped), "Ctrl-Z stops it after \"%s\"",
		   modes[i]);
		ok(terminal_is_back(h), "with the terminal as before");
		h->stopped = false;
		if (write(h->command, "C", 1) != 1)
			tap_bail("leader: %s", strerror(errno));
		ok(UNTIL(h, h->alternate), "and it comes back");
		settle(h);
		is_text(screen_line(h, 22), line, "where it was");
		free(line);
		finish(h);
	}
}

static void test_reconnect(struct harness *h)
{
	prepare(h, plain_state());
	run_with(h, 24, 80, NULL);
	sees(h, "RUNNING", "an engine");
	engine_stop(&h->engine);
	sees(h, "DISCONNECTED", "an engine that goes is said");
	sees(h, "LAST KNOWN DATA", "the last data stay");
	sees(h, "mail", "and are shown");
	type(h, "2jS");
	sees(h, "Not now: the engine does not answer",
	     "an action says why it is off");
	engine_start(&h->engine);
	type(h, "r");
	sees(h, "RUNNING", "r finds the engine that came back");
	sees(h, "The engine is back", "and says so");
	engine_stop(&h->engine);
	sees(h, "DISCONNECTED", "gone again");
	engine_start(&h->engine);
	sees(h, "RUNNING", "and found without a key");
	/* Silence is not a lost line, but not live data either. */
	h->engine.tick_ms = 0;
	sees(h, "STALE", "an engine that is silent is stale");
	h->engine.tick_ms = 50;
	sees(h, "RUNNING", "until it speaks");
	h->engine.mute = true;
	type(h, "S4\r");
	sees(h, "BUSY ", "a request without answer makes it BUSY");
	type(h, "j1");
	sees(h, "Latest events", "and the keys go on working");
	h->engine.mute = false;
	engine_stop(&h->engine);
	sees(h, "went away before it", "an answer that cannot come is said");
	finish(h);
}

static void test_revive(struct harness *h)
{
	char *argv[] = { (char *)(uintptr_t)driver, "--embedded", "--inherit",
			 h->engine.path, "--revive", h->engine.path, NULL };
	char count[64];

	prepare(h, plain_state());
	start(h, 24, 80, argv);
	sees(h, "RUNNING", "an embedded engine");
	for (int i = 1; i <= 3; i++) {
		engine_replace(&h->engine);
		snprintf(count, sizeof(count), "(%d of 3)", i);
		sees(h, count, "a dead engine is started again");
		type(h, "1");
		sees(h, "RUNNING", "and works");
	}
	engine_replace(&h->engine);
	sees(h, "DISCONNECTED", "but not a fourth time");
	finish(h);
	/* A start that fails is tried again, three times in all. */
	prepare(h, plain_state());
	start(h, 24, 80, argv);
	sees(h, "RUNNING", "an embedded engine");
	engine_stop(&h->engine);
	sees(h, "did not start again (1 of 3)", "a start that fails is said");
	engine_start(&h->engine);
	sees(h, "started again (2 of 3)", "and tried once more");
	finish(h);
}

static void test_escape(struct harness *h)
{
	prepare(h, plain_state());
	run_fixed(h, 36, 120);
	sees(h, "RUNNING", "keys");
	type(h, "2");
	sees(h, "Overview \xe2\x80\xba Pools", "a digit");
	type(h, "\033");
	sees_not(h, "Overview \xe2\x80\xba Pools", "Esc alone goes back");
	type(h, "2");
	sees(h, "Overview \xe2\x80\xba Pools", "again");
	type(h, "\0333");
	sees_not(h, "Overview \xe2\x80\xba Pools", "Alt-3 is F3 is back");
	type(h, "\033OP");
	sees(h, "Help: Overview", "F1");
	for (int i = 0; i < 4; i++)
		type(h, "\033[B\033OB");
	sees_not(h, "GO     ", "arrows of both kinds scroll");
	ok(shows(h, "Help: Overview"), "and do not close it");
	type(h, "\033");
	sees_not(h, "Help: Overview", "Esc closes");
	type(h, "\033[Z");
	sees(h, "RUNNING", "Shift-Tab");
	type(h, "Z");
	sees(h, "Z does nothing", "a key without meaning says so");
	finish(h);
}

/* Does an SGR sequence set a colour? */
static bool has_colour(const char *log, size_t length)
{
	for (size_t i = 0; i + 2 < length; i++) {
		if (log[i] != '\033' || log[i + 1] != '[')
			continue;
		const char *s = log + i + 2, *end = s;

		while (end < log + length && ((*end >= '0' && *end <= '9') ||
					      *end == ';' || *end == ':'))
			end++;
		if (end >= log + length || *end != 'm')
			continue;
		while (s < end) {
			int n = atoi(s);

			if ((n >= 30 && n <= 38) || (n >= 40 && n <= 48) ||
			    (n >= 90 && n <= 107))
				return true;
			s += strcspn(s, ";:m") + 1;
		}
	}
	return false;
}

static void test_terminals(struct harness *h)
{
	static const char *const terms[] = { "xterm", "xterm-256color", "screen",
		"tmux-256color", "linux", "vt100", "vt220", "ansi", "rxvt",
		"dumb" };

	for (size_t i = 0; i < sizeof(terms) / sizeof(terms[0]); i++) {
		bool ascii = true;

		setenv("TERM", terms[i], 1);
		setenv("LC_ALL", "C", 1);
		prepare(h, plain_state());
		run_fixed(h, 24, 80);
		ok(UNTIL(h, h->engine.connects > 0 && h->bytes > 500),
		   "TERM=%s draws", terms[i]);
		settle(h);
		for (size_t j = 0; j < h->log_used; j++)
			ascii = ascii && !(h->log[j] & 0x80);
		ok(ascii, "TERM=%s, locale C: only ASCII", terms[i]);
		if (strncmp(terms[i], "xterm", 5) == 0 ||
		    strcmp(terms[i], "tmux-256color") == 0) {
			ok(shows(h, "RUNNING"), "TERM=%s: readable", terms[i]);
		}
		if (strcmp(terms[i], "xterm-256color") == 0)
			ok(has_colour(h->log, h->log_used), "with colour");
		type(h, "qy");
		ok(UNTIL(h, h->ended) && h->status == 0, "TERM=%s leaves",
		   terms[i]);
		finish(h);
	}
	setenv("TERM", "xterm-256color", 1);
	setenv("NO_COLOR", "1", 1);
	prepare(h, plain_state());
	run_fixed(h, 24, 80);
	sees(h, "RUNNING", "NO_COLOR");
	type(h, "234?");
	settle(h);
	ok(!has_colour(h->log, h->log_used), "NO_COLOR: not one colour");
	finish(h);
	unsetenv("NO_COLOR");
	setenv("TERM", "no-such-terminal", 1);
	prepare(h, plain_state());
	run_fixed(h, 24, 80);
	ok(UNTIL(h, h->ended) && WEXITSTATUS(h->status) == 2,
	   "an unknown TERM is exit code 2");
	UNTIL(h, shows(h, "set TERM"));
	ok(shows(h, "set TERM"), "with what to do");
	finish(h);
	setenv("TERM", "xterm-256color", 1);
	setenv("LC_ALL", "C.UTF-8", 1);
}

/* Ten thousand machines, all of which change, and a key in between. */
static void test_many(struct harness *h)
{
	int64_t began, keyed;

	prepare(h, many_state(10000));
	began = real_ms();
	run_fixed(h, 36, 120);
	sees(h, "machines 10000", "10,000 machines");
	tap_note("all received and shown after %d ms",
		 (int)(real_ms() - began));
	type(h, "M");
	sees(h, "1-29 of 10000", "in one list");
	keyed = real_ms();
	type(h, "G");
	sees(h, "9972-10000 of 10000", "its end");
	tap_note("key to paint: %d ms", (int)(real_ms() - keyed));
	type(h, "/big-09999\r");
	sees(h, "of 10000", "filtered");
	sees_not(h, "big-09998", "to one line");
	finish(h);
}

static void test_no_terminal(void)
{
	char command[512], out[512] = "";
	FILE *f;

	snprintf(command, sizeof(command), "%s --socket /nowhere </dev/null 2>&1",
		 driver);
	f = popen(command, "r");
	if (!f || fread(out, 1, sizeof(out) - 1, f) == 0)
		tap_note("no output");
	ok(strstr(out, "needs a terminal") != NULL &&
	   strstr(out, "remuda watch") != NULL,
	   "without a terminal it says so and what to use");
	is_int(WEXITSTATUS(pclose(f)), 2, "with exit code 2");
	ok(strchr(out, '\033') == NULL, "and without escape codes");
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };
	char dir[] = "/tmp/remuda-pty-XXXXXX";

	if (argc != 2)
		tap_bail("usage: pty CONSOLE_DRIVER");
	driver = argv[1];
	if (!mkdtemp(dir))
		tap_bail("%s: %s", dir, strerror(errno));
	harness_begin(&h, dir);
	setenv("TZ", "UTC", 1);
	test_quiet(&h);
	test_clock(&h);
	test_paste(&h);
	test_resize(&h);
	test_resize_open(&h);
	test_hostile(&h);
	test_signals(&h);
	test_stalled(&h);
	test_hangup(&h);
	test_suspend(&h);
	test_reconnect(&h);
	test_revive(&h);
	test_escape(&h);
	test_terminals(&h);
	test_many(&h);
	test_no_terminal();
	engine_stop(&h.engine);
	free(h.engine.state);
	rmdir(dir);
	return tap_done();
}
