/*
 * Files of machines on their hosts (decisions.md 28): intended in the store,
 * made by the hypervisor role, reported with key and inode, deleted by those
 * after the machine's domain is gone.  A row outlives its file, and a machine
 * its rows; so whatever dies in between, what is left has a row that says
 * what to delete.
 *
 * Not guaranteed: that a file is deleted whose making was never reported and
 * which is older, by the host's clock, than its intent; `remuda gc` shows it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void save(struct effects *fx, const struct volume *v)
{
	struct effect *e = effects_add(fx, EFFECT_SAVE_VOLUME);
	struct volume_row *row = effects_alloc(fx, sizeof(*row));

	*row = v->row;
	e->row = (void *)row;
}

static void set_name(struct volume_row *row, const struct machine *m,
		     uint64_t number)
{
	char part[48] = ".qcow2";

	switch ((enum volume_kind)row->kind) {
	case VOLUME_DISK:
		if (number > 1)
			snprintf(part, sizeof(part), "-%" PRIu64 ".qcow2",
				 number);
		break;
	case VOLUME_SEED:
		TEXT_SET(part, "-seed.iso");
		break;
	case VOLUME_NVRAM:
		TEXT_SET(part, "-vars.fd");
		break;
	case VOLUME_SESSION:	/* volumes_overlay names it after its disk */
	case VOLUME_RAM:
		TEXT_SET(part, ".ram");
		break;
	case VOLUME_KINDS:
		CHECK("", false, "no volume is of that kind");
	}
	snprintf(row->name, sizeof(row->name), "%s.%" PRIu64 "%s", m->row.name,
		 m->row.built, part);
}

static struct volume *volume_new(struct machine *m, const struct volume_row *row)
{
	struct volume *v = calloc(1, sizeof(*v));

	CHECK("", v, "out of memory");
	v->row = *row;
	list_add_tail(&m->volumes, &v->machine_link);
	return v;
}

static void volume_free(struct volume *v)
{
	list_remove(&v->machine_link);
	free(v);
}

void volumes_free(struct machine *m)
{
	LIST_EACH(&m->volumes, it)
		volume_free(LIST_ENTRY(it, struct volume, machine_link));
}

static struct volume *find(const struct machine *m, struct slice name)
{
	LIST_EACH(&m->volumes, it) {
		struct volume *v = LIST_ENTRY(it, struct volume, machine_link);

		if (slice_is(name, v->row.name))
			return v;
	}
	return NULL;
}

static struct volume *intend(struct world *w, struct effects *fx,
			     struct machine *m, struct volume_row *row)
{
	row->machine = m->row.id;
	row->intended_wall_ms = w->wall_ms;
	TEXT_SET(row->host, m->host->spec.name);
	snprintf(row->pool, sizeof(row->pool), "remuda-%s", w->spec.name);
	CHECK("S11", !find(m, slice_of(row->name)), "volume %s is there",
	      row->name);
	struct volume *v = volume_new(m, row);
	if (!PLANTED(S3_VOLUME_NOT_SAVED))
		save(fx, v);
	return v;
}

struct volume *volume_intend(struct world *w, struct effects *fx,
			     struct machine *m, enum volume_kind kind,
			     uint64_t number, const char *base)
{
	struct volume_row row = { .kind = kind };

	TEXT_SET(row.base, base);
	set_name(&row, m, number);
	return intend(w, fx, m, &row);
}

/* MACHINE.BUILT.qcow2 of incarnation 7: MACHINE.BUILT.7.qcow2 */
static void overlay_one(struct world *w, struct effects *fx, struct machine *m,
			const struct volume *disk)
{
	struct volume_row row = { .kind = VOLUME_SESSION };
	size_t stem = strlen(disk->row.name) - strlen(".qcow2");

	snprintf(row.name, sizeof(row.name), "%.*s.%" PRIu64 ".qcow2",
		 (int)stem, disk->row.name, m->row.built);
	intend(w, fx, m, &row)->fresh = true;
}

void volumes_overlay(struct world *w, struct effects *fx, struct machine *m)
{
	LIST_EACH(&m->volumes, it)
		LIST_ENTRY(it, struct volume, machine_link)->fresh = false;
	LIST_EACH(&m->volumes, it) {
		struct volume *v = LIST_ENTRY(it, struct volume, machine_link);

		if (v->row.kind == VOLUME_DISK)
			overlay_one(w, fx, m, v);
	}
}

uint32_t volumes_overlays(const struct machine *m)
{
	uint32_t n = 0;

	LIST_EACH(&m->volumes, it)
		n += LIST_ENTRY(it, struct volume, machine_link)->row.kind ==
		     VOLUME_SESSION;
	return n;
}

bool volumes_are_fresh(const struct machine *m)
{
	LIST_EACH(&m->volumes, it) {
		const struct volume *v =
			LIST_ENTRY(it, struct volume, machine_link);

		if (v->fresh && !v->row.inode)
			return false;
	}
	return true;
}

static void forget(struct effects *fx, struct volume *v)
{
	effects_add(fx, EFFECT_DELETE_VOLUME)->text =
		effects_text(fx, "%s", v->row.name);
	volume_free(v);
}

void volumes_forget_old(struct effects *fx, struct machine *m)
{
	LIST_EACH(&m->volumes, it) {
		struct volume *v = LIST_ENTRY(it, struct volume, machine_link);

		if (v->row.kind == VOLUME_SESSION && !v->fresh)
			forget(fx, v);
	}
}

/* The store holds no volume without its machine. */
void volume_restore(struct world *w, const struct volume_row *row)
{
	struct machine *m = world_machine(w, row->machine);

	CHECK("S11", m, "volume %s has no machine", row->name);
	volume_new(m, row);
}

void volume_on_made(struct world *w, struct effects *fx, const struct event *ev)
{
	struct machine *m = world_machine(w, ev->volume.machine);
	struct volume *v = m ? find(m, ev->volume.name) : NULL;

	/* Its row goes only after an answer to a later call: said twice. */
	if (!v || v->row.inode)
		return;
	text_copy_slice(v->row.key, sizeof(v->row.key), ev->volume.key);
	v->row.inode = ev->volume.inode;
	save(fx, v);
}

bool volumes_delete(struct world *w, struct effects *fx, struct machine *m)
{
	if (list_empty(&m->volumes))
		return false;
	/* The newest first: an overlay goes before what it lies on. */
	struct volume *v = LIST_ENTRY(m->volumes.prev, struct volume,
				      machine_link);
	struct effect *e = job_start(w, fx, m, JOB_VOLUME, EFFECT_VOLUME_DELETE,
				     60000);
	struct volume_row *row = effects_alloc(fx, sizeof(*row));

	*row = v->row;
	if (PLANTED(S12_DELETE_BY_NAME))
		row->inode = 0;
	e->row = (void *)row;
	return true;
}

void volume_on_deleted(struct effects *fx, struct machine *m,
		       enum call_result result)
{
	struct volume *v = LIST_ENTRY(m->volumes.prev, struct volume,
				      machine_link);

	if (result != CALL_OK &&
	    !(PLANTED(S11_UNKNOWN_IS_DELETED) && result == CALL_UNKNOWN))
		return;
	forget(fx, v);
}
