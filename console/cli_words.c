/*
 * What a change is about, in words: for the question before it, and for the
 * line of a dry run.  Pure functions of the request and of what the engine
 * shows of its object.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <time.h>

#include "console/cli_run.h"
#include "console/format.h"
#include "engine/base/text.h"

static const char *text_of(const json_t *item, const char *key)
{
	const char *text = json_string_value(json_object_get(item, key));

	return text ? text : "?";
}

static long long number_of(const json_t *item, const char *key)
{
	return (long long)json_integer_value(json_object_get(item, key));
}

const struct cli_command *cli_command_for(const char *control)
{
	for (const struct cli_command *c = cli_commands; c->verb; c++)
		if (c->control && strcmp(c->control, control) == 0)
			return c;
	return NULL;
}

void cli_object_of(char *out, size_t out_size, const json_t *request)
{
	const char *verb = text_of(request, "verb");
	const struct cli_command *c = cli_command_for(verb);
	const char *key = c && c->arguments[0].key ? c->arguments[0].key : "name";
	const json_t *name = json_object_get(request, key);
	char noun[64];

	text_copy_slice(noun, sizeof(noun), (struct slice){ verb,
				(uint32_t)strcspn(verb, ".") });
	if (json_is_integer(name))
		snprintf(out, out_size, "%s/%" JSON_INTEGER_FORMAT, noun,
			 json_integer_value(name));
	else if (json_is_string(name))
		snprintf(out, out_size, "%s/%.100s", noun,
			 json_string_value(name));
	else
		text_copy(out, out_size, noun);
}

/* The change makes the cluster smaller in something it names. */
static bool shrinks(const json_t *change, const json_t *item)
{
	static const char *const keys[] = { "nodes", "vcpus", "memory_mib" };

	for (size_t i = 0; i < 3; i++)
		if (json_object_get(change, keys[i]) &&
		    number_of(change, keys[i]) < number_of(item, keys[i]))
			return true;
	return false;
}

/* What would be touched, as a line for the question. */
static void describe(const struct cli_command *c, const char *object,
		     const json_t *item, char *out, size_t out_size)
{
	if (strcmp(c->noun, "pool") == 0)
		snprintf(out, out_size, "%s: %lld machines, %lld in session",
			 object, number_of(item, "total"),
			 number_of(item, "in_use"));
	else if (strcmp(c->noun, "cluster") == 0)
		snprintf(out, out_size, "%s: %lld nodes serve, %lld transactions "
			 "are open", object, number_of(item, "serving"),
			 number_of(item, "open"));
	else if (strcmp(c->noun, "host") == 0)
		snprintf(out, out_size, "%s: %lld machines are there, it is %s",
			 object, number_of(item, "machines"),
			 text_of(item, "state"));
	else if (strcmp(c->noun, "change") == 0)
		snprintf(out, out_size, "%s: %s of cluster %s, at step %s",
			 object, text_of(item, "summary"),
			 text_of(item, "cluster"), text_of(item, "step"));
	else if (strcmp(c->noun, "session") == 0)
		snprintf(out, out_size, "%s: user %s on %s, %s", object,
			 text_of(item, "user"), text_of(item, "machine"),
			 text_of(item, "state"));
	else
		snprintf(out, out_size, "%s: %s", object, c->help);
}

static bool has_session(const json_t *item)
{
	const json_t *session = json_object_get(item, "session");

	return session && !json_is_null(session);
}

bool cli_touched(char *out, size_t out_size, const struct cli_command *c,
		 const char *object, const json_t *change, const json_t *item)
{
	struct cli_column column = { .key = "session" };
	char id[64];

	*out = '\0';
	if (!c->noun)
		return false;
	if (c->confirm != CONFIRM_NONE && !c->arguments[0].name)
		snprintf(out, out_size, "%s: %s", object, c->help);
	if (!item || *out)	/* the one there is: the site */
		return *out != '\0';
	switch (c->confirm) {
	case CONFIRM_NONE:
		break;
	case CONFIRM_IN_SESSION:
		if (!has_session(item))
			break;
		cell_raw(id, sizeof(id), &column, item);
		snprintf(out, out_size, "%s: user %s is on it, session %s",
			 object, text_of(item, "user"), id);
		break;
	case CONFIRM_SHRINK:
		if (shrinks(change, item))
			describe(c, object, item, out, out_size);
		break;
	case CONFIRM_ALWAYS:
	case CONFIRM_TYPED:
		describe(c, object, item, out, out_size);
		break;
	}
	return *out != '\0';
}

static void age_of(char *out, size_t out_size, const json_t *item)
{
	const char *since = json_string_value(json_object_get(item, "since"));
	long long ms = since ? cell_parse_time(since) : -1;
	long long age_ms = (long long)time(NULL) * 1000 - ms;

	*out = '\0';
	if (ms >= 0)
		format_age(out, out_size, age_ms > 0 ? age_ms : 0);
}

static void about(char *out, size_t out_size, const char *noun,
		  const json_t *item)
{
	const char *user = json_string_value(json_object_get(item, "user"));
	char age[32];

	*out = '\0';
	if (!item)
		return;
	age_of(age, sizeof(age), item);
	if (strcmp(noun, "machine") == 0)
		snprintf(out, out_size, " (%s%s%s, %s%s)",
			 text_of(item, "state"), *age ? " " : "", age,
			 user ? "user " : "no session", user ? user : "");
	else if (strcmp(noun, "session") == 0)
		snprintf(out, out_size, " (user %s on %s, %s)",
			 text_of(item, "user"), text_of(item, "machine"),
			 text_of(item, "state"));
	else if (strcmp(noun, "pool") == 0)
		snprintf(out, out_size, " (%lld machines, %lld in session)",
			 number_of(item, "total"), number_of(item, "in_use"));
}

void cli_would(char *out, size_t out_size, const json_t *request,
	       const json_t *item)
{
	const char *control = text_of(request, "verb");
	const char *dot = strchr(control, '.');
	char object[160], details[200], noun[64];

	cli_object_of(object, sizeof(object), request);
	text_copy_slice(noun, sizeof(noun), (struct slice){ control,
				(uint32_t)strcspn(control, ".") });
	about(details, sizeof(details), noun, item);
	if (dot)
		snprintf(out, out_size, "would %s %s%s", dot + 1, object,
			 details);
	else
		snprintf(out, out_size, "would %s", control);
}
