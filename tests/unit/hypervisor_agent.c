/*
 * The guest agent's JSON: what commands look like, and replies of a guest that
 * lies about every type, length and number.
 */
#include "engine/hypervisor/agent_json.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "tests/tap.h"

static struct agent_status status;

static void test_commands(void)
{
	struct error err;
	static const char argv[] = "/bin/sh\0-c\0echo \"x\"";
	char *text = agent_exec_command((struct slice){ argv, sizeof(argv) },
					SLICE("in\0put"), &err);

	is_text(text, "{\"execute\":\"guest-exec\",\"arguments\":{\"path\":\"/bin/sh\","
		      "\"arg\":[\"-c\",\"echo \\\"x\\\"\"],\"capture-output\":true,"
		      "\"input-data\":\"aW4AcHV0\"}}", "guest-exec");
	free(text);
	text = agent_status_command(77, &err);
	is_text(text, "{\"execute\":\"guest-exec-status\",\"arguments\":{\"pid\":77}}",
		"guest-exec-status");
	free(text);
	text = agent_write_command(1000, SLICE("hello"), &err);
	is_text(text, "{\"execute\":\"guest-file-write\",\"arguments\":{\"handle\":1000,"
		      "\"buf-b64\":\"aGVsbG8=\"}}", "guest-file-write");
	free(text);
	static const struct { struct slice argv; const char *what; } bad[] = {
		{ { "", 0 }, "no command" },
		{ { "\0", 1 }, "an empty program" },
		{ { "sh", 2 }, "a word without its end" },
		{ { "\xff", 2 }, "a program that is not UTF-8" },
		{ { "sh\0\xc3\x28", 6 }, "a word that is not UTF-8" },
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		err.text[0] = '\0';
		text = agent_exec_command(bad[i].argv, (struct slice){ 0 }, &err);
		ok(!text && err.text[0], "%s: %s", bad[i].what, err.text);
		free(text);
	}
	char many[2 * AGENT_WORDS_MAX + 4];
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = i % 2 ? '\0' : 'x';
	text = agent_exec_command((struct slice){ many, sizeof(many) },
				  (struct slice){ 0 }, &err);
	ok(!text, "too many words: %s", err.text);
	free(text);
}

static void test_good(void)
{
	struct error err = { "" };
	int64_t n = 0;

	is_int(agent_read_pid("{\"return\":{\"pid\":1234}}", &n, &err), 0, "a pid");
	is_int(n, 1234, "is read");
	is_int(agent_read_handle("{\"return\":1000}", &n, &err), 0, "a handle");
	is_int(n, 1000, "is read");
	is_int(agent_read_count("{\"return\":{\"count\":5,\"eof\":false}}", &n, &err),
	       0, "a count");
	is_int(n, 5, "is read");
	is_int(agent_read_status("{\"return\":{\"exited\":false}}", &status, &err), 0,
	       "still running");
	ok(!status.exited, "is read");
	is_int(agent_read_status("{\"return\":{\"exited\":true,\"exitcode\":3,"
				 "\"out-data\":\"aGVsbG8=\",\"err-data\":\"b29w\"}}",
				 &status, &err), 0, "ended");
	ok(status.exited && status.code == 3 && !status.truncated, "with its code");
	ok(status.out_length == 5 && memcmp(status.out, "hello", 5) == 0, "its output");
	ok(status.errout_length == 3 && memcmp(status.errout, "oop", 3) == 0,
	   "its errors");
	is_int(agent_read_status("{\"return\":{\"exited\":true,\"signal\":9}}", &status,
				 &err), 0, "killed");
	is_int(status.code, 137, "counts as 128 + signal");
	/* Windows exit codes are unsigned 32 bits. */
	is_int(agent_read_status("{\"return\":{\"exited\":true,\"exitcode\":3221225477}}",
				 &status, &err), 0, "a Windows exit code");
}

static const char *const hostile[] = {
	"", " ", "{", "null", "[]", "1", "\"x\"", "{}", "{\"return\":null}",
	"{\"return\":{}}", "{\"return\":[]}", "{\"return\":\"1\"}",
	"{\"return\":1.5}", "{\"return\":-1}", "{\"return\":99999999999999999999}",
	"{\"return\":{\"pid\":\"1\"}}", "{\"return\":{\"pid\":0}}",
	"{\"return\":{\"pid\":-5}}", "{\"return\":{\"pid\":1e3}}",
	"{\"return\":{\"pid\":null}}", "{\"return\":{\"pid\":1,\"pid\":2}}",
	"{\"return\":{\"pid\":1}} x", "{\"return\":{\"pid\":1},\"return\":{\"pid\":2}}",
	"{\"error\":{\"class\":\"x\"}}", "{\"return\":{\"exited\":1}}",
	"{\"return\":{\"exited\":\"true\"}}", "{\"return\":{\"exited\":true}}",
	"{\"return\":{\"exited\":true,\"exitcode\":\"0\"}}",
	"{\"return\":{\"exited\":true,\"exitcode\":9999999999}}",
	"{\"return\":{\"exited\":true,\"signal\":0}}",
	"{\"return\":{\"exited\":true,\"signal\":4711}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":1}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"a\"}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"a===\"}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"out-data\":\"!!!!\"}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"err-data\":[]}}",
	"{\"return\":{\"exited\":true,\"exitcode\":0,\"err-data\":\"ab=c\"}}",
	"\xff\xff", "{\"return\":{\"pid\":1}", "{\"ret\\u0000urn\":{\"pid\":1}}",
};

