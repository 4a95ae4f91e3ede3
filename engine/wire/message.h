/*
 * Messages between the engine and its roles, declared once (decisions.md 3).
 *
 * One message is one AF_UNIX SOCK_SEQPACKET packet of at most WIRE_PACKET_MAX
 * bytes and at most WIRE_FDS_MAX descriptors: a fixed header, then the fields
 * in the order of their declaration, little-endian, texts and blobs counted by
 * a u32.  Larger payloads travel as a memfd.
 *
 * Between engine and gateways, where thousands a second go, a packet may hold
 * several messages one after the other; one with descriptors comes alone, and
 * so does gateway_adopt.
 *
 * Decoded texts and blobs are slices into the packet's buffer: they live until
 * the next receive on the same struct wire_buffer.
 */
#ifndef REMUDA_WIRE_MESSAGE_H
#define REMUDA_WIRE_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/text.h"

struct error;

enum {
	WIRE_MAGIC = 0x41444d52,	/* "RMDA" */
	WIRE_VERSION = 1,
	WIRE_PACKET_MAX = 64 * 1024,
	WIRE_FDS_MAX = 2,
};

/*
 * Field types: u8 u32 u64 i64 text blob.  G = gateway, H = hypervisor,
 * R = rules, E = engine.  "call" in a comment is the header's request id:
 * the answer carries the same one.  Every message about a machine carries the
 * machine's incarnation in the header: the pair is the epoch each role checks.
 */

/* ---- E > G: work for the gateway ------------------------------------- */

/* + fd: the listening socket.  door, user_source: enums below.  opening_ms:
 * from accept to a complete request; per_source: connections without one from
 * one source at once; 0 = the gateway's default.  tls: gateway_tls follows.
 * proxies: networks, comma separated, that begin with a PROXY header. */
#define WIRE_gateway_listener(F)                                               \
	F(u64, listener) F(text, name) F(u8, door) F(u8, user_source)          \
	F(text, user) F(text, application) F(i64, opening_ms)                  \
	F(u32, per_source) F(u8, tls) F(text, proxies)
/* + memfd: PEM bytes of certificate, key and client_ca, one after another, with
 * these lengths.  After gateway_listener with tls; again when files change. */
#define WIRE_gateway_tls(F)                                                    \
	F(text, name) F(u32, certificate) F(u32, key) F(u32, client_ca)        \
	F(u8, client_required)
/* + memfd: the private key (OpenSSH's text) an ssh listener shows.  After
 * gateway_listener; again when it changes. */
#define WIRE_gateway_ssh(F) F(text, name)
/* Answer to ssh_login. */
#define WIRE_ssh_known(F) F(u64, conn) F(u8, ok) F(text, text)
#define WIRE_gateway_unlisten(F) F(u64, listener)
/* The machine for a connection's request.  endpoint, identity: enums below;
 * channel and unix endpoints bring + fd, tcp dials address "ip:port".
 * The header's request id: where a session may have several connections, the
 * one this is of, for the machine and the client to hear; else 0.  Not a field:
 * gateways of an earlier build get this message as well. */
#define WIRE_session_assign(F)                                                 \
	F(u64, conn) F(u64, session) F(u64, machine) F(text, machine_name)     \
	F(u8, endpoint) F(text, address) F(u8, identity) F(u64, nonce)         \
	F(text, user) F(text, application) F(text, listener)                   \
	F(i64, accept_deadline_ms) F(i64, half_close_ms)
/* session: with code duplicate the one the request id has taken, else 0. */
#define WIRE_session_refuse(F)                                                 \
	F(u64, conn) F(u64, session) F(text, code) F(text, text)
/* One of a request's machines, for whoever shows the ticket within valid_ms.
 * left: how many more are to come; at 0 the connection has served. */
#define WIRE_session_ticket(F)                                                 \
	F(u64, conn) F(u64, session) F(u64, machine) F(text, machine_name)     \
	F(text, user) F(text, application) F(text, ticket) F(i64, valid_ms)    \
	F(u32, left)
#define WIRE_session_waiting(F) F(u64, conn) F(u32, place) F(i64, left_ms)
/* Operator or engine ends a session: cut it and answer session_ended.
 * quiet_ms > 0: only if no byte has moved for so long; else session_bytes. */
#define WIRE_session_stop(F) F(u64, session) F(i64, quiet_ms) F(text, text)
/* For a client that can be told: its session ends in left_ms. */
#define WIRE_session_notice(F) F(u64, session) F(i64, left_ms) F(text, text)
/* The machine was cleaned (ok) or given up; pass CONFIRMED or ERROR on. */
#define WIRE_session_confirmed(F) F(u64, session) F(u8, ok) F(text, text)
/* A machine's way to one resource, for the time of one session: a port (+ fd),
 * or the numeric address its connections come from.  Neither: only `allowed`
 * of what was given before changes; a way not allowed any more is cut. */
