/* The texts of a site as one: what goes in comes out, and nothing else does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/random.h"
#include "engine/loop/source.h"
#include "tests/tap.h"

static void test_round_trip(void)
{
	static const char *const texts[][2] = {
		{ "site.lua", "site \"x\" { }\n" },
		{ "applications.mail", "" },
		{ "a 12", "12 3\nnot a head\n" },
		{ "last", "no newline at the end" },
	};
	struct source s = { NULL, 0 };
	struct slice name, body;
	size_t at = 0, n = 0;

	ok(!source_next(s.text, s.length, &at, &name, &body), "nothing yet");
	for (size_t i = 0; i < 4; i++)
		source_add(&s, texts[i][0], texts[i][1], strlen(texts[i][1]));
	source_add(&s, "last", "another", 7);
	while (source_next(s.text, s.length, &at, &name, &body)) {
		ok(n < 4 && slice_is(name, texts[n][0]) &&
		   slice_is(body, texts[n][1]), "text %zu comes back", n);
		n++;
	}
	is_int(n, 4, "four texts: a name that is there stays");
	is_int(strlen(s.text), s.length, "one text with its end");
	source_clear(&s);
	ok(!s.text && !s.length, "cleared");
}

/* Whatever a damaged store says, nothing is read outside of it. */
static void test_damage(void)
{
	struct random rnd;
	struct source s = { NULL, 0 };
	bool inside = true;

	random_seed(&rnd, 7);
	source_add(&s, "site.lua", "pool \"a\" { }\n", 13);
	source_add(&s, "m", "return 1\n", 9);
	for (int round = 0; round < 20000; round++) {
		size_t length = random_below(&rnd, (uint32_t)s.length + 1);
		char *bad = malloc(length + 1);
		struct slice name, body;
		size_t at = 0;

		memcpy(bad, s.text, length);
		if (length)
			bad[random_below(&rnd, (uint32_t)length)] =
				(char)random_u64(&rnd);
		while (source_next(bad, length, &at, &name, &body))
			inside = inside && at <= length && name.ptr >= bad &&
				 body.ptr + body.length <= bad + length;
		free(bad);
	}
	ok(inside, "20000 damaged texts are read within their bounds");
	size_t at = 0;
	struct slice name, body;
	ok(!source_next("a 99999999999\nx\n", 16, &at, &name, &body),
	   "a length that cannot be");
	source_clear(&s);
}

int main(void)
{
	test_round_trip();
	test_damage();
	return tap_done();
}
