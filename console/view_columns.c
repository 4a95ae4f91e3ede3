/*
 * Columns of the lists, shared by the views that show the same objects.
 * The widest line fits 80 cells after the columns with a drop number went.
 */
#include "console/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "console/format.h"
#include "console/theme.h"

#define GET(name)                                                              \
	static void get_##name(const struct list_context *context,             \
			       const json_t *item, struct field *out)

/* A column that shows a member as it is, "-" when there is none. */
#define GET_TEXT(name, member)                                                 \
	GET(name)                                                              \
	{                                                                      \
		const char *text = item_text(item, member);                    \
		(void)context;                                                 \
		out->text = *text ? text : "-";                                \
	}

#define GET_NUMBER(name, member)                                               \
	GET(name)                                                              \
	{                                                                      \
		(void)context;                                                 \
		number(out, item, member);                                     \
	}

static void number(struct field *out, const json_t *item, const char *member)
{
	out->number = item_int(item, member, INT64_MIN);
	out->has_number = true;
	out->text = "-";
	if (out->number == INT64_MIN)
		return;
	snprintf(out->buf, sizeof(out->buf), "%" PRId64, out->number);
	out->text = out->buf;
}

static void state(struct field *out, const char *kind, const json_t *item)
{
	struct state_look look = state_look(kind, item_text(item, "state"));

	out->text = look.word;
	out->role = look.role;
	out->glyph = true;
}

/* Age of the first time of the two that is known. */
static void age(struct field *out, const struct list_context *context,
		const json_t *item, const char *first, const char *second)
{
	int64_t at = item_time_ms(item, first);

	if (at == 0)
		at = item_time_ms(item, second);
	out->has_number = true;
	out->number = at ? context->now_ms - at : -1;
	if (at && out->number < 0)	/* clocks differ a little */
		out->number = 0;
	out->text = format_age(out->buf, sizeof(out->buf), out->number);
}

GET_TEXT(name, "name")
GET_TEXT(application, "application")
GET_TEXT(host, "host")
GET_TEXT(pool, "pool")
GET_TEXT(machine, "machine")
GET_TEXT(peer, "peer")
GET_TEXT(uri, "uri")
GET_TEXT(version, "version")
GET_TEXT(text, "text")
GET_TEXT(object, "object")
GET_NUMBER(in_use, "in_use")
GET_NUMBER(ready, "ready")
GET_NUMBER(starting, "starting")
GET_NUMBER(bad, "bad")
GET_NUMBER(serve, "serve")
GET_NUMBER(spare, "spare")
GET_NUMBER(max, "max")
GET_NUMBER(waiting, "waiting")
GET_NUMBER(machines, "machines")
GET_NUMBER(cpus, "cpus")
GET_NUMBER(sessions, "sessions")
GET_NUMBER(pid, "pid")

/* ---- pools ----------------------------------------------------------- */

GET(pool_name)
{
	get_name(context, item, out);
	if (item_int(item, "bad", 0) > 0)
		out->role = ROLE_STRONG;
}

GET(pool_bad)
{
	get_bad(context, item, out);
	if (out->number > 0)
		out->role = ROLE_FAILED;
}

GET(pool_waiting)
{
	get_waiting(context, item, out);
	if (out->number > 0)
		out->role = ROLE_CHANGING;
}

GET(pool_bar)
{
	get_in_use(context, item, out);
}

GET(pool_note)
{
	(void)context;
	out->text = item_bool(item, "removed") ? "being removed" :
		    item_text(item, "reason");
}

static const struct column pool_columns[] = {
	{ "POOL", 10, 14, 0, .get = get_pool_name },
	{ "APPLICATION", 11, 12, 6, .get = get_application },
	{ "USED / READY / MAX", 18, 26, 0, .get = get_pool_bar,
	  .paint = view_pool_bar },
	{ "USE", 4, 0, 0, true, .get = get_in_use },
	{ "RDY", 4, 0, 0, true, .get = get_ready },
	{ "STA", 4, 0, 0, true, .get = get_starting },
	{ "BAD", 4, 0, 0, true, .get = get_pool_bad },
	{ "SERVE", 5, 0, 3, true, .get = get_serve },
	{ "SPARE", 5, 0, 4, true, .get = get_spare },
	{ "MAX", 4, 0, 2, true, .get = get_max },
	{ "WAIT", 4, 0, 1, true, .get = get_pool_waiting },
	{ "NOTE", 6, 60, 7, .get = get_pool_note },
};

/* ---- machines -------------------------------------------------------- */

GET(machine_state)
{
	state(out, "machine", item);
	if (model_machine_unknown(context->model, item))
		out->role = ROLE_UNKNOWN;
}

