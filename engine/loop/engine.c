/*
 * The engine process: start, loop, end.  At start it opens the store, loads
 * the site through the rules role, puts back what was saved, adopts gateways
 * and asks the hosts what runs; then it is a loop of turns.  It ignores
 * SIGHUP/SIGINT of a terminal it was started from when embedded.
 */
#include "engine/engine.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/sha.h>

#include "engine/base/build.h"
#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

static int load_key(struct shell *sh, struct error *err)
{
	char path[1200];
	int fd;

	snprintf(path, sizeof(path), "%s/site.key", sh->o.state_dir);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT) {
		shell_random(sh->key, SHELL_KEY_SIZE);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		if (fd < 0 || write(fd, sh->key, SHELL_KEY_SIZE) != SHELL_KEY_SIZE ||
		    fsync(fd) < 0)
			error_errno(err, "site key %s", path);
		else
			err->text[0] = '\0';
		if (fd >= 0)
			close(fd);
		return err->text[0] ? -1 : 0;
	}
	ssize_t n = fd < 0 ? -1 : read(fd, sh->key, SHELL_KEY_SIZE);
	if (fd >= 0)
		close(fd);
	if (n != SHELL_KEY_SIZE)
		return error_set(err, "site key %s cannot be read: %s", path,
				 n < 0 ? strerror(errno) : "it is too short");
	return 0;
}

/* The part of the machines' uuids that tells this site's from another's. */
static uint64_t site_number(const struct shell *sh)
{
	uint8_t hash[SHA256_DIGEST_LENGTH];
	uint64_t n = 0;

	SHA256(sh->key, SHELL_KEY_SIZE, hash);
	for (int i = 0; i < 8; i++)
		n = n << 8 | hash[i];
	return n;
}

/* QEMU, another user, must pass through it; whatever our umask says. */
static int make_disk_folder(const struct shell *sh, const char *name,
			    struct error *err)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/%s", sh->o.state_dir, name);
	if ((mkdir(path, 0711) < 0 && errno != EEXIST) || chmod(path, 0711) < 0)
		return error_errno(err, "folder %s", path);
	return 0;
}

/* A store is named before it makes its first machine, and never again. */
static int name_store(struct shell *sh, struct error *err)
{
	uint8_t random[8];

	if (db_store(sh->db, sh->store, err) < 0)
		return -1;
	if (sh->store[0] || sh->world.next_machine > 1)
		return 0;
	shell_random(random, sizeof(random));
	for (size_t i = 0; i < sizeof(random); i++)
		snprintf(sh->store + 2 * i, 3, "%02x", random[i]);
	return db_begin(sh->db, err) < 0 ||
	       db_save_store(sh->db, sh->store, err) < 0 ||
	       db_commit(sh->db, err) < 0 ? -1 : 0;
}

static int open_store(struct shell *sh, struct error *err)
{
	struct world *w = &sh->world;
	char path[1200];

	if (make_disk_folder(sh, "volumes", err) < 0 ||
	    make_disk_folder(sh, "images", err) < 0)
		return -1;
	snprintf(path, sizeof(path), "%s/remuda.db", sh->o.state_dir);
	if (db_open(path, &sh->db, err) < 0)
		return -1;
	shell_random(&sh->throttle.seed, sizeof(sh->throttle.seed));
	world_init(w, site_number(sh), db_term(sh->db));
	w->log_routine = log_level() >= LOG_DEBUG;
	w->next_machine = db_counter(sh->db, DB_COUNTER_MACHINE);
	w->next_session = db_counter(sh->db, DB_COUNTER_SESSION);
	w->next_request = db_counter(sh->db, DB_COUNTER_REQUEST);
	w->next_event = db_counter(sh->db, DB_COUNTER_EVENT);
	w->next_change = db_counter(sh->db, DB_COUNTER_CHANGE);
	w->next_decision = db_counter(sh->db, DB_COUNTER_DECISION);
	w->next_ledger = db_counter(sh->db, DB_COUNTER_LEDGER);
	sh->counts.next_session = w->next_session;
	for (int i = 0; i < DB_COUNTERS; i++)
		sh->reserved[i] = 0;	/* the first save reserves a block */
	return name_store(sh, err);
}

static void on_check(uv_check_t *check)
{
	shell_turn(check->data);
}

/* Before the loop waits: what callbacks and the turn have for gateways. */
static void on_prepare(uv_prepare_t *prepare)
{
	gateways_flush(prepare->data);
	notify_turn(prepare->data);
}

static void on_stop_signal(uv_signal_t *handle, int signum)
{
	log_info("signal %d: stopping; machines and sessions stay", signum);
	notify_stopping(handle->data);
	shell_stop(handle->data, 0);
}

