/*
 * What a terminal looks like after its program came to a violent end: modes of
 * the line, cursor, alternate screen, mouse, pasted text.  Remuda's console must
 * leave all of it as it was; htop, tig and mc, where they are installed, go
 * through the same and are printed beside it.
 *
 *   restore CONSOLE_DRIVER FOLDER
 */
#include <sys/resource.h>

#include "tests/screen/harness.h"
#include "tests/screen/world.h"

enum { END_MS = 4000, PROGRAMS = 4, ROWS = 24, COLS = 80 };

enum cause { BY_SIGNAL, BY_MEMORY, BY_OUTPUT };

static const struct {
	const char *name;
	enum cause cause;
	int signal;
} causes[] = {
	{ "SIGTERM", BY_SIGNAL, SIGTERM }, { "SIGSEGV", BY_SIGNAL, SIGSEGV },
	{ "SIGHUP", BY_SIGNAL, SIGHUP },   { "SIGABRT", BY_SIGNAL, SIGABRT },
	{ "no memory", BY_MEMORY, 0 },	   { "terminal gone", BY_OUTPUT, 0 },
};
enum { CAUSES = sizeof(causes) / sizeof(causes[0]) };

struct program {
	const char *name;
	char *argv[5];
	const char *keys;	/* to have all of its modes on */
};

static const char *driver;

/* ---- what the terminal was told ------------------------------------------ */

/* Private modes as the last "CSI ? N h" or "l" of each left them. */
struct modes {
	bool alternate, hidden, mouse, paste, sync;
};

static void set_mode(struct modes *m, int mode, bool on)
{
	switch (mode) {
	case 25:
		m->hidden = !on;
		break;
	case 47:
	case 1047:
	case 1049:
		m->alternate = on;
		break;
	case 9:
	case 1000:
	case 1001:
	case 1002:
	case 1003:
		m->mouse = on;
		break;
	case 2004:
		m->paste = on;
		break;
	case 2026:
		m->sync = on;
		break;
	}
}

static struct modes modes_of(const struct harness *h)
{
	struct modes m = { false };
	const char *end = h->log + h->log_used;

	for (const char *s = h->log; s && s + 4 < end; s++) {
		const char *at = s + 3;

		if (memcmp(s, "\033[?", 3) != 0)
			continue;
		while (at < end && ((*at >= '0' && *at <= '9') || *at == ';'))
			at++;
		if (at == end || (*at != 'h' && *at != 'l'))
			continue;
		for (const char *n = s + 3; n < at; n += strcspn(n, ";hl") + 1)
			set_mode(&m, atoi(n), *at == 'h');
	}
	return m;
}

static bool same_line_modes(const struct harness *h)
{
	struct termios now;

	return tcgetattr(h->slave, &now) == 0 &&
	       now.c_iflag == h->before.c_iflag &&
	       now.c_oflag == h->before.c_oflag &&
	       now.c_cflag == h->before.c_cflag &&
	       now.c_lflag == h->before.c_lflag &&
	       memcmp(now.c_cc, h->before.c_cc, sizeof(now.c_cc)) == 0;
}

/* ---- one program, one cause ------------------------------------------------ */

struct outcome {
	bool ran, ended, modes, cursor, screen, mouse, paste, had_mouse;
	bool gone;		/* there is no terminal to look at */
};

/* No room for anything more: not a page beyond what it has. */
static void take_memory(struct harness *h)
{
	char path[64], text[64] = "";
	struct rlimit limit;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/statm", (int)h->console);
	f = fopen(path, "re");
	if (!f || !fgets(text, sizeof(text), f))
		tap_bail("%s: %s", path, strerror(errno));
	fclose(f);
	limit.rlim_cur = limit.rlim_max = strtoull(text, NULL, 10) *
					  (rlim_t)sysconf(_SC_PAGESIZE);
	if (prlimit(h->console, RLIMIT_AS, &limit, NULL))
		tap_bail("prlimit: %s", strerror(errno));
}

/* Makes it want memory: many machines, or a huge window. */
static void want_memory(struct harness *h, bool ours)
{
	int64_t limit = real_ms() + END_MS;
	char line[1024];

	for (int id = 1; ours && !h->ended && id <= 200000 &&
	     real_ms() < limit; id++) {
		snprintf(line, sizeof(line), "{\"topic\":\"machines\",\"items\":"
			 "[{\"id\":%d,\"name\":\"big-%d\",\"pool\":\"mail\","
			 "\"state\":\"ready\",\"reason\":\"%0400d\"}]}\n", id, id,
			 id);
		engine_tell(&h->engine, line);
		pump(h, 0);
	}
	for (int i = 1; !ours && !h->ended && i < 8; i++) {
		resize(h, 100 * i, 400 * i);
		for (int k = 0; k < 5; k++)
			pump(h, 20);
	}
}

static bool over(struct harness *h)
{
	int64_t limit = real_ms() + END_MS;

	while (!h->ended && real_ms() < limit)
		pump(h, 20);
	return h->ended;
}

static struct outcome look(struct harness *h)
{
	struct modes m;

