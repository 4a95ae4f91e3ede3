/*
 * Clusters between the core and the gateways: effects to messages, messages to
 * events.  What a gateway is told is whole each time; the core says when.
 */
#include <stdio.h>
#include <string.h>

#include "engine/base/log.h"
#include "engine/core/cluster.h"
#include "engine/loop/shell.h"

static void cluster_set(struct shell *sh, const struct effect *e)
{
	const struct cluster *c = world_cluster(&sh->world, e->text);
	struct message m = { .type = WIRE_TYPE_cluster_set };
	const struct site_application *a;
	const struct site_health *h;

	if (!c || !c->pool)
		return;
	a = &c->pool->application;
	h = &c->spec.health;
	m.cluster_set = (struct wire_cluster_set){
		.name = slice_of(c->spec.name),
		.balance = (uint8_t)c->spec.balance,
		.busy = c->spec.busy,
		.replay = c->spec.replay,
		.wait_ms = c->spec.wait_ms,
		.drain_ms = c->spec.drain_ms,
		.identity = a->identity == IDENTITY_PROXY ? WIRE_IDENTITY_PROXY :
							    WIRE_IDENTITY_NONE,
		.half_close_ms = a->half_close_ms,
		.health_request = slice_of(h->request),
		.health_expect = slice_of(h->expect),
		.health_interval_ms = h->interval_ms,
		.health_timeout_ms = h->timeout_ms,
		.health_fall = h->fall,
		.health_rise = h->rise,
	};
	gateways_send(sh, e->gateway, &m);
}

/* libvirt's URIs name a computer between // and /. */
static bool is_here(const struct host *h)
{
	const char *at = strstr(h->spec.uri, "//");

	return !at || at[2] == '/';
}

/* Where a node serves; false when gateways cannot reach it. */
static bool node_address(const struct machine *m, char *out, size_t size)
{
	const struct site_application *a = &m->pool->application;

	if (a->endpoint == ENDPOINT_TCP) {
		shell_machine_address(m, out, size);
		return true;
	}
	return a->endpoint == ENDPOINT_UNIX && is_here(m->host) &&
	       text_expand(slice_of(a->path), m->row.slot, m->row.name, out,
			   size);
}

static void node_set(struct shell *sh, const struct effect *e)
{
	const struct machine *m = world_machine(&sh->world, e->machine);
	struct message msg = { .type = WIRE_TYPE_node_set,
			       .incarnation = e->incarnation };
	char address[160];

	if (!m)
		return;
	if (!node_address(m, address, sizeof(address))) {
		log_error("node %s: gateways cannot reach it: its endpoint is "
			  "neither tcp nor a socket of this computer",
			  m->row.name);
		return;
	}
	msg.node_set = (struct wire_node_set){
		.cluster = slice_of(m->pool->spec.name),
		.machine = m->row.id,
		.machine_name = slice_of(m->row.name),
		.address = slice_of(address),
		.node = (uint8_t)e->code,
	};
	gateways_send(sh, e->gateway, &msg);
}

/* Its machine may be gone already: the gateway knows whose node it was. */
static void node_drop(struct shell *sh, const struct effect *e)
{
	const struct machine *m = world_machine(&sh->world, e->machine);
	struct message msg = {
		.type = WIRE_TYPE_node_drop, .incarnation = e->incarnation,
		.node_drop = {
			.cluster = slice_of(m ? m->pool->spec.name : ""),
			.machine = e->machine, .text = e->text,
		},
	};

	gateways_send(sh, e->gateway, &msg);
}

void clusters_send(struct shell *sh, const struct effect *e)
{
	struct message drop = { .type = WIRE_TYPE_cluster_drop,
				.cluster_drop = { .name = e->text } };

	switch (e->kind) {
	case EFFECT_CLUSTER_SET:
		cluster_set(sh, e);
		return;
	case EFFECT_CLUSTER_DROP:
		gateways_send(sh, e->gateway, &drop);
		return;
	case EFFECT_NODE_SET:
		node_set(sh, e);
		return;
	default:
		node_drop(sh, e);
	}
}

bool clusters_to_event(uint32_t gateway, const struct message *m,
		       struct event *ev)
{
	const struct wire_node_state *s = &m->node_state;
	const struct wire_node_count *n = &m->node_count;
	const struct wire_cluster_count *c = &m->cluster_count;

	switch (m->type) {
	case WIRE_TYPE_node_state:
		ev->kind = EVENT_NODE_STATE;
		ev->node.gateway = gateway;
		ev->node.incarnation = m->incarnation;
		ev->node.machine = s->machine;
		ev->node.up = s->up;
		ev->node.open = s->open;
		ev->node.text = s->text;
		return true;
	case WIRE_TYPE_node_count:
		ev->kind = EVENT_NODE_COUNT;
		ev->node.gateway = gateway;
		ev->node.incarnation = m->incarnation;
		ev->node.machine = n->machine;
		ev->node.open = n->open;
		ev->node.transactions = n->transactions;
		ev->node.failed = n->failed;
		return true;
	case WIRE_TYPE_node_cut:
		ev->kind = EVENT_NODE_CUT;
		ev->node.gateway = gateway;
		ev->node.incarnation = m->incarnation;
		ev->node.machine = m->node_cut.machine;
		ev->node.cut = m->node_cut.cut;
		return true;
	case WIRE_TYPE_cluster_count:
		ev->kind = EVENT_CLUSTER_COUNT;
		ev->count.gateway = gateway;
		ev->count.cluster = c->name;
		ev->count.counts = (struct cluster_counts){
			.transactions = c->transactions,
			.answered = c->answered, .replayed = c->replayed,
			.failed = c->failed, .reset = c->reset,
			.refused = c->refused, .bytes_in = c->bytes_in,
			.bytes_out = c->bytes_out, .open = c->open,
			.waiting = c->waiting,
		};
		return true;
	}
	return false;
}

bool clusters_serve_alone(const struct shell *sh)
{
	const struct world *w = &sh->world;

	for (size_t i = 0; i < w->cluster_count; i++)
		if (cluster_serving(w->clusters[i]))
			return true;
	return false;
}
