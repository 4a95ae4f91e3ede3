/*
 * `resume`: a machine that was restored from its image has the clock and the
 * random numbers of the moment the image was made.  Standard input has the
 * time now, as decimal nanoseconds since 1970 and a newline, then fresh
 * random bytes: the clock is set, the bytes are credited to the kernel's
 * generator, and the generator is made to use them at once (by itself it
 * would go on with the old key for up to a minute).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "share/guest/guest.h"

enum { SEED_MIN = 32, SEED_MAX = 256, NS = 1000000000 };

/* <linux/random.h>, which a libc of its own does not bring. */
#define ADD_ENTROPY _IOW('R', 0x03, int[2])
#define RESEED _IO('R', 0x07)
struct pool_info {
	int bits, length;
	char bytes[SEED_MAX];
};

static size_t read_all(char *out, size_t size)
{
	size_t n = 0;

	while (n < size) {
		ssize_t got = read(0, out + n, size - n);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	return n;
}

static int set_clock(const char *text)
{
	long long ns = strtoll(text, NULL, 10);
	struct timespec ts = { .tv_sec = (time_t)(ns / NS),
			       .tv_nsec = (long)(ns % NS) };

	if (ns <= 0 || clock_settime(CLOCK_REALTIME, &ts) < 0) {
		guest_warn("the clock cannot be set to \"%.30s\": %s", text,
			   ns <= 0 ? "no time" : strerror(errno));
		return -1;
	}
	return 0;
}

static int reseed(const char *bytes, size_t n)
{
	struct pool_info pool = { .bits = (int)n * 8, .length = (int)n };
	int fd = open("/dev/urandom", O_WRONLY | O_CLOEXEC);

	memcpy(pool.bytes, bytes, n);
	if (fd < 0 || ioctl(fd, ADD_ENTROPY, &pool) < 0 ||
	    ioctl(fd, RESEED) < 0) {
		guest_warn("the random generator cannot be reseeded: %s",
			   strerror(errno));
		return -1;
	}
	close(fd);
	return 0;
}

int resume_main(int argc, char **argv)
{
	char text[SEED_MAX + 32];
	size_t n = read_all(text, sizeof(text) - 1);
	char *newline = memchr(text, '\n', n);
	size_t seed = newline ? n - (size_t)(newline + 1 - text) : 0;

	(void)argc;
	(void)argv;
	if (seed < SEED_MIN || seed > SEED_MAX) {
		guest_warn("resume wants the time, a newline and %d to %d random bytes",
			   SEED_MIN, SEED_MAX);
		return EXIT_USAGE;
	}
	*newline = '\0';
	return set_clock(text) < 0 || reseed(newline + 1, seed) < 0 ? 1 : 0;
}
