/* Answers of a terminal: see probe.h.  Pure and fuzzed. */
#include "console/probe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t probe_query(const struct probe *p, char out[PROBE_QUERY_MAX])
{
	/* The sign is drawn, measured and wiped away where the cursor stands. */
	return (size_t)snprintf(out, PROBE_QUERY_MAX, "%s%s", p->ask_background ?
				"\033]11;?\033\\" : "", p->ask_width ?
				"\0337\033[6n\xe2\x97\x8f\033[6n\0338\033[K" :
				"\033[6n");
}

/* A part of "rgb:1e1e/1e1e/2e2e" as 0 to 1000, or -1; *at goes behind it. */
static int colour_part(const char **at)
{
	char digits[5] = "", *end;
	size_t n = strspn(*at, "0123456789abcdefABCDEF");
	long most = 0;

	if (n < 1 || n > 4)
		return -1;
	memcpy(digits, *at, n);
	*at += n;
	for (size_t i = 0; i < n; i++)
		most = most * 16 + 15;
	return (int)(strtol(digits, &end, 16) * 1000 / most);
}

/* The text of an OSC 11 answer. */
static void take_background(struct probe *p, const char *text)
{
	const char *at = strstr(text, "rgb");
	int parts[3];

	if (!at || !(at = strchr(at, ':')))
		return;
	at++;
	for (int i = 0; i < 3; i++) {
		parts[i] = colour_part(&at);
		if (parts[i] < 0 || (i < 2 && *at++ != '/'))
			return;
	}
	p->background = parts[0] * 299 + parts[1] * 587 + parts[2] * 114 >
			500 * 1000 ? PROBE_LIGHT : PROBE_DARK;
}

static void take_report(struct probe *p, int row, int col)
{
	if (p->reports++ == 0) {
		p->row = row;
		p->col = col;
	} else if (p->reports == 2 && row == p->row && col > p->col) {
		p->cells = col - p->col;	/* else it wrapped: not known */
	}
}

/* The length of the answer at the beginning of text; 0 when it is none, -1 when
 * it may become one. */
static int answer_length(struct probe *p, const char *text)
{
	int row, col, used = 0;
	const char *end;

	if (strncmp(text, "\033]11;", strlen(text) < 5 ? strlen(text) : 5) == 0) {
		end = strpbrk(text + 1, "\a\033");
		if (!end || (*end == '\033' && !end[1]))
			return -1;
		if (*end == '\033' && end[1] != '\\')
			return 0;
		take_background(p, text);
		return (int)(end - text) + (*end == '\033' ? 2 : 1);
	}
	if (text[0] != '\033' || (text[1] && text[1] != '['))
		return 0;
	if (!text[1] || !text[2 + strspn(text + 2, "0123456789;")])
		return -1;
	if (sscanf(text, "\033[%5d;%5dR%n", &row, &col, &used) != 2 || !used)
		return 0;
	take_report(p, row, col);
	return used;
}

bool probe_read(struct probe *p, const char *bytes, size_t length, char *rest,
		size_t *rest_length)
{
	char text[PROBE_ANSWER_MAX + 1];
	size_t n = length < PROBE_ANSWER_MAX ? length : PROBE_ANSWER_MAX;

	memcpy(text, bytes, n);
	for (size_t i = 0; i < n; i++)	/* a NUL is a key, not an end */
		text[i] = text[i] ? text[i] : ' ';
	text[n] = '\0';
	p->reports = 0;
	*rest_length = 0;
	for (size_t at = 0; at < n;) {
		int used = answer_length(p, text + at);

		if (used < 0)
			break;
		if (used == 0) {
			rest[(*rest_length)++] = bytes[at];
			used = 1;
		}
		at += (size_t)used;
	}
	/* The last report ends the answers, whatever was not understood. */
	return p->reports >= (p->ask_width ? 2 : 1);
}
