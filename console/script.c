/* Scripts: see script.h.  The whole file is read when it is opened. */
#include "console/script.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/keys.h"
#include "console/term.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { WAIT_NONE, WAIT_IDLE, WAIT_TEXT, WAIT_NO_TEXT };
enum { WAIT_DEFAULT_MS = 10000 };

struct script {
	char *text;		/* the file; lines end in NUL */
	char *next;		/* NULL at its end */
	int line;
	char *keys;		/* rest of a line of keys */
	int wait;
	char wait_text[256];
	int64_t wait_ms;	/* how long; set when the wait began */
	int64_t deadline_ms;	/* 0 = not begun */
};

struct script *script_open(const char *path, struct error *err)
{
	FILE *f = fopen(path, "re");
	struct script *s = calloc(1, sizeof(*s));
	size_t size = 0;

	if (!f || !s) {
		error_errno(err, "script %s", path);
		if (f)
			fclose(f);
		free(s);
		return NULL;
	}
	if (getdelim(&s->text, &size, '\0', f) < 0 && ferror(f)) {
		error_errno(err, "script %s", path);
		fclose(f);
		script_free(s);
		return NULL;
	}
	fclose(f);
	s->next = s->text && *s->text ? s->text : NULL;
	s->wait = WAIT_IDLE;
	return s;
}

void script_free(struct script *s)
{
	if (!s)
		return;
	free(s->text);
	free(s);
}

static void fail(struct app *app, const char *what, const char *detail)
{
	char line[4096];

	app->exit_code = 1;
	app->quit = true;
	term_note(app->term, "script line %d: %s %s; the screen was:",
		  app->script->line, what, detail);
	for (int row = 0; row < app->grid.rows; row++) {
		grid_line(&app->grid, row, line, sizeof(line));
		term_note(app->term, "|%s", line);
	}
}

static bool screen_shows(const struct app *app, const char *text)
{
	size_t size = (size_t)app->grid.cols * CELL_TEXT_SIZE + 1;
	char *line = malloc(size);
	bool found = false;

	for (int row = 0; line && row < app->grid.rows && !found; row++) {
		grid_line(&app->grid, row, line, size);
		found = strstr(line, text) != NULL;
	}
	free(line);
	return found;
}

static bool wait_over(const struct app *app)
{
	const struct script *s = app->script;

	switch (s->wait) {
	case WAIT_TEXT:
		return screen_shows(app, s->wait_text);
	case WAIT_NO_TEXT:
		return !screen_shows(app, s->wait_text);
	}
	return app_idle(app);
}

static char *take_line(struct script *s)
{
	char *line = s->next, *end = strchr(line, '\n');

	if (end)
		*end = '\0';
	s->next = end && end[1] ? end + 1 : NULL;
	s->line++;
	return line;
}

/* One key of a line of keys. */
static void press(struct app *app)
{
	struct script *s = app->script;
	size_t length;
	uint32_t key;

	s->keys += strspn(s->keys, " \t");
	length = strcspn(s->keys, " \t");
	if (length == 0) {
		s->keys = NULL;
		return;
	}
	key = keys_parse(s->keys, length);
	if (!key) {
		fail(app, "is no key:", s->keys);
		return;
	}
	s->keys += length;
	app_key(app, key);
}

bool script_step(struct app *app, int64_t real_ms)
{
	struct script *s = app->script;

	if (app->dirty)
		return false;	/* what is saved or searched must be shown */
	if (s->deadline_ms == 0)
		s->deadline_ms = real_ms + (s->wait_ms ? s->wait_ms :
					    WAIT_DEFAULT_MS);
	if (!wait_over(app)) {
		if (real_ms < s->deadline_ms)
			return false;
		fail(app, "waited in vain", s->wait == WAIT_IDLE ?
		     "for the engine to answer" : s->wait_text);
		return true;
	}
	s->wait = WAIT_IDLE;
	s->wait_ms = s->deadline_ms = 0;
	if (s->keys) {
		press(app);
		return true;
	}
	if (!s->next) {
		app->quit = true;
		return true;
	}
	char *line = take_line(s);

	if (*line == ':')
		command_run(app, line + 1);
	else if (*line && *line != '#')
		s->keys = line;
	return true;
}

/* ---- the commands ---------------------------------------------------- */

static void save(struct app *app, const char *path, bool roles)
{
	size_t size = (size_t)app->grid.cols * CELL_TEXT_SIZE + 1;
	char *line = malloc(size);
	FILE *f = fopen(path, "we");

	for (int row = 0; f && line && row < app->grid.rows; row++) {
		if (roles)
			grid_line_roles(&app->grid, row, line, size);
		else
			grid_line(&app->grid, row, line, size);
		fprintf(f, "%s\n", line);
	}
	free(line);
	if (!f || fclose(f)) {
		app_message(app, true, "%s: %s", path, strerror(errno));
		if (app->script)
			fail(app, "cannot write", path);
	}
}

static void start_wait(struct app *app, int count, char **words)
{
	struct script *s = app->script;
	bool text = count > 2 && strcmp(words[1], "idle") != 0;
	const char *seconds = count > 2 + text ? words[2 + text] : NULL;

	s->wait = !text ? WAIT_IDLE : strcmp(words[1], "text") == 0 ?
		  WAIT_TEXT : WAIT_NO_TEXT;
	TEXT_SET(s->wait_text, text ? words[2] : "");
	s->wait_ms = seconds ? strtoll(seconds, NULL, 10) * 1000 : 0;
	s->deadline_ms = 0;
}

/* Each character of text as one key. */
static void type(struct app *app, const char *text, bool pasted)
{
	if (pasted)
		app_key(app, KEYS_PASTE_BEGIN);
	while (*text) {
		size_t n = 1;

		while (((unsigned char)text[n] & 0xc0) == 0x80)
			n++;
		app_key(app, keys_parse(text, n));
		text += n;
	}
	if (pasted)
		app_key(app, KEYS_PASTE_END);
}

bool script_command(struct app *app, int count, char **words)
{
	int cols, rows;

	if (count == 2 && strcmp(words[0], "save-display") == 0)
		save(app, words[1], false);
	else if (count == 2 && strcmp(words[0], "save-roles") == 0)
		save(app, words[1], true);
	else if (!app->script)
		return false;
	else if (count > 1 && strcmp(words[0], "wait") == 0)
		start_wait(app, count, words);
	else if (count == 2 && strcmp(words[0], "clock") == 0)
		app->clock_step_ms += strtoll(words[1], NULL, 10) * 1000;
	else if (count == 2 && strcmp(words[0], "size") == 0 &&
		 sscanf(words[1], "%dx%d", &cols, &rows) == 2)
		term_force_size(app->term, rows, cols);
	else if (count == 2 && strcmp(words[0], "type") == 0)
		type(app, words[1], false);
	else if (count == 2 && strcmp(words[0], "paste") == 0)
		type(app, words[1], true);
	else
		return false;
	app->dirty = true;
	return true;
}
