/*
 * `remuda usage`: the ledger for a month or any time, as a table of hours, as CSV
 * with seconds to the millisecond, as JSON with milliseconds.  Months are those of
 * the local clock, with --utc those of UTC; which it was stands in every row.
 *
 * Prices are decimal fractions with up to nine places and are multiplied exactly;
 * a row's cost is rounded once, to a ten-thousandth, and the total is the sum of
 * the rows as they are shown.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "console/cli_run.h"
#include "console/cli_views.h"
#include "engine/base/error.h"
#include "engine/base/text.h"

#define HOUR_MS 3600000ll

struct prices {
	bool any;
	int64_t vcpu, gib;	/* of an hour, times 10^9 */
};

struct sums {
	int64_t machine, vcpu, mib, session, estimated;	/* ms */
	int64_t cost;		/* ten-thousandths */
};

/* ---- when ---------------------------------------------------------------------- */

static void this_month(char out[16], bool utc)
{
	time_t now = time(NULL);
	struct tm tm;

	if (utc)
		gmtime_r(&now, &tm);
	else
		localtime_r(&now, &tm);
	strftime(out, 16, "%Y-%m", &tm);
}

/* from_ms and until_ms of the request, by the flags. */
static int put_time(const struct cli *cli, json_t *request)
{
	const char *month = cli->call.value[FLAG_MONTH];
	bool utc = cli_has(cli, FLAG_UTC);
	bool span = cli_has(cli, FLAG_FROM) || cli_has(cli, FLAG_UNTIL);
	int64_t from_ms, until_ms;
	char now[16];

	if (month && span)
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--month and --from, --until exclude each other");
	if (cli_has(cli, FLAG_UNTIL) && !cli_has(cli, FLAG_FROM))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--until needs --from");
	if (span) {
		if (!cli_has(cli, FLAG_UNTIL))
			json_object_set_new(request, "until_ms", json_integer(
				(json_int_t)time(NULL) * 1000));
		return CLI_DONE;
	}
	this_month(now, utc);
	if (cli_month(month ? month : now, utc, &from_ms, &until_ms))
		return cli_fail(cli, CLI_USAGE, NULL, NULL,
				"--month wants a month such as 2026-11, not "
				"\"%.40s\"", month);
	json_object_set_new(request, "from_ms", json_integer(from_ms));
	json_object_set_new(request, "until_ms", json_integer(until_ms));
	return CLI_DONE;
}

static void note_time(const struct cli *cli, const json_t *request)
{
	static const char *const keys[] = { "from_ms", "until_ms" };
	bool utc = cli_has(cli, FLAG_UTC);
	char text[2][64];

	for (int i = 0; i < 2; i++) {
		time_t at = (time_t)(json_integer_value(json_object_get(
					     request, keys[i])) / 1000);
		struct tm tm;

		if (utc)
			gmtime_r(&at, &tm);
		else
			localtime_r(&at, &tm);
		strftime(text[i], sizeof(text[i]), "%Y-%m-%d %H:%M %Z", &tm);
	}
	cli_note(cli, "%s to %s (%s)", text[0], text[1],
		 utc ? "UTC" : "local time");
}

/* ---- prices ---------------------------------------------------------------------- */

/* "0.012" as a number of billionths; -1 = is none. */
static int64_t price_of(const char *text)
{
	size_t whole = strspn(text, "0123456789");
	size_t places = text[whole] == '.' ?
				strspn(text + whole + 1, "0123456789") : 0;
	int64_t n = 0;

	if (whole + places == 0 || whole > 6 || places > 9 ||
	    text[whole + (text[whole] == '.') + places])
		return -1;
	for (size_t i = 0; i < whole; i++)
		n = n * 10 + text[i] - '0';
	for (size_t i = 0; i < 9; i++)
		n = n * 10 + (i < places ? text[whole + 1 + i] - '0' : 0);
	return n;
}

static int read_prices(const struct cli *cli, struct prices *p)
{
	static const enum cli_flag flags[] = { FLAG_RATE_VCPU, FLAG_RATE_GIB };
	int64_t *const to[] = { &p->vcpu, &p->gib };

	*p = (struct prices){ .any = false };
	for (int i = 0; i < 2; i++) {
		const char *text = cli->call.value[flags[i]];

		if (!text)
			continue;
		p->any = true;
		*to[i] = price_of(text);
		if (*to[i] < 0)
			return cli_fail(cli, CLI_USAGE, NULL, NULL,
					"--%s wants a price such as 0.012, not "
					"\"%.40s\"", cli_flags[flags[i]].name,
					text);
	}
	return CLI_DONE;
}

