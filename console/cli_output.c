/*
 * Lists on standard output; see cli_output.h.  A table is built whole before
 * its first line is printed, since widths need every row.
 */
#include "console/cli_output.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "console/cli.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum {
	CELL_SIZE = 512,
	COLUMNS_MAX = 32,
	FLEXIBLE_MIN = 16,	/* before other columns are dropped for it */
	NARROW = 4,
	USER_MAX = 40,		/* a foreign name takes no more of a terminal */
	GAP = 2,
};

/* ---- JSON ------------------------------------------------------------- */

static void put_json(FILE *out, const json_t *value, size_t flags)
{
	char *text = json_dumps(value, flags | JSON_ENSURE_ASCII |
					       JSON_ENCODE_ANY);

	for (const char *p = text; p && *p; p++) {
		if (*p == 0x7f)
			fputs("\\u007f", out);
		else
			fputc(*p, out);
	}
	free(text);
}

static void print_json(FILE *out, const json_t *value, size_t flags)
{
	put_json(out, value, flags);
	fputc('\n', out);
}

/* "{"api"... as output_document prints it, as far as the list. */
static void begin_document(FILE *out, const char *kind)
{
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	fprintf(out, "{\n  \"api\": \"remuda/1\",\n  \"kind\": \"%s\",\n"
		"  \"time\": \"%s\",\n  \"items\": [", kind, stamp);
}

void output_document(FILE *out, const char *kind, const char *member,
		     const json_t *value)
{
	time_t now = time(NULL);
	json_t *document;
	char stamp[32];
	struct tm tm;

	gmtime_r(&now, &tm);
	strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%SZ", &tm);
	document = json_pack("{s:s, s:s, s:s, s:O}", "api", "remuda/1", "kind",
			     kind, "time", stamp, member, value);
	print_json(out, document, JSON_INDENT(2));
	json_decref(document);
}

/* ---- which rows, in which order --------------------------------------- */

static const struct cli_column *find_column(const struct cli_view *view,
					    const char *word,
					    struct error *err)
{
	const char *titles[COLUMNS_MAX + 1] = { NULL };
	char upper[32];
	int n = 0;

	for (const struct cli_column *c = view->columns; c->title; c++) {
		if (strcasecmp(c->title, word) == 0 ||
		    strcasecmp(c->key, word) == 0)
			return c;
		if (n < COLUMNS_MAX)
			titles[n++] = c->title;
	}
	text_copy(upper, sizeof(upper), word);
	for (char *p = upper; *p; p++)
		if (*p >= 'a' && *p <= 'z')
			*p -= 'a' - 'A';
	if (cli_suggest(upper, titles))
		error_set(err, "no column \"%.40s\". Did you mean \"%s\"?",
			  word, cli_suggest(upper, titles));
	else
		error_set(err, "no column \"%.40s\"; see the header of -o wide",
			  word);
	return NULL;
}

struct row {
	const json_t *item;
	size_t order;		/* as it came: equal rows keep it */
};

struct order {
	const struct cli_column *column;
	bool down;
};

static int compare_values(const struct cli_column *column, const json_t *a,
			  const json_t *b)
{
	const json_t *x = cell_value(a, column->key);
	const json_t *y = cell_value(b, column->key);
	char s[CELL_SIZE], t[CELL_SIZE];

	if (json_is_integer(x) && json_is_integer(y))
		return json_integer_value(x) < json_integer_value(y) ? -1 :
		       json_integer_value(x) > json_integer_value(y);
	cell_raw(s, sizeof(s), column, a);
	cell_raw(t, sizeof(t), column, b);
	return strverscmp(s, t);
}

static int compare_rows(const void *a, const void *b, void *order_void)
{
	const struct row *x = a, *y = b;
	const struct order *order = order_void;
	bool x_null = !cell_value(x->item, order->column->key);
	bool y_null = !cell_value(y->item, order->column->key);
	int less = 0;

	if (x_null != y_null)
		return x_null ? 1 : -1;	/* nothing known: last */
	if (!x_null)
		less = compare_values(order->column, x->item, y->item);
	if (less)
		return order->down ? -less : less;
	return x->order < y->order ? -1 : 1;
}

/* A new array of borrowed items. */
static json_t *choose_rows(const struct cli_output *o,
			   const struct cli_view *view, const json_t *items,
			   struct error *err)
{
	size_t count = json_array_size(items), used = 0, i;
	struct row *rows;
	struct order order = { NULL, false };
	json_t *item, *chosen;
	char column[64];

