/* PROXY v2 headers: what decodes lies inside the input. */
#include "engine/base/error.h"
#include "engine/wire/proxy_v2.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct proxy_v2_info info;
	struct error err = { "" };
	int n = proxy_v2_decode(bytes, length, &info, &err);

	FUZZ_CHECK(n <= (int)length);
	if (n <= 0)
		return 0;
	const struct slice texts[] = { info.authority, info.unique_id,
		info.listener, info.application, info.incarnation };
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		FUZZ_CHECK(texts[i].length == 0 ||
			   ((const uint8_t *)texts[i].ptr >= bytes &&
			    (const uint8_t *)texts[i].ptr + texts[i].length <=
				    bytes + n));
	return 0;
}
