/*
 * TAP for tests in C.  ok() and friends print one line each and say where a
 * failure stands; done() prints the plan and gives the exit code.
 */
#ifndef REMUDA_TESTS_TAP_H
#define REMUDA_TESTS_TAP_H

#include <stdbool.h>
#include <stdint.h>

#define ok(cond, ...) tap_ok((cond), __FILE__, __LINE__, #cond, __VA_ARGS__)
/* Compare and print both values on failure. */
#define is_int(got, want, ...)                                                 \
	tap_int((int64_t)(got), (int64_t)(want), __FILE__, __LINE__, __VA_ARGS__)
#define is_text(got, want, ...)                                                \
	tap_text((got), (want), __FILE__, __LINE__, __VA_ARGS__)

bool tap_ok(bool pass, const char *file, int line, const char *cond,
	    const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool tap_int(int64_t got, int64_t want, const char *file, int line,
	     const char *fmt, ...) __attribute__((format(printf, 5, 6)));
bool tap_text(const char *got, const char *want, const char *file, int line,
	      const char *fmt, ...) __attribute__((format(printf, 5, 6)));
/* A counted skip with its reason. */
void tap_skip(int count, const char *why);
void tap_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* A run-time check of the test itself: message, then exit. */
void tap_bail(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));
/* Prints the plan; returns 0 when every test passed. */
int tap_done(void);

#endif
