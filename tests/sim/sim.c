/*
 * Runs the simulator over seeds, prints TAP.
 *
 *     sim                      200 seeds after those of tests/sim/seeds
 *     sim --seeds N --from M   seeds M .. M+N-1
 *     sim --seed N [--trace]   one seed, with every event and effect
 *     --steps K   events of the first phase   --jobs J   processes
 *     --want S4   end at the first failure by that invariant
 *     --coverage  print the table of faults by machine state
 *
 * Seeds run in batches, each in a process of its own: a crash costs one batch
 * and names its seed.  Nothing printed depends on the number of processes.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/sim/sim.h"
#include "tests/tap.h"

#ifndef __has_feature	/* clang's; gcc defines __SANITIZE_ADDRESS__ */
#define __has_feature(x) 0
#endif

/* A batch needs some 10 MiB. */
#define MEMORY_MAX (2ull << 30)

enum { BATCH = 100, FAILURES_KEPT = BATCH, FAILURES_SHOWN = 4, SEEDS_DEFAULT = 200, JOBS_MAX = 16 };

struct failure {
	uint64_t seed, steps, hash;
	char invariant[16], where[128], text[512];
};

struct batch {
	uint64_t from, count;
	uint64_t current;	/* the seed being run, for the parent */
	uint64_t steps, hash, slowest_ms, failed;
	struct failure failures[FAILURES_KEPT];
	struct sim_coverage coverage;
	pid_t pid;
};

static struct {
	uint64_t seeds, from;
	uint32_t steps, jobs;
	bool coverage, trace, one;
	const char *folder, *want;
} opt = { .seeds = SEEDS_DEFAULT, .from = 1, .jobs = 2,
	  .folder = "tests/sim/seeds" };

static struct sim_coverage total;

/* The order of seeds matters, the order of processes must not. */
static uint64_t mix(uint64_t seed, uint64_t hash)
{
	uint64_t h = (seed * 0x9e3779b97f4a7c15ull) ^ hash;

	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ull;
	return h ^ h >> 29;
}

static void add_coverage(struct sim_coverage *to, const struct sim_coverage *from)
{
	uint64_t *a = (uint64_t *)to;
	const uint64_t *b = (const uint64_t *)from;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*a); i++)
		a[i] += b[i];
}

static void keep_failure(struct failure *f, uint64_t seed,
			 const struct sim_result *r)
{
	*f = (struct failure){ .seed = seed, .steps = r->steps, .hash = r->hash };
	memcpy(f->invariant, r->invariant, sizeof(f->invariant));
	memcpy(f->where, r->where, sizeof(f->where));
	memcpy(f->text, r->text, sizeof(f->text));
}

static void run_batch(struct batch *b)
{
	static struct sim_result r;

	for (uint64_t seed = b->from; seed < b->from + b->count; seed++) {
		struct sim_options o = { .seed = seed, .steps = opt.steps };

		b->current = seed;
		sim_run(&o, &r);
		b->steps += r.steps;
		b->hash += mix(seed, r.hash);
		if (r.settled_ms > (int64_t)b->slowest_ms)
			b->slowest_ms = (uint64_t)r.settled_ms;
		add_coverage(&b->coverage, &r.coverage);
		if (!r.failed)
			continue;
		keep_failure(&b->failures[b->failed++], seed, &r);
	}
	b->current = 0;
}

static void print_failure(const struct failure *f)
{
	tap_note("seed %" PRIu64 ", step %" PRIu64 ", invariant %s, trace hash %016" PRIx64,
		 f->seed, f->steps, f->invariant, f->hash);
	tap_note("  %s: %s", f->where, f->text);
	char steps[32] = "";

	if (opt.steps)
		snprintf(steps, sizeof(steps), " --steps %u", opt.steps);
	tap_note("  replay: build/tests/sim/sim --seed %" PRIu64 "%s --trace",
		 f->seed, steps);
}

static void finish_batch(struct batch *b)
{
	int status = 0;

	if (waitpid(b->pid, &status, 0) < 0)
		tap_bail("waitpid: %s", strerror(errno));
	if (!WIFEXITED(status) || WEXITSTATUS(status)) {
		ok(false, "seeds %" PRIu64 "-%" PRIu64 ": the process ended with status %#x",
		   b->from, b->from + b->count - 1, status);
		tap_note("seed %" PRIu64 ", invariant crash", b->current);
		return;
	}
	add_coverage(&total, &b->coverage);
	ok(!b->failed, "seeds %" PRIu64 "-%" PRIu64 ": %" PRIu64 " steps, slowest rest %" PRIu64 " s",
	   b->from, b->from + b->count - 1, b->steps, b->slowest_ms / 1000);
	for (uint64_t i = 0; i < b->failed; i++)
		if (i < FAILURES_SHOWN || opt.coverage)
			print_failure(&b->failures[i]);
	if (b->failed > FAILURES_SHOWN && !opt.coverage)
		tap_note("and %" PRIu64 " more: --coverage shows all",
			 b->failed - FAILURES_SHOWN);
}

