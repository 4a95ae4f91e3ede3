/* The site files and scripts that are installed load without an error. */
#include "engine/loop/site.h"
#include "tests/unit/rules_harness.h"

static void test_site(struct role *r, const char *path)
{
	struct site_spec s;
	struct error err = { "" };
	char *text = role_slurp(path);

	if (!ok(text != NULL, "%s is there", path))
		tap_bail("run from the top folder");
	struct outcome o = role_load_shipped(r, text);
	if (!ok(o.done, "it loads"))
		tap_note("%s:%u: %s (%s)", o.file, o.line, o.text, o.hint);
	if (o.done) {
		is_int(site_decode(o.json, o.length, &s, &err), 0,
		       "and is decoded: %s", err.text);
		ok(s.pool_count > 0 && s.listener_count > 0,
		   "with %zu pools and %zu listeners", s.pool_count,
		   s.listener_count);
		site_spec_fini(&s);
	}
	free(o.json);
	free(text);
}

int main(void)
{
	struct role r;
	struct outcome o;

	role_start(&r);
	test_site(&r, "share/demo/site.lua");
	test_site(&r, "share/examples/databases.lua");
	test_site(&r, "share/examples/cluster.lua");
	static const char *const library[] = { "lib.try", "lib.shell",
					       "lib.service" };
	for (size_t i = 0; i < 3; i++) {
		char site[100];

		snprintf(site, sizeof(site), "site \"s\" require \"%s\"",
			 library[i]);
		o = role_load_shipped(&r, site);
		ok(o.done, "%s loads", library[i]);
		free(o.json);
	}
	is_int(role_stop(&r), 0, "the role ends");
	return tap_done();
}
