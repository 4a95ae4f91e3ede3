/*
 * Tokens: good for their user, application and time; one that works once is
 * spent with its session's commit and by nobody else before or after (S17).
 */
#include "engine/core/admit.h"
#include "tests/unit/core_lab.h"

static const char *hash(char c)
{
	static char text[4][SITE_HASH_SIZE];
	static int next;
	char *out = text[next++ % 4];

	memset(out, c, SITE_HASH_SIZE - 1);
	return out;
}

static void create(struct lab *lab, char c, const char *user, bool once,
		   int64_t ms, const char *application)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_COMMAND,
		.command = { .verb = COMMAND_TOKEN_CREATE, .once = once,
			     .name = slice_of(user), .who = SLICE("root"),
			     .hash = slice_of(hash(c)), .ms = ms,
			     .application = slice_of(application) } });
}

static void ask(struct lab *lab, uint64_t conn, const char *user, char c)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = SLICE("door"),
			     .application = SLICE("mail"), .nonce = conn,
			     .user = slice_of(user), .wait_ms = -1,
			     .token = slice_of(hash(c)) } });
}

static const char *said(struct lab *lab)
{
	const struct effect *e = lab_effect(lab, EFFECT_REFUSE);

	return e ? e->text.ptr : "";
}

static void open_lab(struct lab *lab)
{
	lab_defaults(lab);
	lab->limit = 9;
	lab->pool.serve = lab->pool.max = 3;
	lab->app.agent = false;
	lab_open(lab);
}

static void boot(struct lab *lab, const char *name)
{
	lab_done(lab, lab_machine(lab, name)->call, CALL_OK, false);
}

static void test_once(void)
{
	struct lab lab;

	open_lab(&lab);
	create(&lab, 'a', "ann", true, 0, "");
	ok(lab_effect(&lab, EFFECT_REPLY)->ok, "a token is made");
	is_int(lab_count(&lab, EFFECT_SAVE_TOKEN), 1, "and saved");
	ask(&lab, 1, "ann", 'a');
	is_text(refusal_of(&lab), "not refused", "a request waits with it");
	ask(&lab, 2, "ann", 'a');
	is_text(refusal_of(&lab), "not_authenticated", "a second does not");
	ok(strstr(said(&lab), "waits with this token"), "and hears why");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 1 } });
	ask(&lab, 3, "ann", 'a');
	is_text(refusal_of(&lab), "not refused", "until the first has left");
	boot(&lab, "mail-01");
	ok(lab_effect(&lab, EFFECT_ASSIGN), "it has its machine");
	is_int(lab_count(&lab, EFFECT_SAVE_TOKEN), 1,
	       "and the token is spent in the same turn's commit");
	ok(lab_effect(&lab, EFFECT_SAVE_TOKEN)->row->token.used_wall_ms > 0,
	   "with the time");
	ask(&lab, 4, "ann", 'a');
	ok(strstr(said(&lab), "has been used"), "then it is good for nothing");
	lab_close(&lab);
}

static void test_bounds(void)
{
	struct lab lab;

	open_lab(&lab);
	create(&lab, 'b', "ann", false, 60000, "");
	ask(&lab, 1, "ann", 'b');
	ask(&lab, 2, "ann", 'b');
	is_text(refusal_of(&lab), "not refused", "one for a time works often");
	ask(&lab, 3, "ben", 'b');
	is_text(refusal_of(&lab), "not_authenticated", "for its user only");
	lab_wait(&lab, 60000);
	ask(&lab, 4, "ann", 'b');
	ok(strstr(said(&lab), "expired"), "and not longer");
	create(&lab, 'c', "ann", false, 0, "chess");
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "an application that is not there");
	create(&lab, 'c', "zoe", false, 0, "");
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "a user who is not there");
	ask(&lab, 5, "ann", 'd');
	is_text(refusal_of(&lab), "not_authenticated", "a token nobody made");
	lab_close(&lab);
}

static void test_delete(void)
{
	struct lab lab;

	open_lab(&lab);
	create(&lab, 'e', "ann", false, 0, "");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_COMMAND,
		.command = { .verb = COMMAND_TOKEN_DELETE,
			     .name = SLICE("eeee"), .who = SLICE("root") } });
	ok(lab_effect(&lab, EFFECT_DELETE_TOKEN), "deleted by its first digits");
	ask(&lab, 1, "ann", 'e');
	is_text(refusal_of(&lab), "not_authenticated", "and not good any more");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){
		.kind = EVENT_COMMAND,
		.command = { .verb = COMMAND_TOKEN_DELETE, .name = SLICE("ee"),
			     .who = SLICE("root") } });
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "two digits name none");
	lab_close(&lab);
}

static void test_restart(void)
{
	struct lab lab;
	struct token_row tokens[2] = {
		{ .once = true, .used_wall_ms = 5 },
		{ .expires_wall_ms = 1700000000000 + 61000 },
	};
	struct world_rows rows = { .tokens = tokens, .token_count = 2 };

	for (int i = 0; i < 2; i++) {
		TEXT_SET(tokens[i].hash, hash((char)('a' + i)));
		TEXT_SET(tokens[i].user, "ann");
	}
	lab_defaults(&lab);
	lab_open_with(&lab, &rows);
	ask(&lab, 1, "ann", 'a');
	ok(strstr(said(&lab), "has been used"), "a spent one stays spent");
	ask(&lab, 2, "ann", 'b');
	is_text(refusal_of(&lab), "not refused", "a good one is good");
	lab_wait(&lab, 60000);
	ask(&lab, 3, "ann", 'b');
	ok(strstr(said(&lab), "expired"), "for the rest of its time");
	lab_close(&lab);
}

int main(void)
{
	test_once();
	test_bounds();
	test_delete();
	test_restart();
	return tap_done();
}
