/* Domain XML as a hypervisor shows it: marks of ownership, channel ports. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/xml.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static bool started;
	struct error err = { "" };
	const struct slice text = { (const char *)bytes, (uint32_t)length };

	if (!started)
		xml_init();
	started = true;
	xmlDocPtr doc = xml_parse(text, &err);
	if (!doc) {
		FUZZ_CHECK(err.text[0]);
		return 0;
	}
	xmlNodePtr root = xmlDocGetRootElement(doc);
	char value[16];
	if (xml_get_text(root, value, sizeof(value)))
		FUZZ_CHECK(strlen(value) < sizeof(value));
	xml_get_attribute(root, "type", value, sizeof(value));
	xml_path(root, "devices/channel");
	xmlFreeDoc(doc);
	return 0;
}
