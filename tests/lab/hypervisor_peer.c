/*
 * The hypervisor role with real guests; started by hypervisor.t inside its
 * namespaces.  Times are notes, never conditions, but for the deadlines that
 * are part of the promise.
 */
#include "tests/unit/hypervisor_peer.h"

#include <dirent.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>

#define UUID_A "aaaaaaaa-aaaa-4aaa-8aaa-aaaaaaaaaaaa"
#define UUID_FOREIGN "99999999-9999-4999-8999-999999999999"
#define NAME_A "lab-01"

enum { BOOT_MS = 60000, CALL_MS = 20000, MACHINE_A = 41 };

static char volume[256];

static struct message create_message(uint64_t incarnation)
{
	return (struct message){
		.type = WIRE_TYPE_domain_create,
		.incarnation = incarnation,
		.domain_create = {
			.machine = MACHINE_A, .name = SLICE(NAME_A),
			.uuid = SLICE(UUID_A), .vcpus = 1, .memory_mib = 128,
			.kernel = slice_of(getenv("LAB_KERNEL")),
			.initrd = slice_of(getenv("LAB_INITRD")),
			.cmdline = SLICE("console=ttyS0 quiet"),
			.channels = SLICE("remuda.app,remuda.second"),
			.volume = slice_of(volume), .volume_mib = 64,
		},
	};
}

static struct message destroy_message(const char *uuid, uint64_t incarnation)
{
	return (struct message){
		.type = WIRE_TYPE_domain_destroy, .incarnation = incarnation,
		.domain_destroy = { MACHINE_A, SLICE(NAME_A), slice_of(uuid) },
	};
}

static struct message ping_message(void)
{
	return (struct message){
		.type = WIRE_TYPE_agent_ping, .incarnation = 0,
		.agent_ping = { MACHINE_A, SLICE(UUID_A) },
	};
}

/* Creates and waits for the agent, with notes of the times. */
static bool boot(struct peer *p, uint64_t incarnation)
{
	struct message create = create_message(incarnation);
	int hints = p->hint_count;
	int64_t start_us = peer_now_us();

	if (peer_result(p, &create, BOOT_MS) != WIRE_OK)
		return false;
	int64_t created_us = peer_now_us();
	const struct peer_hint *up = peer_wait_hint(p, hints, UUID_A,
						    WIRE_HINT_AGENT_UP, BOOT_MS);
	struct message ping = ping_message();
	int pings = 0;
	while (up && peer_result(p, &ping, CALL_MS) != WIRE_OK && ++pings < 50)
		;
	tap_note("create %lld ms, agent hint %lld ms, agent answers %lld ms after the call",
		 (long long)(created_us - start_us) / 1000,
		 up ? (long long)(up->at_us - start_us) / 1000 : -1LL,
		 (long long)(peer_now_us() - start_us) / 1000);
	return up && pings < 50;
}

static struct message exec_message(const char *argv, size_t length,
				   const char *input, int64_t timeout_ms)
{
	return (struct message){
		.type = WIRE_TYPE_agent_exec,
		.agent_exec = { MACHINE_A, SLICE(UUID_A),
				{ argv, (uint32_t)length }, slice_of(input),
				timeout_ms },
	};
}

/* Runs a shell command in the guest. */
static struct peer_done *shell(struct peer *p, const char *command,
			       const char *input, int64_t timeout_ms)
{
	char argv[2048];
	int n = snprintf(argv, sizeof(argv), "sh%c-c%c%s", 0, 0, command) + 1;
	struct message m = exec_message(argv, (size_t)n, input, timeout_ms);

	return peer_call(p, &m, timeout_ms + CALL_MS);
}

static void test_open(struct peer *p)
{
	struct peer_done *d = peer_open_host(p, "auto", 30000);

	is_int(d->result, WIRE_OK, "auto opens (%s)", d->text);
	free(d);
	is_text(p->uri, "qemu:///system", "root gets the system daemon");
	ok(strstr(p->version, "libvirt ") && strstr(p->version, " qemu "),
	   "version: %s", p->version);
	tap_note("kvm %d: %s", p->state.kvm, p->text);
}

