/* Answers of a terminal: whatever comes, what is no answer is kept as keys and
 * nothing is read twice or past the end. */
#include <string.h>

#include "console/probe.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char rest[PROBE_ANSWER_MAX];
	size_t left = 0;
	struct probe whole = { .ask_background = true, .ask_width = true };

	if (size > PROBE_ANSWER_MAX)
		size = PROBE_ANSWER_MAX;
	probe_read(&whole, (const char *)data, size, rest, &left);
	FUZZ_CHECK(left <= size);
	FUZZ_CHECK(whole.cells >= 0);
	FUZZ_CHECK(whole.cells == 0 || whole.reports >= 2);
	/* Byte by byte it ends as it does at once. */
	struct probe parts = { .ask_background = true, .ask_width = true };

	for (size_t n = 0; n <= size; n++)
		probe_read(&parts, (const char *)data, n, rest, &left);
	FUZZ_CHECK(parts.reports == whole.reports);
	return 0;
}
