/*
 * The site file from the console: $EDITOR on it, then the engine says what that
 * would change, then the question.  Nothing is applied that was not shown: the
 * engine refuses when the file is another one by then.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "console/app_internal.h"
#include "console/cli.h"
#include "console/pager.h"
#include "console/term.h"
#include "engine/base/check.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* ---- the plan and the question --------------------------------------- */

static void on_answer(struct app *app, int choice)
{
	struct work *w = app->pending;

	app->pending = NULL;
	if (choice == 1 && w) {
		work_start(app, w);
		return;
	}
	work_free(w);
	app_message(app, false, "The site in force is as it was.");
}

static void ask(struct app *app, const json_t *item, const char *text)
{
	bool destroys = item_bool(item, "destroys");
	struct dialog *d = &app->dialog;
	char *copy = strdup(text), *rest = copy, *line;

	CHECK("", copy, "out of memory");
	dialog_open(d, DIALOG_ASK, "Apply the site", on_answer);
	while ((line = strsep(&rest, "\n")) != NULL &&
	       d->line_count < DIALOG_LINES_MAX - 4)
		if (*line)
			dialog_line(d, "%s", line);
	free(copy);
	dialog_line(d, "%s", "");
	dialog_line(d, "%s", destroys ? "Machines are destroyed or made anew." :
		    "No machine is destroyed.");
	dialog_buttons(d, "Keep", "Apply");
}

/* Only what the plan was about is applied. */
static struct work *apply_of(struct app *app, const json_t *item, bool undo)
{
	struct work *w = work_new(app);
	json_t *request = json_pack("{s:s}", "verb", "site.apply");
	char shell[WORK_SHELL_SIZE];

	if (undo)
		json_object_set_new(request, "undo", json_true());
	json_object_set(request, "expect", json_object_get(item, "version"));
	snprintf(shell, sizeof(shell), "remuda apply%s", undo ? " --undo" : "");
	work_add(w, request, shell, "site", 0);
	return w;
}

static void on_plan(void *arg, const char *shell, const json_t *answer)
{
	struct app *app = arg;
	const json_t *item = json_object_get(answer, "item");
	char *text = NULL;
	size_t size = 0;
	FILE *out;
	bool some;

	if (!answer || !item_bool(answer, "ok") || !json_is_object(item)) {
		action_answer(app, shell, answer);
		return;
	}
	out = open_memstream(&text, &size);
	CHECK("", out, "out of memory");
	some = cli_print_plan(item, out);
	fclose(out);
	if (!some) {
		app_message(app, false, "The site file changes nothing.   [%s]",
			    shell);
	} else if (action_refusal(app) || strcmp(shell, "remuda plan") == 0) {
		struct pager *p = view_text_show(app, shell);

		pager_add(p, text, size);
		app_message(app, false, "%s", "");
	} else {
		work_free(app->pending);
		app->pending = apply_of(app, item, strstr(shell, "--undo"));
		ask(app, item, text);
		app_message(app, false, "%s", "");
	}
	free(text);
}

void edit_plan(struct app *app, json_t *request, const char *shell)
{
	struct error err = { "" };

	json_object_set_new(request, "verb", json_string("site.plan"));
	json_object_del(request, "dry_run");
	app_message(app, false, "Asking the engine what it would change ...");
	if (link_request(&app->link, request, shell, on_plan, app,
			 app->mono_ms, &err))
		app_message(app, true, "%s   [%s]", err.text, shell);
}

/* ---- the editor ------------------------------------------------------ */

static const char *editor(void)
{
	const char *visual = getenv("VISUAL"), *plain = getenv("EDITOR");

	return visual && *visual ? visual : plain && *plain ? plain : "vi";
}

/* $EDITOR may hold options: a shell splits it, the path stays one word. */
static int run_editor(const char *path)
{
	char command[256];
	sigset_t none;
	int status;
	pid_t pid;

	snprintf(command, sizeof(command), "exec %s \"$1\"", editor());
	pid = fork();
	if (pid == 0) {
		signal(SIGINT, SIG_DFL);
		signal(SIGQUIT, SIG_DFL);
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
		_exit(127);
	}
	if (pid < 0)
		return -1;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static const char *site_file(const struct app *app)
{
	const json_t *paths = json_object_get(app->model.site_item, "paths");
	const char *file = item_text(paths, "site_file");

	return *file ? file : app->options->site_file;
}

void edit_site(struct app *app)
{
	const char *path = site_file(app);
	int code;

	if (!path || !*path) {
		app_message(app, true, "The engine does not say where its site "
			    "file is.");
		return;
	}
	if (access(path, W_OK)) {
		app_message(app, true, "%s: %s; look at it with  :site show",
			    path, strerror(errno));
		return;
	}
	term_leave(app->term);
	code = run_editor(path);
	term_return(app->term);
	app->redraw = true;
	if (code) {
		app_message(app, true, "%s ended with %d; the file is as it "
			    "left it, nothing was applied.", editor(), code);
		return;
	}
	if (app->link.up)
		edit_plan(app, json_object(), "remuda apply");
	else
		app_message(app, true, "Saved, but the engine does not answer: "
			    "nothing was applied.");
}
