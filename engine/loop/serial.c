/*
 * The serial console of a machine for one control client: the hypervisor role
 * opens the stream and hands over a socket; bytes travel as JSON text, one code
 * point a byte, so that nothing a guest writes can break a line.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/control.h"
#include "engine/wire/control.h"

enum { CHUNK = 4096 };

struct console_stream {
	uv_pipe_t pipe;
	struct control_client *client;	/* NULL once it is closing */
	char buf[CHUNK];
};

struct console_write {
	uv_write_t request;
	char bytes[];
};

static void say_closed(struct control_client *c, const char *why)
{
	control_send(c, json_pack("{s:s, s:b, s:s}", "console", c->console_name,
				  "closed", 1, "text", why));
}

static void on_freed(uv_handle_t *handle)
{
	free(handle->data);
}

void serial_free(struct control_client *c)
{
	c->console_call = 0;
	if (!c->console)
		return;
	c->console->client = NULL;
	uv_close((uv_handle_t *)&c->console->pipe, on_freed);
	c->console = NULL;
}

void serial_open(struct control_client *c, json_int_t id, const char *machine)
{
	struct shell *sh = c->control->shell;
	const struct machine *m = world_machine_by_name(&sh->world,
							slice_of(machine));
	struct message msg = { .type = WIRE_TYPE_console_open };

	if (!m) {
		control_error(c, id, "not_found", NULL, "there is no such machine",
			      NULL);
		return;
	}
	if (c->console || c->console_call) {
		control_error(c, id, "busy", NULL,
			      "this connection has a console already", NULL);
		return;
	}
	msg.request = sh->next_shell_call++;
	msg.incarnation = m->row.built;
	msg.console_open.machine = m->row.id;
	msg.console_open.uuid = slice_of(m->row.uuid);
	if (!m->created || !hosts_send(sh, m->host->spec.name, &msg)) {
		control_error(c, id, "failed", NULL,
			      "the machine does not run, or its host does not answer",
			      NULL);
		return;
	}
	c->console_call = msg.request;
	c->console_request = id;
	TEXT_SET(c->console_name, m->row.name);
	log_info("console of %s opened by %s", m->row.name, c->who);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct console_stream *s = handle->data;

	(void)suggested;
	*buf = uv_buf_init(s->buf, sizeof(s->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct console_stream *s = stream->data;
	struct control_client *c = s->client;
	char text[2 * CHUNK];

	if (!c)
		return;
	if (n < 0) {
		say_closed(c, "the machine's console was closed");
		serial_free(c);
		return;
	}
	size_t used = control_bytes_to_text(text, buf->base, (size_t)n);
	control_send(c, json_pack("{s:s, s:s%}", "console", c->console_name,
				  "data", text, used));
}

void control_on_console(struct shell *sh, uint64_t call, bool ok, int fd,
			const char *text)
{
	LIST_EACH(&sh->control->clients, it) {
		struct control_client *c =
			LIST_ENTRY(it, struct control_client, link);

		if (c->console_call != call)
			continue;
		c->console_call = 0;
		if (!ok || fd < 0) {
			control_error(c, c->console_request, "failed", NULL, text,
				      NULL);
			break;
		}
		struct console_stream *s = calloc(1, sizeof(*s));
		CHECK("", s, "out of memory");
		s->client = c;
		s->pipe.data = s;
		uv_pipe_init(&sh->loop, &s->pipe, 0);
		uv_pipe_open(&s->pipe, fd);
		c->console = s;
		control_send(c, json_pack("{s:I, s:b, s:s}", "id",
					  (json_int_t)c->console_request, "ok",
					  1, "text", "console open"));
		uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void on_written(uv_write_t *request, int status)
{
	(void)status;	/* a broken console is seen by its reader */
	free(request);
}

void serial_input(struct control_client *c, json_t *o)
{
	json_t *data = json_object_get(o, "data");

	if (json_is_true(json_object_get(o, "close"))) {
		serial_free(c);
		say_closed(c, "left");
		return;
	}
	if (!c->console || c->reads_only || !json_is_string(data))
		return;
	size_t length = json_string_length(data);
	struct console_write *w = malloc(sizeof(*w) + length + 1);
	CHECK("", w, "out of memory");
	ssize_t n = control_text_to_bytes(w->bytes, json_string_value(data),
					  length);
	if (n <= 0) {
		free(w);
		return;
	}
	uv_buf_t buf = uv_buf_init(w->bytes, (unsigned)n);
	if (uv_write(&w->request, (uv_stream_t *)&c->console->pipe, &buf, 1,
		     on_written) < 0)
		free(w);
}
