/* Room on the file systems of this computer.  May block where one hangs. */
#ifndef REMUDA_BASE_DISK_H
#define REMUDA_BASE_DISK_H

#include <stdint.h>

/*
 * Free MiB where the folder is, or where the nearest one above it is that is
 * there; without what is kept for root.  -1: nobody can say.
 */
int64_t disk_room_mib(const char *folder);

#endif
