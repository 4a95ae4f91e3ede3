/* What the views of clusters share: sizes in words, columns, a change's pane. */
#ifndef REMUDA_CONSOLE_CLUSTER_H
#define REMUDA_CONSOLE_CLUSTER_H

#include "console/view.h"

extern const struct columns columns_nodes, columns_changes, columns_decisions;

/* "2 nodes, 4 vCPU, 16.0G" of an object with nodes, vcpus, memory_mib; what is 0
 * or missing is left out. */
const char *cluster_size(char *out, size_t size, const json_t *item);
/* The change under way on a cluster, else its last one; NULL = none known. */
json_t *cluster_change(const struct model *m, const char *cluster);
/* Fills a list with the changes under way and those that a slot's answer has of
 * before.  view_ops.c */
void view_fill_changes(struct view *v, int list, int slot, view_wanted *wanted);
/* "change/12 4/9 move the transactions" or "". */
const char *change_words(char *out, size_t size, const json_t *change);
/* Its steps, who began it and what it waits for. */
void change_draw(struct grid *g, struct rect r, const json_t *change,
		 int64_t now_ms);

#endif
