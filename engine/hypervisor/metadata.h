/*
 * The signed mark of ownership inside a domain (decisions.md 9):
 *
 *   <remuda:machine xmlns:remuda="https://remuda.example/1" site="demo"
 *       uuid="..." incarnation="7" machine="42" hmac="hex"/>
 *
 * hmac is HMAC-SHA256 under the site key of "site|uuid|incarnation|machine".
 * The uuid is the domain's own: a copied mark does not fit another domain.
 */
#ifndef REMUDA_HYPERVISOR_METADATA_H
#define REMUDA_HYPERVISOR_METADATA_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

struct error;
struct host_site;

#define METADATA_URI "https://remuda.example/1"
#define METADATA_PREFIX "remuda"

enum { METADATA_HMAC_SIZE = 65 };	/* hex and NUL */

struct metadata {
	char uuid[37];
	uint64_t incarnation;
	uint64_t machine;
};

int metadata_sign(const struct host_site *site, const struct metadata *md,
		  char hmac[METADATA_HMAC_SIZE], struct error *err);
/* Adds the signed element to parent (a domain's <metadata>). */
int metadata_add(xmlNodePtr parent, const struct host_site *site,
		 const struct metadata *md, struct error *err);
/*
 * Reads the element as virDomainGetMetadata returns it and checks signature,
 * site and uuid.  False with the reason in why: not ours.
 */
bool metadata_verify(const char *xml, const struct host_site *site,
		     const char *uuid, struct metadata *md, struct error *why);

#endif
