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

/* ---- pools ----------------------------------------------------------- */

GET(pool_name)
{
	field_get(AS_TEXT, "name", NULL, context, item, out);
	if (item_int(item, "bad", 0) > 0)
		out->role = ROLE_STRONG;
}

GET(pool_bad)
{
	field_get(AS_NUMBER, "bad", NULL, context, item, out);
	if (out->number > 0)
		out->role = ROLE_FAILED;
}

GET(pool_waiting)
{
	field_get(AS_NUMBER, "waiting", NULL, context, item, out);
	if (out->number > 0)
		out->role = ROLE_CHANGING;
}

GET(pool_note)
{
	(void)context;
	out->text = item_bool(item, "removed") ? "being removed" :
		    item_text(item, "reason");
}

static const struct column pool_columns[] = {
	{ "POOL", 10, 14, 0, .get = get_pool_name },
	{ "APPLICATION", 11, 12, 6, .member = "application" },
	{ "USED / READY / MAX", 18, 26, 0, .member = "in_use", .as = AS_NUMBER,
	  .paint = view_pool_bar },
	{ "USE", 4, 0, 0, true, .member = "in_use", .as = AS_NUMBER },
	{ "RDY", 4, 0, 0, true, .member = "ready", .as = AS_NUMBER },
	{ "STA", 4, 0, 0, true, .member = "starting", .as = AS_NUMBER },
	{ "BAD", 4, 0, 0, true, .get = get_pool_bad },
	{ "SERVE", 5, 0, 3, true, .member = "serve", .as = AS_NUMBER },
	{ "SPARE", 5, 0, 4, true, .member = "spare", .as = AS_NUMBER },
	{ "MAX", 4, 0, 2, true, .member = "max", .as = AS_NUMBER },
	{ "WAIT", 4, 0, 1, true, .get = get_pool_waiting },
	{ "NOTE", 6, 60, 7, .get = get_pool_note },
};

/* ---- machines -------------------------------------------------------- */

