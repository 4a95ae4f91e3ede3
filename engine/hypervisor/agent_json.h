/*
 * The QEMU guest agent's JSON (qemu-ga QAPI schema): commands to it, replies
 * from it.  A reply comes from inside the guest and is taken for hostile:
 * every type and length is checked, nothing of it decides an allocation above
 * AGENT_OUTPUT_MAX.  Pure, jansson.
 */
#ifndef REMUDA_HYPERVISOR_AGENT_JSON_H
#define REMUDA_HYPERVISOR_AGENT_JSON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;

enum {
	AGENT_OUTPUT_MAX = 24 * 1024,	/* of each stream of a command */
	AGENT_REPLY_MAX = 8 << 20,
	AGENT_WORDS_MAX = 256,
	AGENT_PATH_MAX = 1024,
};

/* Commands: malloc'd JSON text, or NULL with err. */

/* argv: NUL-terminated words one after another. */
char *agent_exec_command(struct slice argv, struct slice input,
			 struct error *err);
char *agent_status_command(int64_t pid, struct error *err);
char *agent_open_command(const char *path, struct error *err);
char *agent_write_command(int64_t handle, struct slice bytes, struct error *err);
char *agent_close_command(int64_t handle, struct error *err);

/* Nanoseconds since 1970. */
char *agent_set_time_command(int64_t ns, struct error *err);
char *agent_get_time_command(struct error *err);

/* Replies: 0, or -1 with err. */

/* {"return": N}, nanoseconds since 1970. */
int agent_read_time(const char *reply, int64_t *ns, struct error *err);

/* {"return": {"pid": N}} */
int agent_read_pid(const char *reply, int64_t *pid, struct error *err);
/* {"return": N} */
int agent_read_handle(const char *reply, int64_t *handle, struct error *err);
/* {"return": {"count": N, ...}} */
int agent_read_count(const char *reply, int64_t *count, struct error *err);

struct agent_status {
	bool exited;
	int code;		/* exit code, or 128 + signal */
	bool truncated;		/* either stream was longer */
	size_t out_length, errout_length;
	uint8_t out[AGENT_OUTPUT_MAX], errout[AGENT_OUTPUT_MAX];
};

/* The reply of guest-exec-status. */
int agent_read_status(const char *reply, struct agent_status *status,
		      struct error *err);

/*
 * Decodes at most size bytes of base64 (RFC 4648, with padding); returns the
 * length or -1 for a character or length that base64 does not have.
 */
int agent_base64_decode(const char *text, size_t length, uint8_t *out,
			size_t size, bool *truncated);

#endif
