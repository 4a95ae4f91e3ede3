/*
 * The link: see link.h.  Owned by the console process.  Nothing here blocks
 * for long: a connect to an engine that listens but does not speak is given
 * up after CONNECT_MS.
 *
 * Not guaranteed: that a request whose answer was lost with the engine was
 * not carried out.  The message says so and the new state shows it.
 */
#include "console/link.h"

#include <stdio.h>
#include <string.h>

#include "console/model.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum {
	CONNECT_MS = 250,
	STEP_ITEMS = 400,	/* told, then keys and frames have their turn */
};

void link_init(struct link *l, struct model *model, const char *path,
	       int64_t now_ms)
{
	*l = (struct link){ .model = model, .path = path, .lost_ms = now_ms,
			    .next_try_ms = path ? now_ms : INT64_MAX };
	client_init(&l->client);
	TEXT_SET(l->trouble, "not connected yet");
}

void console_link_fini(struct link *l)
{
	client_close(&l->client);
}

static int64_t backoff_ms(int tries)
{
	int64_t wait = tries > 5 ? LINK_RETRY_MAX_MS : 1000LL << tries;

	return wait > LINK_RETRY_MAX_MS ? LINK_RETRY_MAX_MS : wait;
}

/* Every request that waits gets its answer: none. */
static void drop_pending(struct link *l)
{
	for (int i = 0; i < LINK_PENDING_MAX; i++) {
		struct link_pending p = l->pending[i];

		l->pending[i].id = 0;
		if (p.id && p.answer)
			p.answer(p.arg, p.shell, NULL);
	}
}

static void mark_down(struct link *l, const struct error *err, int64_t now_ms)
{
	bool was_up = l->up;

	text_display(l->trouble, sizeof(l->trouble), err->text,
		     strlen(err->text));
	l->up = false;
	if (was_up) {
		l->lost_ms = now_ms;
		l->tries = 0;
	}
	l->next_try_ms = l->path ? now_ms + backoff_ms(l->tries) : INT64_MAX;
	l->tries++;
	drop_pending(l);
}

/* The engine said hello: ask for everything. */
static int greet(struct link *l, int64_t now_ms, struct error *err)
{
	l->up = true;
	l->ever_up = true;
	l->connects++;
	l->tries = 0;
	l->last_line_ms = now_ms;
	l->trouble[0] = '\0';
	model_hello(l->model, l->client.hello);
	model_expect_full(l->model);
	return link_request(l, json_pack("{s:s}", "verb", "subscribe"), "",
			    NULL, NULL, now_ms, err);
}

int link_adopt(struct link *l, int fd, int64_t now_ms)
{
	struct error err = { "" };

	if (client_adopt(&l->client, fd, 2000, &err) ||
	    greet(l, now_ms, &err)) {
		mark_down(l, &err, now_ms);
		return -1;
	}
	return 0;
}

void link_retry(struct link *l, int64_t now_ms)
{
	if (!l->up && l->path)
		l->next_try_ms = now_ms;
}

static unsigned try_connect(struct link *l, int64_t now_ms)
{
	struct error err = { "" };
	bool before = l->ever_up;

	if (client_connect(&l->client, l->path, CONNECT_MS, &err) ||
	    greet(l, now_ms, &err)) {
		mark_down(l, &err, now_ms);
		return 0;
	}
	return LINK_NEWS_MODEL | (before ? LINK_NEWS_BACK : 0);
}

static unsigned take_answer(struct link *l, const json_t *line, int64_t id)
{
	for (int i = 0; i < LINK_PENDING_MAX; i++) {
		struct link_pending p = l->pending[i];

		if (p.id != id)
			continue;
		if (!item_bool(line, "more"))
			l->pending[i].id = 0;
		if (p.answer) {
			json_t *safe = model_display_copy(line);

			p.answer(p.arg, p.shell, safe);
			json_decref(safe);
		}
		return LINK_NEWS_ANSWER;
	}
	return 0;
}

unsigned link_step(struct link *l, int64_t now_ms)
{
	struct error err = { "" };
	unsigned news = 0;
	json_t *line;
	int got = 0;

	if (!l->up) {
		if (now_ms < l->next_try_ms)
			return 0;
		news = try_connect(l, now_ms);
		if (!l->up)
			return news;
	}
	if (client_unsent(&l->client) && client_flush(&l->client, &err))
		goto lost;
	for (size_t told = 0; told < STEP_ITEMS; told++) {
		got = client_receive(&l->client, &line, &err);
		if (got <= 0)
			break;
		l->last_line_ms = now_ms;
		int64_t id = item_int(line, "id", 0);

		told += json_array_size(json_object_get(line, "items"));
		if (json_object_get(line, "topic"))
			news |= model_apply(l->model, line) ?
				LINK_NEWS_MODEL : 0;
		else if (json_object_get(line, "console") && l->console)
			l->console(l->console_arg, line);
		else if (id)
			news |= take_answer(l, line, id);
		json_decref(line);
	}
	if (got >= 0)
		return news | (got ? LINK_NEWS_MORE : 0);
lost:
	mark_down(l, &err, now_ms);
	return news | LINK_NEWS_LOST;
}

int link_request(struct link *l, json_t *request, const char *shell,
		 link_answer *answer, void *arg, int64_t now_ms,
		 struct error *err)
{
	struct link_pending *p = NULL;
	int64_t id;

	for (int i = 0; i < LINK_PENDING_MAX && !p; i++)
		if (l->pending[i].id == 0)
			p = &l->pending[i];
	if (!l->up || !p) {
		json_decref(request);
		return error_set(err, l->up ?
				 "too many requests wait for the engine" :
				 "the engine does not answer");
	}
	id = client_send(&l->client, request, err);
	if (id <= 0)
		return -1;	/* the next step sees the lost line */
	*p = (struct link_pending){ .id = id, .sent_ms = now_ms,
				    .answer = answer, .arg = arg };
	TEXT_SET(p->shell, shell);
	return 0;
}

bool link_room(const struct link *l)
{
	for (int i = 0; i < LINK_PENDING_MAX && l->up; i++)
		if (l->pending[i].id == 0)
			return true;
	return false;
}

int link_waiting(const struct link *l, int64_t *oldest_ms)
{
	int count = 0;

	*oldest_ms = 0;
	for (int i = 0; i < LINK_PENDING_MAX; i++) {
		if (l->pending[i].id == 0)
			continue;
		count++;
		if (*oldest_ms == 0 || l->pending[i].sent_ms < *oldest_ms)
			*oldest_ms = l->pending[i].sent_ms;
	}
	return count;
}

int64_t link_deadline_ms(const struct link *l)
{
	return l->up ? INT64_MAX : l->next_try_ms;
}
