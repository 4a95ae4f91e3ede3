/* The site files and scripts that are installed load without an error. */
#include "engine/loop/site.h"
#include "tests/unit/rules_harness.h"

/* The text of a file of the tree, or NULL. */
static char *slurp(const char *path)
{
	FILE *f = fopen(path, "r");
	char *text = calloc(1, RULES_TEXT_MAX + 1);

	if (!text)
		tap_bail("out of memory");
	if (!f) {
		free(text);
		return NULL;
	}
	size_t length = fread(text, 1, RULES_TEXT_MAX, f);
	fclose(f);
	text[length] = '\0';
	return text;
}

/* Answers needs from the scripts folder, as the engine does. */
static struct outcome load(struct role *r, const char *text)
{
	struct message m;
	char name[132], path[200];

	role_load(r, "h1", text, strlen(text));
	for (;;) {
		struct pollfd p = { .fd = r->fd, .events = POLLIN };
		struct error err;
		uint8_t peek[WIRE_PACKET_MAX];

		if (poll(&p, 1, 10000) != 1)
			tap_bail("no answer");
		ssize_t n = recv(r->fd, peek, sizeof(peek), MSG_PEEK);
		if (n <= 0 || wire_decode(peek, (size_t)n, &m, &err) < 0)
			tap_bail("no message");
		if (m.type != WIRE_TYPE_bundle_need)
			return role_outcome(r, NULL);
		role_next(r, &m, 1000);
		text_copy_slice(name, sizeof(name), m.bundle_need.name);
		for (char *c = name; *c; c++)
			*c = *c == '.' ? '/' : *c;
		snprintf(path, sizeof(path), "scripts/%s.lua", name);
		text_copy_slice(name, sizeof(name), m.bundle_need.name);
		char *module = slurp(path);
		struct module_text list[] = { { name, path, module },
					      { NULL, NULL, NULL } };
		role_give_module(r, &m, module ? list : NULL);
		free(module);
	}
}

static void test_site(struct role *r, const char *path)
{
	struct site_spec s;
	struct error err = { "" };
	char *text = slurp(path);

	if (!ok(text != NULL, "%s is there", path))
		tap_bail("run from the top folder");
	struct outcome o = load(r, text);
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
	static const char *const library[] = { "lib.try", "lib.shell",
					       "lib.service" };
	for (size_t i = 0; i < 3; i++) {
		char site[100];

		snprintf(site, sizeof(site), "site \"s\" require \"%s\"",
			 library[i]);
		o = load(&r, site);
		ok(o.done, "%s loads", library[i]);
		free(o.json);
	}
	is_int(role_stop(&r), 0, "the role ends");
	return tap_done();
}
