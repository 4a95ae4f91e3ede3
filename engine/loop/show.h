/*
 * Objects of the world as JSON, as engine/wire/control.h describes them.  Every
 * function returns a new reference.
 */
#ifndef REMUDA_LOOP_SHOW_H
#define REMUDA_LOOP_SHOW_H

#include <jansson.h>

#include "engine/loop/shell.h"

json_t *show_host(const struct shell *sh, const struct host *h);
json_t *show_pool(const struct shell *sh, const struct pool *p);
json_t *show_machine(const struct shell *sh, const struct machine *m);
json_t *show_session_row(const struct session_row *row);
/* With what its machine may reach. */
json_t *show_session(const struct session *s);
json_t *show_request_row(const struct request_row *row, uint32_t place,
			 int64_t deadline_wall_ms);
json_t *show_request(const struct shell *sh, const struct request *r);
json_t *show_listener(const struct shell *sh, const struct listener *l);
json_t *show_gateway(const struct shell *sh, uint32_t index);
json_t *show_event(const struct event_row *row);
json_t *show_application(const struct shell *sh,
			 const struct site_application *a);
json_t *show_info(const struct shell *sh);
/* ---- show_cluster.c ---- */
json_t *show_cluster(const struct shell *sh, const struct cluster *c);
/* A machine of a cluster's pool. */
json_t *show_node(const struct shell *sh, const struct machine *m);
json_t *show_rule(const struct shell *sh, const struct rule *r);
/* ---- show_change.c ---- */
json_t *show_change(const struct change_row *row);
/* With a sentence for people, and what became of its change. */
json_t *show_decision(const struct shell *sh, const struct decision_row *row);
json_t *show_size(uint32_t nodes, uint32_t vcpus, uint64_t memory_mib);
json_t *show_number(uint64_t n);
json_t *show_id(uint64_t id);	/* null for 0 */
/* One that is under way, or NULL. */
const struct change *show_find_change(const struct world *w, uint64_t id);

/* RFC 3339 UTC with milliseconds, or null for 0. */
json_t *show_time(int64_t wall_ms);
/* Text that may hold anything: invalid UTF-8 is made visible first; null for "". */
json_t *show_text(const char *s);
json_t *show_names(const struct site_names *n);	/* ["*"] for all */
enum { SHOW_TIME_SIZE = 48 };
const char *show_time_text(int64_t wall_ms, char out[SHOW_TIME_SIZE]);
/* "info", "warn" or "fail". */
const char *show_severity(int severity);

#endif
