/* The small world of the pty tests: what a fake engine says of itself. */
#ifndef REMUDA_TESTS_SCREEN_WORLD_H
#define REMUDA_TESTS_SCREEN_WORLD_H

#include "tests/screen/harness.h"

static const char hello[] =
	"{\"hello\":\"remuda\",\"api\":1,\"version\":\"0.1\",\"site\":\"lab\","
	"\"engine\":\"headless\",\"rights\":\"change\",\"pid\":1}\n";

#define WORLD_POOL                                                             \
	"{\"name\":\"mail\",\"application\":\"mail\",\"serve\":3,"             \
	"\"max\":6,\"in_use\":1,\"ready\":2}"
#define WORLD_HOST "{\"name\":\"h\",\"state\":\"up\"}"

/* Every topic but machines, with what is given for some of them. */
static inline char *rest_of(const char *pools, const char *hosts,
			    const char *events)
{
	char *out;

	if (asprintf(&out,
		     "{\"topic\":\"pools\",\"full\":true,\"items\":[%s]}\n"
		     "{\"topic\":\"sessions\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"requests\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"hosts\",\"full\":true,\"items\":[%s]}\n"
		     "{\"topic\":\"gateways\",\"full\":true,\"items\":[]}\n"
		     "{\"topic\":\"events\",\"full\":true,\"items\":[%s]}\n",
		     pools, hosts, events) < 0)
		tap_bail("out of memory");
	return out;
}

static inline char *state_of(const char *pools, const char *machines,
		      const char *hosts, const char *events)
{
	char *out, *rest = rest_of(pools, hosts, events);

	if (asprintf(&out, "{\"topic\":\"machines\",\"full\":true,\"items\":"
		     "[%s]}\n%s", machines, rest) < 0)
		tap_bail("out of memory");
	free(rest);
	return out;
}

static inline char *plain_state(void)
{
	return state_of(WORLD_POOL,
			"{\"id\":1,\"ref\":\"machine/mail-01\",\"name\":\"mail-01\","
			"\"pool\":\"mail\",\"state\":\"ready\",\"host\":\"h\"}",
			WORLD_HOST, "");
}

enum { WORLD_PART = 100 };	/* machines in one line, as from an engine */

static inline void put_machines(FILE *f, int from, int count)
{
	int last = from + WORLD_PART > count ? count + 1 : from + WORLD_PART;

	fprintf(f, "{\"topic\":\"machines\",\"full\":%s,\"more\":%s,\"items\":[",
		from == 1 ? "true" : "false", last <= count ? "true" : "false");
	for (int id = from; id < last; id++)
		fprintf(f, "%s{\"id\":%d,\"name\":\"big-%05d\",\"pool\":\"mail\","
			"\"state\":\"%s\",\"host\":\"h\",\"sessions\":%d,"
			"\"since\":\"2024-11-22T12:00:00Z\"}",
			id > from ? "," : "", id, id,
			id % 3 ? "ready" : "in_session", id * 7919 % 1000);
	fputs("]}\n", f);
}

/* The same with so many machines, big-00001 and on.  As from an engine: the
 * first of them, all other topics, then the rest. */
static inline char *many_state(int count)
{
	size_t size = 0;
	char *lines = NULL, *rest = rest_of(WORLD_POOL, WORLD_HOST, "");
	FILE *f = open_memstream(&lines, &size);

	if (!f)
		tap_bail("out of memory");
	put_machines(f, 1, count);
	fprintf(f, "{\"topic\":\"site\",\"items\":[{\"site\":\"lab\",\"counts\":"
		"{\"machines\":%d,\"sessions\":0}}]}\n%s", count, rest);
	free(rest);
	for (int id = 1 + WORLD_PART; id <= count; id += WORLD_PART)
		put_machines(f, id, count);
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
