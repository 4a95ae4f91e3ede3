/*
 * The practice site: see practice.h.  One process polls everything: the sockets of
 * the machines' services (which say back what they hear), the users, each either
 * away until a time or at work until one, and a few clients of the cluster.  The
 * console holds the other end of a pipe: when that closes, however the console
 * ended, the users go home, the site is closed and the folder removed.
 */
#include "console/practice.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <jansson.h>

#include "console/client.h"
#include "console/format.h"
#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/base/text.h"

__asm__(".pushsection .rodata\n"
	".global practice_site\n"
	".hidden practice_site\n"
	"practice_site:\n"
	".incbin \"share/practice/site.lua\"\n"
	".byte 0\n"
	".popsection\n");
extern const char practice_site[] __attribute__((visibility("hidden")));

/* "practice", by crypt(3), as cheap as it gets: a thousand a minute are checked. */
#define PASSWORD "practice"
#define PASSWORD_HASH \
	"$5$rounds=1000$remuda$79G6wkDbGsOGuNWdy2TySbCx0QKwboDayT1npvHbKr0"

enum {
	USERS = 60, SERVED_MAX = 256, WEB_CLIENTS = 12,
	CONNECT_MS = 1000,
	CLOSE_MS = 20000,	/* for machines and engine to go */
};

static const char *const names[USERS] = {
	"asato", "bnguyen", "clopez", "dkim", "emeyer", "fdiaz", "gcosta",
	"hwang", "ivanova", "jsmith", "kpatel", "lrossi", "mgarcia", "njones",
	"oyilmaz", "pchen", "qali", "rmartin", "ssilva", "tlee", "uweber",
	"vpopov", "wbrown", "xli", "ydubois", "zkhan", "aberg", "bmoore",
	"cnovak", "dsousa", "eito", "fhansen", "gpark", "hjensen", "ikaya",
	"jwilson", "kmuller", "lmendes", "mkobayashi", "nfischer", "oreyes",
	"pnielsen", "qtran", "rsingh", "stanaka", "tkowalski", "unguyen",
	"vramos", "wthomas", "xzhang", "yuen", "zhoffmann", "acruz", "bfrank",
	"charris", "dlim", "efontaine", "gyoung", "hmori", "ilarsen",
};

struct user {
	int fd;			/* -1 = away */
	bool at_work;		/* a machine was given */
	int64_t until_ms;	/* away, or at work */
	int64_t next_ms;	/* the next thing said */
	const char *application;
};

struct player {
	char dir[128];
	struct paths paths;
	int life;
	int guest, port;	/* where every machine's service listens */
	int web_port, desk_port;	/* of the cluster; of a door for you */
	int served[SERVED_MAX];		/* connections to services; -1 = free */
	struct user users[USERS], web[WEB_CLIENTS];
	struct random random;
	int64_t now_ms, begun_ms;
};

static int64_t clock_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* ---- sockets --------------------------------------------------------- */

static int unix_address(struct sockaddr_un *a, const char *dir, const char *name)
{
	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	return snprintf(a->sun_path, sizeof(a->sun_path), "%s/%s", dir, name) <
	       (int)sizeof(a->sun_path) ? 0 : -1;
}

static int new_socket(int family)
{
	return socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static struct sockaddr_in loopback(int host, int port)
{
	return (struct sockaddr_in){
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x7f000700u + (uint32_t)host),
		.sin_port = htons((uint16_t)port),
	};
}

/* Listens on a free port and says which; of all of 127.0.0.0/8, and of it only:
 * nobody outside of this computer gets in. */
static int listen_anywhere(int *port)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_ANY) };
	socklen_t size = sizeof(a);
	int fd = new_socket(AF_INET);

	if (fd >= 0 && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3) == 0 &&
	    bind(fd, (struct sockaddr *)&a, size) == 0 && listen(fd, 256) == 0 &&
	    getsockname(fd, (struct sockaddr *)&a, &size) == 0) {
		*port = ntohs(a.sin_port);
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return -1;
}