GET(machine_session)
{
	int64_t id = item_int(item, "session", 0);
	const char *user = item_text(item, "user");

	(void)context;
	out->text = "-";
	if (*user) {
		out->text = user;
	} else if (id > 0) {
		snprintf(out->buf, sizeof(out->buf), "session/%" PRId64, id);
		out->text = out->buf;
	}
}

GET(machine_age)
{
	age(out, context, item, "since", "since");
}

GET(machine_note)
{
	const char *reason = item_text(item, "reason");
	const char *job = item_text(item, "job");

	if (model_machine_unknown(context->model, item))
		out->text = "host does not answer: last known state";
	else if (*reason)
		out->text = reason;
	else
		out->text = job;
}

GET(machine_boot)
{
	(void)context;
	out->has_number = true;
	out->number = item_int(item, "boot_ms", -1);
	out->text = format_took(out->buf, sizeof(out->buf), out->number);
}

static const struct column machine_columns[] = {
	{ "NAME", 14, 18, 0, .get = get_name },
	{ "STATE", 13, 0, 0, .get = get_machine_state },
	{ "POOL", 10, 12, 3, .get = get_pool },
	{ "HOST", 6, 8, 2, .get = get_host },
	{ "SESSION", 11, 14, 1, .get = get_machine_session },
	{ "AGE", 5, 0, 0, true, .get = get_machine_age },
	{ "BOOT", 7, 0, 5, true, .get = get_machine_boot },
	{ "SERVED", 6, 0, 6, true, .get = get_sessions },
	{ "NOTE", 11, 60, 4, .get = get_machine_note },
};

/* ---- sessions and the requests that wait ----------------------------- */

static bool is_request(const json_t *item)
{
	return strncmp(item_text(item, "ref"), "request/", 8) == 0;
}

GET(session_user)
{
	const char *user = item_text(item, "user");

	(void)context;
	out->text = *user ? user : "-";
}

GET(session_state)
{
	(void)context;
	state(out, is_request(item) ? "request" : "session", item);
}

GET(session_age)
{
	age(out, context, item, "accepted", "requested");
	if (item_time_ms(item, "accepted") == 0)
		age(out, context, item, "assigned", "requested");
}

GET(session_wait)
{
	(void)context;
	out->has_number = true;
	out->number = item_int(item, "wait_ms", -1);
	out->text = format_took(out->buf, sizeof(out->buf), out->number);
}

static void bytes(struct field *out, const json_t *item, const char *member)
{
	out->has_number = true;
	out->number = item_int(item, member, -1);
	out->text = out->number < 0 ? "-" :
		    format_bytes(out->buf, sizeof(out->buf), out->number);
}

GET(session_in)
{
	(void)context;
	bytes(out, item, "bytes_in");
}

GET(session_out)
{
	(void)context;
	bytes(out, item, "bytes_out");
}

GET(session_id)
{
	const char *ref = item_text(item, "ref");

	(void)context;
	out->has_number = true;
	out->number = item_int(item, "id", 0);
	out->text = ref;
}

GET(session_gateway)
{
	const json_t *value = json_object_get(item, "gateway");

	(void)context;
	out->text = "-";
	if (json_is_integer(value))
		number(out, item, "gateway");
	else if (json_is_string(value))
		out->text = json_string_value(value);
}

GET(session_note)
{
	(void)context;
	out->text = is_request(item) ? item_text(item, "text") :
		    item_text(item, "end_text");
	if (!*out->text && is_request(item) &&
	    item_int(item, "place", 0) > 0) {
		snprintf(out->buf, sizeof(out->buf), "place %" PRId64,
			 item_int(item, "place", 0));
		out->text = out->buf;
	}
}

static const struct column session_columns[] = {
	{ "USER", 10, 18, 0, .get = get_session_user },
	{ "FROM", 16, 22, 4, .get = get_peer },
	{ "MACHINE", 12, 18, 0, .get = get_machine },
	{ "STATE", 11, 0, 0, .get = get_session_state },
	{ "POOL", 8, 12, 6, .get = get_pool },
	{ "SINCE", 5, 0, 0, true, .get = get_session_age },
	{ "WAITED", 7, 0, 3, true, .get = get_session_wait },
	{ "IN", 5, 0, 2, true, .get = get_session_in },
	{ "OUT", 5, 0, 2, true, .get = get_session_out },
	{ "GW", 3, 0, 5, true, .get = get_session_gateway },
	{ "ID", 12, 14, 7, .get = get_session_id },
	{ "NOTE", 8, 30, 8, .get = get_session_note },
};

static const struct column overview_session_columns[] = {
	{ "USER", 12, 18, 0, .get = get_session_user },
	{ "MACHINE", 12, 18, 0, .get = get_machine },
	{ "STATE", 11, 0, 0, .get = get_session_state },
	{ "SINCE", 5, 0, 0, true, .newest_first = true,
	  .get = get_session_age },
};

