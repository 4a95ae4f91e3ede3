/* The small world of the pty tests: what a fake engine says of itself. */
#ifndef REMUDA_TESTS_SCREEN_WORLD_H
#define REMUDA_TESTS_SCREEN_WORLD_H

#include "tests/screen/harness.h"

static const char hello[] =
	"{\"hello\":\"remuda\",\"api\":1,\"version\":\"0.1\",\"site\":\"lab\","
	"\"engine\":\"headless\",\"rights\":\"change\",\"pid\":1}\n";

/* Every topic, with what is given for some of them. */
static inline char *state_of(const char *pools, const char *machines,
		      const char *hosts, const char *events)
{
	char *out;

	if (asprintf(&out,
		     "{\"topic\":\"pools\",\"full\":true,\"items\":[%s]}\n"
		     "{\"topic\":\"machines\",\"full\":true,\"items\":[%s]}\n"
		     "{\"topic\":\"sessions\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"requests\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"hosts\",\"full\":true,\"items\":[%s]}\n"
		     "{\"topic\":\"gateways\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"events\",\"full\":true,\"items\":[%s]}\n",
		     pools, machines, hosts, events) < 0)
		tap_bail("out of memory");
	return out;
}

static inline char *plain_state(void)
{
	return state_of("{\"name\":\"mail\",\"application\":\"mail\",\"serve\":3,"
			"\"max\":6,\"in_use\":1,\"ready\":2}",
			"{\"id\":1,\"ref\":\"machine/mail-01\",\"name\":\"mail-01\","
			"\"pool\":\"mail\",\"state\":\"ready\",\"host\":\"h\"}",
			"{\"name\":\"h\",\"state\":\"up\"}", "");
}

/* The same with so many machines, big-00001 and on. */
static inline char *many_state(int count)
{
	size_t size = 0;
	char *lines = NULL, *plain = plain_state();
	FILE *f = open_memstream(&lines, &size);

	if (!f)
		tap_bail("out of memory");
	fputs(plain, f);
	free(plain);
	for (int id = 1; id <= count; id++) {
		if (id % 1000 == 1)
			fprintf(f, "{\"topic\":\"machines\",\"full\":%s,"
				"\"items\":[", id == 1 ? "true" : "false");
		fprintf(f, "%s{\"id\":%d,\"name\":\"big-%05d\",\"pool\":\"mail\","
			"\"state\":\"%s\",\"host\":\"h\",\"sessions\":%d,"
			"\"since\":\"2024-11-22T12:00:00Z\"}",
			id % 1000 == 1 ? "" : ",", id, id,
			id % 3 ? "ready" : "in_session", id * 7919 % 1000);
		if (id % 1000 == 0 || id == count)
			fputs("]}\n", f);
	}
	if (fclose(f))
		tap_bail("out of memory");
	return lines;
}

static inline void prepare(struct harness *h, char *state)
{
	free(h->engine.state);
	h->engine.state = state;
	h->engine.hello = hello;
	h->engine.tick_ms = 50;
	engine_stop(&h->engine);
	engine_start(&h->engine);
}

#endif