	if (o->sort) {
		text_copy(column, sizeof(column), o->sort);
		order.down = *column && column[strlen(column) - 1] == '-';
		column[strlen(column) - order.down] = '\0';
		order.column = find_column(view, column, err);
		if (!order.column)
			return NULL;
	}
	rows = calloc(count + 1, sizeof(*rows));
	chosen = json_array();
	json_array_foreach(items, i, item)
		if (!o->filter || filter_match(o->filter, view, item))
			rows[used++] = (struct row){ item, i };
	if (order.column)
		qsort_r(rows, used, sizeof(*rows), compare_rows, &order);
	for (i = 0; i < used; i++)
		json_array_append(chosen, (json_t *)rows[i].item);
	free(rows);
	return chosen;
}

/* ---- tables ------------------------------------------------------------ */

struct table {
	const struct cli_column *columns[COLUMNS_MAX];
	int width[COLUMNS_MAX];
	int count;
	char **cells;		/* rows of COLUMNS_MAX, owned */
	size_t rows;
};

static int choose_columns(struct table *t, const struct cli_output *o,
			  const struct cli_view *view, struct error *err)
{
	unsigned where = o->format == FORMAT_CSV ? ON_CSV :
			 o->format == FORMAT_WIDE ? ON_WIDE : ON_TABLE;
	char word[64];

	t->count = 0;
	if (o->format != FORMAT_COLUMNS) {
		for (const struct cli_column *c = view->columns; c->title; c++)
			if ((c->where & where) && t->count < COLUMNS_MAX)
				t->columns[t->count++] = c;
		return 0;
	}
	for (const char *p = o->columns; *p && t->count < COLUMNS_MAX;) {
		size_t n = strcspn(p, ",");

		text_copy_slice(word, sizeof(word),
				(struct slice){ p, (uint32_t)n });
		t->columns[t->count] = find_column(view, word, err);
		if (!t->columns[t->count++])
			return -1;
		p += n + (p[n] == ',');
	}
	return 0;
}

static int table_width(const struct table *t)
{
	int total = 0;

	for (int i = 0; i < t->count; i++) {
		int w = t->width[i];

		if (t->columns[i]->flexible && w > FLEXIBLE_MIN)
			w = FLEXIBLE_MIN;
		total += w + (i ? GAP : 0);
	}
	return total;
}

static void drop_column(struct table *t, int at)
{
	size_t after = (size_t)(t->count - at - 1);

	for (size_t r = 0; r < t->rows; r++) {
		char **row = t->cells + r * COLUMNS_MAX;

		free(row[at]);
		memmove(row + at, row + at + 1, after * sizeof(*row));
		row[t->count - 1] = NULL;
	}
	memmove(t->columns + at, t->columns + at + 1,
		after * sizeof(*t->columns));
	memmove(t->width + at, t->width + at + 1, after * sizeof(*t->width));
	t->count--;
}

/* The column to take a cell from; -1 = all are narrow. */
static int widest(const struct table *t)
{
	int at = -1, most = NARROW;

	for (int i = 0; i < t->count; i++) {
		if (t->width[i] > most) {
			most = t->width[i];
			at = i;
		}
	}
	return at;
}

/* Makes the table fit: drops columns by rank, then cuts. */
static void fit(struct table *t, int limit)
{
	int left = limit;

	while (table_width(t) > limit) {
		int worst = 0;

		for (int i = 1; i < t->count; i++)
			if (t->columns[i]->rank >= t->columns[worst]->rank)
				worst = i;
		if (t->columns[worst]->rank == 0)
			break;
		drop_column(t, worst);
	}
	for (int i = 0; i < t->count; i++)
		if (!t->columns[i]->flexible)
			left -= t->width[i] + GAP;
	for (int i = 0; i < t->count; i++)
		if (t->columns[i]->flexible && t->width[i] > left)
			t->width[i] = left > 4 ? left : 4;
	while (table_width(t) > limit && widest(t) >= 0)
		t->width[widest(t)]--;
}

