/*
 * An error is one sentence for a person: what failed, why, what to do next.
 * Functions that can fail return 0 or -1 and fill the caller's struct error;
 * each level may put its context in front.  A NULL error is allowed everywhere.
 */
#ifndef REMUDA_BASE_ERROR_H
#define REMUDA_BASE_ERROR_H

struct error {
	char text[512];
};

/* Sets the text; always returns -1 so that callers can `return error_set(...)`. */
int error_set(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* The same with ": strerror(errno)" appended. */
int error_errno(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
/* Puts "context: " before the present text; returns -1. */
int error_wrap(struct error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
