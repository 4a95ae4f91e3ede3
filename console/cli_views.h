/* The views of cli_views.c; used by the table and by commands of their own. */
#ifndef REMUDA_CONSOLE_CLI_VIEWS_H
#define REMUDA_CONSOLE_CLI_VIEWS_H

#include "console/cli_output.h"

extern const struct cli_view host_view, pool_view, machine_view, session_view,
	listener_view, gateway_view, resource_view, application_view,
	request_view, event_view, alarm_view, audit_view, hour_view, site_version_view,
	leftover_view, queue_view, user_view, group_view, token_view, why_view,
	cluster_view, node_view, change_view, rule_view, decision_view,
	usage_view, usage_cost_view;

#endif
