/*
 * The volumes of engine/hypervisor/storage.h against a libvirtd: what is made
 * is what was asked for, what is deleted is what was named, and nothing else.
 * tests/lab/storage.t sets the stage: argv is DIR, an empty folder, and BASE,
 * a qcow2 file.
 */
#include "engine/hypervisor/storage.h"

#include <libvirt/libvirt.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/hypervisor/host.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"
#include "tests/tap.h"

static virConnectPtr conn;
static struct host_facts facts = { .kind = HOST_QEMU, .local = true };
static struct host_site site = { .site = "lab" };
static struct error err;

static int64_t wall_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static bool exists(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (!f || fputs(text, f) == EOF || fclose(f) != 0)
		tap_bail("cannot write %s", path);
}

static void test_pool(const char *dir)
{
	struct storage st;
	char other[1100];

	is_int(storage_open(&st, conn, &facts, &site, &err), WIRE_OK,
	       "the pool is made: %s", err.text);
	storage_close(&st);
	is_int(storage_open(&st, conn, &facts, &site, &err), WIRE_OK,
	       "and found again");
	storage_close(&st);
	struct host_site elsewhere = site;
	snprintf(other, sizeof(other), "%s-other", dir);
	TEXT_SET(elsewhere.storage, other);
	is_int(storage_open(&st, conn, &facts, &elsewhere, &err), WIRE_FAILED,
	       "a pool of that name over another folder is refused");
	ok(strstr(err.text, dir) && strstr(err.text, other) &&
	   strstr(err.text, "pool-undefine"), "with both places and the fix: %s",
	   err.text);
	facts.kind = HOST_TEST;
	is_int(storage_open(&st, conn, &facts, &site, &err), WIRE_FAILED,
	       "the test driver has no storage");
	facts.kind = HOST_QEMU;
}

static void test_overlay(struct storage *st, const char *base)
{
	struct storage_file file = { .capacity = 0 };
	struct storage_volume v, same;
	struct stat before, now;

	TEXT_SET(file.path, base);
	is_int(storage_look(st, &file, &err), WIRE_OK, "the base: %s", err.text);
	is_text(file.format, "qcow2", "its format");
	is_int(file.capacity, 8 << 20, "its size");
	stat(base, &before);
	is_int(storage_overlay(st, "a-01.0.qcow2", &file, 0, &v, &err), WIRE_OK,
	       "an overlay: %s", err.text);
	ok(exists(v.key) && v.inode > 1, "is there: %s", v.key);
	struct storage_file made = { .capacity = 0 };
	TEXT_SET(made.path, v.key);
	is_int(storage_look(st, &made, &err), WIRE_OK, "can be looked at");
	is_int(made.capacity, 8 << 20, "as large as its base");
	is_int(storage_overlay(st, "a-01.0.qcow2", &file, 0, &same, &err),
	       WIRE_FAILED, "the same name again is refused: %s", err.text);
	is_int(storage_overlay(st, "a-01.0.1.qcow2", &made, 64 << 20, &same,
			       &err), WIRE_OK, "a larger one on it");
	TEXT_SET(made.path, same.key);
	storage_look(st, &made, &err);
	is_int(made.capacity, 64 << 20, "is larger");
	is_int(storage_delete(st, &same, 0, &err), WIRE_OK, "goes");
	ok(!exists(same.key) && exists(v.key), "it alone");
	is_int(storage_delete(st, &same, 0, &err), WIRE_OK, "gone is done");
	is_int(storage_delete(st, &v, 0, &err), WIRE_OK, "the other goes");
	ok(!exists(v.key), "too");
	stat(base, &now);
	ok(before.st_mtim.tv_nsec == now.st_mtim.tv_nsec &&
	   before.st_size == now.st_size, "the base is as it was");
}

static void test_copy(struct storage *st, const char *base)
{
	static char bytes[300 * 1024];
	struct storage_file file = { .capacity = 0 };
	struct storage_volume v;
	struct stat seen;

	TEXT_SET(file.path, base);
	is_int(storage_copy(st, "c-01.0.qcow2", "qcow2", &file, 16 << 20, &v, &err),
	       WIRE_OK, "a copy: %s", err.text);
	TEXT_SET(file.path, v.key);
	storage_look(st, &file, &err);
	is_int(file.capacity, 16 << 20, "grown");
	is_int(storage_delete(st, &v, 0, &err), WIRE_OK, "goes");
	memset(bytes, 'x', sizeof(bytes));
	is_int(storage_bytes(st, "c-01.0-seed.iso",
			     (struct slice){ bytes, sizeof(bytes) }, &v, &err),
	       WIRE_OK, "bytes: %s", err.text);
	is_int(stat(v.key, &seen), 0, "are there");
	is_int(seen.st_size, sizeof(bytes), "all of them");
	is_int(storage_delete(st, &v, 0, &err), WIRE_OK, "go");
	ok(!exists(v.key), "too");
}

/* What the row does not name stays. */
static void test_others(struct storage *st, const char *base)
{
	struct storage_file file = { .capacity = 0 };
	struct storage_volume v, intent = { .inode = 0 };
	char kept[1100];

	TEXT_SET(file.path, base);
	storage_overlay(st, "b-01.0.qcow2", &file, 0, &v, &err);
	struct storage_volume wrong = v;
	wrong.inode++;
	is_int(storage_delete(st, &wrong, 0, &err), WIRE_OK, "another inode");
	ok(exists(v.key), "deletes nothing");
	snprintf(kept, sizeof(kept), "%s.kept", v.key);
	rename(v.key, kept);
	write_file(v.key, "an operator's");
	is_int(storage_delete(st, &v, 0, &err), WIRE_OK, "a file put in its place");
	ok(exists(v.key), "stays");
	TEXT_SET(intent.name, "b-01.0.qcow2");
	is_int(storage_delete(st, &intent, wall_ms() + 60000, &err), WIRE_OK,
	       "an intent younger than the file");
	ok(exists(v.key), "deletes nothing");
	is_int(storage_delete(st, &intent, wall_ms() - 60000, &err), WIRE_OK,
	       "one older than the file");
	ok(!exists(v.key), "deletes it");
	unlink(kept);
	write_file(v.key, "not seen by libvirt");
	is_int(storage_delete(st, &intent, wall_ms() - 60000, &err), WIRE_OK,
	       "a file libvirt has not seen yet");
	ok(!exists(v.key), "goes as well");
	TEXT_SET(file.path, "/nowhere/at/all.qcow2");
	is_int(storage_look(st, &file, &err), WIRE_FAILED, "a missing base");
	ok(strstr(err.text, "/nowhere/at/all.qcow2"), "is named: %s", err.text);
}

int main(int argc, char **argv)
{
	struct storage st;

	if (argc != 3)
		tap_bail("usage: storage_calls DIR BASE");
	xml_init();
	virt_quiet();
	conn = virConnectOpen("qemu:///system");
	if (!conn)
		tap_bail("no libvirt: %s", virGetLastErrorMessage());
	TEXT_SET(site.storage, argv[1]);
	test_pool(argv[1]);
	if (storage_open(&st, conn, &facts, &site, &err) != WIRE_OK)
		tap_bail("no pool: %s", err.text);
	test_overlay(&st, argv[2]);
	test_copy(&st, argv[2]);
	test_others(&st, argv[2]);
	is_int(virConnectNumOfStoragePools(conn) +
		       virConnectNumOfDefinedStoragePools(conn), 1,
	       "no pool but ours is left");
	storage_close(&st);
	virConnectClose(conn);
	return tap_done();
}
