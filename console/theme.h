/*
 * What a role looks like and which glyph stands for a meaning (console.md
 * C.6): word first, glyph second, colour third.  No terminal library here:
 * term.c turns styles into the terminal's attributes.
 */
#ifndef REMUDA_CONSOLE_THEME_H
#define REMUDA_CONSOLE_THEME_H

#include <stdbool.h>

#include "console/cells.h"

enum style_attr {
	STYLE_BOLD = 1,
	STYLE_DIM = 2,
	STYLE_UNDERLINE = 4,
	STYLE_REVERSE = 8,
};

struct style {
	int colour;		/* foreground, -1 = the terminal's own */
	unsigned attrs;
};

enum theme { THEME_DEFAULT, THEME_MONO, THEME_DEUTAN, THEME_TRITAN };

/* What decides how roles look. */
struct look {
	int colours;		/* of the terminal; below 8 means none */
	bool light;		/* background */
	enum theme theme;
	int accent;		/* colour 0 to 7 of line 1, -1 = none */
};

struct style theme_style(enum role role, unsigned cell_flags,
			 const struct look *look);
/* The setting's word; THEME_DEFAULT for any other. */
enum theme theme_named(const char *name);
/* "red" is 1, "none" -1. */
int theme_accent(const char *name);

/* GLYPH(id, UTF-8, ASCII): one cell each. */
#define GLYPHS(GLYPH)                                                          \
	GLYPH(USED, "●", "*")                                                  \
	GLYPH(FREE, "○", "o")                                                  \
	GLYPH(CHANGING, "~", "~")                                              \
	GLYPH(LEAVING, "◐", "v")                                               \
	GLYPH(WARN, "▲", "!")                                                  \
	GLYPH(FAILED, "✖", "!")                                                \
	GLYPH(OFF, "-", "-")                                                   \
	GLYPH(UNKNOWN, "?", "?")                                               \
	GLYPH(INFO, "i", "i")                                                  \
	GLYPH(CURSOR, "▶", ">")                                                \
	GLYPH(MARK, "*", "+")                                                  \
	GLYPH(CRUMB, "›", ">")                                                 \
	GLYPH(ARROW, "→", ">")                                                 \
	GLYPH(DOT, "·", "-")                                                   \
	GLYPH(UP, "▲", "^")                                                    \
	GLYPH(DOWN, "▼", "v")                                                  \
	GLYPH(BAR_USED, "█", "#")                                              \
	GLYPH(BAR_STARTING, "▓", "~")                                          \
	GLYPH(BAR_READY, "▒", "=")                                             \
	GLYPH(BAR_BAD, "!", "!")                                               \
	GLYPH(BAR_ROOM, "·", ".")                                              \
	GLYPH(EIGHTH_1, "▁", ".")                                              \
	GLYPH(EIGHTH_2, "▂", ".")                                              \
	GLYPH(EIGHTH_3, "▃", ".")                                              \
	GLYPH(EIGHTH_4, "▄", ":")                                              \
	GLYPH(EIGHTH_5, "▅", ":")                                              \
	GLYPH(EIGHTH_6, "▆", ":")                                              \
	GLYPH(EIGHTH_7, "▇", "#")                                              \
	GLYPH(LINE_H, "─", "-")                                                \
	GLYPH(LINE_V, "│", "|")                                                \
	GLYPH(CORNER_TL, "┌", "+")                                             \
	GLYPH(CORNER_TR, "┐", "+")                                             \
	GLYPH(CORNER_BL, "└", "+")                                             \
	GLYPH(CORNER_BR, "┘", "+")

enum glyph {
#define GLYPH(id, utf8, ascii) GLYPH_##id,
	GLYPHS(GLYPH)
#undef GLYPH
	GLYPH_COUNT
};

const char *glyph(bool ascii, enum glyph g);
/* The glyph that goes before a state word of this role. */
enum glyph role_glyph(enum role role);

/* How a state word of the engine is shown. */
struct state_look {
	enum role role;
	const char *word;	/* "in use" for in_session */
};

/* kind: "machine", "session", "request", "host", "gateway". */
struct state_look state_look(const char *kind, const char *state);

#endif
