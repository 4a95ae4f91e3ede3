/*
 * Checks stay on in the product.  A failed check means a broken program: it
 * runs the process's last words (a terminal to restore, a state to dump) and
 * aborts.  Machines and gateways survive; the next engine adopts them.
 *
 * The first argument names the invariant (reliability.md: "S2") or "".
 * The simulator replaces the handler to report which invariant fired.
 */
#ifndef REMUDA_BASE_CHECK_H
#define REMUDA_BASE_CHECK_H

#define CHECK(name, cond, ...)                                                 \
	do {                                                                   \
		if (__builtin_expect(!(cond), 0))                              \
			check_fail(name, __FILE__, __LINE__, #cond,            \
				   "" __VA_ARGS__);                            \
	} while (0)

typedef void check_handler(const char *name, const char *where,
			   const char *text);

/* The handler may longjmp out; if it returns the process aborts. */
void check_set_handler(check_handler *handler);

void check_fail(const char *name, const char *file, int line,
		const char *cond, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 5, 6)));

#endif
