/*
 * The rules role's first process: a poll loop between the engine, the zygotes
 * and the hooks; see rules.h.
 *
 * Owner: everything here belongs to one thread of one process without Lua.
 * The clock is CLOCK_BOOTTIME, so a suspended host does not lengthen a
 * deadline.  `current` serves hooks; `candidate` is a site being evaluated,
 * and becomes current when the engine says so; bundles replaced while hooks of theirs
 * run stay in `retired` until the last has ended.
 *
 * Not guaranteed: anything about a hook after its answer was sent; its process
 * is killed then, whatever it does.
 */
#include "engine/rules/rules.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/base/map.h"
#include "engine/base/text.h"
#include "engine/rules/bundle.h"
#include "engine/rules/outbox.h"
#include "engine/rules/run.h"
#include "engine/wire/message.h"

/* A retired bundle has at least one run, so there are no more than these. */
enum { RETIRED_MAX = RULES_HOOKS_MAX };

struct rules {
	int fd;
	struct outbox out;
	struct bundle *current, *candidate;
	struct bundle *retired[RETIRED_MAX];
	int retired_count;
	struct list active, queued;	/* struct run */
	int active_count;
	struct map by_call;
	struct wire_buffer buffer;
};

static int64_t now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return t.tv_sec * 1000LL + t.tv_nsec / 1000000;
}

static void tell(struct rules *r, const struct message *m)
{
	struct error err;

	if (outbox_send(&r->out, m, &err) < 0)
		log_error("to the engine: %s", err.text);
}

static void tell_bundle_error(struct rules *r, const struct bundle *b,
			      const char *text, const char *hint)
{
	struct message m = { .type = WIRE_TYPE_bundle_error };

	m.bundle_error = (struct wire_bundle_error){
		.hash = slice_of(b->hash), .file = slice_of(b->file),
		.text = slice_of(text), .hint = slice_of(hint),
	};
	tell(r, &m);
}

/* ---- runs -------------------------------------------------------------- */

static void retire(struct rules *r, struct bundle *b)
{
	if (!b)
		return;
	if (b->runs > 0 && b->state == BUNDLE_READY &&
	    r->retired_count < RETIRED_MAX)
		r->retired[r->retired_count++] = b;
	else
		bundle_free(b);
}

static void end_run(struct rules *r, struct run *run)
{
	struct bundle *b = run->bundle;

	if (run->state != RUN_QUEUED)
		r->active_count--;
	map_remove(&r->by_call, run->call);
	run_free(run);
	if (!b || b->runs > 0)
		return;
	for (int i = 0; i < r->retired_count; i++) {
		if (r->retired[i] != b)
			continue;
		r->retired[i] = r->retired[--r->retired_count];
		bundle_free(b);
		break;
	}
}

static void lose_run(struct rules *r, struct run *run, const char *text)
{
	run_lose(run, &r->out, text);
	end_run(r, run);
}

/* Starts what waits, as far as there are places and a zygote. */
static void start_runs(struct rules *r)
{
	struct bundle *b = r->current;
	struct error err;

	if (list_empty(&r->queued) || !b)
		return;
	if (b->state == BUNDLE_DOWN && bundle_start(b, now_ms(), &err) < 0)
		log_error("%s", err.text);
	if (b->state == BUNDLE_EVALUATING)
		return;
	LIST_EACH(&r->queued, it) {
		struct run *run = LIST_ENTRY(it, struct run, node);

		if (r->active_count >= RULES_HOOKS_MAX)
			return;
		if (b->state == BUNDLE_DOWN || run_start(run, b) < 0) {
			lose_run(r, run, "could not be started");
			continue;
		}
		list_remove(&run->node);
		list_add_tail(&r->active, &run->node);
		r->active_count++;
	}
}

static void refuse_run(struct rules *r, const struct message *m)
{
	struct message no = { .type = WIRE_TYPE_hook_done,
			      .request = m->request,
			      .incarnation = m->incarnation };
	struct slice text = r->current ? SLICE("out of memory") :
					 SLICE("no site file is loaded");

	if (m->type == WIRE_TYPE_rule_run) {
		no.type = WIRE_TYPE_rule_done;
		no.rule_done = (struct wire_rule_done){
			.serve = -1, .spare = -1, .text = text };
	} else {
		no.hook_done.text = text;
	}
	tell(r, &no);
}

/* A hook_run or rule_run. */
static void on_run(struct rules *r, const struct message *m)
{
	struct run *run;

	if (!m->request || map_get(&r->by_call, m->request)) {
		log_error("%s with call %llu, which is not a new one",
			  wire_type_name(m->type),
			  (unsigned long long)m->request);
		return;
	}
	run = r->current ? run_new(m, now_ms()) : NULL;
	if (!run) {
		refuse_run(r, m);
		return;
	}
	map_put(&r->by_call, run->call, run);
	list_add_tail(&r->queued, &run->node);
	start_runs(r);
}

