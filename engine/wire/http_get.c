/* GET requests; see http_get.h.  The head is found first, then read by lines. */
#include "engine/wire/http_get.h"

#include <string.h>
#include <strings.h>

#include "engine/base/text.h"

struct head {
	const char *at, *end;	/* the lines that are left */
	bool minor;		/* HTTP/1.1 */
	unsigned hosts, fields;
	struct http_get *out;
};

static int refuse(struct http_get *out, int status)
{
	out->status = status;
	out->path[0] = '\0';
	return -1;
}

/* Length of the request with its empty line, 0 = not whole, -1 = 400 or 431. */
static int find_end(const uint8_t *in, size_t length, struct http_get *out)
{
	size_t most = length < HTTP_GET_MAX ? length : HTTP_GET_MAX;

	for (size_t i = 0; i < most; i++) {
		bool cr_before = i > 0 && in[i - 1] == '\r';

		if ((in[i] < ' ' && in[i] != '\t' && in[i] != '\r' &&
		     in[i] != '\n') || in[i] == 0x7f ||
		    (in[i] == '\n') != cr_before)
			return refuse(out, 400);
		if (i >= 3 && memcmp(in + i - 3, "\r\n\r\n", 4) == 0)
			return (int)i + 1;
	}
	return length >= HTTP_GET_MAX ? refuse(out, 431) : 0;
}

static bool next_line(struct head *h, struct slice *line)
{
	const char *cr = memchr(h->at, '\r', (size_t)(h->end - h->at));

	if (!cr)
		return false;
	*line = (struct slice){ h->at, (uint32_t)(cr - h->at) };
	h->at = cr + 2;
	return true;
}

static bool begins(struct slice s, const char *word)
{
	return s.length >= strlen(word) &&
	       strncasecmp(s.ptr, word, strlen(word)) == 0;
}

static struct slice after(struct slice s, size_t n)
{
	return (struct slice){ s.ptr + n, s.length - (uint32_t)n };
}

/* "/metrics?x=y", or the same behind http://host. */
static int take_target(struct http_get *out, struct slice target)
{
	const char *query;

	if (begins(target, "http://")) {
		const char *slash;

		target = after(target, 7);
		slash = memchr(target.ptr, '/', target.length);
		if (!slash)
			return refuse(out, 404);
		target = after(target, (size_t)(slash - target.ptr));
	}
	query = memchr(target.ptr, '?', target.length);
	if (query)
		target.length = (uint32_t)(query - target.ptr);
	if (!target.length || target.ptr[0] != '/' ||
	    !text_copy_slice(out->path, sizeof(out->path), target))
		return refuse(out, target.length ? 404 : 400);
	return 0;
}

static int take_request_line(struct head *h, struct slice line)
{
	static const char version[] = " HTTP/1.";
	size_t v = sizeof(version) - 1, method = begins(line, "GET ") ? 4 : 5;
	struct slice tail;

	h->out->head = begins(line, "HEAD ");
	/* Methods are written in capitals, and so is HTTP. */
	if (line.length < v + 3 || !memchr(line.ptr, ' ', line.length))
		return refuse(h->out, 400);
	if (memcmp(line.ptr, "GET ", 4) != 0 && memcmp(line.ptr, "HEAD ", 5) != 0)
		return refuse(h->out, 405);
	tail = after(line, line.length - v - 1);
	if (tail.ptr[0] != ' ' || memcmp(tail.ptr, " HTTP/", 6) != 0 ||
	    tail.length < 9 || line.length < method + v + 1)
		return refuse(h->out, 400);
	if (memcmp(tail.ptr, version, v) != 0 ||
	    (tail.ptr[v] != '0' && tail.ptr[v] != '1'))
		return refuse(h->out, 505);
	h->minor = tail.ptr[v] == '1';
	line.length -= (uint32_t)v + 1;
	line = after(line, method);
	if (memchr(line.ptr, ' ', line.length))
		return refuse(h->out, 400);
	return take_target(h->out, line);
}

static int take_field(struct head *h, struct slice line)
{
	const char *colon = memchr(line.ptr, ':', line.length);
	size_t n = colon ? (size_t)(colon - line.ptr) : 0;

	if (!n || memchr(line.ptr, ' ', n) || memchr(line.ptr, '\t', n))
		return refuse(h->out, 400);
	if (++h->fields > HTTP_GET_FIELDS)
		return refuse(h->out, 431);
	h->hosts += begins(line, "Host:");
	if (begins(line, "Transfer-Encoding:") || h->hosts > 1)
		return refuse(h->out, 400);
	if (!begins(line, "Content-Length:"))
		return 0;
	for (size_t i = n + 1; i < line.length; i++)
		if (!strchr(" \t0", line.ptr[i]))
			return refuse(h->out, 400);
	return 0;
}

int http_get_parse(const uint8_t *in, size_t length, struct http_get *out)
{
	struct head h = { .out = out };
	struct slice line;

	*out = (struct http_get){ .status = 0 };
	int n = find_end(in, length, out);
	if (n <= 0)
		return n;
	h.at = (const char *)in;
	h.end = h.at + n - 2;	/* without the empty line */
	if (!next_line(&h, &line) || take_request_line(&h, line) < 0)
		return out->status ? -1 : refuse(out, 400);
	while (next_line(&h, &line))
		if (take_field(&h, line) < 0)
			return -1;
	return h.minor && !h.hosts ? refuse(out, 400) : n;
}

const char *http_reason(int status)
{
	static const struct { int status; const char *text; } all[] = {
		{ 200, "OK" }, { 400, "Bad Request" }, { 404, "Not Found" },
		{ 405, "Method Not Allowed" },
		{ 431, "Request Header Fields Too Large" },
		{ 503, "Service Unavailable" },
		{ 505, "HTTP Version Not Supported" },
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		if (all[i].status == status)
			return all[i].text;
	return "";
}
