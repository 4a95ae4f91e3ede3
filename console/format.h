/*
 * Numbers and times for people.  All write into the caller's buffer and
 * return it.
 */
#ifndef REMUDA_CONSOLE_FORMAT_H
#define REMUDA_CONSOLE_FORMAT_H

#include <stddef.h>
#include <stdint.h>

/* "12s", "41m", "2h14", "5d"; "-" for less than nothing.  16 bytes. */
const char *format_age(char *out, size_t size, int64_t ms);
/* "12:41:07", local time; "-" for 0. */
const char *format_clock(char *out, size_t size, int64_t wall_ms);
/* "2024-11-22 12:41:07", local time; "-" for 0. */
const char *format_date(char *out, size_t size, int64_t wall_ms);
/* "850", "12k", "3.4M": bytes. */
const char *format_bytes(char *out, size_t size, int64_t bytes);
/* "350 ms", "4.1 s", "2 min": a measured duration; "-" below 0. */
const char *format_took(char *out, size_t size, int64_t ms);

/* Four characters for every three bytes begun, no NUL; returns how many. */
size_t format_base64(char *out, const char *bytes, size_t length);

#endif
