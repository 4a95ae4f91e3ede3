/*
 * Decoding of a site; see site.h.
 *
 * Owner: the engine's shell, between bundle_done and the core.  Pure but for
 * memory.  Strictness is jansson's: json_unpack_ex with "!" refuses unknown
 * keys, JSON_REJECT_DUPLICATES doubled ones.  Texts are borrowed from the JSON
 * tree and copied with their bound checked.
 */
#include "engine/loop/site.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

enum { DAY_MS = 86400000, VERSION = 1 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* What every statement has; kind for messages. */
struct head {
	const char *kind, *name, *file;
	json_int_t line;
};

#define HEAD_FORMAT "s:s,s:s,s:I,"
#define HEAD_ARGS(h) "name", &(h).name, "file", &(h).file, "line", &(h).line

static int bad(const struct head *h, struct error *err, const char *what)
{
	return error_set(err, "%.200s:%lld: %s \"%.63s\": %s",
			 h->file ? h->file : "", (long long)h->line, h->kind,
			 h->name ? h->name : "", what);
}

static int bad_json(const struct head *h, struct error *err,
		    const json_error_t *je)
{
	error_set(err, "%s", je->text);
	return error_wrap(err, "site: %s \"%.63s\"", h->kind,
			  h->name ? h->name : "");
}

/* Copies the head into name (64 bytes) and place. */
static int take_head(const struct head *h, char *name, struct site_place *place,
		     bool (*is_name)(const char *), struct error *err)
{
	if (!is_name(h->name) || !text_copy(name, SITE_NAME_SIZE, h->name))
		return bad(h, err, "is not a name");
	if (!TEXT_SET(place->file, h->file) || h->line < 0 ||
	    h->line > INT32_MAX)
		return bad(h, err, "has no place");
	place->line = (uint32_t)h->line;
	return 0;
}

struct word {
	const char *text;
	int value;
};

/* The value of a word, or -1. */
static int word_value(const struct word *words, size_t count, const char *text)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i].text, text) == 0)
			return words[i].value;
	return -1;
}

static bool within(json_int_t n, json_int_t low, json_int_t high)
{
	return n >= low && n <= high;
}

/* An array of names, or "*" where all is allowed.  NULL: json is neither. */
static int take_names(struct site_names *out, const json_t *json, bool all,
		      const struct head *h, struct error *err)
{
	size_t i;
	json_t *item;

	if (all && json_is_string(json) &&
	    strcmp(json_string_value(json), "*") == 0) {
		out->all = true;
		return 0;
	}
	if (!json_is_array(json) || json_array_size(json) > SITE_COUNT_MAX)
		return bad(h, err, "has a bad list of names");
	if (json_array_size(json) == 0)
		return 0;
	out->names = calloc(json_array_size(json), sizeof(out->names[0]));
	if (!out->names)
		return error_set(err, "out of memory");
	json_array_foreach(json, i, item) {
		const char *name = json_string_value(item);

		if (!name || !text_is_name(name))
			return bad(h, err, "has a bad name in a list");
		TEXT_SET(out->names[i], name);
		out->count++;
	}
	return 0;
}

static int take_host(void *object, json_t *json, struct error *err)
{
	struct site_host *host = object;
	struct head h = { .kind = "host" };
	json_error_t je;
	const char *uri;
	json_int_t boots;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT "s:s,s:I!}",
			   HEAD_ARGS(h), "uri", &uri, "boot_parallel",
			   &boots) < 0)
		return bad_json(&h, err, &je);
	if (take_head(&h, host->name, &host->place, text_is_name, err) < 0)
		return -1;
	if (!*uri || !TEXT_SET(host->uri, uri) || !within(boots, 1, 64))
		return bad(&h, err, "has a value out of range");
	host->boot_parallel = (uint32_t)boots;
	return 0;
}

