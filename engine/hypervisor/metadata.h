/*
 * The signed mark of ownership inside a domain (decisions.md 9):
 *
 *   <remuda:machine xmlns:remuda="https://remuda.example/1" site="demo"
 *       uuid="..." incarnation="7" machine="42"
 *       store="hex" hmac="hex"/>
 *
 * hmac is HMAC-SHA256 under the site key of
 * "site|uuid|incarnation|machine|store", without "|store" where there is none.
 * The uuid is the domain's own: a copied mark does not fit another domain.
 * store names the database that knows the machine: another one with the same
 * key counts machines and incarnations from the start, and would take a domain
 * it knows nothing about for a clean one of its own.
 */
#ifndef REMUDA_HYPERVISOR_METADATA_H
#define REMUDA_HYPERVISOR_METADATA_H

#include <libxml/tree.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/wire/message.h"

struct error;
struct host_site;

#define METADATA_URI "https://remuda.example/1"
#define METADATA_PREFIX "remuda"

enum {
	METADATA_HMAC_SIZE = 65,	/* hex and NUL */
	METADATA_STORE_SIZE = 33,
};

struct metadata {
	char uuid[37];
	uint64_t incarnation;
	uint64_t machine;
	char store[METADATA_STORE_SIZE];
};

int metadata_sign(const struct host_site *site, const struct metadata *md,
		  char hmac[METADATA_HMAC_SIZE], struct error *err);
/* Adds the element, signed for the site's store, to parent (a domain's
 * <metadata>). */
int metadata_add(xmlNodePtr parent, const struct host_site *site,
		 const struct metadata *md, struct error *err);
/*
 * Reads the element as virDomainGetMetadata returns it and checks signature,
 * site, uuid and store.  Anything but OURS comes with the reason in why.
 */
enum wire_owner metadata_owner(const char *xml, const struct host_site *site,
			       const char *uuid, struct metadata *md,
			       struct error *why);
/* OURS? */
bool metadata_verify(const char *xml, const struct host_site *site,
		     const char *uuid, struct metadata *md, struct error *why);

#endif
