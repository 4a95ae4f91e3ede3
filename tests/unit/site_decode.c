/*
 * site_decode believes nothing: every missing, added, doubled or mistyped key,
 * every number out of range and every loose reference is refused, and no
 * damaged text harms it.
 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/loop/site.h"
#include "tests/tap.h"

#define PLACE "\"file\":\"site.lua\",\"line\":3"

static const char good[] =
	"{\"version\":1,\"bundle\":\"abc\",\"name\":\"demo\"," PLACE ","
	"\"peers\":true,\"history_ms\":86400000,\"history_events_ms\":2,"
	"\"history_hours_ms\":3,\"history_audit_ms\":4,\"reserve\":true,"
	"\"disk_reserve_mib\":5,\"alarm\":\"/bin/true\","
	"\"metrics_ip\":\"127.0.0.1\",\"metrics_port\":9090,\"stats_ms\":10000,"
	"\"hosts\":[{\"name\":\"here\"," PLACE ",\"uri\":\"auto\","
	"\"boot_parallel\":2,\"site\":\"north\",\"labels\":[\"ssd\"],\"vcpus\":16,"
	"\"memory_mib\":65536,\"migrate\":\"tcp://10.0.0.1\"}],"
	"\"applications\":[{\"name\":\"mail\"," PLACE ",\"endpoint\":\"tcp\","
	"\"endpoint_host\":\"10.0.7.{index}\",\"endpoint_port\":25,"
	"\"identity\":\"agent\",\"connections\":\"shared\",\"agent\":true,\"resources\":[\"files\"],"
	"\"hooks\":[\"accept\",\"clean\"],\"prepared\":\"\",\"prepare_deadline_ms\":60000,"
	"\"ready_deadline_ms\":60000,\"accept_deadline_ms\":10000,"
	"\"clean_deadline_ms\":20000,\"half_close_limit_ms\":300000,"
	"\"limit\":7,\"idle_ms\":60000,\"longest_ms\":600000,\"warn_ms\":60000,\"linger_ms\":120000},"
	"{\"name\":\"web\"," PLACE ",\"endpoint\":\"unix\","
	"\"endpoint_path\":\"/run/{machine}.sock\",\"identity\":\"none\",\"connections\":\"one\","
	"\"agent\":false,\"resources\":[],\"hooks\":[\"start\",\"stop\",\"health\"],\"prepared\":\"0123\","
	"\"prepare_deadline_ms\":1,\"ready_deadline_ms\":1,"
	"\"accept_deadline_ms\":1,\"clean_deadline_ms\":1,"
	"\"half_close_limit_ms\":1,\"limit\":0}],"
	"\"pools\":[{\"name\":\"mail\"," PLACE ",\"application\":\"mail\","
	"\"host\":\"here\",\"hosts\":[\"here\"],\"labels\":[\"ssd\"],"
	"\"sites\":[\"north\"],\"spread\":\"none\",\"serve\":3,\"spare\":1,\"max\":4,\"kernel\":\"k\","
	"\"initrd\":\"i\",\"cmdline\":\"c\",\"vcpus\":1,\"memory_mib\":128,"
	"\"volume_mib\":64,\"recycle\":\"clean\",\"keep\":true,"
	"\"untrusted\":false,\"boot_deadline_ms\":60000,"
	"\"shrink_after_ms\":300000}],"
	"\"listeners\":[{\"name\":\"front\"," PLACE ",\"door\":\"direct\","
	"\"ip\":\"127.0.0.1\",\"port\":7070,\"user_source\":\"fixed\","
	"\"user\":\"anna\",\"applications\":[\"mail\"],\"wait_ms\":30000,\"extend_ms\":3600000,\"limit\":9,\"opening_deadline_ms\":10000,"
	"\"opening_per_source\":256},"
	"{\"name\":\"safe\"," PLACE ",\"door\":\"connect\","
	"\"ip\":\"::1\",\"port\":443,\"user_source\":\"network\","
	"\"networks\":[{\"network\":\"10.0.0.0/8\",\"user\":\"anna\"}],"
	"\"tls\":{\"certificate\":\"a\",\"key\":\"b\",\"client_ca\":\"c\","
	"\"client\":\"required\"},\"proxy\":[\"::1\"],"
	"\"applications\":[\"mail\"],\"wait_ms\":0,\"limit\":0,"
	"\"opening_deadline_ms\":10000,\"opening_per_source\":256},"
	"{\"name\":\"local\"," PLACE ",\"door\":\"native\","
	"\"path\":\"front.sock\",\"user_source\":\"peer\","
	"\"applications\":\"*\",\"wait_ms\":0,\"limit\":0,\"opening_deadline_ms\":10000,"
	"\"opening_per_source\":256},"
	"{\"name\":\"jump\"," PLACE ",\"door\":\"ssh\",\"ip\":\"::1\",\"port\":22,"
	"\"user_source\":\"key\",\"host_key\":\"k\",\"applications\":\"*\","
	"\"wait_ms\":0,\"limit\":0,\"opening_deadline_ms\":10000,"
	"\"opening_per_source\":256}],"
	"\"users\":[{\"name\":\"anna\"," PLACE ",\"password\":\"$y$x\","
	"\"token\":\"00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff\","
	"\"ssh_keys\":[\"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd\"],"
	"\"uid\":1000,\"applications\":[\"mail\"],\"limit\":10,"
	"\"disabled\":true,\"applications_open\":false},"
	"{\"name\":\"ben@x\"," PLACE ",\"login\":\"ben\",\"applications\":\"*\","
	"\"limit\":1,\"disabled\":false,\"applications_open\":true}],"
	"\"groups\":[{\"name\":\"team\"," PLACE ",\"members\":[\"anna\"],"
	"\"applications\":[\"web\"],\"applications_open\":false,"
	"\"priority\":2,\"limit\":5}],"
	"\"allows\":[{\"name\":\"rule-1\"," PLACE ",\"users\":[\"anna\"],"
	"\"groups\":[\"team\"],\"applications\":[\"mail\"],"
	"\"listeners\":[\"front\"]},{\"name\":\"rule-2\"," PLACE ","
	"\"users\":\"*\",\"groups\":[],\"applications\":\"*\","
	"\"listeners\":\"*\"}],"
	"\"resources\":[{\"name\":\"files\"," PLACE ",\"pool\":\"mail\","
	"\"identity\":\"proxy\",\"access\":[{\"user\":\"*\",\"allowed\":false},"
	"{\"user\":\"anna\",\"allowed\":true}]},"
	"{\"name\":\"db\"," PLACE ",\"ip\":\"127.0.0.1\",\"port\":5432,"
	"\"listen_ip\":\"10.0.7.254\",\"listen_port\":5432,"
	"\"ident_ip\":\"127.0.0.1\",\"ident_port\":113,"
	"\"identity\":\"ident\",\"access\":[{\"user\":\"@team\","
	"\"allowed\":true}]}],"
	"\"clusters\":[{\"name\":\"payroll\"," PLACE ",\"application\":\"web\","
	"\"ip\":\"10.0.0.50\",\"prefix\":24,\"interface\":\"br0\",\"port\":80,"
	"\"nodes\":2,\"min_nodes\":1,\"max_nodes\":8,\"vcpus\":2,\"min_vcpus\":1,"
	"\"max_vcpus\":4,\"memory_mib\":1024,\"min_memory_mib\":512,"
	"\"max_memory_mib\":2048,\"host\":\"here\",\"hosts\":\"*\","
	"\"labels\":[\"ssd\"],\"sites\":[\"north\"],\"spread\":\"hosts\",\"kernel\":\"k2\","
	"\"boot_deadline_ms\":60000,\"balance\":\"least-sessions\",\"busy\":1,"
	"\"replay\":true,\"wait_ms\":5000,\"drain_ms\":30000,"
	"\"health\":{\"request\":\"GET\",\"expect\":\"200\",\"interval_ms\":1000,"
	"\"timeout_ms\":1000,\"fall\":2,\"rise\":1},\"strategy\":\"move\","
	"\"cool_up_ms\":60000,\"cool_down_ms\":600000,"
	"\"calendar\":[{\"every\":\"Dec\",\"nodes\":4},"
	"{\"on\":\"2026-12-24\",\"nodes\":1,\"vcpus\":2,\"memory_mib\":1024}]}],"
	"\"rules\":[{\"name\":\"load\"," PLACE ",\"cluster\":\"payroll\","
	"\"every_ms\":30000,\"deadline_ms\":1000,\"version\":\"0123\"},"
	"{\"name\":\"spare\"," PLACE ",\"pool\":\"mail\",\"every_ms\":30000,"
	"\"deadline_ms\":1000,\"version\":\"4567\"}]}";

/* What may be left out, and then is not an error. */
static const char *const optional[] = {
	"alarm", "tls", "proxy", "initrd", "cmdline", "volume_mib", "password", "token", "uid", "login",
	"ssh_keys", "host_key",
	"idle_ms", "warn_ms", "linger_ms", "extend_ms", "listen_ip", "listen_port",
	"migrate", "expect",
	NULL,
};

