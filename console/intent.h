/*
 * Intents: everything a person can ask of the console, in one list.  The key
 * map, the help overlay, the key line and the names of the command line come
 * from here and nowhere else.
 *
 * INTENT(id, name, keys, label, help, group)
 *   name    what `:` understands and scripts say
 *   keys    as they are without a keys.lua, separated by blanks; the first is
 *           the one shown (keys.h)
 *   label   the word in the key line
 *   group   the column in the help overlay
 * No Ctrl-letter changes anything in the engine, and no key changes its
 * meaning between views.
 */
#ifndef REMUDA_CONSOLE_INTENT_H
#define REMUDA_CONSOLE_INTENT_H

enum intent_group { GROUP_GO, GROUP_LIST, GROUP_ACT, GROUP_ANY };

#define INTENTS(INTENT)                                                        \
	INTENT(OVERVIEW, "overview", "1", "Overview", "Overview", GO)          \
	INTENT(POOLS, "pools", "2", "Pools", "Pools", GO)                      \
	INTENT(SESSIONS, "sessions", "3", "Sessions", "Sessions", GO)          \
	INTENT(HOSTS, "hosts", "4", "Hosts", "Hosts, gateways", GO)            \
	INTENT(CLUSTERS, "clusters", "5", "Clusters", "Clusters", GO)          \
	INTENT(EVENTS, "events", "6", "Events", "Events", GO)                  \
	INTENT(RULES, "rules", "7", "Rules", "Rules", GO)                      \
	INTENT(HISTORY, "history", "8", "History", "History, usage", GO)       \
	INTENT(USERS, "users", "9", "Users", "Users, access", GO)              \
	INTENT(APPS, "apps", "0", "Apps", "applications", GO)                  \
	INTENT(ALARMS, "alarms", "!", "Alarms", "open alarms", GO)             \
	INTENT(MACHINES, "machines", "M", "Machines", "all machines", GO)      \
	INTENT(LAST_VIEW, "last", "- F9", "Last", "last view", GO)             \
	INTENT(OLDER, "back-in-history", "[", "Older", "back in history", GO)  \
	INTENT(NEWER, "on-in-history", "]", "Newer", "on in history", GO)      \
	INTENT(OPEN, "open", "Enter", "Open", "open, go down", GO)             \
	INTENT(BACK, "back", "Esc F3", "Back", "close, back", GO)              \
	INTENT(UP, "up", "k Up", "Up", "one line up", LIST)                    \
	INTENT(DOWN, "down", "j Down", "Down", "one line down", LIST)          \
	INTENT(PAGE_UP, "page-up", "F7 PgUp C-b", "Page up", "page up", LIST)  \
	INTENT(PAGE_DOWN, "page-down", "F8 PgDn C-f", "Page down",             \
	       "page down", LIST)                                              \
	INTENT(FIRST, "first", "g Home", "First", "first line", LIST)          \
	INTENT(LAST, "end", "G End", "Last line", "last line", LIST)           \
	INTENT(LEFT, "left", "< F10 Left S-Left", "Left", "left", LIST)        \
	INTENT(RIGHT, "right", "> F11 Right S-Right", "Right", "right", LIST)  \
	INTENT(MARK, "mark", "Space", "Mark", "mark, next line", LIST)         \
	INTENT(MARK_ALL, "mark-all", "*", "Mark all", "mark all shown", LIST)  \
	INTENT(MARK_NONE, "unmark-all", "U", "Unmark", "unmark all", LIST)     \
	INTENT(MARK_MATCHING, "mark-matching", "+", "Mark by",                 \
	       "mark by pattern", LIST)                                        \
	INTENT(UNMARK_MATCHING, "unmark-matching", "\\", "Unmark by",          \
	       "unmark by pattern", LIST)                                      \
	INTENT(FILTER, "filter", "/", "Filter", "filter  (!not col=x)", LIST)  \
	INTENT(SEARCH_NEXT, "next", "n", "Next hit", "next hit", LIST)         \
	INTENT(SEARCH_PREVIOUS, "previous", "N", "Hit before",                 \
	       "the hit before", LIST)                                         \
	INTENT(SORT, "sort", "s F6", "Sort", "sort by a column", LIST)         \
	INTENT(INVERT, "invert", "I", "Invert", "invert the order", LIST)      \
	INTENT(COLUMNS, "columns", "C F2", "Columns",                          \
	       "show, hide columns", LIST)                                     \
	INTENT(NEXT_TAB, "next-tab", "Tab", "Next", "next tab or pane", LIST)  \
	INTENT(PREVIOUS_TAB, "previous-tab", "S-Tab", "Previous",              \
	       "the one before", LIST)                                         \
	INTENT(FOLLOW, "follow", "f", "Follow", "follow the newest", LIST)     \
	INTENT(GO_TIME, "go-time", "b", "Time", "go to a time", LIST)          \
	INTENT(ACTIONS, "actions", "a F4", "Actions", "actions menu", ACT)     \
	INTENT(DESCRIBE, "describe", "d", "Describe",                          \
	       "describe in words", ACT)                                       \
	INTENT(RAW, "raw", "y", "JSON", "as JSON", ACT)                        \
	INTENT(CONSOLE, "console", "c", "Console", "console of machine", ACT)  \
	INTENT(LOG, "log", "L", "Log", "engine's log", ACT)                    \
	INTENT(SCALE, "scale", "S", "Scale", "scale the pool", ACT)            \
	INTENT(HOLD, "hold", "H", "Hold", "hold machine", ACT)                 \
	INTENT(RELEASE, "release", "R", "Release", "release machine", ACT)     \
	INTENT(RESTART, "restart", "r", "Restart", "restart; retry", ACT)      \
	INTENT(END, "delete", "x", "End", "end, delete", ACT)                  \
	INTENT(ACK, "acknowledge", "A", "Seen to", "alarm is seen to", ACT)    \
	INTENT(SWITCH, "switch", "o", "On/off", "on, off", ACT)                \
	INTENT(DRAIN, "drain", "D", "Drain", "drain a host", ACT)              \
	INTENT(MOVE, "move", "m", "Move", "move a node", ACT)                  \
	INTENT(TREE, "tree", "t", "Tree", "tree; dry run", ACT)                \
	INTENT(REPLAY, "replay", "T", "Replay", "replay a decision", ACT)      \
	INTENT(UNDO, "undo", "u", "Undo", "undo, for 60 s", ACT)         \
	INTENT(EDIT, "edit", "e", "Edit", "edit the site file", ACT)           \
	INTENT(HELP, "help", "? F1 h", "Help", "this help", ANY)               \
	INTENT(COMMAND, "command", ":", "Command", "command line", ANY)        \
	INTENT(PAUSE, "pause", "p", "Pause", "pause, go on", ANY)              \
	INTENT(COPY, "copy", "Y", "Copy", "copy (OSC 52)", ANY)                \
	INTENT(WRITE, "write", "w", "Write", "view to a file", ANY)            \
	INTENT(REDRAW, "redraw", "C-l F5", "Redraw", "draw again", ANY)        \
	INTENT(MOUSE, "mouse", "A-m", "Mouse", "mouse on, off", ANY)           \
	INTENT(SUSPEND, "suspend", "C-z", "Suspend", "suspend", ANY)           \
	INTENT(CANCEL, "cancel", "F12 C-c", "Cancel", "leave an input", ANY)   \
	INTENT(READ_ONLY, "read-only", "", "Read only", ":read-only", ANY)     \
	INTENT(QUIT, "quit", "q", "Quit", "quit (asks)", ANY)

enum intent {
	INTENT_NONE,
#define INTENT(id, name, keys, label, help, group) INTENT_##id,
	INTENTS(INTENT)
#undef INTENT
	INTENT_COUNT
};

struct intent_info {
	const char *name, *keys, *label, *help;	/* keys: the built-in ones */
	enum intent_group group;
};

extern const struct intent_info intent_table[INTENT_COUNT];

#endif
