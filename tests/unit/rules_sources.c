/* Pools of machines made from what operators have: every form of from, image,
 * disk, copy and cloud_init that is accepted, and what it comes to.  What is
 * refused stands in rules_site.c. */
#include "engine/loop/site.h"
#include "tests/unit/rules_harness.h"

#define SITE "site \"s\"\n"
#define APP "application \"a\" { endpoint = \"tcp:25\" }\n"
#define FROM "pool \"p\" { application = \"a\", serve = 2, from = \""

static void test_sources(struct role *r)
{
	static const char text[] = SITE APP
		FROM "d12.lab_1\" }\n"
		"pool \"q\" { application = \"a\", serve = 1, from = \"d12\", copy = true, "
		"disk = \"20 GiB\", vcpus = 2, memory = \"512 MiB\", cloud_init = { "
		"user_data = \"#cloud-config\\nhostname: \\xc3\\xa9\\n\", "
		"network_config = \"version: 2\\n\", "
		"meta = { role = \"web\", zone = \"b 'c'\" } } }\n"
		"pool \"i\" { application = \"a\", serve = 1, image = \"img/d12.qcow2\", "
		"disk = \"1 MiB\", cloud_init = { user_data = \"x\" } }\n"
		"pool \"j\" { application = \"a\", serve = 1, "
		"image = \"/srv/a b.raw\", copy = false }\n";
	struct outcome o = role_evaluate(r, text, NULL);
	struct site_spec s;
	struct error err = { "" };

	ok(o.done, "pools from domains and images: %s", o.text);
	if (!o.done || site_decode(o.json, strlen(o.json), &s, &err) < 0)
		tap_bail("%s", err.text);
	is_int(s.pool_count, 4, "four of them");
	is_text(s.pools[0].from, "d12.lab_1", "a domain");
	ok(!s.pools[0].copy && !s.pools[0].disk_mib && !s.pools[0].user_data[0],
	   "linked, as large as it is, without cloud-init");
	ok(!s.pools[0].vcpus && !s.pools[0].memory_mib,
	   "processors and memory as the domain has them");
	ok(s.pools[1].copy && s.pools[1].disk_mib == 20 * 1024, "a grown copy");
	is_int(s.pools[1].vcpus, 2, "processors of its own");
	is_int(s.pools[1].memory_mib, 512, "and memory");
	is_text(s.pools[1].user_data, "#cloud-config\nhostname: \xc3\xa9\n",
		"user data to the byte");
	is_text(s.pools[1].network_config, "version: 2\n", "network config");
	ok(strstr(s.pools[1].meta_data, "role: ") &&
	   strstr(s.pools[1].meta_data, "web") &&
	   strstr(s.pools[1].meta_data, "zone: \"b 'c'\""), "meta");
	is_text(s.pools[2].image, "img/d12.qcow2", "an image");
	is_int(s.pools[2].disk_mib, 1, "the least that a disk grows to");
	is_text(s.pools[2].user_data, "x", "user data alone will do");
	ok(!s.pools[2].network_config[0] && !s.pools[2].meta_data[0],
	   "and nothing beside");
	ok(!s.pools[2].from[0] && s.pools[2].vcpus == 1 &&
	   s.pools[2].memory_mib == 128, "an image has the usual machine");
	is_text(s.pools[3].image, "/srv/a b.raw", "a path with a blank");
	ok(!s.pools[3].copy, "copy = false is a word for the usual");
	site_spec_fini(&s);
	free(o.json);
}

int main(void)
{
	struct role r;

	role_start(&r);
	test_sources(&r);
	is_int(role_stop(&r), 0, "the role ends with the engine");
	return tap_done();
}
