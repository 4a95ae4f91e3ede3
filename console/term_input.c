/*
 * Keys of the terminal: see term.h.  ncurses knows most sequences; what it does
 * not know, and answers that come too late, are swallowed whole, so that no part
 * of them is taken for keys that were typed.
 */
#include "console/term_internal.h"

#include <errno.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "console/keys.h"

/* Terminals that send these whatever mode their keypad is in. */
static void define_plain_arrows(void)
{
	static const struct { const char *sent; int code; } keys[] = {
		{ "\033[A", KEY_UP }, { "\033[B", KEY_DOWN },
		{ "\033[C", KEY_RIGHT }, { "\033[D", KEY_LEFT },
		{ "\033[H", KEY_HOME }, { "\033[F", KEY_END },
	};

	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		define_key(keys[i].sent, keys[i].code);
}

void term_start_input(struct term *t, int escape_ms)
{
	raw();
	noecho();
	nonl();
	typeahead(-1);
	t->input = newpad(1, 1);
	keypad(t->input, TRUE);
	nodelay(t->input, TRUE);
	set_escdelay(escape_ms);
	define_plain_arrows();
	define_key("\033[200~", PASTE_BEGIN_CODE);
	define_key("\033[201~", PASTE_END_CODE);
	if (t->paste)
		term_say(t, "\033[?2004h");
}

/* ---- input ----------------------------------------------------------- */

static uint32_t translate(wint_t code)
{
	switch (code) {
	case KEY_UP:
		return KEYS_UP;
	case KEY_DOWN:
		return KEYS_DOWN;
	case KEY_LEFT:
		return KEYS_LEFT;
	case KEY_RIGHT:
		return KEYS_RIGHT;
	case KEY_PPAGE:
		return KEYS_PAGE_UP;
	case KEY_NPAGE:
		return KEYS_PAGE_DOWN;
	case KEY_HOME:
		return KEYS_HOME;
	case KEY_END:
		return KEYS_END;
	case KEY_BTAB:
		return KEYS_SHIFT_TAB;
	case KEY_BACKSPACE:
		return KEYS_BACKSPACE;
	case KEY_DC:
		return KEYS_DELETE;
	case KEY_IC:
		return KEYS_INSERT;
	case KEY_SLEFT:
		return KEYS_SHIFT_LEFT;
	case KEY_SRIGHT:
		return KEYS_SHIFT_RIGHT;
	case KEY_SR:
		return KEYS_SHIFT_UP;
	case KEY_SF:
		return KEYS_SHIFT_DOWN;
	case KEY_SPREVIOUS:
		return KEYS_SHIFT_PAGE_UP;
	case KEY_SNEXT:
		return KEYS_SHIFT_PAGE_DOWN;
	case KEY_ENTER:
		return KEYS_ENTER;
	case PASTE_BEGIN_CODE:
		return KEYS_PASTE_BEGIN;
	case PASTE_END_CODE:
		return KEYS_PASTE_END;
	}
	if (code >= KEY_F(1) && code <= KEY_F(12))
		return KEYS_F1 + (code - KEY_F(1));
	return KEYS_OTHER;
}

/* ---- the mouse ------------------------------------------------------- */

void term_start_mouse(struct term *t, bool on)
{
	if (on == t->mouse)
		return;
	t->mouse = on;
	mouseinterval(0);	/* else ncurses waits for a second click */
	mousemask(on ? BUTTON1_PRESSED | BUTTON4_PRESSED | BUTTON5_PRESSED : 0,
		  NULL);
}

struct term_mouse term_mouse(const struct term *t)
{
	return t->mouse_event;
}

static uint32_t take_mouse(struct term *t)
{
	MEVENT e;

	if (getmouse(&e) != OK)
		return KEYS_OTHER;
	t->mouse_event = (struct term_mouse){ .row = e.y, .col = e.x };
	if (e.bstate & BUTTON4_PRESSED)
		t->mouse_event.kind = TERM_WHEEL_UP;
	else if (e.bstate & BUTTON5_PRESSED)
		t->mouse_event.kind = TERM_WHEEL_DOWN;
	else if (e.bstate & BUTTON1_PRESSED)
		t->mouse_event.kind = TERM_CLICK;
	else
		return KEYS_OTHER;
	return KEYS_MOUSE;
}

/* ---- keys ------------------------------------------------------------ */

static uint32_t read_key(struct term *t)
{
	wint_t code = 0;
	int got = wget_wch(t->input, &code);

	if (got == ERR)
		return 0;
	if (got == KEY_CODE_YES && code == KEY_MOUSE)
		return take_mouse(t);
	if (got == KEY_CODE_YES)
		return translate(code);
	if (code == 127 || code == 8)
		return KEYS_BACKSPACE;
	return code == 0 ? KEYS_OTHER : code;
}

/* An answer of the terminal that came late, up to BEL or ESC \\. */
static uint32_t skip_string(struct term *t)
{
	uint32_t key, before = 0;

	while ((key = read_key(t)) != 0) {
		if (key == 7 || (before == KEYS_ESC && key == '\\'))
			break;
		before = key;
	}
	return KEYS_OTHER;
}

/* A key that terminfo does not know: the rest of it is not typed text. */
static uint32_t skip_sequence(struct term *t)
{
	uint32_t key;

	do
		key = read_key(t);
	while (key && (key < 0x40 || key > 0x7e));
	return KEYS_OTHER;
}

uint32_t term_key(struct term *t)
{
	uint32_t key = t->pending_key, next;

	t->pending_key = 0;
	if (t->script)
		return 0;
	if (!key)
		key = read_key(t);
	if (key != KEYS_ESC)
		return key;
	/* Alt is Esc with the next key at once.  Only Alt-1 to Alt-0 and what
	 * is bound mean something; over a slow line any two keys may come at
	 * once. */
	next = read_key(t);
	if (next == 0)
		return KEYS_ESC;
	if (next >= '1' && next <= '9')
		return KEYS_F1 + (next - '1');
	if (next == '0')
		return KEYS_F1 + 9;
	if (next == '[' || next == 'O')
		return skip_sequence(t);
	if (next == ']')
		return skip_string(t);
	if (next < 0x7f && keys_intent(KEYS_ALT(next)) != INTENT_NONE)
		return KEYS_ALT(next);
	t->pending_key = next;
	return KEYS_ESC;
}

int term_wait(struct term *t, int fd, bool writable, int64_t timeout_ms)
{
	struct pollfd fds[2] = {
		{ .fd = t->script ? -1 : 0, .events = POLLIN },
		{ .fd = fd, .events = (short)(POLLIN |
					      (writable ? POLLOUT : 0)) },
	};
	struct timespec limit = { .tv_sec = timeout_ms / 1000,
				  .tv_nsec = timeout_ms % 1000 * 1000000 };
	int bytes = 1;

	if (t->pending_key || term_signal_pending())
		return 0;
	if (ppoll(fds, 2, &limit, &t->old_mask) < 0)
		return errno == EINTR ? 0 : -1;
	if (fds[0].revents & (POLLHUP | POLLERR | POLLNVAL))
		return -1;
	if ((fds[0].revents & POLLIN) && ioctl(0, FIONREAD, &bytes) == 0 &&
	    bytes == 0)
		return -1;	/* end of file: nobody will type again */
	return 0;
}
