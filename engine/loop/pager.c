/*
 * Alarms that leave the console (decisions.md 36): the site's `alarm` program
 * runs for each event of severity warn or fail, once that is durable:
 *
 *     PROGRAM warn|fail OBJECT TEXT
 *
 * with REMUDA_SITE, REMUDA_EVENT (its number), REMUDA_KIND and REMUDA_TIME beside,
 * no standard streams, in a session of its own.  Nothing waits for it: RUNS_MAX at
 * once, WAITS_MAX in line, and who does not end is ended after RUN_MS with all it
 * started.  What finds the line full is counted and told in the log: an alarm
 * program that hangs must not cost memory, and history has every event anyway.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/pager.h"
#include "engine/loop/shell.h"
#include "engine/loop/show.h"

enum { RUNS_MAX = 4, WAITS_MAX = 64, RUN_MS = 10 * 1000, ENV_SIZE = 160 };

struct run {
	struct pager *pager;
	uv_process_t process;
	uv_timer_t deadline;
	bool taken;		/* until the process and its handle are gone */
};

struct pager {
	struct shell *shell;
	struct run runs[RUNS_MAX];
	struct event_row wait_list[WAITS_MAX];
	unsigned first, waiting;
	uint64_t lost;		/* since the line was full */
};

static void go_on(struct pager *a);

static void on_closed(uv_handle_t *handle)
{
	struct run *r = handle->data;

	r->taken = false;
	go_on(r->pager);
}

static void on_deadline(uv_timer_t *timer)
{
	struct run *r = timer->data;

	log_warn("the alarm program did not end within %d s and is ended, pid %d",
		 RUN_MS / 1000, r->process.pid);
	/* Its session: what it started goes with it. */
	kill(-r->process.pid, SIGKILL);
}

static void on_exit_run(uv_process_t *process, int64_t status, int sig)
{
	struct run *r = process->data;

	uv_timer_stop(&r->deadline);
	if (status || sig)
		log_warn("the alarm program failed: %s %lld",
			 sig ? "signal" : "status", sig ? (long long)sig :
							  (long long)status);
	uv_close((uv_handle_t *)process, on_closed);
}

static void start(struct run *r, const struct event_row *ev)
{
	const struct site_spec *spec = &r->pager->shell->world.spec;
	char env[5][ENV_SIZE], time[SHOW_TIME_SIZE];
	char object[2 * sizeof(ev->object)], text[2 * sizeof(ev->text)];
	char *envp[] = { env[0], env[1], env[2], env[3], env[4], NULL };
	char *argv[] = { (char *)spec->alarm, (char *)show_severity(ev->severity),
			 object, text, NULL };
	uv_process_options_t options = {
		.file = spec->alarm, .args = argv, .env = envp, .cwd = "/",
		.exit_cb = on_exit_run, .flags = UV_PROCESS_DETACHED,
	};

	/* Guests and clients have a word in events: no line breaks, no escapes. */
	text_display(object, sizeof(object), ev->object, strlen(ev->object));
	text_display(text, sizeof(text), ev->text, strlen(ev->text));
	snprintf(env[0], ENV_SIZE, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	snprintf(env[1], ENV_SIZE, "REMUDA_SITE=%s", spec->name);
	snprintf(env[2], ENV_SIZE, "REMUDA_EVENT=%llu", (unsigned long long)ev->id);
	snprintf(env[3], ENV_SIZE, "REMUDA_KIND=%s", ev->kind);
	snprintf(env[4], ENV_SIZE, "REMUDA_TIME=%s",
		 show_time_text(ev->wall_ms, time));
	r->taken = true;
	r->process = (uv_process_t){ .data = r };
	int rc = uv_spawn(&r->pager->shell->loop, &r->process, &options);
	if (rc < 0) {
		log_error("the alarm program %s cannot be started: %s",
			  spec->alarm, uv_strerror(rc));
		uv_close((uv_handle_t *)&r->process, on_closed);
		return;
	}
	/* It must not keep a stopping engine from ending. */
	uv_unref((uv_handle_t *)&r->process);
	uv_timer_start(&r->deadline, on_deadline, RUN_MS, 0);
}

static struct run *free_run(struct pager *a)
{
	for (int i = 0; i < RUNS_MAX; i++)
		if (!a->runs[i].taken)
			return &a->runs[i];
	return NULL;
}

static void go_on(struct pager *a)
{
	struct run *r;

	while (a->waiting && (r = free_run(a))) {
		struct event_row ev = a->wait_list[a->first];

		a->first = (a->first + 1) % WAITS_MAX;
		a->waiting--;
		/* The site may have taken its program back meanwhile. */
		if (a->shell->world.spec.alarm[0])
			start(r, &ev);
	}
	if (a->lost && a->waiting < WAITS_MAX / 2) {
		log_warn("the alarm program was not told of %llu events: it is too slow",
			 (unsigned long long)a->lost);
		a->lost = 0;
	}
}

static struct pager *pager_new(struct shell *sh)
{
	struct pager *a = calloc(1, sizeof(*a));

	CHECK("", a, "out of memory");
	a->shell = sh;
	for (int i = 0; i < RUNS_MAX; i++) {
		a->runs[i].pager = a;
		a->runs[i].deadline.data = &a->runs[i];
		uv_timer_init(&sh->loop, &a->runs[i].deadline);
		uv_unref((uv_handle_t *)&a->runs[i].deadline);
	}
	return a;
}

void pager_on_event(struct shell *sh, const struct event_row *ev)
{
	struct pager *a = sh->pager;

	if (!sh->world.spec.alarm[0] || ev->severity == SEVERITY_INFO)
		return;
	if (!a)
		a = sh->pager = pager_new(sh);
	if (a->waiting == WAITS_MAX) {
		a->lost++;
		return;
	}
	a->wait_list[(a->first + a->waiting++) % WAITS_MAX] = *ev;
	go_on(a);
}

int pager_check(const struct site_spec *spec, struct error *err)
{
	if (!spec->alarm[0])
		return 0;
	if (spec->alarm[0] != '/')
		return error_set(err, "site \"%s\": alarm = \"%s\" must be the whole path of a program",
				 spec->name, spec->alarm);
	if (access(spec->alarm, X_OK) < 0)
		return error_errno(err, "site \"%s\": the alarm program %s cannot be run",
				   spec->name, spec->alarm);
	return 0;
}
