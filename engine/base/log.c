/*
 * Log lines; see log.h.  One write(2) per record, so records of several
 * processes that share a file do not mix.  A full or closed descriptor loses
 * the record: logging never stops the program.
 */
#include "engine/base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/text.h"

enum {
	FACILITY_DAEMON = 3 << 3,
	ROOM_MS = 100,		/* for a busy syslogd to read ... */
	DEAF_S = 10,		/* ... and for one that does not, no more waiting */
	LINE_SIZE = 2300,
	PREFIX_SIZE = 120,
};
enum log_form { FORM_LINE, FORM_JOURNAL, FORM_SYSLOG };

static struct {
	const char *role;
	int fd;
	enum log_level level;
	enum log_form form;
	int pid;
	time_t deaf_until;	/* CLOCK_MONOTONIC: syslogd does not read */
	struct sockaddr_un syslogd;
} log_state = { .role = "remuda", .fd = 2, .level = LOG_INFO };

/* JOURNAL_STREAM is inherited even where the descriptor is another by now. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

/* True: path is a socket of syslogd. */
static bool syslog_address(const char *where, struct sockaddr_un *out)
{
	static const char word[] = LOG_SYSLOG;

	if (!where || strncmp(where, word, sizeof(word) - 1) != 0)
		return false;
	where += sizeof(word) - 1;
	*out = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (*where && *where != ':')
		return false;
	return text_copy(out->sun_path, sizeof(out->sun_path),
			 *where ? where + 1 : "/dev/log");
}

void log_open(const char *role, int fd, enum log_level level)
{
	log_state.role = role;
	log_state.fd = fd;
	log_state.level = level;
	/* Now, for a sandbox may not let us look later. */
	log_state.pid = (int)getpid();
	tzset();
	log_state.form = syslog_address(getenv(LOG_VARIABLE), &log_state.syslogd) ?
				 FORM_SYSLOG :
			 is_journal(fd) ? FORM_JOURNAL : FORM_LINE;
}

bool log_is_syslog(const char *where)
{
	struct sockaddr_un to;

	return syslog_address(where, &to);
}

int log_syslog(const char *where)
{
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	struct sockaddr_un to;

	if (!syslog_address(where, &to))
		errno = EINVAL;
	else if (fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0)
		return fd;
	int failed = errno;
	if (fd >= 0)
		close(fd);
	errno = failed;
	return -1;
}

enum log_level log_level(void)
{
	return log_state.level;
}

/* What stands before the text; its length. */
static size_t prefix(char out[PREFIX_SIZE], enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	static const int priorities[] = { 3, 4, 6, 7 };	/* of syslog(3) */
	struct timespec now;
	struct tm tm;
	size_t n;

	clock_gettime(CLOCK_REALTIME, &now);
	switch (log_state.form) {
	case FORM_JOURNAL:
		return (size_t)snprintf(out, PREFIX_SIZE, "<%d>%.20s ",
					priorities[level], log_state.role);
	case FORM_SYSLOG:
		/* syslog(3)'s own form: local time, no host. */
		localtime_r(&now.tv_sec, &tm);
		n = (size_t)snprintf(out, 16, "<%d>",
				     FACILITY_DAEMON | priorities[level]);
		n += strftime(out + n, 32, "%b %e %H:%M:%S ", &tm);
		return n + (size_t)snprintf(out + n, 64, "remuda-%.20s[%d]: ",
					    log_state.role, log_state.pid);
	case FORM_LINE:
		break;
	}
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(out + n, 64, ".%03ldZ %.20s %s ",
				    now.tv_nsec / 1000000, log_state.role,
				    names[level]);
}

/* The socket is the same in all processes: the one whose files are not shut off
 * repairs it for the others. */
static bool connect_again(int error)
{
	const struct sockaddr_un *to = &log_state.syslogd;

	return log_state.form == FORM_SYSLOG && strcmp(log_state.role, "engine") == 0 &&
	       (error == ECONNREFUSED || error == ENOTCONN || error == ECONNRESET) &&
	       connect(log_state.fd, (const struct sockaddr *)to, sizeof(*to)) == 0;
}

/* Its queue may be as short as ten records: a burst waits for it a little, once. */
static bool room_again(int error)
{
	struct pollfd p = { .fd = log_state.fd, .events = POLLOUT };
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (error != EAGAIN || log_state.form != FORM_SYSLOG ||
	    now.tv_sec < log_state.deaf_until)
		return false;
	if (poll(&p, 1, ROOM_MS) > 0)
		return true;
	log_state.deaf_until = now.tv_sec + DEAF_S;
	return false;
}

/* A syslogd that does not read must not stop the program.  The descriptor's own
 * flag does not say so: libuv takes it from the streams of children.  And
 * sendmsg(2), since the sandbox of hooks has no other way to send. */
static ssize_t put(char *line, size_t n)
{
	struct iovec part = { line, n };
	struct msghdr m = { .msg_iov = &part, .msg_iovlen = 1 };

	return log_state.form == FORM_SYSLOG ?
		       sendmsg(log_state.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) :
		       write(log_state.fd, line, n);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[1024], line[LINE_SIZE];
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t n = prefix(line, level);
	text_display(line + n, sizeof(line) - n - 1, text, strlen(text));
	n = strlen(line);
	if (log_state.form != FORM_SYSLOG)
		line[n++] = '\n';
	if (put(line, n) < 0 && (room_again(errno) || connect_again(errno)))
		(void)!put(line, n);
}
