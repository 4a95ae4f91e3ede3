/*
 * The metrics listener: libuv's TCP in the engine's loop, bounded in everything.
 * A client has CLIENT_MS for its whole visit, at most CLIENTS_MAX are here at once
 * (one more is closed at once), a request has at most HTTP_GET_MAX bytes.  The
 * text is made when it is asked for, from the world as it is between two turns.
 *
 * An address that cannot be used is no error of the site: it is logged, shown by
 * `remuda info`, and tried again with the next site.
 */
#include "engine/loop/metrics.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/wire/http_get.h"

enum { CLIENTS_MAX = 16, CLIENT_MS = 5000, BACKLOG = 16 };

struct metrics {
	struct shell *sh;
	uv_tcp_t server;
	unsigned clients;
	bool closing;
};

struct visitor {
	struct metrics *metrics;
	uv_tcp_t tcp;
	uv_timer_t timer;
	uv_write_t write;
	char *answer;
	size_t used;
	int open_handles;
	bool closing, answered;
	uint8_t in[HTTP_GET_MAX];
};

const struct metrics_bucket metrics_buckets[METRICS_BUCKETS] = {
	{ 0, "0" }, { 10, "0.01" }, { 50, "0.05" }, { 100, "0.1" },
	{ 250, "0.25" }, { 500, "0.5" }, { 1000, "1" }, { 2500, "2.5" },
	{ 5000, "5" }, { 15000, "15" }, { 60000, "60" }, { INT64_MAX, "+Inf" },
};

/* ---- clients -------------------------------------------------------------------- */

static void free_when_alone(struct metrics *m)
{
	if (m->closing && !m->clients)
		free(m);
}

static void on_visitor_closed(uv_handle_t *handle)
{
	struct visitor *v = handle->data;
	struct metrics *m = v->metrics;

	if (--v->open_handles)
		return;
	free(v->answer);
	free(v);
	m->clients--;
	free_when_alone(m);
}

static void leave(struct visitor *v)
{
	if (v->closing)
		return;
	v->closing = true;
	uv_close((uv_handle_t *)&v->timer, on_visitor_closed);
	uv_close((uv_handle_t *)&v->tcp, on_visitor_closed);
}

static void on_late(uv_timer_t *timer)
{
	leave(timer->data);
}

static void on_written(uv_write_t *request, int status)
{
	(void)status;
	leave(request->data);
}

static void send_answer(struct visitor *v, int status, const char *type,
			const char *body, size_t length, bool head)
{
	size_t used;
	FILE *out = open_memstream(&v->answer, &used);

	CHECK("", out, "out of memory");
	fprintf(out, "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n"
		"Connection: close\r\n%s\r\n", status, http_reason(status), type,
		length, status == 405 ? "Allow: GET, HEAD\r\n" : "");
	if (!head)
		fwrite(body, 1, length, out);
	fclose(out);
	v->answered = true;
	v->write.data = v;
	uv_buf_t buf = uv_buf_init(v->answer, (unsigned)used);
	if (uv_write(&v->write, (uv_stream_t *)&v->tcp, &buf, 1, on_written) < 0)
		leave(v);
}

static void answer(struct visitor *v, int status, const struct http_get *get)
{
	char text[80];
	size_t length;

	if (status == 200 && strcmp(get->path, "/metrics") == 0) {
		char *body = metrics_text(v->metrics->sh, &length);

		send_answer(v, 200, "text/plain; version=0.0.4; charset=utf-8",
			    body, length, get->head);
		free(body);
		return;
	}
	status = status == 200 ? 404 : status;
	length = (size_t)snprintf(text, sizeof(text), "%s; here is only /metrics\n",
				  http_reason(status));
	send_answer(v, status, "text/plain; charset=utf-8", text, length,
		    get->head);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
	struct visitor *v = handle->data;

	(void)suggested;
	*buf = uv_buf_init((char *)v->in + v->used,
			   (unsigned)(sizeof(v->in) - v->used));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf)
{
	struct visitor *v = stream->data;
	struct http_get get;

	(void)buf;
	if (n < 0) {
		/* Half closed: the answer is still under way. */
		uv_read_stop(stream);
		if (!v->answered)
			leave(v);
		return;
	}
	v->used += (size_t)n;
	int taken = http_get_parse(v->in, v->used, &get);
	if (!taken)
		return;
	uv_read_stop(stream);
	answer(v, taken > 0 ? 200 : get.status, &get);
}

static void on_client(uv_stream_t *server, int status)
{
	struct metrics *m = server->data;
	struct visitor *v;

	if (status < 0)
		return;
	v = calloc(1, sizeof(*v));
	CHECK("", v, "out of memory");
	v->metrics = m;
	v->tcp.data = v->timer.data = v;
	v->open_handles = 2;
	m->clients++;
	uv_tcp_init(&m->sh->loop, &v->tcp);
	uv_timer_init(&m->sh->loop, &v->timer);
	if (uv_accept(server, (uv_stream_t *)&v->tcp) < 0 ||
	    m->clients > CLIENTS_MAX) {
		leave(v);
		return;
	}
	uv_timer_start(&v->timer, on_late, CLIENT_MS, 0);
	uv_read_start((uv_stream_t *)&v->tcp, on_alloc, on_read);
}

