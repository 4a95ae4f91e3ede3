/* Calendar entries: what is read stays within its bounds, what is not has words. */
#include <stdbool.h>
#include <string.h>

#include "engine/base/schedule.h"
#include "engine/base/error.h"
#include "tests/fuzz/fuzz.h"

static void check(const char *text, bool every)
{
	struct schedule s;
	struct error err = { "" };

	if ((every ? schedule_parse_every(text, &s, &err) :
		     schedule_parse_on(text, &s, &err)) < 0) {
		FUZZ_CHECK(err.text[0]);
		return;
	}
	FUZZ_CHECK(!(s.months & ~0x1ffe) && !(s.weekdays & ~0x7f));
	FUZZ_CHECK(s.from_minute < 1440 && s.until_minute <= 1440);
	FUZZ_CHECK(s.from_day <= s.until_day);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	char text[300];

	if (length >= sizeof(text) || memchr(bytes, 0, length))
		return 0;
	memcpy(text, bytes, length);
	text[length] = '\0';
	check(text, true);
	check(text, false);
	return 0;
}
