/*
 * Domain XML against nasty text: whatever goes in, the tree keeps its shape
 * and the text comes back as it was, or it is refused with a reason.  And the
 * signed mark: nothing of it can be changed, moved or left out.
 */
#include "engine/hypervisor/domain_xml.h"

#include <libxml/parser.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/random.h"
#include "engine/hypervisor/xml.h"
#include "engine/wire/message.h"
#include "tests/tap.h"

#define UUID "12345678-1234-4234-8234-123456789abc"
#define OTHER "12345678-1234-4234-8234-123456789abd"

static const struct host_site site = {
	.site = "lab", .key = "0123456789abcdef0123456789abcdef",
	.key_length = 32,
};

static const char *const nasty[] = {
	"", " ", "plain", "a b", "'", "\"", "<", ">", "&", "&amp;", "&#0;", "&#x41;",
	"]]>", "<![CDATA[x]]>", "<!-- x -->", "<?xml version='1.0'?>", "</cmdline>",
	"</cmdline><kernel>/etc/shadow</kernel><cmdline>", "'/><devices/>",
	"\" onload=\"x", "\t", "\n", "\r", "\r\n", "a\tb\nc\rd", "\x01", "\x1f",
	"\x7f", "\x80", "\xc0\x80", "\xc3\x28", "\xe2\x82", "\xed\xa0\x80",
	"\xef\xbf\xbe", "\xef\xbf\xbf", "\xf4\x90\x80\x80", "\xf0\x9f\x98\x80",
	"\xc2\x85", "\xe2\x80\xa8", "\xef\xbb\xbf", "%s%n", "${HOME}", "$(id)",
	"../../etc/passwd", "a,b", "a=b,c=d", "-append", ("\xe2\x80\xae" "abc"),
};

static const struct wire_domain_create plain = {
	.machine = 7, .name = SLICE("mail-01"), .uuid = SLICE(UUID), .vcpus = 1,
	.memory_mib = 128, .kernel = SLICE("/boot/vmlinuz"),
	.initrd = SLICE("/boot/initrd.img"), .cmdline = SLICE("quiet"),
	.channels = SLICE("remuda.app"), .volume = SLICE("/data.raw"),
};

/* Elements of the tree, depth first, names only: its shape. */
static void shape(const xmlNode *node, char *out, size_t size)
{
	for (; node; node = node->next) {
		size_t n = strlen(out);

		if (node->type != XML_ELEMENT_NODE)
			continue;
		snprintf(out + n, size - n, "(%s", (const char *)node->name);
		shape(node->children, out, size);
		n = strlen(out);
		snprintf(out + n, size - n, ")");
	}
}

/* Builds; NULL when refused (which must say why). */
static xmlDocPtr build(const struct wire_domain_create *c, struct error *err)
{
	struct domain_spec spec = { .kind = HOST_QEMU };

	err->text[0] = '\0';
	if (domain_spec_read(&spec, c, 3, err) < 0)
		return NULL;
	char *xml = domain_xml_build(&spec, &site, err);
	if (!xml)
		return NULL;
	xmlDocPtr doc = xml_parse(slice_of(xml), err);
	if (!doc)
		printf("# does not parse: %s\n# %s\n", err->text, xml);
	xmlFree(xml);
	if (!doc)
		error_set(err, "BROKEN");
	return doc;
}

struct place {
	const char *name;
	size_t offset;		/* of the slice in the message */
	const char *path;	/* of the element that carries it */
	const char *attribute;	/* or NULL: its text */
	const char *prefix;	/* makes a path of it */
};

#define AT(field) offsetof(struct wire_domain_create, field)

static const struct place places[] = {
	{ "cmdline", AT(cmdline), "os/cmdline", NULL, "x" },
	{ "kernel", AT(kernel), "os/kernel", NULL, "/" },
	{ "initrd", AT(initrd), "os/initrd", NULL, "/" },
	{ "volume", AT(volume), "devices/disk/source", "file", "/" },
	{ "name", AT(name), "name", NULL, "" },
	{ "uuid", AT(uuid), "uuid", NULL, "" },
	{ "channels", AT(channels), NULL, NULL, "" },
};