static bool is_wanted(const struct batch *b)
{
	for (uint64_t i = 0; opt.want && i < b->failed; i++)
		if (strcmp(b->failures[i].invariant, opt.want) == 0) {
			tap_note("wanted: %s by seed %" PRIu64, opt.want,
				 b->failures[i].seed);
			return true;
		}
	return false;
}

static void start_batch(struct batch *b)
{
	fflush(stdout);
	pid_t pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (pid == 0) {
		run_batch(b);
		_exit(0);
	}
	b->pid = pid;	/* only here: the child shares this memory */
}

static uint64_t run_seeds(uint64_t from, uint64_t seeds, uint64_t *steps)
{
	uint64_t size = opt.want ? 10 : BATCH, n = (seeds + size - 1) / size;
	uint64_t hash = 0, started = 0;
	bool found = false;
	struct batch *batches = mmap(NULL, (n + 1) * sizeof(*batches),
				     PROT_READ | PROT_WRITE,
				     MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (batches == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	for (uint64_t i = 0; i < n; i++) {
		batches[i].from = from + i * size;
		batches[i].count = seeds - i * size < size ? seeds - i * size :
							     size;
	}
	for (uint64_t i = 0; i < n; i++) {
		while (started < n && started < i + opt.jobs && !found)
			start_batch(&batches[started++]);
		if (i >= started)
			break;
		finish_batch(&batches[i]);
		found = found || is_wanted(&batches[i]);
		hash += batches[i].hash;
		*steps += batches[i].steps;
	}
	munmap(batches, (n + 1) * sizeof(*batches));
	return hash;
}

/* Lines "SEED STEPS story": once they failed, now they are replayed. */
static void replay_found(void)
{
	char path[512], line[512], story[400];
	uint64_t seed;
	uint32_t steps;
	static struct sim_result r;

	snprintf(path, sizeof(path), "%s/found.txt", opt.folder);
	FILE *f = fopen(path, "r");
	if (!f) {
		tap_skip(1, "no tests/sim/seeds/found.txt here");
		return;
	}
	while (fgets(line, sizeof(line), f)) {
		if (line[0] == '#' || sscanf(line, "%" SCNu64 " %u %399[^\n]",
					     &seed, &steps, story) != 3)
			continue;
		struct sim_options o = { .seed = seed, .steps = steps };

		sim_run(&o, &r);
		if (!ok(!r.failed, "seed %" PRIu64 ": %s", seed, story))
			tap_note("  %s %s: %s", r.invariant, r.where, r.text);
	}
	fclose(f);
}

static bool exists_in_step_one(int state)
{
	return state != MACHINE_SAVING && state != MACHINE_SAVED &&
	       state != MACHINE_WAKING;
}

/* What is never met is not tested. */
static void judge_coverage(void)
{
	static const char *const states[] = { "defined", "booting", "preparing",
		"ready", "saving", "saved", "waking", "reserved", "in_session",
		"cleaning", "held", "quarantined", "retiring", "gone" };
	int missed = 0;

	for (int i = 0; i < EVENT_KINDS; i++)
		if (!total.events[i] && ++missed)
			tap_note("never: event %s", event_name((enum event_kind)i));
	for (int i = 0; i < EFFECT_KINDS; i++)
		if (!total.effects[i] && ++missed)
			tap_note("never: effect %s", effect_name((enum effect_kind)i));
	for (int i = 0; i < MACHINE_STATES; i++)
		if (exists_in_step_one(i) && !total.states[i] && ++missed)
			tap_note("never: a machine %s", states[i]);
	for (int i = 0; i < SIM_FAULTS; i++) {
		uint64_t n = 0;

		for (int j = 0; j <= MACHINE_STATES; j++)
			n += total.faults[i][j];
		if (!n && ++missed)
			tap_note("never: fault %s", sim_fault_name((enum sim_fault)i));
	}
	ok(!missed, "every event, effect, machine state and fault was met");
	if (!opt.coverage)
		return;
	for (int i = 0; i < EVENT_KINDS; i++)
		tap_note("event %-16s %12" PRIu64, event_name((enum event_kind)i),
			 total.events[i]);
	for (int i = 0; i < SIM_FAULTS; i++)
		for (int j = 0; j < MACHINE_STATES; j++)
			if (exists_in_step_one(j) && total.faults[i][j])
				tap_note("fault %-15s on %-12s %10" PRIu64,
					 sim_fault_name((enum sim_fault)i),
					 states[j], total.faults[i][j]);
}

static void print_ledger(const struct sim_coverage *c)
{
	tap_note("%.1f hours: %" PRIu64 " lives of machines, %" PRIu64 " ms, are the sum of their intervals; %" PRIu64 " intervals are marked as estimated",
		 (double)c->virtual_ms / 3600000, c->uptimes, c->uptime_ms,
		 c->estimated);
}

static int run_one(void)
{
	struct sim_options o = { .seed = opt.from, .steps = opt.steps,
				 .trace = opt.trace ? stdout : NULL };
	static struct sim_result r;
	struct failure f;

	sim_run(&o, &r);
	ok(!r.failed, "seed %" PRIu64 ": %" PRIu64 " steps, %" PRIu64 " sessions, at rest after %" PRId64 " s",
	   opt.from, r.steps, r.coverage.sessions, r.settled_ms / 1000);
	print_ledger(&r.coverage);
	tap_note("combined trace hash %016" PRIx64, mix(opt.from, r.hash));
	if (r.failed) {
		keep_failure(&f, opt.from, &r);
		print_failure(&f);
	}
	return tap_done();
}

static uint64_t number(const char *text)
{
	char *end;
	uint64_t n = strtoull(text, &end, 10);

	if (*end || end == text)
		tap_bail("\"%s\" is no number", text);
	return n;
}

static void parse(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "seed", required_argument, NULL, 's' },
		{ "seeds", required_argument, NULL, 'n' },
		{ "from", required_argument, NULL, 'f' },
		{ "steps", required_argument, NULL, 'k' },
		{ "jobs", required_argument, NULL, 'j' },
		{ "folder", required_argument, NULL, 'd' },
		{ "trace", no_argument, NULL, 't' },
		{ "want", required_argument, NULL, 'x' },
		{ "coverage", no_argument, NULL, 'c' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
		if (c == 's') {
			opt.one = true;
			opt.from = number(optarg);
		} else if (c == 'n') {
			opt.seeds = number(optarg);
		} else if (c == 'f') {
			opt.from = number(optarg);
		} else if (c == 'k') {
			opt.steps = (uint32_t)number(optarg);
		} else if (c == 'j') {
			opt.jobs = (uint32_t)number(optarg);
		} else if (c == 'd') {
			opt.folder = optarg;
		} else if (c == 't') {
			opt.trace = true;
		} else if (c == 'x') {
			opt.want = optarg;
		} else if (c == 'c') {
			opt.coverage = true;
		} else {
			tap_bail("usage: sim [--seed N | --seeds N [--from M]] [--steps K] [--jobs J] [--trace] [--want NAME] [--coverage]");
		}
	}
	if (!opt.jobs || opt.jobs > JOBS_MAX)
		tap_bail("--jobs: 1 to %d", JOBS_MAX);
}

/*
 * A core that runs away fails its seed instead of eating the machine.  With
 * ASan the address space says nothing: its shadow alone is terabytes.
 */
static void limit_memory(void)
{
#if !defined(__SANITIZE_ADDRESS__) && !__has_feature(address_sanitizer)
	struct rlimit r = { MEMORY_MAX, MEMORY_MAX };

	if (setrlimit(RLIMIT_AS, &r))
		tap_bail("setrlimit: %s", strerror(errno));
#endif
}

int main(int argc, char **argv)
{
	struct timespec from, to;
	uint64_t steps = 0, hash;

	parse(argc, argv);
	limit_memory();
	if (opt.one)
		return run_one();
	if (!opt.want)
		replay_found();
	clock_gettime(CLOCK_MONOTONIC, &from);
	hash = run_seeds(opt.from, opt.seeds, &steps);
	clock_gettime(CLOCK_MONOTONIC, &to);
	int64_t ms = (to.tv_sec - from.tv_sec) * 1000 +
		     (to.tv_nsec - from.tv_nsec) / 1000000;
	if (opt.seeds >= SEEDS_DEFAULT && !opt.want)
		judge_coverage();
	tap_note("combined trace hash %016" PRIx64, hash);
	tap_note("%" PRIu64 " seeds, %" PRIu64 " steps, %" PRIu64 " sessions, %" PRIu64 " joined, %" PRIu64 " accepted, %" PRIu64 " engine deaths",
		 opt.seeds, steps, total.sessions, total.joins, total.accepted, total.crashes);
	print_ledger(&total);
	tap_note("%" PRId64 " ms, %" PRId64 " seeds a second", ms,
		 ms ? (int64_t)opt.seeds * 1000 / ms : 0);
	return tap_done();
}
