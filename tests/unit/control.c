/* Lines of the control protocol: what is refused, and that both ways agree. */
#include "engine/wire/control.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "tests/tap.h"

static void refused(const char *line, const char *word, const char *what)
{
	struct error err = { "" };
	json_t *object = control_parse(line, strlen(line), &err);

	ok(!object, "%s is refused", what);
	ok(strstr(err.text, word) != NULL, "%s: \"%s\" names it", what,
	   err.text);
	json_decref(object);
}

static char *nested(int depth)
{
	/* {"a":[[[...]]]}: the object is the first level. */
	char *line = calloc(1, (size_t)depth * 2 + 16), *p = line;

	p = stpcpy(p, "{\"a\":");
	for (int i = 1; i < depth; i++)
		*p++ = '[';
	for (int i = 1; i < depth; i++)
		*p++ = ']';
	*p = '}';
	return line;
}

static void test_depth(void)
{
	struct error err = { "" };
	char *fits = nested(CONTROL_DEPTH_MAX);
	char *deep = nested(CONTROL_DEPTH_MAX + 1);
	char *abyss = nested(100000);
	json_t *object = control_parse(fits, strlen(fits), &err);
	const char *text = "{\"a\":\"[[[[[[[[[[[[[[[[[[[[{{{{ \\\" [[[\"}";
	json_t *string;

	ok(object != NULL, "depth %d is taken: %s", CONTROL_DEPTH_MAX,
	   err.text);
	json_decref(object);
	refused(deep, "deeper than 16", "depth 17");
	refused(abyss, "deeper than 16", "depth 100000");
	string = control_parse(text, strlen(text), &err);
	ok(string != NULL, "brackets inside a text are not depth");
	json_decref(string);
	free(fits);
	free(deep);
	free(abyss);
}

static void test_size(void)
{
	struct error err = { "" };
	size_t n = CONTROL_LINE_MAX, length;
	char *line = malloc(n + 2), *printed;
	json_t *object;

	memset(line, 'x', n + 1);
	memcpy(line, "{\"a\":\"", 6);
	memcpy(line + n - 2, "\"}", 3);
	object = control_parse(line, n, &err);
	ok(object != NULL, "a line of 1 MiB is taken: %s", err.text);
	printed = control_print(object, &length);
	is_int(length, n + 1, "and printed whole, with its newline");
	free(printed);
	json_decref(object);
	memcpy(line + n - 1, "\"}", 3);
	line[n - 2] = 'x';
	ok(!control_parse(line, n + 1, &err), "one byte more is refused");
	ok(strstr(err.text, "at most 1048576") != NULL, "%s", err.text);
	free(line);
}

static void test_strict(void)
{
	refused("", "column", "an empty line");
	refused("[]", "not an object", "an array");
	refused("7", "not an object", "a number");
	refused("null", "not an object", "null");
	refused("{\"id\":1,\"id\":2}", "duplicate", "a key given twice");
	refused("{\"a\":{\"b\":1,\"b\":1}}", "duplicate",
		"a key given twice further in");
	refused("{\"a\":1} {\"b\":2}", "end of file", "a second object");
	refused("{\"a\":1", "column", "half an object");
	refused("{\"a\":\"\xff\xfe\"}", "decode byte", "invalid UTF-8");
	refused("{\"a\":\"\\ud800\"}", "column", "half a surrogate pair");
	refused("{\"a\":99999999999999999999}", "integer",
		"a number over 63 bits");
	refused("{\"name\":\"a\\u0000b\"}", "NUL", "a NUL in a name");
	refused("{\"a\":{\"data\":\"a\\u0000b\"}}", "NUL", "a NUL further in");
	refused("{\"a\\u0000\":1}", "column", "a NUL in a key");
	refused("{'a':1}", "column", "single quotes");
	refused("{\"a\":NaN}", "column", "NaN");
}

static void test_print(void)
{
	struct error err = { "" };
	json_t *object = json_pack("{s:i, s:s}", "id", 7, "text",
				   "\x1b[2J\x7f\xc2\x9b" "\xe2\x80\xae\n");
	size_t length = 0;
	char *line = control_print(object, &length);
	json_t *again;

	is_text(line,
		"{\"id\":7,\"text\":\"\\u001B[2J\\u007f\\u009B\\u202E\\n\"}\n",
		"one ASCII line, control characters spelled out");
	is_int(length, strlen(line), "its length");
	again = control_parse(line, length, &err);
	ok(json_equal(object, again), "reads back equal");
	json_decref(object);
	json_decref(again);
	free(line);
}

/* Every byte a serial console can send survives the trip. */
static void test_console_data(void)
{
	struct error err = { "" };
	char text[512];
	size_t used = 0, length = 0;
	json_t *object, *again;
	char *line;

	for (int byte = 0; byte < 256; byte++) {
		if (byte >= 0x80)
			text[used++] = (char)(0xc0 | byte >> 6);
		text[used++] = (char)(byte < 0x80 ? byte
						  : 0x80 | (byte & 0x3f));
	}
	object = json_object();
	json_object_set_new(object, "console", json_string("mail-07"));
	json_object_set_new(object, "data", json_stringn(text, used));
	line = control_print(object, &length);
	again = line ? control_parse(line, length, &err) : NULL;
	ok(again && json_equal(object, again), "256 bytes of data survive: %s",
	   err.text);
	json_decref(object);
	json_decref(again);
	free(line);
}

static void test_bytes(void)
{
	char bytes[256], text[512], back[512];

	for (int i = 0; i < 256; i++)
		bytes[i] = (char)i;
	size_t n = control_bytes_to_text(text, bytes, sizeof(bytes));
	is_int(n, 384, "128 of 256 bytes take two");
	is_int(control_text_to_bytes(back, text, n), 256, "and come back");
	ok(memcmp(back, bytes, sizeof(bytes)) == 0, "as they were");
	is_int(control_text_to_bytes(text, text, n), 256, "in place too");
	is_int(control_text_to_bytes(back, "\xc4\x80", 2), -1,
	       "U+0100 is no byte");
	is_int(control_text_to_bytes(back, "\xc3", 1), -1, "nor half a character");
}

int main(void)
{
	test_strict();
	test_depth();
	test_size();
	test_print();
	test_console_data();
	test_bytes();
	return tap_done();
}