static int open_guests(struct player *p, struct error *err)
{
	int *const ports[] = { &p->web_port, &p->desk_port };
	int held[2] = { -1, -1 };

	p->guest = listen_anywhere(&p->port);
	for (int i = 0; i < 2; i++)	/* a gateway will */
		held[i] = listen_anywhere(ports[i]);
	for (int i = 0; i < 2; i++)
		if (held[i] >= 0)
			close(held[i]);
	return p->guest < 0 || held[0] < 0 || held[1] < 0 ?
	       error_errno(err, "the practice site's services") : 0;
}

/* ---- the site file ---------------------------------------------------- */

static void put_users(FILE *f)
{
	for (int i = 0; i < USERS; i++)
		fprintf(f, "%s\"%s\"", i % 8 ? ", " : i ? ",\n    " : "", names[i]);
}

static int write_site(const struct player *p, struct error *err)
{
	const char *text = practice_site, *at;
	FILE *f = fopen(p->paths.config, "wxe");

	if (!f)
		return error_errno(err, "%s", p->paths.config);
	while ((at = strchr(text, '@'))) {
		fwrite(text, 1, (size_t)(at - text), f);
		text = at + 1;
		if (strncmp(text, "WEB@", 4) == 0)
			fprintf(f, "%d", p->web_port);
		else if (strncmp(text, "DESK@", 5) == 0)
			fprintf(f, "%d", p->desk_port);
		else if (strncmp(text, "PORT@", 5) == 0)
			fprintf(f, "%d", p->port);
		else if (strncmp(text, "PASSWORD@", 9) == 0)
			fputs(PASSWORD_HASH, f);
		else if (strncmp(text, "USERS@", 6) == 0)
			put_users(f);
		text = strchr(text, '@') + 1;
	}
	fputs(text, f);
	if (fclose(f))
		return error_errno(err, "%s", p->paths.config);
	return 0;
}

/* ---- playing ----------------------------------------------------------- */

static void serve(struct player *p, int fd)
{
	char bytes[512];

	for (int i = 0; i < SERVED_MAX; i++) {
		ssize_t n;

		if (p->served[i] != fd)
			continue;
		n = read(fd, bytes, sizeof(bytes));
		if (n > 0 && write(fd, bytes, (size_t)n) == n)
			return;
		if (n < 0 && errno == EAGAIN)
			return;
		close(fd);
		p->served[i] = -1;
		return;
	}
}