static void on_reload_signal(uv_signal_t *handle, int signum)
{
	struct shell *sh = handle->data;
	struct error err;

	log_info("signal %d: reading the site file again", signum);
	struct site_load wish = { .purpose = LOAD_RELOAD, .who = "SIGHUP" };

	notify_reloading(sh);
	if (site_load_begin(sh, &wish, &err) < 0)
		log_error("the site file is not applied: %s", err.text);
}

static void watch_signals(struct shell *sh)
{
	sh->sigterm.data = sh->sigint.data = sh->sighup.data = sh;
	uv_signal_init(&sh->loop, &sh->sigterm);
	uv_signal_init(&sh->loop, &sh->sigint);
	uv_signal_init(&sh->loop, &sh->sighup);
	uv_signal_start(&sh->sigterm, on_stop_signal, SIGTERM);
	if (sh->o.headless) {
		uv_signal_start(&sh->sigint, on_stop_signal, SIGINT);
		uv_signal_start(&sh->sighup, on_reload_signal, SIGHUP);
	} else {
		signal(SIGINT, SIG_IGN);
		signal(SIGHUP, SIG_IGN);
	}
	signal(SIGPIPE, SIG_IGN);
	signal(SIGTTOU, SIG_IGN);
}

static int start(struct shell *sh, struct error *err)
{
	if (load_key(sh, err) < 0 || open_store(sh, err) < 0)
		return -1;
	sh->check.data = sh->prepare.data = sh->timer.data = sh;
	uv_check_init(&sh->loop, &sh->check);
	uv_check_start(&sh->check, on_check);
	uv_prepare_init(&sh->loop, &sh->prepare);
	uv_prepare_start(&sh->prepare, on_prepare);
	uv_timer_init(&sh->loop, &sh->timer);
	watch_signals(sh);
	keeper_start(sh);
	keys_watch(sh);
	net_init(sh);
	if (control_start(sh, err) < 0)
		return -1;
	return rules_start(sh, err);
}

/* Called once the first site is applied: everything that needs it. */
void shell_site_applied(struct shell *sh)
{
	if (sh->started)
		return;
	sh->started = true;
	gateways_start(sh);
	renew_start(sh);
	notify_ready(sh);
	if (sh->o.ready_fd >= 0) {
		if (write(sh->o.ready_fd, "ready\n", 6) < 0)
			log_debug("nobody waits to hear that we are ready");
		close(sh->o.ready_fd);
		sh->o.ready_fd = -1;
	}
	log_info("engine of site %s up, term %llu, pid %d",
		 sh->world.spec.name, (unsigned long long)sh->world.term,
		 (int)getpid());
}

static void on_broken(const char *name, const char *where, const char *text)
{
	log_error("broken invariant %s at %s: %s; machines and sessions stay, the next start adopts them",
		  name, where, text);
}

static int take_paths(struct shell *sh, struct error *err)
{
	ssize_t n = readlink("/proc/self/exe", sh->exe, sizeof(sh->exe) - 1);

	if (n < 0)
		return error_errno(err, "/proc/self/exe");
	text_copy(sh->site_dir, sizeof(sh->site_dir), sh->o.site_file);
	char *slash = strrchr(sh->site_dir, '/');
	if (!slash)
		return error_set(err, "the site file's path must be absolute: %s",
				 sh->o.site_file);
	*slash = '\0';
	return 0;
}

int engine_run(const struct engine_options *o)
{
	struct shell *sh = calloc(1, sizeof(*sh));
	struct error err = { "" };
	long cores = sysconf(_SC_NPROCESSORS_ONLN);

	CHECK("", sh, "out of memory");
	log_open("engine", 2, (enum log_level)o->log_level);
	check_set_handler(on_broken);
	umask(0027);
	sh->o = *o;
	sh->gateway_count = o->gateways ? o->gateways :
			    cores < 1 ? 1 : cores > 8 ? 8 : (uint32_t)cores;
	if (sh->gateway_count > WORLD_GATEWAYS_MAX)
		sh->gateway_count = WORLD_GATEWAYS_MAX;
	sh->gateway_wanted = sh->gateway_count;
	sh->build = build_number();
	sh->started_ms = shell_now_ms();
	sh->next_shell_call = SHELL_CALL_BIT | 1;
	effects_init(&sh->fx);
	map_init(&sh->kept);
	uv_loop_init(&sh->loop);
	notify_start(sh);
	if (take_paths(sh, &err) < 0 || start(sh, &err) < 0)
		shell_die(sh, "%s", err.text);
	uv_run(&sh->loop, UV_RUN_DEFAULT);
	/* What was stepped before the stop is still made durable and sent. */
	shell_turn(sh);
	control_stop(sh);
	rules_stop(sh);
	hosts_stop(sh);
	net_stop(sh);
	gateways_stop(sh);
	backup_stop(sh);
	db_close(sh->db);
	log_info("engine stopped");
	/* The loop's handles and the world die with the process. */
	return sh->exit_code;
}
