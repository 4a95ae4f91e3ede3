/*
 * The rules role's JSON (engine/rules/site.h describes it) to struct site_spec.
 *
 * The JSON comes from a process that has run somebody's Lua, so nothing in it
 * is believed: unknown, missing and doubled keys, wrong types, numbers out of
 * range, bad names, references that lead nowhere are refused.  An error names
 * the object and its place in the site file.
 */
#ifndef REMUDA_LOOP_SITE_H
#define REMUDA_LOOP_SITE_H

#include <stddef.h>

#include "engine/core/spec.h"

struct error;

/*
 * Fills out; on an error returns -1 and leaves out empty.  The caller frees
 * with site_spec_fini.
 */
int site_decode(const char *json, size_t length, struct site_spec *out,
		struct error *err);
/* Part of site_decode. */
int site_check_references(const struct site_spec *s, struct error *err);
/* The object of that name in an array of site objects of that size, or NULL. */
const void *site_find(const void *array, size_t count, size_t size,
		      const char *name);

#endif
