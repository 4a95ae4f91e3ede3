/* HTTP CONNECT; see http_connect.h.  One pass over lines, then over fields. */
#include "engine/wire/http_connect.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "engine/base/text.h"

enum once {
	SEEN_HOST = 1, SEEN_AUTHORIZATION = 2, SEEN_LENGTH = 4,
	SEEN_ENCODING = 8, SEEN_EXPECT = 16,
};

struct reading {
	const uint8_t *in;
	size_t length, at;
	bool minor;		/* HTTP/1.1 */
	unsigned seen;		/* enum once */
	struct http_connect *out;
};

static int refuse(struct reading *r, int status, const char *why)
{
	r->out->status = status;
	r->out->why = why;
	return -1;
}

/* RFC 9110 5.6.2 */
static bool is_token(uint8_t c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (c && strchr("!#$%&'*+-.^_`|~", c));
}

/* A line without its CRLF: 1, or 0 when its end has not come. */
static int next_line(struct reading *r, struct slice *line)
{
	for (size_t i = r->at; i < r->length; i++) {
		uint8_t c = r->in[i];

		if (c == '\r') {
			if (i + 1 == r->length)
				return 0;
			if (r->in[i + 1] != '\n')
				return refuse(r, 400, "a line has a CR without its LF");
			*line = (struct slice){ (const char *)r->in + r->at,
						(uint32_t)(i - r->at) };
			r->at = i + 2;
			return 1;
		}
		if (c == '\n')
			return refuse(r, 400, "lines end with CR LF, not with LF alone");
		if ((c < ' ' && c != '\t') || c == 0x7f)
			return refuse(r, 400, "the request has a control character");
	}
	return 0;
}

/* "name" or "name:port". */
static int take_authority(struct reading *r, struct slice s)
{
	struct http_connect *o = r->out;
	const char *colon = memchr(s.ptr, ':', s.length);
	size_t name = colon ? (size_t)(colon - s.ptr) : s.length;
	unsigned long port = 0;

	if (s.ptr[0] == '[')
		return refuse(r, 404, "ask for an application by its name, not for an address");
	if (colon) {
		size_t digits = s.length - name - 1;

		for (size_t i = 0; i < digits && digits <= 5; i++) {
			char c = colon[1 + i];

			port = c >= '0' && c <= '9' ? port * 10 + (unsigned)(c - '0')
						    : 65536;
			if (port > 65535)
				break;
		}
		if (digits < 1 || digits > 5 || !port || port > 65535)
			return refuse(r, 400, "the port is not a number from 1 to 65535");
	}
	if (name == 0 || name >= sizeof(o->application))
		return refuse(r, name ? 404 : 400, "that is not the name of an application");
	for (size_t i = 0; i < name; i++) {
		char c = s.ptr[i];

		o->application[i] = c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
	}
	o->application[name] = '\0';
	/* A NUL cannot be in it: next_line refuses control characters. */
	if (!text_is_name(o->application))
		return refuse(r, 404, "that is not the name of an application");
	return 0;
}

static int take_request_line(struct reading *r, struct slice line)
{
	const char *space = memchr(line.ptr, ' ', line.length);
	size_t method = space ? (size_t)(space - line.ptr) : line.length;

	for (size_t i = 0; i < method; i++)
		if (!is_token((uint8_t)line.ptr[i]))
			return refuse(r, 400, "the request does not begin with a method");
	if (!space || !method)
		return refuse(r, 400, "the first line is not METHOD TARGET HTTP/1.1");
	if (method != 7 || memcmp(line.ptr, "CONNECT", 7) != 0)
		return refuse(r, 405, "this is a proxy for CONNECT only: use CONNECT APPLICATION");
	struct slice target = { space + 1, line.length - 8 };
	const char *end = memchr(target.ptr, ' ', target.length);
	size_t rest = end ? target.length - (size_t)(end - target.ptr) - 1 : 0;
	if (!end || rest != 8 || memcmp(end + 1, "HTTP/", 5) != 0 ||
	    end[6] < '0' || end[6] > '9' || end[7] != '.' || end[8] < '0' ||
	    end[8] > '9')
		return refuse(r, 400, "the first line is not CONNECT APPLICATION HTTP/1.1");
	if (end[6] != '1' || end[8] > '1')
		return refuse(r, 505, "this proxy speaks HTTP/1.0 and HTTP/1.1");
	r->minor = end[8] == '1';
	target.length = (uint32_t)(end - target.ptr);
	if (!target.length)
		return refuse(r, 400, "CONNECT names no application");
	return take_authority(r, target);
}

