/* See xml.h.  Stateless but for libxml2's own initialisation. */
#include "engine/hypervisor/xml.h"

#include <libxml/chvalid.h>
#include <libxml/parser.h>
#include <libxml/xmlerror.h>
#include <string.h>

#include "engine/base/error.h"

static void ignore_message(void *opaque, const char *message, ...)
{
	(void)opaque;
	(void)message;
}

void xml_init(void)
{
	xmlInitParser();
	/* For this thread and for those to come; libvirt parses as well. */
	xmlSetGenericErrorFunc(NULL, ignore_message);
	xmlThrDefSetGenericErrorFunc(NULL, ignore_message);
}

xmlDocPtr xml_parse(struct slice text, struct error *err)
{
	if (text.length == 0)
		return error_set(err, "empty XML"), NULL;
	if (text.length > XML_SIZE_MAX)
		return error_set(err, "XML of %u bytes, the limit is %d",
				 text.length, XML_SIZE_MAX), NULL;
	xmlParserCtxtPtr ctxt = xmlNewParserCtxt();
	if (!ctxt)
		return error_set(err, "out of memory"), NULL;
	xmlDocPtr doc = xmlCtxtReadMemory(ctxt, text.ptr, (int)text.length, NULL,
					  NULL, XML_PARSE_NONET |
					  XML_PARSE_NOERROR |
					  XML_PARSE_NOWARNING |
					  XML_PARSE_NOCDATA);
	const xmlError *e = xmlCtxtGetLastError(ctxt);
	if (!doc) {
		const char *why = e && e->message ? e->message : "not XML";

		error_set(err, "line %d of the XML: %.*s", e ? e->line : 1,
			  (int)strcspn(why, "\n"), why);
	} else if (doc->intSubset || doc->extSubset) {
		error_set(err, "the XML has a document type (<!DOCTYPE>); remove it");
		xmlFreeDoc(doc);
		doc = NULL;
	}
	xmlFreeParserCtxt(ctxt);
	return doc;
}

xmlDocPtr xml_document(const char *root, struct error *err)
{
	xmlDocPtr doc = xmlNewDoc(BAD_CAST "1.0");
	xmlNodePtr node = doc ? xmlNewNode(NULL, BAD_CAST root) : NULL;

	if (!node) {
		xmlFreeDoc(doc);
		error_set(err, "out of memory");
		return NULL;
	}
	xmlDocSetRootElement(doc, node);
	return doc;
}

/*
 * One character of strict UTF-8: its length, or 0.  libxml2's own decoder
 * takes sequences that its parser then refuses.
 */
static uint32_t decode(const unsigned char *s, uint32_t left, uint32_t *c)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	uint32_t n = s[0] < 0x80 ? 1 : (s[0] & 0xe0) == 0xc0 ? 2 :
		     (s[0] & 0xf0) == 0xe0 ? 3 : (s[0] & 0xf8) == 0xf0 ? 4 : 0;

	if (n == 0 || n > left)
		return 0;
	*c = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
	for (uint32_t i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return *c >= least[n] ? n : 0;
}

bool xml_text_ok(struct slice text)
{
	const unsigned char *at = (const unsigned char *)text.ptr;
	uint32_t left = text.length, c = 0;

	while (left > 0) {
		uint32_t n = decode(at, left, &c);

		if (n == 0 || !xmlIsCharQ(c))
			return false;
		at += n;
		left -= n;
	}
	return true;
}

bool xml_is(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE &&
	       (!name || strcmp((const char *)node->name, name) == 0);
}

static xmlNodePtr first_element(xmlNodePtr at, const char *name)
{
	while (at && !xml_is(at, name))
		at = at->next;
	return at;
}

xmlNodePtr xml_child(const xmlNode *node, const char *name)
{
	return node ? first_element(node->children, name) : NULL;
}

xmlNodePtr xml_next(const xmlNode *node, const char *name)
{
	return first_element(node->next, name);
}

xmlNodePtr xml_path(xmlNodePtr node, const char *path)
{
	while (node && *path) {
		char name[64];
		size_t n = strcspn(path, "/");

		text_copy_slice(name, sizeof(name),
				(struct slice){ path, (uint32_t)n });
		node = xml_child(node, name);
		path += n + (path[n] == '/');
	}
	return node;
}

static bool copy_and_free(xmlChar *text, char *out, size_t out_size)
{
	bool fits = text && text_copy(out, out_size, (const char *)text);

	xmlFree(text);
	return fits;
}

bool xml_get_attribute(const xmlNode *node, const char *name, char *out,
		       size_t out_size)
{
	return node && copy_and_free(xmlGetNoNsProp(node, BAD_CAST name), out,
				     out_size);
}

bool xml_get_text(const xmlNode *node, char *out, size_t out_size)
{
	return node && copy_and_free(xmlNodeGetContent(node), out, out_size);
}

static bool writable(struct xml_builder *b, const char *name, const char *text)
{
	if (b->failed)
		return false;
	if (!text || xml_text_ok(slice_of(text)))
		return true;
	char shown[128];
	text_display(shown, sizeof(shown), text, strlen(text));
	error_set(b->err, "%s \"%s\" has characters that XML cannot carry",
		  name, shown);
	b->failed = true;
	return false;
}

static void *or_fail(struct xml_builder *b, void *made)
{
	if (!made) {
		error_set(b->err, "out of memory");
		b->failed = true;
	}
	return made;
}

xmlNodePtr xml_add(struct xml_builder *b, xmlNodePtr parent, const char *name,
		   const char *text)
{
	if (!writable(b, name, text))
		return NULL;
	/* xmlNewTextChild escapes; xmlNewChild would read entities. */
	return or_fail(b, xmlNewTextChild(parent, NULL, BAD_CAST name,
					  BAD_CAST text));
}

void xml_set(struct xml_builder *b, xmlNodePtr node, const char *name,
	     const char *value)
{
	if (node && writable(b, name, value))
		or_fail(b, xmlSetProp(node, BAD_CAST name, BAD_CAST value));
}

void xml_set_text(struct xml_builder *b, xmlNodePtr node, const char *text)
{
	if (!node || !writable(b, (const char *)node->name, text))
		return;
	/* xmlNodeSetContent would read entities in what it sets. */
	xmlNodeSetContent(node, NULL);
	xmlNodeAddContent(node, BAD_CAST text);
}

xmlNodePtr xml_replace(struct xml_builder *b, xmlNodePtr parent,
		       const char *name, const char *text)
{
	xml_remove(parent, name);
	return xml_add(b, parent, name, text);
}

void xml_remove(xmlNodePtr parent, const char *name)
{
	xmlNodePtr at = xml_child(parent, name);

	while (at) {
		xmlNodePtr next = xml_next(at, name);

		xmlUnlinkNode(at);
		xmlFreeNode(at);
		at = next;
	}
}

char *xml_print(xmlDocPtr doc, struct error *err)
{
	xmlChar *text = NULL;
	int length = 0;

	xmlDocDumpMemoryEnc(doc, &text, &length, "UTF-8");
	if (!text)
		error_set(err, "the XML cannot be written");
	return (char *)text;
}
