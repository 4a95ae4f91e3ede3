/*
 * Text: bounded copies, borrowed slices, and the one filter through which
 * foreign text passes before a person sees it (reliability.md A7).
 */
#ifndef REMUDA_BASE_TEXT_H
#define REMUDA_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct error;

/* Borrowed bytes, not NUL-terminated. */
struct slice {
	const char *ptr;
	uint32_t length;
};

#define SLICE(literal) ((struct slice){ (literal), sizeof(literal) - 1 })

struct slice slice_of(const char *text);	/* NULL gives the empty slice */
bool slice_is(struct slice s, const char *text);

/* Copies with truncation and a NUL; returns false when truncated. */
bool text_copy(char *out, size_t out_size, const char *text);
bool text_copy_slice(char *out, size_t out_size, struct slice s);
/* TEXT_SET(array, text): text_copy with the array's size. */
#define TEXT_SET(array, text) text_copy((array), sizeof(array), (text))

/* Copies a pattern with {index} and {machine} filled in; false when the result
 * does not fit. */
bool text_expand(struct slice pattern, uint32_t index, const char *machine,
		 char *out, size_t out_size);

/*
 * Names of pools, applications, listeners, resources: [a-z0-9] then
 * [a-z0-9-]*, at most 63 bytes (reliability.md A11).
 */
bool text_is_name(const char *text);
/* Users also have login names and mail addresses: [A-Za-z0-9_] then
 * [A-Za-z0-9._@-]*, at most 63 bytes. */
bool text_is_user(const char *text);

/*
 * Writes text to out with every control, bidirectional, zero-width and other
 * invisible code point, and every invalid byte, replaced by a visible escape
 * (\x1b, \u202e); truncates at a character.  out is always terminated.
 */
void text_display(char *out, size_t out_size, const char *text, size_t length);

/*
 * "30 s", "5 min", "2 h", "1 d", "400 days", "250 ms" or a bare number of seconds to
 * milliseconds; "128 MiB", "2 GiB" or a bare number of MiB to MiB.
 */
int text_parse_duration_ms(const char *text, int64_t *ms, struct error *err);
int text_parse_memory_mib(const char *text, int64_t *mib, struct error *err);

/* "4120 ms", "12 s", "3 min", "2h14", "5d" into out (at least 16 bytes). */
const char *text_duration(char *out, size_t out_size, int64_t ms);

#endif
