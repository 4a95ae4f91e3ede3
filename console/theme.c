/*
 * Themes: see theme.h.  Pure tables.  Only the state word, its glyph and bars
 * have colour; everything else keeps the terminal's own foreground and
 * background, so light and dark backgrounds both read well.
 */
#include "console/theme.h"

#include <string.h>

enum { BLACK, RED, GREEN, YELLOW, BLUE, MAGENTA, CYAN, WHITE, NONE = -1 };

struct role_style {
	int dark256, light256;
	int dark8, light8;
	unsigned attrs;		/* with colours */
	unsigned mono;		/* without */
};

static const struct role_style styles[ROLE_COUNT] = {
	[ROLE_NORMAL] = { NONE, NONE, NONE, NONE, 0, 0 },
	[ROLE_HEADER] = { NONE, NONE, NONE, NONE, STYLE_BOLD, STYLE_BOLD },
	[ROLE_TITLE] = { NONE, NONE, NONE, NONE, STYLE_BOLD, STYLE_BOLD },
	[ROLE_FRAME] = { 245, 243, NONE, NONE, 0, 0 },
	[ROLE_STRONG] = { NONE, NONE, NONE, NONE, STYLE_BOLD, STYLE_BOLD },
	[ROLE_USED] = { 80, 25, CYAN, BLUE, 0, 0 },
	[ROLE_FREE] = { 114, 28, GREEN, GREEN, 0, 0 },
	[ROLE_CHANGING] = { 221, 130, YELLOW, MAGENTA, 0, STYLE_UNDERLINE },
	[ROLE_LEAVING] = { 176, 90, MAGENTA, MAGENTA, 0, STYLE_UNDERLINE },
	[ROLE_WARN] = { 214, 130, YELLOW, MAGENTA, STYLE_BOLD, STYLE_BOLD },
	[ROLE_FAILED] = { 203, 160, RED, RED, STYLE_BOLD,
			  STYLE_BOLD | STYLE_REVERSE },
	[ROLE_OFF] = { 245, 243, NONE, NONE, 0, 0 },
	[ROLE_UNKNOWN] = { NONE, NONE, NONE, NONE, STYLE_REVERSE,
			   STYLE_REVERSE },
	[ROLE_STATUS] = { NONE, NONE, NONE, NONE, STYLE_BOLD, STYLE_BOLD },
	[ROLE_KEY] = { NONE, NONE, NONE, NONE, STYLE_BOLD, STYLE_BOLD },
	[ROLE_INPUT] = { NONE, NONE, NONE, NONE, 0, 0 },
	[ROLE_ACCENT] = { NONE, NONE, NONE, NONE, STYLE_BOLD | STYLE_REVERSE,
			  STYLE_BOLD | STYLE_REVERSE },
};

/*
 * Colours that stay apart for eyes that do not see red and green (deutan, and
 * protan too) or blue and yellow (tritan): chosen from the 256 so that the least
 * distance of any two, as such eyes see them, is largest, at a contrast of 4.5
 * (dark) and 4 (light); tests/unit/console_theme.c computes it again.
 */
static const struct {
	enum role role;
	struct {
		int dark256, light256, dark8, light8;
	} deutan, tritan;
} blind[] = {
	{ ROLE_USED, { 87, 17, CYAN, BLUE }, { 30, 17, NONE, NONE } },
	{ ROLE_FREE, { 63, 98, BLUE, CYAN }, { 49, 28, GREEN, GREEN } },
	{ ROLE_CHANGING, { 226, 130, YELLOW, YELLOW },
	  { 226, 94, YELLOW, YELLOW } },
	{ ROLE_LEAVING, { 132, 93, MAGENTA, MAGENTA }, { 135, 93, BLUE, BLUE } },
	{ ROLE_WARN, { 180, 132, YELLOW, MAGENTA },
	  { 172, 126, MAGENTA, MAGENTA } },
	{ ROLE_FAILED, { 196, 52, RED, RED }, { 196, 160, RED, RED } },
};

