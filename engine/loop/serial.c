/*
 * The serial consoles of machines.  The engine owns a machine's stream: the
 * hypervisor role opens it once and hands over a socket, control clients look at
 * it together, and the last SERIAL_KEPT bytes are there for who comes later.
 * One of them has the keyboard; another asks for it and gets it when it is given,
 * or after ASK_MS without an answer.
 *
 * Bytes travel as JSON text, one code point a byte, so that nothing a guest
 * writes can break a line.  A stream that nobody looks at stays open until the
 * machine ends it or there are too many; so who comes after a crash of the guest
 * still sees its last words.
 */
#include "engine/loop/serial.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/wire/control.h"

enum {
	CHUNK = 4096,
	STREAMS_KEPT = 64,	/* open, whoever looks */
	ASK_MS = 20000,
};

struct serial {
	struct list link;	/* in control.serials */
	struct control *control;
	uv_pipe_t pipe;
	uv_timer_t timer;	/* of the one who asks */
	uint64_t call;		/* being opened, or 0 */
	bool open, closing;
	int handles;		/* of libuv, not closed yet */
	uint64_t machine;
	char name[ROW_NAME_SIZE];
	uint64_t keyboard;	/* client number, 0 = nobody's */
	uint64_t asker;		/* who asked for it, 0 = nobody */
	int64_t seen_ms;	/* somebody looked last */
	char *kept;		/* ring of the last bytes */
	size_t used, at;	/* at: where the next byte goes once full */
	char buf[CHUNK];
};

/* ---- who looks ------------------------------------------------------- */

#define EACH_WATCHER(s, c)                                                     \
	LIST_EACH(&(s)->control->clients, watcher_link)                        \
		for (struct control_client *c = LIST_ENTRY(watcher_link,       \
			struct control_client, link); c && c->console == (s);  \
			c = NULL)

static int watchers(const struct serial *s)
{
	int count = 0;

	EACH_WATCHER(s, c)
		count++;
	return count;
}

static const char *who_types(const struct serial *s)
{
	const struct control_client *c =
		control_client_of(s->control, s->keyboard);

	return c ? c->who : NULL;
}

/* Everybody hears who has the keyboard. */
static void tell(struct serial *s)
{
	int count = watchers(s);

	EACH_WATCHER(s, c)
		control_send(c, json_pack("{s:s, s:s?, s:b, s:i}", "console",
					  s->name, "keyboard", who_types(s),
					  "mine", s->keyboard == c->number,
					  "watchers", count));
}

static void note(struct serial *s, const struct control_client *c,
		 const char *what)
{
	struct event ev = { .kind = EVENT_NOTICE };
	char text[ROW_TEXT_SIZE];

	snprintf(text, sizeof(text), "serial console %s by %s", what, c->who);
	ev.notice.severity = SEVERITY_INFO;
	ev.notice.kind = SLICE("CONSOLE");
	ev.notice.noun = SLICE("machine");
	ev.notice.name = slice_of(s->name);
	ev.notice.text = slice_of(text);
	shell_step(s->control->shell, &ev);
}

/* ---- the stream ------------------------------------------------------ */

static void on_handle_closed(uv_handle_t *handle)
{
	struct serial *s = handle->data;

	if (--s->handles > 0)
		return;
	free(s->kept);
	free(s);
}

static void say_closed(struct control_client *c, const char *name,
		       const char *why)
{
	control_send(c, json_pack("{s:s, s:b, s:s}", "console", name, "closed",
				  1, "text", why));
}

/* Ends it for everybody. */
static void serial_end(struct serial *s, const char *why)
{
	if (s->closing)
		return;
	s->closing = true;
	list_remove(&s->link);
	EACH_WATCHER(s, c) {
		c->console = NULL;
		if (c->console_wait) {
			c->console_wait = false;
			control_error(c, c->console_request, "failed", NULL,
				      why, NULL);
		} else {
			say_closed(c, s->name, why);
		}
	}
	uv_close((uv_handle_t *)&s->pipe, on_handle_closed);
	uv_close((uv_handle_t *)&s->timer, on_handle_closed);
}

static void keep(struct serial *s, const char *bytes, size_t n)
{
	if (!s->kept) {
		s->kept = malloc(SERIAL_KEPT);
		CHECK("", s->kept, "out of memory");
	}
	for (size_t i = 0; i < n; i++) {
		s->kept[s->at] = bytes[i];
		s->at = (s->at + 1) % SERIAL_KEPT;
	}
	s->used = s->used + n > SERIAL_KEPT ? SERIAL_KEPT : s->used + n;
}

