/*
 * Calls about the site's storage pool itself: what is in it, deleting one
 * volume, its end.  Run on worker threads.
 */
#include <libvirt/virterror.h>
#include <stdlib.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/clone.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/storage.h"
#include "engine/hypervisor/virt.h"

static enum wire_result tell_volume(struct job *job, const struct storage *st,
				    virStorageVolPtr vol, struct error *err)
{
	struct storage_volume v;
	virStorageVolInfo info;

	if (virStorageVolGetInfo(vol, &info) < 0)
		return WIRE_OK;	/* gone in between */
	if (storage_read(st, vol, &v, err) != WIRE_OK)
		return WIRE_OK;
	struct message m = {
		.type = WIRE_TYPE_volume_seen,
		.request = job->m.request,
		.volume_seen = { slice_of(v.name), slice_of(v.key), v.inode,
				 info.allocation },
	};
	answer_send(job->role, &m);
	return WIRE_OK;
}

/* Runs over the volumes of the site's pool; their number, or -1. */
static int each_volume(struct job *job, struct storage *st, bool tell,
		       struct error *err)
{
	virStorageVolPtr *all = NULL;

	if (virStoragePoolRefresh(st->pool, 0) < 0)
		return virt_error(err, "cannot look into the storage pool"), -1;
	int count = virStoragePoolListAllVolumes(st->pool, &all, 0);
	if (count < 0)
		return virt_error(err, "cannot list the storage pool"), -1;
	for (int i = 0; i < count; i++) {
		if (tell)
			tell_volume(job, st, all[i], err);
		virStorageVolFree(all[i]);
	}
	free(all);
	return count;
}

static enum job_next with_pool(struct job *job,
			       enum wire_result (*act)(struct job *,
						       struct storage *,
						       struct error *))
{
	struct error err = { "" };
	struct host_facts facts;
	struct storage st;
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	enum wire_result result = storage_open(&st, conn, &facts,
					       &job->role->host.site, &err);
	if (result == WIRE_OK) {
		result = act(job, &st, &err);
		storage_close(&st);
	}
	virConnectClose(conn);
	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}

static enum wire_result list_pool(struct job *job, struct storage *st,
				  struct error *err)
{
	return each_volume(job, st, true, err) < 0 ? WIRE_FAILED : WIRE_OK;
}

static enum wire_result remove_pool(struct job *job, struct storage *st,
				    struct error *err)
{
	int count = each_volume(job, st, false, err);

	if (count > 0)
		error_set(err, "%d files are left in the storage pool %s; look with `remuda gc`",
			  count, st->name);
	if (count != 0)
		return WIRE_FAILED;
	/* One with a definition is an operator's: it stays. */
	if (virStoragePoolIsPersistent(st->pool) == 1 ||
	    virStoragePoolDestroy(st->pool) == 0 ||
	    virt_error_is(VIR_ERR_NO_STORAGE_POOL))
		return WIRE_OK;
	return virt_error(err, "cannot end the storage pool");
}

enum job_next clone_list(struct job *job)
{
	return with_pool(job, list_pool);
}

enum job_next clone_remove_pool(struct job *job)
{
	return with_pool(job, remove_pool);
}

static enum wire_result delete_volume(struct job *job, struct storage *st,
				      struct error *err)
{
	const struct wire_volume_delete *d = &job->m.volume_delete;
	struct storage_volume v = { .inode = d->inode };

	if (text_copy_slice(v.name, sizeof(v.name), d->name) &&
	    text_copy_slice(v.key, sizeof(v.key), d->key))
		return storage_delete(st, &v, d->since_wall_ms, err);
	error_set(err, "volume_delete: too long a name");
	return WIRE_FAILED;
}

enum job_next clone_delete(struct job *job)
{
	return with_pool(job, delete_volume);
}
