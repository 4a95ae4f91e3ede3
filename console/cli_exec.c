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
#include "engine/wire/control.h"

/* False for an answer that is no bytes. */
static bool print_bytes(FILE *out, const json_t *json)
{
	size_t length = json_string_length(json);
	ssize_t count;
	char *bytes = malloc(length + 1);
	char shown[8192];

	if (!bytes)
		abort();
	if (length)
		memcpy(bytes, json_string_value(json), length);
	count = control_text_to_bytes(bytes, bytes, length);
	if (count < 0) {
		free(bytes);
		return false;
	}
	length = (size_t)count;
	if (!isatty(fileno(out))) {
		fwrite(bytes, 1, length, out);
		free(bytes);
		return true;
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
	return true;
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
	} else if (!print_bytes(stdout, json_object_get(item, "out")) ||
		   !print_bytes(stderr, json_object_get(item, "err"))) {
		code = cli_fail(cli, CLI_FAILED, NULL, NULL,
				"the engine's answer is not the bytes of a guest");
	}
	json_decref(answer);
	return cli_finish(cli, code);
}
