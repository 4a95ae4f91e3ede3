/*
 * Log lines; see log.h.  One write(2) per record, so records of several
 * processes that share a file do not mix.  A full or closed descriptor loses
 * the record: logging never stops the program.
 */
#include "engine/base/log.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/text.h"

static struct {
	const char *role;
	int fd;
	enum log_level level;
	bool journal;		/* fd is the journal's: it has the time itself */
} log_state = { .role = "remuda", .fd = 2, .level = LOG_INFO };

/* JOURNAL_STREAM names what the journal reads, device:inode (systemd.exec(5)):
 * standard error may have been sent elsewhere since. */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
	       fstat(fd, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(const char *role, int fd, enum log_level level)
{
	log_state.role = role;
	log_state.fd = fd;
	log_state.level = level;
	log_state.journal = is_journal(fd);
}

enum log_level log_level(void)
{
	return log_state.level;
}

/* "TIME role level ", or for the journal "<priority>role ". */
static size_t begin_line(char *line, enum log_level level)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	static const int priorities[] = { 3, 4, 6, 7 };	/* syslog(3) */
	struct timespec now;
	struct tm tm;

	if (log_state.journal)
		return (size_t)snprintf(line, 64, "<%d>%.20s ",
					priorities[level], log_state.role);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(line, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	return n + (size_t)snprintf(line + n, 64, ".%03ldZ %.20s %s ",
				    now.tv_nsec / 1000000, log_state.role,
				    names[level]);
}

void log_write(enum log_level level, const char *fmt, ...)
{
	char text[1024], line[2300];
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	size_t n = begin_line(line, level);
	text_display(line + n, sizeof(line) - n - 1, text, strlen(text));
	n = strlen(line);
	line[n++] = '\n';
	if (write(log_state.fd, line, n) < 0)
		return;
}