static int take_hooks(struct site_application *app, const json_t *json,
		      const struct head *h, struct error *err)
{
	static const struct word hooks[] = {
		{ "prepare", SITE_HOOK_PREPARE }, { "ready", SITE_HOOK_READY },
		{ "accept", SITE_HOOK_ACCEPT }, { "clean", SITE_HOOK_CLEAN },
	};
	size_t i;
	json_t *item;

	if (!json_is_array(json))
		return bad(h, err, "has a bad list of hooks");
	json_array_foreach(json, i, item) {
		int hook = json_is_string(item) ?
			   word_value(hooks, COUNT(hooks),
				      json_string_value(item)) : -1;

		if (hook < 0)
			return bad(h, err, "has an unknown hook");
		app->hooks |= 1u << hook;
	}
	return 0;
}

static int take_endpoint(struct site_application *app, const char *endpoint,
			 const char *host, json_int_t port, const char *path,
			 const struct head *h, struct error *err)
{
	static const struct word endpoints[] = {
		{ "channel", ENDPOINT_CHANNEL }, { "tcp", ENDPOINT_TCP },
		{ "unix", ENDPOINT_UNIX },
	};
	int kind = word_value(endpoints, COUNT(endpoints), endpoint);
	bool tcp = kind == ENDPOINT_TCP, is_unix = kind == ENDPOINT_UNIX;

	if (kind < 0 || tcp != (host != NULL) || is_unix != (path != NULL) ||
	    (tcp ? !within(port, 1, 65535) : port != 0) ||
	    (is_unix && *path != '/'))
		return bad(h, err, "has a bad endpoint");
	if (!TEXT_SET(app->host, host ? host : "") ||
	    !TEXT_SET(app->path, path ? path : ""))
		return bad(h, err, "has an endpoint that is too long");
	app->endpoint = (enum site_endpoint)kind;
	app->port = (uint32_t)port;
	return 0;
}

static int take_application(void *object, json_t *json, struct error *err)
{
	static const struct word identities[] = {
		{ "none", IDENTITY_NONE }, { "proxy", IDENTITY_PROXY },
		{ "agent", IDENTITY_AGENT },
	};
	struct site_application *app = object;
	struct head h = { .kind = "application" };
	const char *endpoint, *identity, *host = NULL, *path = NULL;
	json_int_t port = 0, ms[4];
	json_t *resources, *hooks;
	json_error_t je;
	int agent;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT
			   "s:s,s?s,s?I,s?s,s:s,s:b,s:o,s:o,s:I,s:I,s:I,s:I!}",
			   HEAD_ARGS(h), "endpoint", &endpoint,
			   "endpoint_host", &host, "endpoint_port", &port,
			   "endpoint_path", &path, "identity", &identity,
			   "agent", &agent, "resources", &resources,
			   "hooks", &hooks, "prepare_deadline_ms", &ms[0],
			   "ready_deadline_ms", &ms[1],
			   "accept_deadline_ms", &ms[2],
			   "clean_deadline_ms", &ms[3]) < 0)
		return bad_json(&h, err, &je);
	int id = word_value(identities, COUNT(identities), identity);
	if (take_head(&h, app->name, &app->place, text_is_name, err) < 0 ||
	    take_endpoint(app, endpoint, host, port, path, &h, err) < 0 ||
	    take_names(&app->resources, resources, false, &h, err) < 0 ||
	    take_hooks(app, hooks, &h, err) < 0)
		return -1;
	for (int i = 0; i < 4; i++)
		if (!within(ms[i], 1, DAY_MS))
			return bad(&h, err, "has a deadline out of range");
	if (id < 0)
		return bad(&h, err, "has an unknown identity");
	app->identity = (enum site_identity)id;
	app->agent = agent;
	app->prepare_deadline_ms = ms[0];
	app->ready_deadline_ms = ms[1];
	app->accept_deadline_ms = ms[2];
	app->clean_deadline_ms = ms[3];
	return 0;
}

/* The texts a pool may leave out. */
static int take_boot(struct site_pool *pool, const char *kernel,
		     const char *initrd, const char *cmdline,
		     const char *template_path, const struct head *h,
		     struct error *err)
{
	if (!TEXT_SET(pool->kernel, kernel ? kernel : "") ||
	    !TEXT_SET(pool->initrd, initrd ? initrd : "") ||
	    !TEXT_SET(pool->cmdline, cmdline ? cmdline : "") ||
	    !TEXT_SET(pool->template_path, template_path ? template_path : ""))
		return bad(h, err, "has a text that is too long");
	if (!*pool->kernel == !*pool->template_path)
		return bad(h, err, "needs either a kernel or a template");
	return 0;
}

