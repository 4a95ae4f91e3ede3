/*
 * How the console looks and listens, on a real pseudo terminal: what it asks the
 * terminal, themes, settings and keys of the person's own, the mouse, clipboard,
 * title, lines of old terminals, quiet mode.
 *
 *   look CONSOLE_DRIVER
 */

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

static const char *driver;
static char settings[64];	/* folder of console.lua and keys.lua */

static void run(struct harness *h, int rows, int cols)
{
	char *argv[] = { (char *)(uintptr_t)driver, "--socket",
			 h->engine.path, "--clock", "1732279267", "--settings",
			 settings, NULL };

	prepare(h, plain_state());
	start(h, rows, cols, argv);
}

static void leave(struct harness *h)
{
	type(h, "qy");
	ok(UNTIL(h, h->ended) && h->status == 0, "it leaves");
	ok(terminal_is_back(h), "and the terminal is as before");
	finish(h);
}

static void put_file(const char *name, const char *text)
{
	char path[128];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", settings, name);
	unlink(path);
	if (!text)
		return;
	f = fopen(path, "w");
	if (!f || fputs(text, f) < 0 || fclose(f))
		tap_bail("%s: %s", path, strerror(errno));
}

static bool said(const struct harness *h, const char *bytes)
{
	return memmem(h->log, h->log_used, bytes, strlen(bytes)) != NULL;
}

/* ---- what the terminal is asked --------------------------------------- */