/* One text in one place; 1: carried, 0: refused, -1: broken. */
static int try_text(const struct place *place, const char *text, size_t length,
		    const char *want_shape)
{
	struct wire_domain_create c = plain;
	struct error err;
	char buffer[600], have[16384] = "", tree[16384] = "";

	snprintf(buffer, sizeof(buffer), "%s", place->prefix);
	size_t n = strlen(buffer);
	memcpy(buffer + n, text, length);
	struct slice s = { buffer, (uint32_t)(n + length) };
	memcpy((char *)&c + place->offset, &s, sizeof(s));
	xmlDocPtr doc = build(&c, &err);
	if (!doc)
		return err.text[0] && strcmp(err.text, "BROKEN") != 0 ? 0 : -1;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xmlNodePtr at = place->path ? xml_path(root, place->path) : NULL;
	bool same = !place->path ||
		    ((place->attribute ?
			     xml_get_attribute(at, place->attribute, have, sizeof(have)) :
			     xml_get_text(at, have, sizeof(have))) &&
		     slice_is(s, have));
	shape(root, tree, sizeof(tree));
	/* Channels change the tree by whole channels only. */
	bool kept = !place->path || strcmp(tree, want_shape) == 0;
	xmlFreeDoc(doc);
	if (!same || !kept)
		printf("# %s: got \"%s\" want \"%.*s\"\n# %s\n", place->name, have,
		       (int)s.length, s.ptr, tree);
	return same && kept ? 1 : -1;
}

static size_t random_text(struct random *r, char *out, size_t size)
{
	static const char *const pieces[] = {
		"<", "<", ">", "&", "'", "\"", "/", "=", ";", "#", "x", "!", "--",
		"[", "]", "?", " ", "\t", "\n", "\r", "a", "0", "&lt;", "\xc3\xa4",
		"\xe2\x82\xac", "\xf0\x9f\x98\x80", "\xef\xbf\xbd", "\xc2\x80",
	};
	size_t want = random_below(r, size - 4), n = 0;

	while (n < want) {
		const char *piece = pieces[random_below(r, sizeof(pieces) /
							   sizeof(pieces[0]))];

		memcpy(out + n, piece, strlen(piece));
		n += strlen(piece);
	}
	/* Now and then something that is no text at all. */
	if (n > 0 && random_chance(r, 30))
		out[random_below(r, n)] = (char)(1 + random_below(r, 255));
	return n;
}

static void test_texts(void)
{
	char want[16384] = "", text[200];
	struct error err;
	struct random r;
	xmlDocPtr doc = build(&plain, &err);

	ok(doc != NULL, "the plain machine builds (%s)", err.text);
	shape(xmlDocGetRootElement(doc), want, sizeof(want));
	xmlFreeDoc(doc);
	random_seed(&r, 4711);
	for (size_t p = 0; p < sizeof(places) / sizeof(places[0]); p++) {
		int carried = 0, refused = 0, broken = 0;

		for (int i = 0; i < 3000; i++) {
			const char *t = text;
			size_t n = sizeof(nasty) / sizeof(nasty[0]);
			size_t length;

			if ((size_t)i < n) {
				t = nasty[i];
				length = strlen(t);
			} else {
				length = random_text(&r, text, sizeof(text));
			}
			int got = try_text(&places[p], t, length, want);
			carried += got > 0;
			refused += got == 0;
			broken += got < 0;
		}
		is_int(broken, 0, "%s: 3000 nasty texts, %d carried, %d refused",
		       places[p].name, carried, refused);
		/* No random text is a uuid. */
		ok(refused > 0 && (carried > 0 || places[p].offset == AT(uuid)),
		   "%s: both ways were taken", places[p].name);
	}
}

static void expect_spec(struct wire_domain_create c, const char *words,
			const char *what)
{
	struct error err;
	xmlDocPtr doc = build(&c, &err);

	ok(!doc && strstr(err.text, words), "%s: %s", what, err.text);
	xmlFreeDoc(doc);
}

static void test_refusals(void)
{
	static char longer[5000];
	struct wire_domain_create c = plain;

	memset(longer, 'a', sizeof(longer));
	longer[0] = '/';
	c.kernel = (struct slice){ longer, sizeof(longer) };
	expect_spec(c, "kernel is longer", "a path too long");
	c.kernel = SLICE("relative");
	expect_spec(c, "not an absolute path", "a relative path");
	c = plain;
	c.kernel = SLICE("");
	c.initrd = SLICE("");
	expect_spec(c, "template or a kernel", "nothing to boot");
	c = plain;
	c.channels = SLICE("a,b,c,d,e,f,g,h,i");
	expect_spec(c, "more than", "too many channels");
	c.channels = SLICE("a,,b");
	expect_spec(c, "channel's name", "an empty channel");
	c = plain;
	c.memory_mib = 0;
	expect_spec(c, "memory", "no memory");
	c.memory_mib = UINT64_MAX;
	expect_spec(c, "memory", "too much memory");
	c = plain;
	c.vcpus = UINT32_MAX;
	expect_spec(c, "vcpus", "too many processors");
}

