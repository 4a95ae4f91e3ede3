/*
 * The log of a process: one line per record on standard error, foreign text
 * through text_display so that a record can never become two (A8).
 *
 *     2026-11-22T05:42:05.123Z engine info machine mail-07: booting -> preparing
 *
 * To the journal of systemd it goes with its priority and without the time:
 *
 *     <6>engine machine mail-07: booting -> preparing
 */
#ifndef REMUDA_BASE_LOG_H
#define REMUDA_BASE_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* role is borrowed for ever; fd is where lines go (2 when never called). */
void log_open(const char *role, int fd, enum log_level level);
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
