/*
 * The engine's side of the net role with a real role and a core that only
 * listens: this file's engine_step.  In a network namespace of its own; where
 * a user may not make one the addresses cannot be held, and the rest is tested.
 */
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/loop/shell.h"
#include "tests/tap.h"

enum { WAIT_MS = 20000 };

static struct shell shell, *const sh = &shell;
static struct cluster clusters[2], *cluster_list[2] = { &clusters[0], &clusters[1] };
static char folder[] = "/tmp/remuda-net-XXXXXX";

/* ---- the core ---------------------------------------------------------------- */

enum { HEARD_MAX = 32 };

/* Since the last wish; two may come in one turn of the loop. */
static struct {
	int count;
	struct heard_one {
		bool held;
		char cluster[64], text[300];
	} all[HEARD_MAX];
} heard;

const char *event_name(enum event_kind kind)
{
	return kind == EVENT_VIP ? "vip" : "another";
}

void engine_step(struct world *w, const struct event *ev, struct effects *fx)
{
	(void)w;
	(void)fx;
	if (ev->kind != EVENT_VIP)
		tap_bail("another event");
	if (heard.count == HEARD_MAX)
		tap_bail("too many events");
	struct heard_one *one = &heard.all[heard.count++];
	one->held = ev->vip.held;
	text_copy_slice(one->cluster, sizeof(one->cluster), ev->vip.cluster);
	text_copy_slice(one->text, sizeof(one->text), ev->vip.text);
}

static const struct heard_one *newest(void)
{
	return &heard.all[heard.count ? heard.count - 1 : 0];
}

/* The last that was heard about a cluster. */
static bool has(const char *cluster, bool held, const char *text)
{
	for (int i = heard.count; i-- > 0;)
		if (strcmp(heard.all[i].cluster, cluster) == 0)
			return heard.all[i].held == held &&
			       strstr(heard.all[i].text, text);
	return false;
}

static void nothing(uv_timer_t *t)
{
	(void)t;
}

/* Runs the loop until the condition holds, or the deadline: then false. */
#define UNTIL(cond)                                                            \
	({                                                                     \
		int64_t until_ms_ = shell_now_ms() + WAIT_MS;                  \
		bool good_;                                                    \
		while (!(good_ = (cond)) && shell_now_ms() < until_ms_)        \
			uv_run(&sh->loop, UV_RUN_ONCE);                        \
		good_;                                                         \
	})

/* ---- the shell ------------------------------------------------------------------ */

static void wish(const char *name, bool held)
{
	struct effect e = { .kind = EFFECT_VIP, .ok = held, .text = slice_of(name) };

	/* As in a turn: an event now would be a broken program. */
	heard.count = 0;
	sh->in_turn = true;
	net_act(sh, &e);
	sh->in_turn = false;
}

static void cluster(int i, const char *name, const char *ip, uint32_t prefix,
		    const char *interface)
{
	struct site_cluster *c = &clusters[i].spec;

	TEXT_SET(c->name, name);
	TEXT_SET(c->ip, ip);
	TEXT_SET(c->interface, interface);
	c->prefix = prefix;
	sh->world.clusters = cluster_list;
	sh->world.cluster_count = 2;
}

static const char *file(void)
{
	static char text[500];
	char path[100];
	ssize_t n = -1;

	snprintf(path, sizeof(path), "%s/addresses", folder);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		n = read(fd, text, sizeof(text) - 1);
	if (fd >= 0)
		close(fd);
	text[n < 0 ? 0 : n] = '\0';
	return n < 0 ? "none" : text;
}

static void start(void)
{
	static uv_timer_t tick;
	const char *build = getenv("BUILD");

	memset(sh, 0, sizeof(*sh));
	if (uv_loop_init(&sh->loop) < 0)
		tap_bail("uv_loop_init");
	sh->o.run_dir = folder;
	snprintf(sh->exe, sizeof(sh->exe), "%s/remuda", build ? build : "build");
	net_init(sh);
	/* The loop wakes for deadlines. */
	uv_timer_init(&sh->loop, &tick);
	uv_timer_start(&tick, nothing, 50, 50);
}

/* The engine's end: its roles' sockets close, nothing else. */
static void stop(void)
{
	sh->stopping = true;
	net_stop(sh);
	ok(UNTIL(!sh->net.child.running), "the role ends with its socket");
}

/* ---- tests ---------------------------------------------------------------------- */

static void test_local(void)
{
	cluster(0, "web", "127.0.0.9", 0, "");
	wish("web", true);
	is_int(heard.count, 0, "nothing is told within the turn");
	ok(UNTIL(has("web", true, "")), "127.0.0.9 is held at once");
	ok(!sh->net.child.running && sh->net.link.fd < 0, "without a role");
	is_text(file(), "none", "and without a note");
	wish("web", false);
	is_int(heard.count, 0, "nor at its end");
	ok(UNTIL(has("web", false, "let go")), "it is let go");
	cluster(0, "web", "::1", 0, "");
	wish("web", true);
	ok(UNTIL(has("web", true, "")) && !sh->net.child.running, "so is ::1");
	wish("web", false);
	ok(UNTIL(has("web", false, "let go")), "and let go");
	wish("web", false);
	wish("never", true);
	uv_run(&sh->loop, UV_RUN_ONCE);
	ok(heard.count == 0 && !sh->net.child.running,
	   "what is not held is not let go, and no cluster has no address");
}

static bool exists(const char *ip)
{
	char line[200];

	snprintf(line, sizeof(line), "ip -o address show to %s | grep -q .", ip);
	return system(line) == 0;
}