/* 114 and 28 are green on dark and on light. */
static void test_background(struct harness *h)
{
	static const struct {
		const char *answer, *colour, *what;
	} cases[] = {
		{ "\033]11;rgb:1e1e/1e1e/2e2e\033\\", "38;5;114", "dark" },
		{ "\033]11;rgb:ffff/fafa/f0f0\a", "38;5;28", "light" },
		{ "\033]11;rgba:ff/ff/ff/ff\a", "38;5;28", "light with alpha" },
		{ "\033]11;rgb:nonsense\a", "38;5;114", "nonsense is dark" },
		{ NULL, "38;5;114", "no answer is dark" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		h->background = cases[i].answer;
		run(h, 24, 80);
		sees(h, "RUNNING", cases[i].what);
		type(h, "M");
		sees(h, "mail-01", "a machine that is free");
		ok(said(h, cases[i].colour), "in the colour for it: %s",
		   cases[i].what);
		leave(h);
	}
	setenv("COLORFGBG", "0;15", 1);
	run(h, 24, 80);
	type(h, "M");
	sees(h, "mail-01", "COLORFGBG");
	ok(said(h, "38;5;28"), "counts when there is no answer");
	unsetenv("COLORFGBG");
	leave(h);
}

static void test_width(struct harness *h)
{
	h->width = "\033[5;1R\033[5;3R";
	run(h, 24, 80);
	sees(h, "RUNNING", "a terminal that draws signs in two cells");
	type(h, "M");
	sees(h, "o ready", "gets plain ones");
	leave(h);
	h->width = "\033[5;80R\033[6;1R";
	run(h, 24, 80);
	type(h, "M");
	sees(h, "\xe2\x97\x8b ready", "one that wrapped is not judged");
	leave(h);
	/* Keys typed while it is asked are not lost, nor is half an answer. */
	h->width = "\033[5;1RM\033[5;2R";
	run(h, 24, 80);
	sees(h, "\xe2\x97\x8b ready", "a key between the answers is a key");
	leave(h);
}

/* Answers that come when nobody waits any more are no keys. */
static void test_late(struct harness *h)
{
	run(h, 24, 80);
	sees(h, "RUNNING", "late answers");
	type(h, "2");
	sees(h, "\xe2\x80\xba Pools", "a key");
	type(h, "\033]11;rgb:ffff/ffff/ffff\033\\");
	type(h, "\033[24;80R");
	settle(h);
	ok(!h->ended && shows(h, "Pools") && h->engine.requests == 0,
	   "are swallowed whole");
	leave(h);
}

/* ---- themes and settings ---------------------------------------------- */

static void test_themes(struct harness *h)
{
	static const struct {
		const char *file, *colour;
	} cases[] = {
		{ "return { theme = 'light' }\n", "38;5;28" },
		{ "return { theme = 'deutan' }\n", "38;5;63" },
		{ "return { theme = 'tritan', background = 'light' }\n",
		  "38;5;28" },
		{ "return { background = 'dark' }\n", "38;5;114" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file("console.lua", cases[i].file);
		run(h, 24, 80);
		type(h, "M");
		sees(h, "mail-01", cases[i].file);
		ok(said(h, cases[i].colour), "%s", cases[i].colour);
		leave(h);
	}
	put_file("console.lua", "return { theme = 'mono' }\n");
	run(h, 24, 80);
	type(h, "M2346?");
	sees(h, "Help", "mono");
	ok(!said(h, "38;5;"), "has no colour");
	type(h, "\033");
	leave(h);
	/* Changed while it runs, all at once. */
	put_file("console.lua", NULL);
	run(h, 24, 80);
	type(h, "M:set theme deutan\r");
	sees(h, ":set save  keeps it", "said");
	ok(UNTIL(h, said(h, "38;5;63")), "and seen");
	type(h, ":set glyphs ascii\r");
	sees(h, "o ready", "glyphs too");
	type(h, ":set theme purple\r");
	sees(h, "theme is one of", "a wrong value is explained");
	type(h, ":set them default\r");
	sees(h, "did you mean", "a wrong name too");
	type(h, ":set save\r");
	sees(h, "Saved:", "and kept");
	leave(h);
	run(h, 24, 80);
	type(h, "M");
	sees(h, "o ready", "for the next time");
	type(h, ":set\r");
	sees(h, "console.lua", "and :set says whence");
	leave(h);
	put_file("console.lua", "return { quiet = true }\n");
	run(h, 24, 80);
	type(h, ":set save\r");
	sees(h, "is yours", "a file of a person's own is not replaced");
	leave(h);
	put_file("console.lua", NULL);
}

static void test_wrong_files(struct harness *h)
{
	static const struct {
		const char *name, *text, *message;
	} cases[] = {
		{ "console.lua", "return { thme = 'light' }", "no setting" },
		{ "console.lua", "return { theme = 'no' }", "theme is one of" },
		{ "console.lua", "retrun {}", "console.lua:1:" },
		{ "console.lua", "while true do end", "too long" },
		{ "console.lua", "return 7", "return { ... }" },
		{ "console.lua", "return { theme = print }", "nil" },
		{ "keys.lua", "return { nothing = 'x' }", "no action" },
		{ "keys.lua", "return { quit = 'nokey' }", "is no key" },
		{ "keys.lua", "return { quit = 7 }", "wants a key" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put_file("console.lua", NULL);
		put_file("keys.lua", NULL);
		put_file(cases[i].name, cases[i].text);
		run(h, 24, 120);
		if (i != 5)
			sees(h, cases[i].message, cases[i].text);
		else
			sees(h, "RUNNING", "a value that is nothing is nothing");
		leave(h);
	}
	put_file("console.lua", NULL);
	put_file("keys.lua", NULL);
}

static void test_keys(struct harness *h)
{
	put_file("keys.lua", "return { scale = 'A-s', delete = false,\n"
		 "  quit = { 'Q', 'C-q' }, hold = 'S', help = 'F1' }\n");
	run(h, 24, 120);
	sees(h, "mail", "keys of one's own");
	sees(h, "Q Quit", "are in the key line");
	type(h, "2\033s");
	sees(h, "scale pool/mail", "Alt-s scales");
	type(h, "\033");
	type(h, "Mx");
	sees(h, "x does nothing", "an unbound key does nothing");
	type(h, "S");
	UNTIL(h, h->engine.requests == 1);
	ok(strstr(h->engine.last_request, "machine.hold") != NULL,
	   "a key that another had does what it says");
	type(h, ":keys\r");
	sees(h, "0 in conflict", "they are listed");
	type(h, "/scale\r");
	sees(h, "A-s", "with what they are now");
	type(h, "Qy");
	ok(UNTIL(h, h->ended) && h->status == 0, "Q leaves");
	finish(h);
	put_file("keys.lua", "return { scale = 'q', quit = { 'q', 'C-q' } }\n");
	run(h, 24, 120);
	type(h, ":keys\r");
	sees(h, "2 in conflict", "two that want one key are both told of");
	type(h, "/scale\r");
	sees(h, "quit does not get it", "and who gets it");
	finish(h);
	put_file("keys.lua", NULL);
}

static void test_keyline(struct harness *h)
{
	static const struct {
		const char *value, *has, *not;
	} cases[] = {
		{ "letters", " a Actions", "F4" }, { "fkeys", "F4 Actions", "F4 a" },
		{ "both", "F4 a Actions", "\x01" },
	};

	for (size_t i = 0; i < 3; i++) {
		char text[64];

		snprintf(text, sizeof(text), "return { keyline = '%s' }\n",
			 cases[i].value);
		put_file("console.lua", text);
		run(h, 24, 120);
		sees(h, cases[i].has, cases[i].value);
		ok(!shows(h, cases[i].not), "and not %s", cases[i].not);
		leave(h);
	}
	put_file("console.lua", NULL);
}

/* ---- mouse, clipboard, title ------------------------------------------- */

static void click(struct harness *h, int row, int col)
{
	char bytes[64];

	snprintf(bytes, sizeof(bytes), "\033[<0;%d;%dM\033[<0;%d;%dm", col + 1,
		 row + 1, col + 1, row + 1);
	type(h, bytes);
}

static int row_of(struct harness *h, const char *text)
{
	for (int row = 0; row < h->rows; row++)
		if (strstr(screen_line(h, row), text))
			return row;
	return 0;
}

static void test_mouse(struct harness *h)
{
	char *many = state_of("{\"name\":\"mail\"},{\"name\":\"backup\"},"
			      "{\"name\":\"stats\"}", "", "", "");

	run(h, 24, 80);
	free(h->engine.state);
	h->engine.state = many;
	sees(h, "RUNNING", "the mouse");
	ok(!said(h, "1000h"), "is off at first: text can be selected");
	type(h, "\033m");
	sees(h, "Mouse on", "Alt-m turns it on");
	ok(said(h, "1000h"), "and the terminal is told");
	leave(h);
	ok(true, "leaving turns it off");
	put_file("console.lua", "return { mouse = true }\n");
	run(h, 24, 80);
	free(h->engine.state);
	h->engine.state = state_of("{\"name\":\"mail\"},{\"name\":\"backup\"},"
				   "{\"name\":\"stats\"}", "", "", "");
	type(h, "2");
	UNTIL(h, said(h, "Pools"));
	sees(h, "mail", "by a setting");
	settle(h);
	click(h, row_of(h, "mail"), 5);
	settle(h);
	ok(strstr(screen_line(h, row_of(h, "mail")), "\xe2\x96\xb6") != NULL,
	   "a click moves the cursor");
	click(h, row_of(h, "mail"), 5);
	click(h, row_of(h, "mail"), 5);
	sees(h, "Pools \xe2\x80\xba mail", "two open");
	click(h, 23, 8);
	settle(h);
	ok(!h->ended, "a click on the key line is its key");
	kill(h->console, SIGTERM);
	UNTIL(h, h->ended);
	ok(last_is(h, "1000l", "1000h"),
	   "SIGTERM turns the mouse off");
	finish(h);
	put_file("console.lua", NULL);
}

static void test_copy(struct harness *h)
{
	run(h, 24, 80);
	type(h, "M");
	sees(h, "mail-01", "copying");
	type(h, "Y");
	sees(h, "Copied mail-01", "is said");
	ok(said(h, "\033]52;c;bWFpbC0wMQ==\a"), "and done by OSC 52");
	leave(h);
	setenv("TERM", "vt220", 1);
	run(h, 24, 80);
	type(h, "M");
	UNTIL(h, said(h, "mail-01"));
	type(h, "Y");
	settle(h);
	ok(!said(h, "\033]52"), "an old terminal gets none of it");
	type(h, "qy");
	UNTIL(h, h->ended);
	finish(h);
	setenv("TERM", "xterm-256color", 1);
}

static void test_title(struct harness *h)
{
	put_file("console.lua", "return { title = true, sync = true, "
		 "sites = { lab = { word = 'PROD', accent = 'red' } } }\n");
	run(h, 24, 80);
	sees(h, "PROD", "a word for one site");
	sees(h, "RUNNING", "and the title");
	ok(UNTIL(h, said(h, "\033]2;remuda lab: RUNNING\a")),
	   "has the status word");
	type(h, "?");
	ok(UNTIL(h, said(h, "\033]2;remuda lab: READING\a")), "when it changes");
	ok(said(h, "\033[?2026h") && last_is(h, "\033[?2026l", "\033[?2026h"),
	   "frames are marked whole");
	type(h, "\033");
	leave(h);
	put_file("console.lua", NULL);
}

/* ---- old terminals, quiet ----------------------------------------------- */

static void test_lines(struct harness *h)
{
	setenv("TERM", "vt220", 1);
	setenv("LC_ALL", "C", 1);
	run(h, 24, 120);
	sees(h, "\xe2\x94\x8c\xe2\x94\x80", "a terminal without UTF-8 draws lines "
	     "of its own");
	ok(UNTIL(h, shows(h, "\xe2\x94\x98") && shows(h, "\xe2\x94\x82")),
	   "with their corners");
	leave(h);
	char *argv[] = { (char *)(uintptr_t)driver, "--socket", h->engine.path,
			 "--ascii", NULL };

	prepare(h, plain_state());
	start(h, 24, 120, argv);
	sees(h, "+--", "--ascii: plain signs");
	finish(h);
	setenv("LC_ALL", "C.UTF-8", 1);
	setenv("TERM", "xterm-256color", 1);
}

static void test_quiet(struct harness *h)
{
	uint64_t before;
	char *argv[] = { (char *)(uintptr_t)driver, "--socket", h->engine.path,
			 "--settings", settings, NULL };

	put_file("console.lua", "return { quiet = true }\n");
	prepare(h, plain_state());
	start(h, 24, 80, argv);
	sees(h, "mail", "quiet mode");
	settle(h);
	settle(h);
	before = h->bytes;
	for (int i = 0; i < 6; i++)
		settle(h);
	is_int(h->bytes - before, 0, "has no clock and no ages: 0 bytes");
	engine_tell(&h->engine, "{\"topic\":\"pools\",\"items\":[{\"name\":"
		    "\"mail\",\"application\":\"mail\",\"serve\":3,\"max\":6,"
		    "\"in_use\":2,\"ready\":777}]}\n");
	sees(h, "Something changed", "a change is a sentence");
	ok(!shows(h, "777"), "and the list stands still");
	type(h, "j");
	sees(h, "777", "until a key");
	engine_tell(&h->engine, "{\"topic\":\"events\",\"items\":[{\"id\":5,"
		    "\"severity\":\"fail\",\"kind\":\"X\",\"object\":"
		    "\"machine/a\",\"text\":\"went wrong\"}]}\n");
	sees(h, "machine/a: went wrong", "what failed is said");
	leave(h);
	put_file("console.lua", NULL);
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };
	char dir[] = "/tmp/remuda-look-XXXXXX";

	if (argc != 2)
		tap_bail("usage: look CONSOLE_DRIVER");
	driver = argv[1];
	if (!mkdtemp(dir))
		tap_bail("%s: %s", dir, strerror(errno));
	harness_begin(&h, dir);
	setenv("TZ", "UTC", 1);
	unsetenv("COLORFGBG");
	snprintf(settings, sizeof(settings), "%s", dir);
	test_background(&h);
	test_width(&h);
	test_late(&h);
	test_themes(&h);
	test_wrong_files(&h);
	test_keys(&h);
	test_keyline(&h);
	test_mouse(&h);
	test_copy(&h);
	test_title(&h);
	test_lines(&h);
	test_quiet(&h);
	engine_stop(&h.engine);
	free(h.engine.state);
	rmdir(dir);
	return tap_done();
}