/* Ten-thousandths, half up. */
static int64_t cost_of(const struct prices *p, int64_t vcpu_ms, int64_t mib_ms)
{
	__int128 sum = (__int128)vcpu_ms * p->vcpu * 1024 +
		       (__int128)mib_ms * p->gib;
	__int128 unit = (__int128)1024 * HOUR_MS * 100000;

	return (int64_t)((sum + unit / 2) / unit);
}

/* ---- rows ------------------------------------------------------------------------- */

static json_t *seconds(int64_t ms)
{
	return json_sprintf("%lld.%03d", (long long)(ms / 1000),
			    (int)(ms % 1000));
}

/* Hundredths of an hour, half up; per: milliseconds of one hour's unit. */
static void hours_text(char *out, size_t size, int64_t ms, int64_t per)
{
	__int128 n = ((__int128)ms * 100 + per / 2) / per;

	snprintf(out, size, "%lld.%02d", (long long)(n / 100), (int)(n % 100));
}

static void put_hours(json_t *item, const char *key, int64_t ms, int64_t per)
{
	char text[40];

	hours_text(text, sizeof(text), ms, per);
	json_object_set_new(item, key, json_string(text));
}

static int64_t ms_of(const json_t *item, const char *key)
{
	return json_integer_value(json_object_get(item, key));
}

/* What tables and CSV show; JSON has the milliseconds. */
static void add_columns(json_t *item)
{
	static const char *const names[] = { "machine", "vcpu", "mib", "session",
					     "estimated", "open" };
	char from[32], to[32];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		snprintf(from, sizeof(from), "%s_ms", names[i]);
		snprintf(to, sizeof(to), "%s_seconds", names[i]);
		json_object_set_new(item, to, seconds(ms_of(item, from)));
		snprintf(to, sizeof(to), "%s_hours", names[i]);
		put_hours(item, to, ms_of(item, from), HOUR_MS);
	}
	put_hours(item, "gib_hours", ms_of(item, "mib_ms"), HOUR_MS * 1024);
}

static void add_up(struct sums *s, const json_t *item)
{
	s->machine += ms_of(item, "machine_ms");
	s->vcpu += ms_of(item, "vcpu_ms");
	s->mib += ms_of(item, "mib_ms");
	s->session += ms_of(item, "session_ms");
	s->estimated += ms_of(item, "estimated_ms");
}

static void note_total(const struct cli *cli, const struct sums *s,
		       const struct prices *p)
{
	char machine[40], vcpu[40], gib[40], session[40], estimated[40];

	hours_text(machine, sizeof(machine), s->machine, HOUR_MS);
	hours_text(vcpu, sizeof(vcpu), s->vcpu, HOUR_MS);
	hours_text(gib, sizeof(gib), s->mib, HOUR_MS * 1024);
	hours_text(session, sizeof(session), s->session, HOUR_MS);
	hours_text(estimated, sizeof(estimated), s->estimated, HOUR_MS);
	cli_note(cli, "total: %s machine-hours, %s vCPU-hours, %s GiB-hours, %s "
		 "session-hours", machine, vcpu, gib, session);
	if (s->estimated)
		cli_note(cli, "%s machine-hours of it are estimated: nobody saw "
			 "when they ended", estimated);
	if (p->any)
		cli_note(cli, "cost: %lld.%04d", (long long)(s->cost / 10000),
			 (int)(s->cost % 10000));
}

int cli_run_usage(struct cli *cli)
{
	bool json = cli->output.format == FORMAT_JSON;
	struct error err = { "" };
	struct sums sums = { 0 };
	json_t *request, *answer, *item;
	struct prices prices;
	size_t i, shown;
	int code = read_prices(cli, &prices);

	if (code != CLI_DONE)
		return code;
	request = cli_request(&cli->call, 0, &err);
	if (!request)
		return cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	code = put_time(cli, request);
	answer = code == CLI_DONE ? cli_ask(cli, json_incref(request), &code) :
				    NULL;
	json_array_foreach(json_object_get(answer, "items"), i, item) {
		int64_t cost = cost_of(&prices, ms_of(item, "vcpu_ms"),
				       ms_of(item, "mib_ms"));

		add_up(&sums, item);
		sums.cost += cost;
		if (prices.any)
			json_object_set_new(item, "cost", json_sprintf(
				"%lld.%04d", (long long)(cost / 10000),
				(int)(cost % 10000)));
		if (!json)
			add_columns(item);
	}
	if (answer && output_list(&cli->output, prices.any ? &usage_cost_view :
				  &usage_view, "usage_list",
				  json_object_get(answer, "items"), &shown, &err))
		code = cli_fail(cli, CLI_USAGE, NULL, NULL, "%s", err.text);
	if (answer && code == CLI_DONE && cli->output.format <= FORMAT_COLUMNS) {
		note_time(cli, request);
		note_total(cli, &sums, &prices);
	}
	json_decref(answer);
	json_decref(request);
	return cli_finish(cli, code);
}
