/*
 * `machine exec`: one command in a guest for an operator (spec 1.8).  Only on a
 * machine that will be cleaned before it is offered again: held, quarantined,
 * or with a user.  The core has no part in it: nothing is decided by the answer.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/loop/control.h"
#include "engine/loop/verbs.h"
#include "engine/wire/control.h"

enum {
	WORDS_MAX = 64,
	ARGV_MAX = 16 * 1024,	/* bytes of all words with their NULs */
	INPUT_MAX = 24 * 1024,
	TIMEOUT_MS = 30000,
	TIMEOUT_MAX_MS = 600000,
};

/* Joins the words, each with its NUL; NULL with a text when they do not do. */
static char *join(const json_t *words, size_t *length, const char **why)
{
	size_t count = json_array_size(words), i;
	const json_t *word;
	char *argv;

	*why = "argv is a list of 1 to 64 texts, the first the path of a program";
	if (!json_is_array(words) || count == 0 || count > WORDS_MAX)
		return NULL;
	argv = malloc(ARGV_MAX);
	CHECK("", argv, "out of memory");
	*length = 0;
	json_array_foreach(words, i, word) {
		size_t n = json_string_length(word);

		if (!json_is_string(word) || (i == 0 && n == 0) ||
		    *length + n + 1 > ARGV_MAX) {
			free(argv);
			return NULL;
		}
		memcpy(argv + *length, json_string_value(word), n);
		argv[*length + n] = '\0';
		*length += n + 1;
	}
	return argv;
}

/* Why this machine takes no command, or NULL. */
static const char *refusal(const struct machine *m)
{
	switch ((enum machine_state)m->row.state) {
	case MACHINE_HELD:
	case MACHINE_QUARANTINED:
	case MACHINE_IN_SESSION:
	case MACHINE_RESERVED:
		return m->created ? NULL : "the machine does not run";
	case MACHINE_READY:
	case MACHINE_DEFINED:
	case MACHINE_BOOTING:
	case MACHINE_PREPARING:
	case MACHINE_SAVING:
	case MACHINE_SAVED:
	case MACHINE_WAKING:
	case MACHINE_CLEANING:
	case MACHINE_RETIRING:
	case MACHINE_GONE:
	case MACHINE_STATES:
		break;
	}
	return "a command may leave traces: hold the machine first, "
	       "remuda machine hold NAME";
}

void guest_exec_run(const struct verb_call *a)
{
	struct shell *sh = a->sh;
	const char *name = verb_text(a, "name"), *why;
	const char *input = verb_text(a, "input");
	const struct machine *m =
		world_machine_by_name(&sh->world, slice_of(name));
	int64_t timeout_ms = TIMEOUT_MS;
	struct message msg = { .type = WIRE_TYPE_agent_exec };
	struct error err;
	size_t length;

	if (!m) {
		verb_not_found(a, "machine", name);
		return;
	}
	if ((why = refusal(m))) {
		control_error(a->c, a->id, "refused", NULL, why, NULL);
		return;
	}
	char *argv = join(json_object_get(a->request, "argv"), &length, &why);
	if (!argv || strlen(input) > INPUT_MAX ||
	    (*verb_text(a, "for") &&
	     text_parse_duration_ms(verb_text(a, "for"), &timeout_ms, &err) < 0) ||
	    timeout_ms < 1 || timeout_ms > TIMEOUT_MAX_MS) {
		control_error(a->c, a->id, "usage", NULL,
			      argv ? "input is at most 24 KiB, for at most 10 min" :
				     why, NULL);
		free(argv);
		return;
	}
	msg.request = sh->next_shell_call++;
	msg.incarnation = m->row.built;
	msg.agent_exec = (struct wire_agent_exec){
		.machine = m->row.id,
		.uuid = slice_of(m->row.uuid),
		.argv = { argv, (uint32_t)length },
		.input = slice_of(input),
		.timeout_ms = timeout_ms,
	};
	if (hosts_send(sh, m->host->spec.name, &msg)) {
		struct reply *r = calloc(1, sizeof(*r));

		CHECK("", r, "out of memory");
		*r = (struct reply){ .client = a->c->number, .id = a->id };
		map_put(&sh->control->execs, msg.request, r);
		log_info("%s runs %s on %s", a->c->who, argv, m->row.name);
	} else {
		control_error(a->c, a->id, "failed", NULL,
			      "the machine's host does not answer", NULL);
	}
	free(argv);
}

/* A guest's bytes as text of one code point a byte, like a console's. */
static json_t *bytes_text(struct slice bytes)
{
	char *text = malloc(2 * (size_t)bytes.length + 1);
	size_t used;
	json_t *json;

	CHECK("", text, "out of memory");
	used = control_bytes_to_text(text, bytes.ptr, bytes.length);
	json = json_stringn(text, used);
	free(text);
	return json;
}

bool guest_exec_done(struct shell *sh, const struct message *m)
{
	struct reply *r = map_get(&sh->control->execs, m->request);
	char text[300];

	if (!r)
		return false;
	map_remove(&sh->control->execs, m->request);
	text_copy_slice(text, sizeof(text), m->call_done.text);
	struct control_client *c = control_client_of(sh->control, r->client);
	if (c && m->call_done.result == WIRE_OK)
		control_send(c, json_pack("{s:I, s:b, s:s, s:{s:I, s:o, s:o}}",
			"id", (json_int_t)r->id, "ok", 1, "kind",
			"machine_exec", "item", "code",
			(json_int_t)m->call_done.code, "out",
			bytes_text(m->call_done.out), "err",
			bytes_text(m->call_done.errout)));
	else if (c)
		control_error(c, (json_int_t)r->id, "failed", NULL, text, NULL);
	free(r);
	return true;
}
