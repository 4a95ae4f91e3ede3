/*
 * Settings of the console: one list with names, choices and what they mean.
 * console.lua gives them ("return { theme = 'deutan', quiet = true }", and for
 * one site more in sites = { lab = { word = 'PROD' } }), flags and `:set` change
 * them.  keys.lua gives other keys: { scale = "A-s", delete = false }.
 */
#ifndef REMUDA_CONSOLE_SETTINGS_H
#define REMUDA_CONSOLE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;

/* SETTING(id, name, choices or "" for a text, default, help) */
#define SETTINGS(SETTING)                                                      \
	SETTING(THEME, "theme", "default light mono deutan tritan", "default", \
		"colours; deutan and tritan are for colour-blind eyes")        \
	SETTING(BACKGROUND, "background", "auto dark light", "auto",           \
		"of the terminal; auto asks it")                               \
	SETTING(GLYPHS, "glyphs", "auto utf8 ascii", "auto",                   \
		"signs and bars; auto tries one out at the start")             \
	SETTING(KEYLINE, "keyline", "both letters fkeys", "both",              \
		"keys that the last line shows")                               \
	SETTING(QUIET, "quiet", "off on", "off",                               \
		"no clock, no ages, lists change on a key: for screen readers")\
	SETTING(MOUSE, "mouse", "off on", "off",                               \
		"clicks and the wheel; text cannot be selected then (Alt-m)")  \
	SETTING(TITLE, "title", "off on", "off",                               \
		"the status word in the window's title")                       \
	SETTING(SYNC, "sync", "off on", "off",                                 \
		"ask the terminal to show frames whole (2026)")                \
	SETTING(BELL, "bell", "off on", "off",                                 \
		"ring when something fails")                                   \
	SETTING(TILDE, "tilde", "on off", "on",                                \
		"~. leaves a machine's console too")                           \
	SETTING(LEAVE, "leave", "", "C-]",                                     \
		"key that leaves a machine's console, beside F12")             \
	SETTING(ESCAPE_MS, "escape_ms", "", "25",                              \
		"how long Esc waits for more; 200 on a slow line")             \
	SETTING(WORD, "word", "", "",                                          \
		"a word for line 1, as PROD")                                  \
	SETTING(ACCENT, "accent", "none red green yellow blue magenta cyan",   \
		"none", "colour of line 1")

enum setting {
#define SETTING(id, name, choices, standard, help) SETTING_##id,
	SETTINGS(SETTING)
#undef SETTING
	SETTING_COUNT
};

enum { SETTING_SIZE = 48 };

struct setting_info {
	const char *name, *choices, *standard, *help;
};

extern const struct setting_info setting_table[SETTING_COUNT];

/* Where a value comes from; a later one in this list wins. */
enum setting_origin {
	SETTING_BUILT_IN,
	SETTING_FILE,		/* console.lua */
	SETTING_SITE,		/* its part for one site */
	SETTING_FLAG,		/* an option or the environment */
	SETTING_SAID,		/* :set */
};

struct settings {
	char value[SETTING_COUNT][SETTING_SIZE];
	enum setting_origin origin[SETTING_COUNT];
	char path[1100];	/* console.lua; "" = there is none to be */
	void *sites;		/* json: what it says of sites */
};

void settings_init(struct settings *s);
void settings_fini(struct settings *s);
/*
 * Reads console.lua and keys.lua in the folder; a missing file is no error, in
 * a wrong one nothing counts.  err tells the first thing that was wrong; -1 then.
 */
int settings_load(struct settings *s, const char *folder, struct error *err);
/* What console.lua says of this site. */
void settings_for_site(struct settings *s, const char *site);
/* -1 with the reason for a name or a value that is none. */
int settings_set(struct settings *s, const char *name, const char *value,
		 enum setting_origin origin, struct error *err);
/* The choice after this one; a text stays. */
void settings_next(struct settings *s, enum setting setting);
const char *settings_text(const struct settings *s, enum setting setting);
bool settings_on(const struct settings *s, enum setting setting);
bool settings_is(const struct settings *s, enum setting setting,
		 const char *value);
int64_t settings_number(const struct settings *s, enum setting setting);
/* Writes what is not built in as console.lua.  Refuses to replace a file that a
 * person wrote. */
int settings_save(const struct settings *s, struct error *err);

#endif
