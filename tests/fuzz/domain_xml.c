/*
 * Domain XML as a hypervisor shows it: channel ports, and marks of ownership,
 * of which none is ours that this site's key has not signed.
 */
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/domain_xml.h"
#include "engine/hypervisor/metadata.h"
#include "engine/hypervisor/xml.h"
#include "tests/fuzz/fuzz.h"

#define UUID "12345678-1234-4234-8234-123456789abc"

static const struct host_site site = {
	.site = "lab", .key = "0123456789abcdef0123456789abcdef",
	.key_length = 32,
};

static void read_mark(const char *text)
{
	struct metadata mark;
	struct error err = { "" };
	char hmac[METADATA_HMAC_SIZE];

	enum wire_owner owner = metadata_owner(text, &site, UUID, &mark, &err);
	FUZZ_CHECK((owner == WIRE_OWNER_OURS) == !err.text[0]);
	FUZZ_CHECK((owner == WIRE_OWNER_OURS) ==
		   metadata_verify(text, &site, UUID, &mark, &err));
	if (owner == WIRE_OWNER_FOREIGN)
		return;
	/* Whatever names this site speaks of this very domain. */
	FUZZ_CHECK(strcmp(mark.uuid, UUID) == 0 && strstr(text, UUID));
	if (owner == WIRE_OWNER_UNSIGNED)
		return;
	FUZZ_CHECK((owner == WIRE_OWNER_OURS) == !mark.store[0]);
	FUZZ_CHECK(strcmp(mark.uuid, UUID) == 0);
	FUZZ_CHECK(metadata_sign(&site, &mark, hmac, &err) == 0);
	FUZZ_CHECK(strstr(text, hmac) && strstr(text, UUID) &&
		   strstr(text, "lab"));
}

static void read_ports(const char *text)
{
	struct domain_port ports[DOMAIN_CHANNELS_MAX];
	struct error err = { "" };
	int n = domain_xml_read_ports(text, ports, &err);

	FUZZ_CHECK(n <= DOMAIN_CHANNELS_MAX && (n >= 0 || err.text[0]));
	for (int i = 0; i < n; i++)
		FUZZ_CHECK(memchr(ports[i].name, '\0', sizeof(ports[i].name)) &&
			   memchr(ports[i].path, '\0', sizeof(ports[i].path)) &&
			   ports[i].path[0]);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static bool started;
	struct error err = { "" };
	const struct slice text = { (const char *)bytes, (uint32_t)length };

	if (!started)
		xml_init();
	started = true;
	char *copy = strndup((const char *)bytes, length);
	FUZZ_CHECK(copy);
	read_mark(copy);
	read_ports(copy);
	free(copy);
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