#define WIRE_resource_port(F)                                                  \
	F(u64, machine) F(u64, session) F(text, resource) F(text, user)        \
	F(u8, allowed) F(text, address)
/* Cut all of them, then answer resource_closed. */
#define WIRE_resource_close(F) F(u64, machine) F(u64, session)
/* Where a resource is served.  channel: + fd; tcp: address "ip:port"; unix:
 * address is a path.  machine 0: outside.  Replaces an older target, unless it
 * is the same; endpoint 0 = nowhere now.  source: the address to come from
 * (ident), without a port, or empty. */
#define WIRE_resource_target(F)                                                \
	F(text, resource) F(u64, machine) F(u8, endpoint) F(text, address)     \
	F(u8, identity) F(text, source)
/* First message of an engine on a rendezvous connection: proof is the hex
 * HMAC-SHA256 of "gateway-adopt INDEX TERM" under the site key. */
#define WIRE_gateway_adopt(F) F(u32, index) F(u64, term) F(text, proof)
/* Records up to that number are in the store; forget them. */
#define WIRE_gateway_stored(F) F(u64, record)
/* Are you there?  Answered by gateway_pong at once. */
#define WIRE_gateway_ping(F) F(u64, number)
#define WIRE_gateway_drain(F) F(u8, unused)
#define WIRE_gateway_stop(F) F(u8, unused)

/* ---- G > E ------------------------------------------------------------ */

#define WIRE_gateway_hello(F)                                                  \
	F(u32, index) F(u32, pid) F(u64, term) F(u8, fresh)
/* One per session held, between hello and ready; flowing = accepted;
 * quiet_ms: since a byte last moved. */
#define WIRE_gateway_session(F)                                                \
	F(u64, session) F(u64, conn) F(u64, machine) F(u8, flowing)            \
	F(u64, bytes_in) F(u64, bytes_out) F(i64, quiet_ms)
/* Behind hello: which program this is (engine/base/build.h); an older gateway
 * does not say it.  draining: it was told to, and takes no listener. */
#define WIRE_gateway_build(F) F(u64, build) F(u8, draining)
/* End of the report: now the engine may send work. */
#define WIRE_gateway_ready(F) F(u32, sessions) F(u32, ended)
/* secret: password or token, only with user_source PASSWORD.  uid: peer
 * credentials, only with PEER, where user is whom the client wants to be: the
 * site's owner and root may name another.  application empty: the listener's own. */
/* tickets: count machines at once, each told by session_ticket. */
#define WIRE_session_request(F)                                                \
	F(u64, conn) F(u64, listener) F(text, application) F(u8, user_source)  \
	F(text, user) F(blob, secret) F(u32, uid) F(text, peer)                \
	F(i64, wait_ms) F(text, request_id) F(u32, count) F(u8, tickets)
/* A client shows a ticket: answered like a request. */
#define WIRE_session_claim(F) F(u64, conn) F(u64, listener) F(text, ticket) F(text, peer)
/* The client of a request went away before it was assigned. */
#define WIRE_session_cancel(F) F(u64, conn)
#define WIRE_session_accepted(F) F(u64, session) F(u64, machine) F(i64, took_ms)
/* No accept.  touched: an accept or a byte may have reached the machine. */
#define WIRE_session_failed(F)                                                 \
	F(u64, session) F(u64, machine) F(u8, touched) F(text, text)
#define WIRE_gateway_pong(F) F(u64, number)
/* session_failed and session_ended are records: they carry their number, from
 * 1 for each gateway process, as request id and are sent again to the next
 * engine until one has said gateway_stored.
 * how: enum wire_end.  confirm: the client waits for session_confirmed. */
#define WIRE_session_ended(F)                                                  \
	F(u64, session) F(u64, machine) F(u8, how) F(u64, bytes_in)            \
	F(u64, bytes_out) F(u8, confirm) F(u8, drained) F(text, text)
/* At most once a second for each session whose counts changed. */
#define WIRE_session_bytes(F) F(u64, session) F(u64, bytes_in) F(u64, bytes_out)
/* The client asks for ms more before its session's longest time is over. */
#define WIRE_session_extend(F) F(u64, session) F(u64, machine) F(i64, ms)
/* At most once a second, when changed.  opening: connections without a complete
 * request now; since the gateway began: refused by the engine, turned_away by
 * the door before that (bad requests, deadlines), evicted for others. */
#define WIRE_gateway_door(F)                                                   \
	F(u64, listener) F(u32, opening) F(u64, refused) F(u64, turned_away)   \
	F(u64, evicted)
