/*
 * Machines of three hosts through three hypervisor roles: use, size, live
 * migration, and the time from a QEMU's end to the hint of it.  Started by
 * move.t.  Times are notes.
 */
#include "tests/unit/hypervisor_peer.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>

enum { BOOT_MS = 120000, CALL_MS = 60000, HOSTS = 3, ROUNDS = 10 };

static struct peer hosts[HOSTS + 1];	/* host N is hosts[N] */

static const char *name_of(int machine)
{
	static char names[10][16];

	snprintf(names[machine], sizeof(names[0]), "node-0%d", machine);
	return names[machine];
}

static const char *uuid_of(int machine)
{
	static char uuids[10][40];

	snprintf(uuids[machine], sizeof(uuids[0]),
		 "70de0000-0000-4000-8000-00000000000%d", machine);
	return uuids[machine];
}

static char *slurp(const char *path)
{
	static char text[16384];
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (n < 0)
		tap_bail("%s: %s", path, strerror(errno));
	close(fd);
	text[n] = '\0';
	return text;
}

static struct message create_message(int machine, uint64_t incarnation)
{
	static const char bare[] = "<domain><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>";
	char path[300];

	snprintf(path, sizeof(path), "%s/node-%d.xml", getenv("LAB_DIR"), machine);
	return (struct message){
		.type = WIRE_TYPE_domain_create, .incarnation = incarnation,
		.domain_create = {
			.machine = (uint64_t)machine,
			.name = slice_of(name_of(machine)),
			.uuid = slice_of(uuid_of(machine)), .vcpus = 1,
			.memory_mib = 160, .max_vcpus = 3, .max_memory_mib = 224,
			.template = slice_of(machine <= HOSTS ? slurp(path) : bare),
		},
	};
}

static int destroy(struct peer *p, int machine, uint64_t incarnation)
{
	struct message m = {
		.type = WIRE_TYPE_domain_destroy, .incarnation = incarnation,
		.domain_destroy = { (uint64_t)machine, slice_of(name_of(machine)),
				    slice_of(uuid_of(machine)), SLICE("") },
	};

	return peer_result(p, &m, CALL_MS);
}

/* ---- traffic ---------------------------------------------------------------------- */

static int node_connect(int machine)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(80) };
	struct timeval second = { .tv_sec = 1 };
	char address[32];
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address, sizeof(address), "10.99.1.%d", machine);
	inet_pton(AF_INET, address, &to.sin_addr);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &second, sizeof(second));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &second, sizeof(second));
	if (connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	close(fd);
	return -1;
}

/* One transaction; the answer's body in a static buffer, or "". */
static const char *ask(int machine)
{
	static char all[1024];
	size_t length = 0;
	ssize_t n;
	int fd = node_connect(machine);

	if (fd < 0)
		return "";
	if (write(fd, "GET / HTTP/1.0\r\n\r\n", 18) == 18)
		while (length < sizeof(all) - 1 &&
		       (n = read(fd, all + length, sizeof(all) - 1 - length)) > 0)
			length += (size_t)n;
	close(fd);
	all[length] = '\0';
	char *body = strstr(all, "\r\n\r\n");
	return body ? body + 4 : "";
}

static bool answers(int machine, int64_t ms)
{
	int64_t until_us = peer_now_us() + ms * 1000;

	do {
		const char *body = ask(machine);

		if (strncmp(body, name_of(machine), strlen(name_of(machine))) == 0)
			return true;
		poll(NULL, 0, 20);
	} while (peer_now_us() < until_us);
	return false;
}

static long told(int machine, const char *word)
{
	const char *at = strstr(ask(machine), word);

	return at ? strtol(at + strlen(word), NULL, 10) : -1;
}

/* ---- QEMUs ------------------------------------------------------------------------ */