/* Left out of a host, or of a calendar entry that says something else. */
static bool is_optional_in(const json_t *node, const char *key)
{
	static const char *const words[] = { "vcpus", "memory_mib", "nodes", NULL };

	for (int i = 0; words[i]; i++)
		if (strcmp(words[i], key) == 0)
			return json_object_get(node, "uri") ||
			       json_object_get(node, "on");
	return false;
}

static bool is_optional(const char *key)
{
	for (int i = 0; optional[i]; i++)
		if (strcmp(optional[i], key) == 0)
			return true;
	return false;
}

/* Decodes the tree; 0 or -1. */
static int decode(const json_t *root, struct error *err)
{
	struct site_spec s;
	char *text = json_dumps(root, 0);
	int rc = site_decode(text, strlen(text), &s, err);

	if (rc == 0)
		site_spec_fini(&s);
	else if (s.pools || s.pool_count || *s.name)
		tap_bail("an error left something in the struct");
	free(text);
	return rc;
}

static struct {
	int tried, wrong;
} count;

static void must_fail(const json_t *root, const char *what, const char *key)
{
	struct error err = { "" };

	count.tried++;
	if (decode(root, &err) == 0) {
		count.wrong++;
		tap_note("accepted: %s %s", what, key);
	} else if (!*err.text) {
		count.wrong++;
		tap_note("no text: %s %s", what, key);
	}
}

