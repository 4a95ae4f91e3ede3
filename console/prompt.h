/*
 * The input line: one line of text being typed, with history and candidates
 * for completion.  Ctrl-R searches the history; Ctrl-A E B F U W K, arrows, Backspace and Delete as in
 * readline.  Pasted text is inserted, its line ends as blanks.
 */
#ifndef REMUDA_CONSOLE_PROMPT_H
#define REMUDA_CONSOLE_PROMPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "console/cells.h"

enum {
	PROMPT_TEXT_SIZE = 256,
	PROMPT_HISTORY_MAX = 50,
	PROMPT_CANDIDATES_MAX = 64,
	PROMPT_CANDIDATE_SIZE = 64,
};

enum prompt_kind {
	PROMPT_NONE,
	PROMPT_COMMAND,
	PROMPT_FILTER,		/* or the search in a text */
	PROMPT_NUMBER,
	PROMPT_MARK,		/* a pattern for marks */
	PROMPT_UNMARK,
	PROMPT_FILE,
	PROMPT_TIME,
};

enum prompt_result {
	PROMPT_TYPING,		/* nothing to do */
	PROMPT_CHANGED,		/* the text is another */
	PROMPT_DONE,		/* Enter */
	PROMPT_CANCELLED,	/* Esc, Ctrl-C, F12, or Backspace on nothing */
	PROMPT_COMPLETE,	/* Tab: fill the candidates, then call
				 * prompt_completed() */
};

struct prompt {
	enum prompt_kind kind;
	char label[96];
	char text[PROMPT_TEXT_SIZE];
	size_t length, at;	/* bytes */
	char candidates[PROMPT_CANDIDATES_MAX][PROMPT_CANDIDATE_SIZE];
	int candidate_count;
	int candidate;		/* the one in the text, -1 = none yet */
	size_t word;		/* where the completed word starts */
	char history[PROMPT_HISTORY_MAX][PROMPT_TEXT_SIZE];
	int history_count;
	int history_at;		/* lines back; 0 = the new line */
	int remembered;		/* lines since the history was read */
	char search[PROMPT_TEXT_SIZE];	/* Ctrl-R: what it looks for */
	bool searching;
};

void prompt_open(struct prompt *p, enum prompt_kind kind, const char *label,
		 const char *text);
/* Remembers a command and closes. */
void prompt_close(struct prompt *p, bool remember);
enum prompt_result prompt_key(struct prompt *p, uint32_t key, bool pasted);
void prompt_candidate(struct prompt *p, const char *word);
/* After the candidates were filled: puts the common beginning, or, step by
 * step, each candidate into the text. */
void prompt_completed(struct prompt *p, bool backwards);
void prompt_draw(const struct prompt *p, struct grid *g, int row, int cols);
/* The candidates in a box that ends above row. */
void prompt_draw_candidates(const struct prompt *p, struct grid *g, int row);

#endif