/* ---- bundles ----------------------------------------------------------- */

static void on_bundle_load(struct rules *r, struct message *m)
{
	char hash[128], file[PLACE_FILE_SIZE];
	struct error err = { "out of memory" };
	int fd = wire_take_fd(m, 0);

	text_copy_slice(hash, sizeof(hash), m->bundle_load.hash);
	text_copy_slice(file, sizeof(file), m->bundle_load.file);
	if (r->candidate && !r->candidate->known)
		tell_bundle_error(r, r->candidate, "a newer site file came "
				  "before this one was read", "");
	bundle_free(r->candidate);
	r->candidate = NULL;
	struct bundle *b = fd < 0 ? NULL : bundle_new(hash, file, fd);
	if (b && bundle_start(b, now_ms(), &err) == 0) {
		r->candidate = b;
		return;
	}
	struct message no = { .type = WIRE_TYPE_bundle_error };
	no.bundle_error.hash = slice_of(hash);
	no.bundle_error.file = slice_of(file);
	no.bundle_error.text = slice_of(fd < 0 ? "bundle_load brought no memfd" :
					err.text);
	tell(r, &no);
	bundle_free(b);
}

/* Gives the zygote the module it waits for. */
static void give_module(struct bundle *b, const char *name)
{
	const struct module *found = bundle_module(b, name);
	struct message m = { .type = WIRE_TYPE_bundle_module };
	struct error err = { "its socket is full" };

	m.bundle_module.name = slice_of(name);
	if (found && found->fd >= 0) {
		m.bundle_module.file = slice_of(found->file);
		m.fds[0] = found->fd;
		m.fd_count = 1;
	}
	if (wire_send(b->fd, &m, &err) != 1)
		log_error("module %s: %s", name, err.text);
}

static void on_bundle_module(struct rules *r, struct message *m)
{
	char file[PLACE_FILE_SIZE];
	struct bundle *b = r->candidate;

	if (!b || !*b->need || !slice_is(m->bundle_module.name, b->need))
		return;	/* the answer to an evaluation that is over */
	text_copy_slice(file, sizeof(file), m->bundle_module.file);
	bundle_add_module(b, b->need, file, wire_take_fd(m, 0));
	give_module(b, b->need);
	b->need[0] = '\0';
	b->deadline_ms = now_ms() + b->left_ms;
}

static void on_bundle_need(struct rules *r, struct bundle *b, struct message *m)
{
	char name[sizeof(b->need)];

	if (b->state != BUNDLE_EVALUATING || *b->need)
		return;
	text_copy_slice(name, sizeof(name), m->bundle_need.name);
	/* A restarted zygote gets what its predecessor had, and no more. */
	if (b->known || bundle_module(b, name)) {
		give_module(b, name);
		return;
	}
	TEXT_SET(b->need, name);
	b->left_ms = b->deadline_ms - now_ms();
	b->deadline_ms = INT64_MAX;
	tell(r, m);
}

static void on_bundle_done(struct rules *r, struct bundle *b, struct message *m)
{
	if (b->state != BUNDLE_EVALUATING)
		return;
	b->state = BUNDLE_READY;
	b->deadline_ms = INT64_MAX;
	if (b == r->candidate) {
		b->known = true;
		tell(r, m);
	}
	start_runs(r);
}

/* The engine has decided about the site that was read. */
static void on_bundle_use(struct rules *r, const struct message *m)
{
	struct bundle *b = r->candidate;

	if (!b || !b->known || !slice_is(m->bundle_use.hash, b->hash)) {
		struct message no = { .type = WIRE_TYPE_bundle_error };

		no.bundle_error.hash = m->bundle_use.hash;
		no.bundle_error.text = SLICE("the process that had read the "
					     "site file died");
		tell(r, &no);
		return;
	}
	r->candidate = NULL;
	retire(r, r->current);
	r->current = b;
	start_runs(r);
}

static void on_bundle_drop(struct rules *r)
{
	bundle_free(r->candidate);
	r->candidate = NULL;
}

/* The zygote is gone or unusable; text says why, m is its own word if any. */
static void drop_bundle(struct rules *r, struct bundle *b, struct message *m,
			const char *text)
{
	bool was_ready = b->state == BUNDLE_READY;
	struct error err;

	if (b == r->candidate) {
		/* Read already: bundle_use will find it missing. */
		if (m)
			tell(r, m);
		else if (!b->known)
			tell_bundle_error(r, b, text, "");
		r->candidate = NULL;
		bundle_free(b);
		return;
	}
	bundle_stop(b);
	if (b != r->current)
		return;	/* retired: its runs end by themselves */
	log_error("rules: %s", m ? "the site could not be evaluated again" : text);
	/* Made again at once if it had been of use, else at the next hook. */
	if (was_ready && bundle_start(b, now_ms(), &err) < 0)
		log_error("%s", err.text);
	if (was_ready)
		return;
	LIST_EACH(&r->queued, it)
		lose_run(r, LIST_ENTRY(it, struct run, node),
			 "could not be started: the rules process died");
}

