/*
 * The console's budget of bytes: what it may write to its terminal for a frame
 * that is the same, for news, for a key, for a page, at rest and in a storm of
 * events.  Bytes are asserted; times are printed by `make bench`.
 *
 *   budget CONSOLE_DRIVER
 */

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

/* Of a window of 120x36. */
enum {
	SAME_BYTES = 0,		/* a frame in which nothing changed */
	REFRESH_BYTES = 1024,	/* news on every line that is seen */
	FEW_BYTES = 200,	/* news on three lines */
	CURSOR_BYTES = 400,	/* one line down */
	PAGE_BYTES = 4096,	/* everything is another text */
	FIRST_BYTES = 5120,	/* the overview, all of its boxes: a line of one
				 * costs three bytes a cell in UTF-8 */
	REST_BYTES = 40,	/* a second of the overview at rest, its clock on */
	FRAMES = 10,		/* a second, whatever happens */
	MACHINES = 10000,
	SEEN = 29,		/* lines of a list */
};

static const char *driver;

static void run(struct harness *h, const char *option, const char *value)
{
	char *argv[] = { (char *)(uintptr_t)driver, (char *)(uintptr_t)"--socket",
			 h->engine.path, (char *)(uintptr_t)option,
			 (char *)(uintptr_t)value, NULL };

	start(h, 36, 120, argv);
	sees(h, "RUNNING", "a console");
}

/* At most so many bytes since before. */
static void within(struct harness *h, uint64_t before, int most,
		   const char *what)
{
	int bytes = (int)(h->bytes - before);

	ok(bytes <= most, "%s: %d bytes, at most %d", what, bytes, most);
}

/* How often the log since then has the bytes. */
static int count(const struct harness *h, size_t since, const char *bytes)
{
	const char *at = h->log + since, *end = h->log + h->log_used;
	size_t length = strlen(bytes);
	int n = 0;

	while (at < end && (at = memmem(at, (size_t)(end - at), bytes,
					length)) != NULL) {
		at += length;
		n++;
	}
	return n;
}

/* Machines first..last have served so many sessions now. */
static void tell_served(struct harness *h, int first, int last, int served)
{
	char line[256];

	for (int id = first; id <= last; id++) {
		snprintf(line, sizeof(line), "{\"topic\":\"machines\",\"items\":"
			 "[{\"id\":%d,\"name\":\"big-%05d\",\"pool\":\"mail\","
			 "\"state\":\"ready\",\"host\":\"h\",\"sessions\":%d,"
			 "\"since\":\"2024-11-22T12:00:00Z\"}]}\n", id, id,
			 served + id);
		engine_tell(&h->engine, line);
	}
	settle(h);
}

static void test_list(struct harness *h)
{
	uint64_t before;
	size_t log;
	int ticks;

	prepare(h, many_state(MACHINES));
	run(h, "--clock", "1732279267");
	settle(h);
	log = h->log_used;
	before = h->bytes;
	type(h, "M");
	sees(h, "1-29 of 10000", "10,000 machines");
	settle(h);
	within(h, before, PAGE_BYTES, "another view");
	tell_served(h, 1, SEEN, 100);
	before = h->bytes;
	ticks = h->engine.ticks;
	UNTIL(h, h->engine.ticks >= ticks + 20);
	within(h, before, SAME_BYTES, "20 messages that change nothing");
	tell_served(h, 1, SEEN, 100);
	within(h, before, SAME_BYTES, "news that look the same");
	tell_served(h, 5000, 5200, 100);
	within(h, before, SAME_BYTES, "news of 200 machines below");
	before = h->bytes;
	tell_served(h, 1, 3, 200);
	ok(h->bytes > before, "news of three lines are drawn");
	within(h, before, FEW_BYTES, "news on three lines");
	before = h->bytes;
	tell_served(h, 1, SEEN, 600);
	ok(h->bytes > before, "news of all lines are drawn");
	within(h, before, REFRESH_BYTES, "news on every line that is seen");
	before = h->bytes;
	type(h, "j");
	settle(h);
	within(h, before, CURSOR_BYTES, "one line down");
	before = h->bytes;
	type(h, "\033[6~");
	settle(h);
	within(h, before, PAGE_BYTES, "a page down");
	before = h->bytes;
	type(h, "?");
	sees(h, "READING", "the help");
	settle(h);
	within(h, before, PAGE_BYTES, "the help over it");
	type(h, "\033");
	settle(h);
	is_int(count(h, log, "\033[2J") + count(h, log, "\033[H\033[J"), 0,
	       "nothing of this cleared the screen");
	type(h, "\014");
	settle(h);
	ok(count(h, log, "\033[2J") + count(h, log, "\033[H\033[J") > 0,
	   "Ctrl-L does");
	finish(h);
}

static void test_rest(struct harness *h)
{
	uint64_t before;
	int64_t began, ms;

	prepare(h, plain_state());
	run(h, NULL, NULL);
	within(h, 0, FIRST_BYTES, "the first screen, and what it asks the terminal");
	settle(h);
	before = h->bytes;
	began = real_ms();
	while ((ms = real_ms() - began) < 3000)
		pump(h, 50);
	ok(h->bytes > before, "the clock goes");
	within(h, before, (int)(REST_BYTES * ms / 1000),
	       "three seconds of the overview at rest");
	finish(h);
}

/* Events as fast as the engine can send them. */
static void test_storm(struct harness *h)
{
	int64_t began, ms;
	int events = 0, frames;
	char line[256];
	size_t log;

	prepare(h, plain_state());
	run(h, "--clock", "1732279267");
	type(h, ":set sync on\r");
	sees(h, "sync is on", "each frame is marked");
	settle(h);
	log = h->log_used;
	began = real_ms();
	while ((ms = real_ms() - began) < 2000) {
		snprintf(line, sizeof(line), "{\"topic\":\"events\",\"items\":"
			 "[{\"id\":%d,\"severity\":\"info\",\"kind\":\"TEST\","
			 "\"time\":\"2024-11-22T12:00:00Z\",\"text\":\"number %d\""
			 "}]}\n", events + 1, events + 1);
		engine_tell(&h->engine, line);
		events++;
		pump(h, 2);
	}
	settle(h);
	frames = count(h, log, "\033[?2026h");
	ok(events > 100 && frames > 1, "%d events were shown", events);
	ok(frames <= FRAMES * (ms / 1000 + 1), "in %d ms they made %d frames, at "
	   "most %d a second", (int)ms, frames, FRAMES);
	finish(h);
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };
	char dir[] = "/tmp/remuda-budget-XXXXXX";

	if (argc != 2)
		tap_bail("usage: budget CONSOLE_DRIVER");
	driver = argv[1];
	if (!mkdtemp(dir))
		tap_bail("%s: %s", dir, strerror(errno));
	harness_begin(&h, dir);
	setenv("TZ", "UTC", 1);
	test_list(&h);
	test_rest(&h);
	test_storm(&h);
	engine_stop(&h.engine);
	free(h.engine.state);
	rmdir(dir);
	return tap_done();
}
