/*
 * Lists and objects on standard output: aligned tables, names, CSV, JSON.
 * Every text that came from elsewhere passes text_display (tables, CSV) or
 * leaves as ASCII JSON.
 */
#ifndef REMUDA_CONSOLE_CLI_OUTPUT_H
#define REMUDA_CONSOLE_CLI_OUTPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct json_t;
struct error;

enum cli_cell {
	CELL_TEXT,	/* text, number, or list joined by commas */
	CELL_SINCE,	/* RFC 3339: time of day, or date when older */
	CELL_STAMP,	/* RFC 3339: date and time */
	CELL_MS,	/* duration: 12ms 4.1s 3m 2h14 */
	CELL_BYTES,	/* 812 1.2K 3.4M */
	CELL_RANGE,	/* two keys: 3-10 */
	CELL_PERMILLE,	/* 8.7% */
	CELL_NOTE,	/* a machine's wish, job and reason */
};

enum cli_where {
	ON_TABLE = 1,
	ON_WIDE = 2,
	ON_CSV = 4,
	ON_ALL = 7,
};

struct cli_column {
	const char *title;
	const char *key;	/* "a|b": the first that is not null */
	enum cli_cell cell;
	unsigned where;		/* enum cli_where bits */
	int rank;		/* 0 stays; the highest is dropped first */
	bool right;
	bool flexible;		/* takes what is left of the line */
};

struct cli_view {
	const struct cli_column *columns;	/* ends with title == NULL */
	const char *noun;	/* "pool": object names are pool/NAME */
	const char *key;	/* what names one: "name", "id", "index" */
	const char *many;	/* "pools", for "no pools" */
};

enum cli_format {
	FORMAT_TABLE,
	FORMAT_WIDE,
	FORMAT_COLUMNS,
	FORMAT_NAME,
	FORMAT_CSV,
	FORMAT_JSON,
};

struct cli_output {
	FILE *out;
	enum cli_format format;
	const char *columns;	/* for FORMAT_COLUMNS: "NAME,STATE" */
	const char *sort;	/* "COLUMN" or "COLUMN-", or NULL */
	const char *filter;	/* or NULL */
	bool header, utc, bold;
	bool utf8;		/* the terminal's; false escapes the rest */
	int width;		/* of the terminal; 0 = not one: no limit */
};

/* Prints items (an array of objects) as kind "pool_list".  Filters and sorts
 * first.  Sets *shown to how many.  -1: a column that does not exist. */
int output_list(const struct cli_output *o, const struct cli_view *view,
		const char *kind, const struct json_t *items, size_t *shown,
		struct error *err);
/* A list that comes in pages, each printed as it comes. */
struct output_pages {
	const struct cli_output *output;
	const struct cli_view *view;
	const char *kind;
	bool began;
	size_t shown;	/* rows printed so far */
};
int output_page(struct output_pages *p, const struct json_t *items,
		struct error *err);
/* After the last one, and after none. */
void output_pages_end(struct output_pages *p);
/* Prints one object: a line per field, or the document with "item". */
void output_item(const struct cli_output *o, const struct cli_view *view,
		 const char *kind, const struct json_t *item);
/* Prints one line of a stream, without header, columns not aligned. */
void output_stream(const struct cli_output *o, const struct cli_view *view,
		   const struct json_t *item);
/* A JSON document with our frame around "items" or "item". */
void output_document(FILE *out, const char *kind, const char *member,
		     const struct json_t *value);

/* "pool/mail": view's noun and the item's name. */
void output_object(char *out, size_t out_size, const struct cli_view *view,
		   const struct json_t *item);

/* ---- cli_cell.c: one value for people ---------------------------------- */

/* Text of a cell; "-" when null or absent. */
void cell_text(char *out, size_t out_size, const struct cli_output *o,
	       const struct cli_column *column, const struct json_t *item);
/* The value itself, as CSV has it. */
void cell_raw(char *out, size_t out_size, const struct cli_column *column,
	      const struct json_t *item);
/* First value of key ("a|b") that is not null, or NULL. */
const struct json_t *cell_value(const struct json_t *item, const char *key);
/* "2026-11-22T05:42:05.123Z" to milliseconds since 1970; -1 = is none. */
long long cell_parse_time(const char *text);
/* Terminal columns of a displayed text. */
int cell_width(const char *text);
/* Cuts text to width columns, with a mark when something is missing. */
void cell_cut(char *text, int width, bool utf8);

/* ---- cli_filter.c ------------------------------------------------------- */

/* All words of expr match: `word` in a shown column, `!word` not, `~wd`
 * letters in this order, `key=value` (with * and ?) by column or field. */
bool filter_match(const char *expr, const struct cli_view *view,
		  const struct json_t *item);

#endif
