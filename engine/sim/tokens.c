/*
 * Tokens in the simulation: operators make and delete them, clients show them,
 * two at once and again after a crash.  The judge asks of each session that is
 * saved whether its token was good for it: one that works once has one session
 * that did not fail, ever (S17).
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

enum { SIM_TOKENS = 64 };

static struct token_row *find(struct sim *s, const char *hash)
{
	for (size_t i = 0; i < s->store.token_count; i++)
		if (strcmp(s->store.tokens[i].hash, hash) == 0)
			return &s->store.tokens[i];
	return NULL;
}

void tokens_save(struct sim *s, const struct token_row *row)
{
	struct token_row *kept = find(s, row->hash);

	if (kept && kept->used_wall_ms && kept->used_wall_ms != row->used_wall_ms)
		sim_broken(s, "S17", "a token is used a second time");
	if (!kept) {
		CHECK("", s->store.token_count < SIM_TOKENS);
		kept = &s->store.tokens[s->store.token_count++];
	}
	*kept = *row;
}

void tokens_delete(struct sim *s, const struct token_row *row)
{
	struct token_row *kept = find(s, row->hash);

	if (kept)
		*kept = s->store.tokens[--s->store.token_count];
}

void tokens_draw_command(struct sim *s, struct post *p)
{
	char text[SITE_HASH_SIZE];
	size_t n = s->store.token_count;

	if (p->ev.command.verb == COMMAND_TOKEN_DELETE || n > SIM_TOKENS / 2) {
		p->ev.command.verb = COMMAND_TOKEN_DELETE;
		snprintf(text, sizeof(text), "%.12s", n ? s->store.tokens[
			sim_between(s, 0, (int64_t)n - 1)].hash : "nothing");
		p->ev.command.name = post_text(p, text);
		return;
	}
	snprintf(text, sizeof(text), "%064" PRIx64, ++s->next_hash * 0x9e3779b9);
	/* The first digits name it: let them differ. */
	snprintf(text, 17, "%016" PRIx64, s->next_hash * 0x9e3779b97f4a7c15);
	text[16] = '0';
	p->ev.command.hash = post_text(p, text);
	p->ev.command.name = post_text(p, site_user_name(
		(uint32_t)sim_between(s, 0, USERS - 1)));
	p->ev.command.once = sim_chance(s, 70);
	p->ev.command.ms = sim_chance(s, 50) ? sim_between(s, 1000, 60000) : 0;
	p->ev.command.application = post_text(p, sim_chance(s, 80) ? "" :
		s->site.applications[0].name);
}

void tokens_draw_client(struct sim *s, struct conn *c)
{
	const struct token_row *row;

	if (!s->store.token_count || !sim_chance(s, 40))
		return;
	row = &s->store.tokens[sim_between(s, 0,
					   (int64_t)s->store.token_count - 1)];
	TEXT_SET(c->token, row->hash);
	for (uint32_t i = 0; i < USERS; i++)
		if (sim_chance(s, 95) && strcmp(row->user, site_user_name(i)) == 0)
			c->user = site_user_name(i);
}

void tokens_spent(struct sim *s, const struct conn *c,
		  const struct session_row *row)
{
	const struct token_row *t = c->token[0] ? find(s, c->token) : NULL;

	if (!t)
		return;	/* deleted while it waited */
	if (strcmp(t->user, row->user) != 0 ||
	    (t->application[0] && strcmp(t->application, row->application) != 0))
		sim_broken(s, "S17", "session/%llu came with a token for something else",
			   (unsigned long long)row->id);
	for (size_t i = 0; t->once && i < s->conns.count; i++) {
		const struct conn *d = s->conns.items[i];
		const struct session_row *other =
			d != c && strcmp(d->token, c->token) == 0 ?
				store_session(s, d->tried) : NULL;

		if (other)
			sim_broken(s, "S17", "session/%llu and session/%llu came with one token",
				   (unsigned long long)other->id,
				   (unsigned long long)row->id);
	}
}