/* Is that key (base64 of RFC 4253 6.6) one of this user's?  Asked before a
 * client's login is answered; every request is checked again. */
#define WIRE_ssh_login(F)                                                      \
	F(u64, conn) F(u64, listener) F(text, user) F(blob, key)
/* An exchange ended, or (exchange 0) was refused before it began; session 0:
 * the caller at address `peer` is nobody's machine. */
#define WIRE_resource_used(F)                                                  \
	F(u64, session) F(u64, machine) F(text, resource) F(text, user)        \
	F(u8, allowed) F(u64, bytes_in) F(u64, bytes_out) F(text, text)        \
	F(u64, exchange) F(text, peer)
/* An exchange began; again for each open one between hello and ready.  own:
 * "ip:port" the service sees, or empty; peer: the machine's, or empty. */
#define WIRE_resource_opened(F)                                                \
	F(u64, exchange) F(u64, session) F(u64, machine) F(text, resource)     \
	F(text, own) F(text, peer)
/* No way of that session's to a resource is open. */
#define WIRE_resource_closed(F) F(u64, machine) F(u64, session)
/* A way this gateway holds, between hello and ready. */
#define WIRE_resource_held(F) F(u64, machine) F(u64, session) F(text, resource)
/* The channel of a resource target was closed or stopped answering. */
#define WIRE_resource_target_lost(F) F(text, resource) F(u64, machine) F(text, text)

/* ---- E > H: libvirt calls, each answered by call_done ----------------- */

/* storage: absolute directory of the site's volumes on that host; store: the
 * name of the engine's store (db_store), part of each mark, or empty. */
#define WIRE_host_open(F)                                                      \
	F(text, uri) F(text, site) F(blob, key) F(text, storage) F(text, store)
/* Creates and starts; replies when the domain runs.  template: domain XML or
 * empty; channels: extra virtio-serial port names, comma separated; volume:
 * path of a data disk made (raw, volume_mib) when missing, or empty.
 * from: an operator's domain, or image: a file, to make the machine's disks
 * from; then disks, nvram, seed are the names of the volumes to make (disks
 * comma separated), each told by volume_made; the first disk grows to disk_mib.
 * max_vcpus, max_memory_mib: what domain_resize may give it, or 0: no more. */
#define WIRE_domain_create(F)                                                  \
	F(u64, machine) F(text, name) F(text, uuid) F(u32, vcpus)              \
	F(u64, memory_mib) F(text, kernel) F(text, initrd) F(text, cmdline)    \
	F(blob, template) F(text, channels) F(text, volume) F(u64, volume_mib)    \
	F(text, from) F(text, image) F(u8, copy) F(u64, disk_mib)              \
	F(text, disks) F(text, nvram) F(text, seed) F(text, user_data)         \
	F(text, meta_data) F(text, network_config) F(u32, max_vcpus)           \
	F(u64, max_memory_mib)
/* Done when no domain of that uuid exists.  Only ours: checked by metadata.
 * image: its RAM image (as in domain_save), deleted after that, or empty. */
#define WIRE_domain_destroy(F)                                                 \
	F(u64, machine) F(text, name) F(text, uuid) F(text, image)
/* Done when no file of that name, key and inode is in the site's pool; inode 0:
 * key unknown, and only a file younger than since_wall_ms (ms since 1970). */
#define WIRE_volume_delete(F)                                                  \
	F(u64, machine) F(text, uuid) F(text, name) F(text, key)               \
	F(u64, inode) F(i64, since_wall_ms)
/* Can machines be made from it?  Answer: code = number of disks, plus
 * WIRE_BASE_NVRAM; out = a stamp that changes when its files do. */
#define WIRE_base_look(F) F(text, from) F(text, image)
/* One volume_seen, with this call's id, for each file of the site's pool. */
#define WIRE_volume_list(F) F(u8, unused)
/* Ends the site's pool, which must be empty. */
#define WIRE_pool_remove(F) F(u8, unused)
/* One mark_seen, with this call's id, for each domain that names this site and
 * that its engine does not know. */
#define WIRE_mark_list(F) F(u8, unused)
/* Ends the domain, if its mark is still of that kind: EARLIER or UNSIGNED. */
#define WIRE_domain_reclaim(F) F(text, uuid) F(u8, owner)
#define WIRE_agent_ping(F) F(u64, machine) F(text, uuid)
/* argv: NUL-terminated words one after another.  out/errout are capped. */
#define WIRE_agent_exec(F)                                                     \
	F(u64, machine) F(text, uuid) F(blob, argv) F(blob, input)             \
	F(i64, timeout_ms)
