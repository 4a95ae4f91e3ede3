/*
 * The TLS files of listeners: read and checked here before a site is applied
 * (a gateway has no files), sent to every gateway as a memfd, read again at a
 * reload, and watched for their end.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>
#include <openssl/ssl.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/shell.h"
#include "engine/wire/tls_pem.h"

enum { LOOK_MS = 3600 * 1000, DAY_MS = 86400 * 1000 };

/* Days before the end at which an operator is told, and after it. */
static const int warn_days[] = { 30, 7, 1, 0 };

struct pem_files {
	char *bytes[TLS_PEM_PARTS];
	size_t length[TLS_PEM_PARTS];
	char path[TLS_PEM_PARTS][SITE_PATH_SIZE * 2];
};

static void files_free(struct pem_files *f)
{
	for (int i = 0; i < TLS_PEM_PARTS; i++) {
		if (f->bytes[i])
			OPENSSL_cleanse(f->bytes[i], f->length[i]);
		free(f->bytes[i]);
	}
}

static int read_file(struct pem_files *f, int i, struct error *err)
{
	struct stat st;
	int fd = open(f->path[i], O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return error_errno(err, "%s", f->path[i]);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size < 1 ||
	    st.st_size > TLS_PEM_FILE_MAX) {
		close(fd);
		return error_set(err, "%s: not a file of 1 to %d bytes",
				 f->path[i], TLS_PEM_FILE_MAX);
	}
	f->bytes[i] = calloc(1, (size_t)st.st_size);
	CHECK("", f->bytes[i], "out of memory");
	ssize_t n = read(fd, f->bytes[i], (size_t)st.st_size);
	close(fd);
	if (n != st.st_size)
		return error_set(err, "%s: cannot be read whole", f->path[i]);
	f->length[i] = (size_t)n;
	return 0;
}

/* Reads and checks; f is to be freed in any case. */
static int files_read(const struct shell *sh, const struct site_listener *l,
		      struct pem_files *f, int64_t *expires_wall_ms, char *which,
		      size_t which_size, struct error *err)
{
	struct tls_pem pem = { .client_required = l->tls.client_required };
	enum tls_pem_part part;
	SSL_CTX *ctx;

	*f = (struct pem_files){ .length = { 0 } };
	for (int i = 0; i < TLS_PEM_PARTS; i++) {
		const char *name = l->tls.file[i];

		snprintf(f->path[i], sizeof(f->path[i]), "%s%s%s",
			 name[0] == '/' ? "" : sh->site_dir,
			 name[0] == '/' ? "" : "/", name);
		if (name[0] && read_file(f, i, err) < 0)
			return -1;
		pem.part[i] = (struct slice){ f->bytes[i], (uint32_t)f->length[i] };
		pem.name[i] = f->path[i];
	}
	ctx = tls_pem_context(&pem, expires_wall_ms, &part, err);
	if (!ctx)
		return -1;
	SSL_CTX_free(ctx);
	text_copy(which, which_size, f->path[part]);
	return 0;
}

int keys_check(const struct shell *sh, const struct site_spec *spec,
	       struct error *err)
{
	char which[SITE_PATH_SIZE * 2];
	int64_t expires;

	for (size_t i = 0; i < spec->listener_count; i++) {
		const struct site_listener *l = &spec->listeners[i];
		struct pem_files f;

		if (l->door != DOOR_SSH && !l->tls.file[0][0])
			continue;
		int rc;
		if (l->door == DOOR_SSH) {
			rc = ssh_keys_check(sh, l, err);
		} else {
			rc = files_read(sh, l, &f, &expires, which, sizeof(which), err);
			files_free(&f);
		}
		if (rc < 0)
			return error_wrap(err, "%s:%u: listener \"%s\"",
					  l->place.file, l->place.line, l->name);
	}
	return 0;
}

void keys_tell(struct shell *sh, const struct listener *l, uint32_t gateway)
{
	const struct listener_keys *k = &l->keys;
	struct message m = { .type = WIRE_TYPE_gateway_tls, .fd_count = 1 };
	struct error err;

	ssh_keys_tell(sh, l, gateway);
	if (!k->bytes)
		return;
	m.gateway_tls = (struct wire_gateway_tls){
		.name = slice_of(l->name), .certificate = k->length[0],
		.key = k->length[1], .client_ca = k->length[2],
		.client_required = l->spec.tls.client_required,
	};
	m.fds[0] = wire_memfd(k->bytes, (size_t)k->length[0] + k->length[1] +
			      k->length[2], &err);
	if (m.fds[0] < 0) {
		log_error("listener %s: %s", l->name, err.text);
		return;
	}
	gateways_send(sh, gateway, &m);
	close(m.fds[0]);
}

