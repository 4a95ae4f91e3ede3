/*
 * Fuzz targets: one file, one parser, one function fuzz(bytes).  `make fuzz`
 * builds each with libFuzzer and runs it; `make check` links each with
 * replay.c, which feeds it the corpus.  A target states what must hold with
 * FUZZ_CHECK, so that a wrong answer is found as well as a crash.
 */
#ifndef REMUDA_TESTS_FUZZ_H
#define REMUDA_TESTS_FUZZ_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define FUZZ_CHECK(what)                                                       \
	do {                                                                   \
		if (!(what)) {                                                 \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#what);                                        \
			abort();                                               \
		}                                                              \
	} while (0)

/*
 * For each shorter beginning of an input: all of them where it is short, else
 * the first and the last, so that a run stays linear in its length.
 */
#define FUZZ_EACH_PREFIX(cut, length)                                          \
	for (size_t cut = 0; cut < (length);                                   \
	     cut += cut == 256 && (length) > 512 ? (length) - 512 : 1)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

#endif
