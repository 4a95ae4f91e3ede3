/* Hosts, applications and pools of the site's JSON; see site_read.h. */
#include <string.h>

#include "engine/base/text.h"
#include "engine/loop/site_read.h"

int take_host(void *object, const json_t *json, struct error *err)
{
	struct site_host *host = object;
	struct reader r = read_begin("host", json, host->name, &host->place,
				     text_is_name, err);

	READ_TEXT(&r, "uri", true, host->uri);
	host->boot_parallel = (uint32_t)read_count(&r, "boot_parallel", 1, 64);
	READ_TEXT(&r, "site", false, host->site);
	if (*host->site && !text_is_name(host->site))
		read_bad(&r, "site: \"%s\" is not a name", host->site);
	read_names(&r, "labels", false, &host->labels);
	host->vcpus = (uint32_t)read_count_or(&r, "vcpus", 1, 100000, 0);
	host->memory_mib =
		(uint64_t)read_count_or(&r, "memory_mib", 16, 1 << 26, 0);
	READ_TEXT(&r, "migrate", false, host->migrate);
	return read_end(&r);
}

static void read_hooks(struct reader *r, uint32_t *hooks)
{
	static const struct word words[] = {
		{ "prepare", SITE_HOOK_PREPARE }, { "ready", SITE_HOOK_READY },
		{ "accept", SITE_HOOK_ACCEPT }, { "clean", SITE_HOOK_CLEAN },
		{ "start", SITE_HOOK_START }, { "stop", SITE_HOOK_STOP },
		{ "health", SITE_HOOK_HEALTH },
	};
	static const size_t count = sizeof(words) / sizeof(words[0]);
	const json_t *json = read_any(r, "hooks", true), *item;
	size_t i, w;

	if (json && !json_is_array(json))
		read_bad(r, "hooks is not a list");
	json_array_foreach(json, i, item) {
		const char *text = json_string_value(item);

		for (w = 0; w < count; w++)
			if (text && strcmp(text, words[w].text) == 0)
				break;
		if (w == count)
			read_bad(r, "hooks has an unknown hook");
		else
			*hooks |= 1u << words[w].value;
	}
}

static void read_endpoint(struct reader *r, struct site_application *app)
{
	static const struct word endpoints[] = {
		{ "channel", ENDPOINT_CHANNEL }, { "tcp", ENDPOINT_TCP },
		{ "unix", ENDPOINT_UNIX }, { NULL, 0 },
	};

	app->endpoint = (enum site_endpoint)read_word(r, "endpoint", endpoints);
	if (app->endpoint == ENDPOINT_TCP) {
		READ_TEXT(r, "endpoint_host", false, app->host);
		if (!json_object_get(r->json, "endpoint_host"))
			read_bad(r, "endpoint_host is missing");
		app->port = (uint32_t)read_count(r, "endpoint_port", 1, 65535);
	} else if (app->endpoint == ENDPOINT_UNIX) {
		READ_TEXT(r, "endpoint_path", true, app->path);
		if (*app->path != '/')
			read_bad(r, "endpoint_path is not absolute");
	}
}

int take_application(void *object, const json_t *json, struct error *err)
{
	static const struct word identities[] = {
		{ "none", IDENTITY_NONE }, { "proxy", IDENTITY_PROXY },
		{ "agent", IDENTITY_AGENT }, { NULL, 0 },
	};
	static const struct word connections[] = {
		{ "one", 0 }, { "shared", 1 }, { NULL, 0 },
	};
	struct site_application *app = object;
	struct reader r = read_begin("application", json, app->name,
				     &app->place, text_is_name, err);

	read_endpoint(&r, app);
	app->identity =
		(enum site_identity)read_word(&r, "identity", identities);
	app->shared = read_word(&r, "connections", connections) != 0;
	app->agent = read_flag(&r, "agent");
	read_names(&r, "resources", false, &app->resources);
	read_hooks(&r, &app->hooks);
	READ_TEXT(&r, "prepared", false, app->prepared);
	if (!json_object_get(json, "prepared"))
		read_bad(&r, "prepared is missing");
	app->prepare_deadline_ms =
		read_count(&r, "prepare_deadline_ms", 1, READ_DAY_MS);
	app->ready_deadline_ms =
		read_count(&r, "ready_deadline_ms", 1, READ_DAY_MS);
	app->accept_deadline_ms =
		read_count(&r, "accept_deadline_ms", 1, READ_DAY_MS);
	app->clean_deadline_ms =
		read_count(&r, "clean_deadline_ms", 1, READ_DAY_MS);
	app->limit = (uint32_t)read_count(&r, "limit", 0, SITE_LIMIT_MAX);
	app->half_close_ms =
		read_count(&r, "half_close_limit_ms", 1, READ_DAY_MS);
	app->idle_ms = read_count_or(&r, "idle_ms", 1, SITE_DURATION_MAX_MS, 0);
	app->longest_ms =
		read_count_or(&r, "longest_ms", 1, SITE_DURATION_MAX_MS, 0);
	app->linger_ms = read_count_or(&r, "linger_ms", 1, READ_DAY_MS, 0);
	app->warn_ms = read_count_or(&r, "warn_ms", 1, READ_DAY_MS, 0);
	if (app->warn_ms && app->warn_ms >= app->longest_ms)
		read_bad(&r, "warns of an end that does not come");
	return read_end(&r);
}

