/*
 * Files on the hosts and what they are made from.  A reference model of the
 * storage calls: a file is what its inode is, and one that somebody put in the
 * place of ours is not ours.  The host's clock is right here, so that files
 * are told from older ones of the same name (core/volume.c says what else).
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

static struct sim_file *file_by_name(const struct sim *s, uint32_t host,
				     const char *name)
{
	for (size_t i = 0; i < s->files.count; i++) {
		struct sim_file *f = s->files.items[i];

		if (f->host == host && strcmp(f->name, name) == 0)
			return f;
	}
	return NULL;
}

static void file_remove(struct sim *s, struct sim_file *f)
{
	for (size_t i = 0; i < s->files.count; i++)
		if (s->files.items[i] == f)
			array_remove(&s->files, i);
	free(f);
}

static struct sim_file *file_new(struct sim *s, uint32_t host,
				 const char *name, uint64_t machine)
{
	struct sim_file *f = calloc(1, sizeof(*f));

	CHECK("", f, "out of memory");
	TEXT_SET(f->name, name);
	f->host = host;
	f->machine = machine;
	f->inode = ++s->next_inode;
	f->born_ms = s->now_ms;
	array_add(&s->files, f);
	return f;
}

/* What the shell tells the role about the volumes of a machine that boots. */
void volumes_of_order(struct order *o, const struct effect *e,
		      const struct machine *m)
{
	if (e->kind == EFFECT_VOLUME_DELETE)
		o->volume = e->row->volume;
	if ((e->kind != EFFECT_DOMAIN_CREATE &&
	     e->kind != EFFECT_DOMAIN_RESTORE) || !m)
		return;
	bool restore = e->kind == EFFECT_DOMAIN_RESTORE;
	o->has_base = !restore && m->pool->spec.from[0] != '\0';
	LIST_EACH(&m->volumes, it) {
		const struct volume *v =
			LIST_ENTRY(it, struct volume, machine_link);

		if (restore && v->row.kind == VOLUME_SESSION && !v->fresh &&
		    o->drop_count < ORDER_DROPS_MAX)
			o->drops[o->drop_count++] = v->row;
		if ((!restore || v->fresh) && o->volume_count < ORDER_VOLUMES_MAX)
			TEXT_SET(o->volumes[o->volume_count++], v->row.name);
	}
}

/* What the life before wrote goes; its domain has ended. */
void volumes_drop(struct sim *s, const struct order *o)
{
	for (int i = 0; i < o->drop_count; i++) {
		struct order one = *o;

		one.volume = o->drops[i];
		volume_delete(s, &one);
	}
}

static void tell_made(struct sim *s, const struct order *o,
		      const struct sim_file *f)
{
	struct sim_host *h = &s->hosts[o->host];
	struct post *p;

	if (o->epoch != h->epoch || !s->running)
		return;
	p = post_new(s, EVENT_VOLUME_MADE);
	p->ev.volume.machine = f->machine;
	p->ev.volume.inode = f->inode;
	p->ev.volume.name = post_text(p, f->name);
	p->ev.volume.key = post_text(p, f->name);
	post_send(s, p, &h->out_ms, 0);
}

const char *volumes_make(struct sim *s, const struct order *o)
{
	if (o->has_base && s->now_ms < s->base_busy_ms)
		return "its domain runs";
	for (int i = 0; i < o->volume_count; i++) {
		if (sim_fault(s, SIM_VOLUME_FAIL, o->e.machine))
			return "no space";
		if (file_by_name(s, o->host, o->volumes[i]))
			return "a volume of that name is there";
		oracle_make(s, o, o->volumes[i]);
		tell_made(s, o, file_new(s, o->host, o->volumes[i],
					 o->e.machine));
	}
	return NULL;
}

int volumes_disks(const struct sim *s, uint64_t machine)
{
	int n = 0;

	for (size_t i = 0; i < s->files.count; i++) {
		const struct sim_file *f = s->files.items[i];
		const struct volume_row *row = store_volume(s, f->name);

		n += f->machine == machine && row && row->kind == VOLUME_DISK;
	}
	return n;
}

void volume_delete(struct sim *s, const struct order *o)
{
	struct sim_file *f = file_by_name(s, o->host, o->volume.name);

	if (!f)
		return;
	if (o->volume.inode ? f->inode != o->volume.inode :
	    f->born_ms < store_volume_ms(s, o->volume.name))
		return;
	oracle_unlink(s, o, f);
	file_remove(s, f);
}

enum call_result base_answer(struct sim *s, struct guest_answer *a)
{
	if (s->now_ms < s->base_busy_ms) {
		a->text = "domain debian runs: shut it off";
		return CALL_FAILED;
	}
	a->code = 2 + (s->base_changes & 1 ? 256 : 0);
	snprintf(a->out, sizeof(a->out), "stamp-%llu",
		 (unsigned long long)s->base_changes);
	return CALL_OK;
}

/* ---- what others do -------------------------------------------------------- */

/* Somebody puts a file of his own in the place of one of ours. */
static void replace_one(struct sim *s)
{
	struct sim_file *f = s->files.items[sim_between(
		s, 0, (int64_t)s->files.count - 1)];
	const struct volume_row *row = store_volume(s, f->name);

	/* One not reported yet cannot be told from its intent. */
	if (f->foreign || !row || row->inode != f->inode)
		return;
	sim_count_fault(s, SIM_FILE_REPLACED, f->machine);
	f->foreign = true;
	f->machine = 0;
	f->inode = ++s->next_inode;
	f->born_ms = s->now_ms;
	s->foreign_files++;
}

void volumes_trouble(struct sim *s)
{
	if (s->swarm.permille[SIM_FILE_REPLACED] && s->files.count &&
	    random_below(&s->random, 1000) <
		    s->swarm.permille[SIM_FILE_REPLACED])
		replace_one(s);
	if (sim_fault(s, SIM_BASE_BUSY, 0))
		s->base_busy_ms = s->now_ms + sim_between(s, 1000, 30000);
	if (sim_fault(s, SIM_BASE_CHANGED, 0))
		s->base_changes++;
}

/* ---- at rest ---------------------------------------------------------------- */

const char *volumes_missing(const struct sim *s)
{
	static char text[300];
	uint32_t foreign = 0;

	for (size_t i = 0; i < s->files.count; i++) {
		const struct sim_file *f = s->files.items[i];
		const struct volume_row *row = store_volume(s, f->name);

		foreign += f->foreign;
		/* In quarantine an intent stays, done or not. */
		if (f->foreign ||
		    (row && (!row->inode || row->inode == f->inode)))
			continue;
		snprintf(text, sizeof(text), "the file %s is ours and no row's",
			 f->name);
		return text;
	}
	return foreign == s->foreign_files ? NULL : "a foreign file is gone";
}
