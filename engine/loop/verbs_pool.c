/*
 * Verbs about places and machines: host, pool, machine.
 */
#include <string.h>

#include "engine/loop/runtime.h"
#include "engine/loop/serial.h"
#include "engine/loop/show.h"
#include "engine/loop/verbs.h"

static void run_host_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.host_count; i++)
		json_array_append_new(items, show_host(a->sh, a->sh->world.hosts[i]));
	control_items(a->c, a->id, "host_list", items);
}

static void run_host_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct host *h = world_host(&a->sh->world, slice_of(name));

	if (h)
		verb_item(a, "host", show_host(a->sh, h));
	else
		verb_not_found(a, "host", name);
}

static void run_host_drain(const struct verb_call *a)
{
	struct event ev = { .command = { .verb = COMMAND_HOST_DRAIN } };

	if (verb_strategy(a, &ev.command.strategy))
		verb_step(a, &ev);
}

static void run_host_undrain(const struct verb_call *a)
{
	verb_command(a, COMMAND_HOST_UNDRAIN);
}

static void run_host_fence(const struct verb_call *a)
{
	verb_command(a, COMMAND_HOST_FENCE);
}

static void run_pool_list(const struct verb_call *a)
{
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.pool_count; i++)
		json_array_append_new(items, show_pool(a->sh, a->sh->world.pools[i]));
	control_items(a->c, a->id, "pool_list", items);
}

static void run_pool_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct pool *p = world_pool(&a->sh->world, slice_of(name));

	if (p)
		verb_item(a, "pool", show_pool(a->sh, p));
	else
		verb_not_found(a, "pool", name);
}

static void run_machine_list(const struct verb_call *a)
{
	const char *pool = verb_text(a, "pool");
	json_t *items = json_array();

	for (size_t i = 0; i < a->sh->world.pool_count; i++) {
		const struct pool *p = a->sh->world.pools[i];

		if (pool[0] && strcmp(pool, p->spec.name) != 0)
			continue;
		LIST_EACH(&p->machines, it)
			json_array_append_new(items, show_machine(a->sh,
				LIST_ENTRY(it, struct machine, pool_link)));
	}
	control_items(a->c, a->id, "machine_list", items);
}

static void run_machine_show(const struct verb_call *a)
{
	const char *name = verb_text(a, "name");
	const struct machine *m = world_machine_by_name(&a->sh->world,
							slice_of(name));

	if (m)
		verb_item(a, "machine", show_machine(a->sh, m));
	else
		verb_not_found(a, "machine", name);
}

static void run_pool_scale(const struct verb_call *a)
{
	verb_command(a, COMMAND_POOL_SCALE);
}

static void run_pool_reset(const struct verb_call *a)
{
	verb_command(a, COMMAND_POOL_RESET);
}

static void run_pool_pause(const struct verb_call *a)
{
	verb_command(a, COMMAND_POOL_PAUSE);
}

static void run_pool_resume(const struct verb_call *a)
{
	verb_command(a, COMMAND_POOL_RESUME);
}

static void run_machine_hold(const struct verb_call *a)
{
	verb_command(a, COMMAND_MACHINE_HOLD);
}

static void run_machine_release(const struct verb_call *a)
{
	verb_command(a, COMMAND_MACHINE_RELEASE);
}

static void run_machine_restart(const struct verb_call *a)
{
	verb_command(a, COMMAND_MACHINE_RESTART);
}

static void run_machine_delete(const struct verb_call *a)
{
	verb_command(a, COMMAND_MACHINE_DELETE);
}

static void run_machine_console(const struct verb_call *a)
{
	/* Its answer may come much later, or never. */
	audit_close(a->sh, a->c->number, a->id, true, NULL, "asked for");
	serial_open(a->c, &(struct serial_wish){
		.id = a->id, .machine = verb_text(a, "name"),
		.watch = verb_true(a, "watch"),
		.history = verb_int(a, "history", 0) });
}

/* To look needs the rights of a change, since secrets may pass, and is none. */
static void run_machine_watch(const struct verb_call *a)
{
	if (!verb_refused(a))
		serial_open(a->c, &(struct serial_wish){
			.id = a->id, .machine = verb_text(a, "name"),
			.watch = true, .history = verb_int(a, "history", 0) });
}

const struct verb verbs_pool[] = {
	{ "host.list", run_host_list, false, "" },
	{ "host.show", run_host_show, false, "name " },
	{ "host.drain", run_host_drain, true, "name strategy dry_run " },
	{ "host.undrain", run_host_undrain, true, "name dry_run " },
	{ "host.fence", run_host_fence, true, "name dry_run " },
	{ "pool.list", run_pool_list, false, "" },
	{ "pool.show", run_pool_show, false, "name " },
	{ "pool.scale", run_pool_scale, true, "name serve spare max dry_run " },
	{ "pool.create", runtime_pool_create, true, "name fields " },
	{ "pool.delete", runtime_pool_delete, true, "name " },
	{ "cluster.create", runtime_cluster_create, true, "name fields " },
	{ "cluster.delete", runtime_cluster_delete, true, "name " },
	{ "pool.reset", run_pool_reset, true, "name " },
	{ "pool.pause", run_pool_pause, true, "name " },
	{ "pool.resume", run_pool_resume, true, "name " },
	{ "machine.list", run_machine_list, false, "pool " },
	{ "machine.show", run_machine_show, false, "name " },
	{ "machine.hold", run_machine_hold, true, "name " },
	{ "machine.release", run_machine_release, true, "name " },
	{ "machine.restart", run_machine_restart, true, "name " },
	{ "machine.delete", run_machine_delete, true, "name " },
	{ "machine.exec", guest_exec_run, true, "name argv input for " },
	{ "machine.console", run_machine_console, true, "name watch history " },
	{ "machine.watch", run_machine_watch, false, "name history " },
	{ 0 },
};