static char state_of_process(const char *pid)
{
	char path[300], text[512] = "";
	int fd;

	snprintf(path, sizeof(path), "/proc/%s/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		text[0] = '\0';
	if (fd >= 0)
		close(fd);
	const char *end = strrchr(text, ')');
	return end ? end[2] : 'X';
}

/* A machine's QEMU, wherever it runs; 0 = none. */
static pid_t qemu_of(int machine)
{
	DIR *dir = opendir("/proc");
	struct dirent *e;
	char path[300], cmdline[4096], want[64];
	pid_t found = 0;

	snprintf(want, sizeof(want), "guest=%s,", name_of(machine));
	while (dir && !found && (e = readdir(dir))) {
		ssize_t n;
		int fd;

		snprintf(path, sizeof(path), "/proc/%.20s/cmdline", e->d_name);
		if (e->d_name[0] < '1' || e->d_name[0] > '9' ||
		    (fd = open(path, O_RDONLY | O_CLOEXEC)) < 0)
			continue;
		n = read(fd, cmdline, sizeof(cmdline));
		close(fd);
		if (n > 0 && memmem(cmdline, (size_t)n, want, strlen(want)) &&
		    memmem(cmdline, (size_t)n, "qemu", 4) &&
		    state_of_process(e->d_name) != 'Z')
			found = (pid_t)strtol(e->d_name, NULL, 10);
	}
	if (dir)
		closedir(dir);
	return found;
}

/* ---- the tests ---------------------------------------------------------------------- */

static void test_up(void)
{
	char uri[64];
	int64_t start_us = peer_now_us();

	for (int n = 1; n <= HOSTS; n++) {
		snprintf(uri, sizeof(uri), "qemu+tcp://10.99.0.%d/system", n);
		peer_start(&hosts[n]);
		struct peer_done *d = peer_open_host(&hosts[n], uri, 30000);
		is_int(d->result, WIRE_OK, "host %d opens (%s)", n, d->text);
		free(d);
		ok(hosts[n].state.cpus > 0 && hosts[n].state.memory_mib > 0,
		   "and tells its size");
	}
	tap_note("three hosts opened in %lld ms",
		 (long long)(peer_now_us() - start_us) / 1000);
	start_us = peer_now_us();
	for (int n = 1; n <= HOSTS; n++) {
		struct message create = create_message(n, 1);
		is_int(peer_result(&hosts[n], &create, CALL_MS), WIRE_OK,
		       "machine %d is made on host %d", n, n);
	}
	for (int n = 1; n <= HOSTS; n++)
		ok(answers(n, BOOT_MS), "and answers");
	tap_note("three machines up in %lld ms",
		 (long long)(peer_now_us() - start_us) / 1000);
}

/* A stats_read's answer for one machine; at_ms 0: not told. */
static struct wire_domain_stats stats_of(struct peer *p, int machine, int *result)
{
	struct message m = { .type = WIRE_TYPE_stats_read };

	memset(p->stats, 0, sizeof(p->stats));
	p->stats_count = 0;
	*result = peer_result(p, &m, 10000);
	for (int i = 0; i < p->stats_count; i++)
		if (p->stats[i].machine == (uint64_t)machine)
			return p->stats[i];
	return (struct wire_domain_stats){ 0 };
}

static void test_stats(void)
{
	int result;
	int64_t start_us = peer_now_us();
	struct wire_domain_stats a = stats_of(&hosts[1], 1, &result);

	tap_note("stats_read %lld us", (long long)(peer_now_us() - start_us));
	is_int(result, WIRE_OK, "a host tells what its machines use");
	is_int(hosts[1].stats_count, 1, "of each of ours");
	ok(a.cpu_ms > 100 && a.vcpus == 1 && a.rss_mib > 32 && a.at_ms > 0,
	   "cpu %lld ms, %u vcpus, %llu MiB held", (long long)a.cpu_ms, a.vcpus,
	   (unsigned long long)a.rss_mib);
	is_int(a.memory_mib, 160, "its memory without what its balloon has");
	for (int i = 0; i < 50; i++)
		ask(1);
	struct wire_domain_stats b = stats_of(&hosts[1], 1, &result);
	ok(b.cpu_ms > a.cpu_ms && b.at_ms > a.at_ms, "work shows in its cpu time");
	ok(b.in_bytes > a.in_bytes + 50 * 60 && b.out_bytes > a.out_bytes + 50 * 60,
	   "and traffic: %llu in, %llu out",
	   (unsigned long long)(b.in_bytes - a.in_bytes),
	   (unsigned long long)(b.out_bytes - a.out_bytes));
}

/* A QEMU that does nothing any more holds up nobody. */
static void test_stats_frozen(void)
{
	struct message other = create_message(4, 1);
	pid_t pid = qemu_of(1);
	int result;

	is_int(peer_result(&hosts[1], &other, CALL_MS), WIRE_OK, "a second machine");
	struct wire_domain_stats before = stats_of(&hosts[1], 1, &result);
	kill(pid, SIGSTOP);
	for (int i = 0; i < 3; i++) {
		int64_t start_us = peer_now_us();
		struct wire_domain_stats d = stats_of(&hosts[1], 1, &result);
		int64_t took_ms = (peer_now_us() - start_us) / 1000;

		ok(result == WIRE_OK && d.cpu_ms >= before.cpu_ms &&
		   d.rss_mib == before.rss_mib && d.memory_mib == 160,
		   "a frozen machine is told with what is known");
		is_int(hosts[1].stats_count, 2, "beside the other");
		tap_note("after %lld ms", (long long)took_ms);
		is_int(peer_poll(&hosts[1], 5000), WIRE_OK, "and the poll goes on");
	}
	is_int(destroy(&hosts[1], 4, 1), WIRE_OK, "and calls about others");
	kill(pid, SIGCONT);
	ok(answers(1, 20000), "it comes back");
	int64_t until_us = peer_now_us() + 20000000;
	struct wire_domain_stats after;
	for (int i = 0; i < 20; i++)
		ask(1);
	do
		after = stats_of(&hosts[1], 1, &result);
	while (after.out_bytes <= before.out_bytes && peer_now_us() < until_us);
	ok(after.out_bytes > before.out_bytes && hosts[1].stats_count == 1,
	   "and everything is read again");
}

static struct peer_done *resize(struct peer *p, int machine, uint32_t vcpus,
				uint64_t memory_mib)
{
	struct message m = {
		.type = WIRE_TYPE_domain_resize, .incarnation = 1,
		.domain_resize = { (uint64_t)machine, slice_of(name_of(machine)),
				   slice_of(uuid_of(machine)), vcpus, memory_mib },
	};
	int64_t start_us = peer_now_us();
	struct peer_done *d = peer_call(p, &m, 120000);

	tap_note("to %u vcpus, %llu MiB: %lld ms %s", vcpus,
		 (unsigned long long)memory_mib,
		 (long long)(peer_now_us() - start_us) / 1000, d->text);
	return d;
}

static void test_resize(void)
{
	long before = told(1, "memory=");
	struct peer_done *d = resize(&hosts[1], 1, 3, 224);
	int result;

	is_int(d->result, WIRE_OK, "a machine grows while it runs");
	free(d);
	is_int(told(1, "vcpus="), 3, "its guest uses three processors");
	is_int(told(1, "memory="), before + 64, "and has 64 MiB more");
	struct wire_domain_stats s = stats_of(&hosts[1], 1, &result);
	ok(s.vcpus == 3 && s.memory_mib == 224, "the host says so too");
	d = resize(&hosts[1], 1, 2, 160);
	is_int(d->result, WIRE_OK, "and shrinks");
	free(d);
	is_int(told(1, "vcpus="), 2, "two processors are left");
	is_int(told(1, "memory="), before, "and the memory it had");
	d = resize(&hosts[1], 1, 4, 0);
	ok(d->result == WIRE_FAILED && strstr(d->text, "made for"),
	   "beyond what it was made for: %s", d->text);
	free(d);
	d = resize(&hosts[1], 1, 0, 300);
	ok(d->result == WIRE_FAILED && strstr(d->text, "made for"),
	   "also in memory: %s", d->text);
	free(d);
	is_int(told(1, "vcpus="), 2, "nothing has changed");
	struct message stale = { .type = WIRE_TYPE_domain_resize, .incarnation = 1 };
	stale.domain_resize.uuid = slice_of(uuid_of(2));
	d = peer_call(&hosts[1], &stale, CALL_MS);
	is_int(d->result, WIRE_FAILED, "a machine that is not there: %s", d->text);
	free(d);
}

/* ---- migration ------------------------------------------------------------------ */

static struct message migrate_message(int machine, int to, const char *by,
				      int64_t timeout_ms)
{
	static char uri[64];

	snprintf(uri, sizeof(uri), "qemu+tcp://10.99.0.%d/system", to);
	return (struct message){
		.type = WIRE_TYPE_domain_migrate, .incarnation = 1,
		.domain_migrate = { (uint64_t)machine, slice_of(name_of(machine)),
				    slice_of(uuid_of(machine)), slice_of(uri),
				    slice_of(by), timeout_ms },
	};
}

static int migrate(struct peer *p, int machine, int to, int64_t timeout_ms,
		   char *text, size_t size)
{
	char by[32];
	int64_t start_us = peer_now_us();

	snprintf(by, sizeof(by), "tcp://10.99.0.%d", to);
	struct message m = migrate_message(machine, to, by, timeout_ms);
	struct peer_done *d = peer_call(p, &m, 300000);
	int result = d->result;

	tap_note("migration to host %d: %lld ms %s", to,
		 (long long)(peer_now_us() - start_us) / 1000, d->text);
	text_copy(text, size, d->text);
	free(d);
	return result;
}

static bool has(struct peer *p, int machine)
{
	const struct peer_seen *s;

	if (peer_poll(p, CALL_MS) != WIRE_OK)
		return false;
	s = peer_find(p, name_of(machine));
	return s && s->owner == WIRE_OWNER_OURS && s->incarnation == 1 &&
	       s->state == WIRE_DOMAIN_RUNNING && s->machine == (uint64_t)machine;
}

static bool told_stop(struct peer *p, int from, int machine)
{
	for (int i = from; i < p->hint_count; i++)
		if (p->hints[i].kind == WIRE_HINT_STOPPED &&
		    strcmp(p->hints[i].uuid, uuid_of(machine)) == 0)
			return true;
	return false;
}

static void test_migrate(void)
{
	char text[1024];
	int hints = hosts[1].hint_count, fd = node_connect(1);
	long before = told(1, "served=");

	is_int(migrate(&hosts[1], 1, 2, 0, text, sizeof(text)), WIRE_OK,
	       "a machine moves while it runs");
	ok(has(&hosts[2], 1), "it runs there, and is ours with its incarnation");
	ok(!peer_find(&hosts[2], "none") && !has(&hosts[1], 1), "and not here");
	ok(!told_stop(&hosts[1], hints, 1), "no hint says that it has ended");
	ok(answers(1, 20000) && told(1, "served=") > before,
	   "it answers under its address, and remembers");
	char back[64] = "";
	ssize_t n = write(fd, "still here\n", 11) == 11 ?
			    read(fd, back, sizeof(back) - 1) : -1;
	close(fd);
	ok(n > 0 && strcmp(back, "node-01 still here\n") == 0,
	   "a connection from before goes on: %s", back);
	is_int(told(1, "vcpus="), 2, "its size went with it");
	is_int(migrate(&hosts[2], 1, 1, 0, text, sizeof(text)), WIRE_OK, "and back");
	ok(has(&hosts[1], 1) && answers(1, 20000), "it is here again");
}

static void test_migrate_refused(void)
{
	char text[1024];
	struct message m = migrate_message(2, 1, "", 0);

	m.domain_migrate.to = SLICE("qemu:///system");
	struct peer_done *d = peer_call(&hosts[2], &m, CALL_MS);
	ok(d->result == WIRE_FAILED && strstr(d->text, "must name one"),
	   "to no other host: %s", d->text);
	free(d);
	m = migrate_message(2, 2, "", 0);
	d = peer_call(&hosts[2], &m, CALL_MS);
	ok(d->result == WIRE_FAILED && strstr(d->text, "already"), "to where it is: %s",
	   d->text);
	free(d);
	m = migrate_message(2, 1, "", 0);
	m.incarnation = 0;
	m.domain_migrate.uuid = slice_of(uuid_of(3));
	d = peer_call(&hosts[2], &m, CALL_MS);
	is_int(d->result, WIRE_FAILED, "one that is not here: %s", d->text);
	free(d);
	m = migrate_message(2, 9, "", 0);
	d = peer_call(&hosts[2], &m, CALL_MS);
	is_int(d->result, WIRE_FAILED, "to a host that is not there: %s", d->text);
	free(d);
	is_int(migrate(&hosts[2], 2, 3, 1, text, sizeof(text)), WIRE_FAILED,
	       "one that has no time");
	ok(has(&hosts[2], 2) && !has(&hosts[3], 2) && answers(2, 20000),
	   "runs here still");
}

/* A role that dies in the middle: its successor ends what nobody waits for. */
static void test_migrate_role_killed(void)
{
	struct message m = migrate_message(3, 1, "tcp://10.99.0.1", 0);
	int64_t until_us = peer_now_us() + 20000000;
	bool coming = false;

	/* Slow enough to be in the middle of it for a while. */
	if (system("virsh -q -c qemu+tcp://10.99.0.3/system migrate-setspeed node-03 1") != 0)
		tap_bail("migrate-setspeed");
	peer_send(&hosts[3], &m);
	while (!coming && peer_now_us() < until_us)
		coming = peer_poll(&hosts[1], CALL_MS) == WIRE_OK &&
			 peer_find(&hosts[1], name_of(3));
	ok(coming, "a machine is on its way");
	kill(hosts[3].pid, SIGKILL);
	peer_stop(&hosts[3]);
	peer_start(&hosts[3]);
	struct peer_done *d = peer_open_host(&hosts[3], "qemu+tcp://10.99.0.3/system", 30000);
	is_int(d->result, WIRE_OK, "its role dies, another opens the host (%s)", d->text);
	free(d);
	ok(has(&hosts[3], 3), "and sees it where it was");
	until_us = peer_now_us() + 20000000;
	do
		coming = peer_poll(&hosts[1], CALL_MS) != WIRE_OK ||
			 peer_find(&hosts[1], name_of(3));
	while (coming && peer_now_us() < until_us);
	ok(!coming, "the migration has ended");
	ok(has(&hosts[3], 3) && answers(3, 20000), "where it began");
}

static void test_migrate_disk(void)
{
	struct message create = create_message(4, 1);
	char path[300], text[1024];
	int fd;

	snprintf(path, sizeof(path), "%s/disk.raw", getenv("LAB_DIR"));
	fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0666);
	if (fd < 0 || ftruncate(fd, 1 << 20) < 0)
		tap_bail("%s: %s", path, strerror(errno));
	close(fd);
	create.domain_create.template = SLICE(
		"<domain><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>"
		"<disk type='file'><source file='/run/remuda-disk.raw'/>"
		"<target dev='vda' bus='virtio'/></disk></devices></domain>");
	char *xml = strdup(create.domain_create.template.ptr), with[1024];
	char *at = strstr(xml, "/run/remuda-disk.raw");
	*at = '\0';
	snprintf(with, sizeof(with), "%s%s%s", xml, path,
		 at + strlen("/run/remuda-disk.raw"));
	free(xml);
	create.domain_create.template = slice_of(with);
	is_int(peer_result(&hosts[2], &create, CALL_MS), WIRE_OK, "a machine with a disk");
	is_int(migrate(&hosts[2], 4, 3, 0, text, sizeof(text)), WIRE_FAILED,
	       "does not leave its disk: %s", text);
	ok(strstr(text, "storage") != NULL, "and says why");
	ok(has(&hosts[2], 4), "it runs here still");
	is_int(destroy(&hosts[2], 4, 1), WIRE_OK, "it ends");
}

