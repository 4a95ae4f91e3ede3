/*
 * The console alone, for screen tests: console_run() with its options from
 * the command line and any engine behind a socket.
 *
 *   console_driver [--socket PATH] [--embedded] [--read-only] [--ascii]
 *       [--no-color] [--script FILE] [--clock SECONDS] [--memory FILE]
 *       [--site-file FILE] [--settings FOLDER]
 *       [--inherit PATH]     connect first and hand the socket over, as the
 *                            start of an embedded engine does
 *       [--revive PATH]      what "starting the engine again" connects to
 */
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console/app.h"

static int connect_to(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&address,
			       sizeof(address)) == 0)
		return fd;
	perror(path);
	return -1;
}

static int revive(void *arg)
{
	return connect_to(arg);
}

int main(int argc, char **argv)
{
	struct console_options o = { .control_fd = -1 };

	setlocale(LC_ALL, "");
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : "";

		if (strcmp(argv[i], "--embedded") == 0) {
			o.embedded = true;
			continue;
		}
		if (strcmp(argv[i], "--read-only") == 0) {
			o.read_only = true;
			continue;
		}
		if (strcmp(argv[i], "--ascii") == 0) {
			o.ascii = true;
			continue;
		}
		if (strcmp(argv[i], "--no-color") == 0) {
			o.no_color = true;
			continue;
		}
		i++;
		if (strcmp(argv[i - 1], "--socket") == 0) {
			o.socket_path = value;
		} else if (strcmp(argv[i - 1], "--script") == 0) {
			o.script = value;
		} else if (strcmp(argv[i - 1], "--memory") == 0) {
			o.memory = value;
		} else if (strcmp(argv[i - 1], "--settings") == 0) {
			o.settings_dir = value;
		} else if (strcmp(argv[i - 1], "--site-file") == 0) {
			o.site_file = value;
		} else if (strcmp(argv[i - 1], "--clock") == 0) {
			o.fixed_clock_ms = strtoll(value, NULL, 10) * 1000;
		} else if (strcmp(argv[i - 1], "--inherit") == 0) {
			o.control_fd = connect_to(value);
		} else if (strcmp(argv[i - 1], "--revive") == 0) {
			o.restart_engine = revive;
			o.restart_arg = argv[i];
		} else {
			fprintf(stderr, "unknown: %s\n", argv[i - 1]);
			return 2;
		}
	}
	return console_run(&o);
}