/* Breaks every object below node in every way, one at a time. */
static void damage(const json_t *root, json_t *node)
{
	static json_t *keys[4000];
	static int used;
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_array(node)) {
		json_array_foreach(node, i, value)
			damage(root, value);
		json_array_append_new(node, json_null());
		must_fail(root, "null in a list", "");
		json_array_remove(node, json_array_size(node) - 1);
	}
	if (!json_is_object(node))
		return;
	json_object_set_new(node, "extra", json_true());
	must_fail(root, "an unknown key in", json_string_value(
			  json_object_get(node, "name")));
	json_object_del(node, "extra");
	int first = used;
	json_object_foreach(node, key, value)
		keys[used++] = json_string(key);
	for (int k = first; k < used; k++) {
		key = json_string_value(keys[k]);
		value = json_incref(json_object_get(node, key));
		json_object_del(node, key);
		if (!is_optional(key) && !is_optional_in(node, key))
			must_fail(root, "missing", key);
		json_object_set_new(node, key, json_null());
		must_fail(root, "null as", key);
		json_object_set_new(node, key, json_real(1.5));
		must_fail(root, "real as", key);
		json_object_set_new(node, key, json_object());
		must_fail(root, "object as", key);
		if (json_is_integer(value)) {
			json_object_set_new(node, key, json_integer(-2));
			must_fail(root, "-2 as", key);
			json_object_set_new(node, key, json_integer(INT64_MAX));
			must_fail(root, "huge", key);
		}
		if (json_is_string(value)) {
			char *big = calloc(1, 5001);

			memset(big, 'x', 5000);
			json_object_set_new(node, key, json_string(big));
			must_fail(root, "5000 bytes as", key);
			free(big);
		}
		json_object_set_new(node, key, value);
	}
	for (int k = first; k < used; k++)
		damage(root, json_object_get(node, json_string_value(keys[k])));
	while (used > first)
		json_decref(keys[--used]);
}

static void test_damage(void)
{
	json_t *root = json_loads(good, 0, NULL);
	struct error err = { "" };

	if (!root || decode(root, &err) < 0)
		tap_bail("the good site: %s", err.text);
	damage(root, root);
	is_int(decode(root, &err), 0, "the good site is good");
	ok(count.tried > 400 && count.wrong == 0,
	   "%d damaged ones are refused with a text", count.tried);
	json_decref(root);
}

/* Replaces one piece of the good text. */
static void refuse(const char *old, const char *fresh, const char *want)
{
	struct site_spec s;
	struct error err = { "" };
	char *text = calloc(1, sizeof(good) + strlen(fresh) + 1);
	const char *at = strstr(good, old);

	if (!at || !text)
		tap_bail("%s is not in the good site", old);
	snprintf(text, sizeof(good) + strlen(fresh), "%.*s%s%s",
		 (int)(at - good), good, fresh, at + strlen(old));
	is_int(site_decode(text, strlen(text), &s, &err), -1, "%s", fresh);
	is_text(err.text, want, "  text");
	free(text);
}

