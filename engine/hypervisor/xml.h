/*
 * libxml2 with our rules: parsing never loads anything, never expands an
 * entity and refuses a document type; writing refuses what XML cannot carry
 * instead of changing it.
 */
#ifndef REMUDA_HYPERVISOR_XML_H
#define REMUDA_HYPERVISOR_XML_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stddef.h>

#include "engine/base/text.h"

struct error;

enum { XML_SIZE_MAX = 1 << 20 };

/* Once, before any thread: libxml2 then prints nothing by itself. */
void xml_init(void);
/* The document, to be freed with xmlFreeDoc; NULL with err. */
xmlDocPtr xml_parse(struct slice text, struct error *err);
/* Is every character of the text allowed in XML 1.0 (and valid UTF-8)? */
bool xml_text_ok(struct slice text);
/* A new document of one empty element; NULL with err. */
xmlDocPtr xml_document(const char *root, struct error *err);
bool xml_is(const xmlNode *node, const char *name);
/* First child element of that name, or NULL.  name NULL: any. */
xmlNodePtr xml_child(const xmlNode *node, const char *name);
/* Next sibling element of the same kind of search. */
xmlNodePtr xml_next(const xmlNode *node, const char *name);
/* child of child ...: "devices/serial"; NULL when one is missing. */
xmlNodePtr xml_path(xmlNodePtr node, const char *path);
/* Copies an attribute without namespace; false when missing or too long. */
bool xml_get_attribute(const xmlNode *node, const char *name, char *out,
		       size_t out_size);
/* Copies the text of an element; false when missing or too long. */
bool xml_get_text(const xmlNode *node, char *out, size_t out_size);

/*
 * A builder that remembers its first error, so that a tree can be written
 * down without a check after each line.
 */
struct xml_builder {
	bool failed;
	struct error *err;
};

/* Adds <name> with text (may be NULL) to parent; NULL once failed. */
xmlNodePtr xml_add(struct xml_builder *b, xmlNodePtr parent, const char *name,
		   const char *text);
/* Sets (replaces) an attribute. */
void xml_set(struct xml_builder *b, xmlNodePtr node, const char *name,
	     const char *value);
/* Replaces all that is in an element by text; its attributes stay. */
void xml_set_text(struct xml_builder *b, xmlNodePtr node, const char *text);
/* The child element, made when missing, its content replaced by text. */
xmlNodePtr xml_replace(struct xml_builder *b, xmlNodePtr parent,
		       const char *name, const char *text);
/* Removes every child element of that name. */
void xml_remove(xmlNodePtr parent, const char *name);
/* The document as text, to be freed with xmlFree; NULL with err. */
char *xml_print(xmlDocPtr doc, struct error *err);

#endif
