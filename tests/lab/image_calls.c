/*
 * domain_save and domain_restore with real guests: what comes back is the
 * moment of the save, under another incarnation, with a clock and random
 * numbers of its own; an image that does not fit is refused.  Started by image.t.
 */
#include "tests/unit/hypervisor_peer.h"

#include <fcntl.h>

#define UUID "5a7e0000-0000-4000-8000-000000000001"
#define NAME "image-01"
#define IMAGE NAME ".3.ram"
#define CMDLINE "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests"

enum { BOOT_MS = 120000, CALL_MS = 60000, MACHINE = 7 };

static char image[256], kept[300], key[256];

static bool boot(struct peer *p, uint64_t incarnation, bool disk)
{
	char volume[256] = "";
	int hints = p->hint_count;

	if (disk)
		snprintf(volume, sizeof(volume), "%s/data.raw", getenv("LAB_DIR"));
	struct message create = {
		.type = WIRE_TYPE_domain_create, .incarnation = incarnation,
		.domain_create = {
			.machine = MACHINE, .name = SLICE(NAME),
			.uuid = SLICE(UUID), .vcpus = 1, .memory_mib = 128,
			.kernel = slice_of(getenv("LAB_KERNEL")),
			.initrd = slice_of(getenv("LAB_INITRD")),
			.cmdline = SLICE(CMDLINE),
			.channels = SLICE("remuda.session"),
			.volume = slice_of(volume), .volume_mib = 4,
		},
	};
	return peer_result(p, &create, CALL_MS) == WIRE_OK &&
	       peer_wait_hint(p, hints, UUID, WIRE_HINT_AGENT_UP, BOOT_MS);
}

static struct peer_done *save(struct peer *p, uint64_t incarnation)
{
	struct message m = {
		.type = WIRE_TYPE_domain_save, .incarnation = incarnation,
		.domain_save = { MACHINE, SLICE(NAME), SLICE(UUID),
				 SLICE(IMAGE) },
	};
	int64_t start_us = peer_now_us();
	struct peer_done *d = peer_call(p, &m, CALL_MS);

	tap_note("save %lld ms", (long long)(peer_now_us() - start_us) / 1000);
	return d;
}

static struct peer_done *restore(struct peer *p, uint64_t incarnation,
				 const char *with_key)
{
	struct message m = {
		.type = WIRE_TYPE_domain_restore, .incarnation = incarnation,
		.domain_restore = { MACHINE, SLICE(NAME), SLICE(UUID),
				    SLICE(IMAGE), slice_of(with_key),
				    SLICE(""), SLICE("") },
	};
	int64_t start_us = peer_now_us();
	struct peer_done *d = peer_call(p, &m, CALL_MS);

	tap_note("restore %lld ms: %s", (long long)(peer_now_us() - start_us) / 1000,
		 d->text);
	return d;
}

static int destroy(struct peer *p, uint64_t incarnation)
{
	struct message m = {
		.type = WIRE_TYPE_domain_destroy, .incarnation = incarnation,
		.domain_destroy = { MACHINE, SLICE(NAME), SLICE(UUID), SLICE(IMAGE) },
	};

	return peer_result(p, &m, CALL_MS);
}

/* Output of a shell command in the guest; static. */
static const char *guest(struct peer *p, uint64_t incarnation, const char *command)
{
	static char out[1024];
	char argv[1024];
	int n = snprintf(argv, sizeof(argv), "/bin/sh%c-c%c%s", 0, 0, command) + 1;
	struct message m = {
		.type = WIRE_TYPE_agent_exec, .incarnation = incarnation,
		.agent_exec = { MACHINE, SLICE(UUID), { argv, (uint32_t)n },
				SLICE(""), 10000 },
	};
	struct peer_done *d = peer_call(p, &m, CALL_MS);

	if (d->result != WIRE_OK)
		tap_note("%s: %s", command, d->text);
	text_copy(out, sizeof(out), d->result == WIRE_OK ? d->out : "");
	free(d);
	return out;
}

static void copy_file(const char *from, const char *to)
{
	char command[600];

	snprintf(command, sizeof(command), "cp -a %s %s", from, to);
	if (system(command) != 0)
		tap_bail("%s", command);
}

static void test_save(struct peer *p)
{
	struct peer_done *d;

	guest(p, 3, "echo as-prepared >/tmp/canary; exec 3</dev/null; "
		    "(exec sleep 1000) >/dev/null 2>&1 &");
	d = save(p, 2);
	is_int(d->result, WIRE_FAILED, "a save of an older incarnation: %s", d->text);
	free(d);
	d = save(p, 3);
	is_int(d->result, WIRE_OK, "a machine is saved (%s)", d->text);
	ok(d->code > 16 << 20, "size of its image: %lld", (long long)d->code);
	ok(strstr(d->out, "QEMU ") && strstr(d->out, "q35") &&
	   strstr(d->out, "emulated"), "its key: %s", d->out);
	TEXT_SET(key, d->out);
	free(d);
	is_int(peer_poll(p, CALL_MS), WIRE_OK, "poll");
	ok(!peer_find(p, NAME), "no domain is left");
	d = save(p, 3);
	is_int(d->result, WIRE_FAILED, "saving what does not run: %s", d->text);
	free(d);
	ok(access(image, F_OK) == 0, "harms no image");
}

