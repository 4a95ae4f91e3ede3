/*
 * What a console remembers from one time to the next: the commands that were
 * typed, and for each list its order and its columns.  One JSON file of the
 * person's own, 0600, written whole when something changed.  A file that is
 * damaged is as good as none: nothing in it is worth a question.
 */
#ifndef REMUDA_CONSOLE_MEMORY_H
#define REMUDA_CONSOLE_MEMORY_H

#include <stdbool.h>

struct json_t;
struct list_view;
struct prompt;

struct memory {
	const char *path;	/* borrowed; NULL = remembers nothing */
	struct json_t *layouts;	/* "machines/0" -> {sort,inverted,columns} */
	bool changed;
};

void memory_load(struct memory *m, const char *path, struct prompt *prompt);
/* Writes what changed; failing costs only the memory. */
void memory_save(struct memory *m, const struct prompt *prompt);
void memory_fini(struct memory *m);

/* Gives a list the order and columns it had, or notes those it has. */
void memory_recall(const struct memory *m, const char *view, int list,
		   struct list_view *l);
void memory_note(struct memory *m, const char *view, int list,
		 const struct list_view *l);

#endif
