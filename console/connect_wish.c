/* Flags, addresses, passwords and first words; see connect_wish.h. */
#include "console/connect_wish.h"

#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console/paths.h"
#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/wire/native.h"

void connect_say(const char *fmt, ...)
{
	char text[900], shown[1000];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* The words may be a gateway's: no escape sequences to the terminal. */
	text_display(shown, sizeof(shown), text, strlen(text));
	fprintf(stderr, "connect: %s\n", shown);
}

static const char usage_text[] =
	"usage: remuda connect APPLICATION [flags]\n"
	"  A machine of that application on standard input and output.\n"
	"  --socket PATH      the gateway's unix socket (default $REMUDA_GATEWAY,\n"
	"                     else that of the site)\n"
	"  --to HOST:PORT     a gateway's native listener over tcp\n"
	"  --user NAME        who asks: with a password, or named by root\n"
	"  --password-fd N    read the password there (default $REMUDA_PASSWORD)\n"
	"  --wait 30s         longest wait for a machine\n"
	"  --extend 30m       when the end is announced, ask for so much more\n"
	"  --request-id ID    the same id never takes a second machine\n"
	"  --ticket TICKET    the machine of a ticket of `remuda allocate`, in place of\n"
	"                     an application; better told by $REMUDA_TICKET: others may\n"
	"                     see the words of a command\n"
	"  --confirm          wait until the machine is clean again\n"
	"  -v, --verbose      machine, session and times on standard error\n"
	"Exit: 0 done, 1 cut short, 2 usage, 4 no such application, 5 no gateway,\n"
	"      6 refused, 7 no machine in time.\n";

static const char allocate_text[] =
	"usage: remuda allocate APPLICATION --count N [flags]\n"
	"  N machines at once, or none.  Prints a line for each: its ticket, session\n"
	"  and machine.  `remuda connect --ticket TICKET` uses one, once, within 30 s.\n"
	"  --count N          how many, 1 to 100\n"
	"  --json             one JSON document\n"
	"  --socket, --to, --user, --password-fd, --wait, --request-id, --verbose: as\n"
	"                     with `remuda connect`\n"
	"Exit: as with `remuda connect`.\n";

const char *connect_usage(const struct connect_wish *w)
{
	return w->allocate ? allocate_text : usage_text;
}

static int check_places(const struct connect_wish *w)
{
	if (!w->socket || !w->to)
		return 0;
	connect_say("--socket and --to exclude each other");
	return -1;
}

int connect_parse(struct connect_wish *w, int argc, char **argv)
{
	static const struct option options[] = {
		{ "socket", required_argument, NULL, 's' },
		{ "to", required_argument, NULL, 't' },
		{ "user", required_argument, NULL, 'u' },
		{ "password-fd", required_argument, NULL, 'p' },
		{ "wait", required_argument, NULL, 'w' },
		{ "extend", required_argument, NULL, 'x' },
		{ "request-id", required_argument, NULL, 'r' },
		{ "confirm", no_argument, NULL, 'c' },
		{ "ticket", required_argument, NULL, 'T' },
		{ "count", required_argument, NULL, 'n' },
		{ "json", no_argument, NULL, 'j' },
		{ "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	struct error err;
	char *end;
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "vh", options, NULL)) >= 0) {
		switch (c) {
		case 's': w->socket = optarg; break;
		case 't': w->to = optarg; break;
		case 'u': w->user = optarg; break;
		case 'r': w->request_id = optarg; break;
		case 'c': w->confirm = true; break;
		case 'T': w->ticket = optarg; break;
		case 'j': w->json = true; break;
		case 'n':
			w->count = (uint32_t)strtoul(optarg, &end, 10);
			if (*end || end == optarg || w->count < 1 ||
			    w->count > 100) {
				connect_say("--count wants a number from 1 to 100, not \"%s\"",
				    optarg);
				return -1;
			}
			break;
		case 'v': w->verbose = true; break;
		case 'h': w->help = true; return 0;
		case 'p':
			w->password_fd = (int)strtol(optarg, &end, 10);
			if (*end || end == optarg || w->password_fd < 0) {
				connect_say("--password-fd wants a number, not \"%s\"",
				    optarg);
				return -1;
			}
			break;
		case 'x':
			if (text_parse_duration_ms(optarg, &w->extend_ms, &err) < 0) {
				connect_say("--extend: %s", err.text);
				return -1;
			}
			break;
		case 'w':
			if (text_parse_duration_ms(optarg, &w->wait_ms, &err) < 0) {
				connect_say("--wait: %s", err.text);
				return -1;
			}
			break;
		default:
			return -1;
		}
	}
	if (!w->allocate && !w->ticket && optind == argc)
		w->ticket = getenv("REMUDA_TICKET");
	if ((w->count || w->json) != w->allocate ||
	    (w->allocate && (w->ticket || w->confirm || !w->count))) {
		connect_say(w->allocate ? "allocate wants --count N, and neither --ticket nor --confirm" :
					  "--count and --json go with `remuda allocate`");
		return -1;
	}
	if (w->ticket && optind == argc)
		return check_places(w);
	if (optind + 1 != argc) {
		connect_say(optind == argc ? "which application? `remuda connect --help`"
				   : "one application at a time");
		return -1;
	}
	if (w->ticket) {
		connect_say("a ticket says which application: leave \"%s\" out",
			    argv[optind]);
		return -1;
	}
	w->application = argv[optind];
	return check_places(w);
}

