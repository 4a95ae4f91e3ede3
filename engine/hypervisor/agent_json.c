/* See agent_json.h. */
#include "engine/hypervisor/agent_json.h"

#include <inttypes.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"

static json_t *base64_of(struct slice bytes)
{
	char *text = malloc(4 * ((size_t)bytes.length + 2) / 3 + 5);
	json_t *json = NULL;

	if (text) {
		int n = EVP_EncodeBlock((unsigned char *)text,
					(const unsigned char *)bytes.ptr,
					(int)bytes.length);
		json = json_stringn(text, (size_t)n);
	}
	free(text);
	return json;
}

/* Takes arguments. */
static char *command(const char *execute, json_t *arguments, struct error *err)
{
	json_t *root = arguments ?
		json_pack("{s:s, s:o}", "execute", execute, "arguments",
			  arguments) : NULL;
	char *text = root ? json_dumps(root, JSON_COMPACT) : NULL;

	json_decref(root);
	if (!text)
		error_set(err, "%s cannot be written as JSON", execute);
	return text;
}

/* The words after the first as a JSON array; NULL with err. */
static json_t *words_of(struct slice argv, const char **path, struct error *err)
{
	json_t *words = json_array();
	const char *at = argv.ptr, *end = argv.ptr + argv.length;
	int count = 0;

	if (argv.length == 0 || end[-1] != '\0' || *at == '\0')
		goto bad;
	for (; at < end; at += strlen(at) + 1, count++) {
		if (count == 0) {
			*path = at;
			continue;
		}
		/* jansson refuses what is not UTF-8; JSON cannot carry it. */
		if (count == AGENT_WORDS_MAX ||
		    json_array_append_new(words, json_string(at)) < 0)
			goto bad;
	}
	return words;
bad:
	json_decref(words);
	error_set(err, argv.length == 0 ? "the command is empty" :
		  count == AGENT_WORDS_MAX ? "the command has more than 256 words" :
		  "word %d of the command is not UTF-8, or the command is malformed",
		  count + 1);
	return NULL;
}

char *agent_exec_command(struct slice argv, struct slice input,
			 struct error *err)
{
	const char *path = NULL;
	json_t *words = words_of(argv, &path, err);

	if (!words)
		return NULL;
	json_t *arguments = json_pack("{s:s, s:o, s:b}", "path", path, "arg",
				      words, "capture-output", 1);
	if (!arguments) {
		error_set(err, "word 1 of the command is not UTF-8");
		return NULL;
	}
	/* Always given, also empty: else the command waits on no input. */
	json_object_set_new(arguments, "input-data", base64_of(input));
	return command("guest-exec", arguments, err);
}

char *agent_status_command(int64_t pid, struct error *err)
{
	return command("guest-exec-status",
		       json_pack("{s:I}", "pid", (json_int_t)pid), err);
}

char *agent_open_command(const char *path, struct error *err)
{
	return command("guest-file-open",
		       json_pack("{s:s, s:s}", "path", path, "mode", "w"), err);
}

char *agent_write_command(int64_t handle, struct slice bytes, struct error *err)
{
	return command("guest-file-write",
		       json_pack("{s:I, s:o}", "handle", (json_int_t)handle,
				 "buf-b64", base64_of(bytes)), err);
}

char *agent_close_command(int64_t handle, struct error *err)
{
	return command("guest-file-close",
		       json_pack("{s:I}", "handle", (json_int_t)handle), err);
}

char *agent_set_time_command(int64_t ns, struct error *err)
{
	return command("guest-set-time",
		       json_pack("{s:I}", "time", (json_int_t)ns), err);
}

char *agent_get_time_command(struct error *err)
{
	return command("guest-get-time", json_object(), err);
}

/* The value of "return", borrowed from *root, which the caller frees. */
static json_t *returned(const char *reply, json_t **root, struct error *err)
{
	size_t length = strnlen(reply, AGENT_REPLY_MAX + 1);

	*root = NULL;
	if (length > AGENT_REPLY_MAX)
		return error_set(err, "the guest agent's reply is too long"), NULL;
	*root = json_loadb(reply, length, JSON_REJECT_DUPLICATES, NULL);
	json_t *value = json_object_get(*root, "return");
	if (!value)
		error_set(err, "the guest agent's reply is malformed");
	return value;
}