#define WIRE_agent_write(F)                                                    \
	F(u64, machine) F(text, uuid) F(text, path) F(blob, bytes) F(u32, mode)
/* Answer brings + fd: connected stream of the machine's port `channel`. */
#define WIRE_channel_open(F) F(u64, machine) F(text, uuid) F(text, channel)
/* Answer brings + fd: a stream of the serial console. */
#define WIRE_console_open(F) F(u64, machine) F(text, uuid)
/* Host-side connect(2) to a machine's address: ok or failed. */
#define WIRE_tcp_probe(F) F(u64, machine) F(text, address) F(i64, timeout_ms)
/* Asks for one domain_seen per domain, then call_done of this call, with the MiB
 * that are free where volumes lie as its code; -1: not known. */
#define WIRE_host_poll(F) F(u64, poll)

/*
 * Saves RAM to the file `image` of the site's storage folder (libvirt writes
 * it) and ends the domain of that incarnation.  The answer's out is the key of what
 * made the image (QEMU, machine type, processor), its code the size in bytes.
 */
#define WIRE_domain_save(F)                                                    \
	F(u64, machine) F(text, name) F(text, uuid) F(text, image)
/*
 * Ends the running domain, if any, and restores the image under the header's
 * incarnation; clock and random numbers are new when it answers.  FAILED when
 * `key` is not that of this host now.  disks: names of the overlays to make,
 * one for each written disk of the image, each told by volume_made; drop: those
 * of the life before, to delete, as NAME/INODE/SINCE (as in volume_delete); both
 * comma separated.  The answer's evidence: enum wire_evidence.
 */
#define WIRE_domain_restore(F)                                                 \
	F(u64, machine) F(text, name) F(text, uuid) F(text, image)             \
	F(text, key) F(text, disks) F(text, drop)

/* ---- H > E ------------------------------------------------------------ */

/* isolated: libvirt gives each domain a security label of its own; labels
 * says which model does, or why none. */
#define WIRE_host_state(F)                                                     \
	F(u8, up) F(text, uri) F(text, version) F(text, hostname)              \
	F(u32, cpus) F(u64, memory_mib) F(u8, kvm) F(u8, isolated)             \
	F(text, labels) F(text, text)
/* result: enum wire_result.  code: exit status of a guest command.
 * evidence: of domain_restore and domain_destroy.  + fd for channel_open and console_open. */
#define WIRE_call_done(F)                                                      \
	F(u64, machine) F(u8, result) F(i64, code) F(blob, out)                \
	F(blob, errout) F(u32, evidence) F(text, text)
/* state: enum wire_domain_state.  owner: enum wire_owner. */
#define WIRE_domain_seen(F)                                                    \
	F(u64, poll) F(u64, machine) F(text, uuid) F(text, name)               \
	F(u8, state) F(u8, owner)
/* A volume named in a domain_create is there; before that call's answer. */
#define WIRE_volume_made(F)                                                    \
	F(u64, machine) F(text, name) F(text, key) F(u64, inode)
/* bytes: on disk. */
#define WIRE_volume_seen(F) F(text, name) F(text, key) F(u64, inode) F(u64, bytes)
/* owner: EARLIER or UNSIGNED; text: what its mark says. */
#define WIRE_mark_seen(F)                                                      \
	F(text, uuid) F(text, name) F(u8, state) F(u8, owner) F(text, text)
/* A hint only (reliability.md finding 5): kind: enum wire_hint. */
#define WIRE_domain_hint(F) F(text, uuid) F(u8, kind)

/* ---- E > R -------------------------------------------------------------- */

/* + memfd: Lua text of the site file.  file: its name for messages. */
#define WIRE_bundle_load(F) F(text, hash) F(text, file)
/* Answer to bundle_need; + memfd with the module's text, or none: not found. */
#define WIRE_bundle_module(F) F(text, name) F(text, file)
/* The site of the last bundle_done serves hooks from now on; or never. */
#define WIRE_bundle_use(F) F(text, hash)
#define WIRE_bundle_drop(F) F(u8, unused)
/* call; hook: enum wire_hook.  ssh_keys: the user's, "TYPE BASE64\n..." */
#define WIRE_hook_run(F)                                                       \
	F(u64, machine) F(text, machine_name) F(text, pool)                    \
	F(text, application) F(u32, index) F(text, address) F(u8, hook)        \
	F(u64, session) F(text, user) F(text, listener) F(i64, deadline_ms)    \
	F(text, ssh_keys)
/* Result of one hook_step of that call. */
#define WIRE_step_result(F)                                                    \
	F(u64, step) F(u8, ok) F(i64, code) F(blob, out) F(blob, errout)       \
	F(text, text)
#define WIRE_hook_kill(F) F(u8, unused)

