/*
 * Asks the terminal about itself, once, before the first frame: 100 ms at most.
 * Keys typed meanwhile are kept; answers that come later are swallowed by
 * term_input.c.
 */
#include "console/clock.h"
#include "console/term_internal.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "console/probe.h"

enum { PROBE_MS = 100 };

void term_probe(struct term *t, struct probe *p)
{
	char query[PROBE_QUERY_MAX], bytes[PROBE_ANSWER_MAX];
	char rest[PROBE_ANSWER_MAX];
	size_t used = 0, left = 0;
	int64_t until = now_ms() + PROBE_MS;
	bool done = false;

	if (!p->ask_background && !p->ask_width)
		return;
	term_write(t, query, probe_query(p, query));
	while (!done && used < sizeof(bytes)) {
		struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
		int64_t wait = until - now_ms();
		ssize_t n;

		if (wait <= 0 || poll(&fd, 1, (int)wait) <= 0)
			break;
		n = read(STDIN_FILENO, bytes + used, sizeof(bytes) - used);
		if (n <= 0)
			break;
		used += (size_t)n;
		done = probe_read(p, bytes, used, rest, &left);
	}
	while (left > 0)
		ungetch((unsigned char)rest[--left]);
}
