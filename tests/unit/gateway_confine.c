/*
 * What a confined gateway can do no more: each forbidden call ends the process
 * by SIGSYS, in a child of its own; what a session needs goes on.
 */
#include "engine/gateway/confine.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "tests/tap.h"

static void try_open(void) { (void)!open("/etc/passwd", O_RDONLY); }
static void try_create(void) { (void)!creat("/tmp/gateway-confine", 0600); }
static void try_stat(void) { (void)!mkdir("/tmp/gateway-confine", 0700); }
static void try_unlink(void) { unlink("/tmp/gateway-confine"); }
static void try_fork(void) { if (fork() == 0) _exit(0); }
static void try_trace(void) { ptrace(PTRACE_TRACEME, 0, NULL, NULL); }
static void try_kill(void) { kill(getppid(), 0); }
static void try_netlink(void) { (void)!socket(AF_NETLINK, SOCK_RAW, 0); }
static void try_packet(void) { (void)!socket(AF_PACKET, SOCK_RAW, 0); }
static void try_setuid(void) { (void)!setuid(65534); }

static void try_exec(void)
{
	execl("/bin/true", "true", (char *)NULL);
}

static void try_code(void)
{
	mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
	     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_make_code(void)
{
	void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static const struct {
	const char *what;
	void (*act)(void);
} forbidden[] = {
	{ "open a file", try_open }, { "make a file", try_create },
	{ "make a folder", try_stat }, { "delete a file", try_unlink },
	{ "start a process", try_fork }, { "run a program", try_exec },
	{ "trace", try_trace }, { "signal another process", try_kill },
	{ "a netlink socket", try_netlink }, { "a packet socket", try_packet },
	{ "become somebody else", try_setuid },
	{ "memory that is code", try_code },
	{ "make code of memory", try_make_code },
};

/* What a session needs; 0, or the number of the step that failed. */
static int work(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct tm tm = { .tm_year = 130 };
	socklen_t size = sizeof(a);
	char bytes[16] = "";
	struct stat st;
	int pair[2], pipes[2];

	int listener = socket(AF_INET, SOCK_STREAM, 0);
	int client = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (bind(listener, (struct sockaddr *)&a, sizeof(a)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&a, &size))
		return 1;
	connect(client, (struct sockaddr *)&a, sizeof(a));
	int server = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (server < 0 || send(client, "hello", 5, 0) != 5)
		return 2;
	if (pipe2(pipes, O_NONBLOCK) ||
	    splice(server, NULL, pipes[1], NULL, 5, 0) != 5 ||
	    read(pipes[0], bytes, sizeof(bytes)) != 5)
		return 3;
	int memory = memfd_create("x", MFD_CLOEXEC);
	if (memory < 0 || fstat(memory, &st) ||
	    pread(memory, bytes, 1, 0) != 0)
		return 4;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair))
		return 5;
	if (timegm(&tm) <= 0)
		return 6;
	for (size_t n = 1; n < 1 << 26; n *= 2) {
		char *block = malloc(n);

		if (!block)
			return 7;
		memset(block, 1, n);
		free(block);
	}
	SSL_CTX *context = SSL_CTX_new(TLS_server_method());
	SSL *ssl = context ? SSL_new(context) : NULL;
	if (!ssl)
		return 8;
	SSL_free(ssl);
	SSL_CTX_free(context);
	return 0;
}

/* The status of a child that confines itself and acts. */
static int confined(void (*act)(void), int *code)
{
	struct error err = { "" };
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (gateway_confine(&err)) {
			tap_note("%s", err.text);
			_exit(99);
		}
		if (act)
			act();
		_exit(act ? 0 : work());
	}
	waitpid(pid, &status, 0);
	*code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(void)
{
	int code;

#if defined(__SANITIZE_ADDRESS__)
	tap_note("no filter in a build with a sanitizer");
	ok(confined(NULL, &code) == 0, "nothing is forbidden there");
	return tap_done();
#endif
	for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
		is_int(confined(forbidden[i].act, &code), SIGSYS,
		       "%s: the process ends", forbidden[i].what);
	is_int(confined(NULL, &code), 0, "what a session needs is left alone");
	is_int(code, 0, "all of it");
	return tap_done();
}
