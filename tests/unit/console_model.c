/* The model: full states, changes, removal, hostile strings, odd lines. */
#include <stdio.h>
#include <string.h>

#include "console/format.h"
#include "console/model.h"
#include "tests/tap.h"

static bool apply(struct model *m, const char *text)
{
	json_t *line = json_loads(text, JSON_ALLOW_NUL, NULL);
	bool changed;

	if (!line)
		tap_bail("bad JSON in the test: %s", text);
	changed = model_apply(m, line);
	json_decref(line);
	return changed;
}

static void test_state(struct model *m)
{
	const struct model_set *set = &m->sets[TOPIC_MACHINES];
	json_t *held;

	ok(apply(m, "{\"topic\":\"machines\",\"full\":true,\"items\":["
		 "{\"id\":1,\"name\":\"a-01\",\"state\":\"ready\"},"
		 "{\"id\":2,\"name\":\"a-02\",\"state\":\"ready\"},"
		 "{\"id\":3,\"name\":\"a-03\",\"state\":\"ready\"}]}"),
	   "a full state");
	is_int(set->count, 3, "three machines");
	held = json_incref(model_find(m, TOPIC_MACHINES, 2));
	apply(m, "{\"topic\":\"machines\",\"full\":false,\"items\":["
	      "{\"id\":2,\"name\":\"a-02\",\"state\":\"booting\"}]}");
	is_text(item_text(model_find(m, TOPIC_MACHINES, 2), "state"),
		"booting", "a change replaces the item");
	is_text(item_text(held, "state"), "ready",
		"and leaves what somebody holds as it was");
	json_decref(held);
	apply(m, "{\"topic\":\"machines\",\"items\":["
	      "{\"id\":1,\"state\":\"gone\",\"removed\":true}]}");
	is_int(set->count, 2, "one was removed");
	ok(model_find(m, TOPIC_MACHINES, 1) == NULL, "the right one");
	is_text(item_text(model_named(m, TOPIC_MACHINES, "a-03"), "name"),
		"a-03", "the one moved into its place is still found");
	is_int(item_int(model_find(m, TOPIC_MACHINES, 3), "id", 0), 3,
	       "by key too");
	apply(m, "{\"topic\":\"machines\",\"items\":[{\"id\":99,"
	      "\"removed\":true},{},7,null,{\"id\":-1},{\"id\":\"x\"}]}");
	is_int(set->count, 2, "odd items are passed over");
	ok(!apply(m, "{\"topic\":\"news\",\"items\":[]}"),
	   "an unknown topic changes nothing");
	ok(!apply(m, "{\"topic\":\"tick\",\"time_ms\":77}"), "nor does a tick");
	is_int(m->time_ms, 77, "but its time is taken");
	apply(m, "{\"topic\":\"site\",\"items\":[{\"site\":\"lab\\u001b\"}]}");
	is_text(m->site, "lab\\x1b", "the name of the site, shown safely");
	apply(m, "{\"topic\":\"site\",\"full\":true,\"items\":[]}");
	is_text(m->site, "lab\\x1b", "stays when there is no news of it");
}

static void test_complete(struct model *m)
{
	static const char *const topics[] = { "pools", "sessions", "requests",
					      "hosts", "gateways" };
	char line[128];

	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		snprintf(line, sizeof(line), "{\"topic\":\"%s\",\"full\":true,"
			 "\"items\":[]}", topics[i]);
		apply(m, line);
	}
	ok(!m->complete, "not complete without the events");
	apply(m, "{\"topic\":\"events\",\"full\":true,\"items\":[]}");
	ok(m->complete, "complete with them");
	model_expect_full(m);
	ok(!m->complete, "a new engine starts from nothing");
}

static void tell_all(struct model *m, const char *machines)
{
	static const char *const topics[] = { "pools", "sessions", "requests",
					      "hosts", "gateways", "events" };
	char line[160];

	model_expect_full(m);
	apply(m, machines);
	for (size_t i = 0; i < sizeof(topics) / sizeof(topics[0]); i++) {
		snprintf(line, sizeof(line), "{\"topic\":\"%s\",\"full\":true,"
			 "\"more\":false,\"items\":[]}", topics[i]);
		apply(m, line);
	}
}

