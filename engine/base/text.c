/* Bounded text and the display filter; see text.h.  Pure, no locale. */
#include "engine/base/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

struct slice slice_of(const char *text)
{
	return (struct slice){ text, text ? (uint32_t)strlen(text) : 0 };
}

bool slice_is(struct slice s, const char *text)
{
	return strlen(text) == s.length &&
	       (s.length == 0 || memcmp(s.ptr, text, s.length) == 0);
}

bool text_copy_slice(char *out, size_t out_size, struct slice s)
{
	size_t n = s.length < out_size ? s.length : out_size - 1;

	if (n)
		memmove(out, s.ptr, n);
	out[n] = '\0';
	return n == s.length;
}

bool text_copy(char *out, size_t out_size, const char *text)
{
	return text_copy_slice(out, out_size, slice_of(text));
}

bool text_expand(struct slice pattern, uint32_t index, const char *machine,
		 char *out, size_t out_size)
{
	const char *p = pattern.ptr, *end = p + pattern.length;
	size_t used = 0;

	while (p < end && used + 1 < out_size) {
		size_t left = (size_t)(end - p);
		int n = 1;

		if (left >= 7 && memcmp(p, "{index}", 7) == 0) {
			n = snprintf(out + used, out_size - used, "%u", index);
			p += 7;
		} else if (left >= 9 && memcmp(p, "{machine}", 9) == 0) {
			n = snprintf(out + used, out_size - used, "%s", machine);
			p += 9;
		} else {
			out[used] = *p++;
		}
		used += (size_t)n;
	}
	out[used < out_size ? used : out_size - 1] = '\0';
	return p == end && used < out_size;
}

bool text_is_name(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		bool word = (text[n] >= 'a' && text[n] <= 'z') ||
			    (text[n] >= '0' && text[n] <= '9');

		if (!word && (text[n] != '-' || n == 0))
			return false;
	}
	return n > 0 && n <= 63;
}

bool text_is_user(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		bool word = (text[n] >= 'a' && text[n] <= 'z') ||
			    (text[n] >= 'A' && text[n] <= 'Z') ||
			    (text[n] >= '0' && text[n] <= '9') ||
			    text[n] == '_';

		if (!word && (n == 0 || !strchr(".@-", text[n])))
			return false;
	}
	return n > 0 && n <= 63;
}

/* Decodes one code point; returns its length, or 0 for an invalid byte. */
static size_t utf8_decode(const unsigned char *s, size_t n, uint32_t *cp)
{
	size_t need = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 :
		      s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (need == 0 || need > n)
		return 0;
	*cp = need == 1 ? s[0] : s[0] & (0xffu >> (need + 1));
	for (size_t i = 1; i < need; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (s[i] & 0x3f);
	}
	if ((need == 3 && *cp < 0x800) || (need == 4 && *cp < 0x10000) ||
	    *cp > 0x10ffff || (*cp >= 0xd800 && *cp < 0xe000))
		return 0;
	return need;
}

/* Code points that change other text, take no cell, or mean nothing. */
static bool cp_is_hidden(uint32_t cp)
{
	static const struct { uint32_t first, last; } hidden[] = {
		{ 0x00, 0x1f }, { 0x7f, 0x9f }, { 0xad, 0xad },
		{ 0x034f, 0x034f }, { 0x061c, 0x061c }, { 0x115f, 0x1160 },
		{ 0x17b4, 0x17b5 }, { 0x180b, 0x180f }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0x3164, 0x3164 },
		{ 0xe000, 0xf8ff }, { 0xfdd0, 0xfdef }, { 0xfe00, 0xfe0f },
		{ 0xfeff, 0xfeff }, { 0xffa0, 0xffa0 }, { 0xfff0, 0xffff },
		{ 0x1bca0, 0x1bca3 }, { 0x1d173, 0x1d17a },
		{ 0xe0000, 0x10ffff },
	};

	for (size_t i = 0; i < sizeof(hidden) / sizeof(hidden[0]); i++)
		if (cp >= hidden[i].first && cp <= hidden[i].last)
			return true;
	return false;
}