static int count_of(xmlNodePtr parent, const char *name)
{
	int n = 0;

	for (xmlNodePtr at = xml_child(parent, name); at; at = xml_next(at, name))
		n++;
	return n;
}

/* A machine that may grow, from nothing and from a template. */
static void test_growth(void)
{
	struct wire_domain_create c = plain;
	struct error err;
	char text[64] = "";

	for (int from_template = 0; from_template < 2; from_template++) {
		c.max_vcpus = 4;
		c.max_memory_mib = 512;
		if (from_template)
			c.template = slice_of("<domain><currentMemory>1</currentMemory>"
				"<vcpu current='7'>8</vcpu><vcpus><vcpu id='0' enabled='yes'/></vcpus>"
				"<devices><memballoon model='none'/></devices></domain>");
		xmlDocPtr doc = build(&c, &err);
		xmlNodePtr root = doc ? xmlDocGetRootElement(doc) : NULL;
		ok(root != NULL, "a machine that may grow builds (%s)", err.text);
		if (!root)
			return;
		xml_get_text(xml_child(root, "memory"), text, sizeof(text));
		is_text(text, "512", "its memory is what it may have");
		xml_get_text(xml_child(root, "currentMemory"), text, sizeof(text));
		is_text(text, "128", "it has less");
		xml_get_text(xml_child(root, "vcpu"), text, sizeof(text));
		is_text(text, "4", "and four places for processors");
		xml_get_attribute(xml_child(root, "vcpu"), "current", text, sizeof(text));
		is_text(text, "1", "one is there");
		is_int(count_of(root, "vcpu"), 1, "said once");
		is_int(count_of(xml_child(root, "vcpus"), "vcpu"), 4, "each has its place");
		xmlNodePtr balloon = xml_path(root, "devices/memballoon");
		xml_get_attribute(balloon, "model", text, sizeof(text));
		is_text(text, "virtio", "a balloon takes the rest");
		is_int(count_of(xml_child(root, "devices"), "memballoon"), 1, "one");
		xmlFreeDoc(doc);
	}
	c = plain;
	c.max_vcpus = 4;
	c.vcpus = 5;
	expect_spec(c, "cannot grow", "less than it has");
	c = plain;
	c.max_memory_mib = 64;
	expect_spec(c, "cannot grow", "less memory than it has");
}

static const char template_xml[] =
	"<domain type='kvm' id='9' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>"
	"<name>original</name><uuid>" OTHER "</uuid>"
	"<metadata><other:x xmlns:other='urn:x'/>"
	"<r:machine xmlns:r='https://remuda.example/1' site='evil'/></metadata>"
	"<memory unit='GiB'>4</memory><currentMemory unit='GiB'>2</currentMemory>"
	"<vcpu>4</vcpu><cpu mode='host-passthrough'/><os><type>hvm</type></os>"
	"<on_reboot>restart</on_reboot>"
	"<devices><interface type='network'><mac address='52:54:00:00:00:01'/>"
	"<source network='default'/></interface>"
	"<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
	"</devices><qemu:commandline><qemu:arg value='-S'/></qemu:commandline></domain>";

