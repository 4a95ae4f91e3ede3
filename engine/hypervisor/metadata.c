/* See metadata.h.  Pure: no libvirt, no clock. */
#include "engine/hypervisor/metadata.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/text.h"
#include "engine/hypervisor/host.h"
#include "engine/hypervisor/xml.h"

int metadata_sign(const struct host_site *site, const struct metadata *md,
		  char hmac[METADATA_HMAC_SIZE], struct error *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	char text[HOST_SITE_MAX + 128 + METADATA_STORE_SIZE];
	int n = snprintf(text, sizeof(text), "%s|%s|%" PRIu64 "|%" PRIu64 "%s%s",
			 site->site, md->uuid, md->incarnation, md->machine,
			 md->store[0] ? "|" : "", md->store);

	if (site->key_length == 0)
		return error_set(err, "no site key");
	if (!HMAC(EVP_sha256(), site->key, (int)site->key_length,
		  (const unsigned char *)text, (size_t)n, digest, &length) ||
	    length != 32)
		return error_set(err, "HMAC-SHA256 failed");
	for (unsigned int i = 0; i < length; i++)
		snprintf(hmac + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static bool set_u64(xmlNodePtr node, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return xmlNewProp(node, BAD_CAST name, BAD_CAST text) != NULL;
}

int metadata_add(xmlNodePtr parent, const struct host_site *site,
		 const struct metadata *md, struct error *err)
{
	char hmac[METADATA_HMAC_SIZE];
	struct metadata own = *md;

	TEXT_SET(own.store, site->store);
	if (metadata_sign(site, &own, hmac, err) < 0)
		return -1;
	xmlNodePtr node = xmlNewChild(parent, NULL, BAD_CAST "machine", NULL);
	xmlNsPtr ns = node ? xmlNewNs(node, BAD_CAST METADATA_URI,
				      BAD_CAST METADATA_PREFIX) : NULL;
	if (!ns)
		return error_set(err, "out of memory");
	xmlSetNs(node, ns);
	if (!xmlNewProp(node, BAD_CAST "site", BAD_CAST site->site) ||
	    !xmlNewProp(node, BAD_CAST "uuid", BAD_CAST md->uuid) ||
	    !set_u64(node, "incarnation", md->incarnation) ||
	    !set_u64(node, "machine", md->machine) ||
	    (own.store[0] &&
	     !xmlNewProp(node, BAD_CAST "store", BAD_CAST own.store)) ||
	    !xmlNewProp(node, BAD_CAST "hmac", BAD_CAST hmac))
		return error_set(err, "out of memory");
	return 0;
}

/* Only the one printed form: no sign, no leading zero, no blank. */
static bool get_u64(xmlNodePtr node, const char *name, uint64_t *value)
{
	char text[24], again[24];

	if (!xml_get_attribute(node, name, text, sizeof(text)))
		return false;
	*value = strtoull(text, NULL, 10);
	snprintf(again, sizeof(again), "%" PRIu64, *value);
	return strcmp(text, again) == 0;
}

/* false: a store is named in a way that no mark of ours has. */
static bool get_store(xmlNodePtr node, char out[METADATA_STORE_SIZE])
{
	out[0] = '\0';
	return !xmlHasProp(node, BAD_CAST "store") ||
	       (xml_get_attribute(node, "store", out, METADATA_STORE_SIZE) && out[0]);
}

/* A mark of this site for this very domain; is it signed? */
static bool is_signed(const struct host_site *site, const struct metadata *md,
		      const char *hmac, struct error *why)
{
	char want[METADATA_HMAC_SIZE];

	if (metadata_sign(site, md, want, why) < 0)
		return false;
	if (strlen(hmac) == strlen(want) &&
	    CRYPTO_memcmp(hmac, want, strlen(want)) == 0)
		return true;
	error_set(why, "its mark is not signed by this site's key");
	return false;
}

static enum wire_owner owner_of(xmlNodePtr node, const struct host_site *site,
				const char *uuid, struct metadata *md,
				struct error *why)
{
	char name[HOST_SITE_MAX], hmac[METADATA_HMAC_SIZE];

	/* libvirt, asked for our namespace, hands the element out without it. */
	if (!node || !xml_is(node, "machine") ||
	    (node->ns &&
	     strcmp((const char *)node->ns->href, METADATA_URI) != 0)) {
		error_set(why, "it carries no mark of Remuda");
	} else if (!xml_get_attribute(node, "site", name, sizeof(name)) ||
		   !xml_get_attribute(node, "uuid", md->uuid, sizeof(md->uuid)) ||
		   !xml_get_attribute(node, "hmac", hmac, sizeof(hmac)) ||
		   !get_u64(node, "incarnation", &md->incarnation) ||
		   !get_u64(node, "machine", &md->machine) ||
		   !get_store(node, md->store)) {
		error_set(why, "its mark is malformed");
	} else if (strcmp(name, site->site) != 0) {
		error_set(why, "it belongs to the site \"%s\"", name);
	} else if (strcmp(md->uuid, uuid) != 0) {
		error_set(why, "its mark is copied from the domain %s", md->uuid);
	} else if (!is_signed(site, md, hmac, why)) {
		return WIRE_OWNER_UNSIGNED;
	} else if (strcmp(md->store, site->store) != 0) {
		error_set(why, "an earlier store of this site made it, of which this one knows nothing; see `remuda reclaim`");
		return WIRE_OWNER_EARLIER;
	} else {
		return WIRE_OWNER_OURS;
	}
	return WIRE_OWNER_FOREIGN;
}

enum wire_owner metadata_owner(const char *xml, const struct host_site *site,
			       const char *uuid, struct metadata *md,
			       struct error *why)
{
	xmlDocPtr doc = xml_parse(slice_of(xml), why);

	if (!doc)
		return WIRE_OWNER_FOREIGN;
	enum wire_owner owner = owner_of(xmlDocGetRootElement(doc), site, uuid,
					 md, why);
	xmlFreeDoc(doc);
	return owner;
}

bool metadata_verify(const char *xml, const struct host_site *site,
		     const char *uuid, struct metadata *md, struct error *why)
{
	return metadata_owner(xml, site, uuid, md, why) == WIRE_OWNER_OURS;
}