/* ---- R > E -------------------------------------------------------------- */

/* A module the bundle requires: answer bundle_module. */
#define WIRE_bundle_need(F) F(text, name)
/* + memfd: the site as JSON (engine/rules/site.h describes it). */
#define WIRE_bundle_done(F) F(text, hash)
#define WIRE_bundle_error(F)                                                   \
	F(text, hash) F(text, file) F(u32, line) F(text, text) F(text, hint)
/* verb: enum wire_step.  Fields by verb: EXEC argv input ms; CONFIRM argv ms;
 * WRITE path input mode; TCP port ms; SLEEP ms; LOG path=text (no result);
 * SIGN input=a public ssh host key, out=its certificate. */
#define WIRE_hook_step(F)                                                      \
	F(u64, step) F(u8, verb) F(blob, argv) F(blob, input) F(text, path)    \
	F(u32, mode) F(u32, port) F(i64, ms)
#define WIRE_hook_done(F) F(u8, ok) F(text, text)
/* The child of a hook died or was killed: the machine is dirty. */
#define WIRE_hook_lost(F) F(text, text)
/* The role is up (first message of H and R). */
#define WIRE_role_ready(F) F(u32, pid)

/* ---- S (one ssh client's process) > G, and back --------------------------- */

/* The client offers a key; signed: it proved to have it.  One at a time. */
#define WIRE_ssh_offer(F) F(text, user) F(blob, key) F(u8, proven)
#define WIRE_ssh_answer(F) F(u8, ok) F(text, text)
/* + fd: a stream for a session of that application.  Its first byte from the
 * gateway is SSH_OPENED, or SSH_REFUSED and a sentence. */
#define WIRE_ssh_open(F) F(text, application)
/* The client took its leave: what closes now is no loss. */
#define WIRE_ssh_over(F) F(u8, unused)

/* G > the starter of its ssh processes: + fds: the client, our stream.  key: the
 * host key an ssh listener shows. */
#define WIRE_ssh_start(F) F(u64, number) F(text, key)
/* And back, + its pidfd when ok. */
#define WIRE_ssh_started(F) F(u64, number) F(u8, ok) F(text, text)

/* ---- clusters: E > G ------------------------------------------------------- */

/*
 * How a cluster balances and checks its nodes; again when that changes.  Its
 * listener is a gateway_listener with door CLUSTER and application = name.
 * balance: enum wire_balance; busy: transactions of a busy node (FIRST_FREE);
 * wait_ms: of a transaction for a node; drain_ms: from a node's part DRAINING
 * until what is left there is cut; health_*: an empty request means that
 * a connection is enough; identity: NONE or PROXY.
 */
#define WIRE_cluster_set(F)                                                    \
	F(text, name) F(u8, balance) F(u32, busy) F(u8, replay)                \
	F(i64, wait_ms) F(i64, drain_ms) F(u8, identity) F(i64, half_close_ms) \
	F(blob, health_request) F(blob, health_expect)                         \
	F(i64, health_interval_ms) F(i64, health_timeout_ms)                   \
	F(u32, health_fall) F(u32, health_rise)
/* Its listener is closed by gateway_unlisten; open transactions are cut. */
#define WIRE_cluster_drop(F) F(text, name)
/* A node and its part (enum wire_node); again when that changes.  Another
 * incarnation of a machine is another node: the one before is dropped.
 * address: "ip:port", or the path of a unix socket. */
#define WIRE_node_set(F)                                                       \
	F(text, cluster) F(u64, machine) F(text, machine_name) F(text, address) \
	F(u8, node)
/* It is dead or gone: what waits for its first answer byte goes to another
 * node (replay), the rest is cut. */
#define WIRE_node_drop(F) F(text, cluster) F(u64, machine) F(text, text)

/* ---- clusters: G > E --------------------------------------------------------- */

/* Its checks or its transactions say that it is well or not: at each change, and
 * once after node_set. */
#define WIRE_node_state(F) F(u64, machine) F(u8, up) F(u32, open) F(text, text)
/* At most once a second, when changed; since this gateway was told of it. */
#define WIRE_node_count(F)                                                     \
	F(u64, machine) F(u32, open) F(u64, transactions) F(u64, failed)
/* Its time to drain is over: that many of its transactions were cut. */
#define WIRE_node_cut(F) F(u64, machine) F(u32, cut)
/* Likewise; since this gateway process began. */
#define WIRE_cluster_count(F)                                                  \
	F(text, name) F(u64, transactions) F(u64, answered) F(u64, replayed)   \
	F(u64, failed) F(u64, reset) F(u64, refused) F(u64, bytes_in)          \
	F(u64, bytes_out) F(u32, open) F(u32, waiting)

