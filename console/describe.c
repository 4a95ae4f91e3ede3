/*
 * An object in words: its members in an order that reads, each with what it
 * means.  Members that this file does not know are shown too: a newer engine
 * may tell more.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "console/format.h"
#include "console/pager.h"
#include "console/view.h"
#include "engine/base/text.h"

void view_value(const json_t *item, const char *name, char *out,
		size_t out_size)
{
	const json_t *value = json_object_get(item, name);
	int64_t at_ms = item_time_ms(item, name);
	size_t length = strlen(name);

	out[0] = '\0';
	if (at_ms > 0) {
		format_date(out, out_size, at_ms);
	} else if (json_is_integer(value) && length > 3 &&
		   strcmp(name + length - 3, "_ms") == 0) {
		format_took(out, out_size, json_integer_value(value));
	} else if (json_is_string(value)) {
		text_copy(out, out_size, json_string_value(value));
	} else if (json_is_integer(value)) {
		snprintf(out, out_size, "%" PRId64,
			 (int64_t)json_integer_value(value));
	} else if (json_is_boolean(value)) {
		snprintf(out, out_size, "%s",
			 json_is_true(value) ? "yes" : "no");
	} else if (value && !json_is_null(value)) {
		char *text = json_dumps(value, JSON_COMPACT | JSON_SORT_KEYS |
					JSON_ENCODE_ANY);

		text_copy(out, out_size, text ? text : "");
		free(text);
	}
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int view_field_names(const json_t *item, const char **names)
{
	static const char *const first[] = { "name", "state", "pool",
		"application", "user", "machine", "host", "session", "peer",
		"reason" };
	int count = 0, head;
	const char *key;
	json_t *value;

	for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
		if (json_object_get(item, first[i]))
			names[count++] = first[i];
	head = count;
	json_object_foreach((json_t *)item, key, value) {
		bool known = false;

		for (int i = 0; i < head; i++)
			known = known || strcmp(names[i], key) == 0;
		if (!known && count < FIELDS_MAX)
			names[count++] = key;
	}
	qsort(names + head, (size_t)(count - head), sizeof(*names),
	      compare_names);
	return count;
}

/* ---- what members mean ----------------------------------------------- */

static const struct {
	const char *noun, *name, *meaning;	/* noun "" = of every kind */
} meanings[] = {
	{ "", "name", "how it is called here and at libvirt" },
	{ "", "ref", "how commands and events name it" },
	{ "", "state", "what is true now" },
	{ "", "reason", "why it is so" },
	{ "", "since", "in this state since" },
	{ "machine", "wish", "what is wanted: run, hold after the session, retire" },
	{ "machine", "job", "what is being done to reach it" },
	{ "machine", "dirty", "somebody was on it: cleaned before it is offered" },
	{ "machine", "known", "its host answers: the state is today's" },
	{ "machine", "incarnation", "how often it became clean: one user each" },
	{ "machine", "sessions", "users it has served" },
	{ "machine", "failures", "in a row; three put it into quarantine" },
	{ "machine", "boot_ms", "last boot until its agent answered" },
	{ "machine", "prepare_ms", "the prepare hook, last time" },
	{ "machine", "clean_ms", "cleaning after the last session" },
	{ "machine", "session", "who is on it: session/ID" },
	{ "machine", "rung", "how it becomes clean: clean, revert, rebuild" },
	{ "session", "wait_ms", "from the request to a machine" },
	{ "session", "accept_ms", "until the machine accepted the user" },
	{ "session", "bytes_in", "from the user to the machine" },
	{ "session", "bytes_out", "from the machine to the user" },
	{ "session", "connections", "it has had so far; open: now" },
	{ "session", "ends", "when its longest time is over" },
	{ "session", "lingers", "connection lost: kept for its user until" },
	{ "session", "end_text", "how it ended" },
	{ "session", "peer", "where the user connected from" },
	{ "request", "place", "in the line of its application" },
	{ "request", "deadline", "refused if no machine is free by then" },
	{ "pool", "serve", "machines that are kept" },
	{ "pool", "spare", "of them free and ready, whoever comes" },
	{ "pool", "max", "machines at most" },
	{ "pool", "waiting", "requests for its application without a machine" },
	{ "pool", "outdated", "machines of an earlier version of the site" },
	{ "pool", "paused", "outdated machines are not replaced now" },
	{ "pool", "origin", "the line of the site file that made it" },
	{ "pool", "recycle", "how machines become clean after a session" },
	{ "pool", "endpoint", "where the application listens in the machine" },
	{ "pool", "identity", "how the machine learns who its user is" },
	{ "pool", "saved", "machines asleep on disk" },
	{ "host", "kvm", "guests run on the processor, not emulated" },
	{ "host", "machines", "of ours, on it now" },
	{ "gateway", "adopted", "outlived an engine and was taken over" },
};

static const char *meaning(const char *noun, const char *name)
{
	const char *general = "";

	for (size_t i = 0; i < sizeof(meanings) / sizeof(meanings[0]); i++) {
		if (strcmp(meanings[i].name, name) != 0)
			continue;
		if (strcmp(meanings[i].noun, noun) == 0)
			return meanings[i].meaning;
		if (!*meanings[i].noun)
			general = meanings[i].meaning;
	}
	return general;
}

void view_describe(struct pager *p, const char *noun, const json_t *item,
		   const struct model *m)
{
	const char *names[FIELDS_MAX];
	int count = view_field_names(item, names);

	if (strcmp(noun, "machine") == 0 && model_machine_unknown(m, item)) {
		pager_printf(p, "Its host does not answer: this is the last "
			     "that was known.");
		pager_printf(p, "%s", "");
	}
	for (int i = 0; i < count; i++) {
		const char *means = meaning(noun, names[i]);
		char value[2048];

		view_value(item, names[i], value, sizeof(value));
		if (*means && strlen(value) < 24)
			pager_printf(p, "%-16s %-24s %s", names[i],
				     *value ? value : "-", means);
		else
			pager_printf(p, "%-16s %s", names[i],
				     *value ? value : "-");
		if (*means && strlen(value) >= 24)
			pager_printf(p, "%-41s %s", "", means);
	}
}
