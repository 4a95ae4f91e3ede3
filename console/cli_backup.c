/* Commands that save a site and bring it back. */
#include <jansson.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "console/cli_run.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* A large store takes its time. */
enum { BACKUP_TIMEOUT_MS = 3600 * 1000 };

static int absolute(const struct cli *cli, const char *word, char *out,
		    size_t out_size)
{
	char here[PATH_MAX];

	if (word[0] == '/')
		here[0] = '\0';
	else if (!getcwd(here, sizeof(here)))
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s: %m", word);
	if (snprintf(out, out_size, "%s%s%s", here, here[0] ? "/" : "", word) >=
	    (int)out_size)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"the path is too long: %.60s", word);
	return CLI_DONE;
}

static void say(const struct cli *cli, const char *object, const char *text)
{
	char shown[2048];

	if (cli->output.format == FORMAT_JSON) {
		json_t *items = json_pack("[{s:s, s:b, s:s}]", "object", object,
					  "ok", 1, "text", text);

		output_document(stdout, "change_list", "items", items);
		json_decref(items);
	} else if (!cli_has(cli, FLAG_QUIET)) {
		text_display(shown, sizeof(shown), text, strlen(text));
		printf("%s\n", shown);
	}
}

int cli_run_backup(struct cli *cli)
{
	char path[1024];
	json_t *answer;
	int code = absolute(cli, cli->call.words[0], path, sizeof(path));

	if (code != CLI_DONE)
		return code;
	if (!cli_has(cli, FLAG_TIMEOUT))
		cli->timeout_ms = BACKUP_TIMEOUT_MS;
	answer = cli_ask(cli, json_pack("{s:s, s:s, s:b}", "verb", "backup",
					"path", path, "with_key",
					cli_has(cli, FLAG_WITH_KEY)), &code);
	if (!answer)
		return code;
	const char *text = json_string_value(json_object_get(answer, "text"));
	say(cli, "site", text ? text : path);
	json_decref(answer);
	return CLI_DONE;
}

int cli_run_restore(struct cli *cli)
{
	char path[1024], text[2000];
	struct error err = { "" };
	struct engine_restore o = {
		.backup = path, .site_file = cli->paths.config,
		.state_dir = cli->paths.state_dir,
		.force = cli_has(cli, FLAG_FORCE),
	};
	int code = absolute(cli, cli->call.words[0], path, sizeof(path));

	if (code != CLI_DONE)
		return code;
	if (paths_make(&cli->paths, &err) ||
	    cli->roles->restore(&o, text, sizeof(text), &err))
		return cli_fail(cli, CLI_FAILED, NULL, NULL, "%s", err.text);
	say(cli, "site", text);
	return CLI_DONE;
}
