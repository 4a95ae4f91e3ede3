/* SOCKS 5 messages; see socks5.h. */
#include "engine/wire/socks5.h"

#include <string.h>

#include "engine/base/text.h"

enum { CONNECT = 1, ADDRESS_V4 = 1, ADDRESS_NAME = 3, ADDRESS_V6 = 4, PORT = 2 };

int socks5_methods_parse(const uint8_t *in, size_t length,
			 struct socks5_methods *out)
{
	*out = (struct socks5_methods){ false, false };
	if (length >= 1 && in[0] != SOCKS5_VERSION)
		return -1;
	if (length < 2 || length < 2 + (size_t)in[1])
		return 0;
	for (size_t i = 0; i < in[1]; i++) {
		out->none |= in[2 + i] == SOCKS5_NO_LOGIN;
		out->password |= in[2 + i] == SOCKS5_PASSWORD;
	}
	return 2 + in[1];
}

int socks5_login_parse(const uint8_t *in, size_t length,
		       struct socks5_login *out)
{
	*out = (struct socks5_login){ .user = "" };
	if (length >= 1 && in[0] != SOCKS5_LOGIN_VERSION)
		return -1;
	if (length < 2)
		return 0;
	size_t user = in[1];
	if (!user)
		return -1;
	if (length < 3 + user)
		return memchr(in + 2, 0, length - 2 < user ? length - 2 : user) ?
		       -1 : 0;
	size_t secret = in[2 + user];
	if (!secret || memchr(in + 2, 0, user))
		return -1;
	if (length < 3 + user + secret)
		return 0;
	memcpy(out->user, in + 2, user);
	memcpy(out->secret, in + 3 + user, secret);
	out->secret_length = (uint8_t)secret;
	return (int)(3 + user + secret);
}

/* Bytes of the address with what stands before it; 0: more, -1: no such. */
static int address_size(const uint8_t *in, size_t length)
{
	switch (in[3]) {
	case ADDRESS_V4:
		return 4 + 4;
	case ADDRESS_V6:
		return 4 + 16;
	case ADDRESS_NAME:
		return length < 5 ? 0 : 5 + in[4];
	}
	return -1;
}

static bool take_name(const uint8_t *name, size_t length, char out[64])
{
	if (length >= 64 || memchr(name, 0, length))
		return false;
	for (size_t i = 0; i < length; i++)
		out[i] = (char)(name[i] >= 'A' && name[i] <= 'Z' ? name[i] + 32 :
								   name[i]);
	out[length] = '\0';
	return text_is_name(out);
}

int socks5_request_parse(const uint8_t *in, size_t length,
			 struct socks5_request *out)
{
	*out = (struct socks5_request){ .reply = SOCKS5_SUCCEEDED };
	if ((length >= 1 && in[0] != SOCKS5_VERSION) ||
	    (length >= 3 && in[2] != 0))
		return -1;
	if (length < 4)
		return 0;
	int size = address_size(in, length);
	if (size < 0) {
		/* How long it is nobody knows: answered at once. */
		out->reply = SOCKS5_NO_ADDRESS;
		return (int)length;
	}
	if (size == 0 || length < (size_t)size + PORT)
		return 0;
	if (in[1] != CONNECT)
		out->reply = SOCKS5_NO_COMMAND;
	else if (in[3] != ADDRESS_NAME)
		out->reply = SOCKS5_NO_ADDRESS;
	else if (!take_name(in + 5, in[4], out->application))
		out->reply = SOCKS5_HOST_UNREACHABLE;
	return size + PORT;
}
