/* Where a site keeps its things, by user, flags and environment. */
#include "console/paths.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "tests/tap.h"

enum { NOBODY = 65534 };

static void clean_environment(void)
{
	static const char *const names[] = {
		"REMUDA_SITE", "REMUDA_CONFIG", "REMUDA_RUN_DIR",
		"REMUDA_STATE_DIR", "REMUDA_SCRIPTS_DIR", "XDG_CONFIG_HOME",
		"XDG_STATE_HOME", "XDG_RUNTIME_DIR", "XDG_CACHE_HOME",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unsetenv(names[i]);
	setenv("HOME", "/home/u", 1);
}

static struct paths paths_of(const char *site)
{
	const struct paths_wish wish = { .site = site };
	struct error err = { "" };
	struct paths p;

	ok(paths_init(&p, &wish, &err) == 0, "paths of %s: %s",
	   site ? site : "the default site", err.text);
	return p;
}

static void test_root(void)
{
	struct paths p = paths_of(NULL);

	is_text(p.config, "/etc/remuda/site.lua", "config");
	is_text(p.run_dir, "/run/remuda/default", "run");
	is_text(p.state_dir, "/var/lib/remuda/default", "state");
	is_text(p.control_socket, "/run/remuda/default/control.sock",
		"control socket");
	setenv("XDG_RUNTIME_DIR", "/run/user/0", 1);
	p = paths_of("lab-a");
	is_text(p.run_dir, "/run/remuda/lab-a", "XDG is not for root");
	is_text(p.config, "/etc/remuda/lab-a/site.lua",
		"another site, another config");
}

static void test_user(void)
{
	char want[64];
	struct paths p = paths_of(NULL);

	is_text(p.config, "/home/u/.config/remuda/site.lua", "config");
	is_text(p.state_dir, "/home/u/.local/state/remuda/default", "state");
	snprintf(want, sizeof(want), "/tmp/remuda-%u/default",
		 (unsigned)geteuid());
	is_text(p.run_dir, want, "run without XDG_RUNTIME_DIR");
	setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
	setenv("XDG_STATE_HOME", "relative", 1);
	p = paths_of("lab");
	is_text(p.run_dir, "/run/user/7/remuda/lab", "XDG_RUNTIME_DIR");
	is_text(p.state_dir, "/home/u/.local/state/remuda/lab",
		"an XDG folder that is not absolute is ignored");
	unsetenv("HOME");
	p = paths_of(NULL);
	ok(p.state_dir[0] == '/' && p.config[0] == '/',
	   "without HOME: the folder of the user database");
}

static void test_named(void)
{
	const struct paths_wish wish = { .run_dir = "/r", .state_dir = "s" };
	struct error err = { "" };
	char cwd[PATHS_SIZE], want[PATHS_SIZE + 8];
	struct paths p;

	setenv("REMUDA_SITE", "lab", 1);
	setenv("REMUDA_CONFIG", "/c/x.lua", 1);
	setenv("REMUDA_RUN_DIR", "/env", 1);
	is_int(paths_init(&p, &wish, &err), 0, "named: %s", err.text);
	is_text(p.site, "lab", "site of the environment");
	is_text(p.config, "/c/x.lua", "config of the environment");
	is_text(p.run_dir, "/r", "a flag before the environment");
	ok(getcwd(cwd, sizeof(cwd)) != NULL, "working directory");
	snprintf(want, sizeof(want), "%s/s", cwd);
	is_text(p.state_dir, want, "a relative folder is made absolute");
	is_text(p.cache_dir, want, "the cache goes with a named state");
}

static void refused(const char *site, const char *run_dir, const char *word)
{
	const struct paths_wish wish = { .site = site, .run_dir = run_dir };
	struct error err = { "" };
	struct paths p;

	is_int(paths_init(&p, &wish, &err), -1, "refused: %.20s %.20s",
	       site ? site : "", run_dir ? run_dir : "");
	ok(strstr(err.text, word) != NULL, "%s", err.text);
}

static void test_refused(void)
{
	char dir[2000], fits[PATHS_SOCKET_MAX + 1];
	struct error err = { "" };

	refused("../x", NULL, "a name is");
	refused("A", NULL, "a name is");
	memset(dir, 'x', sizeof(dir));
	dir[0] = '/';
	dir[sizeof(dir) - 1] = '\0';
	refused(NULL, dir, "longer than");
	dir[200] = '\0';
	refused(NULL, dir, "107 are possible");
	memset(fits, 'x', sizeof(fits));
	fits[PATHS_SOCKET_MAX] = '\0';
	is_int(paths_check_socket(fits, &err), 0, "107 bytes fit");
	dir[PATHS_SOCKET_MAX + 1] = '\0';
	is_int(paths_check_socket(dir, &err), -1, "108 do not");
}

static mode_t mode_of(const char *path)
{
	struct stat st = { 0 };

	return stat(path, &st) ? 0 : st.st_mode & 07777;
}

static void test_make(void)
{
	char base[] = "/tmp/remuda-paths-XXXXXX", run[64], state[64];
	struct paths_wish wish = { .run_dir = run, .state_dir = state };
	struct error err = { "" };
	bool root = geteuid() == 0;
	struct paths p;

	if (!mkdtemp(base))
		tap_bail("mkdtemp: %s", strerror(errno));
	snprintf(run, sizeof(run), "%s/a/run", base);
	snprintf(state, sizeof(state), "%s/b/state", base);
	is_int(paths_init(&p, &wish, &err), 0, "paths: %s", err.text);
	is_int(paths_make(&p, &err), 0, "made: %s", err.text);
	is_int(mode_of(run), root ? 0755 : 0700, "mode of the run folder");
	is_int(mode_of(state), root ? 0711 : 0700, "mode of the state folder");
	is_int(paths_make(&p, &err), 0, "making again is fine");
	rmdir(run);
	ok(symlink("/nonexistent/x", run) == 0, "a dangling link there");
	is_int(paths_make(&p, &err), -1, "is an error: %s", err.text);
	unlink(run);
	rmdir(state);
	snprintf(run, sizeof(run), "%s/a", base);
	snprintf(state, sizeof(state), "%s/b", base);
	rmdir(run);
	rmdir(state);
	ok(rmdir(base) == 0, "nothing else was made");
}

/* /tmp/remuda-UID that somebody else prepared. */
static void test_tmp(void)
{
	struct error err = { "" };
	char base[64], site[96];
	struct paths p = paths_of(NULL);

	snprintf(base, sizeof(base), "/tmp/remuda-%u", (unsigned)geteuid());
	snprintf(site, sizeof(site), "%s/default", base);
	snprintf(p.state_dir, sizeof(p.state_dir), "%s/state", base);
	if (access(base, F_OK) == 0) {
		tap_skip(3, "this user's /tmp/remuda-UID is in use");
		return;
	}
	ok(mkdir(base, 0777) == 0 && chmod(base, 0777) == 0, "open to all");
	is_int(paths_make(&p, &err), -1, "is refused: %s", err.text);
	chmod(base, 0700);
	is_int(paths_make(&p, &err), 0, "closed it is taken: %s", err.text);
	rmdir(p.state_dir);
	rmdir(site);
	rmdir(base);
}

/* As an ordinary user even when root runs the tests. */
static void as_user(void (*test)(void))
{
	pid_t pid;
	int status;

	fflush(stdout);
	if (geteuid() != 0) {
		test();
		return;
	}
	pid = fork();
	if (pid == 0) {
		if (setuid(NOBODY))
			tap_bail("setuid: %s", strerror(errno));
		clean_environment();
		/* Its lines are notes; its verdict is one test of ours. */
		if (!freopen("/dev/null", "w", stdout))
			_exit(1);
		test();
		_exit(tap_done());
	}
	waitpid(pid, &status, 0);
	is_int(status, 0, "as an ordinary user");
}

int main(void)
{
	clean_environment();
	if (geteuid() == 0)
		test_root();
	clean_environment();
	as_user(test_user);
	clean_environment();
	test_named();
	clean_environment();
	test_refused();
	test_make();
	as_user(test_tmp);
	return tap_done();
}
