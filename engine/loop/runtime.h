/* Statements made at run time; see runtime.c. */
#ifndef REMUDA_LOOP_RUNTIME_H
#define REMUDA_LOOP_RUNTIME_H

#include "engine/loop/verbs.h"

#define RUNTIME_MODULE "remuda.runtime"
#define RUNTIME_FILE "remuda/runtime.lua"

/* All of them with the change made, malloc'd; NULL when there are none. */
char *runtime_text(struct shell *sh, const struct runtime_change *change);
/* The site file's text (malloc'd, taken) with the line that brings them in, or
 * without it. */
char *runtime_join(char *site, size_t *length, bool wanted);
/* In the batch that puts the site into force. */
int runtime_save(struct shell *sh, const struct runtime_change *change,
		 const char *who, struct error *err);

/* pool.create name fields{}; pool.delete name; the same of clusters. */
void runtime_pool_create(const struct verb_call *a);
void runtime_pool_delete(const struct verb_call *a);
void runtime_cluster_create(const struct verb_call *a);
void runtime_cluster_delete(const struct verb_call *a);

#endif