static int take_pool(void *object, json_t *json, struct error *err)
{
	static const struct word recycles[] = {
		{ "clean", RECYCLE_CLEAN }, { "rebuild", RECYCLE_REBUILD },
		{ "none", RECYCLE_NONE },
	};
	struct site_pool *pool = object;
	struct head h = { .kind = "pool" };
	const char *application, *host, *recycle;
	const char *kernel = NULL, *initrd = NULL, *cmdline = NULL, *xml = NULL;
	json_int_t serve, spare, max, vcpus, memory, volume = 0, boot, shrink;
	json_error_t je;
	int keep, untrusted;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT "s:s,s:s,s:I,s:I,s:I,"
			   "s?s,s?s,s?s,s?s,s:I,s:I,s?I,s:s,s:b,s:b,s:I,s:I!}",
			   HEAD_ARGS(h), "application", &application,
			   "host", &host, "serve", &serve, "spare", &spare,
			   "max", &max, "kernel", &kernel, "initrd", &initrd,
			   "cmdline", &cmdline, "template", &xml,
			   "vcpus", &vcpus, "memory_mib", &memory,
			   "volume_mib", &volume, "recycle", &recycle,
			   "keep", &keep, "untrusted", &untrusted,
			   "boot_deadline_ms", &boot,
			   "shrink_after_ms", &shrink) < 0)
		return bad_json(&h, err, &je);
	int rung = word_value(recycles, COUNT(recycles), recycle);
	if (take_head(&h, pool->name, &pool->place, text_is_name, err) < 0 ||
	    take_boot(pool, kernel, initrd, cmdline, xml, &h, err) < 0)
		return -1;
	if (!within(serve, 0, 1000) || !within(spare, 0, serve) ||
	    !within(max, serve, 1000) || !within(vcpus, 1, 256) ||
	    !within(memory, 16, 4 << 20) || !within(volume, 0, 16 << 20) ||
	    !within(boot, 1, DAY_MS) || !within(shrink, 1, 30LL * DAY_MS) ||
	    rung < 0 || !TEXT_SET(pool->application, application) ||
	    !TEXT_SET(pool->host, host))
		return bad(&h, err, "has a value out of range");
	pool->serve = (uint32_t)serve;
	pool->spare = (uint32_t)spare;
	pool->max = (uint32_t)max;
	pool->vcpus = (uint32_t)vcpus;
	pool->memory_mib = (uint64_t)memory;
	pool->volume_mib = (uint64_t)volume;
	pool->recycle = (enum site_recycle)rung;
	pool->keep = keep;
	pool->untrusted = untrusted;
	pool->boot_deadline_ms = boot;
	pool->shrink_after_ms = shrink;
	return 0;
}

static bool address_ok(const char *ip, json_int_t port, const char *path)
{
	unsigned char binary[16];

	if (path)
		return *path && !ip && !port;
	return ip && within(port, 1, 65535) &&
	       (inet_pton(AF_INET, ip, binary) == 1 ||
		inet_pton(AF_INET6, ip, binary) == 1);
}