static int dial_unix(const char *path, struct error *err)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd;

	if (!text_copy(un.sun_path, sizeof(un.sun_path), path))
		return error_set(err, "%s: the path is too long for a socket",
				 path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&un, sizeof(un)) == 0)
		return fd;
	error_set(err, "%s: %s; is the engine running?", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int dial_tcp(const char *to, struct error *err)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	char host[256];
	const char *colon = strrchr(to, ':');
	int fd = -1, on = 1;

	if (!colon || colon == to || (size_t)(colon - to) >= sizeof(host))
		return error_set(err, "a gateway is HOST:PORT, not \"%s\"", to);
	bool bracket = *to == '[' && colon[-1] == ']';
	snprintf(host, sizeof(host), "%.*s",
		 (int)(colon - to) - 2 * bracket, to + bracket);
	int wrong = getaddrinfo(host, colon + 1, &hints, &list);
	if (wrong)
		return error_set(err, "%s: %s", to, gai_strerror(wrong));
	for (struct addrinfo *a = list; a && fd < 0; a = a->ai_next) {
		fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) < 0) {
			int error = errno;

			close(fd);
			fd = -1;
			errno = error;
		}
	}
	freeaddrinfo(list);
	if (fd < 0)
		return error_errno(err, "%s", to);
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

int connect_dial(const struct connect_wish *w, struct error *err)
{
	struct paths_wish wish = { .site = w->site, .run_dir = w->run_dir };
	const char *path = w->socket ? w->socket : getenv("REMUDA_GATEWAY");
	char socket_path[PATHS_SIZE];
	struct paths paths;

	if (w->to)
		return dial_tcp(w->to, err);
	if (path && *path)
		return dial_unix(path, err);
	if (paths_init(&paths, &wish, err) < 0)
		return -1;
	return dial_unix(paths_native_socket(&paths, socket_path,
					     sizeof(socket_path)), err);
}

/* The password without a line's end; its length, or -1. */
static int password(const struct connect_wish *w, char *out, size_t size,
		    struct error *err)
{
	const char *given = w->password ? w->password : getenv("REMUDA_PASSWORD");
	size_t length = 0;
	ssize_t n = 1;

	if (w->password_fd < 0) {
		if (!text_copy(out, size, given ? given : ""))
			return error_set(err, "the password is too long");
		return (int)strlen(out);
	}
	while (n > 0 && length < size) {
		n = read(w->password_fd, out + length, size - length);
		if (n < 0 && errno == EINTR)
			n = 1;
		else if (n > 0)
			length += (size_t)n;
	}
	if (n < 0)
		return error_errno(err, "password");
	if (length == size)
		return error_set(err, "the password is too long");
	while (length && (out[length - 1] == '\n' || out[length - 1] == '\r'))
		length--;
	return (int)length;
}

static bool put_frame(struct native_builder *b, uint8_t *out, size_t size,
		      size_t *used)
{
	size_t n = native_finish(b);

	if (!n || size - *used < n)
		return false;
	memcpy(out + *used, b->bytes, n);
	*used += n;
	return true;
}

ssize_t connect_ask(const struct connect_wish *w, uint8_t *out, size_t size,
		    struct error *err)
{
	struct native_builder b;
	size_t used = 0;
	char secret[1024];
	int length = password(w, secret, sizeof(secret), err);

	if (length < 0)
		return -1;
	native_begin(&b, NATIVE_HELLO, 0);
	native_put_u64(&b, NATIVE_TAG_VERSION, NATIVE_VERSION);
	if (w->user)
		native_put_text(&b, NATIVE_TAG_USER, w->user);
	if (length)
		native_put_bytes(&b, NATIVE_TAG_SECRET, secret, (size_t)length);
	explicit_bzero(secret, sizeof(secret));
	bool fits = put_frame(&b, out, size, &used);
	explicit_bzero(&b, sizeof(b));
	native_begin(&b, w->ticket ? NATIVE_CONNECT : NATIVE_ALLOCATE, 0);
	if (w->ticket)
		native_put_bytes(&b, NATIVE_TAG_TICKET, w->ticket,
				 strlen(w->ticket));
	else
		native_put_text(&b, NATIVE_TAG_APPLICATION, w->application);
	if (w->allocate)
		native_put_bytes(&b, NATIVE_TAG_TICKET, "", 0);
	if (w->wait_ms >= 0)
		native_put_u64(&b, NATIVE_TAG_WAIT_MS, (uint64_t)w->wait_ms);
	if (w->request_id)
		native_put_text(&b, NATIVE_TAG_REQUEST_ID, w->request_id);
	if (!w->ticket)
		native_put_u64(&b, NATIVE_TAG_COUNT, w->count ? w->count : 1);
	if (!fits || !put_frame(&b, out, size, &used))
		return error_set(err, "user, application or request id is too "
				 "long");
	return (ssize_t)used;
}

int connect_exit_code(const char *code, bool accepted)
{
	if (accepted)
		return EXIT_CUT;
	if (!strcmp(code, "no_application"))
		return EXIT_NOT_FOUND;
	if (!strcmp(code, "timeout") || !strcmp(code, "no_machine"))
		return EXIT_TIMED_OUT;
	if (!strcmp(code, "protocol") || !strcmp(code, "unconfirmed"))
		return EXIT_CUT;
	return EXIT_REFUSED;
}
