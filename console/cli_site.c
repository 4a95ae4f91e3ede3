/* Commands about the site's texts. */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* A new array of {file, text}: the pieces of each file are one. */
static json_t *join_pieces(const json_t *pieces)
{
	json_t *files = json_array(), *last = NULL, *piece;
	size_t i;

	json_array_foreach(pieces, i, piece) {
		json_t *text = json_object_get(piece, "text");

		if (last && json_equal(json_object_get(last, "file"),
				       json_object_get(piece, "file"))) {
			json_t *all = json_sprintf("%s%s",
				json_string_value(json_object_get(last, "text")),
				json_string_value(text));

			json_object_set_new(last, "text", all);
			continue;
		}
		last = json_copy(piece);
		json_array_append_new(files, last);
	}
	return files;
}

/* As it is into a file or pipe; without control characters to a terminal. */
static void print_text(const char *text, bool terminal)
{
	char shown[4096];

	if (!terminal) {
		fputs(text, stdout);
		return;
	}
	while (*text) {
		size_t n = strcspn(text, "\n\t");

		text_display(shown, sizeof(shown), text, n);
		fputs(shown, stdout);
		text += n;
		if (*text)
			fputc(*text++, stdout);
	}
}

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "";
}

int cli_run_site_show(struct cli *cli)
{
	struct error err = { "" };
	json_t *request = cli_request(&cli->call, 0, &err), *answer, *file;
	bool terminal = isatty(STDOUT_FILENO);
	int code;
	size_t i;

	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	answer = cli_ask(cli, request, &code);
	if (!answer)
		return code;
	json_t *files = join_pieces(json_object_get(answer, "items"));
	if (cli->output.format == FORMAT_JSON)
		output_document(stdout, "site_text", "items", files);
	else
		json_array_foreach(files, i, file) {
			if (json_array_size(files) > 1)
				printf("%s-- ==== %s ====\n", i ? "\n" : "",
				       text_of(file, "file"));
			print_text(text_of(file, "text"), terminal);
		}
	json_decref(files);
	json_decref(answer);
	return CLI_DONE;
}
