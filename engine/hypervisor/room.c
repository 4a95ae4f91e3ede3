/*
 * See room.h.  On this computer the file system is asked, at each poll.  On
 * another libvirt must scan the pool's folder for it: once a minute, and the
 * figure stands until the next.  What libvirt cannot do counts as not known:
 * a watch must not stop what it watches.
 */
#include "engine/hypervisor/room.h"

#include <libvirt/virterror.h>
#include <pthread.h>
#include <stdio.h>

#include "engine/base/disk.h"
#include "engine/hypervisor/role.h"

enum { REMOTE_LOOK_MS = 60 * 1000 };

static int64_t ask_libvirt(virConnectPtr conn, const struct host_site *site)
{
	char name[80];
	virStoragePoolInfo info;
	int64_t mib = -1;

	snprintf(name, sizeof(name), "remuda-%s", site->site);
	virStoragePoolPtr pool = virStoragePoolLookupByName(conn, name);
	/* Before the first machine there is none. */
	if (!pool)
		return -1;
	if (virStoragePoolRefresh(pool, 0) == 0 &&
	    virStoragePoolGetInfo(pool, &info) == 0)
		mib = (int64_t)(info.available >> 20);
	virStoragePoolFree(pool);
	return mib;
}

int64_t room_left_mib(virConnectPtr conn, const struct host_facts *facts,
		      const struct host_site *site)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	static int64_t looked_ms, mib = -1;
	int64_t now = role_now_ms(), result;

	if (!site->storage[0])
		return -1;
	if (facts->local)
		return disk_room_mib(site->storage);
	/* Not held over the call: that may hang. */
	pthread_mutex_lock(&lock);
	bool look = !looked_ms || now - looked_ms >= REMOTE_LOOK_MS;
	if (look)
		looked_ms = now;
	result = mib;
	pthread_mutex_unlock(&lock);
	if (!look)
		return result;
	result = ask_libvirt(conn, site);
	pthread_mutex_lock(&lock);
	mib = result;
	pthread_mutex_unlock(&lock);
	return result;
}