static void test_hostile(void)
{
	struct error err;
	int64_t n;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		const char *h = hostile[i];
		int taken = 0;

		err.text[0] = '\0';
		taken += agent_read_pid(h, &n, &err) == 0;
		taken += agent_read_handle(h, &n, &err) == 0;
		taken += agent_read_count(h, &n, &err) == 0;
		taken += agent_read_status(h, &status, &err) == 0;
		ok(taken == 0 && err.text[0], "refused by all: %s", h);
	}
}

static void test_large(void)
{
	static const char head[] = "{\"return\":{\"exited\":true,\"exitcode\":0,"
				   "\"out-data\":\"";
	enum { SIZE = 1 << 20 };
	struct error err;
	char *reply = malloc(SIZE + 200);

	memset(reply, 'A', SIZE + 100);
	memcpy(reply, head, sizeof(head) - 1);
	memcpy(reply + sizeof(head) - 1 + SIZE, "\"}}", 4);
	is_int(agent_read_status(reply, &status, &err), 0, "a megabyte of output is read");
	is_int(status.out_length, AGENT_OUTPUT_MAX, "as far as it may");
	ok(status.truncated, "and called truncated");
	free(reply);
	reply = malloc(AGENT_REPLY_MAX + 100);
	memset(reply, ' ', AGENT_REPLY_MAX + 99);
	memcpy(reply, "{\"return\":1}", 12);
	reply[AGENT_REPLY_MAX + 99] = '\0';
	int64_t handle;
	is_int(agent_read_handle(reply, &handle, &err), -1, "one too long is not: %s",
	       err.text);
	memset(reply, '[', AGENT_REPLY_MAX - 1);
	reply[AGENT_REPLY_MAX - 1] = '\0';
	is_int(agent_read_handle(reply, &handle, &err), -1, "nor one too deep");
	free(reply);
}

/* Changed replies never crash and never give more than fits. */
static void test_mutations(void)
{
	static const char good[] = "{\"return\":{\"exited\":true,\"exitcode\":0,"
				   "\"out-data\":\"aGVsbG8gd29ybGQ=\",\"err-data\":\"b29w\","
				   "\"out-truncated\":false}}";
	struct random r;
	struct error err;
	int taken = 0, refused = 0;

	random_seed(&r, 815);
	for (int i = 0; i < 50000; i++) {
		char text[sizeof(good)];
		int64_t n;

		memcpy(text, good, sizeof(good));
		for (uint64_t k = 1 + random_below(&r, 3); k > 0; k--)
			text[random_below(&r, sizeof(good) - 1)] =
				(char)random_below(&r, 256);
		int rc = agent_read_status(text, &status, &err);
		taken += rc == 0;
		refused += rc < 0;
		if (status.out_length > 12 || status.errout_length > 3)
			ok(false, "too much output from %s", text);
		agent_read_pid(text, &n, &err);
	}
	ok(taken > 0 && refused > 0, "50000 changed replies: %d taken, %d refused",
	   taken, refused);
}

static void test_base64(void)
{
	uint8_t out[8];
	bool cut;

	is_int(agent_base64_decode("", 0, out, 8, &cut), 0, "nothing");
	is_int(agent_base64_decode("AA==", 4, out, 8, &cut), 1, "one byte");
	is_int(agent_base64_decode("AAA=", 4, out, 8, &cut), 2, "two bytes");
	is_int(agent_base64_decode("/+8A", 4, out, 8, &cut), 3, "three bytes");
	ok(out[0] == 0xff && out[1] == 0xef && out[2] == 0, "are right");
	is_int(agent_base64_decode("AAAAAAAAAAAAAAAA", 16, out, 8, &cut), 8,
	       "as many as fit");
	ok(cut, "and said so");
	is_int(agent_base64_decode("A", 1, out, 8, &cut), -1, "a bad length");
	is_int(agent_base64_decode("A=A=", 4, out, 8, &cut), -1, "padding inside");
	is_int(agent_base64_decode("AA A", 4, out, 8, &cut), -1, "a blank");
}

int main(void)
{
	test_commands();
	test_good();
	test_hostile();
	test_large();
	test_mutations();
	test_base64();
	return tap_done();
}
