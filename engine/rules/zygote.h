/*
 * The zygote: the process that evaluates one site file and forks a child for
 * each run of a hook or a rule.  Its socket speaks role messages with the
 * role's first process:
 *
 *   zygote > role  bundle_need, bundle_done + memfd or bundle_error
 *   role > zygote  bundle_module (+ memfd), hook_run or rule_run + fd of the child's
 *                  socket
 *   zygote > role  role_ready + pidfd of the child, or hook_lost; request =
 *                  that of the run, a number of the role's own
 *
 * The child's socket carries hook_step, step_result and hook_done, or rule_done.
 * SIGUSR1 asks a process that computes to say where it stands and to end.
 */
#ifndef REMUDA_RULES_ZYGOTE_H
#define REMUDA_RULES_ZYGOTE_H

#include <sys/types.h>

/* text_fd: memfd of the site file.  Never returns. */
_Noreturn void zygote_main(int fd, pid_t parent, const char *hash,
			   const char *file, int text_fd);

#endif