static int get_integer(const json_t *value, int64_t low, int64_t high,
		       int64_t *out, const char *what, struct error *err)
{
	int64_t n = json_integer_value(value);

	if (!json_is_integer(value) || n < low || n > high)
		return error_set(err, "the guest agent's reply has no valid %s",
				 what);
	*out = n;
	return 0;
}

static int read_integer(const char *reply, const char *key, int64_t low,
			int64_t *out, const char *what, struct error *err)
{
	json_t *root, *value = returned(reply, &root, err);
	int rc = value ? get_integer(key ? json_object_get(value, key) : value,
				     low, INT64_MAX, out, what, err) : -1;

	json_decref(root);
	return rc;
}

int agent_read_pid(const char *reply, int64_t *pid, struct error *err)
{
	return read_integer(reply, "pid", 1, pid, "process id", err);
}

int agent_read_handle(const char *reply, int64_t *handle, struct error *err)
{
	return read_integer(reply, NULL, 0, handle, "file handle", err);
}

int agent_read_count(const char *reply, int64_t *count, struct error *err)
{
	return read_integer(reply, "count", 0, count, "count", err);
}

int agent_read_time(const char *reply, int64_t *ns, struct error *err)
{
	return read_integer(reply, NULL, 0, ns, "time", err);
}

static int base64_value(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	       c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 :
	       c == '+' ? 62 : c == '/' ? 63 : -1;
}

int agent_base64_decode(const char *text, size_t length, uint8_t *out,
			size_t size, bool *truncated)
{
	uint32_t bits = 0;
	size_t used = 0, data = length;
	int held = 0;

	*truncated = false;
	if (length % 4)
		return -1;
	while (data > 0 && length - data < 2 && text[data - 1] == '=')
		data--;
	for (size_t i = 0; i < data; i++) {
		int v = base64_value(text[i]);

		if (v < 0)
			return -1;
		bits = bits << 6 | (uint32_t)v;
		held += 6;
		if (held < 8)
			continue;
		held -= 8;
		if (used < size)
			out[used++] = (uint8_t)(bits >> held);
		else
			*truncated = true;
	}
	return (int)used;
}

static int read_stream(const json_t *value, const char *key, uint8_t *out,
		       size_t *length, bool *truncated, struct error *err)
{
	const json_t *text = json_object_get(value, key);
	bool cut = false;

	*length = 0;
	if (!text)
		return 0;
	int n = json_is_string(text) ?
		agent_base64_decode(json_string_value(text),
				    json_string_length(text), out,
				    AGENT_OUTPUT_MAX, &cut) : -1;
	if (n < 0)
		return error_set(err, "the guest agent's reply has a malformed %s",
				 key);
	*length = (size_t)n;
	*truncated |= cut;
	return 0;
}

static int read_exit(const json_t *value, struct agent_status *status,
		     struct error *err)
{
	const json_t *code = json_object_get(value, "exitcode");
	const json_t *signal = json_object_get(value, "signal");
	int64_t n = 0;

	if (code && get_integer(code, INT32_MIN, UINT32_MAX, &n, "exit code",
				err) < 0)
		return -1;
	if (!code) {
		if (get_integer(signal, 1, 127, &n, "exit code or signal", err) < 0)
			return -1;
		n += 128;
	}
	status->code = (int)n;
	return 0;
}

static int read_status(const json_t *value, struct agent_status *status,
		       struct error *err)
{
	const json_t *exited = json_object_get(value, "exited");

	if (!json_is_boolean(exited))
		return error_set(err, "the guest agent's reply does not say whether the command has ended");
	status->exited = json_is_true(exited);
	if (!status->exited)
		return 0;
	status->truncated = json_is_true(json_object_get(value, "out-truncated")) ||
			    json_is_true(json_object_get(value, "err-truncated"));
	if (read_exit(value, status, err) < 0 ||
	    read_stream(value, "out-data", status->out, &status->out_length,
			&status->truncated, err) < 0)
		return -1;
	return read_stream(value, "err-data", status->errout,
			   &status->errout_length, &status->truncated, err);
}

int agent_read_status(const char *reply, struct agent_status *status,
		      struct error *err)
{
	json_t *root, *value = returned(reply, &root, err);

	status->exited = status->truncated = false;
	status->code = 0;
	status->out_length = status->errout_length = 0;
	int rc = value ? read_status(value, status, err) : -1;
	json_decref(root);
	return rc;
}
