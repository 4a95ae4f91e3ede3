/* See build.h: device, inode, size and time of the file, mixed by FNV-1a. */
#include "engine/base/build.h"

#include <stddef.h>
#include <sys/stat.h>

uint64_t build_number(void)
{
	uint64_t h = 0xcbf29ce484222325u;
	struct stat st;

	if (stat("/proc/self/exe", &st) < 0)
		return 1;
	const uint64_t parts[] = {
		(uint64_t)st.st_dev, (uint64_t)st.st_ino, (uint64_t)st.st_size,
		(uint64_t)st.st_mtim.tv_sec, (uint64_t)st.st_mtim.tv_nsec,
	};

	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
		for (int shift = 0; shift < 64; shift += 8)
			h = (h ^ (parts[i] >> shift & 0xff)) * 0x100000001b3u;
	return h ? h : 1;
}
