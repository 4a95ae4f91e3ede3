/* See labels.h.  Runs on the thread that opens the connection. */
#include "engine/hypervisor/labels.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/host.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

static void read_models(xmlNodePtr host, struct host_facts *facts)
{
	char model[32], all[96] = "";
	size_t used = 0;

	for (xmlNodePtr s = xml_child(host, "secmodel"); s;
	     s = xml_next(s, "secmodel")) {
		if (!xml_get_text(xml_child(s, "model"), model, sizeof(model)))
			continue;
		if (strcmp(model, "selinux") == 0 ||
		    strcmp(model, "apparmor") == 0) {
			facts->isolated = true;
			TEXT_SET(facts->labels, model);
			return;
		}
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s%s",
					 used ? ", " : "", model);
		if (used >= sizeof(all))
			break;
	}
	snprintf(facts->labels, sizeof(facts->labels),
		 "libvirt labels no domain (security models: %s)",
		 all[0] ? all : "none");
}

static int read_processor(xmlNodePtr host, struct host_facts *facts,
			  struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	xmlNodePtr cpu = xml_child(host, "cpu");
	xmlBufferPtr text = xmlBufferCreate();
	unsigned int length = 0;

	if (text && cpu)
		xmlNodeDump(text, cpu->doc, cpu, 0, 0);
	int ok = text && EVP_Digest(xmlBufferContent(text),
				    (size_t)xmlBufferLength(text), digest,
				    &length, EVP_sha256(), NULL);
	xmlBufferFree(text);
	if (!ok)
		return error_set(err, "the host's processor cannot be told");
	for (int i = 0; i < 8; i++)
		snprintf(facts->cpu + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

int labels_read(virConnectPtr conn, struct host_facts *facts, struct error *err)
{
	char *xml = virConnectGetCapabilities(conn);
	xmlDocPtr doc = NULL;

	facts->isolated = false;
	if (!xml)
		return virt_error(err, "the host does not tell its capabilities"), -1;
	doc = xml_parse(slice_of(xml), err);
	free(xml);
	if (!doc)
		return error_wrap(err, "the host's capabilities");
	xmlNodePtr host = xml_path(xmlDocGetRootElement(doc), "host");
	read_models(host, facts);
	int rc = read_processor(host, facts, err);
	xmlFreeDoc(doc);
	return rc;
}
