/* Settings: see settings.h.  Owned by the console process. */
#include "console/settings.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "console/cli.h"
#include "console/keys.h"
#include "console/lua_file.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

/* The first line of a file that was written here: such a one may be replaced. */
#define WRITTEN_HERE "-- written by  :set save  in the console; yours to change\n"

const struct setting_info setting_table[SETTING_COUNT] = {
#define SETTING(id, name, choices, standard, help)                             \
	[SETTING_##id] = { name, choices, standard, help },
	SETTINGS(SETTING)
#undef SETTING
};

void settings_init(struct settings *s)
{
	*s = (struct settings){ 0 };
	for (int i = 0; i < SETTING_COUNT; i++)
		TEXT_SET(s->value[i], setting_table[i].standard);
}

void settings_fini(struct settings *s)
{
	json_decref(s->sites);
	s->sites = NULL;
}

/* ---- values ---------------------------------------------------------- */

static bool is_choice(const char *choices, const char *value)
{
	size_t length = strlen(value);

	for (const char *at = choices; length && (at = strstr(at, value)); at++)
		if ((at == choices || at[-1] == ' ') &&
		    (at[length] == ' ' || at[length] == '\0'))
			return true;
	return false;
}

static int setting_named(const char *name, struct error *err)
{
	const char *names[SETTING_COUNT + 1] = { NULL }, *near;

	for (int i = 0; i < SETTING_COUNT; i++) {
		if (strcmp(setting_table[i].name, name) == 0)
			return i;
		names[i] = setting_table[i].name;
	}
	near = cli_suggest(name, names);
	return error_set(err, "there is no setting \"%.40s\"%s%s%s", name,
			 near ? "; did you mean \"" : "", near ? near : "",
			 near ? "\"?" : "");
}

int settings_set(struct settings *s, const char *name, const char *value,
		 enum setting_origin origin, struct error *err)
{
	int i = setting_named(name, err);
	const struct setting_info *info = &setting_table[i < 0 ? 0 : i];
	char shown[SETTING_SIZE];

	if (i < 0)
		return -1;
	text_display(shown, sizeof(shown), value, strlen(value));
	if (*info->choices && !is_choice(info->choices, value))
		return error_set(err, "%s is one of %s, not \"%.40s\"", name,
				 info->choices, shown);
	if (i == SETTING_LEAVE && !keys_parse(value, strlen(value)))
		return error_set(err, "%s wants a key such as C-], not \"%.40s\"",
				 name, shown);
	if (i == SETTING_ESCAPE_MS && (strspn(value, "0123456789") !=
	    strlen(value) || strlen(value) > 4 || !*value))
		return error_set(err, "%s wants milliseconds, at most 9999", name);
	if (origin < s->origin[i])
		return 0;	/* a stronger word was said already */
	TEXT_SET(s->value[i], shown);
	s->origin[i] = origin;
	return 0;
}

void settings_next(struct settings *s, enum setting setting)
{
	const char *choices = setting_table[setting].choices;
	const char *at = choices;
	size_t length;
	bool take = false;

	if (!*choices)
		return;
	for (int round = 0; round < 2; round++)
		for (at = choices; (at = keys_next(at, &length)) != NULL;
		     at += length) {
			if (take) {
				snprintf(s->value[setting], SETTING_SIZE,
					 "%.*s", (int)length, at);
				s->origin[setting] = SETTING_SAID;
				return;
			}
			take = strlen(s->value[setting]) == length &&
			       strncmp(at, s->value[setting], length) == 0;
		}
}

const char *settings_text(const struct settings *s, enum setting setting)
{
	return s->value[setting];
}

bool settings_is(const struct settings *s, enum setting setting,
		 const char *value)
{
	return strcmp(s->value[setting], value) == 0;
}

bool settings_on(const struct settings *s, enum setting setting)
{
	return settings_is(s, setting, "on");
}

int64_t settings_number(const struct settings *s, enum setting setting)
{
	return strtoll(s->value[setting], NULL, 10);
}

/* ---- files ----------------------------------------------------------- */

/* Lua's true is "on"; a number is its digits. */
static const char *value_text(const json_t *value, char *out, size_t size)
{
	if (json_is_boolean(value))
		return json_is_true(value) ? "on" : "off";
	if (json_is_string(value))
		return json_string_value(value);
	snprintf(out, size, "%lld", (long long)json_integer_value(value));
	return out;
}

static int take_all(struct settings *s, const json_t *table, const char *where,
		    enum setting_origin origin, struct error *err)
{
	struct error why = { "" };
	const char *name;
	json_t *value;
	char text[32];

	json_object_foreach((json_t *)table, name, value) {
		if (strcmp(name, "sites") == 0 && json_is_object(value))
			continue;
		if (settings_set(s, name, value_text(value, text, sizeof(text)),
				 origin, &why))
			return error_set(err, "%s: %s", where, why.text);
	}
	return 0;
}

/* "A-s", false, or { "q", "C-q" }. */
static int bind_one(const char *name, const json_t *value, struct error *err)
{
	enum intent intent = keys_intent_named(name);
	char list[KEYS_LIST_SIZE] = "", index[16];
	const json_t *one;

	if (intent == INTENT_NONE)
		return error_set(err, "there is no action \"%.40s\"; :keys "
				 "lists them", name);
	if (json_is_false(value))
		return keys_bind(intent, "", err);
	if (json_is_string(value))
		return keys_bind(intent, json_string_value(value), err);
	for (int i = 1; json_is_object(value); i++) {
		size_t used = strlen(list);

		snprintf(index, sizeof(index), "%d", i);
		one = json_object_get(value, index);
		if (!one)
			break;
		if (!json_is_string(one))
			return error_set(err, "%s: keys are texts", name);
		snprintf(list + used, sizeof(list) - used, "%s%s", used ? " " :
			 "", json_string_value(one));
	}
	if (!*list)
		return error_set(err, "%s: wants a key, a list of keys, or "
				 "false", name);
	return keys_bind(intent, list, err);
}

static int load_keys(const char *path, struct error *err)
{
	struct error why = { "" };
	json_t *table, *value;
	const char *name;
	int result = 0;

	if (access(path, F_OK))
		return 0;
	table = lua_file_read(path, err);
	if (!table)
		return -1;
	json_object_foreach(table, name, value)
		if (!result && bind_one(name, value, &why))
			result = error_set(err, "%s: %s", path, why.text);
	json_decref(table);
	if (result)
		keys_reset();
	return result;
}

int settings_load(struct settings *s, const char *folder, struct error *err)
{
	char keys[1100];
	json_t *table = NULL;
	struct settings before = *s;
	int result = 0;

	snprintf(s->path, sizeof(s->path), "%.1000s/console.lua", folder);
	TEXT_SET(before.path, s->path);
	snprintf(keys, sizeof(keys), "%.1000s/keys.lua", folder);
	if (access(s->path, F_OK) == 0) {
		table = lua_file_read(s->path, err);
		result = table ? take_all(s, table, s->path, SETTING_FILE, err) :
			 -1;
		if (result)
			*s = before;
		else
			s->sites = json_incref(json_object_get(table, "sites"));
		json_decref(table);
	}
	return load_keys(keys, result ? NULL : err) || result ? -1 : 0;
}

void settings_for_site(struct settings *s, const char *site)
{
	const json_t *table = json_object_get(s->sites, site);
	struct error ignored;

	if (json_is_object(table))
		take_all(s, table, site, SETTING_SITE, &ignored);
}

/* A file that is not there, or one that was written here. */
static bool may_replace(const char *path)
{
	char line[sizeof(WRITTEN_HERE) + 8] = "";
	FILE *f = fopen(path, "re");

	if (!f)
		return errno == ENOENT;
	if (!fgets(line, sizeof(line), f))
		line[0] = '\0';
	fclose(f);
	return strcmp(line, WRITTEN_HERE) == 0;
}

static void make_folder(const char *path)
{
	char folder[1100], *slash;

	TEXT_SET(folder, path);
	slash = strrchr(folder, '/');
	if (slash)
		*slash = '\0';
	mkdir(folder, 0755);	/* failing shows when the file is made */
}

static void print_value(FILE *f, const char *name, const char *value)
{
	fprintf(f, "\t%s = \"", name);
	for (; *value; value++)
		fprintf(f, *value == '"' || *value == '\\' ? "\\%c" : "%c",
			*value);
	fputs("\",\n", f);
}

int settings_save(const struct settings *s, struct error *err)
{
	FILE *f;

	if (!*s->path)
		return error_set(err, "there is no folder for settings");
	if (!may_replace(s->path))
		return error_set(err, "%s is yours; write it there", s->path);
	make_folder(s->path);
	f = fopen(s->path, "we");
	if (!f)
		return error_errno(err, "%s", s->path);
	fputs(WRITTEN_HERE "return {\n", f);
	for (int i = 0; i < SETTING_COUNT; i++)
		if (s->origin[i] == SETTING_FILE || s->origin[i] == SETTING_SAID)
			print_value(f, setting_table[i].name, s->value[i]);
	fputs("}\n", f);
	return fclose(f) ? error_errno(err, "%s", s->path) : 0;
}
