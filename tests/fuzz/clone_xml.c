/*
 * An operator's domain as what machines are made from.  What can be cloned
 * gives XML that reads back with the machine's own disks and nothing of the
 * original's: its files, identities, sockets and marks.
 */
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/clone_xml.h"
#include "engine/hypervisor/domain_xml.h"
#include "tests/fuzz/fuzz.h"

#define UUID "12345678-1234-4234-8234-123456789abc"

static const struct host_site site = {
	.site = "lab", .key = "0123456789abcdef0123456789abcdef",
	.key_length = 32,
};

static size_t count(const xmlNode *parent, const char *name)
{
	size_t n = 0;

	for (const xmlNode *at = xml_child(parent, name); at;
	     at = xml_next(at, name))
		n++;
	return n;
}

static void check_devices(xmlNodePtr devices)
{
	for (xmlNodePtr nic = xml_child(devices, "interface"); nic;
	     nic = xml_next(nic, "interface"))
		FUZZ_CHECK(count(nic, "mac") == 1 && !xml_child(nic, "target"));
	for (xmlNodePtr g = xml_child(devices, "graphics"); g;
	     g = xml_next(g, "graphics"))
		FUZZ_CHECK(!xmlHasProp(g, BAD_CAST "port") &&
			   !xmlHasProp(g, BAD_CAST "socket"));
	for (xmlNodePtr v = xml_child(devices, "vsock"); v;
	     v = xml_next(v, "vsock"))
		FUZZ_CHECK(!xml_child(v, "cid") ||
			   !xmlHasProp(xml_child(v, "cid"), BAD_CAST "address"));
}

/* One mark, this machine's. */
static void check_mark(xmlNodePtr root)
{
	struct metadata mark;
	struct error err = { "" };
	int marks = 0;

	for (xmlNodePtr md = xml_child(root, "metadata"); md;
	     md = xml_next(md, "metadata"))
		for (xmlNodePtr at = md->children; at; at = at->next) {
			if (!at->ns || strcmp((const char *)at->ns->href,
					      METADATA_URI) != 0)
				continue;
			xmlBufferPtr text = xmlBufferCreate();

			FUZZ_CHECK(text && xmlNodeDump(text, at->doc, at, 0, 0) > 0);
			FUZZ_CHECK(metadata_verify((const char *)text->content,
						   &site, UUID, &mark, &err));
			FUZZ_CHECK(mark.machine == 7 && mark.incarnation == 3);
			xmlBufferFree(text);
			marks++;
		}
	FUZZ_CHECK(marks == 1);
}

static void check_clone(const char *xml, const struct clone_source *source,
			const struct domain_spec *spec)
{
	struct clone_source again;
	struct error err = { "" };
	char text[64];

	FUZZ_CHECK(clone_read(xml, &again, &err) == 0);
	FUZZ_CHECK(again.disk_count == source->disk_count);
	for (int i = 0; i < again.disk_count; i++)
		FUZZ_CHECK(strcmp(again.disks[i].path, spec->disks[i]) == 0 &&
			   strcmp(again.disks[i].format, "qcow2") == 0);
	FUZZ_CHECK(strcmp(again.nvram, spec->nvram) == 0);
	xmlDocPtr doc = xml_parse(slice_of(xml), &err);
	FUZZ_CHECK(doc);
	xmlNodePtr root = xmlDocGetRootElement(doc);
	FUZZ_CHECK(count(root, "name") == 1 && count(root, "uuid") == 1);
	FUZZ_CHECK(xml_get_text(xml_child(root, "uuid"), text, sizeof(text)) &&
		   strcmp(text, UUID) == 0);
	FUZZ_CHECK(!xml_child(root, "sysinfo") && !xmlHasProp(root, BAD_CAST "id"));
	check_devices(xml_child(root, "devices"));
	check_mark(root);
	xmlFreeDoc(doc);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static bool started;
	static struct clone_source source;
	static struct domain_spec spec;
	struct error err = { "" };
	char *text = malloc(length + 1);

	if (!started)
		xml_init();
	started = true;
	FUZZ_CHECK(text);
	memcpy(text, bytes, length);
	text[length] = '\0';
	spec = (struct domain_spec){
		.kind = HOST_QEMU, .name = "mail-01",
		.mark = { .uuid = UUID, .incarnation = 3, .machine = 7 },
		.template = slice_of(text), .cloned = text,
	};
	if (clone_read(text, &source, &err) < 0) {
		FUZZ_CHECK(err.text[0]);
		free(text);
		return 0;
	}
	FUZZ_CHECK(source.disk_count >= 1 && source.disk_count <= CLONE_DISKS_MAX);
	for (int i = 0; i < source.disk_count; i++) {
		FUZZ_CHECK(source.disks[i].path[0] == '/' &&
			   source.disks[i].format[0]);
		snprintf(spec.disks[spec.disk_count++], DOMAIN_PATH_MAX,
			 "/ours/a&b-%d.qcow2", i);
	}
	if (source.nvram[0])
		TEXT_SET(spec.nvram, "/ours/a&b.fd");
	char *xml = domain_xml_build(&spec, &site, &err);
	if (xml)
		check_clone(xml, &source, &spec);
	else
		FUZZ_CHECK(err.text[0]);
	xmlFree(xml);
	free(text);
	return 0;
}
