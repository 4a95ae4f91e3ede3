/* RFC 1413 queries and answers. */
#include "engine/wire/ident.h"
#include "tests/tap.h"

static void good(const char *line, unsigned own, unsigned other)
{
	uint16_t a = 0, b = 0;

	is_int(ident_parse(slice_of(line), &a, &b), 0, "\"%s\" is a query", line);
	ok(a == own && b == other, "of %u and %u", own, other);
}

static void bad(const char *line)
{
	uint16_t a, b;

	is_int(ident_parse(slice_of(line), &a, &b), -1, "\"%s\" is none", line);
}

int main(void)
{
	char out[IDENT_ANSWER_MAX];
	uint16_t a, b;

	good("6191, 23", 6191, 23);
	good("6191,23", 6191, 23);
	good(" 1 \t,  65535 ", 1, 65535);
	bad("");
	bad("6191");
	bad("6191,");
	bad(",23");
	bad("0, 23");
	bad("23, 0");
	bad("65536, 23");
	bad("000023, 23");
	bad("99999999999999, 1");
	bad("-1, 23");
	bad("+1, 23");
	bad("1, 2, 3");
	bad("1, 2 x");
	bad("1 2");
	is_int(ident_parse((struct slice){ "1,2\0", 4 }, &a, &b), -1,
	       "nor with a NUL");
	is_int(ident_answer(out, sizeof(out), 6191, 23, "anna"), 34,
	       "an answer's length");
	is_text(out, "6191 , 23 : USERID : UNIX : anna\r\n", "with the user");
	ident_answer(out, sizeof(out), 6191, 23, "ben@example.org");
	is_text(out, "6191 , 23 : USERID : UNIX : ben@example.org\r\n",
		"mail addresses are users");
	ident_answer(out, sizeof(out), 1, 2, NULL);
	is_text(out, "1 , 2 : ERROR : NO-USER\r\n", "or with nobody");
	is_int(ident_answer(out, sizeof(out), 1, 2, "a\r\nb"), 0,
	       "never two lines");
	is_int(ident_answer(out, sizeof(out), 1, 2, ""), 0, "nor an empty name");
	is_int(ident_answer(out, 10, 1, 2, "anna"), 0, "nor half an answer");
	return tap_done();
}