static void send_bytes(struct control_client *c, const struct serial *s,
		       const char *bytes, size_t n)
{
	char text[2 * CHUNK];
	size_t used = control_bytes_to_text(text, bytes, n);

	control_send(c, json_pack("{s:s, s:s%}", "console", s->name, "data",
				  text, used));
}

/* The last bytes that were kept, at most wanted. */
static void send_kept(struct control_client *c, const struct serial *s,
		      size_t wanted)
{
	size_t n = wanted < s->used ? wanted : s->used;
	size_t from = (s->at + SERIAL_KEPT - n) % SERIAL_KEPT;

	while (n > 0 && !c->closing && c->console == s) {
		size_t part = SERIAL_KEPT - from < n ? SERIAL_KEPT - from : n;

		part = part > CHUNK ? CHUNK : part;
		send_bytes(c, s, s->kept + from, part);
		from = (from + part) % SERIAL_KEPT;
		n -= part;
	}
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct serial *s = handle->data;

	(void)suggested;
	*buf = uv_buf_init(s->buf, sizeof(s->buf));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct serial *s = stream->data;

	if (n < 0) {
		serial_end(s, "the machine's console was closed");
		return;
	}
	keep(s, buf->base, (size_t)n);
	EACH_WATCHER(s, c)
		if (!c->console_wait)
			send_bytes(c, s, buf->base, (size_t)n);
}

/* ---- joining and leaving --------------------------------------------- */

static void join(struct control_client *c, struct serial *s)
{
	c->console_wait = false;
	s->seen_ms = shell_now_ms();
	if (!c->console_watches && !s->keyboard)
		s->keyboard = c->number;
	control_send(c, json_pack("{s:I, s:b, s:s}", "id",
				  (json_int_t)c->console_request, "ok", 1,
				  "text", "console open"));
	send_kept(c, s, c->console_history);
	if (c->console != s)
		return;		/* it did not read, and was cut off */
	note(s, c, c->console_watches ? "watched" : "opened");
	tell(s);
}

static struct serial *find(const struct control *ctl, uint64_t machine)
{
	LIST_EACH(&ctl->serials, it) {
		struct serial *s = LIST_ENTRY(it, struct serial, link);

		if (s->machine == machine)
			return s;
	}
	return NULL;
}

/* The one that nobody has looked at for longest makes room. */
static void make_room(struct control *ctl)
{
	struct serial *oldest = NULL;
	int count = 0;

	LIST_EACH(&ctl->serials, it) {
		struct serial *s = LIST_ENTRY(it, struct serial, link);

		count++;
		if (watchers(s) == 0 &&
		    (!oldest || s->seen_ms < oldest->seen_ms))
			oldest = s;
	}
	if (count >= STREAMS_KEPT && oldest)
		serial_end(oldest, "others are looked at");
}

/* Asks the hypervisor role for the machine's stream; NULL when it cannot. */
static struct serial *start(struct control *ctl, const struct machine *m)
{
	struct shell *sh = ctl->shell;
	struct message msg = { .type = WIRE_TYPE_console_open };
	struct serial *s;

	msg.request = sh->next_shell_call++;
	msg.incarnation = m->row.built;
	msg.console_open.machine = m->row.id;
	msg.console_open.uuid = slice_of(m->row.uuid);
	if (!m->created || !hosts_send(sh, m->host->spec.name, &msg))
		return NULL;
	make_room(ctl);
	s = calloc(1, sizeof(*s));
	CHECK("", s, "out of memory");
	*s = (struct serial){ .control = ctl, .call = msg.request,
			      .machine = m->row.id, .handles = 2 };
	TEXT_SET(s->name, m->row.name);
	s->pipe.data = s->timer.data = s;
	uv_pipe_init(&sh->loop, &s->pipe, 0);
	uv_timer_init(&sh->loop, &s->timer);
	list_add_tail(&ctl->serials, &s->link);
	return s;
}

