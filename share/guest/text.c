/*
 * Messages, small files, unix sockets and time for the guest's helper.
 *
 * Every failure here is said on stderr at once, with the path it concerns:
 * the callers are commands whose stderr the host collects.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "share/guest/guest.h"

#ifndef GRND_INSECURE
#define GRND_INSECURE 4		/* linux/random.h */
#endif

void guest_warn(const char *format, ...)
{
	char text[GUEST_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	fprintf(stderr, "remuda-guest: %s\n", text);
}

const char *guest_run_dir(void)
{
	const char *dir = getenv("REMUDA_RUN");

	return dir && *dir ? dir : "/run/remuda";
}

int guest_run_path(char out[GUEST_PATH_MAX], const char *name)
{
	int n = snprintf(out, GUEST_PATH_MAX, "%s/%s", guest_run_dir(), name);

	if (n < 0 || n >= GUEST_PATH_MAX) {
		guest_warn("%s/%s: path longer than %d bytes", guest_run_dir(),
			   name, GUEST_PATH_MAX - 1);
		return -1;
	}
	return 0;
}

int guest_write_file(const char *path, const char *text)
{
	char temp[GUEST_PATH_MAX + 8];
	size_t length = strlen(text);
	ssize_t n;
	int fd;

	snprintf(temp, sizeof(temp), "%s.new", path);
	fd = open(temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
		  0644);
	if (fd < 0) {
		guest_warn("%s: %s", temp, strerror(errno));
		return -1;
	}
	n = write(fd, text, length);
	if (close(fd) < 0 || n != (ssize_t)length || rename(temp, path) < 0) {
		guest_warn("%s: %s", path, strerror(errno));
		unlink(temp);
		return -1;
	}
	return 0;
}

int guest_read_file(const char *path, char *out, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return -1;
	n = read(fd, out, size - 1);
	close(fd);
	if (n < 0)
		return -1;
	out[n] = '\0';
	return (int)n;
}

int64_t guest_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

uint64_t guest_random(void)
{
	uint64_t v;
	unsigned flags = GRND_INSECURE;

	/*
	 * A nonce tells connections apart and guards no secret, so a machine
	 * that has just booted need not wait for its first entropy.
	 */
	while (getrandom(&v, sizeof(v), flags) != (ssize_t)sizeof(v)) {
		if (errno == EINVAL)
			flags = 0;	/* Linux before 5.6 */
	}
	return v;
}

int guest_read_confirm(char *line, size_t size, uint64_t *session)
{
	unsigned long long s, nonce;
	char rest;

	if (!fgets(line, (int)size, stdin)) {
		guest_warn("expected \"SESSION NONCE\" on standard input");
		return -1;
	}
	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%llu %llu%c", &s, &nonce, &rest) != 2) {
		guest_warn("expected \"SESSION NONCE\" on standard input, got "
			   "\"%.60s\"", line);
		return -1;
	}
	*session = s;
	return 0;
}

static int unix_socket(const char *path, int type, struct sockaddr_un *addr)
{
	int fd;

	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) >= sizeof(addr->sun_path)) {
		guest_warn("%s: path longer than %zu bytes", path,
			   sizeof(addr->sun_path) - 1);
		return -1;
	}
	memcpy(addr->sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
	if (fd < 0)
		guest_warn("socket: %s", strerror(errno));
	return fd;
}

int guest_listen(const char *path, int type, unsigned mode)
{
	struct sockaddr_un addr;
	int fd = unix_socket(path, type | SOCK_NONBLOCK, &addr);

	if (fd < 0)
		return -1;
	unlink(path);
	if (bind(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0 ||
	    chmod(path, (mode_t)mode) < 0 || listen(fd, 16) < 0) {
		guest_warn("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}

int guest_connect(const char *path, int type)
{
	struct sockaddr_un addr;
	int fd = unix_socket(path, type, &addr);

	if (fd < 0)
		return -1;
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		guest_warn("%s: %s", path, strerror(errno));
		close(fd);
		return -1;
	}
	return fd;
}
