/*
 * Keys and the key map; see keys.h and intent.h.  Tables, and over them what
 * keys.lua changed; written before the first key is read.
 */
#include "console/keys.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"

const struct intent_info intent_table[INTENT_COUNT] = {
#define INTENT(id, name, keys, label, help, group)                             \
	[INTENT_##id] = { name, keys, label, help, GROUP_##group },
	INTENTS(INTENT)
#undef INTENT
};

static struct {
	bool changed;
	char keys[KEYS_LIST_SIZE];
} bound[INTENT_COUNT];

static const struct {
	const char *name;
	uint32_t code;
} names[] = {
	{ "Tab", KEYS_TAB }, { "Enter", KEYS_ENTER }, { "Esc", KEYS_ESC },
	{ "Space", ' ' }, { "Up", KEYS_UP }, { "Down", KEYS_DOWN },
	{ "Left", KEYS_LEFT }, { "Right", KEYS_RIGHT },
	{ "PgUp", KEYS_PAGE_UP }, { "PgDn", KEYS_PAGE_DOWN },
	{ "Home", KEYS_HOME }, { "End", KEYS_END },
	{ "S-Tab", KEYS_SHIFT_TAB }, { "Backspace", KEYS_BACKSPACE },
	{ "Delete", KEYS_DELETE }, { "Insert", KEYS_INSERT },
	{ "S-Left", KEYS_SHIFT_LEFT }, { "S-Right", KEYS_SHIFT_RIGHT },
	{ "S-Up", KEYS_SHIFT_UP }, { "S-Down", KEYS_SHIFT_DOWN },
	{ "S-PgUp", KEYS_SHIFT_PAGE_UP }, { "S-PgDn", KEYS_SHIFT_PAGE_DOWN },
};

/* One code point of valid UTF-8 that is the whole name. */
static uint32_t parse_character(const char *name, size_t length)
{
	const unsigned char *s = (const unsigned char *)name;
	size_t need = s[0] < 0x80 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	uint32_t cp = need == 1 ? s[0] : s[0] & (0xffu >> (need + 1));

	if (need != length || s[0] < 0x20)
		return 0;
	for (size_t i = 1; i < need; i++)
		cp = cp << 6 | (s[i] & 0x3f);
	return cp;
}

uint32_t keys_parse(const char *name, size_t length)
{
	int f = 0, used = 0;
	char copy[16];

	if (length == 0 || length >= sizeof(copy))
		return 0;
	memcpy(copy, name, length);
	copy[length] = '\0';
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(names[i].name, copy) == 0)
			return names[i].code;
	if (sscanf(copy, "F%d%n", &f, &used) == 1 && copy[used] == '\0' &&
	    f >= 1 && f <= 12)
		return KEYS_F1 + (uint32_t)f - 1;
	if (length == 3 && copy[0] == 'C' && copy[1] == '-')
		return (uint32_t)KEYS_CTRL((unsigned char)copy[2]);
	if (length == 3 && copy[0] == 'A' && copy[1] == '-')
		return KEYS_ALT((unsigned char)copy[2]);
	return parse_character(copy, length);
}

const char *keys_print(char *out, size_t out_size, uint32_t code)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].code == code) {
			snprintf(out, out_size, "%s", names[i].name);
			return out;
		}
	if (code >= KEYS_F1 && code <= KEYS_F12)
		snprintf(out, out_size, "F%u", code - KEYS_F1 + 1);
	else if ((code & ~0x7fu) == KEYS_ALT(0))
		snprintf(out, out_size, "A-%c", (char)(code & 0x7f));
	else if (code && code < 0x20)
		snprintf(out, out_size, "C-%c", (char)(code | 0x60));
	else if (code < 0x7f)
		snprintf(out, out_size, "%c", (char)code);
	else
		snprintf(out, out_size, "U+%04X", code);
	return out;
}

const char *keys_next(const char *list, size_t *length)
{
	list += strspn(list, " ");
	*length = strcspn(list, " ");
	return *length ? list : NULL;
}

const char *keys_list(enum intent intent)
{
	return bound[intent].changed ? bound[intent].keys :
	       intent_table[intent].keys;
}

int keys_bind(enum intent intent, const char *keys, struct error *err)
{
	const char *key = keys;
	size_t length;

	if (strlen(keys) >= KEYS_LIST_SIZE)
		return error_set(err, "%s: too many keys",
				 intent_table[intent].name);
	for (; (key = keys_next(key, &length)) != NULL; key += length)
		if (!keys_parse(key, length))
			return error_set(err, "%s: \"%.*s\" is no key; keys are "
					 "j, C-l, A-m, Enter, F3, S-Tab",
					 intent_table[intent].name,
					 (int)length, key);
	bound[intent].changed = true;
	TEXT_SET(bound[intent].keys, keys);
	return 0;
}

void keys_reset(void)
{
	memset(bound, 0, sizeof(bound));
}

static bool has_key(enum intent intent, uint32_t code)
{
	const char *key = keys_list(intent);
	size_t length;

	for (; (key = keys_next(key, &length)) != NULL; key += length)
		if (keys_parse(key, length) == code)
			return true;
	return false;
}

enum intent keys_intent(uint32_t code)
{
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++)
		if (has_key((enum intent)i, code))
			return (enum intent)i;
	return INTENT_NONE;
}

enum intent keys_conflict(enum intent intent, uint32_t code)
{
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++)
		if ((enum intent)i != intent && has_key((enum intent)i, code))
			return (enum intent)i;
	return INTENT_NONE;
}

enum intent keys_intent_named(const char *name)
{
	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++)
		if (strcmp(intent_table[i].name, name) == 0)
			return (enum intent)i;
	return INTENT_NONE;
}

void keys_of(enum intent intent, bool function_key, char *out, size_t out_size)
{
	const char *key = keys_list(intent);
	size_t length;

	out[0] = '\0';
	while (key && (key = keys_next(key, &length)) != NULL) {
		uint32_t code = keys_parse(key, length);
		bool function = code >= KEYS_F1 && code <= KEYS_F12;

		if (function == function_key) {
			snprintf(out, out_size, "%.*s", (int)length, key);
			return;
		}
		key += length;
	}
}