/* ---- N = net: virtual addresses ------------------------------------------------ */

/* E > N: hold the address on the interface and announce it; again does no harm.
 * prefix: of its network, 0 = the address alone. */
#define WIRE_vip_add(F) F(text, name) F(text, ip) F(u32, prefix) F(text, interface)
#define WIRE_vip_remove(F) F(text, name)
/* N > E: at each change.  held 0: text says why not. */
#define WIRE_vip_state(F) F(text, name) F(u8, held) F(text, text)

/* ---- E > H: size, place and use of a running domain ------------------------------ */

/* vcpus and memory (by its balloon) within what the domain was made with; 0: as
 * it is.  Done when libvirt and the guest's agent, if it has one, say so. */
#define WIRE_domain_resize(F)                                                  \
	F(u64, machine) F(text, name) F(text, uuid) F(u32, vcpus) F(u64, memory_mib)
/* To the libvirt at that URI; migrate: the URI the data goes to, or empty.
 * Done when it runs there and not here; given up after timeout_ms (0: the
 * role's own bound), then it runs here still, which is FAILED. */
#define WIRE_domain_migrate(F)                                                 \
	F(u64, machine) F(text, name) F(text, uuid) F(text, to) F(text, migrate) \
	F(i64, timeout_ms)
/* One domain_stats for each domain of ours, then call_done; NOWAIT: a domain
 * whose QEMU does not answer is told with what is known without it. */
#define WIRE_stats_read(F) F(u8, unused)
/* H > E, with the incarnation of its mark. */
#define WIRE_domain_stats(F)                                                   \
	F(u64, machine) F(text, uuid) F(i64, at_ms) F(i64, cpu_ms)             \
	F(u32, vcpus) F(u64, memory_mib) F(u64, rss_mib) F(u64, read_bytes)    \
	F(u64, written_bytes) F(u64, in_bytes) F(u64, out_bytes)

/* ---- rules that scale: E > R and back ---------------------------------------------- */

/* inputs: "nodes=2 cpu=87 ..." (engine/core/policy.h). */
#define WIRE_rule_run(F) F(text, name) F(text, inputs) F(i64, deadline_ms)
/* nodes, vcpus, memory_mib: 0 = no wish; serve, spare: -1 = no wish. */
#define WIRE_rule_done(F)                                                      \
	F(u8, ok) F(u32, nodes) F(u32, vcpus) F(u64, memory_mib) F(i64, serve) \
	F(i64, spare) F(text, text)

#define WIRE_MESSAGES(M)                                                       \
	M(1, gateway_listener) M(2, gateway_unlisten) M(3, session_assign)     \
	M(4, session_refuse) M(5, session_waiting) M(6, session_stop)          \
	M(7, session_confirmed) M(8, resource_port) M(9, resource_close)       \
	M(10, resource_target) M(11, gateway_adopt) M(12, gateway_drain)       \
	M(13, gateway_stop) M(14, session_notice)                              \
	M(15, gateway_stored) M(16, gateway_ping) M(17, gateway_tls)           \
	M(18, session_ticket)                                                  \
	M(20, gateway_hello) M(21, gateway_session) M(22, gateway_ready)       \
	M(23, session_request) M(24, session_cancel) M(25, session_accepted)   \
	M(26, session_failed) M(27, session_ended) M(28, session_bytes)        \
	M(29, resource_used) M(30, resource_target_lost)                       \
	M(31, session_extend) M(32, gateway_pong) M(33, gateway_door)          \
	M(34, session_claim) M(35, gateway_build)                              \
	M(36, resource_opened) M(37, resource_closed) M(38, resource_held)     \
	M(40, host_open) M(41, domain_create) M(42, domain_destroy)            \
	M(43, agent_ping) M(44, agent_exec) M(45, agent_write)                 \
	M(46, channel_open) M(47, console_open) M(48, tcp_probe)               \
	M(49, host_poll) M(50, volume_delete) M(51, base_look)                \
	M(52, volume_list) M(53, pool_remove) M(54, domain_save) M(55, domain_restore) \
	M(56, mark_list) M(57, domain_reclaim)                                 \
	M(60, host_state) M(61, call_done) M(62, domain_seen)                  \
	M(63, domain_hint) M(64, volume_made) M(65, volume_seen) \
	M(66, mark_seen)                                                       \
	M(80, bundle_load) M(81, bundle_module) M(82, hook_run)                \
	M(83, step_result) M(84, hook_kill) M(85, bundle_use)                  \
	M(86, bundle_drop)                                                     \
	M(90, bundle_need) M(91, bundle_done) M(92, bundle_error)              \
	M(93, hook_step) M(94, hook_done) M(95, hook_lost) M(96, role_ready)  \
	M(100, ssh_offer) M(101, ssh_answer) M(102, ssh_open) M(103, ssh_over)  \
	M(104, gateway_ssh) M(105, ssh_known) M(106, ssh_login)                \
	M(107, ssh_start) M(108, ssh_started)                                  \
	M(110, cluster_set) M(111, cluster_drop) M(112, node_set)              \
	M(113, node_drop) M(114, node_state) M(115, node_count)                \
	M(116, cluster_count) M(117, node_cut)                                 \
	M(120, vip_add) M(121, vip_remove) M(122, vip_state)                   \
	M(130, domain_resize) M(131, domain_migrate) M(132, stats_read)        \
	M(133, domain_stats) M(134, rule_run) M(135, rule_done)