static int take_listener(void *object, json_t *json, struct error *err)
{
	static const struct word doors[] = {
		{ "direct", DOOR_DIRECT }, { "native", DOOR_NATIVE },
	};
	static const struct word sources[] = {
		{ "fixed", USER_FIXED }, { "peer", USER_PEER },
		{ "password", USER_PASSWORD },
	};
	struct site_listener *l = object;
	struct head h = { .kind = "listener" };
	const char *door, *source, *ip = NULL, *path = NULL, *user = NULL;
	json_int_t port = 0, wait;
	json_t *applications;
	json_error_t je;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT
			   "s:s,s?s,s?I,s?s,s:s,s?s,s:o,s:I!}", HEAD_ARGS(h),
			   "door", &door, "ip", &ip, "port", &port,
			   "path", &path, "user_source", &source,
			   "user", &user, "applications", &applications,
			   "wait_ms", &wait) < 0)
		return bad_json(&h, err, &je);
	int d = word_value(doors, COUNT(doors), door);
	int s = word_value(sources, COUNT(sources), source);
	if (take_head(&h, l->name, &l->place, text_is_name, err) < 0 ||
	    take_names(&l->applications, applications, true, &h, err) < 0)
		return -1;
	if (d < 0 || s < 0 || (s == USER_FIXED) != (user != NULL) ||
	    !address_ok(ip, port, path) || !within(wait, 0, DAY_MS) ||
	    !TEXT_SET(l->ip, ip ? ip : "") ||
	    !TEXT_SET(l->path, path ? path : "") ||
	    !TEXT_SET(l->user, user ? user : ""))
		return bad(&h, err, "has a value out of range");
	if (d == DOOR_DIRECT && (l->applications.count != 1 ||
				 s == USER_PASSWORD))
		return bad(&h, err, "cannot be a direct door");
	if (s == USER_PEER && !path)
		return bad(&h, err, "has peers without a unix socket");
	l->door = (enum site_door)d;
	l->user_source = (enum site_user_source)s;
	l->port = (uint32_t)port;
	l->wait_ms = wait;
	return 0;
}

static int take_user(void *object, json_t *json, struct error *err)
{
	struct site_user *u = object;
	struct head h = { .kind = "user" };
	const char *password = NULL, *token = NULL, *login = NULL;
	json_int_t uid = -1, limit;
	json_t *applications;
	json_error_t je;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT
			   "s?s,s?s,s?I,s?s,s:o,s:I!}", HEAD_ARGS(h),
			   "password", &password, "token", &token,
			   "uid", &uid, "login", &login,
			   "applications", &applications,
			   "limit", &limit) < 0)
		return bad_json(&h, err, &je);
	if (take_head(&h, u->name, &u->place, text_is_user, err) < 0 ||
	    take_names(&u->applications, applications, true, &h, err) < 0)
		return -1;
	if (!within(uid, -1, (json_int_t)UINT32_MAX - 1) ||
	    !within(limit, 1, 1000) || (login && uid >= 0) ||
	    (login && !text_is_user(login)) ||
	    (token && strspn(token, "0123456789abcdef") != 64) ||
	    !TEXT_SET(u->password, password ? password : "") ||
	    !TEXT_SET(u->token, token ? token : "") ||
	    !TEXT_SET(u->login, login ? login : ""))
		return bad(&h, err, "has a value out of range");
	u->uid = uid;
	u->limit = (uint32_t)limit;
	return 0;
}

static int take_access(struct site_resource *r, const json_t *json,
		       const struct head *h, struct error *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(json) || json_array_size(json) > SITE_COUNT_MAX)
		return bad(h, err, "has a bad access table");
	if (json_array_size(json) == 0)
		return 0;
	r->access = calloc(json_array_size(json), sizeof(r->access[0]));
	if (!r->access)
		return error_set(err, "out of memory");
	json_array_foreach(json, i, item) {
		struct site_access *a = &r->access[i];
		const char *user;
		int allowed;

		if (json_unpack(item, "{s:s,s:b!}", "user", &user, "allowed",
				&allowed) < 0 ||
		    (strcmp(user, "*") != 0 && !text_is_user(user)))
			return bad(h, err, "has a bad row in its access table");
		TEXT_SET(a->user, user);
		a->allowed = allowed;
		if (i && strcmp(a[-1].user, a->user) >= 0)
			return bad(h, err, "has an access table out of order");
		r->access_count++;
	}
	return 0;
}