static bool cp_is_combining(uint32_t cp)
{
	return (cp >= 0x300 && cp <= 0x36f) || (cp >= 0x483 && cp <= 0x489) ||
	       (cp >= 0x1ab0 && cp <= 0x1aff) ||
	       (cp >= 0x1dc0 && cp <= 0x1dff) ||
	       (cp >= 0x20d0 && cp <= 0x20ff) || (cp >= 0xfe20 && cp <= 0xfe2f);
}

void text_display(char *out, size_t out_size, const char *text, size_t length)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t used = 0, marks = 0;

	for (size_t i = 0; i < length;) {
		char piece[16];
		uint32_t cp = 0;
		size_t n = utf8_decode(s + i, length - i, &cp), m;

		marks = n && cp_is_combining(cp) ? marks + 1 : 0;
		if (n == 0)
			m = (size_t)snprintf(piece, sizeof(piece), "\\x%02x",
					     s[i]);
		else if (cp < 0x100 && cp_is_hidden(cp))
			m = (size_t)snprintf(piece, sizeof(piece),
					     "\\x%02" PRIx32, cp);
		else if (cp_is_hidden(cp) || marks > 2)
			m = (size_t)snprintf(piece, sizeof(piece),
					     "\\u%04" PRIx32, cp);
		else
			memcpy(piece, s + i, m = n);
		if (used + m + 1 > out_size)
			break;
		memcpy(out + used, piece, m);
		used += m;
		i += n ? n : 1;
	}
	if (out_size)
		out[used] = '\0';
}

struct unit {
	const char *name;
	int64_t factor;
};

static int parse_units(const char *text, const struct unit *units,
		       int64_t bare, int64_t *out, const char *example,
		       struct error *err)
{
	char *end;

	errno = 0;
	int64_t n = strtoll(text, &end, 10);
	if (end == text || n < 0 || errno)
		goto bad;
	while (*end == ' ')
		end++;
	int64_t factor = *end ? 0 : bare;
	for (const struct unit *u = units; u->name && !factor; u++)
		if (strcmp(end, u->name) == 0)
			factor = u->factor;
	if (!factor || n > INT64_MAX / factor / 2)
		goto bad;
	*out = n * factor;
	return 0;
bad:
	return error_set(err, "\"%.40s\" is not understood; write for example %s",
			 text, example);
}

int text_parse_duration_ms(const char *text, int64_t *ms, struct error *err)
{
	static const struct unit units[] = {
		{ "ms", 1 }, { "s", 1000 }, { "m", 60000 }, { "min", 60000 },
		{ "h", 3600000 }, { "d", 86400000 }, { "day", 86400000 },
		{ "days", 86400000 }, { NULL, 0 },
	};

	return parse_units(text, units, 1000, ms, "\"30 s\" or \"5 min\"", err);
}

int text_parse_memory_mib(const char *text, int64_t *mib, struct error *err)
{
	static const struct unit units[] = {
		{ "MiB", 1 }, { "M", 1 }, { "GiB", 1024 }, { "G", 1024 },
		{ "TiB", 1048576 }, { NULL, 0 },
	};

	return parse_units(text, units, 1, mib, "\"128 MiB\" or \"2 GiB\"", err);
}

const char *text_duration(char *out, size_t out_size, int64_t ms)
{
	int64_t s = ms / 1000;

	if (ms < 10000)
		snprintf(out, out_size, "%" PRId64 " ms", ms);
	else if (s < 120)
		snprintf(out, out_size, "%" PRId64 " s", s);
	else if (s < 7200)
		snprintf(out, out_size, "%" PRId64 " min", s / 60);
	else if (s < 86400)
		snprintf(out, out_size, "%" PRId64 "h%02" PRId64, s / 3600,
			 s / 60 % 60);
	else
		snprintf(out, out_size, "%" PRId64 "d", s / 86400);
	return out;
}
