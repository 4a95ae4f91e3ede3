/* TAP printer; see tap.h. */
#include "tests/tap.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct {
	int run, failed;
} tap;

static bool tap_line(bool pass, const char *file, int line, const char *fmt,
		     va_list ap)
{
	printf("%s %d - ", pass ? "ok" : "not ok", ++tap.run);
	vprintf(fmt, ap);
	printf("\n");
	if (!pass) {
		tap.failed++;
		printf("#   failed at %s:%d\n", file, line);
	}
	fflush(stdout);
	return pass;
}

bool tap_ok(bool pass, const char *file, int line, const char *cond,
	    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line(pass, file, line, fmt, ap);
	va_end(ap);
	if (!pass)
		printf("#   %s\n", cond);
	return pass;
}

bool tap_int(int64_t got, int64_t want, const char *file, int line,
	     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_line(got == want, file, line, fmt, ap);
	va_end(ap);
	if (got != want)
		printf("#   got %" PRId64 ", want %" PRId64 "\n", got, want);
	return got == want;
}

bool tap_text(const char *got, const char *want, const char *file, int line,
	      const char *fmt, ...)
{
	bool same = got && want ? strcmp(got, want) == 0 : got == want;
	va_list ap;

	va_start(ap, fmt);
	tap_line(same, file, line, fmt, ap);
	va_end(ap);
	if (!same)
		printf("#    got \"%s\"\n#   want \"%s\"\n", got ? got : "(null)",
		       want ? want : "(null)");
	return same;
}

void tap_skip(int count, const char *why)
{
	for (int i = 0; i < count; i++)
		printf("ok %d # SKIP %s\n", ++tap.run, why);
	fflush(stdout);
}

void tap_note(const char *fmt, ...)
{
	va_list ap;

	printf("# ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	fflush(stdout);
}

void tap_bail(const char *fmt, ...)
{
	va_list ap;

	printf("Bail out! ");
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf("\n");
	exit(255);
}

int tap_done(void)
{
	printf("1..%d\n", tap.run);
	fflush(stdout);
	return tap.failed || !tap.run;
}