static void fill(struct table *t, const struct cli_output *o,
		 const json_t *items)
{
	bool terminal = o->width > 0 && o->format == FORMAT_TABLE;
	json_t *item;
	size_t r;

	t->rows = json_array_size(items);
	t->cells = calloc(t->rows * COLUMNS_MAX + 1, sizeof(char *));
	if (!t->cells)
		abort();
	for (int i = 0; i < t->count; i++)
		t->width[i] = o->header ? cell_width(t->columns[i]->title) : 1;
	json_array_foreach(items, r, item) {
		for (int i = 0; i < t->count; i++) {
			char cell[CELL_SIZE];
			int w;

			/* Two bytes for the mark of cell_cut. */
			cell_text(cell, sizeof(cell) - 2, o, t->columns[i],
				  item);
			if (terminal && !t->columns[i]->flexible)
				cell_cut(cell, USER_MAX, o->utf8);
			t->cells[r * COLUMNS_MAX + (size_t)i] = strdup(cell);
			w = cell_width(cell);
			if (w > t->width[i])
				t->width[i] = w;
		}
	}
	if (terminal)
		fit(t, o->width);
}

static void print_cell(FILE *out, const char *text, int width, bool right,
		       const char *last)
{
	int pad = width - cell_width(text);

	if (pad < 0)
		pad = 0;
	if (right)
		fprintf(out, "%*s%s", pad, "", text);
	else
		fprintf(out, "%s%*s", text, last ? 0 : pad, "");
	fputs(last ? last : "  ", out);
}

static void print_table(const struct cli_output *o, const json_t *items,
			struct table *t)
{
	fill(t, o, items);
	fputs(o->header && o->bold ? "\033[1m" : "", o->out);
	for (int i = 0; o->header && i < t->count; i++)
		print_cell(o->out, t->columns[i]->title, t->width[i],
			   t->columns[i]->right,
			   i + 1 < t->count ? NULL :
			   o->bold ? "\033[0m\n" : "\n");
	for (size_t r = 0; r < t->rows; r++)
		for (int i = 0; i < t->count; i++) {
			char *kept = t->cells[r * COLUMNS_MAX + (size_t)i];
			char cell[CELL_SIZE];

			text_copy(cell, sizeof(cell), kept);
			free(kept);
			if (o->width > 0 && o->format == FORMAT_TABLE)
				cell_cut(cell, t->width[i], o->utf8);
			print_cell(o->out, cell, t->width[i],
				   t->columns[i]->right,
				   i + 1 == t->count ? "\n" : NULL);
		}
	free(t->cells);
}

/* ---- CSV (RFC 4180, but lines end with LF) and names -------------------- */

static void print_csv_field(FILE *out, const char *text, bool first)
{
	bool quote = strpbrk(text, ",\"\r\n ") != NULL;

	fputs(first ? "" : ",", out);
	fputs(quote ? "\"" : "", out);
	for (; *text; text++) {
		if (*text == '"')
			fputc('"', out);
		fputc(*text, out);
	}
	fputs(quote ? "\"" : "", out);
}

static void print_csv_row(FILE *out, const struct table *t, const json_t *item)
{
	char raw[CELL_SIZE], cell[CELL_SIZE];

	for (int i = 0; i < t->count; i++) {
		/* A spreadsheet would run a text that begins so as a formula. */
		bool formula = json_is_string(cell_value(item,
							 t->columns[i]->key));

		cell_raw(raw, sizeof(raw), t->columns[i], item);
		formula = formula && *raw && strchr("=+-@", *raw);
		text_display(cell + formula, sizeof(cell) - formula, raw,
			     strlen(raw));
		if (formula)
			cell[0] = '\'';
		print_csv_field(out, cell, i == 0);
	}
	fputc('\n', out);
}

static void print_csv(const struct cli_output *o, const json_t *items,
		      const struct table *t)
{
	json_t *item;
	size_t r;

	for (int i = 0; o->header && i < t->count; i++)
		print_csv_field(o->out, t->columns[i]->key, i == 0);
	fputs(o->header ? "\n" : "", o->out);
	json_array_foreach(items, r, item)
		print_csv_row(o->out, t, item);
}

void output_object(char *out, size_t out_size, const struct cli_view *view,
		   const json_t *item)
{
	struct cli_column name = { .key = view->key };
	char raw[CELL_SIZE], shown[CELL_SIZE];

	cell_raw(raw, sizeof(raw), &name, item);
	text_display(shown, sizeof(shown), raw, strlen(raw));
	snprintf(out, out_size, "%s/%s", view->noun, shown);
}

/* ---- entries ------------------------------------------------------------- */

int output_list(const struct cli_output *o, const struct cli_view *view,
		const char *kind, const json_t *items, size_t *shown,
		struct error *err)
{
	struct table t = { .count = 0 };
	json_t *chosen = choose_rows(o, view, items, err), *item;
	char object[CELL_SIZE + 32];
	size_t i;

