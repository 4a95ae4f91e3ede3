/* Keys and the input line: one meaning a key, editing, completion, paste. */
#include <string.h>
#include <stdio.h>

#include "console/keys.h"
#include "console/prompt.h"
#include "engine/base/error.h"
#include "tests/tap.h"

static uint32_t key(const char *name)
{
	return keys_parse(name, strlen(name));
}

static void test_names(void)
{
	static const char *const names[] = { "j", "G", "Enter", "Esc", "F3",
		"F12", "C-l", "Tab", "S-Tab", "PgUp", "/", "?" };
	char out[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		is_text(keys_print(out, sizeof(out), key(names[i])), names[i],
			"%s is read and printed alike", names[i]);
	is_int(key("F13"), 0, "there is no F13");
	is_int(key("ab"), 0, "nor a key ab");
	is_int(key("é"), 0xe9, "a character is its code point");
}

/* Every key of the table means exactly one intent, and no Ctrl-letter is one
 * that changes something in the engine. */
static void test_map(void)
{
	int seen = 0;

	for (int i = INTENT_NONE + 1; i < INTENT_COUNT; i++) {
		char keys[64], *rest = keys, *word;

		snprintf(keys, sizeof(keys), "%s", intent_table[i].keys);
		while ((word = strsep(&rest, " ")) != NULL && *word) {
			if (keys_intent(key(word)) != (enum intent)i)
				ok(false, "%s means only %s", word,
				   intent_table[i].name);
			if (intent_table[i].group == GROUP_ACT &&
			    strncmp(word, "C-", 2) == 0)
				ok(false, "%s acts with a Ctrl-letter", word);
			seen++;
		}
		if (keys_intent_named(intent_table[i].name) != (enum intent)i)
			ok(false, "%s names one intent", intent_table[i].name);
	}
	ok(seen >= 50, "%d keys were looked at", seen);
}

/* What keys.lua does: other keys, none, and what two intents both want. */
static void test_bind(void)
{
	struct error err = { "" };
	char out[16];

	is_int(keys_bind(INTENT_SCALE, "A-s F12", &err), 0, "other keys");
	is_int(keys_intent(KEYS_ALT('s')), INTENT_SCALE, "mean it now");
	is_text(keys_print(out, sizeof(out), KEYS_ALT('s')), "A-s", "Alt is printed");
	is_int(keys_intent('S'), INTENT_NONE, "the built-in one no more");
	keys_of(INTENT_SCALE, false, out, sizeof(out));
	is_text(out, "A-s", "and the key line says so");
	is_int(keys_conflict(INTENT_SCALE, key("F12")), INTENT_CANCEL,
	       "another wants F12 too");
	is_int(keys_conflict(INTENT_SCALE, KEYS_ALT('s')), INTENT_NONE,
	       "nobody else wants Alt-s");
	is_int(keys_bind(INTENT_END, "", &err), 0, "none");
	is_int(keys_intent('x'), INTENT_NONE, "x does nothing now");
	is_int(keys_bind(INTENT_QUIT, "q nokey", &err), -1, "a word that is no key");
	ok(strstr(err.text, "nokey") != NULL, "is named: %s", err.text);
	is_int(keys_intent('q'), INTENT_QUIT, "and changes nothing");
	keys_reset();
	is_int(keys_intent('x'), INTENT_END, "the built-in keys are back");
}

static enum prompt_result press(struct prompt *p, const char *names)
{
	enum prompt_result result = PROMPT_TYPING;

	while (*names) {
		size_t n = strcspn(names, " ");

		result = prompt_key(p, keys_parse(names, n), false);
		names += n;
		names += strspn(names, " ");
	}
	return result;
}

static void test_editing(void)
{
	static struct prompt p;

	prompt_open(&p, PROMPT_COMMAND, ":", "");
	press(&p, "p o o l Space m a i l");
	is_text(p.text, "pool mail", "typed");
	press(&p, "C-w");
	is_text(p.text, "pool ", "a word erased");
	press(&p, "Home x End é y Left Backspace");
	is_text(p.text, "xpool y", "a character of two bytes erased whole");
	press(&p, "C-u");
	is_text(p.text, "y", "all before the cursor erased");
	is_int(press(&p, "Delete Backspace"), PROMPT_CANCELLED,
	       "Backspace on nothing leaves");
	prompt_open(&p, PROMPT_COMMAND, ":", "one");
	prompt_close(&p, true);
	prompt_open(&p, PROMPT_COMMAND, ":", "two");
	prompt_close(&p, true);
	prompt_open(&p, PROMPT_COMMAND, ":", "");
	press(&p, "Up Up");
	is_text(p.text, "one", "history");
	press(&p, "Up Down");
	is_text(p.text, "two", "history ends at its ends");
	for (int i = 0; i < 1000; i++)
		prompt_key(&p, 'z', true);
	is_int(p.length, PROMPT_TEXT_SIZE - 1, "a long paste is cut");
	prompt_open(&p, PROMPT_COMMAND, ":", "");
	prompt_key(&p, KEYS_ENTER, true);
	prompt_key(&p, 'q', true);
	prompt_key(&p, 0x202e, true);
	prompt_key(&p, KEYS_ESC, true);
	is_text(p.text, " q", "pasted: line ends are blanks, hidden ones gone");
	prompt_open(&p, PROMPT_NUMBER, "n", "");
	press(&p, "a 1 - 2");
	is_text(p.text, "12", "a number has digits only");
}

static void test_completion(void)
{
	static struct prompt p;

	prompt_open(&p, PROMPT_COMMAND, ":", "po");
	is_int(press(&p, "Tab"), PROMPT_COMPLETE, "Tab asks for candidates");
	p.word = 0;
	prompt_candidate(&p, "pool");
	prompt_candidate(&p, "pools");
	prompt_candidate(&p, "pool");
	is_int(p.candidate_count, 2, "the same word counts once");
	prompt_completed(&p, false);
	is_text(p.text, "pool", "what they share");
	prompt_completed(&p, false);
	is_text(p.text, "pool", "then each in turn");
	prompt_completed(&p, false);
	is_text(p.text, "pools", "the next");
	prompt_completed(&p, true);
	is_text(p.text, "pool", "and back");
	press(&p, "x");
	is_int(p.candidate_count, 0, "typing forgets the candidates");
}

int main(void)
{
	test_names();
	test_map();
	test_bind();
	test_editing();
	test_completion();
	return tap_done();
}
