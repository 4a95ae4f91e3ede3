/*
 * The version of a pool: a hash of everything its machines are made of.  What
 * is not in it can change without making a machine anew: who may use it, how
 * many there are, the hooks that run for each session.
 *
 * Files are known by size and time of change, not by content: an image of
 * gigabytes is not read for this.  A template is short, and read.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/check.h"
#include "engine/loop/shell.h"

enum { TEXT_MAX = 64 * 1024 };

struct parts {
	char text[TEXT_MAX];
	size_t used;
};

__attribute__((format(printf, 2, 3)))
static void add(struct parts *p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	int n = vsnprintf(p->text + p->used, TEXT_MAX - p->used, fmt, ap);
	va_end(ap);
	CHECK("", n >= 0 && p->used + (size_t)n + 1 < TEXT_MAX);
	p->used += (size_t)n + 1;	/* with its NUL: parts do not run together */
}

/* path as in the site file, "" = none. */
static void add_file(struct parts *p, const struct shell *sh, const char *path)
{
	char full[2 * SITE_PATH_SIZE];
	struct stat st;

	add(p, "%s", path);
	if (!*path)
		return;
	if (*path == '/')
		TEXT_SET(full, path);
	else
		snprintf(full, sizeof(full), "%s/%s", sh->site_dir, path);
	if (stat(full, &st) == 0)
		add(p, "%lld %lld.%09ld", (long long)st.st_size,
		    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

/* A domain's own files are its host's: base.c watches them. */
static void add_disk(struct parts *p, const struct shell *sh,
		     const struct site_pool *pool)
{
	add(p, "from %s copy %d disk %llu", pool->from, pool->copy,
	    (unsigned long long)pool->disk_mib);
	add_file(p, sh, pool->image);
	add(p, "%s", pool->user_data);
	add(p, "%s", pool->meta_data);
	add(p, "%s", pool->network_config);
}

static const struct site_application *application(const struct site_spec *spec,
						  const char *name)
{
	for (size_t i = 0; i < spec->application_count; i++)
		if (strcmp(spec->applications[i].name, name) == 0)
			return &spec->applications[i];
	return NULL;
}

static void set_version(const struct shell *sh, const struct site_spec *spec,
			struct site_pool *pool)
{
	static struct parts p;
	const struct site_application *a = application(spec, pool->application);
	char hash[SITE_HASH_SIZE];

	CHECK("", a, "pool %s: unchecked site", pool->name);
	p.used = 0;
	add(&p, "%s %d %d", a->name, a->agent, (int)a->endpoint);
	add(&p, "%s", a->prepared);
	for (size_t i = 0; i < a->resources.count; i++)
		add(&p, "%s", a->resources.names[i]);
	add_file(&p, sh, pool->kernel);
	add_file(&p, sh, pool->initrd);
	add_file(&p, sh, pool->template_path);
	add_file(&p, sh, pool->image);
	add(&p, "%s", pool->from);
	add(&p, "%d %llu", pool->copy, (unsigned long long)pool->disk_mib);
	add(&p, "%s", pool->user_data);
	add(&p, "%s", pool->meta_data);
	add(&p, "%s", pool->network_config);
	add(&p, "%s", pool->cmdline);
	/* Another size of a cluster is a change of it, no rolling replacement. */
	add(&p, "%u %llu %llu", pool->cluster ? 0 : pool->vcpus,
	    (unsigned long long)(pool->cluster ? 0 : pool->memory_mib),
	    (unsigned long long)pool->volume_mib);
	if (pool->from[0] || pool->image[0])
		add_disk(&p, sh, pool);
	shell_hash(p.text, p.used, hash);
	hash[SITE_VERSION_SIZE - 1] = '\0';
	TEXT_SET(pool->version, hash);
}

void site_version_set(const struct shell *sh, struct site_spec *spec)
{
	for (size_t i = 0; i < spec->pool_count; i++)
		set_version(sh, spec, &spec->pools[i]);
}
