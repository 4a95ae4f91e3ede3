/*
 * TLS on the client's side of a session (OpenSSL; decisions.md 15): close_notify
 * is a half-close, a bare FIN a loss.  An end with `tls` is read and written
 * through these; they behave like recv(2) and send(2) on a non-blocking socket.
 *
 * A client costs nothing here before its whole first record, the ClientHello,
 * has come (tls_hello); from then to the end of its handshake it costs 44 KiB of
 * OpenSSL's memory, an established quiet connection 15 KiB (measured with
 * OpenSSL 3.0, P-256, no client certificate).
 *
 * With SSL_OP_ENABLE_KTLS OpenSSL hands the records to the kernel where that
 * has TLS; the first connection of a listener logs what came of it.
 */
#ifndef REMUDA_GATEWAY_TLS_H
#define REMUDA_GATEWAY_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "engine/wire/message.h"

struct gateway;
struct listener;
struct ssl_st;

/* Certificates of a listener that is there or will come; takes the memfd. */
void tls_on_message(struct gateway *g, struct message *m);
/* 1: a whole ClientHello waits in the socket, 0: more is needed, -1: that is
 * not TLS. */
int tls_hello(int fd);
/* A server's side on fd (which stays the caller's), or NULL. */
struct ssl_st *tls_new(struct listener *l, int fd);
/* 1: established, 0: more is needed (*want_write: the socket is full), -1:
 * refused; *why in words, borrowed. */
int tls_accept(struct ssl_st *tls, bool *want_write, const char **why);
/* Says once for a listener which directions the kernel does. */
void tls_log_kernel(struct listener *l, struct ssl_st *tls);
/*
 * The user a verified client certificate names: the subject's CN, or without
 * any CN its one e-mail address (subjectAltName).  False when there is none
 * that could be a user's name.
 */
bool tls_user(struct ssl_st *tls, char *out, size_t size);

/* recv(2): 0 is close_notify, errno EPIPE a FIN without it. */
ssize_t tls_recv(struct ssl_st *tls, void *out, size_t size);
ssize_t tls_send(struct ssl_st *tls, const void *bytes, size_t size);
/* Sends close_notify; false: the socket is full, try again. */
bool tls_shutdown(struct ssl_st *tls);
void tls_free(struct ssl_st *tls);

#endif
