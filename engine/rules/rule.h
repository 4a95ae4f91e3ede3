/* One run of a rule's scale function, in a child of the zygote. */
#ifndef REMUDA_RULES_RULE_H
#define REMUDA_RULES_RULE_H

struct message;
struct sandbox;

/*
 * Runs the rule that m (a rule_run) names with its inputs and answers rule_done
 * on fd.  sb is the zygote's state, of which this process has its copy: what
 * the function leaves behind is gone with it, so the same inputs give the same
 * wish.
 */
void rule_run_child(struct sandbox *sb, int fd, const struct message *m);

#endif
