/*
 * Feeds the corpus to one fuzz target and a truncation of each input at every
 * 1/16 of its length; a target that finds a fault aborts.  Run by prove as
 * build/tests/fuzz/NAME with the corpus in tests/fuzz/corpus/NAME.
 */
#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/fuzz.h"
#include "tests/tap.h"

enum { INPUT_MAX = 1 << 20 };

/* A copy of exactly that size, so that ASan sees one byte too many. */
static void feed(const uint8_t *bytes, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	if (!copy)
		tap_bail("out of memory");
	memcpy(copy, bytes, length);
	LLVMFuzzerTestOneInput(copy, length);
	free(copy);
}

static bool replay_file(const char *folder, const char *name, uint8_t *buffer)
{
	char path[512];

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	FILE *in = fopen(path, "rb");
	if (!in)
		return false;
	size_t length = fread(buffer, 1, INPUT_MAX, in);
	fclose(in);
	feed(buffer, length);
	for (int part = 0; part < 16; part++)
		feed(buffer, length * (size_t)part / 16);
	return true;
}

int main(int argc, char **argv)
{
	const char *target = strrchr(argv[0], '/');
	char folder[256];
	struct dirent *entry;
	int inputs = 0, unread = 0;

	snprintf(folder, sizeof(folder), "tests/fuzz/corpus/%s",
		 target ? target + 1 : argv[0]);
	if (argc > 1)
		snprintf(folder, sizeof(folder), "%s", argv[1]);
	DIR *dir = opendir(folder);
	uint8_t *buffer = malloc(INPUT_MAX);
	if (!dir || !buffer)
		tap_bail("no corpus in %s", folder);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			inputs++;
			unread += !replay_file(folder, entry->d_name, buffer);
		}
	closedir(dir);
	free(buffer);
	ok(inputs > 0 && unread == 0, "%d inputs of %s, whole and cut short",
	   inputs, folder);
	return tap_done();
}