/* What disks are made from; checked against each other by the rules role. */
static void read_base(struct reader *r, struct site_pool *p)
{
	READ_TEXT(r, "from", false, p->from);
	READ_TEXT(r, "image", false, p->image);
	p->copy = json_object_get(r->json, "copy") && read_flag(r, "copy");
	p->disk_mib = (uint64_t)read_count_or(r, "disk_mib", 1, 16 << 20, 0);
	READ_TEXT(r, "user_data", false, p->user_data);
	READ_TEXT(r, "meta_data", false, p->meta_data);
	READ_TEXT(r, "network_config", false, p->network_config);
}

static void read_placement(struct reader *r, struct site_pool *p)
{
	static const struct word spreads[] = {
		{ "none", SPREAD_NONE }, { "hosts", SPREAD_HOSTS },
		{ "sites", SPREAD_SITES }, { NULL, 0 },
	};
	struct site_placement *place = &p->placement;

	READ_TEXT(r, "host", true, p->host);
	read_names(r, "hosts", true, &place->hosts);
	read_names(r, "labels", false, &place->labels);
	read_names(r, "sites", true, &place->sites);
	place->spread = (enum site_spread)read_word(r, "spread", spreads);
	if (!r->failed && ((!place->hosts.all && !place->hosts.count) ||
			   (!place->sites.all && !place->sites.count)))
		read_bad(r, "may have no machine anywhere");
}

void read_machine(struct reader *r, struct site_pool *p)
{
	READ_TEXT(r, "application", true, p->application);
	read_placement(r, p);
	READ_TEXT(r, "kernel", false, p->kernel);
	READ_TEXT(r, "initrd", false, p->initrd);
	READ_TEXT(r, "cmdline", false, p->cmdline);
	READ_TEXT(r, "template", false, p->template_path);
	read_base(r, p);
	p->vcpus = (uint32_t)read_count_or(r, "vcpus", 1, 256, 0);
	p->memory_mib = (uint64_t)read_count_or(r, "memory_mib", 16, 4 << 20, 0);
	if (!*p->from && (!p->vcpus || !p->memory_mib))
		read_bad(r, "needs vcpus and memory_mib");
	p->volume_mib = (uint64_t)read_count_or(r, "volume_mib", 0, 16 << 20, 0);
	p->boot_deadline_ms = read_count(r, "boot_deadline_ms", 1, READ_DAY_MS);
	if (!!*p->kernel + !!*p->template_path + !!*p->from > 1 ||
	    (*p->from && *p->image) ||
	    !(*p->kernel || *p->template_path || *p->from || *p->image))
		read_bad(r, "needs one of kernel, template, from, image");
}

int take_pool(void *object, const json_t *json, struct error *err)
{
	static const struct word recycles[] = {
		{ "clean", RECYCLE_CLEAN }, { "rebuild", RECYCLE_REBUILD },
		{ "none", RECYCLE_NONE }, { "revert", RECYCLE_REVERT },
		{ NULL, 0 },
	};
	struct site_pool *p = object;
	struct reader r = read_begin("pool", json, p->name, &p->place,
				     text_is_name, err);

	p->serve = (uint32_t)read_count(&r, "serve", 0, SITE_MACHINES_MAX);
	p->spare = (uint32_t)read_count(&r, "spare", 0, p->serve);
	p->max = (uint32_t)read_count(&r, "max", p->serve, SITE_MACHINES_MAX);
	read_machine(&r, p);
	p->recycle = (enum site_recycle)read_word(&r, "recycle", recycles);
	p->saved = (uint32_t)read_count_or(&r, "saved", 0, 1000, 0);
	p->keep = read_flag(&r, "keep");
	p->untrusted = read_flag(&r, "untrusted");
	p->shrink_after_ms =
		read_count(&r, "shrink_after_ms", 1, 30LL * READ_DAY_MS);
	return read_end(&r);
}