static struct run *run_by_serial(struct rules *r, uint64_t serial)
{
	LIST_EACH(&r->active, it) {
		struct run *run = LIST_ENTRY(it, struct run, node);

		if (run->serial == serial)
			return run;
	}
	return NULL;
}

static void on_child_started(struct rules *r, struct message *m)
{
	struct run *run = run_by_serial(r, m->request);
	int pidfd = wire_take_fd(m, 0);

	if (pidfd < 0)
		return;
	if (run && run->state == RUN_STARTING) {
		run->pidfd = pidfd;
		run->state = RUN_RUNNING;
		return;
	}
	/* The run is over already: so is its child. */
	syscall(SYS_pidfd_send_signal, pidfd, SIGKILL, NULL, 0);
	close(pidfd);
}

/* Returns false when the bundle is gone. */
static bool on_zygote(struct rules *r, struct bundle *b)
{
	struct error err;
	struct message m;
	int rc = wire_receive(b->fd, &r->buffer, &m, &err);
	struct run *run;

	if (rc < 0) {
		drop_bundle(r, b, NULL, "the process that reads the site file "
			    "died");
		return false;
	}
	if (rc == 0)
		return true;
	if (m.type == WIRE_TYPE_bundle_need) {
		on_bundle_need(r, b, &m);
	} else if (m.type == WIRE_TYPE_bundle_done) {
		on_bundle_done(r, b, &m);
	} else if (m.type == WIRE_TYPE_bundle_error) {
		drop_bundle(r, b, &m, "");
		wire_close_fds(&m);
		return false;
	} else if (m.type == WIRE_TYPE_role_ready) {
		on_child_started(r, &m);
	} else if (m.type == WIRE_TYPE_hook_lost) {
		run = run_by_serial(r, m.request);
		if (run && run->bundle == b)
			lose_run(r, run, "could not be started");
	}
	wire_close_fds(&m);
	return true;
}

/* ---- time -------------------------------------------------------------- */

static void check_bundle_time(struct rules *r, struct bundle *b, int64_t now)
{
	if (!b || b->state != BUNDLE_EVALUATING || now < b->deadline_ms)
		return;
	if (!b->late)
		bundle_nudge(b);
	else
		drop_bundle(r, b, NULL, "the site file did not finish within "
			    "2 s");
}

static void check_run_times(struct rules *r, struct list *runs, int64_t now)
{
	LIST_EACH(runs, it) {
		struct run *run = LIST_ENTRY(it, struct run, node);
		bool stuck = run->state == RUN_STARTING;
		struct bundle *b = run->bundle;

		if (now < run->deadline_ms || run_late(run, &r->out))
			continue;
		end_run(r, run);
		/* A zygote that does not fork is of no use. */
		if (stuck && b == r->current && b->state == BUNDLE_READY)
			drop_bundle(r, b, NULL, "the zygote did not answer");
	}
}

static int64_t next_deadline(const struct rules *r)
{
	const struct bundle *bundles[] = { r->current, r->candidate };
	int64_t least = INT64_MAX;

	for (int i = 0; i < 2; i++)
		if (bundles[i] && bundles[i]->state == BUNDLE_EVALUATING &&
		    bundles[i]->deadline_ms < least)
			least = bundles[i]->deadline_ms;
	const struct list *lists[] = { &r->active, &r->queued };
	for (int i = 0; i < 2; i++)
		LIST_EACH(lists[i], it) {
			const struct run *run = LIST_ENTRY(it, struct run, node);

			if (run->deadline_ms < least)
				least = run->deadline_ms;
		}
	return least;
}

/* ---- the loop ---------------------------------------------------------- */

/* Returns false at the end of the engine. */
static bool on_engine(struct rules *r)
{
	struct error err;
	struct message m;
	struct run *run;

	for (int n = 0; n < 64; n++) {
		int rc = wire_receive(r->fd, &r->buffer, &m, &err);

		if (rc <= 0)
			return rc == 0;
		if (m.type == WIRE_TYPE_bundle_load) {
			on_bundle_load(r, &m);
		} else if (m.type == WIRE_TYPE_bundle_module) {
			on_bundle_module(r, &m);
		} else if (m.type == WIRE_TYPE_bundle_use) {
			on_bundle_use(r, &m);
		} else if (m.type == WIRE_TYPE_bundle_drop) {
			on_bundle_drop(r);
		} else if (m.type == WIRE_TYPE_hook_run ||
			   m.type == WIRE_TYPE_rule_run) {
			on_run(r, &m);
		} else if (m.type == WIRE_TYPE_step_result) {
			run = map_get(&r->by_call, m.request);
			if (run)
				run_result(run, &m);
		} else if (m.type == WIRE_TYPE_hook_kill) {
			run = map_get(&r->by_call, m.request);
			if (run)
				lose_run(r, run, "was ended by the engine");
		} else {
			log_error("message %s is not for rules",
				  wire_type_name(m.type));
		}
		wire_close_fds(&m);
	}
	return true;
}

