/*
 * Paths of a site; see paths.h.  Runs in commands, the console and, before it
 * becomes the engine, in `remuda engine run`.  XDG variables that are not
 * absolute are ignored, as the XDG base directory specification asks.
 */
#include "console/paths.h"

#include <errno.h>
#include <pwd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

static const char *absolute_env(const char *name)
{
	const char *value = getenv(name);

	return value && value[0] == '/' ? value : NULL;
}

static const char *home(void)
{
	const char *value = absolute_env("HOME");
	const struct passwd *pw = value ? NULL : getpwuid(geteuid());

	return value ? value : pw && pw->pw_dir[0] == '/' ? pw->pw_dir : "/";
}

static int put(char *out, struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static int put(char *out, struct error *err, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(out, PATHS_SIZE, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PATHS_SIZE)
		return error_set(err, "path %.60s... is longer than %d bytes",
				 out, PATHS_SIZE - 1);
	return 0;
}

/* $variable/remuda, or HOME/fallback/remuda. */
static int user_dir(char *out, const char *variable, const char *fallback,
		    struct error *err)
{
	const char *base = absolute_env(variable);

	if (base)
		return put(out, err, "%s/remuda", base);
	return put(out, err, "%s/%s/remuda", strcmp(home(), "/") ? home() : "",
		   fallback);
}

struct bases {
	char config[PATHS_SIZE], state[PATHS_SIZE];
	char run[PATHS_SIZE], cache[PATHS_SIZE];
};

static int default_bases(struct bases *b, struct error *err)
{
	const char *runtime = absolute_env("XDG_RUNTIME_DIR");

	if (geteuid() == 0) {
		TEXT_SET(b->config, "/etc/remuda");
		TEXT_SET(b->state, "/var/lib/remuda");
		TEXT_SET(b->run, "/run/remuda");
		TEXT_SET(b->cache, "/var/cache/remuda");
		return 0;
	}
	if (user_dir(b->config, "XDG_CONFIG_HOME", ".config", err) ||
	    user_dir(b->state, "XDG_STATE_HOME", ".local/state", err) ||
	    user_dir(b->cache, "XDG_CACHE_HOME", ".cache", err))
		return -1;
	if (runtime)
		return put(b->run, err, "%s/remuda", runtime);
	return put(b->run, err, "/tmp/remuda-%u", (unsigned)geteuid());
}

static const char *chosen(const char *flag, const char *variable)
{
	const char *value = flag ? flag : getenv(variable);

	return value && *value ? value : NULL;
}

/* A named directory as it is, made absolute; else base/site. */
static int place(char *out, const char *named, const char *base,
		 const char *site, struct error *err)
{
	char cwd[PATHS_SIZE];

	if (!named)
		return put(out, err, "%s/%s", base, site);
	if (named[0] == '/')
		return put(out, err, "%s", named);
	if (!getcwd(cwd, sizeof(cwd)))
		return error_errno(err, "working directory");
	return put(out, err, "%s/%s", cwd, named);
}

/* A site kept somewhere of its own keeps its cache there too. */
static int place_cache(struct paths *p, const struct bases *b,
		       const char *state_named, struct error *err)
{
	return put(p->cache_dir, err, "%s", state_named ? p->state_dir
							 : b->cache);
}

/* Where the program is installed, wherever that was put; beside it in a source
 * tree; else where it was to be installed. */
static int place_scripts(struct paths *p, struct error *err)
{
	static const char *const places[] = { "share/remuda/scripts", "scripts" };
	const char *named = absolute_env("REMUDA_SCRIPTS_DIR");
	char exe[PATHS_SIZE], *slash;
	ssize_t n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);

	if (named)
		return put(p->scripts_dir, err, "%s", named);
	exe[n > 0 ? n : 0] = '\0';
	for (int i = 0; i < 2 && (slash = strrchr(exe, '/')); i++)
		*slash = '\0';
	for (int i = 0; i < 2 && n > 0; i++)
		if (put(p->scripts_dir, err, "%s/%s", exe, places[i]) == 0 &&
		    access(p->scripts_dir, R_OK | X_OK) == 0)
			return 0;
	return put(p->scripts_dir, err, "%s", REMUDA_PREFIX
		   "/share/remuda/scripts");
}

int paths_check_socket(const char *path, struct error *err)
{
	if (strlen(path) <= PATHS_SOCKET_MAX)
		return 0;
	return error_set(err,
			 "socket path %s has %zu bytes, %d are possible; "
			 "choose a shorter --run-dir or XDG_RUNTIME_DIR",
			 path, strlen(path), PATHS_SOCKET_MAX);
}