static void test_cluster_texts(void)
{
	refuse("\"site\":\"north\"", "\"site\":\"a b\"",
	       "site.lua:3: host \"here\": site: \"a b\" is not a name");
	refuse("\"metrics_port\":9090,", "",
	       "site.lua:3: site \"demo\": metrics_ip and metrics_port are no address");
	refuse("\"hosts\":[\"here\"]", "\"hosts\":[\"there\"]",
	       "site: pool \"mail\": there is no host \"there\"");
	refuse("\"hosts\":[\"here\"]", "\"hosts\":[]",
	       "site.lua:3: pool \"mail\": may have no machine anywhere");
	refuse("\"labels\":[\"ssd\"],\"vcpus\":16", "\"labels\":[],\"vcpus\":16",
	       "site: pool \"mail\": there is no label \"ssd\"");
	refuse("\"sites\":[\"north\"]", "\"sites\":[\"north\",\"west\"]",
	       "site: pool \"mail\": there is no site \"west\"");
	refuse("\"name\":\"payroll\"", "\"name\":\"mail\"",
	       "site: cluster \"mail\": there is a pool of that name");
	refuse("\"ip\":\"10.0.0.50\"", "\"ip\":\"127.0.0.50\"", "site.lua:3: cluster "
	       "\"payroll\": its address and its interface do not fit");
	refuse("\"ip\":\"10.0.0.50\"", "\"ip\":\"10.0.0\"",
	       "site.lua:3: cluster \"payroll\": ip: \"10.0.0\" is not an address");
	refuse("\"prefix\":24", "\"prefix\":33",
	       "site.lua:3: cluster \"payroll\": prefix: 33 is not in 0..32");
	refuse("\"nodes\":2", "\"nodes\":9",
	       "site.lua:3: cluster \"payroll\": nodes: 9 is not in 1..8");
	refuse("\"max_vcpus\":4", "\"max_vcpus\":1",
	       "site.lua:3: cluster \"payroll\": max_vcpus: 1 is not in 2..256");
	refuse("\"every\":\"Dec\"", "\"every\":\"Dez\"", "site.lua:3: cluster "
	       "\"payroll\": calendar: \"Dez\" is no month, weekday or time: write Jan to "
	       "Dec, Mon to Sun, 08:00-18:00");
	refuse("\"nodes\":4", "\"nodes\":9",
	       "site.lua:3: cluster \"payroll\": nodes: 9 is not in 1..8");
	refuse("\"every\":\"Dec\",\"nodes\":4", "\"every\":\"Dec\"", "site.lua:3: "
	       "cluster \"payroll\": a calendar entry changes nothing");
	refuse("\"fall\":2", "\"fall\":2,\"fell\":2",
	       "site.lua:3: cluster \"payroll\": has 1 keys that are not known");
	refuse("\"request\":\"GET\",", "", "site.lua:3: cluster \"payroll\": health expects "
	       "an answer without a request");
	refuse("\"hooks\":[\"start\",\"stop\",\"health\"]", "\"hooks\":[\"start\"]",
	       "site: cluster \"payroll\": there are no hooks start and stop");
	refuse("\"application\":\"web\"", "\"application\":\"mail\"", "site: cluster "
	       "\"payroll\": application \"mail\" cannot serve it");
	refuse("\"cluster\":\"payroll\"", "\"cluster\":\"mail\"",
	       "site: rule \"load\": there is no cluster \"mail\"");
	refuse("\"pool\":\"mail\",\"every_ms\"", "\"pool\":\"payroll\",\"every_ms\"",
	       "site: rule \"spare\": there is no pool \"payroll\"");
	refuse("\"cluster\":\"payroll\"", "\"cluster\":\"payroll\",\"pool\":\"mail\"",
	       "site.lua:3: rule \"load\": needs one of cluster and pool");
}

