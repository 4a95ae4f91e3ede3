/* The log's three forms, and a syslogd that comes and goes. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/log.h"
#include "tests/tap.h"

static char record[4096];

/* What is in the descriptor now; "" when nothing is. */
static const char *next(int fd)
{
	ssize_t n = read(fd, record, sizeof(record) - 1);

	record[n > 0 ? n : 0] = '\0';
	return record;
}

static void pipe_of(int ends[2])
{
	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK))
		tap_bail("pipe: %s", strerror(errno));
}

static void test_lines(void)
{
	int ends[2];

	pipe_of(ends);
	unsetenv(LOG_VARIABLE);
	log_open("engine", ends[1], LOG_INFO);
	log_info("machine %s: one\nERROR two \033[2J", "mail-01");
	next(ends[0]);
	is_int(strlen(strchr(record, '\n')), 1, "one record is one line, whatever is in it");
	is_text(strstr(record, "Z ") + 2, "engine info machine mail-01: one\\x0aERROR two \\x1b[2J\n",
		"with time, role, level");
	log_debug("not of this level");
	is_text(next(ends[0]), "", "below the level: nothing");
	log_open("engine", ends[1], LOG_ERROR);
	log_warn("neither this");
	log_error("but this");
	ok(strstr(next(ends[0]), " engine error but this\n"), "the level counts");
	close(ends[0]);
	close(ends[1]);
}

static void test_journal(void)
{
	char stream[64];
	struct stat st;
	int ends[2];

	pipe_of(ends);
	fstat(ends[1], &st);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("gateway", ends[1], LOG_DEBUG);
	log_error("a");
	log_warn("b");
	log_info("c");
	log_debug("d");
	is_text(next(ends[0]), "<3>gateway a\n<4>gateway b\n<6>gateway c\n<7>gateway d\n",
		"a journal gets levels and no time");
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev,
		 (unsigned long long)st.st_ino + 1);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("gateway", ends[1], LOG_DEBUG);
	log_info("e");
	ok(strstr(next(ends[0]), "Z gateway info e\n"), "a journal that is another's does not count");
	unsetenv("JOURNAL_STREAM");
	close(ends[0]);
	close(ends[1]);
}

static int syslogd(const char *path)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	unlink(path);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)))
		tap_bail("bind %s: %s", path, strerror(errno));
	return fd;
}

static void test_syslog(void)
{
	char folder[] = "/tmp/remuda-log-XXXXXX", path[64], where[80], want[64];

	if (!mkdtemp(folder))
		tap_bail("mkdtemp: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/log", folder);
	snprintf(where, sizeof(where), "syslog:%s", path);
	ok(log_is_syslog("syslog") && log_is_syslog(where) && !log_is_syslog("syslog.txt") &&
	   !log_is_syslog("/var/log/syslog"), "which words mean syslog");
	is_int(log_syslog(where), -1, "nobody there: no socket");
	is_int(errno, ENOENT, "and errno says so");

	int server = syslogd(path), fd = log_syslog(where);
	ok(fd >= 0, "a syslogd is there");
	setenv(LOG_VARIABLE, where, 1);
	log_open("engine", fd, LOG_INFO);
	log_warn("disk\nfull");
	next(server);
	snprintf(want, sizeof(want), " remuda-engine[%d]: disk\\x0afull", (int)getpid());
	ok(strncmp(record, "<28>", 4) == 0 && strlen(record) == 4 + 15 + strlen(want) &&
	   strcmp(record + 4 + 15, want) == 0, "facility, level, time, process: %s", record);

	/* It goes: nothing stops, nothing comes. */
	close(server);
	log_warn("lost");
	server = syslogd(path);
	/* Another role has the socket, but not its path any more. */
	log_open("gateway", fd, LOG_INFO);
	log_info("lost too");
	is_text(next(server), "", "after a restart of syslogd other roles are not heard ...");
	log_open("engine", fd, LOG_INFO);
	log_info("here again");
	ok(strstr(next(server), ": here again"), "... until the engine has connected again");
	log_open("gateway", fd, LOG_INFO);
	log_info("so am I");
	ok(strstr(next(server), ": so am I"), "then they are: it is the same socket");

	/* One that does not read: records are lost, the program goes on. */
	for (int i = 0; i < 20000; i++)
		log_info("line %d", i);
	int kept = 0;
	while (*next(server))
		kept++;
	ok(kept > 0 && kept < 20000, "a syslogd that does not read stops nobody");
	unsetenv(LOG_VARIABLE);
	close(fd);
	close(server);
	unlink(path);
	rmdir(folder);
}

int main(void)
{
	unsetenv("JOURNAL_STREAM");
	test_lines();
	test_journal();
	test_syslog();
	return tap_done();
}
