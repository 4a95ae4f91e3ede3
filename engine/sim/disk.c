/*
 * Images on the hosts' disks: what a save wrote and a restore brings back, with
 * everything a user had left in the guest at that moment.  A host whose QEMU
 * was upgraded refuses the images made before; an image may be damaged; what is
 * restored may be dead, or its proof incomplete.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/sim/internal.h"

struct image *disk_of(const struct sim *s, const char *uuid, uint64_t built)
{
	for (size_t i = 0; i < s->images.count; i++) {
		struct image *im = s->images.items[i];

		if (strcmp(im->uuid, uuid) == 0 && im->built == built)
			return im;
	}
	return NULL;
}

bool is_version(const struct image *im, uint32_t wanted)
{
	return !im->version || !wanted || im->version == wanted;
}

void disk_delete(struct sim *s, const char *uuid, uint64_t built)
{
	for (size_t i = s->images.count; i-- > 0;) {
		struct image *im = s->images.items[i];

		if (strcmp(im->uuid, uuid) == 0 && im->built == built) {
			array_remove(&s->images, i);
			free(im);
		}
	}
}

static void key_of(const struct sim_host *h, char *out, size_t size)
{
	snprintf(out, size, "QEMU %u", h->qemu);
}

const char *disk_save(struct sim *s, const struct order *o,
		       struct guest_answer *a)
{
	struct life *l = life_by_uuid(s, o->uuid);
	struct image *im;

	if (!l || l->state != DOMAIN_RUNNING ||
	    l->incarnation != o->e.incarnation)
		return "no such domain running";
	oracle_save(s, l);
	disk_delete(s, o->uuid, o->image_built);
	im = calloc(1, sizeof(*im));
	CHECK("", im, "out of memory");
	im->machine = l->machine;
	im->built = o->image_built;
	im->residue = l->residue;
	TEXT_SET(im->uuid, l->uuid);
	im->version = l->version;
	key_of(&s->hosts[o->host], im->key, sizeof(im->key));
	im->damaged = sim_fault(s, SIM_IMAGE_DAMAGED, l->machine);
	array_add(&s->images, im);
	text_copy(a->out, sizeof(a->out), im->key);
	life_end(s, l);
	return NULL;
}

const char *disk_restore(struct sim *s, const struct order *o,
			  struct guest_answer *a)
{
	const struct image *im = disk_of(s, o->uuid, o->image_built);
	struct life *l = life_by_uuid(s, o->uuid);
	char key[sizeof(im->key)];

	if (!l || l->state == DOMAIN_OFF)
		a->evidence = EVIDENCE_WAS_OVER;
	key_of(&s->hosts[o->host], key, sizeof(key));
	if (!im)
		return "there is no such image";
	if (strcmp(key, o->image_key) != 0)
		return "the image was made by another QEMU";
	if (l && l->incarnation > o->e.incarnation)
		return "stale";
	if (l && !l->ours)
		return "not ours";
	oracle_restore(s, o, im);
	const char *no = volumes_make(s, o);
	if (no)
		return no;
	if (l)
		life_end(s, l);
	volumes_drop(s, o);
	if (im->damaged)
		return "the image is damaged";
	l = life_new(s, o->host, im->machine, o->uuid, o->name, true);
	l->incarnation = o->e.incarnation;
	l->residue = im->residue;
	l->version = im->version;
	if (l->agent_ms < INT64_MAX)
		l->agent_ms = s->now_ms;
	if (l->agent_ms == INT64_MAX || sim_fault(s, SIM_RESTORE_DEAD, l->machine)) {
		l->unproven = true;
		l->agent_ms = INT64_MAX;
		return "its guest did not come back";
	}
	a->evidence |= EVIDENCE_ALL;
	if (sim_fault(s, SIM_RESTORE_UNPROVEN, l->machine)) {
		l->unproven = true;
		a->evidence &= ~(1u << sim_between(s, 0, 3));
	}
	return NULL;
}