int paths_init(struct paths *p, const struct paths_wish *wish,
	       struct error *err)
{
	const char *site = chosen(wish->site, "REMUDA_SITE");
	const char *state_named = chosen(wish->state_dir, "REMUDA_STATE_DIR");
	const char *run_named = chosen(wish->run_dir, "REMUDA_RUN_DIR");
	struct bases b;
	char config_dir[PATHS_SIZE];

	memset(p, 0, sizeof(*p));
	if (!site)
		site = "default";
	if (!text_is_name(site))
		return error_set(err,
				 "site \"%.64s\": a name is lower-case letters,"
				 " digits and hyphens", site);
	TEXT_SET(p->site, site);
	p->run_named = run_named != NULL;
	if (default_bases(&b, err))
		return -1;
	if (strcmp(site, "default") == 0)
		text_copy(config_dir, sizeof(config_dir), b.config);
	else if (put(config_dir, err, "%s/%s", b.config, site))
		return -1;
	if (place(p->config, chosen(wish->config, "REMUDA_CONFIG"), config_dir,
		  "site.lua", err) ||
	    place(p->run_dir, run_named, b.run, site, err) ||
	    place(p->state_dir, state_named, b.state, site, err) ||
	    place_cache(p, &b, state_named, err) || place_scripts(p, err) ||
	    put(p->control_socket, err, "%s/control.sock", p->run_dir) ||
	    put(p->whois_socket, err, "%s/whois.sock", p->run_dir) ||
	    put(p->gateway_socket, err, "%s/native.sock", p->run_dir) ||
	    put(p->log, err, "%s/engine.log", p->state_dir) ||
	    put(p->settings_dir, err, "%s", b.config) ||
	    put(p->memory, err, "%s/console.json", state_named ? p->state_dir :
		b.state))
		return -1;
	return paths_check_socket(p->control_socket, err);
}

/* Makes every missing folder of path; only the last gets mode. */
static int make_dirs(const char *path, mode_t mode, struct error *err)
{
	char part[PATHS_SIZE];
	struct stat st;

	text_copy(part, sizeof(part), path);
	for (char *p = part + 1;; p++) {
		char c = *p;

		if (c != '/' && c != '\0')
			continue;
		*p = '\0';
		if (mkdir(part, c || geteuid() == 0 ? 0755 : mode) == 0) {
			if (!c && chmod(part, mode))
				return error_errno(err, "%s", part);
		} else if (errno != EEXIST) {
			return error_errno(err, "cannot make %s", part);
		} else if (!c && (stat(part, &st) || !S_ISDIR(st.st_mode))) {
			return error_set(err, "%s is there and no folder",
					 part);
		}
		if (!c)
			return 0;
		*p = c;
	}
}

/* /tmp belongs to everybody: the folder in it must be ours alone. */
static int claim_tmp(const char *run_dir, struct error *err)
{
	char base[64];
	struct stat st;

	snprintf(base, sizeof(base), "/tmp/remuda-%u", (unsigned)geteuid());
	if (strncmp(run_dir, base, strlen(base)) != 0 ||
	    run_dir[strlen(base)] != '/')
		return 0;
	if (mkdir(base, 0700) && errno != EEXIST)
		return error_errno(err, "cannot make %s", base);
	if (lstat(base, &st))
		return error_errno(err, "%s", base);
	if (!S_ISDIR(st.st_mode) || st.st_uid != geteuid() ||
	    (st.st_mode & 077))
		return error_set(err,
				 "%s is not a folder of yours with mode 0700; "
				 "remove it or set XDG_RUNTIME_DIR", base);
	return 0;
}

int paths_make_state(const char *path, struct error *err)
{
	return make_dirs(path, geteuid() == 0 ? 0711 : 0700, err);
}

int paths_make(const struct paths *p, struct error *err)
{
	if (claim_tmp(p->run_dir, err) ||
	    make_dirs(p->run_dir, geteuid() == 0 ? 0755 : 0700, err) ||
	    paths_make_state(p->state_dir, err))
		return -1;
	return 0;
}

static const char *own_or_system(const struct paths *p, const char *own,
				 const char *name, char *out, size_t out_size)
{
	char system[128];

	text_copy(out, out_size, own);
	if (geteuid() == 0 || p->run_named || access(own, F_OK) == 0)
		return out;
	snprintf(system, sizeof(system), "/run/remuda/%s/%s", p->site, name);
	if (strlen(system) <= PATHS_SOCKET_MAX && access(system, F_OK) == 0)
		text_copy(out, out_size, system);
	return out;
}

const char *paths_client_socket(const struct paths *p, char *out,
				size_t out_size)
{
	return own_or_system(p, p->control_socket, "control.sock", out,
			     out_size);
}

const char *paths_native_socket(const struct paths *p, char *out,
				size_t out_size)
{
	return own_or_system(p, p->gateway_socket, "native.sock", out,
			     out_size);
}
