/* Lines of the control protocol: what is read prints and reads as the same. */
#include <jansson.h>

#include "engine/base/error.h"
#include "engine/wire/control.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct error err = { "" };
	json_t *object = control_parse((const char *)bytes, length, &err);
	size_t printed;

	if (!object) {
		FUZZ_CHECK(err.text[0]);
		return 0;
	}
	char *line = control_print(object, &printed);
	FUZZ_CHECK(line && printed > 0 && line[printed - 1] == '\n');
	if (printed <= CONTROL_LINE_MAX) {
		json_t *again = control_parse(line, printed - 1, &err);

		FUZZ_CHECK(again && json_equal(object, again));
		json_decref(again);
	}
	free(line);
	json_decref(object);
	return 0;
}
