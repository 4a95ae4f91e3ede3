/*
 * The gateway's filter; see confine.h.  Everything that is read from files is
 * read before it: OpenSSL's configuration, its algorithms, the clock's zone.  Processes of ssh
 * clients are started by another one, which has no filter and no stranger
 * (engine/ssh/starter.h).
 *
 * The kernel keeps a bitmap of calls that a filter allows whatever their
 * arguments (Linux 5.11), so those of a session cost nothing; the others are
 * sorted (OPTIMIZE).  Left out of builds with a sanitizer, whose runtime needs
 * more.
 */
#include "engine/gateway/confine.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>

#include "engine/base/error.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

static const int allowed[] = {
	/* a session */
	SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_ctl),
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recvmsg),
	SCMP_SYS(sendmsg), SCMP_SYS(splice), SCMP_SYS(pipe2), SCMP_SYS(close),
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(bind),
	SCMP_SYS(shutdown), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(socketpair),
	SCMP_SYS(fcntl), SCMP_SYS(ioctl), SCMP_SYS(poll), SCMP_SYS(ppoll),
	/* what the engine sends in memory, and ends of ssh processes */
	SCMP_SYS(memfd_create), SCMP_SYS(fstat), SCMP_SYS(newfstatat),
	SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(listen),
	SCMP_SYS(pidfd_send_signal),
	/* the process itself */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday),
	SCMP_SYS(getrandom), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(sched_yield), SCMP_SYS(restart_syscall), SCMP_SYS(tgkill),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(sigaltstack),
	SCMP_SYS(getrlimit), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* stat of a descriptor is newfstatat with an empty path: no path is looked at
 * by it, and a descriptor of a folder is nowhere to be had. */

static int allow_sockets(scmp_filter_ctx filter)
{
	static const int families[] = { AF_UNIX, AF_INET, AF_INET6 };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(families) / sizeof(families[0]);
	     i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				      SCMP_A0(SCMP_CMP_EQ,
					      (scmp_datum_t)families[i]));
	return rc;
}

/* Memory, but none that can be run. */
static int allow_memory(scmp_filter_ctx filter)
{
	static const int calls[] = { SCMP_SYS(mmap), SCMP_SYS(mprotect) };
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(calls) / sizeof(calls[0]); i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 1,
				      SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	return rc;
}

static int add_rules(scmp_filter_ctx filter)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < sizeof(allowed) / sizeof(allowed[0]);
	     i++)
		rc = seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0);
	if (rc == 0)
		rc = allow_sockets(filter);
	return rc ? rc : allow_memory(filter);
}

/* OpenSSL reads its configuration and finds its algorithms when it is first
 * used, libc the zone of the clock: now. */
static void warm_up(void)
{
	SSL_CTX *context;

	tzset();
	OPENSSL_init_ssl(OPENSSL_INIT_LOAD_CONFIG, NULL);
	context = SSL_CTX_new(TLS_server_method());
	SSL_CTX_free(context);
}

int gateway_confine(struct error *err)
{
	scmp_filter_ctx filter;
	int rc;

	warm_up();
	/* Keys are in this memory: no core, no debugger of the same user. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, 0) < 0)
		return error_errno(err, "prctl");
	if (SANITIZED)
		return 0;
	filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
	if (!filter)
		return error_set(err, "seccomp: out of memory");
	rc = add_rules(filter);
	if (rc == 0)
		rc = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (rc == 0)
		rc = seccomp_load(filter);
	seccomp_release(filter);
	errno = -rc;
	return rc < 0 ? error_errno(err, "seccomp") : 0;
}
