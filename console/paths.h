/*
 * Where a site keeps its things (decisions.md 25).
 *
 *              root                        another user
 *   config     /etc/remuda/site.lua        $XDG_CONFIG_HOME/remuda/site.lua
 *   state_dir  /var/lib/remuda/SITE        $XDG_STATE_HOME/remuda/SITE
 *   run_dir    /run/remuda/SITE            $XDG_RUNTIME_DIR/remuda/SITE,
 *                                          or /tmp/remuda-UID/SITE
 *   cache_dir  /var/cache/remuda           $XDG_CACHE_HOME/remuda,
 *                                          or a state_dir that was named
 *   settings_dir  /etc/remuda              $XDG_CONFIG_HOME/remuda: console.lua,
 *                                          keys.lua
 *   memory     /var/lib/remuda/console.json   $XDG_STATE_HOME/remuda/console.json,
 *                                          or in a state_dir that was named
 *
 * A site other than "default" has its config in remuda/SITE/site.lua.  Each
 * place may be named outright (struct paths_wish: flags before environment
 * REMUDA_SITE, REMUDA_CONFIG, REMUDA_RUN_DIR, REMUDA_STATE_DIR).
 */
#ifndef REMUDA_CONSOLE_PATHS_H
#define REMUDA_CONSOLE_PATHS_H

#include <stdbool.h>
#include <stddef.h>

struct error;

enum {
	PATHS_SIZE = 1024,
	PATHS_SOCKET_MAX = 107,	/* sun_path without its NUL */
};

/* What flags say; NULL means the environment, then the default. */
struct paths_wish {
	const char *site;
	const char *config;
	const char *run_dir;
	const char *state_dir;
};

struct paths {
	char site[64];
	bool run_named;		/* run_dir was named, not found */
	char config[PATHS_SIZE];
	char run_dir[PATHS_SIZE];
	char state_dir[PATHS_SIZE];
	char cache_dir[PATHS_SIZE];
	char scripts_dir[PATHS_SIZE];		/* Lua that comes with Remuda */
	char control_socket[PATHS_SIZE];	/* run_dir/control.sock */
	char whois_socket[PATHS_SIZE];		/* run_dir/whois.sock */
	char gateway_socket[PATHS_SIZE];	/* run_dir/native.sock: the
						 * native door of `connect` */
	char log[PATHS_SIZE];			/* state_dir/engine.log */
	char settings_dir[PATHS_SIZE];		/* of the console */
	char memory[PATHS_SIZE];		/* what it remembers */
};

/* Fills p; touches nothing.  Fails on a site name that is none, a relative
 * path, and a socket path that does not fit. */
int paths_init(struct paths *p, const struct paths_wish *wish,
	       struct error *err);

/* 0, or -1 and the reason when path cannot be a socket's address. */
int paths_check_socket(const char *path, struct error *err);

/*
 * Makes run_dir and state_dir (0700 for a user; 0755 and 0711 for root, whose
 * QEMU must reach its volumes).  An existing /tmp/remuda-UID that is a link,
 * another's or open to others is an error: somebody was there first.
 */
int paths_make(const struct paths *p, struct error *err);
/* A folder of state with what is above it, as state_dir is made. */
int paths_make_state(const char *path, struct error *err);

/*
 * The socket a command should use: the site's own, or, for a user who runs no
 * engine, the system's /run/remuda/SITE/control.sock when that one exists.
 */
const char *paths_client_socket(const struct paths *p, char *out,
				size_t out_size);
/* The same for the native door that `remuda connect` dials. */
const char *paths_native_socket(const struct paths *p, char *out,
				size_t out_size);

#endif
