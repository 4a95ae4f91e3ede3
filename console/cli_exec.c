/*
 * `machine exec`: one command in a guest.  Its bytes come out as they are into
 * a file or pipe and harmless on a terminal; its exit code is ours.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* Text of one code point a byte back to bytes, in place; their count. */
static size_t to_bytes(char *text, size_t length)
{
	size_t used = 0;

	for (size_t i = 0; i < length; i++) {
		unsigned char b = (unsigned char)text[i];

		if (b >= 0x80 && i + 1 < length)
			b = (unsigned char)((b & 3) << 6 | (text[++i] & 0x3f));
		text[used++] = (char)b;
	}
	return used;
}

static void print_bytes(FILE *out, const json_t *json)
{
	size_t length = json_string_length(json);
	char *bytes = malloc(length + 1);
	char shown[8192];

	if (!bytes)
		abort();
	if (length)
		memcpy(bytes, json_string_value(json), length);
	length = to_bytes(bytes, length);
	if (!isatty(fileno(out))) {
		fwrite(bytes, 1, length, out);
		free(bytes);
		return;
	}
	for (size_t at = 0; at < length;) {
		size_t n = 0;

		while (at + n < length && n < 1000 && bytes[at + n] != '\n' &&
		       bytes[at + n] != '\t')
			n++;
		text_display(shown, sizeof(shown), bytes + at, n);
		fputs(shown, out);
		at += n;
		if (at < length && (bytes[at] == '\n' || bytes[at] == '\t'))
			fputc(bytes[at++], out);
	}
	free(bytes);
}

int cli_run_machine_exec(struct cli *cli)
{
	struct error err = { "" };
	json_t *argv = json_array(), *request = cli_request(&cli->call, 0, &err);
	int code;

	for (int i = 1; i < cli->call.word_count; i++)
		json_array_append_new(argv, json_string(cli->call.words[i]));
	if (!request || json_object_set_new(request, "argv", argv))
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	json_t *answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	const json_t *item = json_object_get(answer, "item");
	code = (int)json_integer_value(json_object_get(item, "code"));
	if (cli_has(cli, FLAG_JSON)) {
		json_dumpf(answer, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		print_bytes(stdout, json_object_get(item, "out"));
		print_bytes(stderr, json_object_get(item, "err"));
	}
	json_decref(answer);
	return cli_finish(cli, code);
}
