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
