/*
 * Scripts drive the console in place of a person (REMUDA_SCRIPT, --script):
 * tests and demonstrations.  A line is one of
 *
 *   # a comment
 *   :command            as typed after `:`, and the script's own:
 *     :save-display FILE        the screen as text
 *     :save-roles FILE          one letter a cell: what each cell means
 *     :wait idle [SECONDS]      no request open, all state received
 *     :wait text STRING [SECONDS]   the screen shows STRING (quote blanks)
 *     :wait no-text STRING [SECONDS]
 *     :clock +SECONDS           moves a fixed clock
 *     :size COLSxROWS
 *     :type TEXT                the characters, as if typed
 *     :paste TEXT               the same as pasted text
 *   KEY KEY ...         as printed: j 2 Enter F3 C-l
 *
 * Before every line the console waits until it is idle.  A wait that takes
 * longer than its seconds (10) ends the program with exit code 1 and says
 * which line it was.
 */
#ifndef REMUDA_CONSOLE_SCRIPT_H
#define REMUDA_CONSOLE_SCRIPT_H

#include <stdbool.h>
#include <stdint.h>

struct app;
struct error;
struct script;

struct script *script_open(const char *path, struct error *err);
void script_free(struct script *s);
/* Does the next step if it is time; real_ms is the monotonic clock.  Returns
 * false when there was nothing to do yet. */
bool script_step(struct app *app, int64_t real_ms);
/* Runs a command that only scripts have; false when it is none of them.
 * Without a script only save-display and save-roles exist. */
bool script_command(struct app *app, int count, char **words);

#endif
