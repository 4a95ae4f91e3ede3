/*
 * What the console costs in time: a key until its line is drawn, over 10,000
 * machines and 50 events a second; a frame; a second at rest; the first full
 * screen.  Prints lines for tests/bench/run.
 *
 *     console CONSOLE_DRIVER FOLDER
 *     console CONSOLE_DRIVER SOCKET MACHINES	only the first screen, of a real engine
 */
#include "tests/screen/harness.h"
#include "tests/screen/world.h"

enum {
	MACHINES = 10000,
	EVENT_MS = 20,		/* 50 a second */
	KEYS = 400,
	PAGES = 200,
	STARTS = 9,
	REST_MS = 10000,
	KEY_LIMIT_MS = 2000,
};

static const char *driver;
static int64_t next_event_ms;
static int event_id;

static int64_t now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static void run(struct harness *h)
{
	char *argv[] = { (char *)(uintptr_t)driver, (char *)(uintptr_t)"--socket",
			 h->engine.path, NULL };

	start(h, 36, 120, argv);
}

/* Something happens: an event, and its machine is another. */
static void engine_goes_on(struct harness *h)
{
	char line[512];
	int id = event_id * 7919 % MACHINES + 1;

	if (real_ms() < next_event_ms)
		return;
	next_event_ms = real_ms() + EVENT_MS;
	event_id++;
	snprintf(line, sizeof(line), "{\"topic\":\"events\",\"items\":[{\"id\":%d,"
		 "\"severity\":\"info\",\"kind\":\"ASSIGN\",\"object\":"
		 "\"machine/big-%05d\",\"time\":\"2024-11-22T12:00:00Z\",\"text\":"
		 "\"number %d\"}]}\n", event_id, id, event_id);
	engine_tell(&h->engine, line);
	snprintf(line, sizeof(line), "{\"topic\":\"machines\",\"items\":[{\"id\":%d,"
		 "\"name\":\"big-%05d\",\"pool\":\"mail\",\"state\":\"%s\",\"host\":"
		 "\"h\",\"sessions\":%d,\"since\":\"2024-11-22T12:00:00Z\"}]}\n", id,
		 id, event_id % 2 ? "in_session" : "ready", event_id % 1000);
	engine_tell(&h->engine, line);
}

static bool cursor_on(struct harness *h, int row)
{
	return strstr(screen_line(h, row), "\xe2\x96\xb6") != NULL;
}

