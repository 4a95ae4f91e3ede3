/*
 * Verbs about places and machines: host, pool, machine, whois.
 */
#include <string.h>

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
	serial_open(a->c, a->id, verb_text(a, "name"));
}

static const struct machine *find_whois(const struct verb_call *a)
{
	const struct world *w = &a->sh->world;
	uint64_t id = (uint64_t)verb_int(a, "session", 0);
	const struct session *s = world_session(w, id);

	if (id)
		return s ? world_machine(w, s->row.machine) : NULL;
	/* An address: which machine's pattern gives it. */
	const char *address = verb_text(a, "address");
	for (size_t i = 0; address[0] && i < w->pool_count; i++)
		LIST_EACH(&w->pools[i]->machines, it) {
			const struct machine *m =
				LIST_ENTRY(it, struct machine, pool_link);
			char at[160];

			shell_machine_address(m, at, sizeof(at));
			size_t n = strcspn(at, ":");
			if (at[0] && (strcmp(at, address) == 0 ||
				      (strlen(address) == n &&
				       strncmp(at, address, n) == 0)))
				return m;
		}
	return world_machine_by_name(w, slice_of(verb_text(a, "name")));
}

static void run_whois(const struct verb_call *a)
{
	const struct machine *m = find_whois(a);
	const struct session *s =
		m ? world_session(&a->sh->world, m->row.session) : NULL;

	if (!m) {
		control_error(a->c, a->id, "not_found", NULL,
			      "no machine answers to that", NULL);
		return;
	}
	/* From the binding, and only while the machine carries the user. */
	bool bound = s && m->row.state == MACHINE_IN_SESSION;
	verb_item(a, "whois", json_pack("{s:s, s:s, s:I, s:s*, s:o, s:s*}",
		"machine", m->row.name, "state",
		sm_name(&machine_table, m->row.state), "incarnation",
		(json_int_t)m->row.incarnation, "user",
		bound ? s->row.user : NULL, "session",
		bound ? json_integer((json_int_t)s->row.id) : json_null(),
		"application", bound ? s->row.application : NULL));
}

const struct verb verbs_pool[] = {
	{ "host.list", run_host_list, false, "" },
	{ "host.show", run_host_show, false, "name " },
	{ "pool.list", run_pool_list, false, "" },
	{ "pool.show", run_pool_show, false, "name " },
	{ "pool.scale", run_pool_scale, true, "name serve spare max dry_run " },
	{ "pool.pause", run_pool_pause, true, "name " },
	{ "pool.resume", run_pool_resume, true, "name " },
	{ "machine.list", run_machine_list, false, "pool " },
	{ "machine.show", run_machine_show, false, "name " },
	{ "machine.hold", run_machine_hold, true, "name " },
	{ "machine.release", run_machine_release, true, "name " },
	{ "machine.restart", run_machine_restart, true, "name " },
	{ "machine.delete", run_machine_delete, true, "name " },
	{ "machine.exec", guest_exec_run, true, "name argv input for " },
	{ "machine.console", run_machine_console, true, "name " },
	{ "whois", run_whois, false, "name session address " },
	{ 0 },
};
