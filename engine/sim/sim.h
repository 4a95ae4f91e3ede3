/*
 * The simulator: the real core in a world that is all seed.  Hypervisors,
 * guests, rules, gateways, clients, operators, the store and the clock are
 * fakes; the core cannot tell.  One seed gives one history, on every compiler
 * and machine: no clock, no address and no hash order enters.
 *
 * A run has two phases.  In the first faults happen at the rates the seed has
 * drawn; after every step the core's own checks run, and at every commit, act
 * and send those of oracle.c, which know only what left the core and what the
 * fakes hold to be true.  In the second the faults stop and everything must
 * come to rest within a bound of virtual time (converge.c).
 *
 * One struct sim at a time in a process: the check handler is global.
 */
#ifndef REMUDA_SIM_SIM_H
#define REMUDA_SIM_SIM_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "engine/core/effect.h"
#include "engine/core/event.h"
#include "engine/core/rows.h"

/* X(NAME, what goes wrong) */
#define SIM_FAULTS_LIST(X)                                                     \
	X(CALL_FAIL, "a call fails and did nothing")                           \
	X(CALL_LOST, "a call is carried out, its answer is lost")              \
	X(CALL_UNKNOWN, "a call is carried out, its outcome reported unknown") \
	X(CALL_LATE, "an answer comes after its deadline")                     \
	X(CREATE_SLOW, "a domain takes long to start")                         \
	X(HINT_LOST, "a hint does not come")                                   \
	X(HINT_TWICE, "a hint comes twice")                                    \
	X(POLL_FAIL, "a poll fails")                                           \
	X(HOST_FREEZE, "libvirt does not answer for a while")                  \
	X(HOST_STUCK, "the role hangs until it is restarted")                  \
	X(HOST_DIES, "the hypervisor role dies")                               \
	X(GUEST_DIES, "a domain vanishes")                                     \
	X(GUEST_OFF, "a domain stays, switched off")                           \
	X(GUEST_PAUSED, "a domain stays, paused")                              \
	X(AGENT_SLOW, "the guest agent comes up late")                         \
	X(AGENT_NEVER, "the guest agent never comes up")                       \
	X(EXEC_FAIL, "a guest command fails")                                  \
	X(EXEC_HANG, "a guest command never returns")                          \
	X(CONFIRM_WRONG, "the guest gives back a wrong nonce")                 \
	X(CONFIRM_STALE, "the guest gives back an earlier session")            \
	X(IMAGE_DAMAGED, "an image cannot be restored")                        \
	X(RESTORE_DEAD, "a restored guest does not come back to life")         \
	X(RESTORE_UNPROVEN, "a restore lacks a piece of its evidence")         \
	X(QEMU_UPGRADED, "a host's QEMU is another: its images are void")      \
	X(CHANNEL_FAIL, "a channel cannot be opened")                          \
	X(HOOK_LOST, "the child of a hook dies")                               \
	X(HOOK_HANG, "a hook never returns")                                   \
	X(HOOK_LIES, "a hook says yes without its confirm")                    \
	X(HOOK_TWICE, "a hook asks for two steps at once")                     \
	X(READY_NO, "the ready hook says no")                                  \
	X(RULES_DIE, "the rules role dies")                                    \
	X(GATEWAY_DIES, "a gateway dies with its connections")                 \
	X(GATEWAY_STALL, "a gateway does not run for seconds")                 \
	X(SAID_TWICE, "a gateway says the same thing twice")                   \
	X(ACCEPT_FAIL, "the machine does not accept")                          \
	X(ACCEPT_NEVER, "the gateway never answers about a session")           \
	X(ACCEPT_LATE, "the machine accepts late")                             \
	X(UNDRAINED, "the port is not drained at the end")                     \
	X(SESSION_LOST, "a session breaks instead of ending")                  \
	X(CLIENT_LEAVES, "a waiting client goes away")                         \
	X(CLIENT_REPEATS, "a client uses a request id again")                  \
	X(CRASH_STEP, "the engine dies before its commit")                     \
	X(CRASH_COMMIT, "the engine dies between commit and act")              \
	X(REBOOT, "the computer restarts: gateways and local guests with it")  \
	X(CRASH_ACT, "the engine dies between two acts or sends")              \
	X(TARGET_LOST, "a resource's channel breaks")                          \
	X(WALL_JUMP, "the wall clock jumps")                                   \
	X(SLOW_STORE, "commits take long: many events in one turn")            \
	X(OPERATOR, "an operator interferes")                                  \
	X(SITE_CHANGE, "the site file is applied again, changed")              \
	X(GHOST, "a domain of ours without a machine turns up")                \
	X(VOLUME_FAIL, "a volume cannot be made")                              \
	X(FILE_REPLACED, "a file of ours is replaced by another's")             \
	X(BASE_BUSY, "the domain machines are made from runs")                 \
	X(BASE_CHANGED, "the domain machines are made from changes")           \
	X(MIGRATE_TWIN, "a migration leaves a domain where it came from")      \
	X(NODE_ILL, "a cluster's node does not answer for a while")            \
	X(RULE_FAILS, "a rule fails")                                          \
	X(RULE_SILENT, "a rule never answers")                            \
	X(DISK_LOW, "a host's storage is nearly full for a while")

enum sim_fault {
#define X(name, help) SIM_##name,
	SIM_FAULTS_LIST(X)
#undef X
	SIM_FAULTS
};

/* How often each thing was met, summed over seeds by the runner. */
struct sim_coverage {
	uint64_t events[EVENT_KINDS];
	uint64_t effects[EFFECT_KINDS];
	uint64_t states[MACHINE_STATES];
	/* Column MACHINE_STATES: without a machine. */
	uint64_t faults[SIM_FAULTS][MACHINE_STATES + 1];
	uint64_t sessions, joins, accepted, crashes;
	/* Stretches of machines whose intervals were summed up, to how much, and
	 * intervals that were marked as estimated (S10). */
	uint64_t uptimes, uptime_ms, estimated;
	uint64_t virtual_ms;	/* simulated time */
};

struct sim_options {
	uint64_t seed;
	uint32_t steps;		/* of the first phase; 0 = the default */
	FILE *trace;		/* every event and effect, or NULL */
};

struct sim_result {
	bool failed;
	uint64_t steps;		/* events stepped in both phases */
	uint64_t hash;		/* over all events, effects and rows in order */
	int64_t settled_ms;	/* virtual time the second phase took */
	char invariant[16];	/* "S4", "L2", "FD"; "check": one without name */
	char where[128];
	char text[512];
	struct sim_coverage coverage;
};

/* Runs both phases of one seed. */
void sim_run(const struct sim_options *o, struct sim_result *result);

const char *sim_fault_name(enum sim_fault fault);

#endif
