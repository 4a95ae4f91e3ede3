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

void term_start_input(struct term *t)
{
	raw();
	noecho();
	nonl();
	typeahead(-1);
	t->input = newpad(1, 1);
	keypad(t->input, TRUE);
	nodelay(t->input, TRUE);
	set_escdelay(ESCAPE_MS);
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

static uint32_t read_key(struct term *t)
{
	wint_t code = 0;
	int got = wget_wch(t->input, &code);

	if (got == ERR)
		return 0;
	if (got == KEY_CODE_YES)
		return translate(code);
	if (code == 127 || code == 8)
		return KEYS_BACKSPACE;
	return code == 0 ? KEYS_OTHER : code;
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
	/* Alt is Esc with the next key at once.  Only Alt-1 to Alt-0 mean
	 * something; over a slow line any two keys may come at once. */
	next = read_key(t);
	if (next == 0)
		return KEYS_ESC;
	if (next >= '1' && next <= '9')
		return KEYS_F1 + (next - '1');
	if (next == '0')
		return KEYS_F1 + 9;
	if (next == '[' || next == 'O')
		return skip_sequence(t);
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
