/* What storage.c and storage_look.c tell each other; nobody else includes this. */
#ifndef REMUDA_HYPERVISOR_STORAGE_INTERNAL_H
#define REMUDA_HYPERVISOR_STORAGE_INTERNAL_H

#include "engine/hypervisor/storage.h"

/* A file of the operator's as a volume, through the pool it lies in or, when
 * it lies in none, one that lives as long as the look. */
struct storage_source {
	virStorageVolPtr volume;
	virStoragePoolPtr temporary;
	uint64_t capacity;
};

enum wire_result storage_source_open(struct storage *st, const char *path,
				     struct storage_source *source,
				     struct error *err);
void storage_source_close(struct storage_source *source);

/* The XML of a directory pool, to be freed with xmlFree; NULL with err. */
char *storage_pool_xml(const char *name, const char *directory,
		       struct error *err);

#endif