void serial_open(struct control_client *c, const struct serial_wish *wish)
{
	struct shell *sh = c->control->shell;
	const struct machine *m = world_machine_by_name(&sh->world,
							slice_of(wish->machine));
	struct serial *s = m ? find(c->control, m->row.id) : NULL;

	if (!m) {
		control_error(c, wish->id, "not_found", NULL,
			      "there is no such machine", NULL);
		return;
	}
	if (c->console) {
		control_error(c, wish->id, "busy", NULL,
			      "this connection has a console already", NULL);
		return;
	}
	if (!s)
		s = start(c->control, m);
	if (!s) {
		control_error(c, wish->id, "failed", NULL,
			      "the machine does not run, or its host does not answer",
			      NULL);
		return;
	}
	c->console = s;
	c->console_wait = true;
	c->console_request = wish->id;
	c->console_watches = wish->watch;
	c->console_history = wish->history > 0 ? (size_t)wish->history : 0;
	log_info("console of %s opened by %s", m->row.name, c->who);
	if (s->open)
		join(c, s);
}

void control_on_console(struct shell *sh, uint64_t call, bool ok, int fd,
			const char *text)
{
	LIST_EACH(&sh->control->serials, it) {
		struct serial *s = LIST_ENTRY(it, struct serial, link);

		if (s->call != call)
			continue;
		s->call = 0;
		if (!ok || fd < 0) {
			serial_end(s, text);
			break;
		}
		s->open = true;
		uv_pipe_open(&s->pipe, fd);
		EACH_WATCHER(s, c)
			join(c, s);
		uv_read_start((uv_stream_t *)&s->pipe, on_alloc, on_read);
		return;
	}
	if (fd >= 0)
		close(fd);
}

static void give_to(struct serial *s, uint64_t client)
{
	s->keyboard = client;
	s->asker = 0;
	uv_timer_stop(&s->timer);
	tell(s);
}

/* Who had the keyboard does not answer: it goes on. */
static void on_ask_over(uv_timer_t *timer)
{
	struct serial *s = timer->data;

	if (s->asker)
		give_to(s, s->asker);
}

void serial_leave(struct control_client *c)
{
	struct serial *s = c->console;

	if (!s)
		return;
	c->console = NULL;
	s->seen_ms = shell_now_ms();
	if (s->asker == c->number)
		s->asker = 0;
	if (c->console_wait) {
		c->console_wait = false;
		return;
	}
	note(s, c, "left");
	if (s->keyboard == c->number)
		give_to(s, s->asker);
	else
		tell(s);
}

/* ---- from a client --------------------------------------------------- */

static void ask_for_keyboard(struct control_client *c, struct serial *s)
{
	struct control_client *holder =
		control_client_of(s->control, s->keyboard);

	if (s->keyboard == c->number)
		return;
	if (!holder || holder->console != s) {
		give_to(s, c->number);
		return;
	}
	s->asker = c->number;
	uv_timer_start(&s->timer, on_ask_over, ASK_MS, 0);
	control_send(holder, json_pack("{s:s, s:s}", "console", s->name,
				       "asked", c->who));
}

static void answer_asker(struct control_client *c, struct serial *s, bool give)
{
	struct control_client *asker = control_client_of(s->control, s->asker);

	if (s->keyboard != c->number || !s->asker)
		return;
	if (give) {
		give_to(s, s->asker);
		return;
	}
	s->asker = 0;
	uv_timer_stop(&s->timer);
	if (asker)
		control_send(asker, json_pack("{s:s, s:s}", "console", s->name,
					      "denied", c->who));
}

static void on_written(uv_write_t *request, int status)
{
	(void)status;	/* a broken console is seen by its reader */
	free(request);
}

struct console_write {
	uv_write_t request;
	char bytes[];
};

static void type(struct serial *s, json_t *data)
{
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
	if (uv_write(&w->request, (uv_stream_t *)&s->pipe, &buf, 1,
		     on_written) < 0)
		free(w);
}

void serial_input(struct control_client *c, json_t *o)
{
	json_t *data = json_object_get(o, "data");
	json_t *give = json_object_get(o, "give");
	struct serial *s = c->console;

	if (json_is_true(json_object_get(o, "close"))) {
		const char *name = json_string_value(json_object_get(o,
								"console"));

		serial_leave(c);
		say_closed(c, name ? name : "", "left");
		return;
	}
	/* Who only looks, by rights or by promise, types nothing. */
	if (!s || !s->open || !c->may_change || c->reads_only)
		return;
	if (json_is_true(json_object_get(o, "ask")))
		ask_for_keyboard(c, s);
	else if (json_is_boolean(give))
		answer_asker(c, s, json_is_true(give));
	else if (json_is_string(data) && s->keyboard == c->number)
		type(s, data);
}