GET(machine_state)
{
	field_get(AS_STATE, "state", "machine", context, item, out);
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

static const struct column machine_columns[] = {
	{ "NAME", 14, 18, 0, .member = "name" },
	{ "STATE", 13, 0, 0, .get = get_machine_state },
	{ "POOL", 10, 12, 3, .member = "pool" },
	{ "HOST", 6, 8, 2, .member = "host" },
	{ "SESSION", 11, 14, 1, .get = get_machine_session },
	{ "AGE", 5, 0, 0, true, .member = "since", .as = AS_SINCE },
	{ "BOOT", 7, 0, 5, true, .member = "boot_ms", .as = AS_TOOK },
	{ "SERVED", 6, 0, 6, true, .member = "sessions", .as = AS_NUMBER },
	{ "NOTE", 11, 60, 4, .get = get_machine_note },
};

/* ---- sessions and the requests that wait ----------------------------- */

static bool is_request(const json_t *item)
{
	return strncmp(item_text(item, "ref"), "request/", 8) == 0;
}

GET(session_state)
{
	field_get(AS_STATE, "state", is_request(item) ? "request" : "session",
		  context, item, out);
}

GET(session_age)
{
	field_age(out, context, item, "accepted", "requested");
	if (item_time_ms(item, "accepted") == 0)
		field_age(out, context, item, "assigned", "requested");
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
	field_get(AS_TEXT, "gateway", NULL, context, item, out);
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
	{ "USER", 10, 18, 0, .member = "user", .as = AS_TEXT },
	{ "FROM", 16, 22, 4, .member = "peer" },
	{ "MACHINE", 12, 18, 0, .member = "machine" },
	{ "STATE", 11, 0, 0, .get = get_session_state },
	{ "POOL", 8, 12, 6, .member = "pool" },
	{ "SINCE", 5, 0, 0, true, .get = get_session_age },
	{ "WAITED", 7, 0, 3, true, .member = "wait_ms", .as = AS_TOOK },
	{ "IN", 5, 0, 2, true, .member = "bytes_in", .as = AS_BYTES },
	{ "OUT", 5, 0, 2, true, .member = "bytes_out", .as = AS_BYTES },
	{ "GW", 3, 0, 5, true, .get = get_session_gateway },
	{ "ID", 12, 14, 7, .get = get_session_id },
	{ "NOTE", 8, 30, 8, .get = get_session_note },
};

static const struct column overview_session_columns[] = {
	{ "USER", 12, 18, 0, .member = "user", .as = AS_TEXT },
	{ "MACHINE", 12, 18, 0, .member = "machine" },
	{ "STATE", 11, 0, 0, .get = get_session_state },
	{ "SINCE", 5, 0, 0, true, .newest_first = true,
	  .get = get_session_age },
};

/* ---- hosts and gateways ---------------------------------------------- */

GET(gateway_name)
{
	field_get(AS_NUMBER, "index", NULL, context, item, out);
	snprintf(out->buf, sizeof(out->buf), "gateway %" PRId64, out->number);
}

/* A bar and "12/48"; what placement counts, not what the guests burn. */
static void paint_room(struct grid *g, int row, int col, int width,
		       int64_t used, int64_t room, const char *words)
{
	int bar = width - 12;
	int full = room > 0 ? (int)(used * bar / room) : 0;

	if (room <= 0) {
		grid_text(g, row, col, width, ROLE_NORMAL, words);
		return;
	}
	if (bar > 3) {
		full = used > 0 && full == 0 ? 1 : full > bar ? bar : full;
		grid_repeat(g, row, col, full, ROLE_USED,
			    glyph(g->ascii, GLYPH_BAR_USED));
		grid_repeat(g, row, col + full, bar - full, ROLE_OFF,
			    glyph(g->ascii, GLYPH_BAR_ROOM));
		col += bar + 1;
		width -= bar + 1;
	}
	grid_text_right(g, row, col, width, used * 10 > room * 9 ? ROLE_WARN :
			ROLE_NORMAL, words);
}

static void paint_vcpus(struct grid *g, int row, int col, int width,
			const json_t *item)
{
	int64_t used = item_int(item, "used_vcpus", 0);
	int64_t room = item_int(item, "room_vcpus", 0);
	char words[48];

	snprintf(words, sizeof(words), "%" PRId64, used);
	if (room)
		snprintf(words, sizeof(words), "%" PRId64 "/%" PRId64, used,
			 room);
	paint_room(g, row, col, width, used, room, words);
}

static void paint_memory(struct grid *g, int row, int col, int width,
			 const json_t *item)
{
	int64_t used = item_int(item, "used_mib", 0);
	int64_t room = item_int(item, "room_mib", 0);
	char words[48];

	snprintf(words, sizeof(words), "%" PRId64 "G", (used + 512) / 1024);
	if (room)
		snprintf(words, sizeof(words), "%" PRId64 "/%" PRId64 "G",
			 (used + 512) / 1024, room / 1024);
	paint_room(g, row, col, width, used, room, words);
}

GET(host_state)
{
	field_get(AS_STATE, "state", "host", context, item, out);
	if (item_bool(item, "draining") && strcmp(item_text(item, "state"),
						  "up") == 0) {
		out->text = "draining";
		out->role = ROLE_LEAVING;
	}
}

GET(host_labels)
{
	field_get(AS_LIST, "host_labels", NULL, context, item, out);
}

static const struct column host_columns[] = {
	{ "HOST", 8, 14, 0, .member = "name" },
	{ "STATE", 15, 0, 0, .get = get_host_state },
	{ "SITE", 6, 12, 4, .member = "site", .as = AS_TEXT },
	{ "VMS", 4, 0, 0, true, .member = "machines", .as = AS_NUMBER },
	{ "VCPU", 16, 20, 1, true, .member = "used_vcpus", .as = AS_NUMBER,
	  .paint = paint_vcpus },
	{ "MEMORY", 18, 24, 1, true, .member = "used_mib", .as = AS_MIB,
	  .paint = paint_memory },
	{ "CPUS", 4, 0, 3, true, .member = "cpus", .as = AS_NUMBER },
	{ "KVM", 3, 0, 3, .member = "kvm", .as = AS_YES },
	{ "SINCE", 5, 0, 4, true, .member = "since", .as = AS_SINCE },
	{ "LABELS", 8, 16, 6, .get = get_host_labels },
	{ "URI", 14, 28, 7, .member = "uri" },
	{ "VERSION", 7, 14, 8, .member = "version" },
	{ "NOTE", 8, 40, 5, .member = "text" },
};

static const struct column overview_host_columns[] = {
	{ "HOST", 8, 14, 0, .member = "name" },
	{ "STATE", 15, 0, 0, .get = get_host_state },
	{ "VCPU", 7, 18, 0, true, .member = "used_vcpus", .as = AS_NUMBER,
	  .paint = paint_vcpus },
	{ "MEMORY", 17, 20, 0, true, .member = "used_mib", .as = AS_MIB,
	  .paint = paint_memory },
	{ "VMS", 4, 0, 0, true, .member = "machines", .as = AS_NUMBER },
};

static const struct column gateway_columns[] = {
	{ "GATEWAY", 10, 14, 0, .get = get_gateway_name },
	{ "STATE", 10, 0, 0, .member = "state", .as = AS_STATE, .kind = "gateway" },
	{ "SESSIONS", 8, 0, 0, true, .member = "sessions", .as = AS_NUMBER },
	{ "ADOPTED", 7, 0, 1, .member = "adopted", .as = AS_YES },
	{ "SINCE", 5, 0, 3, true, .member = "since", .as = AS_SINCE },
	{ "PID", 7, 0, 2, true, .member = "pid", .as = AS_NUMBER },
};

/* ---- events ---------------------------------------------------------- */

GET(event_time)
{
	field_get(AS_CLOCK, "time", NULL, context, item, out);
	out->number = item_int(item, "id", 0);
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
	{ "OBJECT", 16, 22, 0, .member = "object" },
	{ "TEXT", 20, 200, 0, .member = "text" },
};

const struct columns columns_pools = COLUMNS(pool_columns, 0);
const struct columns columns_machines = COLUMNS(machine_columns, 0);
const struct columns columns_sessions = COLUMNS(session_columns, 0);
const struct columns columns_hosts = COLUMNS(host_columns, 0);
const struct columns columns_gateways = COLUMNS(gateway_columns, 0);
const struct columns columns_events = COLUMNS(event_columns, 0);
const struct columns columns_overview_sessions =
	COLUMNS(overview_session_columns, 3);
const struct columns columns_overview_hosts = COLUMNS(overview_host_columns, 0);