static void test_rounds(struct peer *p)
{
	char random[4][64];

	for (uint64_t n = 4; n < 8; n++) {
		struct peer_done *d = restore(p, n, key);

		is_int(d->result, WIRE_OK, "restored as %llu (%s)",
		       (unsigned long long)n, d->text);
		/* The first takes over from nothing: it was saved. */
		is_int(d->evidence, WIRE_EVIDENCE_ALL |
		       (n == 4 ? WIRE_WAS_OVER : 0), "with all its evidence");
		free(d);
		TEXT_SET(random[n - 4], guest(p, n, "head -c 16 /dev/urandom | hexdump -e '16/1 \"%02x\"'"));
		is_text(guest(p, n, "cat /tmp/canary"), "as-prepared\n",
			"RAM is that of the image");
		is_text(guest(p, n, "ps | grep -c '[s]leep 1000'"), "1\n",
			"and so is its process table");
		int64_t off = strtoll(guest(p, n, "date +%s"), NULL, 10) -
			      (int64_t)time(NULL);
		ok(off >= -2 && off <= 2, "the clock is off by %lld s", (long long)off);
		is_int(peer_poll(p, CALL_MS), WIRE_OK, "poll");
		const struct peer_seen *s = peer_find(p, NAME);
		ok(s && s->owner == WIRE_OWNER_OURS && s->incarnation == n &&
		   s->machine == MACHINE, "a poll sees the new incarnation, ours");
		guest(p, n, "echo a-user >/tmp/canary; killall sleep");
		for (uint64_t o = 4; o < n; o++)
			ok(strlen(random[n - 4]) == 32 &&
			   strcmp(random[n - 4], random[o - 4]) != 0,
			   "random numbers of %llu and %llu differ",
			   (unsigned long long)n, (unsigned long long)o);
	}
}

static void test_refusals(struct peer *p)
{
	struct peer_done *d = restore(p, 9, "QEMU 1.0.0, pc-1.0, processor emulated");

	is_int(d->result, WIRE_FAILED, "an image of another QEMU: %s", d->text);
	ok(strstr(d->text, "QEMU 1.0.0") && strstr(d->text, key),
	   "both are named");
	is_int(d->evidence, 0, "nothing is proved");
	free(d);
	d = restore(p, 5, key);
	is_int(d->result, WIRE_FAILED, "a restore of an older incarnation: %s",
	       d->text);
	free(d);
	is_text(guest(p, 7, "cat /tmp/canary"), "a-user\n",
		"what runs was not touched by either");
}

/* Its agent and helper are gone at the moment of the image. */
static void test_dead_guest(struct peer *p)
{
	struct peer_done *d;

	guest(p, 7, "mv /usr/lib/remuda/resume /tmp/gone");
	d = save(p, 7);
	is_int(d->result, WIRE_OK, "saved without the helper");
	free(d);
	d = restore(p, 10, key);
	is_int(d->result, WIRE_FAILED, "a guest that cannot reseed is no clean machine: %s",
	       d->text);
	ok(strstr(d->text, "perl"), "what would help is named");
	free(d);
	guest(p, 10, "mv /tmp/gone /usr/lib/remuda/resume; "
		     "(sleep 1; killall -STOP qemu-ga) >/dev/null 2>&1 &");
	struct message ping = { .type = WIRE_TYPE_agent_ping,
				.agent_ping = { MACHINE, SLICE(UUID) } };
	int64_t end_us = peer_now_us() + 30 * 1000000;
	while (peer_result(p, &ping, CALL_MS) == WIRE_OK && peer_now_us() < end_us)
		;
	d = save(p, 10);
	is_int(d->result, WIRE_OK, "a guest whose agent hangs can be saved (%s)",
	       d->text);
	free(d);
	d = restore(p, 11, key);
	ok(d->result != WIRE_OK, "and does not count when it comes back: %s", d->text);
	free(d);
	copy_file(image, kept);
	is_int(destroy(p, 11), WIRE_OK, "it can be destroyed");
	ok(access(image, F_OK) < 0, "and its image with it");
	copy_file(kept, image);
}

static void test_damage(struct peer *p)
{
	struct peer_done *d;
	int fd = open(image, O_WRONLY);

	ok(fd >= 0 && ftruncate(fd, 8 << 20) == 0, "an image is cut short");
	close(fd);
	d = restore(p, 12, key);
	ok(d->result != WIRE_OK, "and not restored: %s", d->text);
	free(d);
	unlink(image);
	d = restore(p, 12, key);
	is_int(d->result, WIRE_FAILED, "nor one that is gone: %s", d->text);
	free(d);
	is_int(destroy(p, 12), WIRE_OK, "nothing is left of either");
}

static void test_disk(struct peer *p)
{
	ok(boot(p, 13, true), "a machine with a disk of its own");
	struct peer_done *d = save(p, 13);
	is_int(d->result, WIRE_FAILED, "cannot be saved: %s", d->text);
	free(d);
	is_int(destroy(p, 13), WIRE_OK, "destroyed");
}

int main(void)
{
	static struct peer p;

	if (!getenv("LAB_KERNEL"))
		tap_bail("run tests/lab/image.t: it sets the stage");
	snprintf(image, sizeof(image), "%s/" IMAGE, getenv("LAB_DIR"));
	snprintf(kept, sizeof(kept), "%s.kept", image);
	peer_start(&p);
	struct peer_done *d = peer_open_host(&p, "auto", 30000);
	is_int(d->result, WIRE_OK, "the host opens (%s)", d->text);
	free(d);
	ok(!p.state.isolated, "a libvirt without AppArmor and SELinux does not count as isolating");
	if (!ok(boot(&p, 3, false), "a machine is made"))
		tap_bail("nothing to test without a machine");
	test_save(&p);
	test_rounds(&p);
	test_refusals(&p);
	test_dead_guest(&p);
	test_damage(&p);
	test_disk(&p);
	is_int(peer_stop(&p), 0, "the role ends");
	return tap_done();
}
