/*
 * The audit log: every command that may change something, with who gave it and
 * what came of it.  A deed is open from the request until its answer; what the
 * core answers is recorded in the very commit of what was changed, everything
 * else just before the answer is sent.  An engine that dies in between leaves a
 * change without its deed only when the deed had no answer either.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/loop/control.h"

enum { DEEDS_MAX = 256 };

struct deed {
	struct list link;
	uint64_t client;
	int64_t id;
	struct db_deed row;
};

/* Whose command: the program's name as /proc has it, for people. */
static void read_program(uint32_t pid, char *out, size_t size)
{
	char path[64];

	out[0] = '\0';
	snprintf(path, sizeof(path), "/proc/%u/comm", pid);
	FILE *f = pid ? fopen(path, "re") : NULL;
	if (!f)
		return;
	if (fgets(out, (int)size, f))
		out[strcspn(out, "\n")] = '\0';
	fclose(f);
}

/* The arguments as one line of JSON, cut where it is long. */
static void print_arguments(const json_t *request, char *out, size_t size)
{
	json_t *rest = json_copy((json_t *)request);
	char *text;

	json_object_del(rest, "id");
	json_object_del(rest, "verb");
	text = json_dumps(rest, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	text_copy(out, size, text ? text : "");
	free(text);
	json_decref(rest);
}

static void record(struct shell *sh, struct deed *d);

/* Clients that went away before an answer that nobody gave. */
static void bound(struct control *ctl)
{
	size_t open = 0;

	LIST_EACH(&ctl->deeds, it)
		open++;
	if (open <= DEEDS_MAX)
		return;
	struct deed *d = LIST_ENTRY(ctl->deeds.next, struct deed, link);

	list_remove(&d->link);
	TEXT_SET(d->row.code, "unknown");
	TEXT_SET(d->row.text, "nobody heard the outcome");
	record(ctl->shell, d);
}

void audit_open(struct control_client *c, json_int_t id, const char *verb,
		const json_t *request)
{
	struct control *ctl = c->control;
	struct deed *d = calloc(1, sizeof(*d));

	CHECK("", d, "out of memory");
	d->client = c->number;
	d->id = id;
	d->row = (struct db_deed){
		.wall_ms = shell_wall_ms(), .uid = c->uid, .pid = c->pid,
		.dry_run = json_is_true(json_object_get(request, "dry_run")),
	};
	TEXT_SET(d->row.who, c->who);
	read_program(c->pid, d->row.program, sizeof(d->row.program));
	TEXT_SET(d->row.verb, verb);
	print_arguments(request, d->row.arguments, sizeof(d->row.arguments));
	list_add_tail(&ctl->deeds, &d->link);
	bound(ctl);
}

static struct deed *take(struct control *ctl, uint64_t client, int64_t id,
			 bool ok, const char *code, const char *text)
{
	LIST_EACH(&ctl->deeds, it) {
		struct deed *d = LIST_ENTRY(it, struct deed, link);

		if (d->client != client || d->id != id)
			continue;
		list_remove(&d->link);
		TEXT_SET(d->row.code, ok ? "" : code && *code ? code : "failed");
		TEXT_SET(d->row.text, text ? text : "");
		return d;
	}
	return NULL;
}

int audit_save_reply(struct shell *sh, const struct effect *e, struct error *err)
{
	const struct reply *r = map_get(&sh->control->replies, e->call);
	char code[40], text[400];
	struct deed *d;

	if (!r)
		return 0;
	text_copy_slice(code, sizeof(code), e->word);
	text_copy_slice(text, sizeof(text), e->text);
	d = take(sh->control, r->client, r->id, e->ok, code, text);
	int rc = d ? db_save_deed(sh->db, &d->row, err) : 0;
	free(d);
	return rc;
}

static void record(struct shell *sh, struct deed *d)
{
	struct error err;

	if (db_begin(sh->db, &err) < 0 ||
	    db_save_deed(sh->db, &d->row, &err) < 0 ||
	    db_commit(sh->db, &err) < 0)
		shell_die(sh, "the store failed: %s", err.text);
	free(d);
}

void audit_close(struct shell *sh, uint64_t client, int64_t id, bool ok,
		 const char *code, const char *text)
{
	struct deed *d = take(sh->control, client, id, ok, code, text);

	if (d)
		record(sh, d);
}

static const char *text_of(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key));
}

void audit_answered(struct control_client *c, const json_t *answer)
{
	const json_t *id = json_object_get(answer, "id");
	const json_t *error = json_object_get(answer, "error");
	bool ok = json_is_true(json_object_get(answer, "ok"));

	if (list_empty(&c->control->deeds) || !json_is_integer(id) ||
	    !json_object_get(answer, "ok"))
		return;
	audit_close(c->control->shell, c->number, json_integer_value(id), ok,
		    text_of(error, "code"),
		    ok ? text_of(answer, "text") : text_of(error, "message"));
}