enum wire_type {
#define M(code, name) WIRE_TYPE_##name = (code),
	WIRE_MESSAGES(M)
#undef M
};

enum wire_door {
	WIRE_DOOR_DIRECT = 1,	/* no protocol: a port is an application */
	WIRE_DOOR_NATIVE = 2,	/* frames (engine/wire/native.h) */
	WIRE_DOOR_CONNECT = 3,	/* HTTP CONNECT (engine/wire/http_connect.h) */
	WIRE_DOOR_SOCKS5 = 4,	/* RFC 1928 (engine/wire/socks5.h) */
	WIRE_DOOR_SSH = 5,	/* direct-tcpip channels, RFC 4254 7.2 */
	/* No doors of users; gateway 0 only. */
	WIRE_DOOR_RESOURCE = 20,	/* machines come in; application = resource */
	WIRE_DOOR_IDENT = 21,		/* RFC 1413 */
	WIRE_DOOR_CLUSTER = 22,		/* transactions; application = cluster */
};
enum wire_balance {
	WIRE_BALANCE_LEAST = 1,
	WIRE_BALANCE_ROUND_ROBIN = 2,
	WIRE_BALANCE_FIRST_FREE = 3,
};
/* A node's part; equals enum node_state of the core. */
enum wire_node {
	WIRE_NODE_CHECKED = 1,	/* its health is looked at, nothing goes there */
	WIRE_NODE_SERVING = 2,
	WIRE_NODE_DRAINING = 3,	/* no new transactions */
};
enum wire_user_source {
	WIRE_USER_FIXED = 1,	/* the listener names the user */
	WIRE_USER_PEER = 2,	/* unix socket peer credentials */
	WIRE_USER_PASSWORD = 3,	/* user and password or token */
	WIRE_USER_CERTIFICATE = 4,	/* of a TLS client, verified */
	WIRE_USER_NETWORK = 5,	/* by source address: the engine has the map */
	WIRE_USER_KEY = 6,	/* of an ssh client; secret is the key */
};
enum wire_endpoint {
	WIRE_ENDPOINT_CHANNEL = 1,	/* framed, guest helper */
	WIRE_ENDPOINT_TCP = 2,
	WIRE_ENDPOINT_UNIX = 3,
};
enum wire_identity {
	WIRE_IDENTITY_NONE = 1,
	WIRE_IDENTITY_PROXY = 2,	/* PROXY v2 header (decisions.md 19) */
	WIRE_IDENTITY_AGENT = 3,	/* accept hook, then as NONE */
	WIRE_IDENTITY_IDENT = 4,	/* resources: the service asks by RFC 1413 */
};
enum wire_end {
	WIRE_END_CLOSED = 1,	/* orderly, both directions or by the machine */
	WIRE_END_LOST = 2,	/* reset, time-out, vanished client */
	WIRE_END_MACHINE = 3,	/* the machine's side broke */
	WIRE_END_STOPPED = 4,	/* session_stop */
};
enum wire_result {
	WIRE_OK = 0,
	WIRE_FAILED = 1,	/* it certainly did not happen, or said no */
	WIRE_UNKNOWN = 2,	/* time-out, connection lost in mid call */
};
enum { WIRE_BASE_NVRAM = 256 };
enum { SSH_OPENED = 1, SSH_REFUSED = 2 };	/* first byte of an ssh_open */
/* What a restore proved (decisions.md 11), and that the domain which it or a
 * destroy was to end had ended before: bits of call_done.evidence. */
