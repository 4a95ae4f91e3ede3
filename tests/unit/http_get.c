/* GET requests, by what is sent and what comes of it; tests/fuzz/http_get.c has
 * what holds for all of them. */
#include "engine/wire/http_get.h"

#include <stdio.h>
#include <string.h>

#include "tests/tap.h"

static void taken(const char *request, const char *path, bool head)
{
	struct http_get g;
	int n = http_get_parse((const uint8_t *)request, strlen(request), &g);

	is_int(n, (int)strlen(request), "%.*s: taken",
	       (int)strcspn(request, "\r\n"), request);
	is_text(g.path, path, "... its path");
	is_int(g.head, head, "... with or without a body");
	for (size_t i = 0; i < strlen(request); i++)
		if (http_get_parse((const uint8_t *)request, i, &g) != 0) {
			is_int(i, strlen(request), "a part is no request");
			return;
		}
}

static void refused(const char *request, int status)
{
	struct http_get g;

	is_int(http_get_parse((const uint8_t *)request, strlen(request), &g), -1,
	       "%.*s: refused", (int)strcspn(request, "\r\n"), request);
	is_int(g.status, status, "... with %d", status);
}

int main(void)
{
	char large[HTTP_GET_MAX + 100];

	taken("GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n", "/metrics", false);
	taken("GET /metrics HTTP/1.0\r\n\r\n", "/metrics", false);
	taken("HEAD / HTTP/1.1\r\nhOST: h\r\nX: y\r\n\r\n", "/", true);
	taken("GET http://h/metrics?a=b HTTP/1.1\r\nHost: h\r\n\r\n", "/metrics",
	      false);
	taken("GET /m HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n", "/m",
	      false);
	refused("GET /m HTTP/1.1\r\n\r\n", 400);
	refused("GET /m HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400);
	refused("GET /m HTTP/1.1\nHost: a\n\n", 400);
	refused("GET /m HTTP/1.1\r\nHost: a\r\nno field\r\n\r\n", 400);
	refused("GET /m HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n", 400);
	refused("GET /m HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\n\r\n", 400);
	refused("GET /m HTTP/1.1\r\nHost: a\x01\r\n\r\n", 400);
	refused("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400);
	refused("GET m HTTP/1.1\r\nHost: a\r\n\r\n", 404);
	refused("GET http://h HTTP/1.1\r\nHost: a\r\n\r\n", 404);
	refused("GET\r\n\r\n", 400);
	refused("\r\n\r\n", 400);
	refused("get /m HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	refused("POST /m HTTP/1.1\r\nHost: a\r\n\r\n", 405);
	refused("GET /m HTTP/2.0\r\nHost: a\r\n\r\n", 505);
	refused("GET /m HTTP/1.7\r\nHost: a\r\n\r\n", 505);
	refused("GET /m FTP/1.1\r\nHost: a\r\n\r\n", 400);
	snprintf(large, sizeof(large), "GET /%0*d HTTP/1.1\r\nHost: a\r\n\r\n",
		 HTTP_GET_PATH, 0);
	refused(large, 404);
	memset(large, 'a', sizeof(large) - 1);
	large[sizeof(large) - 1] = '\0';
	refused(large, 431);
	size_t used = (size_t)snprintf(large, sizeof(large),
				       "GET /m HTTP/1.1\r\nHost: a\r\n");
	for (int i = 0; i < HTTP_GET_FIELDS; i++)
		used += (size_t)snprintf(large + used, sizeof(large) - used,
					 "a: b\r\n");
	snprintf(large + used, sizeof(large) - used, "\r\n");
	refused(large, 431);
	is_text(http_reason(404), "Not Found", "a reason");
	is_text(http_reason(299), "", "none for what is not sent");
	return tap_done();
}
