/*
 * See access.h.  libvirt starts ssh by itself (virnetsocket.c); with no_tty it
 * gives it BatchMode=yes: no password, passphrase or host key is asked for.  The
 * other transports ask through a callback, and virConnectOpen has none.
 */
#include "engine/hypervisor/access.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "engine/base/text.h"

/* "qemu+ssh://..." -> "ssh"; "" without a transport. */
static void transport_of(const char *uri, char out[16])
{
	const char *plus = strchr(uri, '+'), *colon = strchr(uri, ':');
	size_t n = plus && colon && plus < colon ? (size_t)(colon - plus - 1) : 0;

	text_copy_slice(out, 16, (struct slice){ plus ? plus + 1 : "",
						 n < 16 ? (uint32_t)n : 0 });
}

/* "//anna@hv03:22/system" -> "-p 22 anna@hv03": what ssh is called with. */
static void ssh_words(const char *uri, char *out, size_t size)
{
	const char *at = strstr(uri, "://");
	const char *server = at ? at + 3 : "", *host = strchr(server, '[');
	size_t n = strcspn(server, "/?#");

	/* An address in brackets has colons of its own. */
	if (!host || host > server + n)
		host = server;
	const char *end = *host == '[' ? strchr(host, ']') : host;
	const char *port = end ? memchr(end, ':', (size_t)(server + n - end)) : NULL;
	if (port && port + 1 < server + n)
		snprintf(out, size, "-p %.*s %.*s", (int)(server + n - port - 1),
			 port + 1, (int)(port - server), server);
	else
		snprintf(out, size, "%.*s", (int)(port ? port - server : (long)n),
			 server);
}

void access_uri(const char *uri, char out[ACCESS_URI_SIZE])
{
	char transport[16];
	const char *query = strchr(uri, '?');

	transport_of(uri, transport);
	text_copy(out, ACCESS_URI_SIZE, uri);
	if (strcmp(transport, "ssh") != 0 || (query && strstr(query, "no_tty=")))
		return;
	snprintf(out, ACCESS_URI_SIZE, "%s%sno_tty=1", uri,
		 !query ? "?" : query[1] ? "&" : "");
}

static int ssh_advice(const char *ssh, const char *error, const char *user,
		      char *out, size_t size)
{
	if (strstr(error, "Host key verification failed"))
		return snprintf(out, size,
				"its ssh host key is not known here or has changed: as %s run `ssh %s true` once and compare it",
				user, ssh);
	if (strstr(error, "Permission denied"))
		return snprintf(out, size,
				"it takes no ssh key of %s's: make one without a passphrase (ssh-keygen), then ssh-copy-id %s, or name one with ?keyfile=PATH",
				user, ssh);
	return 0;
}

static bool about_certificates(const char *error)
{
	return strstr(error, "certificate") || strstr(error, ".pem") ||
	       strstr(error, "TLS");
}

/* What is missing, when the error is one of those that say so; 0: not. */
static int known_advice(const char *uri, const char *error, const char *user,
			char *out, size_t size)
{
	char transport[16], ssh[128];

	transport_of(uri, transport);
	ssh_words(uri, ssh, sizeof(ssh));
	if (strcmp(transport, "ssh") == 0)
		return ssh_advice(ssh, error, user, out, size);
	if (strstr(error, "authentication"))
		return snprintf(out, size,
				"it wants a name and a password: put them into /etc/libvirt/auth.conf, readable by %s alone, or another such file with ?authfile=PATH",
				user);
	if (strcmp(transport, "tls") == 0 && about_certificates(error))
		return snprintf(out, size,
				"certificates for it are missing or not accepted: CA/cacert.pem, libvirt/clientcert.pem and libvirt/private/clientkey.pem in /etc/pki, or ?pkipath=FOLDER with the three");
	return 0;
}

static const char *look_at(const char *uri)
{
	if (strcmp(uri, "qemu:///system") == 0)
		return "; is libvirtd running, and are you root or in the group libvirt?";
	if (strcmp(uri, "qemu:///session") == 0)
		return "; is libvirt-daemon installed?";
	return "; check that `virsh -c URI list` works";
}

void access_explain(const char *uri, const char *error, const char *user,
		    char out[ACCESS_TEXT_SIZE])
{
	char transport[16];
	int n = known_advice(uri, error, user, out, ACCESS_TEXT_SIZE);

	transport_of(uri, transport);
	if (n > 0 && n < ACCESS_TEXT_SIZE)
		snprintf(out + n, (size_t)(ACCESS_TEXT_SIZE - n), " (%s)", error);
	else
		snprintf(out, ACCESS_TEXT_SIZE, "%.300s%s", error,
			 strcmp(transport, "ssh") == 0 ?
				 "; check that `ssh -o BatchMode=yes HOST virsh -c qemu:///system list` works" :
				 look_at(uri));
}