static void test_exec(struct peer *p)
{
	struct peer_done *d = shell(p, "cat; echo wrong >&2; exit 7", "hello there", 5000);

	is_int(d->result, WIRE_OK, "a command runs (%s)", d->text);
	is_text(d->out, "hello there", "its input comes back as output");
	is_text(d->errout, "wrong\n", "its error output");
	is_int(d->code, 7, "its exit code");
	free(d);
	d = shell(p, "kill -9 $$", "", 5000);
	is_int(d->code, 128 + 9, "a killed command counts as 128 + signal");
	free(d);
	d = shell(p, "head -c 100000 /dev/zero | tr '\\0' x", "", 10000);
	is_int(d->out_length, 24 * 1024, "output is capped at 24 KiB");
	ok(strstr(d->text, "truncated") != NULL, "and said to be");
	free(d);
	struct message m = exec_message("/no/such/program", 17, "", 5000);
	d = peer_call(p, &m, CALL_MS);
	is_int(d->result, WIRE_FAILED, "a program that is not there: %s", d->text);
	free(d);
	m = exec_message("sleep\0" "30", 9, "", 30000);
	uint64_t slow = peer_send(p, &m);
	struct message ping = ping_message();
	is_int(peer_result(p, &ping, 3000), WIRE_OK,
	       "the agent answers while a command runs");
	m = exec_message("sleep\0" "30", 9, "", 300);
	d = peer_call(p, &m, 5000);
	ok(d->result == WIRE_UNKNOWN && strstr(d->text, "300 ms"),
	   "a command over its time is unknown: %s", d->text);
	free(d);
	int64_t start_us = peer_now_us();
	enum { ROUNDS = 20 };
	for (int i = 0; i < ROUNDS; i++) {
		m = exec_message("true", 5, "", 5000);
		d = peer_call(p, &m, CALL_MS);
		if (d->result != WIRE_OK || d->code != 0)
			ok(false, "true: %s", d->text);
		free(d);
	}
	tap_note("exec %lld us", (long long)(peer_now_us() - start_us) / ROUNDS);
	start_us = peer_now_us();
	for (int i = 0; i < ROUNDS; i++)
		peer_result(p, &ping, CALL_MS);
	tap_note("ping %lld us", (long long)(peer_now_us() - start_us) / ROUNDS);
	m = exec_message("killall\0" "sleep", 14, "", 5000);
	d = peer_call(p, &m, CALL_MS);
	is_int(d->code, 0, "the slow command is ended");
	free(d);
	d = peer_wait(p, slow, 5000);
	ok(d->result == WIRE_OK && d->code == 128 + 15, "and its call answered");
	free(d);
}

