/*
 * remuda-guest: the helper inside a guest (decisions in ARCHITECTURE.md,
 * remuda-guest subcommands in remuda-guest.c).
 *
 * Everything here runs in the guest: one process of `serve` for the life of
 * the machine, and short-lived commands beside it.  Plain libc, no threads.
 */
#ifndef REMUDA_GUEST_H
#define REMUDA_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/wire/native.h"

enum {
	EXIT_USAGE = 2,
	EXIT_REFUSED = 6,	/* `resource`: refused, or lost on the way */

	GUEST_PATH_MAX = 108,	/* sun_path */
	GUEST_NAME_MAX = 128,
	GUEST_TEXT_MAX = 512,

	LINK_CHUNK = 32 * 1024 - NATIVE_HEADER_SIZE, /* a port's largest write */
	LINK_IN_SIZE = 64 * 1024,
	LINK_OUT_SIZE = 96 * 1024,
	LINK_RESERVE = 2 * NATIVE_CONTROL_MAX, /* of it, for control frames */
};

/* ---- text.c: messages, small files, time ---- */

void guest_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The run directory: $REMUDA_RUN or /run/remuda. */
const char *guest_run_dir(void);
/* Joins run directory and name; -1 (with a message) when it does not fit. */
int guest_run_path(char out[GUEST_PATH_MAX], const char *name);
/* Replaces the file by text at one stroke; -1 with a message. */
int guest_write_file(const char *path, const char *text);
/* Reads at most size-1 bytes and ends them with NUL; length or -1. */
int guest_read_file(const char *path, char *out, size_t size);
int64_t guest_now_ms(void);
uint64_t guest_random(void);
/* Reads "SESSION NONCE" from standard input into line, without newline. */
int guest_read_confirm(char *line, size_t size, uint64_t *session);
/* Unix socket at name in the run directory; -1 with a message. */
int guest_listen(const char *path, int type, unsigned mode);
int guest_connect(const char *path, int type);

/* ---- link.c: native frames over a port or a unix socket ---- */

enum link_change { LINK_SAME, LINK_ARRIVED, LINK_GONE };
enum link_kind { LINK_NONE, LINK_CONTROL, LINK_DATA, LINK_BROKEN };

struct link {
	int fd;			/* -1: no peer (or no port) */
	int listen_fd;		/* stands for a port in tests; else -1 */
	bool device;		/* a virtio-serial port: fd outlives its peers */
	bool present;		/* the peer is there, as far as seen */
	bool ended;		/* read returned end-of-file */
	bool deaf;		/* what is written reaches nobody */
	uint8_t *in, *out;
	size_t in_start, in_end;
	size_t out_start, out_end;
	bool in_data;		/* inside the payload of a DATA frame */
	bool data_end;		/* that frame carries END */
	uint32_t data_left;
};

struct link_item {
	enum link_kind kind;
	uint8_t type;		/* LINK_CONTROL: enum native_type */
	const uint8_t *bytes;	/* borrowed until link_take */
	size_t length;
	bool end;		/* LINK_DATA: END follows these bytes */
};

/* Reports every event of fd to epoll_fd, edge-triggered; -1 and errno. */
int link_watch(int epoll_fd, int fd);
/*
 * where is a device path, or "unix:PATH" to listen there in a port's stead.
 * Events of the link's descriptors go to epoll_fd, edge-triggered.
 */
int link_open(struct link *l, const char *where, int epoll_fd);
/* Takes over a connected socket. */
int link_adopt(struct link *l, int fd, int epoll_fd);
void link_close(struct link *l);
/* Looks whether the host came or went.  Gone: buffers and port are emptied. */
enum link_change link_check(struct link *l, int epoll_fd);
/* Reads what fits; true when bytes (or end-of-file) arrived. */
bool link_fill(struct link *l);
/* One write; true when bytes left. */
bool link_flush(struct link *l);
/* Reads and forgets everything that has arrived. */
void link_drain(struct link *l);
struct link_item link_peek(struct link *l);
/* Consumes a control item, or n bytes of a data item. */
void link_take(struct link *l, const struct link_item *item, size_t n);
/*
 * Finds the first complete ACCEPT among the bytes that arrived and drops what
 * is before it.  For a link between sessions only.
 */
struct link_item link_hunt(struct link *l);
bool link_has_room(const struct link *l, size_t payload);
/* Queues a finished frame; false when even the reserve is full. */
bool link_send(struct link *l, struct native_builder *b);
/* Queues a DATA frame; the caller asked link_has_room before. */
void link_send_data(struct link *l, const void *bytes, size_t n, bool end);
/* Where the payload of a DATA frame may be read to; then link_commit_data. */
uint8_t *link_data_space(struct link *l);
void link_commit_data(struct link *l, size_t n);

/* ---- app.c: the application's processes ---- */

struct app {
	int fd;			/* our end of its stdin and stdout, or -1 */
	int pid;		/* its process group; 0 = none was started */
	bool leader_alive;
	int64_t kill_at_ms;	/* when TERM becomes KILL */
};

struct app_start {
	char *const *argv;
	int uid;		/* -1: the helper's own */
	uint64_t session, incarnation;
	const char *user, *application;
};

int app_start(struct app *a, const struct app_start *how, char *why,
	      size_t why_size);
/* Collects dead processes; true when none is left at all. */
bool app_reap(struct app *a);
/* Closes its socket and sends TERM. */
void app_stop(struct app *a, int64_t now_ms);
/* Reaps, kills what is due; true when no descendant is left. */
bool app_gone(struct app *a, int uid, int64_t now_ms);

/* ---- side.c: connections from the guest to resources ---- */

struct side;
struct side *side_new(const char *name, const char *port, int epoll_fd);
void side_free(struct side *s);
bool side_pump(struct side *s, int epoll_fd, int64_t now_ms);
/* The session is over: its connection ends, waiting ones are turned away. */
void side_cut(struct side *s);
/* Milliseconds since boot at which side_pump wants to run, or -1. */
int64_t side_deadline(const struct side *s);

/* ---- subcommands: exit codes ---- */

int serve_main(int argc, char **argv);
int status_main(int argc, char **argv);
int resource_main(int argc, char **argv);
int accept_main(int argc, char **argv);
int baseline_main(int argc, char **argv);
int clean_main(int argc, char **argv);
int resume_main(int argc, char **argv);
/* Asks a running `serve` (command "status" or "reset"); -1 with a message. */
int serve_ask(const char *command, char *answer, size_t size);

/* ---- traces.c, files.c: what a session leaves behind ---- */

/* What was found that should not be there: one line each on stderr. */
struct findings {
	unsigned count;
	/*
	 * false: remove it, and report only what cannot be removed.
	 * true: touch nothing and report everything.
	 */
	bool probing;
};
void finding(struct findings *f, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Each record/clean pair shares one file in the run directory. */
int processes_record(const char *path);
void processes_clean(const char *path, struct findings *f);
int mounts_record(const char *path);
void mounts_clean(const char *path, struct findings *f);
int files_record(const char *path);
void files_clean(const char *path, struct findings *f);
void ipc_clean(struct findings *f);

/*
 * Calls visit for every mount, oldest first: its whole mountinfo line and the
 * fields that matter here.  -1 with a message.
 */
struct mount_line {
	const char *line;
	int id;
	char point[1024];	/* unescaped */
	char type[32];
};
int mounts_each(void (*visit)(void *context, const struct mount_line *m),
		void *context);

#endif
