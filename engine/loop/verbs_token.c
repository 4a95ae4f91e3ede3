/*
 * Verbs about tokens.  The token itself is made here, told once in the answer,
 * and kept nowhere: the world and the store know its SHA-256.
 */
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "engine/base/error.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

enum { TOKEN_BYTES = 20, SHOWN = 12 };

static json_t *show_token(const struct world *w, const struct token *t)
{
	bool spent = t->row.once && t->row.used_wall_ms;
	bool expired = t->expires_ms <= w->now_ms;

	return json_pack("{s:s#, s:s, s:s*, s:b, s:s, s:s, s:o, s:o, s:o}",
		"id", t->row.hash, (int)SHOWN, "user", t->row.user,
		"application", t->row.application[0] ? t->row.application : NULL,
		"once", t->row.once, "who", t->row.who,
		"state", spent ? "used" : expired ? "expired" :
			 t->held ? "held" : "good",
		"created", show_time(t->row.created_wall_ms),
		"expires", show_time(t->row.expires_wall_ms),
		"used", show_time(t->row.used_wall_ms));
}

static void run_token_list(const struct verb_call *a)
{
	const struct world *w = &a->sh->world;
	const char *user = verb_text(a, "user");
	json_t *items = json_array();

	LIST_EACH(&w->token_list, it) {
		const struct token *t = LIST_ENTRY(it, struct token, link);

		if (!user[0] || strcmp(user, t->row.user) == 0)
			json_array_append_new(items, show_token(w, t));
	}
	control_items(a->c, a->id, "token_list", items);
}

static void run_token_create(const struct verb_call *a)
{
	const char *text = verb_text(a, "for");
	uint8_t bytes[TOKEN_BYTES];
	char token[2 * TOKEN_BYTES + 8] = "rmd-", hash[SITE_HASH_SIZE];
	struct error err;
	int64_t ms = 0;

	if (text[0] && (text_parse_duration_ms(text, &ms, &err) < 0 || ms <= 0)) {
		control_error(a->c, a->id, "usage", NULL,
			      "\"for\" wants a time such as 1h", NULL);
		return;
	}
	shell_random(bytes, sizeof(bytes));
	for (int i = 0; i < TOKEN_BYTES; i++)
		snprintf(token + 4 + 2 * i, 3, "%02x", bytes[i]);
	shell_hash(token, strlen(token), hash);
	verb_command_token(a, ms, hash, token);
	OPENSSL_cleanse(token, sizeof(token));
	OPENSSL_cleanse(bytes, sizeof(bytes));
}

static void run_token_delete(const struct verb_call *a)
{
	verb_command(a, COMMAND_TOKEN_DELETE);
}

const struct verb verbs_token[] = {
	{ "token.list", run_token_list, false, "user " },
	{ "token.create", run_token_create, true, "name application once for " },
	{ "token.delete", run_token_delete, true, "name " },
	{ 0 },
};
