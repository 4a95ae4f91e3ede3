/* Formats: see format.h.  Pure, but for the time zone of the process. */
#include "console/format.h"

#include <inttypes.h>
#include <stdio.h>
#include <time.h>

const char *format_age(char *out, size_t size, int64_t ms)
{
	int64_t s = ms / 1000;

	if (ms < 0)
		snprintf(out, size, "-");
	else if (s < 60)
		snprintf(out, size, "%" PRId64 "s", s);
	else if (s < 3600)
		snprintf(out, size, "%" PRId64 "m", s / 60);
	else if (s < 86400)
		snprintf(out, size, "%" PRId64 "h%02" PRId64, s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, size, "%" PRId64 "d", s / 86400);
	return out;
}

static const char *format_time(char *out, size_t size, int64_t wall_ms,
			       const char *fmt)
{
	time_t t = (time_t)(wall_ms / 1000);
	struct tm tm;

	if (wall_ms <= 0 || !localtime_r(&t, &tm) ||
	    strftime(out, size, fmt, &tm) == 0)
		snprintf(out, size, "-");
	return out;
}

const char *format_clock(char *out, size_t size, int64_t wall_ms)
{
	return format_time(out, size, wall_ms, "%H:%M:%S");
}

const char *format_date(char *out, size_t size, int64_t wall_ms)
{
	return format_time(out, size, wall_ms, "%Y-%m-%d %H:%M:%S");
}

const char *format_bytes(char *out, size_t size, int64_t bytes)
{
	static const char units[] = "kMGTP";
	int64_t whole = bytes, tenths = 0;
	int unit = -1;

	while (whole >= 1000 && unit < 4) {
		tenths = whole % 1000 / 100;
		whole /= 1000;
		unit++;
	}
	if (unit < 0)
		snprintf(out, size, "%" PRId64, bytes);
	else if (whole < 10)
		snprintf(out, size, "%" PRId64 ".%" PRId64 "%c", whole, tenths,
			 units[unit]);
	else
		snprintf(out, size, "%" PRId64 "%c", whole, units[unit]);
	return out;
}

const char *format_took(char *out, size_t size, int64_t ms)
{
	if (ms < 0)
		snprintf(out, size, "-");
	else if (ms < 1000)
		snprintf(out, size, "%" PRId64 " ms", ms);
	else if (ms < 100000)
		snprintf(out, size, "%" PRId64 ".%" PRId64 " s", ms / 1000,
			 ms / 100 % 10);
	else
		snprintf(out, size, "%" PRId64 " min", ms / 60000);
	return out;
}

size_t format_base64(char *out, const char *bytes, size_t length)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
				     "abcdefghijklmnopqrstuvwxyz0123456789+/";
	const unsigned char *in = (const unsigned char *)bytes;
	size_t used = 0;

	for (size_t i = 0; i < length; i += 3) {
		unsigned n = (unsigned)in[i] << 16;
		size_t left = length - i;

		n |= left > 1 ? (unsigned)in[i + 1] << 8 : 0;
		n |= left > 2 ? in[i + 2] : 0;
		out[used++] = digits[n >> 18];
		out[used++] = digits[n >> 12 & 63];
		out[used++] = left > 1 ? digits[n >> 6 & 63] : '=';
		out[used++] = left > 2 ? digits[n & 63] : '=';
	}
	return used;
}
