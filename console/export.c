/*
 * What leaves the console: a name to the terminal's clipboard (OSC 52), a view
 * into a file.  Nothing is overwritten: a file that is there is an error.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console/app_internal.h"
#include "console/format.h"
#include "console/pager.h"
#include "console/term.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* ---- copy ------------------------------------------------------------ */

/* How one would type it: the name, else the reference, else the text. */
static void print_name(FILE *out, const json_t *item)
{
	static const char *const members[] = { "name", "machine", "user",
					       "ref", "text" };

	for (size_t i = 0; i < sizeof(members) / sizeof(members[0]); i++) {
		const char *text = item_text(item, members[i]);

		if (*text) {
			fputs(text, out);
			return;
		}
	}
	fprintf(out, "%" PRId64, item_int(item, "id", 0));
}

static void print_marked(FILE *out, const struct list_view *l)
{
	bool first = true;

	for (size_t i = 0; i < l->count; i++) {
		if (!l->rows[i].marked)
			continue;
		fputs(first ? "" : "\n", out);
		print_name(out, l->rows[i].item);
		first = false;
	}
}

static void print_text(FILE *out, const struct pager *p)
{
	for (size_t i = 0; i < p->count; i++)
		fprintf(out, "%s\n", pager_line(p, i));
}

void export_copy(struct app *app)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	enum topic topic;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);

	CHECK("", out, "out of memory");
	if (v->ops == &view_text)
		print_text(out, v->own);
	else if (l && l->mark_count)
		print_marked(out, l);
	else if (view_object(v, &topic))
		print_name(out, view_object(v, &topic));
	fclose(out);
	if (size == 0)
		app_message(app, false, "There is nothing here to copy.");
	else if (term_copy(app->term, text, size))
		app_message(app, true, "Not copied: this terminal cannot, or "
			    "%zu bytes are too many (%d at most); w writes a "
			    "file.", size, TERM_COPY_MAX);
	else
		app_message(app, false, "Copied %.40s%s: the terminal has it "
			    "(OSC 52), if it allows that.", text,
			    size > 40 ? " ..." : "");
	free(text);
}

/* ---- into a file ----------------------------------------------------- */

void export_ask(struct app *app)
{
	time_t t = (time_t)(app->wall_ms / 1000);
	char name[PROMPT_TEXT_SIZE], when[32] = "";
	struct tm tm;

	if (localtime_r(&t, &tm))
		strftime(when, sizeof(when), "%Y%m%d-%H%M%S", &tm);
	snprintf(name, sizeof(name), "remuda-%s-%s.txt",
		 app_view(app)->ops->name, when);
	prompt_open(&app->prompt, PROMPT_FILE, "write this view to: ", name);
}

/* What is drawn, without the frame. */
static void print_screen(FILE *out, const struct grid *g)
{
	size_t size = (size_t)g->cols * CELL_TEXT_SIZE + 1;
	char *line = malloc(size);

	CHECK("", line, "out of memory");
	for (int row = 2; row < g->rows - 2; row++) {
		grid_line(g, row, line, size);
		fprintf(out, "%s\n", line);
	}
	free(line);
}

static void print_view(struct app *app, FILE *out)
{
	struct view *v = app_view(app);
	struct list_view *l = view_list(v);
	struct list_context context = view_context(v);
	char when[32];

	format_date(when, sizeof(when), app->wall_ms);
	fprintf(out, "# remuda %s  %s %s  %s\n", app->model.site, v->ops->name,
		v->target, when);
	if (v->ops == &view_text)
		print_text(out, v->own);
	else if (l && v->tabs != 4)
		list_view_print(l, &context, out);
	else
		print_screen(out, &app->grid);
}

void export_write(struct app *app, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	long bytes;

	if (!out) {
		app_message(app, true, "Not written: %s: %s", path,
			    errno == EEXIST ? "there is such a file already" :
			    strerror(errno));
		if (fd >= 0)
			close(fd);
		return;
	}
	print_view(app, out);
	bytes = ftell(out);
	if (fclose(out))
		app_message(app, true, "Not written whole: %s: %s", path,
			    strerror(errno));
	else
		app_message(app, false, "Written: %s, %ld bytes.", path, bytes);
}