enum wire_evidence {
	WIRE_OLD_ENDED = 1,	/* no domain of that uuid was left before it */
	WIRE_OLD_UNLINKED = 2,	/* what the machine wrote on disk is gone */
	WIRE_NEW_OVERLAY = 4,	/* each disk has an overlay nobody wrote to */
	WIRE_NEW_PROCESS = 8,	/* the domain that runs is another one */
	WIRE_EVIDENCE_ALL = 15,
	WIRE_WAS_OVER = 16,
};
enum wire_domain_state {
	WIRE_DOMAIN_RUNNING = 1,
	WIRE_DOMAIN_PAUSED = 2,
	WIRE_DOMAIN_OFF = 3,
};
enum wire_owner {
	WIRE_OWNER_FOREIGN = 0,	/* no metadata of ours, or a bad signature */
	WIRE_OWNER_OURS = 1,
	WIRE_OWNER_EARLIER = 2,	/* signed by this site's key, for another store */
	WIRE_OWNER_UNSIGNED = 3, /* names this site, not signed by its key */
};
enum wire_hint {
	WIRE_HINT_STARTED = 1,
	WIRE_HINT_STOPPED = 2,
	WIRE_HINT_AGENT_UP = 3,
	WIRE_HINT_AGENT_DOWN = 4,
	WIRE_HINT_OTHER = 5,
};
enum wire_hook {
	WIRE_HOOK_PREPARE = 1,
	WIRE_HOOK_READY = 2,
	WIRE_HOOK_ACCEPT = 3,
	WIRE_HOOK_CLEAN = 4,
	WIRE_HOOK_START = 5,
	WIRE_HOOK_STOP = 6,
	WIRE_HOOK_HEALTH = 7,
};
enum wire_step {
	WIRE_STEP_EXEC = 1,
	WIRE_STEP_CONFIRM = 2,
	WIRE_STEP_WRITE = 3,
	WIRE_STEP_TCP = 4,
	WIRE_STEP_SLEEP = 5,
	WIRE_STEP_LOG = 6,
	WIRE_STEP_SIGN = 7,	/* the engine answers without a step of the core */
};

#define WIRE_C_u8 uint8_t
#define WIRE_C_u32 uint32_t
#define WIRE_C_u64 uint64_t
#define WIRE_C_i64 int64_t
#define WIRE_C_text struct slice
#define WIRE_C_blob struct slice

#define F(type, name) WIRE_C_##type name;
#define M(code, name) struct wire_##name { WIRE_##name(F) };
WIRE_MESSAGES(M)
#undef M
#undef F

struct message {
	uint16_t type;		/* enum wire_type */
	uint64_t request;	/* call id, or 0 */
	uint64_t incarnation;	/* of the machine, or 0 */
	int fds[WIRE_FDS_MAX];	/* owned by the receiver of a decoded message */
	int fd_count;
	union {
#define M(code, name) struct wire_##name name;
		WIRE_MESSAGES(M)
#undef M
	};
};

struct wire_buffer {
	uint8_t bytes[WIRE_PACKET_MAX];
	size_t at, length;	/* of the packet's rest: wire_next */
};

const char *wire_type_name(uint16_t type);

/* Encodes into out (WIRE_PACKET_MAX bytes); returns the length or -1 when the
 * message does not fit or its type is unknown. */
int wire_encode(const struct message *m, uint8_t *out, struct error *err);
/* Decodes a packet of exactly length bytes.  Trailing bytes, a wrong magic or
 * version, a text with NUL: -1.  m->fds are not touched. */
int wire_decode(const uint8_t *in, size_t length, struct message *m,
		struct error *err);

/*
 * Sends one message; m->fds[0..fd_count) travel with it and stay the caller's.
 * Returns 1 when sent, 0 when the socket's buffer is full (EAGAIN), -1 on error.
 */
int wire_send(int fd, const struct message *m, struct error *err);
/*
 * Receives one message into m, slices into buf.  Returns 1 with a message,
 * 0 when there is none now, -1 on end of file or error (err says which).
 * Descriptors arrive with O_CLOEXEC; the caller must close or keep each.
 */
int wire_receive(int fd, struct wire_buffer *buf, struct message *m,
		 struct error *err);
/*
 * The same for a packet that may hold several messages: m is the first, the
 * others are to be taken with wire_next before buf is used again.
 */
int wire_receive_first(int fd, struct wire_buffer *buf, struct message *m,
		       struct error *err);
/* The next message of the packet: 1, 0 when there is no more, -1 when what
 * comes is none (nothing after it can be read either). */
int wire_next(struct wire_buffer *buf, struct message *m, struct error *err);
/* Closes the descriptors a received message brought and nobody took. */
void wire_close_fds(struct message *m);
/* Takes descriptor i of the message (sets it to -1), or returns -1. */
int wire_take_fd(struct message *m, int i);

/* A sealed memfd holding bytes; -1 on error. */
int wire_memfd(const void *bytes, size_t length, struct error *err);
/* Reads a whole memfd (at most limit bytes) into malloc'd, NUL-terminated
 * memory; NULL on error.  fd stays the caller's. */
char *wire_read_memfd(int fd, size_t limit, size_t *length, struct error *err);

#endif