/* ---- the listener ------------------------------------------------------------------ */

static void on_server_closed(uv_handle_t *handle)
{
	struct metrics *m = handle->data;

	m->closing = true;
	free_when_alone(m);
}

static int listen_at(struct metrics *m, const char *ip, uint32_t port)
{
	struct sockaddr_storage at;
	int rc = strchr(ip, ':') ?
			 uv_ip6_addr(ip, (int)port, (struct sockaddr_in6 *)&at) :
			 uv_ip4_addr(ip, (int)port, (struct sockaddr_in *)&at);

	if (rc == 0)
		rc = uv_tcp_bind(&m->server, (const struct sockaddr *)&at, 0);
	if (rc == 0)
		rc = uv_listen((uv_stream_t *)&m->server, BACKLOG, on_client);
	return rc;
}

static void open_listener(struct shell *sh, const char *ip, uint32_t port)
{
	struct metrics *m = calloc(1, sizeof(*m));

	CHECK("", m, "out of memory");
	m->sh = sh;
	m->server.data = m;
	uv_tcp_init(&sh->loop, &m->server);
	int rc = listen_at(m, ip, port);
	if (rc < 0) {
		snprintf(sh->metrics_state, sizeof(sh->metrics_state), "%.60s",
			 uv_strerror(rc));
		log_error("metrics: cannot listen at %s: %s", sh->metrics_at,
			  uv_strerror(rc));
		uv_close((uv_handle_t *)&m->server, on_server_closed);
		return;
	}
	TEXT_SET(sh->metrics_state, "listening");
	log_info("metrics at http://%s/metrics", sh->metrics_at);
	sh->metrics = m;
}

void metrics_sync(struct shell *sh)
{
	const struct site_spec *spec = &sh->world.spec;
	char at[sizeof(sh->metrics_at)] = "";

	if (spec->metrics_port)
		snprintf(at, sizeof(at), strchr(spec->metrics_ip, ':') ?
				 "[%s]:%u" : "%s:%u",
			 spec->metrics_ip, spec->metrics_port);
	if (strcmp(at, sh->metrics_at) == 0 && (sh->metrics || !at[0]))
		return;
	if (sh->metrics)
		uv_close((uv_handle_t *)&sh->metrics->server, on_server_closed);
	sh->metrics = NULL;
	sh->metrics_state[0] = '\0';
	TEXT_SET(sh->metrics_at, at);
	if (at[0])
		open_listener(sh, spec->metrics_ip, spec->metrics_port);
}

/* ---- counting ---------------------------------------------------------------------- */

static void count_begun(struct metrics_counts *n, const struct session_row *row)
{
	int i = 0;

	if (row->id < n->next_session)
		return;		/* it was saved before */
	while (metrics_buckets[i].at_most_ms < row->wait_ms)
		i++;
	n->waits[i]++;
	n->wait_ms += row->wait_ms;
	n->begun++;
}

static void count_done(struct metrics_counts *n, const struct session_row *row)
{
	n->closed += row->state == SESSION_CLOSED;
	n->lost += row->state == SESSION_LOST;
	n->failed += row->state == SESSION_FAILED;
	if (row->cleaned_wall_ms) {
		n->cleaned++;
		n->clean_ms += row->clean_ms > 0 ? row->clean_ms : 0;
	}
}

static void count_effect(struct metrics_counts *n, const struct effect *e)
{
	if (e->kind == EFFECT_SAVE_REQUEST) {
		n->refused += e->row->request.state == REQUEST_REFUSED;
		n->cancelled += e->row->request.state == REQUEST_CANCELLED;
	} else if (e->kind == EFFECT_SAVE_EVENT && !e->transient) {
		n->events[e->row->event.severity]++;
	} else if (e->kind == EFFECT_SAVE_CHANGE && e->row->change.ended_wall_ms) {
		n->changes[e->row->change.state]++;
	}
}

void metrics_on_turn(struct shell *sh)
{
	struct metrics_counts *n = &sh->counts;

	LIST_EACH(&sh->world.save_sessions, it)
		count_begun(n, &LIST_ENTRY(it, struct session, save_link)->row);
	/* Each is freed once, when its machine is done with it. */
	LIST_EACH(&sh->world.done, it)
		count_done(n, &LIST_ENTRY(it, struct session, done_link)->row);
	n->next_session = sh->world.next_session;
	for (size_t i = 0; i < sh->fx.count; i++)
		count_effect(n, &sh->fx.items[i]);
}