void keys_forget(struct listener *l)
{
	struct listener_keys *k = &l->keys;

	if (k->bytes)
		OPENSSL_cleanse(k->bytes, (size_t)k->length[0] + k->length[1] +
				k->length[2]);
	free(k->bytes);
	ssh_keys_forget(l);
	*k = (struct listener_keys){ .bytes = NULL };
}

static void take(struct listener *l, const struct pem_files *f)
{
	size_t at = 0, total = f->length[0] + f->length[1] + f->length[2];
	char *bytes = malloc(total);

	CHECK("", bytes, "out of memory");
	keys_forget(l);
	l->keys.bytes = bytes;
	for (int i = 0; i < TLS_PEM_PARTS; i++) {
		if (f->length[i])
			memcpy(bytes + at, f->bytes[i], f->length[i]);
		at += f->length[i];
		l->keys.length[i] = (uint32_t)f->length[i];
	}
}

/* Tells once for each step towards the end of a certificate. */
static void warn(struct shell *sh, struct listener *l)
{
	struct listener_keys *k = &l->keys;
	int64_t left = k->expires_wall_ms - shell_wall_ms();
	struct event ev = { .kind = EVENT_NOTICE };
	char text[SITE_PATH_SIZE * 2 + 96];
	int step = -1;

	for (int i = 0; i < 4; i++)
		if (left <= (int64_t)warn_days[i] * DAY_MS)
			step = i;
	if (!k->bytes || step < 0 || step < k->warned)
		return;
	k->warned = step + 1;
	if (left <= 0)
		snprintf(text, sizeof(text), "the certificate in %s has expired", k->expires_file);
	else if (left < DAY_MS)
		snprintf(text, sizeof(text), "the certificate in %s expires in less than a day",
			 k->expires_file);
	else
		snprintf(text, sizeof(text), "the certificate in %s expires in %lld days",
			 k->expires_file, (long long)(left / DAY_MS));
	ev.notice.severity = left <= DAY_MS ? SEVERITY_FAIL : SEVERITY_WARN;
	ev.notice.kind = SLICE("EXPIRY");
	ev.notice.noun = SLICE("listener");
	ev.notice.name = slice_of(l->name);
	ev.notice.text = slice_of(text);
	log_warn("listener %s: %s", l->name, text);
	shell_step(sh, &ev);
}

void keys_load(struct shell *sh, struct listener *l)
{
	struct error err;
	struct pem_files f;
	char which[SITE_PATH_SIZE * 2];
	int64_t expires;

	if (l->spec.door == DOOR_SSH) {
		ssh_keys_load(sh, l);
		return;
	}
	if (!l->spec.tls.file[0][0]) {
		keys_forget(l);
		return;
	}
	if (files_read(sh, &l->spec, &f, &expires, which, sizeof(which), &err) < 0) {
		log_error("listener %s keeps the keys it has: %s", l->name, err.text);
	} else {
		take(l, &f);
		l->keys.expires_wall_ms = expires;
		TEXT_SET(l->keys.expires_file, which);
		warn(sh, l);
	}
	files_free(&f);
}

void keys_reload(struct shell *sh)
{
	for (struct listener *l = sh->listeners; l; l = l->next) {
		keys_load(sh, l);
		for (uint32_t g = 0; g < sh->gateway_count; g++)
			if (sh->gateways[g].known)
				keys_tell(sh, l, g);
	}
}

static void on_timer(uv_timer_t *timer)
{
	struct shell *sh = timer->data;

	for (struct listener *l = sh->listeners; l; l = l->next)
		warn(sh, l);
}

void keys_watch(struct shell *sh)
{
	sh->keys_timer.data = sh;
	uv_timer_init(&sh->loop, &sh->keys_timer);
	uv_timer_start(&sh->keys_timer, on_timer, LOOK_MS, LOOK_MS);
}
