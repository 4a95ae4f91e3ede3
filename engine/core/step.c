/* The one entrance of the core; see step.h. */
#include "engine/core/step.h"

#include "engine/base/check.h"
#include "engine/core/internal.h"

const char *event_name(enum event_kind kind)
{
	static const char *const names[EVENT_KINDS] = {
		[EVENT_TICK] = "tick", [EVENT_SITE] = "site",
		[EVENT_COMMAND] = "command", [EVENT_HOST_STATE] = "host_state",
		[EVENT_HOST_LOST] = "host_lost", [EVENT_CALL_DONE] = "call_done",
		[EVENT_DOMAIN_SEEN] = "domain_seen",
		[EVENT_VOLUME_MADE] = "volume_made",
		[EVENT_DOMAIN_HINT] = "domain_hint",
		[EVENT_HOOK_STEP] = "hook_step", [EVENT_HOOK_DONE] = "hook_done",
		[EVENT_HOOK_LOST] = "hook_lost", [EVENT_RULES_LOST] = "rules_lost",
		[EVENT_GATEWAY_UP] = "gateway_up",
		[EVENT_GATEWAY_SESSION] = "gateway_session",
		[EVENT_GATEWAY_READY] = "gateway_ready",
		[EVENT_GATEWAY_LOST] = "gateway_lost",
		[EVENT_REQUEST] = "request", [EVENT_REFUSED] = "refused",
		[EVENT_CANCEL] = "cancel", [EVENT_CLAIM] = "claim", [EVENT_ACCEPTED] = "accepted",
		[EVENT_FAILED] = "failed", [EVENT_ENDED] = "ended",
		[EVENT_BYTES] = "bytes", [EVENT_EXTEND] = "extend",
		[EVENT_RESOURCE_USED] = "resource_used",
		[EVENT_RESOURCE_LOST] = "resource_lost",
		[EVENT_RESOURCE_OPENED] = "resource_opened",
		[EVENT_RESOURCE_CLOSED] = "resource_closed",
		[EVENT_RESOURCE_HELD] = "resource_held",
		[EVENT_NOTICE] = "notice",
		[EVENT_NODE_STATE] = "node_state",
		[EVENT_NODE_COUNT] = "node_count",
		[EVENT_NODE_CUT] = "node_cut",
		[EVENT_CLUSTER_COUNT] = "cluster_count",
		[EVENT_STATS] = "stats", [EVENT_RULE_DONE] = "rule_done",
		[EVENT_VIP] = "vip",
	};

	CHECK("", kind < EVENT_KINDS);
	return names[kind];
}

#define OWNER(t, type, member) LIST_ENTRY(t, type, member)

static void on_tick(struct world *w, struct effects *fx)
{
	struct timer *t;

	while ((t = timers_take_due(&w->timers, w->now_ms))) {
		switch ((enum timer_kind)t->kind) {
		case TIMER_MACHINE:
			machine_on_timer(w, fx, OWNER(t, struct machine, timer));
			break;
		case TIMER_CALL:
			call_on_timer(w, fx, OWNER(t, struct call, timer));
			break;
		case TIMER_REQUEST:
			request_on_timer(w, fx, OWNER(t, struct request, timer));
			break;
		case TIMER_HOST:
			host_on_timer(w, fx, OWNER(t, struct host, timer));
			break;
		case TIMER_SESSION:
			limit_on_timer(w, fx, OWNER(t, struct session, timer));
			break;
		case TIMER_BASE:
			base_look(w, fx, OWNER(t, struct pool, base_timer));
			break;
		case TIMER_LINE:
			queue_on_line_timer(w, OWNER(t, struct line, timer));
			break;
		case TIMER_POOL:
			pool_unbalance(w, OWNER(t, struct pool, shrink_timer));
			break;
		case TIMER_NODE:
			node_on_timer(w, fx, OWNER(t, struct node, timer));
			break;
		case TIMER_JOIN:
			join_on_timer(w, fx, OWNER(t, struct join, timer));
			break;
		case TIMER_CHANGE:
			change_on_timer(w, fx, OWNER(t, struct change, timer));
			break;
		case TIMER_RULE:
			rule_on_timer(w, fx, OWNER(t, struct rule, timer));
			break;
		case TIMER_MINUTE:
			policy_on_minute(w);
			break;
		case TIMER_LATE:
			world_save_late(w);
			break;
		}
	}
}

static void on_host_lost(struct world *w, struct effects *fx,
			 const struct event *ev)
{
	struct host *h = world_host(w, ev->host.host);

	if (h)
		host_on_lost(w, fx, h);
}

