/*
 * Housekeeping of the store: counting hours and deleting what is older than the
 * site keeps.  Small batches of their own, between turns: after each full step
 * the loop has a round for everything else first.
 *
 * And a look at the room it has left: a commit that finds none ends the engine.
 * (The room of machines' disks is looked at by their host: host_set_room.)
 */
#include <stdio.h>

#include "engine/base/disk.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

enum {
	LOOK_MS = 5000,			/* when all was done at the last look */
	NEXT_MS = 20,			/* when more waits */
	PASS_MS = 3600 * 1000,		/* between passes of deleting */
	KEY_DAYS = 30,			/* decisions.md 12 */
	KEPT_DAYS = 7,			/* decisions that changed nothing */
};
static const int64_t DAY_MS = 86400000;

static void arm(struct shell *sh, bool more)
{
	uv_timer_start(&sh->keeper.timer, sh->keeper.on_timer,
		       more ? NEXT_MS : LOOK_MS, 0);
}

static struct db_keep what_to_keep(const struct shell *sh, int64_t now)
{
	const struct site_spec *spec = &sh->world.spec;

	return (struct db_keep){
		.sessions_before = now - spec->history_ms,
		.events_before = now - spec->history_events_ms,
		.audit_before = now - spec->history_audit_ms,
		.hours_before = now - spec->history_hours_ms,
		.keys_before = now - KEY_DAYS * DAY_MS,
		.changes_before = now - spec->history_events_ms,
		.kept_before = now - (spec->history_events_ms < KEPT_DAYS * DAY_MS ?
				      spec->history_events_ms : KEPT_DAYS * DAY_MS),
		.ledger_before = 0,	/* kept for ever */
	};
}

/* One step of each: 1 = more waits, 0 = done, -1 = error. */
static int step(struct shell *sh, int64_t now, struct error *err)
{
	struct db_keep keep = what_to_keep(sh, now);
	bool prune = shell_now_ms() >= sh->keeper.next_pass_ms;
	int more, pruned = 0;

	if (db_begin(sh->db, err) < 0)
		return -1;
	more = db_count_hours(sh->db, now, err);
	if (more == 0 && prune)
		pruned = db_prune(sh->db, &keep, err);
	if (more < 0 || pruned < 0 || db_commit(sh->db, err) < 0)
		return -1;
	if (more == 0 && prune && pruned == 0)
		sh->keeper.next_pass_ms = shell_now_ms() + PASS_MS;
	return more || pruned;
}

/* Tells once when it is short, and once when it is not any more. */
static void watch_room(struct shell *sh)
{
	uint64_t reserve = sh->world.spec.disk_reserve_mib;
	int64_t room = disk_room_mib(sh->o.state_dir);
	bool was = sh->keeper.short_of_room;
	struct event ev = { .kind = EVENT_NOTICE };
	char text[256];

	if (room < 0)
		return;
	sh->keeper.short_of_room =
		(uint64_t)room < reserve + (was ? reserve / 8 : 0);
	if (sh->keeper.short_of_room == was)
		return;
	if (was)
		snprintf(text, sizeof(text), "%lld MiB are free again in the state directory",
			 (long long)room);
	else
		snprintf(text, sizeof(text),
			 "the state directory has %lld MiB left, its reserve is %llu MiB: with none the engine ends",
			 (long long)room, (unsigned long long)reserve);
	ev.notice.severity = was ? SEVERITY_INFO : SEVERITY_FAIL;
	ev.notice.kind = SLICE("DISK");
	ev.notice.noun = SLICE("site");
	ev.notice.name = slice_of(sh->world.spec.name);
	ev.notice.text = slice_of(text);
	log_warn("%s", text);
	shell_step(sh, &ev);
}

static void on_timer(uv_timer_t *timer)
{
	struct shell *sh = timer->data;
	struct error err;
	int more = 0;

	if (sh->world.has_spec)
		more = step(sh, shell_wall_ms(), &err);
	if (more < 0)
		shell_die(sh, "the store failed: %s", err.text);
	if (sh->world.has_spec && !more)
		watch_room(sh);
	arm(sh, more > 0);
}

void keeper_start(struct shell *sh)
{
	sh->keeper.on_timer = on_timer;
	sh->keeper.timer.data = sh;
	uv_timer_init(&sh->loop, &sh->keeper.timer);
	arm(sh, false);
}