enum { POLL_MAX = 1 + 2 + RETIRED_MAX + RULES_HOOKS_MAX };

struct watch {
	struct pollfd fds[POLL_MAX];
	void *owners[POLL_MAX];	/* engine NULL, then bundles, then runs */
	int count, bundles;
};

static void watch_add(struct watch *w, int fd, short events, void *owner)
{
	w->fds[w->count] = (struct pollfd){ .fd = fd, .events = events };
	w->owners[w->count++] = owner;
}

static void watch_all(struct rules *r, struct watch *w)
{
	bool full = outbox_is_full(&r->out);

	w->count = 0;
	watch_add(w, r->fd, (short)(POLLIN | (full ? POLLOUT : 0)), NULL);
	if (r->current && r->current->state != BUNDLE_DOWN)
		watch_add(w, r->current->fd, POLLIN, r->current);
	if (r->candidate)
		watch_add(w, r->candidate->fd, POLLIN, r->candidate);
	for (int i = 0; i < r->retired_count; i++)
		if (r->retired[i]->state != BUNDLE_DOWN)
			watch_add(w, r->retired[i]->fd, POLLIN, r->retired[i]);
	w->bundles = w->count;
	/* While the engine is slow, hooks wait. */
	if (!full)
		LIST_EACH(&r->active, it) {
			struct run *run = LIST_ENTRY(it, struct run, node);

			watch_add(w, run->fd, POLLIN, run);
		}
}

/* One turn; returns false at the end. */
static bool turn(struct rules *r)
{
	static struct watch w;
	struct error err;
	int64_t now = now_ms(), next = next_deadline(r);
	int timeout = next == INT64_MAX ? -1 :
		      next <= now ? 0 :
		      next - now > 60000 ? 60000 : (int)(next - now);

	watch_all(r, &w);
	poll(w.fds, (nfds_t)w.count, timeout);
	if ((w.fds[0].revents & POLLOUT) && outbox_flush(&r->out, &err) < 0)
		return false;
	/* Hooks first: nothing below has freed a run of the list then. */
	for (int i = w.bundles; i < w.count; i++)
		if (w.fds[i].revents && !outbox_is_full(&r->out) &&
		    !run_receive(w.owners[i], &r->out))
			end_run(r, w.owners[i]);
	/* end_run may have freed a retired bundle, the others stay. */
	for (int i = 1; i < w.bundles; i++) {
		bool there = w.owners[i] == r->current ||
			     w.owners[i] == r->candidate;

		for (int j = 0; j < r->retired_count; j++)
			there = there || w.owners[i] == r->retired[j];
		if (there && w.fds[i].revents)
			on_zygote(r, w.owners[i]);
	}
	if ((w.fds[0].revents & (POLLIN | POLLHUP | POLLERR)) && !on_engine(r))
		return false;
	now = now_ms();
	check_bundle_time(r, r->candidate, now);
	check_bundle_time(r, r->current, now);
	check_run_times(r, &r->active, now);
	check_run_times(r, &r->queued, now);
	start_runs(r);
	return true;
}

static void rules_fini(struct rules *r)
{
	LIST_EACH(&r->queued, it)
		end_run(r, LIST_ENTRY(it, struct run, node));
	LIST_EACH(&r->active, it)
		end_run(r, LIST_ENTRY(it, struct run, node));
	while (r->retired_count > 0)
		bundle_free(r->retired[--r->retired_count]);
	bundle_free(r->candidate);
	bundle_free(r->current);
	outbox_fini(&r->out);
	map_fini(&r->by_call);
	free(r);
}

int rules_run(int engine_fd)
{
	struct rules *r = calloc(1, sizeof(*r));
	struct message m = { .type = WIRE_TYPE_role_ready };

	if (!r)
		return 1;
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	fcntl(engine_fd, F_SETFL, fcntl(engine_fd, F_GETFL) | O_NONBLOCK);
	r->fd = engine_fd;
	outbox_init(&r->out, engine_fd);
	list_init(&r->active);
	list_init(&r->queued);
	map_init(&r->by_call);
	m.role_ready.pid = (uint32_t)getpid();
	tell(r, &m);
	while (turn(r))
		;
	rules_fini(r);
	return 0;
}