static void test_held(void)
{
	cluster(0, "web", "10.9.9.9", 0, "lo");
	cluster(1, "mail", "10.9.9.10", 0, "lo");
	wish("web", true);
	is_text(file(), "web 10.9.9.9 0 lo\n", "it is noted before it is asked for");
	ok(UNTIL(has("web", true, "")), "10.9.9.9 is held (%s)", newest()->text);
	ok(exists("10.9.9.9"), "and there");
	wish("mail", true);
	ok(UNTIL(has("mail", true, "")), "a second one too");
	is_text(file(), "mail 10.9.9.10 0 lo\nweb 10.9.9.9 0 lo\n", "both are noted");

	pid_t pid = sh->net.child.process.pid;
	heard.count = 0;
	kill(pid, SIGKILL);
	ok(UNTIL(sh->net.ready && sh->net.child.process.pid != pid),
	   "a killed role is started again");
	ok(exists("10.9.9.9") && exists("10.9.9.10"), "the addresses stayed");
	ok(UNTIL(heard.count >= 2) && newest()->held, "and are held");

	cluster(1, "mail", "10.9.9.11", 0, "lo");
	wish("mail", true);
	ok(UNTIL(has("mail", true, "") && !exists("10.9.9.10")),
	   "another address takes the place of the one before");
	ok(exists("10.9.9.11") &&
	   UNTIL(strcmp(file(), "mail 10.9.9.11 0 lo\nweb 10.9.9.9 0 lo\n") == 0),
	   "which is not noted any more: %s", file());

	/* The core's way to say the same: let go and hold in one turn. */
	cluster(1, "mail", "10.9.9.10", 0, "lo");
	wish("mail", false);
	wish("mail", true);
	ok(UNTIL(has("mail", true, "") && !exists("10.9.9.11")), "and back");

	/* Nothing the core asks for: the same address with another prefix. */
	cluster(1, "mail", "10.9.9.10", 24, "lo");
	heard.count = 0;
	net_sync(sh);
	ok(UNTIL(has("mail", true, "") && exists("10.9.9.10 | grep 10.9.9.10/24")),
	   "a site that has it elsewhere moves it");
	is_text(file(), "mail 10.9.9.10 24 lo\nweb 10.9.9.9 0 lo\n", "and its note");
	wish("mail", false);
	ok(UNTIL(has("mail", false, "let go")) && !exists("10.9.9.10"), "let go");
	is_text(file(), "web 10.9.9.9 0 lo\n", "and forgotten");
}

/* The engine ends, or dies; the site of the next has another cluster. */
static void test_left_over(void)
{
	stop();
	ok(exists("10.9.9.9"), "the address stays");
	start();
	cluster(0, "web", "10.9.9.9", 0, "lo");
	net_sync(sh);
	ok(!sh->net.child.running, "what the site still has is the core's business");
	wish("web", true);
	ok(UNTIL(has("web", true, "")), "the next engine takes it over");
	stop();
	start();
	cluster(0, "other", "10.9.9.12", 0, "lo");
	wish("other", true);
	net_sync(sh);
	ok(UNTIL(has("other", true, "")), "a site without that cluster");
	ok(UNTIL(!exists("10.9.9.9")), "takes its address away");
	ok(UNTIL(strcmp(file(), "other 10.9.9.12 0 lo\n") == 0), "and forgets it");
}

static void test_end(void)
{
	char trouble[200] = "";

	ok(!net_let_go(sh, trouble, sizeof(trouble)), "the site's end waits");
	ok(UNTIL(net_let_go(sh, trouble, sizeof(trouble))), "until all are gone");
	ok(!exists("10.9.9.12") && !trouble[0], "without trouble");
	is_text(file(), "none", "nothing is noted");
	ok(UNTIL(!sh->net.child.running), "and the role has ended");
	cluster(0, "web", "10.9.9.9", 0, "lo");
	wish("web", true);
	ok(UNTIL(has("web", true, "")), "a new one starts another");
	wish("web", false);
	ok(UNTIL(has("web", false, "let go")), "let go");
}

/* Without rights, or an interface. */
static void test_not_held(void)
{
	cluster(0, "web", "10.9.9.9", 24, "remuda-none");
	wish("web", true);
	ok(UNTIL(has("web", false, getuid() ? "CAP_NET_ADMIN" : "is not there")),
	   "%s", newest()->text);
	pid_t pid = sh->net.child.process.pid;
	heard.count = 0;
	kill(pid, SIGKILL);
	ok(UNTIL(has("web", false, "started again")), "%s", newest()->text);
	ok(UNTIL(sh->net.ready && !has("web", false, "started again")), "%s",
	   newest()->text);
	wish("web", false);
	ok(UNTIL(has("web", false, "let go")), "let go");
	TEXT_SET(sh->exe, "/no/such/program");
	ok(UNTIL(!sh->net.child.running), "the role has ended");
	wish("web", true);
	is_int(heard.count, 0, "a role that does not start is not told in the turn");
	ok(UNTIL(has("web", false, "no such file")), "but then: %s", newest()->text);
}

int main(void)
{
	if (!mkdtemp(folder))
		tap_bail("mkdtemp");
	signal(SIGPIPE, SIG_IGN);
	start();
	test_local();
	if (unshare(CLONE_NEWNET) == 0 && system("ip link set lo up") == 0) {
		test_held();
		test_left_over();
		test_end();
	} else {
		tap_skip(1, "needs root, for a network namespace of its own");
	}
	test_not_held();
	sh->stopping = true;
	net_stop(sh);
	char line[100];
	snprintf(line, sizeof(line), "rm -r %s", folder);
	return system(line) == 0 ? tap_done() : 1;
}
