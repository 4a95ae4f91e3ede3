/*
 * What a SOCKS 5 client says (RFC 1928, RFC 1929): which ways to log in it
 * knows, its user and password, and its request.  The host name it asks for is
 * the application, its port is ignored; only CONNECT and only names.
 *
 * Pure: no I/O, no allocation.  Each function reads one message at the start
 * of in and returns its length, 0 when more bytes are needed, -1 when it is
 * none.
 */
#ifndef REMUDA_WIRE_SOCKS5_H
#define REMUDA_WIRE_SOCKS5_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	SOCKS5_VERSION = 5,
	SOCKS5_LOGIN_VERSION = 1,
	SOCKS5_MESSAGE_MAX = 513,	/* the longest: user and password */
};

enum socks5_method {
	SOCKS5_NO_LOGIN = 0x00,
	SOCKS5_PASSWORD = 0x02,
	SOCKS5_NO_METHOD = 0xff,
};

/* RFC 1928 section 6. */
enum socks5_reply {
	SOCKS5_SUCCEEDED = 0x00,
	SOCKS5_FAILURE = 0x01,
	SOCKS5_NOT_ALLOWED = 0x02,
	SOCKS5_HOST_UNREACHABLE = 0x04,
	SOCKS5_REFUSED = 0x05,
	SOCKS5_TTL_EXPIRED = 0x06,
	SOCKS5_NO_COMMAND = 0x07,
	SOCKS5_NO_ADDRESS = 0x08,
};

struct socks5_methods {
	bool none, password;	/* offered */
};

struct socks5_login {
	char user[256];		/* 1 to 255 bytes, no NUL */
	uint8_t secret[255];	/* to be wiped by the caller */
	uint8_t secret_length;	/* at least 1 */
};

struct socks5_request {
	enum socks5_reply reply;	/* SUCCEEDED: it may go on */
	char application[64];		/* small letters */
};

int socks5_methods_parse(const uint8_t *in, size_t length,
			 struct socks5_methods *out);
int socks5_login_parse(const uint8_t *in, size_t length,
		       struct socks5_login *out);
/* A request this door does not serve is whole, with the reply it deserves. */
int socks5_request_parse(const uint8_t *in, size_t length,
			 struct socks5_request *out);

#endif
