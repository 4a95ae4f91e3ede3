/*
 * Log lines; see log.h.  One write(2) per record, so records of several
 * processes that share a file do not mix.  A full or closed descriptor loses
 * the record: logging never stops the program.
 */
#include "engine/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/text.h"

static struct {
	const char *role;
	int fd;
	enum log_level level;
} log_state = { .role = "remuda", .fd = 2, .level = LOG_INFO };

void log_open(const char *role, int fd, enum log_level level)
{
	log_state.role = role;
	log_state.fd = fd;
	log_state.level = level;
}

enum log_level log_level(void)
{
	return log_state.level;
}

void log_write(enum log_level level, const char *fmt, ...)
{
	static const char *const names[] = { "error", "warn", "info", "debug" };
	char text[1024], line[2300];
	struct timespec now;
	struct tm tm;
	va_list ap;

	if (level > log_state.level)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	size_t n = strftime(line, 32, "%Y-%m-%dT%H:%M:%S", &tm);
	n += (size_t)snprintf(line + n, 64, ".%03ldZ %.20s %s ",
			      now.tv_nsec / 1000000, log_state.role,
			      names[level]);
	text_display(line + n, sizeof(line) - n - 1, text, strlen(text));
	n = strlen(line);
	line[n++] = '\n';
	if (write(log_state.fd, line, n) < 0)
		return;
}