static void test_template(void)
{
	struct wire_domain_create c = plain;
	struct error err;
	char text[64] = "";

	c.template = SLICE(template_xml);
	xmlDocPtr doc = build(&c, &err);
	ok(doc != NULL, "a template builds (%s)", err.text);
	if (!doc)
		return;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	xmlNodePtr devices = xml_child(root, "devices");
	ok(!xml_get_attribute(root, "id", text, sizeof(text)), "its id is dropped");
	xml_get_attribute(root, "type", text, sizeof(text));
	is_text(text, "qemu", "without KVM it is emulated");
	ok(!xml_child(root, "cpu"), "and the processor that needs KVM dropped");
	xml_get_text(xml_child(root, "name"), text, sizeof(text));
	is_text(text, "mail-01", "it has the machine's name");
	xml_get_text(xml_child(root, "uuid"), text, sizeof(text));
	is_text(text, UUID, "and uuid");
	xml_get_text(xml_child(root, "memory"), text, sizeof(text));
	is_text(text, "128", "and memory");
	ok(!xml_child(root, "currentMemory"), "all of it");
	xml_get_text(xml_child(root, "on_reboot"), text, sizeof(text));
	is_text(text, "destroy", "a reboot ends it");
	is_int(count_of(xml_child(root, "metadata"), NULL), 2,
	       "one foreign mark is kept, one of ours replaced");
	is_int(count_of(devices, "channel"), 2, "the agent's port is there once");
	xmlNodePtr mac = xml_path(devices, "interface/mac");
	ok(mac && xml_get_attribute(mac, "address", text, sizeof(text)) &&
	   strncmp(text, "52:", 3) == 0 && strcmp(text, "52:54:00:00:00:01") != 0 &&
	   xml_path(devices, "interface/source"),
	   "the network card has the machine's own address, %s", text);
	is_int(count_of(root, "commandline"), 1, "the rest stays");
	xmlFreeDoc(doc);
	c.template = SLICE("<domain/>");
	doc = build(&c, &err);
	ok(doc != NULL, "the emptiest template builds (%s)", err.text);
	xmlFreeDoc(doc);
}

static void test_hostile_xml(void)
{
	static const char *const hostile[] = {
		"", "x", "<", "<domain>", "<domain></domain><domain/>",
		"<!DOCTYPE domain><domain/>",
		"<!DOCTYPE d [<!ENTITY a SYSTEM 'file:///etc/passwd'>]><domain>&a;</domain>",
		"<!DOCTYPE d [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;&a;'>]><domain>&b;</domain>",
		"<domain>&undefined;</domain>", "<domain a='1' a='2'/>", "\xff\xfe",
		"<network/>",
	};
	struct wire_domain_create c = plain;
	int refused = 0;

	for (size_t i = 0; i < sizeof(hostile) / sizeof(hostile[0]); i++) {
		struct error err;

		c.template = slice_of(hostile[i]);
		if (!hostile[i][0])
			c.template = SLICE(" ");
		xmlDocPtr doc = build(&c, &err);
		refused += !doc && err.text[0];
		if (doc)
			tap_note("taken: %s", hostile[i]);
		xmlFreeDoc(doc);
	}
	is_int(refused, sizeof(hostile) / sizeof(hostile[0]),
	       "every hostile template is refused");
}

/* The mark as libvirt hands it out. */
static char *mark_at(const struct host_site *at, const struct metadata *md)
{
	struct error err;
	xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr root = xmlNewNode(NULL, BAD_CAST "metadata");

	xmlDocSetRootElement(doc, root);
	if (metadata_add(root, at, md, &err) < 0)
		tap_bail("%s", err.text);
	xmlNodePtr mark = xml_child(root, NULL);
	xmlUnlinkNode(mark);
	xmlNodePtr old = xmlDocSetRootElement(doc, mark);
	xmlFreeNode(old);
	char *text = xml_print(doc, &err);
	xmlFreeDoc(doc);
	return text;
}

static char *mark_of(const struct metadata *md)
{
	return mark_at(&site, md);
}

/* A new store beside the old key knows nothing of the old one's machines. */
static void test_stores(void)
{
	struct metadata md = { .uuid = UUID, .incarnation = 3, .machine = 7 }, got;
	struct host_site first = site, second = site, other = site;
	struct error why;

	TEXT_SET(first.store, "0123456789abcdef");
	TEXT_SET(second.store, "0123456789abcdee");
	char *old = mark_at(&first, &md), *bare = mark_of(&md);
	is_int(metadata_owner(old, &first, UUID, &got, &why), WIRE_OWNER_OURS,
	       "a mark is ours in the store that made it");
	is_text(got.store, "0123456789abcdef", "which it names");
	is_int(metadata_owner(old, &second, UUID, &got, &why), WIRE_OWNER_EARLIER,
	       "in another store with that key: %s", why.text);
	ok(!metadata_verify(old, &second, UUID, &got, &why), "which is not ours");
	is_int(metadata_owner(bare, &first, UUID, &got, &why), WIRE_OWNER_EARLIER,
	       "as a mark without a store is in one with a name");
	is_int(metadata_owner(old, &site, UUID, &got, &why), WIRE_OWNER_EARLIER,
	       "and the reverse");
	is_int(metadata_owner(old, &second, OTHER, &got, &why), WIRE_OWNER_FOREIGN,
	       "copied it is nobody's: %s", why.text);
	first.key[0] ^= 1;
	is_int(metadata_owner(old, &first, UUID, &got, &why), WIRE_OWNER_UNSIGNED,
	       "under another key: %s", why.text);
	TEXT_SET(other.site, "elsewhere");
	is_int(metadata_owner(old, &other, UUID, &got, &why), WIRE_OWNER_FOREIGN,
	       "another site's: %s", why.text);
	/* The store is signed: a mark cannot be moved to another one. */
	memcpy(strstr(old, "abcdef"), "abcdee", 6);
	is_int(metadata_owner(old, &second, UUID, &got, &why),
	       WIRE_OWNER_UNSIGNED, "with the store changed: %s", why.text);
	xmlFree(old);
	xmlFree(bare);
}

