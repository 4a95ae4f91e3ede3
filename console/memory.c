/* The console's memory: see memory.h. */
#include "console/memory.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/list.h"
#include "console/model.h"
#include "console/paths.h"
#include "console/prompt.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

enum { PATH_SIZE = 1100, LAYOUT_SIZE = 512 };

void memory_load(struct memory *m, const char *path, struct prompt *prompt)
{
	json_t *file = path ? json_load_file(path, JSON_REJECT_DUPLICATES, NULL)
			    : NULL;
	const json_t *lines = json_object_get(file, "commands"), *line;
	size_t i;

	*m = (struct memory){ .path = path };
	m->layouts = json_incref(json_object_get(file, "layouts"));
	if (!json_is_object(m->layouts)) {
		json_decref(m->layouts);
		m->layouts = json_object();
	}
	json_array_foreach(lines, i, line) {
		const char *text = json_string_value(line);

		if (!text || strlen(text) >= PROMPT_TEXT_SIZE)
			continue;
		prompt_open(prompt, PROMPT_COMMAND, "", text);
		prompt_close(prompt, true);
	}
	json_decref(file);
	prompt->remembered = 0;
}

/* The folder of the file, as the folders of sites below it are made. */
static int make_folder(const char *path)
{
	char folder[PATH_SIZE];
	struct error err;

	text_copy(folder, sizeof(folder), path);
	*strrchr(folder, '/') = '\0';
	return paths_make_state(folder, &err);
}

void memory_save(struct memory *m, const struct prompt *prompt)
{
	char fresh[PATH_SIZE];
	mode_t mask;
	json_t *file, *lines;

	if (!m->path || (!m->changed && prompt->remembered == 0))
		return;
	lines = json_array();
	for (int i = 0; i < prompt->history_count; i++)
		json_array_append_new(lines, json_string(prompt->history[i]));
	file = json_pack("{s:o, s:O}", "commands", lines, "layouts", m->layouts);
	/* A folder that cannot be made costs only the memory. */
	(void)make_folder(m->path);
	snprintf(fresh, sizeof(fresh), "%.1000s.%d", m->path, (int)getpid());
	mask = umask(077);
	if (!file || json_dump_file(file, fresh, JSON_INDENT(1) |
				    JSON_SORT_KEYS) ||
	    rename(fresh, m->path))
		unlink(fresh);
	umask(mask);
	json_decref(file);
}

void memory_fini(struct memory *m)
{
	json_decref(m->layouts);
	m->layouts = NULL;
}

static void key_of(const char *view, int list, char *out, size_t size)
{
	snprintf(out, size, "%s/%d", view, list);
}

void memory_recall(const struct memory *m, const char *view, int list,
		   struct list_view *l)
{
	const char *columns, *sort;
	const json_t *layout;
	char key[64];

	key_of(view, list, key, sizeof(key));
	layout = json_object_get(m->layouts, key);
	if (!json_is_object(layout))
		return;
	columns = item_text(layout, "columns");
	sort = item_text(layout, "sort");
	if (*columns)
		list_view_set_columns(l, columns);
	for (int i = 0; i < l->column_count; i++)
		if (strcmp(l->columns[i].title, sort) == 0) {
			l->sort = i;
			l->inverted = item_bool(layout, "inverted");
		}
}

void memory_note(struct memory *m, const char *view, int list,
		 const struct list_view *l)
{
	char key[64], columns[LAYOUT_SIZE];

	if (!m->layouts)
		return;
	key_of(view, list, key, sizeof(key));
	list_view_columns(l, columns, sizeof(columns));
	json_object_set_new(m->layouts, key, json_pack(
		"{s:s, s:b, s:s}", "sort", l->columns[l->sort].title,
		"inverted", l->inverted, "columns", columns));
	m->changed = true;
}
