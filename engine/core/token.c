/*
 * Tokens made while the engine runs (spec 2.3).  The world knows a token by the
 * SHA-256 of it and never sees the token itself.  One that works once is spent
 * in the commit that saves its session (S17): before it, a request holds it, so
 * that two requests cannot both wait with it; after it, no crash brings it back.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/admit.h"
#include "engine/core/internal.h"

enum { TOKENS_MAX = 10000, SHOWN = 12 };
/* Spent and expired tokens are remembered so long, to be named in lists. */
static const int64_t remembered_ms = 30ll * 24 * 3600 * 1000;

static struct token *token_add(struct world *w, const struct token_row *row)
{
	struct token *t = calloc(1, sizeof(*t));

	CHECK("", t, "out of memory");
	t->row = *row;
	/* From here on the boot clock counts: no wall jump ends or extends it. */
	t->expires_ms = row->expires_wall_ms ?
		w->now_ms + row->expires_wall_ms - w->wall_ms : INT64_MAX;
	dict_put(&w->tokens, row->hash, t);
	list_add_tail(&w->token_list, &t->link);
	w->token_count++;
	return t;
}

void tokens_restore(struct world *w, const struct token_row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++)
		token_add(w, &rows[i]);
}

void tokens_fini(struct world *w)
{
	LIST_EACH(&w->token_list, it)
		free(LIST_ENTRY(it, struct token, link));
	list_init(&w->token_list);
	dict_clear(&w->tokens);
}

static void token_save(struct effects *fx, const struct token *t,
		       enum effect_kind kind)
{
	struct effect *e = effects_add(fx, kind);

	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->token = t->row;
}

static void token_delete(struct world *w, struct effects *fx, struct token *t)
{
	token_save(fx, t, EFFECT_DELETE_TOKEN);
	dict_remove(&w->tokens, t->row.hash);
	list_remove(&t->link);
	w->token_count--;
	free(t);
}

static bool is_spent(const struct token *t)
{
	return t->row.once && t->row.used_wall_ms && !PLANTED(S17_TOKEN_TWICE);
}

/* ---- use ------------------------------------------------------------------ */

bool token_hold(struct world *w, struct request *r, struct slice hash,
		struct refusal *no)
{
	char text[SITE_HASH_SIZE];
	struct token *t;

	if (!hash.length)
		return true;
	text_copy_slice(text, sizeof(text), hash);
	t = dict_get(&w->tokens, text);
	TEXT_SET(no->code, "not_authenticated");
	if (!t || strcmp(t->row.user, r->row.user) != 0) {
		TEXT_SET(no->text, "user name or password is wrong");
	} else if (w->now_ms >= t->expires_ms) {
		TEXT_SET(no->text, "the token has expired");
	} else if (is_spent(t)) {
		TEXT_SET(no->text, "the token was good for one session and has been used");
	} else if (t->row.once && t->held && t->held != r->row.id &&
		   !PLANTED(S17_TOKEN_SHARED)) {
		TEXT_SET(no->text, "another request waits with this token");
	} else if (t->row.application[0] &&
		   strcmp(t->row.application, r->row.application) != 0) {
		TEXT_SET(no->code, "not_allowed");
		snprintf(no->text, sizeof(no->text),
			 "the token is for application %s only",
			 t->row.application);
	} else {
		if (t->row.once)
			t->held = r->row.id;
		TEXT_SET(r->token, text);
		return true;
	}
	return false;
}

/* NULL when it was deleted meanwhile: what it allowed stays allowed. */
static struct token *token_of(const struct world *w, const struct request *r)
{
	return r->token[0] ? dict_get(&w->tokens, r->token) : NULL;
}

void token_spend(struct world *w, struct effects *fx, const struct request *r)
{
	struct token *t = token_of(w, r);

	if (!t || !t->row.once || t->row.used_wall_ms)
		return;
	CHECK("S17", t->held == r->row.id, "a token held by another request");
	t->row.used_wall_ms = w->wall_ms ? w->wall_ms : 1;
	if (!PLANTED(S17_NOT_SAVED))
		token_save(fx, t, EFFECT_SAVE_TOKEN);
}

void token_let_go(struct world *w, const struct request *r)
{
	struct token *t = token_of(w, r);

	if (t && t->held == r->row.id)
		t->held = 0;
}

