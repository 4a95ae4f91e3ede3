/* Where the console keeps what it remembers: a folder through which QEMU still
 * reaches a site's images when root's console was there first. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/memory.h"
#include "console/prompt.h"
#include "tests/tap.h"

int main(void)
{
	char dir[] = "/tmp/remuda-memory-XXXXXX", folder[64], path[sizeof(folder) + 16];
	static struct prompt prompt;
	struct memory m;
	struct stat st;

	if (!mkdtemp(dir))
		tap_bail("%s", dir);
	snprintf(folder, sizeof(folder), "%s/remuda", dir);
	snprintf(path, sizeof(path), "%s/console.json", folder);
	memory_load(&m, path, &prompt);
	m.changed = true;
	memory_save(&m, &prompt);
	memory_fini(&m);
	ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600,
	   "what was typed is the person's own");
	ok(stat(folder, &st) == 0, "its folder was made");
	is_int(st.st_mode & 0777, geteuid() == 0 ? 0711 : 0700,
	       "root's leads on to the folders of sites, another's to nobody");
	unlink(path);
	rmdir(folder);
	rmdir(dir);
	return tap_done();
}
