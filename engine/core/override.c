/*
 * What an operator has said while the engine runs (decisions.md 27): a word about an
 * object, kept under "NOUN/NAME/WHAT".  It is saved before its command is
 * answered, found again after a restart, and ends when it is taken back or when the
 * site file changes what it is about (plan.c).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/core/internal.h"

static void key_of(char *out, size_t size, const char *noun, const char *name,
		   const char *what)
{
	snprintf(out, size, "%s/%.63s/%s", noun, name, what);
}

static struct override_row *find(const struct world *w, const char *key)
{
	for (size_t i = 0; i < w->override_count; i++)
		if (strcmp(w->overrides[i].key, key) == 0)
			return &w->overrides[i];
	return NULL;
}

const struct override_row *override_get(const struct world *w, const char *noun,
					const char *name, const char *what)
{
	char key[sizeof(w->overrides->key)];

	key_of(key, sizeof(key), noun, name, what);
	return find(w, key);
}

int64_t override_value(const struct world *w, const char *noun,
		       const char *name, const char *what, int64_t otherwise)
{
	const struct override_row *o = override_get(w, noun, name, what);

	return o ? o->value : otherwise;
}

void override_put(struct world *w, const struct override_row *row)
{
	struct override_row *o = find(w, row->key);

	if (!o) {
		w->overrides = realloc(w->overrides, (w->override_count + 1) *
							     sizeof(*w->overrides));
		CHECK("", w->overrides, "out of memory");
		o = &w->overrides[w->override_count++];
	}
	*o = *row;
}

void override_say(struct world *w, struct effects *fx, const struct event *ev,
		  const char *noun, const char *name, const char *what,
		  int64_t value)
{
	struct override_row row = { .value = value, .wall_ms = w->wall_ms };

	key_of(row.key, sizeof(row.key), noun, name, what);
	text_copy_slice(row.who, sizeof(row.who), ev->command.who);
	override_put(w, &row);
	if (PLANTED(S3_WORD_UNSAVED))
		return;
	struct effect *e = effects_add(fx, EFFECT_SAVE_OVERRIDE);

	e->row = effects_alloc(fx, sizeof(*e->row));
	e->row->override = row;
}

void override_end(struct world *w, struct effects *fx, size_t index)
{
	effects_add(fx, EFFECT_DELETE_OVERRIDE)->text =
		effects_text(fx, "%s", w->overrides[index].key);
	w->overrides[index] = w->overrides[--w->override_count];
}

void override_take_back(struct world *w, struct effects *fx, const char *noun,
			const char *name, const char *what)
{
	const struct override_row *o = override_get(w, noun, name, what);

	if (o)
		override_end(w, fx, (size_t)(o - w->overrides));
}
