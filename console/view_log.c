/*
 * The engine's log: the end of its file, followed.  The file is read here, on
 * this computer, where the engine's control socket is too; an engine under
 * systemd writes to the journal instead, and the view says so.
 */
#include "console/view.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/app_internal.h"
#include "console/pager.h"
#include "engine/base/check.h"
#include "engine/base/text.h"

enum { TAIL_BYTES = 256 * 1024, STEP_BYTES = 64 * 1024,
       HALF_MAX = 1024 * 1024 };

struct log {
	struct pager pager;
	char path[1200];
	off_t at;		/* read up to here */
	ino_t inode;
	char trouble[256];
	char *bytes;		/* read, and not a whole line yet */
	size_t used;
};

static void log_open_view(struct view *v)
{
	struct log *l = calloc(1, sizeof(*l));
	const json_t *paths =
		json_object_get(v->app->model.site_item, "paths");
	const char *log = item_text(paths, "log");
	const char *state = item_text(paths, "state");

	CHECK("", l, "out of memory");
	pager_init(&l->pager, false);
	l->pager.follow = true;
	if (*log)
		TEXT_SET(l->path, log);
	else if (*state)
		snprintf(l->path, sizeof(l->path), "%.1100s/engine.log", state);
	v->own = l;
}

static void log_close_view(struct view *v)
{
	struct log *l = v->own;

	pager_fini(&l->pager);
	free(l->bytes);
	free(l);
}

/* Whole lines to the pager, the rest waits for its end. */
static void take(struct log *l, const char *bytes, size_t n)
{
	const char *end;
	size_t whole;

	l->bytes = realloc(l->bytes, l->used + n);
	CHECK("", l->bytes, "out of memory");
	memcpy(l->bytes + l->used, bytes, n);
	l->used += n;
	end = memrchr(l->bytes, '\n', l->used);
	whole = end ? (size_t)(end - l->bytes) + 1 : 0;
	if (!end && l->used > HALF_MAX)
		whole = l->used;	/* a line without end is cut */
	pager_add(&l->pager, l->bytes, whole);
	l->used -= whole;
	memmove(l->bytes, l->bytes + whole, l->used);
}

/* What came since the last look; a file that was changed for another one is
 * read from its beginning. */
static void look(struct log *l)
{
	int fd = *l->path ? open(l->path, O_RDONLY | O_CLOEXEC) : -1;
	char bytes[STEP_BYTES];
	struct stat st;
	ssize_t n;

	if (fd < 0 || fstat(fd, &st)) {
		snprintf(l->trouble, sizeof(l->trouble), "%.180s: %s", *l->path ?
			 l->path : "the engine's log", *l->path ?
			 strerror(errno) : "the engine does not say where it is");
		if (fd >= 0)
			close(fd);
		return;
	}
	l->trouble[0] = '\0';
	if (st.st_ino != l->inode || st.st_size < l->at) {
		l->at = l->inode || st.st_size < TAIL_BYTES ? 0 :
			st.st_size - TAIL_BYTES;
		l->inode = st.st_ino;
		l->used = 0;
	}
	while ((n = pread(fd, bytes, sizeof(bytes), l->at)) > 0) {
		take(l, bytes, (size_t)n);
		l->at += n;
	}
	close(fd);
}

static void log_fill(struct view *v)
{
	(void)v;
}

static void log_draw(struct view *v, struct grid *g, struct rect r)
{
	struct log *l = v->own;
	struct pager *p = &l->pager;
	char title[300], foot[96];
	struct rect in;

	if (!v->app->holding)
		look(l);
	snprintf(title, sizeof(title), "Log%s%.200s", *l->path ? "  " : "",
		 l->path);
	snprintf(foot, sizeof(foot), "%zu lines%s%s", p->count, p->follow ?
		 "  FOLLOW" : "", *p->search && !p->found ? "  not found" : "");
	in = view_pane(g, r, title, foot);
	if (*l->trouble) {
		in.col++;
		in.cols -= 2;
		in.row += view_wrap(g, in, ROLE_WARN, l->trouble) + 1;
		view_wrap(g, in, ROLE_OFF, "An engine that systemd runs writes to "
			  "the journal: journalctl -u remuda -f");
		return;
	}
	pager_draw(p, g, in);
}

static bool log_intent(struct view *v, enum intent intent)
{
	struct log *l = v->own;

	if (intent == INTENT_LAST)
		l->pager.follow = true;
	return pager_intent(&l->pager, intent);
}

static void log_search(struct view *v, const char *text)
{
	struct log *l = v->own;

	look(l);
	pager_find(&l->pager, text);
}

static size_t log_below(const struct view *v)
{
	return pager_below(&((const struct log *)v->own)->pager);
}

static const enum intent log_keys[] = {
	INTENT_FOLLOW, INTENT_FILTER, INTENT_SEARCH_NEXT, INTENT_LEFT,
	INTENT_RIGHT, INTENT_BACK, INTENT_PAUSE, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_log = {
	.name = "log",
	.aliases = "",
	.title = "Log",
	.about = "The end of the engine's log, followed. Moving up stops following, "
		 "f or G starts it again; / looks for a word, < and > go "
		 "sideways in long lines. L on an object looks for its name.",
	.keys = log_keys,
	.open = log_open_view,
	.close = log_close_view,
	.fill = log_fill,
	.draw = log_draw,
	.intent = log_intent,
	.search = log_search,
	.below = log_below,
};