static void test_texts(void)
{
	refuse("\"version\":1", "\"version\":2",
	       "site.lua:3: site \"demo\": version 2 is not known");
	refuse("\"peers\":true", "\"peers\":true,\"peers\":true",
	       "site: line 1: duplicate object key near '\"peers\"'");
	refuse("\"name\":\"here\"", "\"name\":\"../x\"",
	       "site.lua:3: host \"../x\": is not a name");
	refuse("\"boot_parallel\":2", "\"boot_parallel\":0",
	       "site.lua:3: host \"here\": boot_parallel: 0 is not in 1..64");
	refuse("\"spare\":1", "\"spare\":4",
	       "site.lua:3: pool \"mail\": spare: 4 is not in 0..3");
	refuse("\"kernel\":\"k\"", "\"kernel\":\"\"",
	       "site.lua:3: pool \"mail\": needs one of kernel, template, from, image");
	refuse("\"application\":\"mail\"", "\"application\":\"post\"",
	       "site: pool \"mail\": there is no application \"post\"");
	refuse("\"host\":\"here\"", "\"host\":\"there\"",
	       "site: pool \"mail\": there is no host \"there\"");
	refuse("\"pool\":\"mail\"", "\"pool\":\"web\"",
	       "site: resource \"files\": there is no pool \"web\"");
	refuse("\"keep\":true", "\"keep\":false", "site: resource \"files\": pool "
	       "\"mail\" does not keep its machines");
	refuse("\"user\":\"anna\",\"applications\"",
	       "\"user\":\"carl\",\"applications\"",
	       "site: listener \"front\": there is no user \"carl\"");
	refuse("[\"accept\",\"clean\"]", "[\"accept\"]",
	       "site: pool \"mail\": there is no clean hook");
	refuse("\"untrusted\":false", "\"untrusted\":true",
	       "site: pool \"mail\": untrusted machines must be reverted or rebuilt");
	refuse("\"recycle\":\"clean\"", "\"recycle\":\"revert\"",
	       "site: pool \"mail\": machines with images need the agent, and keep no volume");
	refuse("\"keep\":true", "\"keep\":true,\"saved\":1",
	       "site: pool \"mail\": machines with images need the agent, and keep no volume");
	refuse("\"keep\":true", "\"keep\":true,\"saved\":1001",
	       "site.lua:3: pool \"mail\": saved: 1001 is not in 0..1000");
	refuse("\"name\":\"web\"", "\"name\":\"mail\"",
	       "site.lua:3: site \"demo\": \"mail\" is there twice");
	refuse("\"user\":\"*\"", "\"user\":\"zoe\"", "site.lua:3: resource "
	       "\"files\": access is out of order");
	refuse("\"path\":\"front.sock\"", "\"ip\":\"127.0.0.1\",\"port\":1",
	       "site.lua:3: listener \"local\": has peers without a unix socket");
	refuse("\"ip\":\"127.0.0.1\"", "\"ip\":\"localhost\"",
	       "site.lua:3: listener \"front\": ip: \"localhost\" is not an address");
	refuse("\"priority\":2", "\"priority\":10",
	       "site.lua:3: group \"team\": priority: 10 is not in 0..9");
	refuse("\"applications\":[\"web\"]", "\"applications\":[\"wob\"]",
	       "site: group \"team\": there is no application \"wob\"");
	refuse("\"groups\":[\"team\"]", "\"groups\":[\"teem\"]",
	       "site: allow \"rule-1\": there is no group \"teem\"");
	refuse("\"listeners\":[\"front\"]", "\"listeners\":[\"back\"]",
	       "site: allow \"rule-1\": there is no listener \"back\"");
	test_cluster_texts();
	refuse("\"recycle\":\"clean\"", "\"recycle\":\"again\"",
	       "site.lua:3: pool \"mail\": recycle: \"again\" is not known");
}

/* Bytes changed or cut at random: refused or accepted, never harmful. */
static void test_noise(void)
{
	enum { TRIES = 20000 };
	struct random r;
	struct error err;
	int refused = 0;
	char *text = malloc(sizeof(good));

	random_seed(&r, 4711);
	for (int i = 0; i < TRIES; i++) {
		struct site_spec s;
		size_t length = sizeof(good) - 1;

		memcpy(text, good, sizeof(good));
		for (uint64_t n = 1 + random_below(&r, 4); n > 0; n--)
			text[random_below(&r, length)] =
				(char)random_below(&r, 256);
		if (random_chance(&r, 20))
			length = random_below(&r, length);
		if (site_decode(text, length, &s, &err) < 0)
			refused++;
		else
			site_spec_fini(&s);
	}
	ok(refused > TRIES / 2 && refused < TRIES,
	   "%d of %d noisy texts are refused, the others are still sites",
	   refused, TRIES);
	free(text);
}

#define CORPUS "tests/fuzz/corpus/site_json/good"

/* The fuzz target must begin with a site that is read to its end. */
static void test_corpus(bool write)
{
	static char text[sizeof(good) + 1];
	FILE *f = fopen(CORPUS, write ? "w" : "r");

	if (!f)
		tap_bail("%s cannot be opened", CORPUS);
	size_t n = write ? fwrite(good, 1, sizeof(good) - 1, f) :
			   fread(text, 1, sizeof(text), f);
	fclose(f);
	if (!write)
		ok(n == sizeof(good) - 1 && memcmp(text, good, n) == 0,
		   "%s is the good site of this test (--write-corpus makes it so)",
		   CORPUS);
}

int main(int argc, char **argv)
{
	test_corpus(argc > 1 && strcmp(argv[1], "--write-corpus") == 0);
	test_damage();
	test_texts();
	test_noise();
	return tap_done();
}