	if (!chosen || choose_columns(&t, o, view, err)) {
		json_decref(chosen);
		return -1;
	}
	*shown = json_array_size(chosen);
	switch (o->format) {
	case FORMAT_TABLE:
	case FORMAT_WIDE:
	case FORMAT_COLUMNS:
		print_table(o, chosen, &t);
		break;
	case FORMAT_CSV:
		print_csv(o, chosen, &t);
		break;
	case FORMAT_NAME:
		json_array_foreach(chosen, i, item) {
			output_object(object, sizeof(object), view, item);
			fprintf(o->out, "%s\n", object);
		}
		break;
	case FORMAT_JSON:
		output_document(o->out, kind, "items", chosen);
		break;
	}
	json_decref(chosen);
	return 0;
}

static int page_json(struct output_pages *p, const json_t *items,
		     struct error *err)
{
	json_t *chosen = choose_rows(p->output, p->view, items, err), *item;
	size_t i;

	if (!chosen)
		return -1;
	if (!p->began)
		begin_document(p->output->out, p->kind);
	json_array_foreach(chosen, i, item) {
		fputs(p->shown++ ? ",\n    " : "\n    ", p->output->out);
		put_json(p->output->out, item, JSON_COMPACT);
	}
	json_decref(chosen);
	return 0;
}

int output_page(struct output_pages *p, const json_t *items, struct error *err)
{
	struct cli_output o = *p->output;
	size_t shown = 0;
	int rc;

	o.header = o.header && !p->began;
	if (o.format == FORMAT_JSON)
		rc = page_json(p, items, err);
	else
		rc = output_list(&o, p->view, p->kind, items, &shown, err);
	p->shown += shown;
	p->began = true;
	return rc;
}

void output_pages_end(struct output_pages *p)
{
	if (p->output->format == FORMAT_JSON)
		fprintf(p->output->out, "%s]\n}\n", p->shown ? "\n  " : "");
}

static void print_fields(const struct cli_output *o, const char *prefix,
			 const json_t *item)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)item, key, value) {
		struct cli_column field = { .key = key };
		char cell[CELL_SIZE], path[128], shown[128];

		snprintf(path, sizeof(path), "%s%s%s", prefix,
			 *prefix ? "." : "", key);
		if (json_is_object(value) && json_object_size(value) &&
		    strlen(path) < 64) {
			print_fields(o, path, value);
			continue;
		}
		cell_text(cell, sizeof(cell), o, &field, item);
		text_display(shown, sizeof(shown), path, strlen(path));
		fprintf(o->out, "%-16s  %s\n", shown, cell);
	}
}

void output_item(const struct cli_output *o, const struct cli_view *view,
		 const char *kind, const json_t *item)
{
	json_t *one;
	size_t shown;

	if (o->format == FORMAT_JSON) {
		output_document(o->out, kind, "item", item);
	} else if (view && o->format != FORMAT_TABLE &&
		   o->format != FORMAT_WIDE) {
		one = json_pack("[O]", item);
		output_list(o, view, kind, one, &shown, NULL);
		json_decref(one);
	} else {
		print_fields(o, "", item);
	}
}

/* A stream cannot look at all rows first. */
static int stream_width(const struct cli_column *column)
{
	if (column->cell == CELL_STAMP)
		return sizeof("2026-11-22T05:42:05Z") - 1;
	return strcmp(column->key, "object") == 0 ? 18 : 6;
}

void output_stream(const struct cli_output *o, const struct cli_view *view,
		   const json_t *item)
{
	struct table t = { .count = 0 };
	char cell[CELL_SIZE];

	if (o->filter && !filter_match(o->filter, view, item))
		return;
	if (choose_columns(&t, o, view, NULL))
		return;
	if (o->format == FORMAT_JSON) {
		print_json(o->out, item, JSON_COMPACT);
	} else if (o->format == FORMAT_CSV) {
		print_csv_row(o->out, &t, item);
	} else if (o->format == FORMAT_NAME) {
		output_object(cell, sizeof(cell), view, item);
		fprintf(o->out, "%s\n", cell);
	} else {
		for (int i = 0; i < t.count; i++) {
			cell_text(cell, sizeof(cell), o, t.columns[i], item);
			print_cell(o->out, cell, stream_width(t.columns[i]),
				   t.columns[i]->right,
				   i + 1 == t.count ? "\n" : NULL);
		}
	}
	fflush(o->out);
}