static void test_mark(void)
{
	struct metadata md = { .uuid = UUID, .incarnation = 3, .machine = 7 }, got;
	struct host_site other = site;
	struct error why;
	char *xml = mark_of(&md);

	ok(metadata_verify(xml, &site, UUID, &got, &why), "a mark is good");
	ok(got.incarnation == 3 && got.machine == 7 && strcmp(got.uuid, UUID) == 0,
	   "and says what was signed");
	ok(!metadata_verify(xml, &site, OTHER, &got, &why),
	   "on another domain it is not: %s", why.text);
	other.key[5] ^= 1;
	ok(!metadata_verify(xml, &other, UUID, &got, &why),
	   "nor under another key: %s", why.text);
	other = site;
	text_copy(other.site, sizeof(other.site), "elsewhere");
	ok(!metadata_verify(xml, &other, UUID, &got, &why),
	   "nor for another site: %s", why.text);
	/* Every change of one character is noticed, or changes nothing read. */
	int passed = 0, tried = 0;
	for (char *p = strstr(xml, "site="); *p; p++) {
		char keep = *p;

		for (int c = 0; c < 2; c++) {
			*p = (char)(keep ^ (c ? 2 : 1));
			tried++;
			if (*p && metadata_verify(xml, &site, UUID, &got, &why) &&
			    (got.incarnation != 3 || got.machine != 7))
				passed++;
			*p = keep;
		}
	}
	is_int(passed, 0, "of %d changed marks none passes for another", tried);
	ok(metadata_verify(xml, &site, UUID, &got, &why), "unchanged it is good again");
	xmlFree(xml);
	static const char *const bad[] = {
		"<machine/>", "<other site='lab'/>", "", "<machine",
		"<machine site='lab' uuid='" UUID "' incarnation='3' machine='7' hmac=''/>",
		"<machine xmlns='urn:other' site='lab' uuid='" UUID "' incarnation='3' machine='7' hmac='x'/>",
		"<machine site='lab' uuid='" UUID "' incarnation='03' machine='7' hmac='x'/>",
		"<machine site='lab' uuid='" UUID "' incarnation='-3' machine='7' hmac='x'/>",
	};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!metadata_verify(bad[i], &site, UUID, &got, &why),
		   "refused: %s", why.text);
}

static void test_ports(void)
{
	static const char xml[] =
		"<domain><devices>"
		"<channel type='unix'><source mode='bind' path='/run/agent'/>"
		"<target type='virtio' name='org.qemu.guest_agent.0'/></channel>"
		"<channel type='unix'><source mode='bind' path='/run/app'/>"
		"<target type='virtio' name='remuda.app'/></channel>"
		"<channel type='unix'><source mode='connect' path='/run/x'/>"
		"<target type='virtio' name='out'/></channel>"
		"<channel type='spicevmc'><target type='virtio' name='spice'/></channel>"
		"</devices></domain>";
	struct domain_port ports[DOMAIN_CHANNELS_MAX];
	struct error err;

	is_int(domain_xml_read_ports(xml, ports, &err), 1, "one port is ours to open");
	is_text(ports[0].name, "remuda.app", "its name");
	is_text(ports[0].path, "/run/app", "its path");
	is_int(domain_xml_read_ports("<domain/>", ports, &err), 0, "none");
	is_int(domain_xml_read_ports("nonsense", ports, &err), -1, "no XML");
}

int main(void)
{
	xml_init();
	test_texts();
	test_refusals();
	test_template();
	test_growth();
	test_hostile_xml();
	test_mark();
	test_stores();
	test_ports();
	xmlCleanupParser();
	return tap_done();
}