	while (poll(&(struct pollfd){ .fd = h->master, .events = POLLIN }, 1,
		    0) > 0 && h->log_used < 64 << 20)
		on_output(h);
	m = modes_of(h);
	return (struct outcome){
		.ran = true, .ended = true, .modes = same_line_modes(h),
		.cursor = !m.hidden, .screen = !m.alternate, .mouse = !m.mouse,
		.paste = !m.paste && !m.sync,
	};
}

/* The harness's engine is there for whoever asks. */
static struct outcome run_one(struct harness *h, struct program *p, int cause)
{
	struct outcome o = { .ran = true };
	bool ours = p->argv[0] == driver, had_mouse;

	prepare(h, plain_state());
	start(h, ROWS, COLS, p->argv);
	if (!UNTIL(h, h->ended || (modes_of(h).alternate && h->bytes > 200)) ||
	    h->ended) {
		finish(h);
		return (struct outcome){ false };
	}
	if (ours)
		UNTIL(h, shows(h, "RUNNING"));
	type(h, p->keys);
	if (ours)
		UNTIL(h, modes_of(h).mouse);
	had_mouse = modes_of(h).mouse;
	switch (causes[cause].cause) {
	case BY_SIGNAL:
		kill(h->console, causes[cause].signal);
		break;
	case BY_MEMORY:
		take_memory(h);
		want_memory(h, ours);
		break;
	case BY_OUTPUT:
		close(h->slave);
		close(h->master);
		h->master = open("/dev/null", O_RDWR | O_CLOEXEC);
		h->slave = open("/dev/null", O_RDWR | O_CLOEXEC);
		h->stalled = true;
		break;
	}
	if (!over(h))
		o.ended = false;
	else if (causes[cause].cause == BY_OUTPUT)
		o = (struct outcome){ .ran = true, .ended = true, .gone = true };
	else
		o = look(h);
	o.had_mouse = had_mouse;
	h->stalled = false;
	finish(h);
	return o;
}

/* ---- the table ------------------------------------------------------------- */

static const char *cell(const struct outcome *o, char *out, size_t size)
{
	if (!o->ran)
		snprintf(out, size, "not here");
	else if (!o->ended)
		snprintf(out, size, "goes on");
	else if (o->gone)
		snprintf(out, size, "ends");
	else
		snprintf(out, size, "%c %c %c %c %c", o->modes ? 'y' : 'N',
			 o->cursor ? 'y' : 'N', o->screen ? 'y' : 'N',
			 !o->had_mouse ? '-' : o->mouse ? 'y' : 'N',
			 o->paste ? 'y' : 'N');
	return out;
}

static void print_table(struct program *programs,
			const struct outcome all[CAUSES][PROGRAMS])
{
	char line[256], text[32];
	int used = snprintf(line, sizeof(line), "%-14s", "");

	tap_note("line modes, cursor, screen, mouse, paste as before: y, N = "
		 "not, - = never on");
	for (int p = 0; p < PROGRAMS; p++)
		used += snprintf(line + used, sizeof(line) - (size_t)used,
				 "%-12s", programs[p].name);
	tap_note("%s", line);
	for (int c = 0; c < CAUSES; c++) {
		used = snprintf(line, sizeof(line), "%-14s", causes[c].name);
		for (int p = 0; p < PROGRAMS; p++)
			used += snprintf(line + used, sizeof(line) -
					 (size_t)used, "%-12s",
					 cell(&all[c][p], text, sizeof(text)));
		tap_note("%s", line);
	}
}

/* Nothing but this is asserted: that the console leaves all as it was. */
static void check(const struct outcome *o, const char *cause)
{
	ok(o->ran && o->had_mouse, "%s: the console runs, its mouse on", cause);
	if (!ok(o->ended, "%s: it ends", cause) || o->gone)
		return;
	ok(o->modes, "%s: modes of the line as before", cause);
	ok(o->cursor && o->screen, "%s: cursor shown, other screen left", cause);
	ok(o->mouse && o->paste, "%s: mouse and paste modes off", cause);
}

int main(int argc, char **argv)
{
	static struct outcome all[CAUSES][PROGRAMS];
	struct harness h = { .engine = { .listener = -1 } };
	struct program programs[PROGRAMS] = {
		{ "remuda", { NULL, (char[]){ "--socket" }, h.engine.path },
		  "\033m" },
		{ "htop", { (char[]){ "/usr/bin/htop" } }, "" },
		{ "tig", { (char[]){ "/usr/bin/tig" } }, "" },
		{ "mc", { (char[]){ "/usr/bin/mc" }, (char[]){ "-u" } }, "" },
	};

	if (argc != 3)
		tap_bail("usage: restore CONSOLE_DRIVER FOLDER");
	driver = programs[0].argv[0] = argv[1];
	harness_begin(&h, argv[2]);
	for (int p = 0; p < PROGRAMS; p++)
		for (int c = 0; c < CAUSES; c++)
			if (access(programs[p].argv[0], X_OK) == 0)
				all[c][p] = run_one(&h, &programs[p], c);
	engine_stop(&h.engine);
	for (int c = 0; c < CAUSES; c++)
		check(&all[c][0], causes[c].name);
	print_table(programs, (const struct outcome (*)[PROGRAMS])all);
	free(h.engine.state);
	return tap_done();
}
