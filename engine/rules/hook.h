/* One hook run, in a child of the zygote: the Lua API of hooks. */
#ifndef REMUDA_RULES_HOOK_H
#define REMUDA_RULES_HOOK_H

struct message;
struct place;
struct sandbox;

/*
 * Runs the hook that m (a hook_run) asks for and answers hook_done on fd.
 * sb is the zygote's state, of which this process has its copy.
 */
void hook_run_child(struct sandbox *sb, int fd, const struct message *m);

/* Answers hook_done with the place where a late script stands. */
void hook_report_late(int fd, const struct place *p);

#endif
