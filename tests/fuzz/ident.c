/*
 * RFC 1413: the first byte says how long the user's name is, the rest is the
 * name and a query.  What is taken are two decimal ports and a comma; an
 * answer is one line that reads back, whatever the user is called.
 */
#include <string.h>

#include "engine/wire/ident.h"
#include "tests/fuzz/fuzz.h"

/* digits, blanks around them; nothing else up to end. */
static const char *skip_number(const char *at, const char *end, uint16_t want)
{
	unsigned long n = 0;
	int digits = 0;

	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	for (; at < end && *at >= '0' && *at <= '9'; at++, digits++)
		n = n * 10 + (unsigned long)(*at - '0');
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	FUZZ_CHECK(digits >= 1 && digits <= 5 && n == want && want > 0);
	return at;
}

static void check_answer(uint16_t own, uint16_t other, const char *user)
{
	char line[IDENT_ANSWER_MAX];
	uint16_t a, b;
	size_t n = ident_answer(line, sizeof(line), own, other, user);

	FUZZ_CHECK(n < sizeof(line));
	if (!n) {
		FUZZ_CHECK(user && (!*user || strpbrk(user, ":\r\n \t") ||
				    strlen(user) > 255));
		return;
	}
	FUZZ_CHECK(n >= 2 && memchr(line, '\r', n) == line + n - 2 &&
		   memchr(line, '\n', n) == line + n - 1);
	const char *colon = memchr(line, ':', n);
	FUZZ_CHECK(colon && ident_parse((struct slice){ line,
				(uint32_t)(colon - line) }, &a, &b) == 0);
	FUZZ_CHECK(a == own && b == other);
	const char *last = memrchr(line, ':', n);
	if (user)
		FUZZ_CHECK(last[1] == ' ' && (size_t)(line + n - 2 - last) ==
						     strlen(user) + 2 &&
			   memcmp(last + 2, user, strlen(user)) == 0);
	else
		FUZZ_CHECK(memmem(line, n, "ERROR : NO-USER", 15));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	uint16_t own = 0, other = 0;
	char user[256];

	if (length < 1)
		return 0;
	size_t name = bytes[0] < length - 1 ? bytes[0] : length - 1;
	memcpy(user, bytes + 1, name);
	user[name] = '\0';
	const char *at = (const char *)bytes + 1 + name;
	const char *end = (const char *)bytes + length;
	struct slice line = { at, (uint32_t)(end - at) };

	check_answer(113, 65535, user);
	if (ident_parse(line, &own, &other) < 0)
		return 0;
	at = skip_number(at, end, own);
	FUZZ_CHECK(at < end && *at == ',');
	FUZZ_CHECK(skip_number(at + 1, end, other) == end);
	check_answer(own, other, NULL);
	check_answer(own, other, user);
	return 0;
}
