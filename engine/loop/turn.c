/*
 * The turn: save, act, send, show.  Everything stepped since the last turn is
 * made durable by one commit before any role or person hears of it (S3).  A
 * commit that fails ends the process: what was told before stands, what was
 * not told never happened, and the next start adopts (reliability.md F7).
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/pager.h"
#include "engine/loop/runtime.h"
#include "engine/loop/control.h"
#include "engine/loop/metrics.h"
#include "engine/loop/shell.h"

static int64_t clock_ms(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int64_t clock_us(clockid_t clock)
{
	struct timespec ts;

	clock_gettime(clock, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

int64_t shell_now_ms(void)
{
	return clock_ms(CLOCK_BOOTTIME);
}

int64_t shell_wall_ms(void)
{
	return clock_ms(CLOCK_REALTIME);
}

void shell_random(void *out, size_t size)
{
	CHECK("", getrandom(out, size, 0) == (ssize_t)size, "getrandom");
}

uint64_t shell_nonce(void)
{
	static uint64_t fresh[32];	/* getrandom(2) gives 256 bytes whole */
	static size_t used = sizeof(fresh) / sizeof(fresh[0]);

	if (used == sizeof(fresh) / sizeof(fresh[0])) {
		shell_random(fresh, sizeof(fresh));
		used = 0;
	}
	uint64_t nonce = fresh[used] | 1;
	fresh[used++] = 0;
	return nonce;
}