/* ---- the end of a QEMU ------------------------------------------------------------ */

static int by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return x < y ? -1 : x > y;
}

/* SIGKILL to hint, in microseconds: the median of ROUNDS. */
static void measure_end(struct peer *p, const char *what)
{
	int64_t took[ROUNDS];
	int got = 0;

	for (int i = 0; i < ROUNDS; i++) {
		struct message create = create_message(5, (uint64_t)i + 1);

		if (peer_result(p, &create, CALL_MS) != WIRE_OK)
			break;
		/* A line opens after the create; nothing is told of it. */
		peer_pump(p, peer_now_us() + 300000);
		peer_poll(p, CALL_MS);
		int hints = p->hint_count;
		int64_t start_us = peer_now_us();
		kill(qemu_of(5), SIGKILL);
		const struct peer_hint *h = peer_wait_hint(
			p, hints, uuid_of(5), WIRE_HINT_STOPPED, 20000);
		if (h)
			took[got++] = h->at_us - start_us;
		destroy(p, 5, (uint64_t)i + 1);
	}
	is_int(got, ROUNDS, "%s: each end of a QEMU is told", what);
	qsort(took, (size_t)got, sizeof(took[0]), by_value);
	if (got == ROUNDS)
		tap_note("%s: SIGKILL to hint, median %lld us, least %lld, most %lld",
			 what, (long long)took[ROUNDS / 2], (long long)took[0],
			 (long long)took[ROUNDS - 1]);
}

static void test_end(void)
{
	static struct peer local;
	struct peer_done *d;

	measure_end(&hosts[3], "remote host");
	peer_start(&local);
	d = peer_open_host(&local, "qemu:///system", 30000);
	is_int(d->result, WIRE_OK, "a host of the role's own (%s)", d->text);
	free(d);
	measure_end(&local, "local host");
	is_int(peer_stop(&local), 0, "its role ends");
}

int main(void)
{
	if (!getenv("LAB_DIR"))
		tap_bail("run tests/lab/move.t: it sets the stage");
	test_up();
	test_stats();
	test_stats_frozen();
	test_resize();
	test_migrate();
	test_migrate_refused();
	test_migrate_role_killed();
	test_migrate_disk();
	test_end();
	/* Later roles hold copies of the earlier ones' sockets. */
	for (int n = HOSTS; n >= 1; n--) {
		is_int(destroy(&hosts[n], n, 1), WIRE_OK, "machine %d ends", n);
		is_int(peer_stop(&hosts[n]), 0, "and its host's role");
	}
	return tap_done();
}
