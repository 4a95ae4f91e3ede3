/*
 * What can be changed from the console: one row for each action on one kind of
 * object, with the verb of the control protocol, the command that does the same
 * and when it cannot be done.  Key line, menu and requests all come from here.
 */
#include "console/action.h"

#include <string.h>

static bool state_is(const json_t *item, const char *state)
{
	return strcmp(item_text(item, "state"), state) == 0;
}

static const char *why_removed(const json_t *pool)
{
	return item_bool(pool, "removed") ? "the pool is being removed" : NULL;
}

static const char *why_held(const json_t *machine)
{
	return state_is(machine, "held") ? "it is held already" :
	       strcmp(item_text(machine, "wish"), "hold") == 0 ?
	       "it will be held as soon as it is free" : NULL;
}

static const char *why_not_held(const json_t *machine)
{
	return state_is(machine, "held") || state_is(machine, "quarantined") ||
	       strcmp(item_text(machine, "wish"), "hold") == 0 ? NULL :
	       "it is not held";
}

static const char *why_gone(const json_t *machine)
{
	return state_is(machine, "gone") ? "it is gone" : NULL;
}

static const char *why_over(const json_t *session)
{
	return state_is(session, "closed") || state_is(session, "lost") ||
	       state_is(session, "failed") ? "it is over" : NULL;
}

static const char *why_waiting(const json_t *request)
{
	(void)request;
	return "it waits and has no session yet";
}

static const char *why_disabled(const json_t *user)
{
	return state_is(user, "disabled") ? "the user is disabled" : NULL;
}

static const char *why_enabled(const json_t *user)
{
	return state_is(user, "disabled") ? NULL : "the user is enabled";
}

static const char *why_paused(const json_t *pool)
{
	return item_bool(pool, "paused") ? "it is paused" : NULL;
}

static const char *why_not_paused(const json_t *pool)
{
	return item_bool(pool, "paused") ? NULL : "it is not paused";
}

static const char *why_no_pin(const json_t *cluster)
{
	return json_is_object(json_object_get(cluster, "pin")) ? NULL :
	       "no operator has said a size";
}

static const char *why_not_cancellable(const json_t *change)
{
	return item_bool(change, "cancellable") ? NULL :
	       "it cannot be cancelled now";
}

static const char *why_draining(const json_t *host)
{
	return item_bool(host, "draining") ? "it is drained" : NULL;
}

static const char *why_not_draining(const json_t *host)
{
	return item_bool(host, "draining") ? NULL : "it is not drained";
}

static const char *why_answers(const json_t *host)
{
	return state_is(host, "up") ? "it answers" : NULL;
}

static const char *why_off(const json_t *rule)
{
	return state_is(rule, "off") ? "it is off" : NULL;
}

static const char *why_on(const json_t *rule)
{
	return state_is(rule, "off") ? NULL : "it is on";
}

static const struct action actions[] = {
	{ INTENT_SCALE, TOPIC_POOLS, "Scale the pool ...", "pool.scale",
	  "pool scale", why_removed },
	{ INTENT_HOLD, TOPIC_MACHINES, "Hold the machine for debugging",
	  "machine.hold", "machine hold", why_held },
	{ INTENT_RELEASE, TOPIC_MACHINES, "Release it to its pool",
	  "machine.release", "machine release", why_not_held },
	{ INTENT_RESTART, TOPIC_MACHINES, "Restart: make it anew",
	  "machine.restart", "machine restart", why_gone },
	{ INTENT_END, TOPIC_MACHINES, "Delete the machine", "machine.delete",
	  "machine delete", why_gone },
	{ INTENT_END, TOPIC_SESSIONS, "End the session", "session.end",
	  "session end", why_over },
	{ INTENT_END, TOPIC_REQUESTS, "End the session", "session.end",
	  "session end", why_waiting },
	{ INTENT_SWITCH, TOPIC_USER, "Disable: refuse from now on",
	  "user.disable", "user disable", why_disabled },
	{ INTENT_SWITCH, TOPIC_USER, "Enable: let in again", "user.enable",
	  "user enable", why_enabled },
	{ INTENT_SWITCH, TOPIC_POOLS, "Pause replacing outdated machines",
	  "pool.pause", "pool pause", why_paused },
	{ INTENT_SWITCH, TOPIC_POOLS, "Replace outdated machines again",
	  "pool.resume", "pool resume", why_not_paused },
	{ INTENT_SCALE, TOPIC_CLUSTERS, "Another number of nodes ...",
	  "cluster.resize", "cluster resize", NULL },
	{ INTENT_RELEASE, TOPIC_CLUSTERS, "Reset: site, calendar, rules decide",
	  "cluster.reset", "cluster reset", why_no_pin },
	{ INTENT_SWITCH, TOPIC_CLUSTERS, "Pause rules and calendar",
	  "cluster.pause", "cluster pause", why_paused },
	{ INTENT_SWITCH, TOPIC_CLUSTERS, "Let rules and calendar decide again",
	  "cluster.resume", "cluster resume", why_not_paused },
	{ INTENT_RESTART, TOPIC_CLUSTERS, "Replace: all its nodes anew",
	  "cluster.replace", "cluster replace", NULL },
	{ INTENT_END, TOPIC_CHANGES, "Cancel the change and undo it",
	  "change.cancel", "change cancel", why_not_cancellable },
	{ INTENT_MOVE, TOPIC_NODES, "Move it to another host", "node.move",
	  "node move", NULL },
	{ INTENT_DRAIN, TOPIC_HOSTS, "Drain: nodes leave it, nothing new",
	  "host.drain", "host drain", why_draining },
	{ INTENT_DRAIN, TOPIC_HOSTS, "Use the host again", "host.undrain",
	  "host undrain", why_not_draining },
	{ INTENT_END, TOPIC_HOSTS, "Fence: I know that it is off", "host.fence",
	  "host fence", why_answers },
	{ INTENT_SWITCH, TOPIC_RULES, "Disable: it wishes nothing",
	  "rule.disable", "rule disable", why_off },
	{ INTENT_SWITCH, TOPIC_RULES, "Enable: it wishes again", "rule.enable",
	  "rule enable", why_on },
	{ INTENT_ACK, TOPIC_ALARM, "Acknowledge: it is seen to", "alarm.ack",
	  "alarm ack", NULL },
	{ INTENT_END, TOPIC_TOKEN, "Delete the token", "token.delete",
	  "token delete", NULL },
};

enum { ACTION_COUNT = sizeof(actions) / sizeof(actions[0]) };

const struct action *action_at(int i)
{
	return i < ACTION_COUNT ? &actions[i] : NULL;
}

bool action_known(enum intent intent)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (actions[i].intent == intent)
			return true;
	return false;
}

bool action_for(enum intent intent, enum topic topic)
{
	for (int i = 0; i < ACTION_COUNT; i++)
		if (actions[i].intent == intent && actions[i].topic == topic)
			return true;
	return false;
}

const struct action *action_on(enum intent intent, enum topic topic,
			       const json_t *item, const char **why)
{
	const struct action *first = NULL;

	*why = NULL;
	for (int i = 0; i < ACTION_COUNT; i++) {
		const struct action *a = &actions[i];
		const char *reason;

		if (a->intent != intent || a->topic != topic)
			continue;
		reason = a->why ? a->why(item) : NULL;
		if (!reason) {
			*why = NULL;
			return a;
		}
		if (!first)
			*why = reason;
		first = first ? first : a;
	}
	return first;
}