static void sha256_hex(const void *bytes, size_t length, char out[65])
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int n = 0;

	EVP_Digest(bytes, length, digest, &n, EVP_sha256(), NULL);
	for (unsigned int i = 0; i < n; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void test_write(struct peer *p)
{
	static char bytes[50000];
	char hex[65];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(i * 7 + i / 251);
	sha256_hex(bytes, sizeof(bytes), hex);
	struct message m = {
		.type = WIRE_TYPE_agent_write,
		.agent_write = { MACHINE_A, SLICE(UUID_A), SLICE("/tmp/a file"),
				 { bytes, sizeof(bytes) }, 0640 },
	};
	int64_t start_us = peer_now_us();
	is_int(peer_result(p, &m, CALL_MS), WIRE_OK, "a file is written");
	tap_note("write of 50 kB with mode: %lld us",
		 (long long)(peer_now_us() - start_us));
	struct peer_done *d = shell(p, "sha256sum '/tmp/a file'; stat -c %a '/tmp/a file'",
				    "", 5000);
	ok(strncmp(d->out, hex, 64) == 0, "with these bytes");
	ok(strstr(d->out, "\n640\n") != NULL, "and this mode");
	free(d);
	m.agent_write.path = SLICE("/no/such/dir/file");
	is_int(peer_result(p, &m, CALL_MS), WIRE_FAILED, "into no folder: refused");
	m.agent_write.path = SLICE("relative");
	is_int(peer_result(p, &m, CALL_MS), WIRE_FAILED, "a relative path: refused");
	d = shell(p, "ls -l /proc/$(pidof qemu-ga)/fd | grep -c 'a file'", "", 5000);
	is_text(d->out, "0\n", "no file stays open in the agent");
	free(d);
}

/* Reads until text is seen or the deadline. */
static bool read_until(int fd, const char *text, int64_t ms)
{
	int64_t deadline_us = peer_now_us() + ms * 1000;
	char have[8192] = "";
	size_t length = 0;

	while (peer_now_us() < deadline_us) {
		struct pollfd pfd = { .fd = fd, .events = POLLIN };

		poll(&pfd, 1, 100);
		ssize_t n = read(fd, have + length, sizeof(have) - 1 - length);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0)
			return false;
		length += (size_t)n;
		have[length] = '\0';
		if (strstr(have, text))
			return true;
		if (length > sizeof(have) / 2)
			length = 0;
	}
	return false;
}

static struct message channel_message(const char *name)
{
	return (struct message){
		.type = WIRE_TYPE_channel_open,
		.channel_open = { MACHINE_A, SLICE(UUID_A), slice_of(name) },
	};
}

/* Opens the echo channel and sends something through it. */
static bool echo_works(struct peer *p, const char *what)
{
	struct message m = channel_message("remuda.app");
	struct peer_done *d = peer_call(p, &m, 5000);
	bool good = false;

	if (d->result != WIRE_OK)
		tap_note("channel_open: %s", d->text);
	if (d->fd >= 0) {
		good = write(d->fd, what, strlen(what)) == (ssize_t)strlen(what) &&
		       read_until(d->fd, what, 10000);
		close(d->fd);
	}
	free(d);
	return good;
}

static void test_channel(struct peer *p)
{
	int64_t start_us = peer_now_us();
	struct message m = channel_message("remuda.app");
	struct peer_done *d = peer_call(p, &m, 5000);

	tap_note("channel open %lld us", (long long)(peer_now_us() - start_us));
	is_int(d->result, WIRE_OK, "a channel opens (%s)", d->text);
	close(d->fd);
	free(d);
	ok(echo_works(p, "first words\n"), "an echo comes through it");
	ok(echo_works(p, "second words\n"), "and again after a close");
	m = channel_message("remuda.none");
	d = peer_call(p, &m, 5000);
	ok(d->result == WIRE_FAILED && strstr(d->text, "remuda.none"),
	   "a channel it has not: %s", d->text);
	free(d);
}

static void test_console(struct peer *p)
{
	struct message m = { .type = WIRE_TYPE_console_open,
			     .console_open = { MACHINE_A, SLICE(UUID_A) } };
	struct peer_done *first = peer_call(p, &m, 5000);

	is_int(first->result, WIRE_OK, "the console opens (%s)", first->text);
	struct peer_done *d = shell(p, "echo '<1>the kernel speaks' > /dev/kmsg",
				    "", 5000);
	free(d);
	ok(read_until(first->fd, "the kernel speaks", 10000),
	   "it shows what the kernel says");
	d = peer_call(p, &m, 5000);
	is_int(d->result, WIRE_FAILED, "a second one is refused: %s", d->text);
	free(d);
	close(first->fd);
	free(first);
	d = peer_call(p, &m, 5000);
	is_int(d->result, WIRE_OK, "right after its close it opens again");
	if (d->fd >= 0)
		close(d->fd);
	free(d);
}

