/*
 * Volumes between core and hypervisor role: what a machine is to be made from,
 * what to delete, what was made.  Names come from the rows the core intended.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/loop/shell.h"

/* Of one machine, while its message is made. */
static struct {
	char image[2048], disks[1100], drop[4096], meta_data[SITE_META_DATA_SIZE + 256];
} texts;

/* NoCloud's meta-data: a new instance with each build, so that cloud-init does
 * all of its work again in a machine made anew. */
static void write_meta_data(const struct machine *m)
{
	snprintf(texts.meta_data, sizeof(texts.meta_data),
		 "instance-id: %s-%llu\nlocal-hostname: %s\n%s", m->row.uuid,
		 (unsigned long long)m->row.built, m->row.name,
		 m->pool->spec.meta_data);
}

static void add_name(const char *name)
{
	size_t used = strlen(texts.disks);

	snprintf(texts.disks + used, sizeof(texts.disks) - used, "%s%s",
		 used ? "," : "", name);
}

void volumes_of_restore(const struct machine *m, struct wire_domain_restore *d)
{
	size_t used = 0;

	texts.disks[0] = texts.drop[0] = '\0';
	LIST_EACH(&m->volumes, it) {
		const struct volume *v =
			LIST_ENTRY(it, struct volume, machine_link);

		if (v->row.kind != VOLUME_SESSION)
			continue;
		if (v->fresh)
			add_name(v->row.name);
		else if (used < sizeof(texts.drop))
			used += (size_t)snprintf(
				texts.drop + used, sizeof(texts.drop) - used,
				"%s%s/%llu/%lld", used ? "," : "", v->row.name,
				(unsigned long long)v->row.inode,
				(long long)v->row.intended_wall_ms);
	}
	d->disks = slice_of(texts.disks);
	d->drop = slice_of(texts.drop);
}

void volumes_describe(const struct shell *sh, const struct machine *m,
		      struct wire_domain_create *d)
{
	const struct site_pool *p = &m->pool->spec;

	shell_site_path(sh, p->image, texts.image, sizeof(texts.image));
	texts.disks[0] = '\0';
	LIST_EACH(&m->volumes, it) {
		const struct volume *v =
			LIST_ENTRY(it, struct volume, machine_link);

		if (v->row.kind == VOLUME_DISK)
			add_name(v->row.name);
		else if (v->row.kind == VOLUME_NVRAM)
			d->nvram = slice_of(v->row.name);
		else if (v->row.kind == VOLUME_SEED)
			d->seed = slice_of(v->row.name);
	}
	d->from = slice_of(p->from);
	d->image = slice_of(texts.image);
	d->copy = p->copy;
	d->disk_mib = p->disk_mib;
	d->disks = slice_of(texts.disks);
	if (!p->user_data[0])
		return;
	write_meta_data(m);
	d->user_data = slice_of(p->user_data);
	d->meta_data = slice_of(texts.meta_data);
	d->network_config = slice_of(p->network_config);
}

static void to_host(struct shell *sh, const char *host, const struct message *m)
{
	if (!hosts_send(sh, host, m))
		log_debug("host %s is down: %s not sent", host,
			  wire_type_name(m->type));
}

void volumes_act(struct shell *sh, const struct effect *e)
{
	const struct machine *m = world_machine(&sh->world, e->machine);
	const struct pool *p = world_pool(&sh->world, e->text);
	struct message msg = { .request = e->call, .incarnation = e->incarnation };

	if (e->kind == EFFECT_VOLUME_DELETE) {
		const struct volume_row *row = &e->row->volume;

		msg.type = WIRE_TYPE_volume_delete;
		msg.volume_delete = (struct wire_volume_delete){
			.machine = e->machine,
			.uuid = slice_of(m ? m->row.uuid : ""),
			.name = slice_of(row->name),
			.key = slice_of(row->key),
			.inode = row->inode,
			.since_wall_ms = row->intended_wall_ms,
		};
		to_host(sh, row->host, &msg);
	} else if (p) {
		shell_site_path(sh, p->spec.image, texts.image,
				sizeof(texts.image));
		msg.type = WIRE_TYPE_base_look;
		msg.base_look = (struct wire_base_look){
			slice_of(p->spec.from), slice_of(texts.image) };
		to_host(sh, p->host->spec.name, &msg);
	}
}

void volumes_on_made(struct shell *sh, const struct wire_volume_made *v)
{
	struct event ev = {
		.kind = EVENT_VOLUME_MADE,
		.volume = { .machine = v->machine, .inode = v->inode,
			    .name = v->name, .key = v->key },
	};

	shell_step(sh, &ev);
}