/* ---- commands ----------------------------------------------------------------- */

/* Room for new ones: what has been of no use for long. */
static void forget_old(struct world *w, struct effects *fx)
{
	LIST_EACH(&w->token_list, it) {
		struct token *t = LIST_ENTRY(it, struct token, link);
		bool spent = t->row.once && t->row.used_wall_ms &&
			     t->row.used_wall_ms < w->wall_ms - remembered_ms;

		if (!t->held && (spent || t->expires_ms < w->now_ms - remembered_ms))
			token_delete(w, fx, t);
	}
}

static void create(struct world *w, struct effects *fx, const struct event *ev)
{
	struct token_row row = { .created_wall_ms = w->wall_ms,
				 .once = ev->command.once };
	char text[ROW_TEXT_SIZE], for_text[24] = "";

	forget_old(w, fx);
	if (!text_copy_slice(row.user, sizeof(row.user), ev->command.name) ||
	    (!world_user(w, row.user) &&
	     !(w->spec.peers && text_is_user(row.user)))) {
		snprintf(text, sizeof(text), "there is no user \"%.*s\"",
			 (int)ev->command.name.length, ev->command.name.ptr);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	text_copy_slice(row.application, sizeof(row.application),
			ev->command.application);
	if (row.application[0] && !dict_get(&w->applications, row.application)) {
		snprintf(text, sizeof(text), "there is no application \"%s\"",
			 row.application);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	if (w->token_count >= TOKENS_MAX) {
		snprintf(text, sizeof(text), "there are %d tokens; delete some",
			 TOKENS_MAX);
		command_reply(fx, ev, false, "refused", text);
		return;
	}
	CHECK("S17", ev->command.hash.length == SITE_HASH_SIZE - 1);
	text_copy_slice(row.hash, sizeof(row.hash), ev->command.hash);
	text_copy_slice(row.who, sizeof(row.who), ev->command.who);
	if (ev->command.ms > 0)
		row.expires_wall_ms = w->wall_ms + ev->command.ms;
	token_save(fx, token_add(w, &row), EFFECT_SAVE_TOKEN);
	if (ev->command.ms > 0)
		text_duration(for_text, sizeof(for_text), ev->command.ms);
	snprintf(text, sizeof(text), "token/%.*s of user %s%s%s%s%s%s", SHOWN,
		 row.hash, row.user, row.once ? ", once" : "",
		 for_text[0] ? ", for " : "", for_text,
		 row.application[0] ? ", application " : "", row.application);
	world_event(w, fx, SEVERITY_INFO, false, "ADMIN", "user", row.user,
		    "%s: made %s", row.who, text);
	command_reply(fx, ev, true, "", text);
}

static void delete(struct world *w, struct effects *fx, const struct event *ev)
{
	struct slice name = ev->command.name;
	char text[ROW_TEXT_SIZE];
	struct token *found = NULL;
	int count = 0;

	LIST_EACH(&w->token_list, it) {
		struct token *t = LIST_ENTRY(it, struct token, link);

		if (name.length >= 4 && name.length < sizeof(t->row.hash) &&
		    memcmp(t->row.hash, name.ptr, name.length) == 0) {
			found = t;
			count++;
		}
	}
	if (count != 1) {
		snprintf(text, sizeof(text), count ?
			 "several tokens begin with \"%.*s\"; write more of it" :
			 "there is no token \"%.*s\"", (int)name.length, name.ptr);
		command_reply(fx, ev, false, count ? "refused" : "not_found", text);
		return;
	}
	snprintf(text, sizeof(text), "token/%.*s of user %s is deleted", SHOWN,
		 found->row.hash, found->row.user);
	world_event(w, fx, SEVERITY_INFO, false, "ADMIN", "user",
		    found->row.user, "%.*s: %s", (int)ev->command.who.length,
		    ev->command.who.ptr, text);
	token_delete(w, fx, found);
	command_reply(fx, ev, true, "", text);
}

void command_token(struct world *w, struct effects *fx, const struct event *ev)
{
	if (ev->command.verb == COMMAND_TOKEN_CREATE)
		create(w, fx, ev);
	else
		delete(w, fx, ev);
}
