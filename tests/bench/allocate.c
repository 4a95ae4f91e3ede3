/*
 * What an allocation costs the core, in instructions: request, accept, end and
 * clean of one session after the other, over a pool of many machines.
 *
 *     allocate MACHINES [ROUNDS]
 *     valgrind --tool=callgrind --toggle-collect=rounds allocate ...
 *
 * The count must not depend on how many machines there are.  No store, no
 * clock, no roles: only engine/core.
 */
#include <stdio.h>

#include "tests/unit/core_lab.h"

static struct lab lab;

static void step(struct event ev)
{
	ev.now_ms = lab.now_ms;
	ev.wall_ms = 1700000000000 + lab.now_ms;
	engine_step(&lab.w, &ev, &lab.fx);
}

static void open_pool(uint32_t machines)
{
	struct machine_row *list = calloc(machines, sizeof(*list));
	struct world_rows rows = { .machines = list, .machine_count = machines };
	struct site_spec spec;

	if (!list)
		tap_bail("out of memory");
	lab_defaults(&lab);
	lab.app.agent = false;
	lab.app.identity = IDENTITY_NONE;
	lab.pool.recycle = RECYCLE_NONE;
	lab.pool.serve = lab.pool.max = machines;
	spec = lab_site(&lab);
	world_init(&lab.w, 0x1234, 1);
	effects_init(&lab.fx);
	for (uint32_t i = 0; i < machines; i++) {
		list[i] = (struct machine_row){ .id = i + 1, .slot = i + 1,
						.state = MACHINE_READY };
		snprintf(list[i].name, sizeof(list[i].name), "mail-%02u", i + 1);
		TEXT_SET(list[i].pool, "mail");
		TEXT_SET(list[i].host, "h");
		world_uuid(&lab.w, i + 1, list[i].uuid);
	}
	step((struct event){ .kind = EVENT_SITE,
			     .site = { .spec = &spec, .rows = &rows } });
	free(list);
	lab.w.next_machine = machines + 1;
	lab_end_turn(&lab);
	step((struct event){ .kind = EVENT_GATEWAY_UP, .gateway = { 0, true } });
	step((struct event){ .kind = EVENT_GATEWAY_READY });
	step((struct event){ .kind = EVENT_HOST_STATE,
			     .host = { .host = SLICE("h"), .up = true } });
	for (uint32_t i = 1; i <= machines; i++)
		step((struct event){
			.kind = EVENT_DOMAIN_SEEN,
			.domain = { .host = SLICE("h"), .poll = 1, .machine = i,
				    .uuid = slice_of(world_machine(&lab.w, i)->row.uuid),
				    .state = DOMAIN_RUNNING, .ours = true } });
	step((struct event){ .kind = EVENT_CALL_DONE,
			     .done = { .call = lab.w.hosts[0]->poll_call } });
	lab_end_turn(&lab);
	if (lab.w.pools[0]->ready_count != machines)
		tap_bail("%u machines are ready", lab.w.pools[0]->ready_count);
}

/* Its name is what callgrind collects in. */
__attribute__((noinline)) void rounds(uint32_t count);
void rounds(uint32_t count)
{
	for (uint32_t i = 1; i <= count; i++) {
		struct event ev = {
			.kind = EVENT_REQUEST,
			.request = { .conn = i, .listener = SLICE("door"),
				     .application = SLICE("mail"),
				     .user = SLICE("ann"), .wait_ms = -1,
				     .nonce = i },
		};

		step(ev);
		struct effect *e = lab_effect(&lab, EFFECT_ASSIGN);
		if (!e)
			tap_bail("request %u was not assigned", i);
		ev = (struct event){
			.kind = EVENT_ACCEPTED,
			.session = { .session = e->session, .machine = e->machine,
				     .incarnation = e->incarnation },
		};
		lab_end_turn(&lab);
		step(ev);
		lab_end_turn(&lab);
		ev.kind = EVENT_ENDED;
		ev.session.how = END_CLOSED;
		step(ev);
		lab_end_turn(&lab);
		/* What is saved late is saved too; no poll of the host is due. */
		if (i % 100 == 0) {
			lab.now_ms += LATE_MS / 10;
			step((struct event){ .kind = EVENT_TICK });
			lab_end_turn(&lab);
		}
	}
}

int main(int argc, char **argv)
{
	uint32_t machines = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 0;
	uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 1000;

	if (!machines || machines > SITE_MACHINES_MAX || !count ||
	    count > 4000) {
		fprintf(stderr, "usage: allocate MACHINES [ROUNDS]\n");
		return 2;
	}
	open_pool(machines);
	rounds(count);
	printf("%u rounds over %u machines\n", count, machines);
	lab_close(&lab);
	return 0;
}