static int take_resource(void *object, json_t *json, struct error *err)
{
	static const struct word identities[] = {
		{ "none", IDENTITY_NONE }, { "proxy", IDENTITY_PROXY },
	};
	struct site_resource *r = object;
	struct head h = { .kind = "resource" };
	const char *pool, *identity;
	json_t *access;
	json_error_t je;

	if (json_unpack_ex(json, &je, 0, "{" HEAD_FORMAT "s:s,s:s,s:o!}",
			   HEAD_ARGS(h), "pool", &pool, "identity", &identity,
			   "access", &access) < 0)
		return bad_json(&h, err, &je);
	int id = word_value(identities, COUNT(identities), identity);
	if (take_head(&h, r->name, &r->place, text_is_name, err) < 0 ||
	    take_access(r, access, &h, err) < 0)
		return -1;
	if (id < 0 || !TEXT_SET(r->pool, pool))
		return bad(&h, err, "has a value out of range");
	r->identity = (enum site_identity)id;
	return 0;
}

static int take_list(const json_t *json, void **array, size_t *count,
		     size_t size,
		     int (*take)(void *, json_t *, struct error *),
		     struct error *err)
{
	size_t i;
	json_t *item;

	if (!json_is_array(json) || json_array_size(json) > SITE_COUNT_MAX)
		return error_set(err, "site: a list is missing or too long");
	if (json_array_size(json) == 0)
		return 0;
	*array = calloc(json_array_size(json), size);
	if (!*array)
		return error_set(err, "out of memory");
	json_array_foreach(json, i, item) {
		char *object = (char *)*array + i * size;

		*count = i + 1;	/* so that what it holds is freed */
		if (take(object, item, err) < 0)
			return -1;
		if (site_find(*array, i, size, object))
			return error_set(err, "site: \"%s\" is there twice",
					 object);
	}
	return 0;
}

static int take_site(json_t *root, struct site_spec *out, struct error *err)
{
	struct head h = { .kind = "site" };
	struct site_place place;
	const char *bundle;
	json_int_t version;
	json_t *lists[6];
	json_error_t je;
	int peers;

	if (json_unpack_ex(root, &je, 0, "{" HEAD_FORMAT
			   "s:I,s:s,s:b,s:o,s:o,s:o,s:o,s:o,s:o!}",
			   HEAD_ARGS(h), "version", &version,
			   "bundle", &bundle, "peers", &peers,
			   "hosts", &lists[0], "applications", &lists[1],
			   "pools", &lists[2], "listeners", &lists[3],
			   "users", &lists[4], "resources", &lists[5]) < 0)
		return bad_json(&h, err, &je);
	if (version != VERSION)
		return error_set(err, "site: version %lld is not known",
				 (long long)version);
	if (take_head(&h, out->name, &place, text_is_name, err) < 0)
		return -1;
	if (!TEXT_SET(out->bundle, bundle))
		return bad(&h, err, "has a hash that is too long");
	out->peers = peers;
	/* An array belongs to out even when its reading fails half-way. */
#define LIST(i, list, count, take)                                             \
	({                                                                     \
		void *array = NULL;                                            \
		int rc = take_list(lists[i], &array, &out->count,              \
				   sizeof(out->list[0]), take, err);           \
		out->list = array;                                             \
		rc;                                                            \
	})
	if (LIST(0, hosts, host_count, take_host) < 0 ||
	    LIST(1, applications, application_count, take_application) < 0 ||
	    LIST(2, pools, pool_count, take_pool) < 0 ||
	    LIST(3, listeners, listener_count, take_listener) < 0 ||
	    LIST(4, users, user_count, take_user) < 0 ||
	    LIST(5, resources, resource_count, take_resource) < 0)
		return -1;
#undef LIST
	for (size_t i = 0; i < out->application_count; i++)
		TEXT_SET(out->applications[i].version, bundle);
	return site_check_references(out, err);
}

int site_decode(const char *json, size_t length, struct site_spec *out,
		struct error *err)
{
	json_error_t je;
	json_t *root = json_loadb(json, length, JSON_REJECT_DUPLICATES, &je);

	*out = (struct site_spec){ .name = "" };
	if (!root)
		return error_set(err, "site: line %d: %s", je.line, je.text);
	int rc = take_site(root, out, err);
	json_decref(root);
	if (rc < 0)
		site_spec_fini(out);
	return rc;
}