static void test_volume(struct peer *p)
{
	struct stat st;
	struct peer_done *d = shell(p, "cat /sys/block/vda/size /sys/block/vda/serial",
				    "", 5000);

	is_text(d->out, "131072\ndata", "the guest has its data disk");
	free(d);
	is_int(stat(volume, &st), 0, "its file is there");
	ok(st.st_size == 64 << 20 && (st.st_mode & 0777) == 0600 &&
	   st.st_blocks < 1000, "sparse and private");
	d = shell(p, "echo written once | dd of=/dev/vda 2>/dev/null && sync", "", 5000);
	is_int(d->code, 0, "the guest writes on it");
	free(d);
}

static void test_ownership(struct peer *p)
{
	struct message m = destroy_message(UUID_FOREIGN, 1);
	struct peer_done *d = peer_call(p, &m, CALL_MS);

	ok(d->result == WIRE_FAILED && strstr(d->text, "not ours"),
	   "destroy of a foreign domain: %s", d->text);
	free(d);
	m = destroy_message(UUID_A, 2);
	d = peer_call(p, &m, CALL_MS);
	ok(d->result == WIRE_FAILED && strstr(d->text, "stale"),
	   "destroy by an older incarnation: %s", d->text);
	free(d);
	m = create_message(3);
	is_int(peer_result(p, &m, CALL_MS), WIRE_OK, "create again is done already");
	is_int(peer_poll(p, CALL_MS), WIRE_OK, "poll");
	is_int(p->seen_count, 2, "two domains are there");
	const struct peer_seen *s = peer_find(p, "foreign");
	ok(s && s->owner == WIRE_OWNER_FOREIGN && s->state == WIRE_DOMAIN_PAUSED,
	   "the foreign one is untouched");
	s = peer_find(p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_OURS && s->machine == MACHINE_A &&
	   s->incarnation == 3, "and ours is ours");
	int64_t start_us = peer_now_us();
	for (int i = 0; i < 20; i++)
		peer_poll(p, CALL_MS);
	tap_note("poll of 2 domains %lld us",
		 (long long)(peer_now_us() - start_us) / 20);
}

