/* The site as the rules role sends it: an error leaves nothing behind. */
#include "engine/base/error.h"
#include "engine/loop/site.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct site_spec spec;
	struct error err = { "" };

	if (site_decode((const char *)bytes, length, &spec, &err) < 0) {
		FUZZ_CHECK(err.text[0] && !spec.pools && !spec.name[0]);
		return 0;
	}
	FUZZ_CHECK(spec.name[0]);
	site_spec_fini(&spec);
	return 0;
}