static int digit_of(char c)
{
	return c >= 'A' && c <= 'Z' ? c - 'A' :
	       c >= 'a' && c <= 'z' ? c - 'a' + 26 :
	       c >= '0' && c <= '9' ? c - '0' + 52 :
	       c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 4, padded, the unused bits zero.  Length, or -1. */
static int base64_decode(struct slice s, uint8_t *out, size_t size)
{
	size_t n = 0;

	if (!s.length || s.length % 4 || s.length / 4 * 3 > size)
		return -1;
	for (size_t i = 0; i < s.length; i += 4) {
		bool last = i + 4 == s.length;
		int pad = !last || s.ptr[i + 3] != '=' ? 0 :
			  s.ptr[i + 2] != '=' ? 1 : 2;
		uint32_t word = 0;

		for (int k = 0; k < 4; k++) {
			int d = k >= 4 - pad ? 0 : digit_of(s.ptr[i + (size_t)k]);

			if (d < 0)
				return -1;
			word = word << 6 | (uint32_t)d;
		}
		if (word & ((1u << (8 * pad)) - 1))
			return -1;
		for (int k = 0; k < 3 - pad; k++)
			out[n++] = (uint8_t)(word >> (16 - 8 * k));
	}
	return (int)n;
}

static int take_basic(struct reading *r, struct slice s)
{
	struct http_connect *o = r->out;
	uint8_t plain[sizeof(o->user) + sizeof(o->secret)];
	int n = base64_decode(s, plain, sizeof(plain)), rc = 0;
	const uint8_t *colon = n > 0 ? memchr(plain, ':', (size_t)n) : NULL;

	if (!colon) {
		rc = refuse(r, 400, "Proxy-Authorization: Basic is not base64 of user:password");
	} else {
		size_t user = (size_t)(colon - plain);
		size_t secret = (size_t)n - user - 1;
		bool clean = user < sizeof(o->user) && secret <= sizeof(o->secret);

		for (int i = 0; i < n; i++)
			clean = clean && plain[i] >= ' ' && plain[i] != 0x7f;
		if (!clean) {
			rc = refuse(r, 400, "Proxy-Authorization: the user or the password is too long or has a control character");
		} else {
			memcpy(o->user, plain, user);
			o->user[user] = '\0';
			memcpy(o->secret, colon + 1, secret);
			o->secret_length = (uint32_t)secret;
			o->credentials = HTTP_BASIC;
		}
	}
	explicit_bzero(plain, sizeof(plain));
	return rc;
}

/* token68 of RFC 9110 11.2 */
static int take_bearer(struct reading *r, struct slice s)
{
	struct http_connect *o = r->out;
	size_t body = s.length;

	while (body > 0 && s.ptr[body - 1] == '=')
		body--;
	bool good = body > 0 && s.length <= sizeof(o->secret);
	for (size_t i = 0; i < body; i++)
		good = good && (digit_of(s.ptr[i]) >= 0 ||
				strchr("-._~", s.ptr[i]));
	if (!good)
		return refuse(r, 400, "Proxy-Authorization: Bearer has no token");
	memcpy(o->secret, s.ptr, s.length);
	o->secret_length = s.length;
	o->credentials = HTTP_BEARER;
	return 0;
}

static int take_authorization(struct reading *r, struct slice value)
{
	const char *space = memchr(value.ptr, ' ', value.length);
	size_t scheme = space ? (size_t)(space - value.ptr) : value.length, skip = scheme;

	while (skip < value.length && value.ptr[skip] == ' ')
		skip++;
	struct slice rest = { value.ptr + skip, value.length - (uint32_t)skip };
	if (scheme == 5 && strncasecmp(value.ptr, "Basic", 5) == 0)
		return take_basic(r, rest);
	if (scheme == 6 && strncasecmp(value.ptr, "Bearer", 6) == 0)
		return take_bearer(r, rest);
	/* Unknown: as if there were none, so that 407 says what is known. */
	return 0;
}

static bool named(struct slice name, const char *want)
{
	return name.length == strlen(want) &&
	       strncasecmp(name.ptr, want, name.length) == 0;
}

static int once(struct reading *r, enum once field)
{
	if (r->seen & field)
		return refuse(r, 400, "a field stands there twice that may stand there once");
	r->seen |= field;
	return 0;
}

static int take_known(struct reading *r, struct slice name, struct slice value)
{
	if (named(name, "Host"))
		return once(r, SEEN_HOST);
	if (named(name, "Proxy-Authorization"))
		return once(r, SEEN_AUTHORIZATION) < 0 ? -1 :
		       take_authorization(r, value);
	if (named(name, "Content-Length")) {
		if (once(r, SEEN_LENGTH) < 0)
			return -1;
		return slice_is(value, "0") ? 0 :
		       refuse(r, 400, "CONNECT has no body: leave Content-Length out");
	}
	if (named(name, "Transfer-Encoding"))
		return refuse(r, 400, "CONNECT has no body: leave Transfer-Encoding out");
	if (named(name, "Expect"))
		return refuse(r, 417, "CONNECT has no body to wait with: leave Expect out");
	return 0;
}

static int take_field(struct reading *r, struct slice line)
{
	const char *colon = memchr(line.ptr, ':', line.length);
	struct slice name, value;

	if (line.ptr[0] == ' ' || line.ptr[0] == '\t')
		return refuse(r, 400, "folded header lines are not accepted");
	if (!colon || colon == line.ptr)
		return refuse(r, 400, "a header line is not NAME: VALUE");
	name = (struct slice){ line.ptr, (uint32_t)(colon - line.ptr) };
	for (size_t i = 0; i < name.length; i++)
		if (!is_token((uint8_t)name.ptr[i]))
			return refuse(r, 400, "a header's name has a character that no name has");
	value = (struct slice){ colon + 1, line.length - name.length - 1 };
	while (value.length && (*value.ptr == ' ' || *value.ptr == '\t')) {
		value.ptr++;
		value.length--;
	}
	while (value.length && (value.ptr[value.length - 1] == ' ' ||
				value.ptr[value.length - 1] == '\t'))
		value.length--;
	return take_known(r, name, value);
}

int http_connect_parse(const uint8_t *in, size_t length,
		       struct http_connect *out)
{
	struct reading r = { .in = in, .out = out,
			     .length = length < HTTP_CONNECT_MAX ?
				       length : HTTP_CONNECT_MAX };
	struct slice line;
	int got;

	*out = (struct http_connect){ .status = 0 };
	for (int n = 0;; n++) {
		got = next_line(&r, &line);
		if (got < 0)
			return -1;
		if (got == 0 && length < HTTP_CONNECT_MAX)
			return 0;
		if (got == 0 || n > HTTP_CONNECT_FIELDS + 1)
			return refuse(&r, 431, "the request is too long");
		if (n == 0)
			got = take_request_line(&r, line);
		else if (line.length)
			got = take_field(&r, line);
		else
			break;
		if (got < 0)
			return -1;
	}
	if (r.minor && !(r.seen & SEEN_HOST))
		return refuse(&r, 400, "HTTP/1.1 wants a Host field");
	return (int)r.at;
}
