/*
 * Signals of the console: see term_signal.h.  Handlers use only what is
 * async-signal-safe; a terminal that takes no output must not keep a process
 * alive, so the last bytes are written without waiting.
 */
#include "console/term_signal.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#include "console/term.h"

enum { ALT_STACK_SIZE = 64 * 1024 };

/* What handlers need; written before they are installed. */
static struct {
	volatile sig_atomic_t active;
	volatile sig_atomic_t resized, stop_asked;
	struct termios saved;
	bool have_saved;
	int fd;
	char restore[TERM_SIGNAL_RESTORE_MAX];
	size_t restore_length;
	const char *last_words;
	char alt_stack[ALT_STACK_SIZE];
} tty;

static const int fatal_signals[] = { SIGSEGV, SIGABRT, SIGBUS, SIGFPE, SIGILL,
				     SIGHUP, SIGTERM, SIGQUIT, SIGINT };

enum { FATAL_COUNT = sizeof(fatal_signals) / sizeof(fatal_signals[0]) };

static struct sigaction old_fatal[FATAL_COUNT], old_winch, old_tstp;

/* Only what is async-signal-safe.  A stalled terminal must not hold us. */
static void put_back(void)
{
	int flags = fcntl(tty.fd, F_GETFL);

	if (flags >= 0)
		fcntl(tty.fd, F_SETFL, flags | O_NONBLOCK);
	ssize_t ignored = write(tty.fd, tty.restore, tty.restore_length);

	(void)ignored;	/* the terminal may be gone: nothing can be done */
	if (tty.have_saved)
		tcsetattr(tty.fd, TCSANOW, &tty.saved);
	if (flags >= 0)
		fcntl(tty.fd, F_SETFL, flags);
}

static void on_fatal(int sig)
{
	int saved_errno = errno;

	if (tty.active) {
		tty.active = 0;
		put_back();
		if (sig != SIGHUP && sig != SIGTERM && sig != SIGINT &&
		    tty.last_words) {
			ssize_t ignored = write(2, tty.last_words,
						strlen(tty.last_words));

			(void)ignored;
		}
	}
	errno = saved_errno;
	raise(sig);	/* SA_RESETHAND: the default action now */
}

void term_put_back(void)
{
	if (!tty.active)
		return;
	tty.active = 0;
	put_back();
}

static void on_winch(int sig)
{
	(void)sig;
	tty.resized = 1;
}

static void on_tstp(int sig)
{
	(void)sig;
	tty.stop_asked = 1;
}

void term_signal_install(int fd, bool terminal, sigset_t *before)
{
	stack_t stack = { .ss_sp = tty.alt_stack,
			  .ss_size = sizeof(tty.alt_stack) };
	struct sigaction fatal = { .sa_handler = on_fatal,
				   .sa_flags = SA_RESETHAND | SA_NODEFER |
					       SA_ONSTACK };
	struct sigaction winch = { .sa_handler = on_winch };
	struct sigaction tstp = { .sa_handler = on_tstp };
	sigset_t blocked;

	tty.fd = fd;
	tty.have_saved = terminal && tcgetattr(fd, &tty.saved) == 0;
	sigaltstack(&stack, NULL);
	for (int i = 0; i < FATAL_COUNT; i++)
		sigaction(fatal_signals[i], &fatal, &old_fatal[i]);
	sigaction(SIGWINCH, &winch, &old_winch);
	sigaction(SIGTSTP, &tstp, &old_tstp);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGWINCH);
	sigaddset(&blocked, SIGTSTP);
	sigprocmask(SIG_BLOCK, &blocked, before);
}

void term_signal_remove(const sigset_t *before)
{
	stack_t none = { .ss_flags = SS_DISABLE };

	for (int i = 0; i < FATAL_COUNT; i++)
		sigaction(fatal_signals[i], &old_fatal[i], NULL);
	sigaction(SIGWINCH, &old_winch, NULL);
	sigaction(SIGTSTP, &old_tstp, NULL);
	sigprocmask(SIG_SETMASK, before, NULL);
	sigaltstack(&none, NULL);
}

void term_signal_arm(const char *restore, size_t length, const char *last_words)
{
	tty.restore_length = length < sizeof(tty.restore) ? length :
			     sizeof(tty.restore);
	memcpy(tty.restore, restore, tty.restore_length);
	tty.last_words = last_words;
	tty.active = 1;
}

void term_signal_disarm(void)
{
	tty.active = 0;
}

void term_signal_modes_back(void)
{
	if (tty.have_saved)
		tcsetattr(tty.fd, TCSADRAIN, &tty.saved);
}

static bool take(volatile sig_atomic_t *flag)
{
	bool set = *flag;

	*flag = 0;
	return set;
}

bool term_signal_resized(void)
{
	return take(&tty.resized);
}

bool term_signal_stop_asked(void)
{
	return take(&tty.stop_asked);
}

bool term_signal_pending(void)
{
	return tty.resized || tty.stop_asked;
}

void term_signal_resize(void)
{
	tty.resized = 1;
}

void term_signal_stop(void)
{
	raise(SIGTSTP);	/* lent: the default action, and not blocked */
}

void term_signal_lend(bool on)
{
	static const int signals[] = { SIGINT, SIGQUIT, SIGTSTP };
	static struct sigaction ours[3];
	struct sigaction lent = { .sa_handler = SIG_IGN };
	sigset_t stop;

	for (int i = 0; i < 3; i++) {
		lent.sa_handler = signals[i] == SIGTSTP ? SIG_DFL : SIG_IGN;
		if (on)
			sigaction(signals[i], &lent, &ours[i]);
		else
			sigaction(signals[i], &ours[i], NULL);
	}
	sigemptyset(&stop);
	sigaddset(&stop, SIGTSTP);
	sigprocmask(on ? SIG_UNBLOCK : SIG_BLOCK, &stop, NULL);
}
