/*
 * Keys: one number each, whatever the terminal sent; and which of them means
 * what, which keys.lua may change.  Characters are their
 * code point, Ctrl-letters their control code, the rest is named here.
 * Printed and read as in "j", "C-l", "Enter", "F3", "S-Tab".
 */
#ifndef REMUDA_CONSOLE_KEYS_H
#define REMUDA_CONSOLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/intent.h"

struct error;

enum {
	KEYS_TAB = 9,
	KEYS_ENTER = 13,
	KEYS_ESC = 27,
	KEYS_NAMED = 0x110000,	/* above every code point */
	KEYS_UP,
	KEYS_DOWN,
	KEYS_LEFT,
	KEYS_RIGHT,
	KEYS_PAGE_UP,
	KEYS_PAGE_DOWN,
	KEYS_HOME,
	KEYS_END,
	KEYS_SHIFT_TAB,
	KEYS_BACKSPACE,
	KEYS_DELETE,
	KEYS_SHIFT_LEFT,
	KEYS_SHIFT_RIGHT,
	KEYS_SHIFT_UP,
	KEYS_SHIFT_DOWN,
	KEYS_SHIFT_PAGE_UP,
	KEYS_SHIFT_PAGE_DOWN,
	KEYS_INSERT,
	KEYS_F1,
	KEYS_F12 = KEYS_F1 + 11,
	KEYS_PASTE_BEGIN,	/* what follows was pasted, not typed */
	KEYS_PASTE_END,
	KEYS_MOUSE,		/* term_mouse() says where */
	KEYS_OTHER,		/* something the terminal sent; does nothing */
};

#define KEYS_CTRL(letter) ((letter) & 0x1f)
/* Alt with a character: "A-m". */
#define KEYS_ALT(character) (0x200000 | (uint32_t)(character))

enum { KEYS_LIST_SIZE = 64 };

/* The code of a printed key, or 0. */
uint32_t keys_parse(const char *name, size_t length);
/* "Esc", "F3", "C-l", "j"; out at least 16 bytes. */
const char *keys_print(char *out, size_t out_size, uint32_t code);
/* What the key means outside inputs and dialogs. */
enum intent keys_intent(uint32_t code);
/* The intent of a `:` word, or INTENT_NONE. */
enum intent keys_intent_named(const char *name);
/* The keys of an intent, separated by blanks; "" when it has none. */
const char *keys_list(enum intent intent);
/* Gives an intent these keys and no others; "" unbinds it.  Returns -1 and
 * changes nothing when one of them is no key. */
int keys_bind(enum intent intent, const char *keys, struct error *err);
/* Every intent has its built-in keys again. */
void keys_reset(void);
/* Another intent that has the key too; the one with it first in the list of
 * intents gets it.  INTENT_NONE when there is none. */
enum intent keys_conflict(enum intent intent, uint32_t code);
/* The next key of a list and its length, or NULL at its end. */
const char *keys_next(const char *list, size_t *length);
/* The first key of an intent that is, or is not, a function key; "" if none. */
void keys_of(enum intent intent, bool function_key, char *out, size_t out_size);

#endif
