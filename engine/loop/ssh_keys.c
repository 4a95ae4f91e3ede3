/*
 * Host keys of ssh listeners and the authority that signs the machines' own.
 * An operator's file is read and checked before a site is applied; without one
 * the site has a key of its own in the state directory, made once, so that
 * clients see the same key after every restart.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"

#define OWN_KEY "ssh_host_ed25519_key"

enum { DAY_S = 86400, SLACK_S = 3600, CERTIFICATE_DAYS = 3650 };

static char *read_key(const char *path, struct error *err)
{
	char *text = calloc(1, SSHKEY_PRIVATE_MAX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = -1;

	CHECK("", text, "out of memory");
	if (fd < 0) {
		error_errno(err, "%s", path);
	} else {
		n = read(fd, text, SSHKEY_PRIVATE_MAX);
		if (n < 0)
			error_errno(err, "%s", path);
		else if (n == SSHKEY_PRIVATE_MAX)
			n = error_set(err, "%s: longer than a key", path);
		close(fd);
	}
	if (n >= 0)
		return text;
	free(text);
	return NULL;
}

void ssh_keys_free(char *text)
{
	if (text)
		OPENSSL_cleanse(text, SSHKEY_PRIVATE_MAX);
	free(text);
}

/* Whole or not at all, and never over another one. */
static int write_key(const char *path, const char *text, struct error *err)
{
	char part[SITE_PATH_SIZE * 2 + 8];
	size_t n = strlen(text);
	int rc = -1;

	snprintf(part, sizeof(part), "%s.part", path);
	int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return error_errno(err, "%s", part);
	if (write(fd, text, n) != (ssize_t)n || fsync(fd) < 0)
		error_errno(err, "%s", part);
	else if (link(part, path) < 0)
		error_errno(err, "%s", path);
	else
		rc = 0;
	close(fd);
	unlink(part);
	return rc;
}

char *ssh_keys_own(const struct shell *sh, const char *name, struct error *err)
{
	char path[SITE_PATH_SIZE * 2], comment[128], made[SSHKEY_PRIVATE_MAX];
	char line[SSHKEY_LINE_MAX], *text;

	snprintf(path, sizeof(path), "%s/%s", sh->o.state_dir, name);
	if (access(path, F_OK) < 0 && errno == ENOENT) {
		snprintf(comment, sizeof(comment), "remuda %.60s", name);
		int rc = sshkey_generate(comment, made, err);
		if (rc == 0)
			rc = write_key(path, made, err);
		OPENSSL_cleanse(made, sizeof(made));
		if (rc < 0)
			return NULL;
		log_info("a new ssh key in %s", path);
	}
	text = read_key(path, err);
	if (text && sshkey_public_of(text, strlen(text), line, err) < 0) {
		error_wrap(err, "%s", path);
		ssh_keys_free(text);
		return NULL;
	}
	return text;
}

static char *key_of(const struct shell *sh, const struct site_listener *l,
		    char line[SSHKEY_LINE_MAX], struct error *err)
{
	char path[SITE_PATH_SIZE * 2];
	bool whole = l->ssh_key[0] == '/';
	char *text;

	snprintf(path, sizeof(path), "%s%s%s", whole ? "" : sh->site_dir,
		 whole ? "" : "/", l->ssh_key);
	text = l->ssh_key[0] ? read_key(path, err) : ssh_keys_own(sh, OWN_KEY, err);
	if (text && sshkey_public_of(text, strlen(text), line, err) < 0) {
		error_wrap(err, "%s", path);
		ssh_keys_free(text);
		text = NULL;
	}
	return text;
}

int ssh_keys_check(const struct shell *sh, const struct site_listener *l,
		   struct error *err)
{
	char line[SSHKEY_LINE_MAX];
	char *text = key_of(sh, l, line, err);

	ssh_keys_free(text);
	return text ? 0 : -1;
}

void ssh_keys_forget(struct listener *l)
{
	ssh_keys_free(l->ssh.text);
	l->ssh.text = NULL;
}

void ssh_keys_load(struct shell *sh, struct listener *l)
{
	char line[SSHKEY_LINE_MAX];
	struct error err;
	char *text = key_of(sh, &l->spec, line, &err);

	if (!text) {
		log_error("listener %s keeps the key it has: %s", l->name, err.text);
		return;
	}
	ssh_keys_forget(l);
	l->ssh.text = text;
	TEXT_SET(l->ssh.line, line);
}

void ssh_keys_tell(struct shell *sh, const struct listener *l, uint32_t gateway)
{
	struct message m = { .type = WIRE_TYPE_gateway_ssh, .fd_count = 1,
			     .gateway_ssh = { slice_of(l->name) } };
	struct error err;

	if (!l->ssh.text)
		return;
	m.fds[0] = wire_memfd(l->ssh.text, strlen(l->ssh.text), &err);
	if (m.fds[0] < 0) {
		log_error("listener %s: %s", l->name, err.text);
		return;
	}
	gateways_send(sh, gateway, &m);
	close(m.fds[0]);
}

int ssh_keys_sign(const struct shell *sh, const char *public_line,
		  const char *application, const char *id,
		  char out[SSHKEY_CERT_MAX], struct error *err)
{
	uint64_t now = (uint64_t)shell_wall_ms() / 1000;
	struct sshkey_host host = {
		.line = public_line, .id = id, .principal = application,
		.serial = shell_nonce(), .from_s = now - SLACK_S,
		.until_s = now + (uint64_t)CERTIFICATE_DAYS * DAY_S,
	};
	char *authority = ssh_keys_own(sh, SSH_AUTHORITY, err);
	int rc = -1;

	for (size_t i = 0; i < sizeof(host.nonce); i += sizeof(uint64_t)) {
		uint64_t nonce = shell_nonce();

		memcpy(host.nonce + i, &nonce, sizeof(nonce));
	}
	if (authority)
		rc = sshkey_sign_host(authority, &host, out, err);
	ssh_keys_free(authority);
	return rc;
}
