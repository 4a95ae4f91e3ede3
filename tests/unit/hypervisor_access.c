/* How far hosts are opened, and what is advised when that fails. */
#include "engine/hypervisor/access.h"

#include <string.h>

#include "tests/tap.h"

static void test_uri(void)
{
	static const struct {
		const char *uri, *want;
	} cases[] = {
		{ "qemu:///system", "qemu:///system" },
		{ "qemu+tls://hv01/system", "qemu+tls://hv01/system" },
		{ "qemu+ssh://hv01/system", "qemu+ssh://hv01/system?no_tty=1" },
		{ "qemu+ssh://hv01/system?", "qemu+ssh://hv01/system?no_tty=1" },
		{ "qemu+ssh://a@hv01/system?keyfile=/k",
		  "qemu+ssh://a@hv01/system?keyfile=/k&no_tty=1" },
		{ "qemu+ssh://hv01/system?no_tty=0", "qemu+ssh://hv01/system?no_tty=0" },
		{ "qemu+libssh://hv01/system", "qemu+libssh://hv01/system" },
		{ "qemu://hv+ssh:1/system", "qemu://hv+ssh:1/system" },
		{ "", "" },
	};
	char out[ACCESS_URI_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		access_uri(cases[i].uri, out);
		is_text(out, cases[i].want, "%s", cases[i].uri);
	}
}

static void test_advice(void)
{
	static const struct {
		const char *uri, *error, *words;
	} cases[] = {
		{ "qemu:///system", "x", "group libvirt" },
		{ "qemu:///session", "x", "libvirt-daemon" },
		{ "qemu+ssh://anna@hv03:22/system",
		  "Cannot recv data: Host key verification failed.: Connection reset by peer",
		  "as ops run `ssh -p 22 anna@hv03 true` once" },
		{ "qemu+ssh://hv03/system",
		  "Cannot recv data: ops@hv03: Permission denied (publickey).: Connection reset",
		  "ssh-copy-id hv03" },
		{ "qemu+ssh://hv03/system", "Connection refused",
		  "BatchMode=yes HOST virsh" },
		{ "qemu+ssh://[fd00::1]/system", "Host key verification failed",
		  "`ssh [fd00::1] true`" },
		{ "qemu+ssh://a@[fd00::1]:7/system", "Permission denied",
		  "ssh-copy-id -p 7 a@[fd00::1]," },
		{ "qemu+ssh://hv03:/system", "Permission denied", "ssh-copy-id hv03," },
		{ "qemu+ssh", "x", "`virsh -c URI list`" },
		{ "qemu+tls://hv03/system",
		  "Cannot read CA certificate '/etc/pki/CA/cacert.pem': No such file or directory",
		  "clientkey.pem" },
		{ "qemu://hv03/system", "authentication failed: No authentication callback",
		  "auth.conf" },
		{ "qemu+tcp://hv03/system", "Connection refused",
		  "`virsh -c URI list`" },
	};
	char out[ACCESS_TEXT_SIZE];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		access_explain(cases[i].uri, cases[i].error, "ops", out);
		ok(strstr(out, cases[i].words) && strstr(out, cases[i].error),
		   "%s: %s", cases[i].uri, out);
	}
}

int main(void)
{
	test_uri();
	test_advice();
	return tap_done();
}
