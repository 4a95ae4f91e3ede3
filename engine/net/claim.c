/*
 * Claims; see claim.h.  Anybody may bind such a name, so one of a user who
 * could not put an address on an interface is no claim: it is noted and passed
 * over.
 */
#include "engine/net/claim.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"

/* Who holds the name: -1 with err, 0 = nobody who counts. */
static int ask_holder(const struct sockaddr_un *at, socklen_t size,
		      struct error *err)
{
	struct ucred who = { 0 };
	socklen_t n = sizeof(who);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc = fd < 0 ? -1 : connect(fd, (const struct sockaddr *)at, size);

	if (rc == 0)
		rc = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &n);
	if (fd >= 0)
		close(fd);
	if (rc < 0)
		return error_set(err, "another engine on this host is about to let it go");
	if (who.uid != 0 && who.uid != geteuid()) {
		log_warn("process %d of user %u claims an address of ours: ignored",
			 (int)who.pid, (unsigned)who.uid);
		return 0;
	}
	return error_set(err, "another engine on this host holds it (its net role is process %d): a virtual address belongs to one site",
			 (int)who.pid);
}

int claim_open(const struct address *ip, struct error *err)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	char text[INET6_ADDRSTRLEN] = "";
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_errno(err, "socket");
	inet_ntop(ip->family == 6 ? AF_INET6 : AF_INET, ip->bytes, text,
		  sizeof(text));
	int n = snprintf(at.sun_path + 1, sizeof(at.sun_path) - 1,
			 "remuda-vip/%s", text);
	socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
				     1 + (size_t)n);
	if (bind(fd, (struct sockaddr *)&at, size) == 0 && listen(fd, 4) == 0)
		return fd;
	int rc = errno == EADDRINUSE ? ask_holder(&at, size, err) :
				       error_errno(err, "claim");
	if (rc == 0)
		return fd;
	close(fd);
	return -1;
}
