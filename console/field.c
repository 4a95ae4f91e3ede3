/* Members as fields: see field.h.  Pure. */
#include "console/field.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/format.h"
#include "console/model.h"
#include "console/theme.h"

/* "-" until a number is known. */
static bool number(struct field *out, const json_t *item, const char *member)
{
	out->number = item_int(item, member, INT64_MIN);
	out->has_number = true;
	out->text = "-";
	return out->number != INT64_MIN;
}

static void get_state(struct field *out, const char *kind, const json_t *item,
		      const char *member)
{
	struct state_look look = state_look(kind, item_text(item, member));

	out->text = look.word;
	out->role = look.role;
	out->glyph = true;
}

static void get_mib(struct field *out)
{
	int64_t tenths = out->number % 1024 * 10 / 1024;

	if (out->number < 1024)
		snprintf(out->buf, sizeof(out->buf), "%" PRId64 "M",
			 out->number);
	else
		snprintf(out->buf, sizeof(out->buf), "%" PRId64 ".%" PRId64 "G",
			 out->number / 1024, tenths);
	out->text = out->buf;
}

/* "a, b, c" of an array's texts or an object's keys. */
static void get_list(struct field *out, const json_t *value)
{
	size_t used = 0, i;
	const json_t *one;
	const char *key;
	json_t *member;

	out->text = "-";
	if (json_is_string(value))
		out->text = json_string_value(value);
	json_array_foreach(value, i, one) {
		const char *text = json_string_value(one);

		if (text && used < sizeof(out->buf))
			used += (size_t)snprintf(out->buf + used,
						 sizeof(out->buf) - used,
						 "%s%s", used ? ", " : "",
						 text);
	}
	json_object_foreach((json_t *)value, key, member)
		if (used < sizeof(out->buf))
			used += (size_t)snprintf(out->buf + used,
						 sizeof(out->buf) - used,
						 "%s%s%s", used ? ", " : "",
						 json_is_false(member) ? "!" :
						 "", key);
	if (used)
		out->text = out->buf;
}

static void get_time(struct field *out, const json_t *item, const char *member,
		     bool date)
{
	int64_t at_ms = item_time_ms(item, member);

	out->has_number = true;
	out->number = at_ms;
	out->text = "-";
	if (at_ms)
		out->text = date ? format_date(out->buf, sizeof(out->buf),
					       at_ms) :
			    format_clock(out->buf, sizeof(out->buf), at_ms);
}

static void get_text(struct field *out, const json_t *value)
{
	const char *text = json_string_value(value);

	out->text = text && *text ? text : "-";
	if (json_is_integer(value)) {
		out->has_number = true;
		out->number = json_integer_value(value);
		snprintf(out->buf, sizeof(out->buf), "%" PRId64, out->number);
		out->text = out->buf;
	}
}

void field_age(struct field *out, const struct list_context *context,
	       const json_t *item, const char *first, const char *second)
{
	int64_t at = item_time_ms(item, first);

	if (at == 0)
		at = item_time_ms(item, second);
	out->has_number = true;
	out->number = at ? context->now_ms - at : -1;
	if (at && out->number < 0)	/* clocks differ a little */
		out->number = 0;
	out->text = format_age(out->buf, sizeof(out->buf), out->number);
}

static void get_number(enum field_as as, struct field *out)
{
	if (as == AS_TOOK) {
		out->text = format_took(out->buf, sizeof(out->buf),
					out->number);
	} else if (as == AS_BYTES) {
		out->text = format_bytes(out->buf, sizeof(out->buf),
					 out->number);
	} else if (as == AS_MIB) {
		get_mib(out);
	} else {
		snprintf(out->buf, sizeof(out->buf), "%" PRId64 "%s",
			 out->number, as == AS_PERCENT ? "%" : "");
		out->text = out->buf;
	}
}

void field_get(enum field_as as, const char *member, const char *kind,
	       const struct list_context *context, const json_t *item,
	       struct field *out)
{
	const json_t *value = json_object_get(item, member);

	switch (as) {
	case AS_NUMBER:
	case AS_TOOK:
	case AS_BYTES:
	case AS_MIB:
	case AS_PERCENT:
		if (number(out, item, member))
			get_number(as, out);
		break;
	case AS_STAMP:
	case AS_CLOCK:
		get_time(out, item, member, as == AS_STAMP);
		break;
	case AS_SINCE:
		field_age(out, context, item, member, member);
		break;
	case AS_YES:
		out->text = json_is_true(value) ? "yes" :
			    json_is_false(value) ? "no" : "-";
		break;
	case AS_LIST:
		get_list(out, value);
		break;
	case AS_STATE:
		get_state(out, kind, item, member);
		break;
	case AS_TEXT:
		get_text(out, value);
		break;
	}
}
