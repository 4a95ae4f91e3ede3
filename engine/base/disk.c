/* See disk.h. */
#include "engine/base/disk.h"

#include <errno.h>
#include <string.h>
#include <sys/statvfs.h>

#include "engine/base/text.h"

int64_t disk_room_mib(const char *folder)
{
	char path[1024];
	struct statvfs v;

	text_copy(path, sizeof(path), folder);
	while (statvfs(path, &v) < 0) {
		char *slash = strrchr(path, '/');

		if (errno != ENOENT || !slash)
			return -1;
		/* "/x" -> "/", at last. */
		slash[slash == path] = '\0';
	}
	return (int64_t)((uint64_t)v.f_bavail * v.f_frsize >> 20);
}
