/*
 * How a host on another machine is reached without anybody who could answer a
 * question (decisions.md 36): ssh never asks, and where something is missing
 * the error says what to set up.  Pure.
 */
#ifndef REMUDA_HYPERVISOR_ACCESS_H
#define REMUDA_HYPERVISOR_ACCESS_H

#include <stddef.h>

enum { ACCESS_URI_SIZE = 320, ACCESS_TEXT_SIZE = 480 };

/* The uri as libvirt is to be given it: over ssh with no_tty=1, unless it says
 * something of that itself. */
void access_uri(const char *uri, char out[ACCESS_URI_SIZE]);
/*
 * That error of libvirt's, for people: what to set up stands in front, since
 * texts are cut at their end.  user: whose keys and files count, the role's.
 */
void access_explain(const char *uri, const char *error, const char *user,
		    char out[ACCESS_TEXT_SIZE]);

#endif
