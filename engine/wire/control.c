/*
 * Reading and printing lines of the control protocol; see control.h.
 *
 * Used by the engine on what clients send and by clients on what the engine
 * sends, so both sides refuse the same things: anything but one object, a key
 * given twice, nesting deeper than CONTROL_DEPTH_MAX, a line longer than
 * CONTROL_LINE_MAX, a NUL in a text (only "data" of a machine's console may
 * hold one).  Depth is counted before jansson sees the line: its own limit is
 * a build option of the library.
 *
 * A printed line may be longer than CONTROL_LINE_MAX: who makes long answers sends
 * them in parts.  Printed lines are ASCII: every control character, C1 code and
 * bidirectional mark leaves as \uXXXX, so a line may be shown on any terminal.
 */
#include "engine/wire/control.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/error.h"

/* Greatest nesting of braces outside strings.  Only an upper bound for text
 * that is not JSON, which jansson then refuses. */
static int line_depth(const char *line, size_t length)
{
	bool text = false;
	int depth = 0, most = 0;

	for (size_t i = 0; i < length; i++) {
		char c = line[i];

		if (text && c == '\\')
			i++;
		else if (c == '"')
			text = !text;
		else if (!text && (c == '{' || c == '['))
			most = ++depth > most ? depth : most;
		else if (!text && (c == '}' || c == ']'))
			depth--;
	}
	return most;
}

static bool has_nul(const json_t *value)
{
	const char *key;
	json_t *member;
	size_t i;

	if (json_is_string(value))
		return memchr(json_string_value(value), '\0',
			      json_string_length(value)) != NULL;
	if (json_is_array(value))
		json_array_foreach(value, i, member)
			if (has_nul(member))
				return true;
	if (json_is_object(value))
		json_object_foreach((json_t *)value, key, member)
			if (has_nul(member))
				return true;
	return false;
}

/* jansson knows what is wrong with a text, but seldom says so without memory. */
static bool lacks_memory(const json_error_t *why)
{
	enum json_error_code code = json_error_code(why);

	return code == json_error_unknown || code == json_error_out_of_memory;
}

json_t *control_parse(const char *line, size_t length, struct error *err)
{
	json_error_t why = { .line = 0 };	/* jansson leaves its code as it was */
	json_t *object, *member;
	const char *key;

	if (length > CONTROL_LINE_MAX) {
		error_set(err, "line of %zu bytes: at most %d are allowed",
			  length, CONTROL_LINE_MAX);
		return NULL;
	}
	if (line_depth(line, length) > CONTROL_DEPTH_MAX) {
		error_set(err, "nested deeper than %d levels",
			  CONTROL_DEPTH_MAX);
		return NULL;
	}
	object = json_loadb(line, length,
			    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
				    JSON_DECODE_ANY,
			    &why);
	CHECK("", object || !lacks_memory(&why), "out of memory");
	if (!object) {
		error_set(err, "not a line of JSON at column %d: %s",
			  why.column, why.text);
		return NULL;
	}
	if (!json_is_object(object)) {
		json_decref(object);
		error_set(err, "not an object: a line is {...}");
		return NULL;
	}
	json_object_foreach(object, key, member) {
		if ((strcmp(key, "data") == 0 && json_is_string(member)) ||
		    !has_nul(member))
			continue;
		error_set(err, "\"%.40s\" holds a NUL character", key);
		json_decref(object);
		return NULL;
	}
	return object;
}

/* DEL is the one control character that jansson prints as it is. */
static size_t count_del(const char *text)
{
	size_t n = 0;

	while ((text = strchr(text, 0x7f))) {
		text++;
		n++;
	}
	return n;
}

char *control_print(const json_t *object, size_t *length)
{
	char *plain = json_dumps(object, JSON_COMPACT | JSON_ENSURE_ASCII);
	char *line, *out;

	if (!plain)
		return NULL;
	*length = strlen(plain) + 5 * count_del(plain) + 1;
	line = malloc(*length + 1);
	if (!line) {
		free(plain);
		return NULL;
	}
	out = line;
	for (const char *in = plain; *in; in++) {
		if (*in == 0x7f)
			out = stpcpy(out, "\\u007f");
		else
			*out++ = *in;
	}
	*out++ = '\n';
	*out = '\0';
	free(plain);
	return line;
}

size_t control_bytes_to_text(char *text, const char *bytes, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char b = (unsigned char)bytes[i];

		if (b < 0x80) {
			text[used++] = (char)b;
		} else {
			text[used++] = (char)(0xc0 | b >> 6);
			text[used++] = (char)(0x80 | (b & 0x3f));
		}
	}
	return used;
}

ssize_t control_text_to_bytes(char *bytes, const char *text, size_t length)
{
	ssize_t used = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char b = (unsigned char)text[i];

		if (b >= 0x80) {
			if (b > 0xc3 || i + 1 >= length)
				return -1;
			b = (unsigned char)((b & 3) << 6 | (text[++i] & 0x3f));
		}
		bytes[used++] = (char)b;
	}
	return used;
}
