/*
 * Control clients (see control.h).  A client that does not read is cut off
 * when its backlog passes a bound: a stalled terminal never stalls the engine.
 */
#include "engine/loop/control.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <openssl/crypto.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/serial.h"
#include "engine/loop/show.h"
#include "engine/loop/walk.h"
#include "engine/wire/control.h"

struct write {
	uv_write_t request;
	struct control_client *client;
	char *bytes;
	size_t length;
};

static void on_closed(uv_handle_t *handle)
{
	struct control_client *c = handle->data;

	for (int i = 0; i < WALKS; i++)
		walk_end(&c->walks[i]);
	free(c->line);
	free(c);
}

static void client_close(struct control_client *c)
{
	if (c->closing)
		return;
	c->closing = true;
	serial_leave(c);
	list_remove(&c->link);
	uv_close((uv_handle_t *)&c->pipe, on_closed);
}

static void on_written(uv_write_t *request, int status)
{
	struct write *w = (struct write *)(void *)request;

	if (!w->client->closing) {
		w->client->backlog -= w->length;
		if (status < 0)
			client_close(w->client);
		else if (!w->client->backlog)
			walk_go_on(w->client);
	}
	free(w->bytes);
	free(w);
}

void control_send(struct control_client *c, json_t *o)
{
	struct write *w;
	size_t length;

	audit_answered(c, o);
	char *bytes = control_print(o, &length);

	json_decref(o);
	CHECK("", bytes, "out of memory");
	if (c->closing || c->backlog + length > CONTROL_BACKLOG_MAX) {
		if (!c->closing)
			log_warn("control client %s does not read; cut off", c->who);
		client_close(c);
		free(bytes);
		return;
	}
	w = calloc(1, sizeof(*w));
	CHECK("", w, "out of memory");
	*w = (struct write){ .client = c, .bytes = bytes, .length = length };
	c->backlog += length;
	c->said_ms = shell_now_ms();
	uv_buf_t buf = uv_buf_init(bytes, (unsigned)length);
	int rc = uv_write(&w->request, (uv_stream_t *)&c->pipe, &buf, 1,
			  on_written);
	if (rc < 0)
		on_written(&w->request, rc);
}

void control_error(struct control_client *c, json_int_t id, const char *code,
		   const char *object, const char *message, const char *hint)
{
	control_send(c, json_pack("{s:I, s:b, s:{s:s, s:s*, s:s, s:s*}}",
				  "id", id, "ok", 0, "error", "code", code,
				  "object", object, "message", message,
				  "hint", hint));
}

void control_items(struct control_client *c, json_int_t id, const char *kind,
		   json_t *items)
{
	control_page(c, id, kind, items, 0);
}

void control_page(struct control_client *c, json_int_t id, const char *kind,
		  json_t *items, uint64_t next)
{
	size_t n = json_array_size(items), at = 0;

	do {
		json_t *part = json_array();

		for (size_t i = 0; i < CONTROL_PART && at < n; i++, at++)
			json_array_append(part, json_array_get(items, at));
		json_t *o = json_pack("{s:I, s:b, s:s, s:o}", "id", id, "ok", 1,
				      "kind", kind, "items", part);
		if (at < n)
			json_object_set_new(o, "more", json_true());
		else if (next)
			json_object_set_new(o, "next",
					    json_integer((json_int_t)next));
		control_send(c, o);
	} while (at < n);
	json_decref(items);
}

