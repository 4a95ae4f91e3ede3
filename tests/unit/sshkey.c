/* Keys of ssh against ssh-keygen: what it makes is read, what is made it reads. */
#include "engine/wire/sshkey.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "tests/tap.h"

static char dir[] = "/tmp/remuda-sshkey-XXXXXX";

/* Runs ssh-keygen in dir; its output in out, its exit code back. */
static int keygen(const char *arguments, char *out, size_t size)
{
	char command[1024];

	snprintf(command, sizeof(command), "cd %s && ssh-keygen %s 2>&1", dir, arguments);
	FILE *p = popen(command, "r");
	size_t n = p ? fread(out, 1, size - 1, p) : 0;
	out[n] = '\0';
	return p ? pclose(p) : -1;
}

static void path_of(char out[128], const char *name)
{
	snprintf(out, 128, "%s/%s", dir, name);
}

static void write_file(const char *name, const char *text)
{
	char path[128];

	path_of(path, name);
	FILE *f = fopen(path, "w");
	fputs(text, f);
	fclose(f);
	chmod(path, 0600);
}

static size_t read_file(const char *name, char *out, size_t size)
{
	char path[128];

	path_of(path, name);
	FILE *f = fopen(path, "r");
	size_t n = f ? fread(out, 1, size - 1, f) : 0;
	out[n] = '\0';
	if (f)
		fclose(f);
	if (strchr(name, '.'))	/* a public key is one line */
		out[strcspn(out, "\n")] = '\0';
	return n;
}

static void test_foreign(const char *type, const char *more)
{
	char out[4096], command[256], file[4096], line[SSHKEY_LINE_MAX];
	char print[SSHKEY_FINGERPRINT_MAX], other[SSHKEY_LINE_MAX];
	struct error err = { "" };

	snprintf(command, sizeof(command), "-q -t %s %s -N '' -C 'a b' -f %s", type, more, type);
	keygen(command, out, sizeof(out));
	snprintf(command, sizeof(command), "%s.pub", type);
	read_file(command, file, sizeof(file));
	ok(sshkey_parse(file, line, &err) == 0, "%s: a public key with a comment: %s", type, err.text);
	ok(strncmp(file, line, strlen(line)) == 0 && file[strlen(line)] == ' ',
	   "%s: is that key without it", type);
	sshkey_fingerprint(slice_of(strchr(line, ' ') + 1), print);
	snprintf(command, sizeof(command), "-l -f %s.pub", type);
	keygen(command, out, sizeof(out));
	ok(strstr(out, print) != NULL, "%s: and has its fingerprint", type);
	read_file(type, file, sizeof(file));
	ok(sshkey_public_of(file, strlen(file), other, &err) == 0, "%s: its private key: %s", type, err.text);
	is_text(other, line, "is of that public key");
}

static void test_refused(void)
{
	static const char good[] = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd";
	static const char *const bad[] = {
		"", "ssh-ed25519", "ssh-ed25519 !!!!", "ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd",
		"restrict ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKxd",
		"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHGM8yYsAnbxPeQEfwlL3l7sBvmP1bwHGWFwRhPDhKx",
	};
	char line[SSHKEY_LINE_MAX], lines[512];
	char out[4096], file[4096];
	struct error err = { "" };

	ok(sshkey_parse(good, line, &err) == 0, "a key");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(sshkey_parse(bad[i], line, &err) < 0 && err.text[0], "refused: \"%.30s\": %s", bad[i], err.text);
	snprintf(lines, sizeof(lines), "ssh-rsa AAAA\n%s\n", good);
	ok(sshkey_holds(lines, slice_of(good + 12)), "it is one of two");
	ok(!sshkey_holds(lines, (struct slice){ good + 12, 40 }), "its beginning is not");
	ok(!sshkey_holds(lines, slice_of("")) && !sshkey_holds(NULL, slice_of(good + 12)), "nor is nothing");
	keygen("-q -t ed25519 -N secret -f locked", out, sizeof(out));
	read_file("locked", file, sizeof(file));
	ok(sshkey_public_of(file, strlen(file), line, &err) < 0 && strstr(err.text, "passphrase"),
	   "a passphrase: %s", err.text);
	ok(sshkey_public_of(good, strlen(good), line, &err) < 0, "no private key: %s", err.text);
	file[strlen(file) / 2] = '\0';
	ok(sshkey_public_of(file, strlen(file), line, &err) < 0, "half a file: %s", err.text);
}

static void test_made(void)
{
	char ca[SSHKEY_PRIVATE_MAX], line[SSHKEY_LINE_MAX], out[4096], cert[SSHKEY_CERT_MAX];
	char host[4096];
	static const char *const types[] = { "ed25519", "rsa", "ecdsa" };
	struct error err = { "" };

	ok(sshkey_generate("remuda host authority", ca, &err) == 0, "a key is made");
	write_file("ca", ca);
	ok(keygen("-y -f ca", out, sizeof(out)) == 0, "ssh-keygen reads it");
	sshkey_public_of(ca, strlen(ca), line, &err);
	ok(strncmp(out, line, strlen(line)) == 0, "as the same public key");
	for (int i = 0; i < 3; i++) {
		char command[128];

		snprintf(command, sizeof(command), "%s.pub", types[i]);
		read_file(command, host, sizeof(host));
		struct sshkey_host h = { .line = host, .id = "mail-01", .principal = "mail",
					 .serial = 7, .from_s = 1000, .until_s = 4000000000 };
		ok(sshkey_sign_host(ca, &h, cert, &err) == 0, "%s: a host certificate: %s", types[i], err.text);
		write_file("host-cert.pub", cert);
		ok(keygen("-L -f host-cert.pub", out, sizeof(out)) == 0, "ssh-keygen reads it");
		ok(strstr(out, "host certificate") && strstr(out, "mail-01") && strstr(out, "Serial: 7"),
		   "with its id and number");
		ok(strstr(out, "Principals: \n                mail\n") != NULL, "and its principal");
	}
	ok(sshkey_sign_host(host, &(struct sshkey_host){ .line = host, .id = "", .principal = "" }, cert, &err) < 0,
	   "no authority: %s", err.text);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir) || access("/usr/bin/ssh-keygen", X_OK) != 0) {
		tap_bail("needs ssh-keygen: apt-get install openssh-client");
	}
	test_foreign("ed25519", "");
	test_foreign("rsa", "-b 3072");
	test_foreign("ecdsa", "-b 256");
	test_refused();
	test_made();
	snprintf(command, sizeof(command), "rm -r %s", dir);
	if (system(command) != 0)
		tap_note("cannot remove %s", dir);
	return tap_done();
}