/* ---- hosts and gateways ---------------------------------------------- */

GET(host_state)
{
	(void)context;
	state(out, "host", item);
}

GET(host_memory)
{
	(void)context;
	out->has_number = true;
	out->number = item_int(item, "memory_mib", -1);
	out->text = "-";
	if (out->number < 0)
		return;
	snprintf(out->buf, sizeof(out->buf), "%" PRId64 ".%" PRId64 "G",
		 out->number / 1024, out->number % 1024 * 10 / 1024);
	out->text = out->buf;
}

GET(host_kvm)
{
	const json_t *kvm = json_object_get(item, "kvm");

	(void)context;
	out->text = json_is_true(kvm) ? "yes" : json_is_false(kvm) ? "no" : "-";
}

GET(gateway_name)
{
	number(out, item, "index");
	snprintf(out->buf, sizeof(out->buf), "gateway %" PRId64, out->number);
	(void)context;
}

GET(gateway_adopted)
{
	(void)context;
	out->text = item_bool(item, "adopted") ? "yes" : "no";
}

GET(gateway_state)
{
	(void)context;
	state(out, "gateway", item);
}

static const struct column host_columns[] = {
	{ "HOST", 8, 14, 0, .get = get_name },
	{ "STATE", 15, 0, 0, .get = get_host_state },
	{ "MACHINES", 8, 0, 0, true, .get = get_machines },
	{ "CPUS", 4, 0, 1, true, .get = get_cpus },
	{ "MEMORY", 7, 0, 1, true, .get = get_host_memory },
	{ "KVM", 3, 0, 2, .get = get_host_kvm },
	{ "SINCE", 5, 0, 3, true, .get = get_machine_age },
	{ "URI", 14, 28, 4, .get = get_uri },
	{ "VERSION", 7, 14, 6, .get = get_version },
	{ "NOTE", 8, 40, 5, .get = get_text },
};

static const struct column overview_host_columns[] = {
	{ "HOST", 8, 14, 0, .get = get_name },
	{ "STATE", 15, 0, 0, .get = get_host_state },
	{ "CPUS", 4, 0, 1, true, .get = get_cpus },
	{ "MEMORY", 7, 0, 1, true, .get = get_host_memory },
	{ "MACHINES", 8, 0, 0, true, .get = get_machines },
};

static const struct column gateway_columns[] = {
	{ "GATEWAY", 10, 14, 0, .get = get_gateway_name },
	{ "STATE", 10, 0, 0, .get = get_gateway_state },
	{ "SESSIONS", 8, 0, 0, true, .get = get_sessions },
	{ "ADOPTED", 7, 0, 1, .get = get_gateway_adopted },
	{ "SINCE", 5, 0, 3, true, .get = get_machine_age },
	{ "PID", 7, 0, 2, true, .get = get_pid },
};

/* ---- events ---------------------------------------------------------- */

GET(event_time)
{
	out->has_number = true;
	out->number = item_int(item, "id", 0);
	out->text = format_clock(out->buf, sizeof(out->buf),
				 item_time_ms(item, "time"));
	(void)context;
}

GET(event_kind)
{
	const char *severity = item_text(item, "severity");
	bool fail = strcmp(severity, "fail") == 0;
	bool warn = strcmp(severity, "warn") == 0;

	snprintf(out->buf, sizeof(out->buf), "%s %s",
		 glyph(context->ascii, fail ? GLYPH_FAILED :
				       warn ? GLYPH_WARN : GLYPH_INFO),
		 item_text(item, "kind"));
	out->text = out->buf;
	out->role = fail ? ROLE_FAILED : warn ? ROLE_WARN : ROLE_NORMAL;
}

static const struct column event_columns[] = {
	{ "TIME", 8, 0, 0, .newest_first = true, .get = get_event_time },
	{ "KIND", 10, 0, 0, .get = get_event_kind },
	{ "OBJECT", 16, 22, 0, .get = get_object },
	{ "TEXT", 20, 200, 0, .get = get_text },
};

#define COLUMNS(table, by) { table, sizeof(table) / sizeof(table[0]), by }

const struct columns columns_pools = COLUMNS(pool_columns, 0);
const struct columns columns_machines = COLUMNS(machine_columns, 0);
const struct columns columns_sessions = COLUMNS(session_columns, 0);
const struct columns columns_hosts = COLUMNS(host_columns, 0);
const struct columns columns_gateways = COLUMNS(gateway_columns, 0);
const struct columns columns_events = COLUMNS(event_columns, 0);
const struct columns columns_overview_sessions =
	COLUMNS(overview_session_columns, 3);
const struct columns columns_overview_hosts = COLUMNS(overview_host_columns, 0);