static void on_line(struct control_client *c, const char *line, size_t length)
{
	struct error err = { "" };
	json_t *o = control_parse(line, length, &err);
	json_t *id = o ? json_object_get(o, "id") : NULL;
	const char *verb = o ? json_string_value(json_object_get(o, "verb")) : NULL;

	if (!o)
		control_error(c, 0, "usage", NULL, err.text, NULL);
	else if (!c->whois_only && json_object_get(o, "console"))
		serial_input(c, o);
	else if (!json_is_integer(id) || !verb)
		control_error(c, 0, "usage", NULL,
			      "a request is an object with integer \"id\" and text \"verb\"",
			      NULL);
	else if (c->whois_only && strcmp(verb, "whois") != 0)
		control_error(c, json_integer_value(id), "read_only", NULL,
			      "this socket answers whois and nothing else", NULL);
	else
		verbs_run(c, json_integer_value(id), verb, o);
	json_decref(o);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct control_client *c = handle->data;

	(void)suggested;
	if (c->size - c->used < 4096) {
		c->size = c->size ? c->size * 2 : 8192;
		c->line = realloc(c->line, c->size);
		CHECK("", c->line, "out of memory");
	}
	*buf = uv_buf_init(c->line + c->used, (unsigned)(c->size - c->used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct control_client *c = stream->data;
	size_t start = 0;

	(void)buf;
	if (n < 0) {
		client_close(c);
		return;
	}
	size_t scan = c->used;
	c->used += (size_t)n;
	for (size_t i = scan; i < c->used && !c->closing; i++) {
		if (c->line[i] != '\n')
			continue;
		on_line(c, c->line + start, i - start);
		start = i + 1;
	}
	if (c->closing)
		return;
	memmove(c->line, c->line + start, c->used - start);
	c->used -= start;
	if (c->used > CONTROL_LINE_MAX) {
		control_error(c, 0, "usage", NULL, "a line is at most 1 MiB", NULL);
		client_close(c);
	}
}

/* Owner and root change, others who may connect at all read. */
static void learn_rights(struct control_client *c, int fd)
{
	struct ucred cred = { .uid = (uid_t)-1 };
	socklen_t size = sizeof(cred);
	const struct passwd *pw;

	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &size);
	c->may_change = cred.uid == getuid() || cred.uid == 0;
	c->uid = cred.uid;
	c->pid = cred.pid > 0 ? (uint32_t)cred.pid : 0;
	pw = getpwuid(cred.uid);
	if (pw)
		TEXT_SET(c->who, pw->pw_name);
	else
		snprintf(c->who, sizeof(c->who), "uid %u", (unsigned)cred.uid);
}

static void client_open(struct control *ctl, struct control_client *c)
{
	struct shell *sh = ctl->shell;
	uv_os_fd_t fd = -1;

	c->control = ctl;
	c->number = ++ctl->next_client;
	list_add_tail(&ctl->clients, &c->link);
	uv_fileno((uv_handle_t *)&c->pipe, &fd);
	learn_rights(c, fd);
	uv_read_start((uv_stream_t *)&c->pipe, on_alloc, on_read);
	control_send(c, json_pack(
		"{s:s, s:i, s:s, s:s, s:s, s:s, s:i, s:o}", "hello", "remuda",
		"api", CONTROL_API, "version", REMUDA_VERSION, "site",
		sh->world.has_spec ? sh->world.spec.name : "", "engine",
		sh->o.headless ? "headless" : "embedded", "rights",
		c->whois_only ? "whois" : c->may_change ? "change" : "read",
		"pid", (int)getpid(), "time",
		show_time(shell_wall_ms())));
}

static struct control_client *client_new(struct control *ctl)
{
	struct control_client *c = calloc(1, sizeof(*c));

	CHECK("", c, "out of memory");
	uv_pipe_init(&ctl->shell->loop, &c->pipe, 0);
	c->pipe.data = c;
	return c;
}

static void accept_client(uv_stream_t *server, bool whois_only)
{
	struct control *ctl = server->data;
	size_t clients = 0;

	LIST_EACH(&ctl->clients, it)
		clients += LIST_ENTRY(it, struct control_client,
				      link)->whois_only == whois_only;
	struct control_client *c = client_new(ctl);
	c->whois_only = whois_only;
	if (uv_accept(server, (uv_stream_t *)&c->pipe) < 0 ||
	    clients >= CONTROL_CLIENTS_MAX) {
		c->closing = true;
		uv_close((uv_handle_t *)&c->pipe, on_closed);
		return;
	}
	client_open(ctl, c);
}

static void on_connection(uv_stream_t *server, int status)
{
	if (status == 0)
		accept_client(server, false);
}

static void on_whois(uv_stream_t *server, int status)
{
	if (status == 0)
		accept_client(server, true);
}

static void on_flush(uv_timer_t *timer)
{
	struct control *ctl = timer->data;

	LIST_EACH(&ctl->clients, it)
		subscription_flush(LIST_ENTRY(it, struct control_client, link));
	json_array_clear(ctl->ended_sessions);
	json_array_clear(ctl->ended_requests);
	json_array_clear(ctl->gone_machines);
	json_array_clear(ctl->gone_nodes);
	json_array_clear(ctl->saved_changes);
}

static void load_event(void *arg, const struct event_row *row)
{
	struct control *ctl = arg;

	/* Newest first from the store; the ring wants oldest first. */
	ctl->events[CONTROL_EVENTS - 1 - ctl->event_count++] = *row;
}

static void load_events(struct control *ctl)
{
	struct db_query q = { .limit = CONTROL_EVENTS };
	struct error err;

	if (db_query_events(ctl->shell->db, &q, load_event, ctl, &err) < 0)
		shell_die(ctl->shell, "the store cannot be read: %s", err.text);
	memmove(ctl->events, ctl->events + CONTROL_EVENTS - ctl->event_count,
		ctl->event_count * sizeof(ctl->events[0]));
}

static int socket_open(struct control *ctl, uv_pipe_t *pipe, const char *name,
		       mode_t without, uv_connection_cb on_client,
		       struct error *err)
{
	char path[1200];
	int rc;

	snprintf(path, sizeof(path), "%s/%s", ctl->shell->o.run_dir, name);
	unlink(path);
	uv_pipe_init(&ctl->shell->loop, pipe, 0);
	pipe->data = ctl;
	mode_t mask = umask(without);
	rc = uv_pipe_bind(pipe, path);
	umask(mask);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)pipe, 64, on_client);
	return rc < 0 ? error_set(err, "control socket %s: %s", path,
				  uv_strerror(rc)) : 0;
}

