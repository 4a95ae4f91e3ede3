/*
 * The log of a process: one line per record on standard error, foreign text
 * through text_display so that a record can never become two (A8).
 *
 *     2026-11-22T05:42:05.123Z engine info machine mail-07: booting -> preparing
 *
 * Where standard error is journald's (JOURNAL_STREAM, sd-daemon(3)) a record is
 * "<6>engine machine ...": the journal has time and process itself, and its level.
 * Where REMUDA_LOG is "syslog" (or "syslog:PATH") standard error is a socket to
 * syslogd, and a record a datagram as syslog(3) sends them, facility daemon.
 */
#ifndef REMUDA_BASE_LOG_H
#define REMUDA_BASE_LOG_H

#include <stdbool.h>

#define LOG_VARIABLE "REMUDA_LOG"	/* children inherit it with the descriptor */
#define LOG_SYSLOG "syslog"

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* role is borrowed for ever; fd is where lines go (2 when never called). */
void log_open(const char *role, int fd, enum log_level level);
/* Is that "syslog" or "syslog:PATH"? */
bool log_is_syslog(const char *where);
/* A socket connected there, or -1 with errno.  When syslogd was restarted, the
 * role "engine" connects it again, also for all that inherited it. */
int log_syslog(const char *where);
enum log_level log_level(void);
void log_write(enum log_level level, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_debug(...)                                                         \
	do {                                                                   \
		if (log_level() >= LOG_DEBUG)                                  \
			log_write(LOG_DEBUG, __VA_ARGS__);                     \
	} while (0)

#endif