static void on_notice(struct world *w, struct effects *fx,
		      const struct event *ev)
{
	char kind[ROW_NAME_SIZE], noun[ROW_NAME_SIZE], name[ROW_NAME_SIZE];

	text_copy_slice(kind, sizeof(kind), ev->notice.kind);
	text_copy_slice(noun, sizeof(noun), ev->notice.noun);
	text_copy_slice(name, sizeof(name), ev->notice.name);
	world_event(w, fx, ev->notice.severity, false, kind, noun, name, "%.*s",
		    (int)ev->notice.text.length, ev->notice.text.ptr);
}

static void dispatch(struct world *w, const struct event *ev,
		     struct effects *fx)
{
	switch (ev->kind) {
	case EVENT_TICK:
		on_tick(w, fx);
		return;
	case EVENT_SITE:
		apply_site(w, fx, ev->site.spec, ev->site.rows,
			   ev->site.rebooted);
		return;
	case EVENT_COMMAND:
		command_on_event(w, fx, ev);
		return;
	case EVENT_HOST_STATE:
		host_on_state(w, fx, ev);
		return;
	case EVENT_HOST_LOST:
		on_host_lost(w, fx, ev);
		return;
	case EVENT_CALL_DONE:
		call_on_done(w, fx, ev);
		return;
	case EVENT_DOMAIN_SEEN:
		host_on_seen(w, fx, ev);
		return;
	case EVENT_VOLUME_MADE:
		volume_on_made(w, fx, ev);
		return;
	case EVENT_DOMAIN_HINT:
		host_on_hint(w, fx, ev);
		return;
	case EVENT_HOOK_STEP:
		hook_on_step(w, fx, ev);
		return;
	case EVENT_HOOK_DONE:
	case EVENT_HOOK_LOST:
		hook_on_done(w, fx, ev->hook.call,
			     ev->kind == EVENT_HOOK_DONE && ev->hook.ok,
			     ev->hook.text, ev->kind == EVENT_HOOK_LOST);
		return;
	case EVENT_RULES_LOST:
		hook_on_rules_lost(w, fx);
		return;
	case EVENT_GATEWAY_UP:
		adopt_on_up(w, fx, ev);
		return;
	case EVENT_GATEWAY_SESSION:
		adopt_on_session(w, fx, ev);
		return;
	case EVENT_GATEWAY_READY:
		adopt_on_ready(w, fx, ev->gateway.index);
		return;
	case EVENT_GATEWAY_LOST:
		adopt_on_lost(w, fx, ev);
		return;
	case EVENT_REQUEST:
		request_on_event(w, fx, ev);
		return;
	case EVENT_REFUSED:
		request_on_refused(w, fx, ev);
		return;
	case EVENT_CLAIM:
		ticket_on_claim(w, fx, ev);
		return;
	case EVENT_CANCEL:
		request_on_cancel(w, fx, ev->request.gateway, ev->request.conn);
		return;
	case EVENT_ACCEPTED:
		session_on_accepted(w, fx, ev);
		return;
	case EVENT_FAILED:
		session_on_failed(w, fx, ev);
		return;
	case EVENT_ENDED:
		session_on_ended(w, fx, ev);
		return;
	case EVENT_BYTES:
		session_on_bytes(w, ev);
		return;
	case EVENT_EXTEND:
		limit_on_extend(w, fx, ev);
		return;
	case EVENT_RESOURCE_USED:
		visit_on_used(w, fx, ev);
		return;
	case EVENT_RESOURCE_OPENED:
		visit_on_opened(w, ev);
		return;
	case EVENT_RESOURCE_CLOSED:
		access_on_closed(w, fx, ev);
		return;
	case EVENT_RESOURCE_HELD:
		access_on_held(w, fx, ev);
		return;
	case EVENT_RESOURCE_LOST:
		resource_on_lost(w, fx, ev);
		return;
	case EVENT_NOTICE:
		on_notice(w, fx, ev);
		return;
	case EVENT_NODE_STATE:
		node_on_state(w, fx, ev);
		return;
	case EVENT_NODE_COUNT:
		node_on_count(w, fx, ev);
		return;
	case EVENT_NODE_CUT:
		node_on_cut(w, fx, ev);
		return;
	case EVENT_CLUSTER_COUNT:
		cluster_on_count(w, ev);
		return;
	case EVENT_STATS:
		usage_on_stats(w, ev);
		return;
	case EVENT_RULE_DONE:
		rule_on_done(w, fx, ev);
		return;
	case EVENT_VIP:
		cluster_on_vip(w, fx, ev);
		return;
	case EVENT_KINDS:
		break;
	}
	CHECK("", false, "event %d", (int)ev->kind);
}

void engine_step(struct world *w, const struct event *ev, struct effects *fx)
{
	CHECK("", ev->now_ms >= w->now_ms, "time went back");
	w->now_ms = ev->now_ms;
	w->wall_ms = ev->wall_ms;
	w->offset_s = ev->offset_s;
	dispatch(w, ev, fx);
	shares_kick(w, fx);
	pools_balance(w, fx);
	queue_tell(w, fx);
	resources_kick(w, fx);
	access_kick(w, fx);
}