int control_start(struct shell *sh, struct error *err)
{
	struct control *ctl = calloc(1, sizeof(*ctl));

	CHECK("", ctl, "out of memory");
	sh->control = ctl;
	ctl->shell = sh;
	ctl->ended_sessions = json_array();
	ctl->ended_requests = json_array();
	ctl->gone_machines = json_array();
	ctl->gone_nodes = json_array();
	ctl->saved_changes = json_array();
	ctl->acks = json_array();
	list_init(&ctl->clients);
	list_init(&ctl->deeds);
	list_init(&ctl->serials);
	list_init(&ctl->replays);
	load_events(ctl);
	/* Owner and group; services that ask whois may be anybody on this host. */
	if (socket_open(ctl, &ctl->server, "control.sock", 0117, on_connection,
			err) < 0 ||
	    socket_open(ctl, &ctl->whois_server, "whois.sock", 0111, on_whois,
			err) < 0)
		return -1;
	uv_timer_init(&sh->loop, &ctl->flush);
	ctl->flush.data = ctl;
	uv_timer_start(&ctl->flush, on_flush, CONTROL_FLUSH_MS, CONTROL_FLUSH_MS);
	if (sh->o.control_fd >= 0) {
		struct control_client *c = client_new(ctl);

		uv_pipe_open(&c->pipe, sh->o.control_fd);
		client_open(ctl, c);
	}
	return 0;
}

void control_stop(struct shell *sh)
{
	char path[1200];

	snprintf(path, sizeof(path), "%s/control.sock", sh->o.run_dir);
	unlink(path);
	snprintf(path, sizeof(path), "%s/whois.sock", sh->o.run_dir);
	unlink(path);
}

void control_on_event(struct shell *sh, const struct event_row *row)
{
	struct control *ctl = sh->control;

	ctl->events[ctl->event_count++ % CONTROL_EVENTS] = *row;
	alarm_on_event(sh, row);
}

struct control_client *control_client_of(struct control *ctl, uint64_t number)
{
	LIST_EACH(&ctl->clients, it) {
		struct control_client *c =
			LIST_ENTRY(it, struct control_client, link);

		if (c->number == number)
			return c;
	}
	return NULL;
}

void control_answer(struct shell *sh, uint64_t client, int64_t id, bool ok,
		    const char *code, const char *text)
{
	struct control_client *c = control_client_of(sh->control, client);

	audit_close(sh, client, id, ok, code, text);
	if (c && ok)
		control_send(c, json_pack("{s:I, s:b, s:s}", "id",
					  (json_int_t)id, "ok", 1, "text", text));
	else if (c)
		control_error(c, id, code, NULL, text, NULL);
}

/* A yes that brings something: a token, the change that began. */
static void answer_more(struct shell *sh, const struct reply *r,
			const char *text)
{
	struct control_client *c = control_client_of(sh->control, r->client);

	if (!c)
		return;
	control_send(c, json_pack("{s:I, s:b, s:s, s:s*, s:o*}", "id", r->id,
				  "ok", 1, "text", text, "token",
				  r->token[0] ? r->token : NULL, "change",
				  r->change ? json_integer((json_int_t)r->change) :
					      NULL));
}

void control_on_reply(struct shell *sh, const struct effect *e)
{
	struct reply *r = map_remove(&sh->control->replies, e->call);
	char code[40], text[400];

	if (!r)
		return;
	text_copy_slice(code, sizeof(code), e->word);
	text_copy_slice(text, sizeof(text), e->text);
	if (e->ok && (r->token[0] || r->change))
		answer_more(sh, r, text);
	else
		control_answer(sh, r->client, r->id, e->ok, code, text);
	OPENSSL_cleanse(r, sizeof(*r));
	free(r);
}