static void accept_one(struct player *p)
{
	int fd = accept4(p->guest, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (int i = 0; fd >= 0 && i < SERVED_MAX; i++) {
		if (p->served[i] < 0) {
			p->served[i] = fd;
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

static int64_t later(struct player *p, int64_t low_s, int64_t high_s)
{
	return p->now_ms + random_between(&p->random, low_s * 1000,
					  high_s * 1000);
}

static void go_away(struct player *p, struct user *u, int64_t low_s,
		    int64_t high_s)
{
	if (u->fd >= 0)
		close(u->fd);
	u->fd = -1;
	u->at_work = false;
	u->until_ms = later(p, low_s, high_s);
}

/* A request at the front door, as curl --proxy makes it. */
static void come(struct player *p, struct user *u)
{
	static const char *const applications[] = { "office", "office", "office",
		"cad", "classroom", "classroom", "kiosk", "build" };
	char plain[64], coded[128], request[256];
	struct sockaddr_un a;
	int n;

	u->application = applications[random_below(&p->random, 8)];
	snprintf(plain, sizeof(plain), "%s:" PASSWORD, names[u - p->users]);
	coded[format_base64(coded, plain, strlen(plain))] = '\0';
	n = snprintf(request, sizeof(request), "CONNECT %s:1 HTTP/1.1\r\nHost: "
		     "%s\r\nProxy-Authorization: Basic %s\r\n\r\n",
		     u->application, u->application, coded);
	u->fd = new_socket(AF_UNIX);
	if (u->fd < 0 || unix_address(&a, p->paths.run_dir, "front.sock") ||
	    connect(u->fd, (struct sockaddr *)&a, sizeof(a)) ||
	    write(u->fd, request, (size_t)n) != n) {
		go_away(p, u, 1, 3);	/* the site is not up yet */
		return;
	}
	u->until_ms = later(p, 20, 600);
	u->next_ms = later(p, 1, 10);
}

static void ask_cluster(struct player *p, struct user *u)
{
	struct sockaddr_in a = loopback(200, p->web_port);

	u->fd = new_socket(AF_INET);
	if (u->fd < 0 || (connect(u->fd, (struct sockaddr *)&a, sizeof(a)) &&
			  errno != EINPROGRESS)) {
		go_away(p, u, 1, 3);
		return;
	}
	u->until_ms = p->now_ms + random_between(&p->random, 300, 4000);
	u->next_ms = p->now_ms + 50;
}

static void heard(struct player *p, struct user *u)
{
	char bytes[512];
	ssize_t n = read(u->fd, bytes, sizeof(bytes));

	if (n > 0) {
		u->at_work = true;
		return;
	}
	if (n == 0 || errno != EAGAIN)
		go_away(p, u, 2, 20);
}

static void step(struct player *p, struct user *u, bool web)
{
	/* Waves of four minutes: some clients stay away in the quiet half. */
	bool quiet = (p->now_ms - p->begun_ms) / 120000 % 2;

	if (p->now_ms >= u->until_ms) {
		if (u->fd >= 0)
			go_away(p, u, web ? 0 : 5, web ? quiet ? 6 : 1 : 90);
		else if (web)
			ask_cluster(p, u);
		else
			come(p, u);
	} else if (u->fd >= 0 && p->now_ms >= u->next_ms) {
		u->next_ms = later(p, 2, 15);
		if ((web || u->at_work) && write(u->fd, "work\n", 5) < 0 &&
		    errno != EAGAIN)
			go_away(p, u, 2, 20);
	}
}

static int64_t sooner(const struct user *u, int64_t ms)
{
	int64_t next = u->fd >= 0 && u->next_ms < u->until_ms ? u->next_ms :
		       u->until_ms;

	return next < ms ? next : ms;
}

/* One round; false when the console is gone. */
static bool play(struct player *p)
{
	struct pollfd fds[2 + SERVED_MAX + USERS + WEB_CLIENTS];
	int64_t next = p->now_ms + (p->life < 0 ? 20 : 1000);
	nfds_t n = 0;

	fds[n++] = (struct pollfd){ p->life, POLLIN, 0 };
	fds[n++] = (struct pollfd){ p->guest, POLLIN, 0 };
	for (int i = 0; i < SERVED_MAX; i++)
		fds[n++] = (struct pollfd){ p->served[i], POLLIN, 0 };
	for (int i = 0; i < USERS + WEB_CLIENTS; i++) {
		struct user *u = i < USERS ? &p->users[i] : &p->web[i - USERS];

		next = sooner(u, next);
		fds[n++] = (struct pollfd){ u->fd, POLLIN, 0 };
	}
	p->now_ms = clock_now();
	poll(fds, n, next > p->now_ms ? (int)(next - p->now_ms) : 0);
	p->now_ms = clock_now();
	for (nfds_t i = 1; i < n; i++) {
		nfds_t user = i - 2 - SERVED_MAX;

		if (!fds[i].revents)
			continue;
		if (i < 2)
			accept_one(p);
		else if (i < 2 + SERVED_MAX)
			serve(p, fds[i].fd);
		else
			heard(p, user < USERS ? &p->users[user] :
			      &p->web[user - USERS]);
	}
	for (int i = 0; i < USERS; i++)
		step(p, &p->users[i], false);
	for (int i = 0; i < WEB_CLIENTS; i++)
		step(p, &p->web[i], true);
	return fds[0].revents == 0;
}

/* ---- the end ------------------------------------------------------------ */

static int remove_one(const char *path, const struct stat *s, int kind,
		      struct FTW *at)
{
	(void)s;
	(void)kind;
	(void)at;
	return remove(path) && errno != ENOENT ? -1 : 0;
}

/* The users go home, the engine closes the site and ends.  What serves goes on
 * until then: a session is over when both sides have hung up. */
static bool close_site(struct player *p)
{
	const int64_t end = clock_now() + CLOSE_MS;
	struct client c;
	json_t *line;
	int got = 0;

	close(p->life);
	p->life = -1;
	for (int i = 0; i < USERS + WEB_CLIENTS; i++) {
		struct user *u = i < USERS ? &p->users[i] : &p->web[i - USERS];

		go_away(p, u, CLOSE_MS, CLOSE_MS);
	}
	client_init(&c);
	if (client_connect(&c, p->paths.control_socket, CONNECT_MS, NULL) == 0)
		client_send(&c, json_pack("{s:s}", "verb", "site.close"), NULL);
	while (c.fd >= 0 && got >= 0 && p->now_ms < end) {
		play(p);
		while ((got = client_receive(&c, &line, NULL)) > 0)
			json_decref(line);
	}
	client_close(&c);
	return p->now_ms < end;
}

static void play_until_end(struct player *p)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	for (int i = 0; i < 3; i++)
		dup2(null, i);
	for (int i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);	/* the pipe says when */
	random_seed(&p->random, (uint64_t)getpid());
	p->begun_ms = p->now_ms = clock_now();
	for (int i = 0; i < SERVED_MAX; i++)
		p->served[i] = -1;
	for (int i = 0; i < USERS; i++)
		go_away(p, memset(&p->users[i], 0xff, sizeof(p->users[i])),
			i % 3 ? 0 : 5, i % 3 ? 2 : 60);
	for (int i = 0; i < WEB_CLIENTS; i++)
		go_away(p, memset(&p->web[i], 0xff, sizeof(p->web[i])), 2, 6);
	while (play(p))
		;
	if (!close_site(p))
		_exit(1);	/* its engine still runs there */
	nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	_exit(0);
}

/* ---- opening and closing ------------------------------------------------- */

static int make_dir(struct player *p, struct error *err)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	struct paths_wish wish = { .site = "practice" };
	char config[160], run[160], state[160];

	if (!base || base[0] != '/' || strlen(base) > 40)
		base = "/tmp";	/* sockets' names are short */
	snprintf(p->dir, sizeof(p->dir), "%s/remuda-practice-XXXXXX", base);
	if (!mkdtemp(p->dir))
		return error_errno(err, "%s", p->dir);
	snprintf(config, sizeof(config), "%s/site.lua", p->dir);
	snprintf(run, sizeof(run), "%s/run", p->dir);
	snprintf(state, sizeof(state), "%s/state", p->dir);
	wish.config = config;
	wish.run_dir = run;
	wish.state_dir = state;
	return paths_init(&p->paths, &wish, err);
}

int practice_open(struct practice *out, struct error *err)
{
	struct player *p = calloc(1, sizeof(*p));
	int life[2] = { -1, -1 };

	if (!p || pipe2(life, O_CLOEXEC)) {
		error_errno(err, "the practice site");
		goto failed;
	}
	if (make_dir(p, err) || open_guests(p, err) || write_site(p, err))
		goto failed;
	p->life = life[0];
	out->pid = fork();
	if (out->pid < 0) {
		error_errno(err, "fork");
		goto failed;
	}
	if (out->pid == 0) {
		close(life[1]);
		play_until_end(p);
	}
	close(life[0]);
	close(p->guest);
	out->paths = p->paths;
	TEXT_SET(out->dir, p->dir);
	out->life = life[1];
	free(p);
	return 0;
failed:
	if (p && p->dir[0])
		nftw(p->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	if (life[0] >= 0) {
		close(life[0]);
		close(life[1]);
	}
	free(p);
	return -1;
}

int practice_close(struct practice *p, struct error *err)
{
	int status = 0;

	close(p->life);
	while (waitpid(p->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status ? error_set(err, "the practice site's engine did not end "
				  "in %d s; what is left is in %s", CLOSE_MS /
				  1000, p->dir) : 0;
}
