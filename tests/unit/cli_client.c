/*
 * The client's reader and writer, against the other end of a socket pair: lines
 * in pieces, several at once, too long, bad, cut off; output that nobody reads.
 */
#include "console/client.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/wire/control.h"
#include "tests/tap.h"

static const char hello[] = "{\"hello\":\"remuda\",\"api\":1,\"rights\":"
			    "\"change\",\"pid\":1}\n";

static void say(int fd, const char *text)
{
	if (write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		tap_bail("write: %s", strerror(errno));
}

/* A client that has had its hello; returns the engine's end. */
static int connected(struct client *c)
{
	struct error err = { "" };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
		tap_bail("socketpair: %s", strerror(errno));
	say(pair[1], hello);
	client_init(c);
	if (client_adopt(c, pair[0], 1000, &err))
		tap_bail("adopt: %s", err.text);
	return pair[1];
}

static int64_t number_of(json_t *line)
{
	int64_t n = json_integer_value(json_object_get(line, "n"));

	json_decref(line);
	return n;
}

static void test_pieces(void)
{
	struct error err = { "" };
	struct client c;
	json_t *line;
	int engine = connected(&c);

	ok(client_may_change(&c), "rights of the hello");
	is_int(client_receive(&c, &line, &err), 0, "nothing there");
	say(engine, "{\"n\":");
	is_int(client_receive(&c, &line, &err), 0, "half a line is none");
	say(engine, "1}\n{\"n\":2}\n{\"n\":3");
	is_int(client_receive(&c, &line, &err), 1, "the first line");
	is_int(number_of(line), 1, "its number");
	is_int(client_receive(&c, &line, &err), 1, "the second line");
	is_int(number_of(line), 2, "its number");
	is_int(client_receive(&c, &line, &err), 0, "the third is half");
	say(engine, "}\n");
	close(engine);
	is_int(client_receive(&c, &line, &err), 1, "now it is whole");
	is_int(number_of(line), 3, "its number");
	is_int(client_receive(&c, &line, &err), -1, "then the end");
	is_int(c.trouble, CLIENT_UNREACHABLE, "the engine went away");
	is_int(c.fd, -1, "the client is closed");
	is_int(client_receive(&c, &line, &err), -1, "and stays closed");
	client_close(&c);
}

static void test_bad_line(void)
{
	struct error err = { "" };
	struct client c;
	json_t *line;
	int engine = connected(&c);

	say(engine, "{\"n\":1,\"n\":2}\n");
	is_int(client_receive(&c, &line, &err), -1, "a key given twice");
	ok(strstr(err.text, "duplicate") != NULL, "says so");
	is_int(c.trouble, CLIENT_PROTOCOL, "is a breach of the protocol");
	close(engine);
	client_close(&c);
}

/* A child writes more than a line may have; we must stop in time. */
static void test_too_long(void)
{
	struct error err = { "" };
	struct client c;
	json_t *line;
	int engine = connected(&c), got;
	pid_t pid = fork();

	if (pid == 0) {
		char chunk[65536];

		client_close(&c);
		memset(chunk, 'x', sizeof(chunk));
		for (int i = 0; i < 1000; i++)
			if (send(engine, chunk, sizeof(chunk), MSG_NOSIGNAL) < 0)
				_exit(0);
		_exit(1);
	}
	close(engine);
	got = client_wait(&c, &line, 10000, &err);
	is_int(got, -1, "a line without end");
	ok(strstr(err.text, "more than 1048576") != NULL, "%s", err.text);
	ok(c.in_size < 4u * CONTROL_LINE_MAX, "%zu bytes were kept", c.in_size);
	client_close(&c);
	waitpid(pid, &got, 0);
	is_int(got, 0, "the writer was cut off");
}

static void test_unread(void)
{
	struct error err = { "" };
	struct client c;
	int engine = connected(&c), lines = 0;
	char *text = calloc(1, 100000);

	memset(text, 'a', 99999);
	while (lines < 1000 &&
	       client_send(&c, json_pack("{s:s}", "text", text), &err) >= 0)
		lines++;
	ok(lines > 10 && lines < 1000, "%d lines before: %s", lines, err.text);
	is_int(c.trouble, CLIENT_TIMEOUT, "nobody reads");
	is_int(c.fd, -1, "the client is closed");
	free(text);
	close(engine);
	client_close(&c);
}

/* Answers in parts, other lines in between, ids that are not ours. */
static void test_call(void)
{
	struct error err = { "" };
	struct client c;
	json_t *answer;
	int engine = connected(&c);

	say(engine, "{\"topic\":\"tick\"}\n{\"id\":9,\"ok\":true}\n"
		    "{\"id\":1,\"ok\":true,\"more\":true,\"kind\":\"k\","
		    "\"items\":[{\"n\":1},{\"n\":2}]}\n"
		    "{\"topic\":\"tick\"}\n"
		    "{\"id\":1,\"ok\":true,\"more\":true,\"kind\":\"k\","
		    "\"items\":[]}\n"
		    "{\"id\":1,\"ok\":true,\"kind\":\"k\","
		    "\"items\":[{\"n\":3}]}\n");
	answer = client_call(&c, json_pack("{s:s}", "verb", "x.list"), 1000,
			     &err);
	ok(answer != NULL, "answered: %s", err.text);
	is_int(json_array_size(json_object_get(answer, "items")), 3,
	       "three items of three parts");
	is_int(number_of(json_incref(json_array_get(
		       json_object_get(answer, "items"), 2))), 3,
	       "in their order");
	ok(!json_object_get(answer, "more"), "and no more");
	json_decref(answer);
	say(engine, "{\"id\":2,\"ok\":1}\n");
	answer = client_call(&c, json_pack("{s:s}", "verb", "x"), 1000, &err);
	ok(!answer && c.trouble == CLIENT_PROTOCOL, "ok has to be a boolean");
	close(engine);
	client_close(&c);
}

static void test_timeout(void)
{
	struct error err = { "" };
	struct client c;
	int engine = connected(&c);

	ok(!client_call(&c, json_pack("{s:s}", "verb", "x"), 20, &err),
	   "no answer");
	is_int(c.trouble, CLIENT_TIMEOUT, "in time");
	close(engine);
	ok(!client_call(&c, json_pack("{s:s}", "verb", "x"), 1000, &err),
	   "no engine");
	is_int(c.trouble, CLIENT_UNREACHABLE, "went away");
	client_close(&c);
}

static void test_hello(void)
{
	static const struct {
		const char *line;
		enum client_trouble trouble;
	} cases[] = {
		{ "{\"hello\":\"postfix\"}\n", CLIENT_PROTOCOL },
		{ "{\"api\":1}\n", CLIENT_PROTOCOL },
		{ "220 smtp\n", CLIENT_PROTOCOL },
		{ "", CLIENT_TIMEOUT },
	};
	struct error err = { "" };
	struct client c;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int pair[2];

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
			tap_bail("socketpair: %s", strerror(errno));
		say(pair[1], cases[i].line);
		client_init(&c);
		is_int(client_adopt(&c, pair[0], 30, &err), -1,
		       "no hello: \"%.8s\"", cases[i].line);
		is_int(c.trouble, cases[i].trouble, "its trouble");
		client_close(&c);
		close(pair[1]);
	}
	client_init(&c);
	is_int(client_connect(&c, "/nonexistent/socket", 100, &err), -1,
	       "no socket: %s", err.text);
	is_int(c.trouble, CLIENT_UNREACHABLE, "is unreachable");
	client_close(&c);
}

int main(void)
{
	test_pieces();
	test_bad_line();
	test_too_long();
	test_unread();
	test_call();
	test_timeout();
	test_hello();
	return tap_done();
}
