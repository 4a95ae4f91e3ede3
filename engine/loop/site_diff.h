/*
 * What differs between two sites, for people: objects that came, went, or
 * changed, key by key.  Works on the JSON of the rules role, so a new field of
 * the site language is in it by itself.
 */
#ifndef REMUDA_LOOP_SITE_DIFF_H
#define REMUDA_LOOP_SITE_DIFF_H

#include <jansson.h>

/*
 * A new array of { "sign": "+" | "-" | "~", "kind": "pool", "name", "fields":
 * [ { "key", "old", "new" } ] } in the order of the kinds.  Places do not count,
 * and secrets are not shown.  old NULL: everything is new.
 */
json_t *site_diff(const json_t *old, const json_t *fresh);

#endif
