/*
 * A guest right after its restore: it believes in the time and has the random
 * numbers of the moment its image was made, as every other session of that
 * image.  The guest helper sets both in one command.  A guest without it gets
 * its time from the agent, and its generator is reseeded by whatever can do an
 * ioctl there; one that cannot is no clean machine, and the restore fails.
 *
 *     1 begin the helper -> 2 wait for it
 *                      \-> 3 begin the stand-in -> 4 wait for it
 */
#include <errno.h>
#include <libvirt/virterror.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/base/error.h"
#include "engine/hypervisor/agent.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/image.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

enum { SEED_BYTES = 64, CLOCK_SLACK_MS = 5000 };
enum { BEGIN_HELPER = RESUME_FIRST, WAIT_HELPER, BEGIN_STAND_IN, WAIT_STAND_IN };

#define WORDS(text) ((struct slice){ text, sizeof(text) })

static const char helper[] = "/usr/lib/remuda/resume";
/* RNDRESEEDCRNG (0x5207) after mixing in what stands on standard input. */
static const char stand_in[] =
	"/bin/sh\0-c\0"
	"command -v perl >/dev/null && exec perl -e '"
	"open F,\">\",\"/dev/urandom\" or die $!; local $/; syswrite F,<STDIN>; "
	"ioctl(F,0x5207,0) or die \"RNDRESEEDCRNG: $!\"'; "
	"command -v python3 >/dev/null && exec python3 -c '"
	"import fcntl,sys; f=open(\"/dev/urandom\",\"wb\",0); "
	"f.write(sys.stdin.buffer.read()); fcntl.ioctl(f,0x5207)'; "
	"echo neither /usr/lib/remuda/resume nor perl nor python3 is there >&2; exit 1";

static int64_t wall_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

static int make_seed(char seed[SEED_BYTES], struct error *err)
{
	if (getrandom(seed, SEED_BYTES, 0) != SEED_BYTES)
		return error_errno(err, "no random numbers for the guest");
	return 0;
}

/* Not connected yet, or hanging for a moment: to be tried again. */
static bool agent_is_away(void)
{
	return virt_error_is(VIR_ERR_AGENT_UNRESPONSIVE) ||
	       virt_error_is(VIR_ERR_AGENT_UNSYNCED);
}

static enum wire_result begin_helper(struct job *job, struct error *err)
{
	char input[SEED_BYTES + 32];
	int n = snprintf(input, sizeof(input) - SEED_BYTES, "%lld\n",
			 (long long)wall_ns());

	if (make_seed(input + n, err) < 0)
		return WIRE_FAILED;
	virResetLastError();
	if (agent_start(job, WORDS(helper),
			(struct slice){ input, (uint32_t)n + SEED_BYTES },
			err) == WIRE_OK)
		job->step = WAIT_HELPER;
	else if (!agent_is_away())
		job->step = BEGIN_STAND_IN;	/* the guest has no such program */
	return WIRE_OK;
}

/* The agent sets the clock, then runs hwclock, which may fail by itself. */
static enum wire_result set_clock(struct job *job, struct error *err)
{
	enum wire_result result;
	int64_t now_ns = 0;

	free(agent_ask(job, agent_set_time_command(wall_ns(), err),
		       "the guest's clock was not set", &result, err));
	char *reply = agent_ask(job, agent_get_time_command(err),
				"the guest does not tell its time", &result, err);
	if (!reply)
		return result;
	result = agent_read_time(reply, &now_ns, err) < 0 ? WIRE_FAILED : WIRE_OK;
	free(reply);
	int64_t off_ms = (wall_ns() - now_ns) / 1000000;
	if (result == WIRE_OK &&
	    (off_ms > CLOCK_SLACK_MS || off_ms < -CLOCK_SLACK_MS)) {
		error_set(err, "the guest's clock cannot be set: it is %lld s behind",
			  (long long)off_ms / 1000);
		result = WIRE_FAILED;
	}
	return result;
}

static enum wire_result begin_stand_in(struct job *job, struct error *err)
{
	char seed[SEED_BYTES];
	enum wire_result result = set_clock(job, err);

	if (result == WIRE_OK && make_seed(seed, err) < 0)
		result = WIRE_FAILED;
	if (result == WIRE_OK)
		result = agent_start(job, WORDS(stand_in),
				     (struct slice){ seed, SEED_BYTES }, err);
	job->step = WAIT_STAND_IN;
	return result;
}

static enum wire_result wait_for_it(struct job *job, bool *done,
				    struct error *err)
{
	struct agent_status *status = malloc(sizeof(*status));
	enum wire_result result;

	if (!status)
		return error_set(err, "out of memory"), WIRE_FAILED;
	result = agent_look(job, status, err);
	*done = result == WIRE_OK && status->exited;
	if (*done && status->code != 0) {
		error_set(err, "restored, but clock and random numbers could not be renewed: %.*s",
			  (int)(status->errout_length ? status->errout_length :
							status->out_length),
			  (const char *)(status->errout_length ? status->errout :
								 status->out));
		result = WIRE_FAILED;
	}
	free(status);
	return result;
}

enum wire_result image_resume(struct job *job, bool *done, struct error *err)
{
	*done = false;
	switch (job->step) {
	case BEGIN_HELPER:
		return begin_helper(job, err);
	case BEGIN_STAND_IN:
		return begin_stand_in(job, err);
	}
	return wait_for_it(job, done, err);
}