static pid_t read_pid(const char *path)
{
	char text[32] = "";
	int fd = open(path, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		tap_bail("%s: %s", path, strerror(errno));
	close(fd);
	return (pid_t)strtol(text, NULL, 10);
}

/* Polls until the machine is there or not. */
static bool poll_until(struct peer *p, bool there, int64_t ms)
{
	int64_t deadline_us = peer_now_us() + ms * 1000;

	do {
		if (peer_poll(p, CALL_MS) == WIRE_OK &&
		    (peer_find(p, NAME_A) != NULL) == there)
			return true;
	} while (peer_now_us() < deadline_us);
	return false;
}

static void test_qemu_killed(struct peer *p)
{
	pid_t pid = read_pid("/run/libvirt/qemu/" NAME_A ".pid");
	int hints = p->hint_count;
	int64_t start_us = peer_now_us();

	kill(pid, SIGKILL);
	const struct peer_hint *h = peer_wait_hint(p, hints, UUID_A,
						   WIRE_HINT_STOPPED, 1000);
	ok(h != NULL, "a killed QEMU is told within a second");
	if (h)
		tap_note("hint after %lld us", (long long)(h->at_us - start_us));
	ok(poll_until(p, false, 10000), "the poll shows it gone");
	tap_note("poll agreed after %lld ms",
		 (long long)(peer_now_us() - start_us) / 1000);
	struct message ping = ping_message();
	is_int(peer_result(p, &ping, 5000), WIRE_FAILED, "its agent is gone");
	struct message channel = channel_message("remuda.app");
	is_int(peer_result(p, &channel, 5000), WIRE_FAILED, "its channel too");
	struct message destroy = destroy_message(UUID_A, 3);
	is_int(peer_result(p, &destroy, 5000), WIRE_OK, "its destroy is done");
}

static void test_role_killed(struct peer *p)
{
	kill(p->pid, SIGKILL);
	peer_stop(p);
	peer_start(p);
	struct peer_done *d = peer_open_host(p, "auto", 30000);
	is_int(d->result, WIRE_OK, "a new role opens");
	free(d);
	is_int(peer_poll(p, CALL_MS), WIRE_OK, "polls");
	const struct peer_seen *s = peer_find(p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_OURS && s->machine == MACHINE_A &&
	   s->incarnation == 4, "and finds the same machine");
	ok(echo_works(p, "after the restart\n"), "its channel works");
}

static void test_other_site(void)
{
	struct peer p;
	struct message open = {
		.type = WIRE_TYPE_host_open,
		.host_open = { SLICE("auto"), SLICE("lab"),
			       SLICE("another key, as long as it has to be") },
	};

	peer_start(&p);
	is_int(peer_result(&p, &open, 30000), WIRE_OK, "a site with another key");
	peer_poll(&p, CALL_MS);
	const struct peer_seen *s = peer_find(&p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_FOREIGN && s->machine == 0,
	   "sees our machine as foreign");
	struct message m = destroy_message(UUID_A, 4);
	is_int(peer_result(&p, &m, CALL_MS), WIRE_FAILED, "and cannot destroy it");
	struct message ping = ping_message();
	is_int(peer_result(&p, &ping, CALL_MS), WIRE_FAILED, "nor speak to it");
	is_int(peer_stop(&p), 0, "and ends");
}

/* A user of the group libvirt: the ports' sockets are closed to him. */
static void test_as_user(void)
{
	struct group *group = getgrnam("libvirt");
	static struct peer p;

	if (!group) {
		tap_skip(7, "there is no group libvirt");
		return;
	}
	peer_start_as(&p, 65534, group->gr_gid);
	struct peer_done *d = peer_open_host(&p, "qemu:///system", 30000);
	is_int(d->result, WIRE_OK, "the role runs as another user (%s)", d->text);
	free(d);
	is_int(peer_poll(&p, CALL_MS), WIRE_OK, "polls");
	const struct peer_seen *s = peer_find(&p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_OURS, "and finds the machine");
	ok(echo_works(&p, "through libvirt's stream\n"), "opens its channel");
	ok(echo_works(&p, "and once more\n"), "and opens it again");
	d = shell(&p, "echo ran", "", 5000);
	is_text(d->out, "ran\n", "and runs a command");
	free(d);
	is_int(peer_stop(&p), 0, "and ends");
}

/* A user without rights has a daemon of his own, which libvirt starts. */
static void test_user_session(void)
{
	static struct peer p;
	const char *dir = "/run/lab-user";

	if (mkdir(dir, 0700) < 0 || chown(dir, 65534, 65534) < 0)
		tap_bail("%s: %s", dir, strerror(errno));
	setenv("XDG_RUNTIME_DIR", dir, 1);
	setenv("HOME", dir, 1);
	volume[0] = '\0';
	peer_start_as(&p, 65534, 65534);
	struct peer_done *d = peer_open_host(&p, "auto", BOOT_MS);
	is_int(d->result, WIRE_OK, "a user's daemon is started (%s)", d->text);
	free(d);
	is_text(p.uri, "qemu:///session", "auto is his own");
	ok(boot(&p, 1), "his machine is made and its agent answers");
	ok(echo_works(&p, "in a user's session\n"), "its channel works");
	int hints = p.hint_count;
	int64_t start_us = peer_now_us();
	kill(read_pid("/run/lab-user/libvirt/qemu/run/" NAME_A ".pid"), SIGKILL);
	const struct peer_hint *h = peer_wait_hint(&p, hints, UUID_A,
						   WIRE_HINT_STOPPED, 1000);
	ok(h != NULL, "its end is told within a second");
	ok(poll_until(&p, false, 10000), "and seen by the poll");
	tap_note("hint after %lld us, poll after %lld ms",
		 h ? (long long)(h->at_us - start_us) : -1LL,
		 (long long)(peer_now_us() - start_us) / 1000);
	is_int(peer_stop(&p), 0, "and the role ends");
}

static void test_daemon_stopped(struct peer *p)
{
	pid_t daemon = read_pid("/run/libvirtd-lab.pid");
	struct message ping = ping_message();

	/* The cache must know the machine before the daemon hangs. */
	is_int(peer_result(p, &ping, 5000), WIRE_OK, "the agent answers");
	kill(daemon, SIGSTOP);
	uint64_t hanging = peer_send(p, &ping);
	ok(echo_works(p, "while it hangs\n"),
	   "a channel opens while libvirtd hangs");
	struct message probe = { .type = WIRE_TYPE_tcp_probe,
				 .tcp_probe = { MACHINE_A, SLICE("127.0.0.1:1"),
						1000 } };
	is_int(peer_result(p, &probe, 5000), WIRE_FAILED, "a probe is answered");
	kill(daemon, SIGCONT);
	struct peer_done *d = peer_wait(p, hanging, CALL_MS);
	is_int(d->result, WIRE_OK, "then the call that hung is answered");
	free(d);
}

/* Until keepalive gives the daemon up; takes half a minute. */
static void test_daemon_stopped_long(struct peer *p)
{
	pid_t daemon = read_pid("/run/libvirtd-lab.pid");
	struct message m = exec_message("true", 5, "", 60000);
	struct message poll_call = { .type = WIRE_TYPE_host_poll };
	int64_t start_us = peer_now_us(), deadline_us = start_us + 60 * 1000000;

	kill(daemon, SIGSTOP);
	uint64_t hanging = peer_send(p, &m);
	uint64_t polling = peer_send(p, &poll_call);
	/* As many as the role has threads for. */
	uint64_t others[3];
	for (int i = 0; i < 3; i++) {
		char uuid[] = "00000000-0000-4000-8000-000000000000";
		struct message other = { .type = WIRE_TYPE_agent_ping,
					 .agent_ping = { 50 + i, slice_of(uuid) } };

		uuid[35] = (char)('1' + i);
		others[i] = peer_send(p, &other);
	}
	while (p->state.up && peer_pump(p, deadline_us))
		;
	ok(!p->state.up, "a daemon that hangs is given up: %s", p->text);
	tap_note("after %lld ms", (long long)(peer_now_us() - start_us) / 1000);
	struct peer_done *d = peer_wait(p, polling, 5000);
	ok(d->result != WIRE_OK, "the poll ends: %s", d->text);
	free(d);
	d = peer_wait(p, hanging, 5000);
	ok(d->result != WIRE_OK, "the command's call ends (%d): %s", d->result,
	   d->text);
	free(d);
	for (int i = 0; i < 3; i++) {
		d = peer_wait(p, others[i], 5000);
		ok(d->result != WIRE_OK, "so does call %d (%d): %s", i, d->result, d->text);
		free(d);
	}
	ok(echo_works(p, "while it is down\n"), "a channel opens all the same");
	kill(daemon, SIGCONT);
	deadline_us = peer_now_us() + 60 * 1000000;
	start_us = peer_now_us();
	while (!p->state.up && peer_pump(p, deadline_us))
		;
	ok(p->state.up, "it comes back by itself");
	tap_note("after %lld ms", (long long)(peer_now_us() - start_us) / 1000);
	ok(poll_until(p, true, 20000), "with the machine");
}

static void run_program(char *const argv[])
{
	int status = -1;
	pid_t pid = fork();

	if (pid == 0) {
		execvp(argv[0], argv);
		_exit(127);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		tap_bail("%s does not run", argv[0]);
}

static void test_daemon_killed(struct peer *p)
{
	pid_t daemon = read_pid("/run/libvirtd-lab.pid");
	int states = p->states;
	int64_t deadline_us = peer_now_us() + 20 * 1000000;
	struct message open_it = { .type = WIRE_TYPE_console_open,
				   .console_open = { MACHINE_A, SLICE(UUID_A) } };
	struct peer_done *console = peer_call(p, &open_it, 5000);

	is_int(console->result, WIRE_OK, "a console is open (%s)", console->text);
	kill(daemon, SIGKILL);
	while (p->states == states && peer_pump(p, deadline_us))
		;
	ok(p->states > states && !p->state.up, "a killed libvirtd: down: %s", p->text);
	int64_t start_us = peer_now_us();
	read_until(console->fd, "never seen", 5000);
	ok(peer_now_us() - start_us < 5000000, "the console ends with it");
	close(console->fd);
	free(console);
	struct message ping = ping_message();
	struct peer_done *d = peer_call(p, &ping, 5000);
	is_int(d->result, WIRE_FAILED, "a call then: %s", d->text);
	free(d);
	ok(echo_works(p, "without a daemon\n"), "a channel opens without a daemon");
	char *argv[] = { "sh", "-c", getenv("LAB_LIBVIRTD"), NULL };
	run_program(argv);
	deadline_us = peer_now_us() + 60 * 1000000;
	while (!p->state.up && peer_pump(p, deadline_us))
		;
	ok(p->state.up, "the new one is found without being told");
	ok(poll_until(p, true, 20000), "and the machine is still there");
	const struct peer_seen *s = peer_find(p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_OURS && s->incarnation == 4, "and ours");
	ok(peer_result(p, &ping, 5000) == WIRE_OK, "its agent answers");
}

/* A QEMU that does nothing any more: only its own calls may take long. */
static void test_guest_frozen(struct peer *p)
{
	pid_t pid = read_pid("/run/libvirt/qemu/" NAME_A ".pid");
	struct message ping = ping_message();
	int64_t start_us = peer_now_us();

	kill(pid, SIGSTOP);
	uint64_t hanging = peer_send(p, &ping);
	is_int(peer_poll(p, 5000), WIRE_OK, "poll with a frozen guest");
	tap_note("poll with a frozen guest %lld us",
		 (long long)(peer_now_us() - start_us));
	const struct peer_seen *s = peer_find(p, NAME_A);
	ok(s && s->owner == WIRE_OWNER_OURS, "it is still listed");
	struct peer_done *d = peer_wait(p, hanging, 10000);
	is_int(d->result, WIRE_FAILED, "its agent does not answer: %s", d->text);
	tap_note("ping of a frozen guest %lld ms",
		 (long long)(peer_now_us() - start_us) / 1000);
	free(d);
}

static void test_end(struct peer *p)
{
	struct message m = destroy_message(UUID_A, 4);
	int64_t start_us = peer_now_us();

	is_int(peer_result(p, &m, BOOT_MS), WIRE_OK, "destroy");
	tap_note("destroy %lld ms", (long long)(peer_now_us() - start_us) / 1000);
	is_int(peer_poll(p, CALL_MS), WIRE_OK, "poll");
	ok(!peer_find(p, NAME_A) && peer_find(p, "foreign"),
	   "ours is gone, the foreign domain is still there");
	is_int(peer_stop(p), 0, "the role ends with its engine");
}

int main(void)
{
	static struct peer p;
	char first[16] = "";

	if (!getenv("LAB_KERNEL"))
		tap_bail("run tests/lab/hypervisor.t: it sets the stage");
	snprintf(volume, sizeof(volume), "%s/data.raw", getenv("LAB_DIR"));
	peer_start(&p);
	test_open(&p);
	if (!ok(boot(&p, 3), "a machine is made and its agent answers"))
		tap_bail("nothing to test without a machine");
	test_exec(&p);
	test_write(&p);
	test_channel(&p);
	test_console(&p);
	test_volume(&p);
	test_ownership(&p);
	test_qemu_killed(&p);
	if (!ok(boot(&p, 4), "its next incarnation is made"))
		tap_bail("nothing to test without a machine");
	struct peer_done *d = shell(&p, "head -c 12 /dev/vda", "", 5000);
	text_copy(first, sizeof(first), d->out);
	is_text(first, "written once", "its data disk was kept");
	free(d);
	test_role_killed(&p);
	test_other_site();
	test_as_user();
	test_daemon_stopped(&p);
	test_daemon_stopped_long(&p);
	test_daemon_killed(&p);
	test_guest_frozen(&p);
	test_end(&p);
	test_user_session();
	return tap_done();
}