static int compare(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

/* Nanoseconds of CPU that the console has used. */
static int64_t cpu_ns(const struct harness *h)
{
	char path[64], text[128] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/schedstat", (int)h->console);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		tap_bail("%s: %s", path, strerror(errno));
	fclose(f);
	return strtoll(text, NULL, 10);
}

static void under_events(struct harness *h)
{
	int64_t cpu = cpu_ns(h), began = real_ms();
	uint64_t bytes = h->bytes;

	while (real_ms() < began + REST_MS / 2) {
		engine_goes_on(h);
		pump(h, 5);
	}
	printf("  50 events/s, the list of %d machines shown: %.1f %% of a CPU, "
	       "%.0f bytes/s\n", MACHINES, (double)(cpu_ns(h) - cpu) / REST_MS *
	       2 / 1e4, (double)(h->bytes - bytes) * 2000 / REST_MS);
}

static void key_to_paint(struct harness *h)
{
	static int64_t took_us[KEYS];
	unsigned seed = 4711;

	for (int i = 0; i < KEYS; i++) {
		int64_t pause = real_ms() + 20 + rand_r(&seed) % 60;
		int row = i % 2 ? 4 : 5;

		while (real_ms() < pause) {
			engine_goes_on(h);
			pump(h, 5);
		}
		int64_t began = now_us();

		type(h, i % 2 ? "k" : "j");
		while (!cursor_on(h, row)) {
			if (now_us() - began > KEY_LIMIT_MS * 1000)
				tap_bail("a key was not drawn");
			engine_goes_on(h);
			pump(h, 1);
		}
		took_us[i] = now_us() - began;
	}
	qsort(took_us, KEYS, sizeof(took_us[0]), compare);
	printf("  key to its line drawn, %d machines, 50 events/s: %.1f ms median, "
	       "%.1f ms p99, %.1f ms at most (of %d)\n", MACHINES,
	       (double)took_us[KEYS / 2] / 1000,
	       (double)took_us[KEYS * 99 / 100] / 1000,
	       (double)took_us[KEYS - 1] / 1000, KEYS);
}

/* Pages, then frames in which little changes. */
static void frames(struct harness *h)
{
	uint64_t bytes = h->bytes;
	int64_t cpu = cpu_ns(h), each;

	for (int i = 0; i < PAGES; i++) {
		uint64_t before = h->bytes;

		type(h, i % 2 ? "1" : "M");
		UNTIL(h, h->bytes > before && shows(h, i % 2 ?
		      "Latest events" : "of 10000"));
	}
	each = (cpu_ns(h) - cpu) / PAGES;
	printf("  a frame of 120x36 in which all is new, its list of %d filled: "
	       "%.2f ms of CPU, %d bytes\n", MACHINES, (double)each / 1e6,
	       (int)((h->bytes - bytes) / PAGES));
	cpu = cpu_ns(h);
	for (int i = 0; i < PAGES; i++) {
		uint64_t before = h->bytes;

		type(h, "?");
		UNTIL(h, h->bytes > before && shows(h, "READING"));
		type(h, "\033");
		UNTIL(h, !shows(h, "READING"));
	}
	printf("  a frame of 120x36, the help over a view or gone again: %.2f ms "
	       "of CPU\n", (double)(cpu_ns(h) - cpu) / PAGES / 2 / 1e6);
}

static void at_rest(struct harness *h)
{
	int64_t cpu, began;
	uint64_t bytes;

	type(h, "1");
	UNTIL(h, shows(h, "Latest events"));
	settle(h);
	h->engine.tick_ms = 1000;	/* as an engine in which nothing happens */
	cpu = cpu_ns(h);
	bytes = h->bytes;
	began = real_ms();
	while (real_ms() < began + REST_MS)
		pump(h, 100);
	printf("  at rest, the overview of %d machines: %.2f %% of a CPU, %.0f "
	       "bytes/s\n", MACHINES, (double)(cpu_ns(h) - cpu) / REST_MS / 1e4,
	       (double)(h->bytes - bytes) * 1000 / REST_MS);
	h->engine.tick_ms = 50;
}

static void first_screen(struct harness *h, int machines)
{
	int64_t took_us[STARTS];
	char sign[32];

	snprintf(sign, sizeof(sign), "machines %d ", machines);
	for (int i = 0; i < STARTS; i++) {
		int64_t began = now_us();

		run(h);
		while (!shows(h, sign) && now_us() - began < 10000000)
			pump(h, 1);
		took_us[i] = now_us() - began;
		finish(h);
	}
	qsort(took_us, STARTS, sizeof(took_us[0]), compare);
	printf("  start to the first full screen, attached, %d machines: %.0f ms "
	       "median of %d, %.0f at most\n", machines,
	       (double)took_us[STARTS / 2] / 1000, STARTS,
	       (double)took_us[STARTS - 1] / 1000);
}

int main(int argc, char **argv)
{
	struct harness h = { .engine = { .listener = -1 } };

	if (argc != 3 && argc != 4)
		tap_bail("usage: console CONSOLE_DRIVER FOLDER | SOCKET MACHINES");
	driver = argv[1];
	harness_begin(&h, argv[2]);
	if (argc == 4) {
		snprintf(h.engine.path, sizeof(h.engine.path), "%s", argv[2]);
		first_screen(&h, atoi(argv[3]));
		return 0;
	}
	prepare(&h, many_state(100));
	first_screen(&h, 100);
	prepare(&h, many_state(MACHINES));
	first_screen(&h, MACHINES);
	run(&h);
	UNTIL(&h, shows(&h, "machines 10000"));
	type(&h, "M");
	UNTIL(&h, shows(&h, "of 10000"));
	type(&h, "1");
	UNTIL(&h, shows(&h, "Latest events"));
	frames(&h);
	at_rest(&h);
	type(&h, "M");
	UNTIL(&h, shows(&h, "of 10000") && cursor_on(&h, 4));
	under_events(&h);
	key_to_paint(&h);
	finish(&h);
	engine_stop(&h.engine);
	free(h.engine.state);
	return 0;
}