void shell_hash(const void *bytes, size_t length, char out[SITE_HASH_SIZE])
{
	uint8_t hash[SHA256_DIGEST_LENGTH];

	SHA256(bytes, length, hash);
	for (int i = 0; i < SHA256_DIGEST_LENGTH; i++)
		snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

void shell_die(struct shell *sh, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_error("%s", text);
	notify_failed(sh, text);
	if (sh->o.ready_fd >= 0)
		dprintf(sh->o.ready_fd, "error: %s\n", text);
	_exit(1);
}

void shell_stop(struct shell *sh, int exit_code)
{
	sh->stopping = true;
	sh->exit_code = exit_code;
	uv_stop(&sh->loop);
}

/* How far east of UTC local time is; looked up once a minute. */
static int32_t local_offset_s(int64_t wall_ms)
{
	static int64_t minute = -1;
	static int32_t offset_s;
	time_t now = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (minute != wall_ms / 60000 && localtime_r(&now, &tm)) {
		minute = wall_ms / 60000;
		offset_s = (int32_t)tm.tm_gmtoff;
	}
	return offset_s;
}

/* A tick in which every cluster was looked at. */
static void count_policy(struct metrics_counts *c, int64_t us)
{
	c->policy_rounds++;
	c->policy_us += us;
	c->policy_last_us = us;
	if (us > c->policy_most_us)
		c->policy_most_us = us;
}

void shell_step(struct shell *sh, struct event *ev)
{
	CHECK("", !sh->in_turn, "an event while a turn ends: %s",
	      event_name(ev->kind));
	ev->now_ms = shell_now_ms();
	ev->wall_ms = shell_wall_ms();
	ev->offset_s = local_offset_s(ev->wall_ms);
	uint64_t rounds = sh->world.policy_rounds;
	bool may = ev->kind == EVENT_TICK;
	int64_t began_us = may ? clock_us(CLOCK_THREAD_CPUTIME_ID) : 0;
	engine_step(&sh->world, ev, &sh->fx);
	if (may && sh->world.policy_rounds != rounds)
		count_policy(&sh->counts,
			     clock_us(CLOCK_THREAD_CPUTIME_ID) - began_us);
	sh->pending = true;
}

static void save_counters(struct shell *sh, struct error *err)
{
	const struct world *w = &sh->world;
	const uint64_t next[DB_COUNTERS] = {
		[DB_COUNTER_MACHINE] = w->next_machine,
		[DB_COUNTER_SESSION] = w->next_session,
		[DB_COUNTER_REQUEST] = w->next_request,
		[DB_COUNTER_EVENT] = w->next_event,
		[DB_COUNTER_CHANGE] = w->next_change,
		[DB_COUNTER_DECISION] = w->next_decision,
		[DB_COUNTER_LEDGER] = w->next_ledger,
	};

	for (int i = 0; i < DB_COUNTERS; i++) {
		if (next[i] < sh->reserved[i])
			continue;
		sh->reserved[i] = next[i] + DB_COUNTER_BLOCK;
		if (db_save_counter(sh->db, (enum db_counter)i,
				    sh->reserved[i], err) < 0)
			shell_die(sh, "the store failed: %s", err->text);
	}
}

static int save_effect(struct shell *sh, const struct effect *e,
		       struct error *err)
{
	char name[ROW_VOLUME_SIZE];
	char key[ROW_NAME_SIZE * 2];

	switch (e->kind) {
	case EFFECT_SAVE_REQUEST:
		return db_save_request(sh->db, &e->row->request, err);
	case EFFECT_SAVE_EVENT:
		return e->transient ? 0 :
			db_save_event(sh->db, &e->row->event, err);
	case EFFECT_DELETE_OVERRIDE:
		text_copy_slice(key, sizeof(key), e->text);
		return db_delete_override(sh->db, key, err);
	case EFFECT_SAVE_OVERRIDE:
		return db_save_override(sh->db, &e->row->override, err);
	case EFFECT_SAVE_TOKEN:
		return db_save_token(sh->db, &e->row->token, err);
	case EFFECT_DELETE_TOKEN:
		return db_delete_token(sh->db, e->row->token.hash, err);
	case EFFECT_SAVE_JOIN:
		return db_save_join(sh->db, &e->row->join, err);
	case EFFECT_DELETE_JOIN:
		return db_delete_join(sh->db, e->session, err);
	case EFFECT_SAVE_CLUSTER:
		return db_save_cluster(sh->db, &e->row->cluster, err);
	case EFFECT_SAVE_CHANGE:
		return db_save_change(sh->db, &e->row->change, err);
	case EFFECT_SAVE_DECISION:
		return db_save_decision(sh->db, &e->row->decision, err);
	case EFFECT_SAVE_LEDGER:
		return db_save_ledger(sh->db, &e->row->ledger, err);
	case EFFECT_SAVE_VOLUME:
		return db_save_volume(sh->db, &e->row->volume, err);
	case EFFECT_DELETE_VOLUME:
		text_copy_slice(name, sizeof(name), e->text);
		return db_delete_volume(sh->db, name, err);
	case EFFECT_DELETE_MACHINE:
		return db_delete_machine(sh->db, e->machine, err);
	default:
		CHECK("", false, "%s is no save", effect_name(e->kind));
	}
}

static bool something_to_save(const struct shell *sh)
{
	if ((sh->boot[0] && sh->world.has_spec) ||
	    !list_empty(&sh->world.save_machines) ||
	    !list_empty(&sh->world.save_sessions))
		return true;
	for (size_t i = 0; i < sh->fx.count; i++)
		if ((effect_phase(sh->fx.items[i].kind) == PHASE_SAVE &&
		     !sh->fx.items[i].transient) ||
		    sh->fx.items[i].kind == EFFECT_REPLY)
			return true;
	return false;
}

static void save(struct shell *sh)
{
	struct world *w = &sh->world;
	struct error err = { "" };
	int rc;

	if (!something_to_save(sh)) {
		sh->saved_turn = w->turn;
		return;
	}
	int64_t began_us = clock_us(CLOCK_MONOTONIC);
	db_clock(sh->db, w->wall_ms);
	rc = db_begin(sh->db, &err);
	if (rc == 0)
		save_counters(sh, &err);
	LIST_EACH(&w->save_sessions, it)
		if (rc == 0)
			rc = db_save_session(sh->db,
				&LIST_ENTRY(it, struct session, save_link)->row,
				&err);
	LIST_EACH(&w->save_machines, it) {
		struct machine *m = LIST_ENTRY(it, struct machine, save_link);

		if (rc == 0 && m->row.state != MACHINE_GONE)
			rc = db_save_machine(sh->db, &m->row, &err);
	}
	for (size_t i = 0; rc == 0 && i < sh->fx.count; i++)
		if (effect_phase(sh->fx.items[i].kind) == PHASE_SAVE)
			rc = save_effect(sh, &sh->fx.items[i], &err);
	for (size_t i = 0; rc == 0 && i < sh->fx.count; i++)
		if (sh->fx.items[i].kind == EFFECT_REPLY)
			rc = audit_save_reply(sh, &sh->fx.items[i], &err);
	/* With the rows that the restart of the computer changed. */
	if (rc == 0 && sh->boot[0] && w->has_spec)
		rc = db_save_boot(sh->db, sh->boot, &err);
	if (rc == 0)
		rc = db_commit(sh->db, &err);
	if (rc == 0 && w->has_spec)
		sh->boot[0] = '\0';
	if (rc < 0)
		shell_die(sh, "the store failed, nothing of this turn was told to anybody: %s",
			  err.text);
	sh->commits++;
	sh->counts.commit_us += clock_us(CLOCK_MONOTONIC) - began_us;
	sh->saved_turn = w->turn;
}

static void show_event_row(struct shell *sh, const struct effect *e)
{
	control_on_event(sh, &e->row->event);
	if (!e->transient)
		pager_on_event(sh, &e->row->event);
}

static void show(struct shell *sh)
{
	for (size_t i = 0; i < sh->fx.count; i++) {
		const struct effect *e = &sh->fx.items[i];

		if (e->kind == EFFECT_LOG && e->transient)
			log_debug("%.*s", (int)e->text.length, e->text.ptr);
		else if (e->kind == EFFECT_LOG)
			log_info("%.*s", (int)e->text.length, e->text.ptr);
		else if (e->kind == EFFECT_SAVE_EVENT)
			show_event_row(sh, e);
		else if (e->kind == EFFECT_REPLY)
			control_on_reply(sh, e);
	}
	control_on_turn(sh);
}

static void on_timer(uv_timer_t *timer)
{
	struct shell *sh = timer->data;
	struct event ev = { .kind = EVENT_TICK };

	shell_step(sh, &ev);
	shell_turn(sh);
}

static void arm(struct shell *sh)
{
	int64_t at = world_next_deadline(&sh->world);

	if (at == INT64_MAX) {
		uv_timer_stop(&sh->timer);
		return;
	}
	int64_t left = at - shell_now_ms();
	uv_update_time(&sh->loop);
	uv_timer_start(&sh->timer, on_timer, left > 0 ? (uint64_t)left : 0, 0);
}

void shell_turn(struct shell *sh)
{
	if (!sh->pending)
		return;
	sh->in_turn = true;
	save(sh);
	for (int phase = PHASE_ACT; phase <= PHASE_SEND; phase++)
		for (size_t i = 0; i < sh->fx.count; i++)
			if (effect_phase(sh->fx.items[i].kind) ==
			    (enum effect_phase)phase)
				shell_perform(sh, &sh->fx.items[i]);
	gateways_stored(sh);
	gateways_flush(sh);
	show(sh);
	metrics_on_turn(sh);
	world_end_turn(&sh->world, &sh->fx);
	sh->turns++;
	sh->pending = false;
	sh->in_turn = false;
	if (sh->destroy.client && !sh->world.machines.used) {
		gc_end_site(sh);
	} else if (sh->closing && !sh->world.machines.used) {
		log_info("the last machine is gone: the site is closed");
		shell_stop(sh, 0);
	}
	arm(sh);
}

void shell_keep_fd(struct shell *sh, uint64_t call, int fd)
{
	struct kept_fd *k = malloc(sizeof(*k));

	CHECK("", k, "out of memory");
	*k = (struct kept_fd){ .call = call, .fd = fd };
	map_put(&sh->kept, call, k);
}

int shell_take_fd(struct shell *sh, uint64_t call)
{
	struct kept_fd *k = map_remove(&sh->kept, call);
	int fd = k ? k->fd : -1;

	free(k);
	return fd;
}

struct rows {
	struct machine_row *machines;
	struct session_row *sessions;
	struct override_row *overrides;
	struct volume_row *volumes;
	struct token_row *tokens;
	struct join_row *joins;
	struct cluster_row *clusters;
	struct change_row *changes;
	struct decision_row *decisions;
	struct ledger_row *ledgers;
	size_t machine_count, session_count, override_count, volume_count,
		token_count, join_count, cluster_count, change_count, decision_count,
		ledger_count;
};

#define ADD_ROW(name, type)                                                    \
	static void add_##name(void *arg, const struct type *row)              \
	{                                                                      \
		struct rows *r = arg;                                          \
		size_t n = r->name##_count;                                    \
                                                                               \
		if ((n & (n - 1)) == 0)                                        \
			r->name##s = realloc(r->name##s, (n ? n * 2 : 1) *     \
							 sizeof(*row));        \
		CHECK("", r->name##s, "out of memory");                        \
		r->name##s[r->name##_count++] = *row;                          \
	}
ADD_ROW(machine, machine_row)
ADD_ROW(session, session_row)
ADD_ROW(override, override_row)
ADD_ROW(volume, volume_row)
ADD_ROW(token, token_row)
ADD_ROW(join, join_row)
ADD_ROW(cluster, cluster_row)
ADD_ROW(change, change_row)
ADD_ROW(decision, decision_row)
ADD_ROW(ledger, ledger_row)

void shell_save_bundle(struct shell *sh, const struct site_load *load,
		       const char *json)
{
	int64_t wall_ms = shell_wall_ms();
	struct error err;

	if (db_begin(sh->db, &err) < 0 ||
	    db_save_bundle(sh->db, load->version, json, load->source.text,
			   wall_ms, &err) < 0 ||
	    db_save_site_version(sh->db, load->version, load->who, wall_ms,
				 &err) < 0 ||
	    runtime_save(sh, &load->change, load->who, &err) < 0 ||
	    db_commit(sh->db, &err) < 0)
		shell_die(sh, "the store failed: %s", err.text);
}

/* Whether the computer was restarted since the rows were saved. */
static bool rebooted(struct shell *sh)
{
	char was[64];
	struct error err;
	FILE *f = fopen("/proc/sys/kernel/random/boot_id", "re");

	if (!f || !fgets(sh->boot, sizeof(sh->boot), f))
		sh->boot[0] = '\0';
	sh->boot[strcspn(sh->boot, "\n")] = '\0';
	if (f)
		fclose(f);
	if (db_boot(sh->db, was, &err) < 0)
		shell_die(sh, "the store cannot be read: %s", err.text);
	bool same = strcmp(was, sh->boot) == 0;
	/* Nobody can say: then what ran is asked of the hosts, as ever. */
	bool known = was[0] && sh->boot[0];
	if (same)
		sh->boot[0] = '\0';
	return known && !same;
}

static void read_rows(struct shell *sh, struct rows *r)
{
	struct error err;

	if (db_load_machines(sh->db, add_machine, r, &err) < 0 ||
	    db_load_live_sessions(sh->db, add_session, r, &err) < 0 ||
	    db_load_overrides(sh->db, add_override, r, &err) < 0 ||
	    db_load_volumes(sh->db, add_volume, r, &err) < 0 ||
	    db_load_tokens(sh->db, add_token, r, &err) < 0 ||
	    db_load_joins(sh->db, add_join, r, &err) < 0 ||
	    db_load_clusters(sh->db, add_cluster, r, &err) < 0 ||
	    db_load_changes(sh->db, add_change, r, &err) < 0 ||
	    db_load_decisions(sh->db, add_decision, r, &err) < 0 ||
	    db_load_ledgers(sh->db, add_ledger, r, &err) < 0)
		shell_die(sh, "the store cannot be read: %s", err.text);
}

static void free_rows(struct rows *r)
{
	free(r->machines);
	free(r->sessions);
	free(r->overrides);
	free(r->volumes);
	free(r->tokens);
	free(r->joins);
	free(r->clusters);
	free(r->changes);
	free(r->decisions);
	free(r->ledgers);
}

static void know_gateway(struct shell *sh, uint32_t index)
{
	if (index >= sh->gateway_count && index < WORLD_GATEWAYS_MAX)
		sh->gateway_count = index + 1;
}

void shell_apply_site(struct shell *sh, struct site_spec *spec)
{
	struct event ev = { .kind = EVENT_SITE, .site = { .spec = spec } };
	struct rows r = { 0 };
	struct world_rows rows;

	if (!sh->world.has_spec) {
		read_rows(sh, &r);
#define ROWS(name) .name##s = r.name##s, .name##_count = r.name##_count
		rows = (struct world_rows){
			ROWS(machine), ROWS(session), ROWS(override),
			ROWS(volume), ROWS(token), ROWS(join), ROWS(cluster), ROWS(change),
			ROWS(decision), ROWS(ledger),
		};
#undef ROWS
		ev.site.rows = &rows;
		ev.site.rebooted = rebooted(sh);
	}
	sh->site_turn = sh->world.turn;
	shell_step(sh, &ev);
	shell_turn(sh);
	world_check(&sh->world);
	/* Gateways of an earlier start with more of them are adopted too. */
	for (size_t i = 0; i < r.session_count; i++)
		know_gateway(sh, r.sessions[i].gateway);
	for (size_t i = 0; i < r.join_count; i++)
		know_gateway(sh, r.joins[i].gateway);
	free_rows(&r);
}