enum theme theme_named(const char *name)
{
	return strcmp(name, "mono") == 0 ? THEME_MONO :
	       strcmp(name, "deutan") == 0 ? THEME_DEUTAN :
	       strcmp(name, "tritan") == 0 ? THEME_TRITAN : THEME_DEFAULT;
}

int theme_accent(const char *name)
{
	static const char *const names[] = { "black", "red", "green", "yellow",
					     "blue", "magenta", "cyan" };

	for (int i = 0; i < 7; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return NONE;
}

/* Four colours of a role: dark and light of 256, dark and light of 8. */
static void role_colours(enum role role, enum theme theme, int out[4])
{
	const struct role_style *s = &styles[role];

	out[0] = s->dark256;
	out[1] = s->light256;
	out[2] = s->dark8;
	out[3] = s->light8;
	if (theme != THEME_DEUTAN && theme != THEME_TRITAN)
		return;
	for (size_t i = 0; i < sizeof(blind) / sizeof(blind[0]); i++) {
		bool deutan = theme == THEME_DEUTAN;

		if (blind[i].role != role)
			continue;
		out[0] = deutan ? blind[i].deutan.dark256 : blind[i].tritan.dark256;
		out[1] = deutan ? blind[i].deutan.light256 :
			 blind[i].tritan.light256;
		out[2] = deutan ? blind[i].deutan.dark8 : blind[i].tritan.dark8;
		out[3] = deutan ? blind[i].deutan.light8 : blind[i].tritan.light8;
	}
}

struct style theme_style(enum role role, unsigned cell_flags,
			 const struct look *look)
{
	const struct role_style *s = &styles[role];
	bool old = cell_flags & CELL_OLD;
	int colours = look->theme == THEME_MONO ? 0 : look->colours;
	struct style out = { .colour = NONE };
	int four[4];

	role_colours(role, look->theme, four);
	if (colours >= 8)
		out.colour = four[(colours < 256) * 2 + look->light];
	if (colours >= 8 && role == ROLE_ACCENT)
		out.colour = look->accent;
	out.attrs = colours >= 8 ? s->attrs : s->mono;
	if (role == ROLE_OFF && colours >= 8 && colours < 256)
		out.attrs = STYLE_DIM;	/* no grey among 8 */
	if (old) {
		out.colour = colours >= 256 ? (look->light ? 243 : 245) : NONE;
		out.attrs = colours >= 8 && colours < 256 ? STYLE_DIM : 0;
	}
	if (cell_flags & CELL_MARKED && !old)
		out.attrs |= STYLE_BOLD;
	if (cell_flags & CELL_SELECTED)
		out.attrs = (out.attrs & ~(unsigned)STYLE_UNDERLINE) ^
			    STYLE_REVERSE;
	return out;
}

const char *glyph(bool ascii, enum glyph g)
{
	static const char *const table[GLYPH_COUNT][2] = {
#define GLYPH(id, utf8, plain) [GLYPH_##id] = { utf8, plain },
		GLYPHS(GLYPH)
#undef GLYPH
	};

	return table[g][ascii];
}

enum glyph role_glyph(enum role role)
{
	switch (role) {
	case ROLE_USED:
		return GLYPH_USED;
	case ROLE_FREE:
		return GLYPH_FREE;
	case ROLE_CHANGING:
		return GLYPH_CHANGING;
	case ROLE_LEAVING:
		return GLYPH_LEAVING;
	case ROLE_WARN:
		return GLYPH_WARN;
	case ROLE_FAILED:
		return GLYPH_FAILED;
	case ROLE_UNKNOWN:
		return GLYPH_UNKNOWN;
	case ROLE_NORMAL:
	case ROLE_HEADER:
	case ROLE_TITLE:
	case ROLE_FRAME:
	case ROLE_STRONG:
	case ROLE_OFF:
	case ROLE_STATUS:
	case ROLE_KEY:
	case ROLE_INPUT:
	case ROLE_ACCENT:
	case ROLE_COUNT:
		break;
	}
	return GLYPH_OFF;
}

/* Words of the engine that are shown by another word or need a role. */
struct state_row {
	const char *kind, *state, *word;
	enum role role;
};

static const struct state_row state_rows[] = {
	{ "machine", "defined", NULL, ROLE_OFF },
	{ "machine", "booting", NULL, ROLE_CHANGING },
	{ "machine", "preparing", NULL, ROLE_CHANGING },
	{ "machine", "ready", NULL, ROLE_FREE },
	{ "machine", "saving", NULL, ROLE_CHANGING },
	{ "machine", "saved", NULL, ROLE_FREE },
	{ "machine", "waking", NULL, ROLE_CHANGING },
	{ "machine", "reserved", NULL, ROLE_CHANGING },
	{ "machine", "in_session", "in use", ROLE_USED },
	{ "machine", "cleaning", NULL, ROLE_CHANGING },
	{ "machine", "held", NULL, ROLE_LEAVING },
	{ "machine", "quarantined", NULL, ROLE_FAILED },
	{ "machine", "retiring", NULL, ROLE_LEAVING },
	{ "machine", "gone", NULL, ROLE_OFF },
	{ "session", "assigned", NULL, ROLE_CHANGING },
	{ "session", "active", NULL, ROLE_USED },
	{ "session", "lingering", NULL, ROLE_CHANGING },
	{ "session", "closed", NULL, ROLE_OFF },
	{ "session", "lost", NULL, ROLE_FAILED },
	{ "session", "failed", NULL, ROLE_FAILED },
	{ "request", "waiting", NULL, ROLE_CHANGING },
	{ "request", "assigned", NULL, ROLE_USED },
	{ "request", "refused", NULL, ROLE_FAILED },
	{ "request", "cancelled", NULL, ROLE_OFF },
	{ "host", "up", NULL, ROLE_FREE },
	{ "host", "connecting", NULL, ROLE_CHANGING },
	{ "host", "not_answering", "not answering", ROLE_FAILED },
	{ "cluster", "serving", NULL, ROLE_FREE },
	{ "cluster", "short", NULL, ROLE_WARN },
	{ "cluster", "changing", NULL, ROLE_CHANGING },
	{ "cluster", "down", NULL, ROLE_FAILED },
	{ "node", "out", NULL, ROLE_OFF },
	{ "node", "checked", NULL, ROLE_CHANGING },
	{ "node", "serving", NULL, ROLE_FREE },
	{ "node", "draining", NULL, ROLE_LEAVING },
	{ "change", "running", NULL, ROLE_CHANGING },
	{ "change", "undoing", NULL, ROLE_LEAVING },
	{ "change", "done", NULL, ROLE_OFF },
	{ "change", "failed", NULL, ROLE_FAILED },
	{ "change", "cancelled", NULL, ROLE_OFF },
	{ "step", "done", NULL, ROLE_USED },
	{ "step", "now", NULL, ROLE_CHANGING },
	{ "step", "stopped", NULL, ROLE_FAILED },
	{ "step", "open", NULL, ROLE_FREE },
	{ "rule", "on", NULL, ROLE_FREE },
	{ "rule", "off", NULL, ROLE_OFF },
	{ "rule", "failing", NULL, ROLE_FAILED },
	{ "decision", "kept", NULL, ROLE_NORMAL },
	{ "decision", "changed", NULL, ROLE_USED },
	{ "decision", "held_back", "held back", ROLE_WARN },
	{ "decision", "failed", NULL, ROLE_FAILED },
	{ "decision", "dry", "dry run", ROLE_OFF },
	{ "gateway", "up", NULL, ROLE_FREE },
	{ "gateway", "starting", NULL, ROLE_CHANGING },
	{ "gateway", "gone", NULL, ROLE_FAILED },
};

struct state_look state_look(const char *kind, const char *state)
{
	for (size_t i = 0; i < sizeof(state_rows) / sizeof(state_rows[0]); i++) {
		const struct state_row *r = &state_rows[i];

		if (strcmp(r->kind, kind) == 0 && strcmp(r->state, state) == 0)
			return (struct state_look){ r->role,
						    r->word ? r->word : state };
	}
	return (struct state_look){ ROLE_UNKNOWN, *state ? state : "?" };
}
