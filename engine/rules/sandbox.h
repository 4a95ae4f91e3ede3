/*
 * A Lua state that can do nothing but compute: no files, no processes, no
 * bytecode, no finalisers, counted memory.  Used by one process at a time; a
 * fork takes a copy.  It is not a wall against time: the process is killed.
 */
#ifndef REMUDA_RULES_SANDBOX_H
#define REMUDA_RULES_SANDBOX_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>

enum { PLACE_FILE_SIZE = 256 };

struct place {
	char file[PLACE_FILE_SIZE];
	int line;	/* 0 = not known */
};

/* What went wrong, where, and what to write instead. */
struct failure {
	bool set;
	struct place place;
	char text[512];
	char hint[256];
};

struct sandbox {
	lua_State *L;
	size_t used, limit;	/* bytes */
	/* True while the site file is evaluated: statements and new modules
	 * are allowed, and the first failure is final even if Lua caught it. */
	bool loading;
	struct failure failure;
	/* Brings the text of a module (malloc'd) and the name of its file;
	 * returns 1, 0 when there is none, or -1 when it cannot be known. */
	int (*module)(struct sandbox *sb, const char *name, char **text,
		      size_t *length, char *file, size_t file_size);
	void *owner;		/* for module() */
	int module_count;
};

/* Fills sb; returns false when there is no memory. */
bool sandbox_init(struct sandbox *sb, size_t limit);

struct sandbox *sandbox_of(lua_State *L);
/* The place of the innermost running Lua line, from level up. */
struct place sandbox_place(lua_State *L, int level);

/*
 * Calls the function below nargs arguments with nresults like lua_pcall;
 * on an error returns -1 with sb->failure telling it.
 */
int sandbox_call(struct sandbox *sb, int nargs, int nresults);
/* Compiles (text only) and pushes the chunk; -1 with sb->failure. */
int sandbox_compile(struct sandbox *sb, const char *text, size_t length,
		    const char *file);

/* "site.lua:12: text" of sb->failure. */
void sandbox_describe(const struct sandbox *sb, char *out, size_t out_size);

/*
 * Raises an error.  place NULL: where Lua stands.  hint may be NULL.  Inside
 * a hook the script may catch it: it is then the text "file:line: text".
 */
_Noreturn void sandbox_fail(lua_State *L, const struct place *place,
			    const char *hint, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Raises the failure that sb->failure tells, while loading. */
_Noreturn void sandbox_raise(lua_State *L);

/* Gives the globals `require` (require.c) and `pairs` (pairs.c). */
void sandbox_open_require(lua_State *L);
void sandbox_open_pairs(lua_State *L);

/* "did you mean 'serve'?" into out, or "" when no word is near.  words ends
 * with NULL. */
void sandbox_nearest(char *out, size_t out_size, const char *word,
		     const char *const *words);

/*
 * Gives the table on the stack's top a metatable that refuses to read unknown
 * fields: "TITLE has no 'portt'; did you mean 'port'?".
 */
void sandbox_strict(lua_State *L, const char *title);

#endif
