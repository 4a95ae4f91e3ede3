/*
 * A page of text about something: a description, JSON, the outcome of a
 * question, help on a word.  It is made once by whoever opens it and changes no
 * more; / and n search in it.
 */
#include "console/view.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/app_internal.h"
#include "console/pager.h"
#include "engine/base/check.h"

static void text_open(struct view *v)
{
	struct pager *p = calloc(1, sizeof(*p));

	CHECK("", p, "out of memory");
	pager_init(p, true);
	v->own = p;
}

static void text_close(struct view *v)
{
	pager_fini(v->own);
	free(v->own);
}

static void text_fill(struct view *v)
{
	(void)v;	/* it is what it was */
}

static void text_draw(struct view *v, struct grid *g, struct rect r)
{
	struct pager *p = v->own;
	char foot[64] = "";
	struct rect in;

	if (*p->search)
		snprintf(foot, sizeof(foot), p->found ? "line %zu of %zu" :
			 "not found", p->hit + 1, p->count);
	in = view_pane(g, r, v->target, foot);
	if (view_wide(g)) {
		in.col++;
		in.cols -= 2;
	}
	pager_draw(p, g, in);
}

static bool text_intent(struct view *v, enum intent intent)
{
	return pager_intent(v->own, intent);
}

static void text_search(struct view *v, const char *text)
{
	pager_find(v->own, text);
}

static size_t text_below(const struct view *v)
{
	return pager_below(v->own);
}

static const enum intent text_keys[] = {
	INTENT_BACK, INTENT_FILTER, INTENT_SEARCH_NEXT, INTENT_PAGE_DOWN,
	INTENT_WRITE, INTENT_COMMAND, INTENT_NONE,
};

const struct view_ops view_text = {
	.name = "text",
	.aliases = "",
	.title = "Text",
	.target = TOPIC_NONE,
	.detail = true,
	.keys = text_keys,
	.open = text_open,
	.close = text_close,
	.fill = text_fill,
	.draw = text_draw,
	.intent = text_intent,
	.search = text_search,
	.below = text_below,
};

struct pager *view_text_show(struct app *app, const char *title)
{
	struct view *v = app_push(app, &view_text, title);

	return v->own;
}
