/* The effect list and its memory; see effect.h. */
#include "engine/core/effect.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"

enum { CHUNK_SIZE = 32 * 1024 };

struct effect_chunk {
	struct effect_chunk *next;
	size_t used, size;
	_Alignas(16) char bytes[];
};

void effects_init(struct effects *fx)
{
	*fx = (struct effects){ 0 };
}

static void free_chunks(struct effect_chunk *c)
{
	while (c) {
		struct effect_chunk *next = c->next;

		free(c);
		c = next;
	}
}

void effects_fini(struct effects *fx)
{
	free(fx->items);
	free_chunks(fx->chunks);
	effects_init(fx);
}

void effects_clear(struct effects *fx)
{
	fx->count = 0;
	if (!fx->chunks)
		return;
	/* Keep one chunk: most turns need no more. */
	free_chunks(fx->chunks->next);
	fx->chunks->next = NULL;
	fx->chunks->used = 0;
}

struct effect *effects_add(struct effects *fx, enum effect_kind kind)
{
	if (fx->count == fx->size) {
		fx->size = fx->size ? fx->size * 2 : 64;
		fx->items = realloc(fx->items, fx->size * sizeof(*fx->items));
		CHECK("", fx->items, "out of memory");
	}
	struct effect *e = &fx->items[fx->count++];
	*e = (struct effect){ .kind = kind };
	return e;
}

void *effects_alloc(struct effects *fx, size_t size)
{
	struct effect_chunk *c = fx->chunks;

	size = (size + 15) & ~(size_t)15;
	if (!c || c->size - c->used < size) {
		size_t room = size > CHUNK_SIZE ? size : CHUNK_SIZE;

		c = malloc(sizeof(*c) + room);
		CHECK("", c, "out of memory");
		*c = (struct effect_chunk){ .next = fx->chunks, .size = room };
		fx->chunks = c;
	}
	void *p = c->bytes + c->used;
	c->used += size;
	return p;
}

struct slice effects_copy(struct effects *fx, struct slice s)
{
	if (!s.length)
		return (struct slice){ 0 };
	char *p = effects_alloc(fx, s.length + 1);
	memcpy(p, s.ptr, s.length);
	p[s.length] = '\0';
	return (struct slice){ p, s.length };
}

struct slice effects_text(struct effects *fx, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return effects_copy(fx, slice_of(text));
}

enum effect_phase effect_phase(enum effect_kind kind)
{
	static const enum effect_phase phases[] = {
#define X(name, phase, help) [EFFECT_##name] = PHASE_##phase,
		EFFECTS(X)
#undef X
	};

	CHECK("", kind < EFFECT_KINDS);
	return phases[kind];
}

const char *effect_name(enum effect_kind kind)
{
	static const char *const names[] = {
#define X(name, phase, help) [EFFECT_##name] = #name,
		EFFECTS(X)
#undef X
	};

	CHECK("", kind < EFFECT_KINDS);
	return names[kind];
}