/* Machines come in parts, changes stand between them. */
static void test_parts(void)
{
	struct model m;

	model_init(&m);
	tell_all(&m, "{\"topic\":\"machines\",\"full\":true,\"more\":true,"
		 "\"items\":[{\"id\":1,\"name\":\"a-01\"}]}");
	ok(!m.begun, "no first screen before the site's counts are known");
	apply(&m, "{\"topic\":\"site\",\"items\":[{\"site\":\"lab\","
	      "\"counts\":{\"machines\":3}}]}");
	apply(&m, "{\"topic\":\"clusters\",\"full\":true,\"more\":false,"
	      "\"items\":[]}");
	ok(m.begun && !m.complete, "then there is one, of a part");
	is_int(model_totals(&m).machines, 3, "which says how many there are");
	apply(&m, "{\"topic\":\"machines\",\"full\":false,\"items\":"
	      "[{\"id\":1,\"name\":\"a-01\",\"state\":\"ready\"}]}");
	ok(!m.complete, "a change is no part of it");
	apply(&m, "{\"topic\":\"machines\",\"full\":false,\"more\":false,"
	      "\"items\":[{\"id\":2,\"name\":\"a-02\"}]}");
	ok(m.complete, "whole with the last part");
	is_int(model_totals(&m).machines, 2, "from then on they are counted");
	tell_all(&m, "{\"topic\":\"machines\",\"full\":true,\"more\":true,"
		 "\"items\":[{\"id\":7,\"name\":\"b-01\"}]}");
	ok(m.begun && !m.complete, "another engine begins anew");
	model_fini(&m);
}

static void test_hostile(struct model *m)
{
	const json_t *item;
	char out[128];

	apply(m, "{\"topic\":\"hosts\",\"items\":[{\"name\":\"h\","
	      "\"text\":\"\\u001b]0;owned\\u0007\\u202eabc\\u200b\","
	      "\"we\\u001bird\":{\"deep\":[\"\\u009b31m\"]}}]}");
	item = model_named(m, TOPIC_HOSTS, "h");
	is_text(item_text(item, "text"),
		"\\x1b]0;owned\\x07\\u202eabc\\u200b",
		"controls, bidi and zero-width are shown, not obeyed");
	item = json_object_get(item, "we\\x1bird");
	is_text(json_string_value(json_array_get(
			json_object_get(item, "deep"), 0)), "\\x9b31m",
		"in names of members and at any depth");
	apply(m, "{\"topic\":\"hosts\",\"items\":[{\"name\":\"nul\\u0000x\","
	      "\"state\":\"up\"}]}");
	ok(model_named(m, TOPIC_HOSTS, "h") != NULL, "a NUL does no harm");
	format_bytes(out, sizeof(out), INT64_MAX);
	is_text(out, "9223P", "the largest number of bytes");
}

static void test_events(struct model *m)
{
	char line[128];

	for (int i = 1; i <= MODEL_EVENTS_MAX * 2; i++) {
		snprintf(line, sizeof(line), "{\"topic\":\"events\",\"items\":"
			 "[{\"id\":%d,\"text\":\"x\"}]}", i);
		apply(m, line);
	}
	ok(m->sets[TOPIC_EVENTS].count <= MODEL_EVENTS_MAX * 5 / 4,
	   "events do not grow without end");
	ok(model_find(m, TOPIC_EVENTS, MODEL_EVENTS_MAX * 2) &&
	   !model_find(m, TOPIC_EVENTS, 1), "the oldest went first");
}

static void test_times(void)
{
	json_t *item = json_pack("{s:s,s:s,s:n,s:s}", "a",
				 "2024-11-22T12:41:07.250Z", "b",
				 "1970-01-01T00:00:01Z", "c", "d", "soon");
	char out[32];

	is_int(item_time_ms(item, "a"), 1732279267250, "RFC 3339");
	is_int(item_time_ms(item, "b"), 1000, "without a fraction");
	is_int(item_time_ms(item, "c"), 0, "null");
	is_int(item_time_ms(item, "d"), 0, "no time at all");
	json_decref(item);
	is_text(format_age(out, sizeof(out), 59999), "59s", "age: seconds");
	is_text(format_age(out, sizeof(out), 8040000), "2h14", "age: hours");
	is_text(format_age(out, sizeof(out), -1), "-", "age: unknown");
	is_text(format_took(out, sizeof(out), 4120), "4.1 s", "took: seconds");
	is_text(format_took(out, sizeof(out), 999), "999 ms", "took: ms");
	is_text(format_bytes(out, sizeof(out), 1234), "1.2k", "bytes");
}

int main(void)
{
	struct model m;

	model_init(&m);
	test_state(&m);
	test_complete(&m);
	test_parts();
	test_hostile(&m);
	test_events(&m);
	test_times();
	model_fini(&m);
	return tap_done();
}
