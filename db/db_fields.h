/*
 * One list per kind of row: X(number of its placeholder, column, field, kind).
 * Statements (db_stmt.c) and field tables (db_fields.c) are made from these
 * lists, so a column cannot be bound to the wrong place.
 *
 * A row's key is $1.  FIXED fields are written once; CHANGING ones by every
 * save, and their first is F so that the SET list has its commas right.
 */
#ifndef REMUDA_DB_FIELDS_H
#define REMUDA_DB_FIELDS_H

#define MACHINE_FIXED(X)                                                       \
	X(2, name, name, DB_TEXT)                                              \
	X(3, pool, pool, DB_TEXT)                                              \
	X(4, slot, slot, DB_U32)
#define MACHINE_CHANGING(F, X)                                                 \
	F(5, host, host, DB_TEXT)                                              \
	X(6, uuid, uuid, DB_TEXT)                                              \
	X(7, incarnation, incarnation, DB_U64)                                 \
	X(8, built, built, DB_U64)                                             \
	X(9, state, state, DB_MACHINE_STATE)                                   \
	X(10, wish, wish, DB_MACHINE_WISH)                                     \
	X(11, rung, rung, DB_RUNG)                                             \
	X(12, dirty, dirty, DB_BOOL)                                           \
	X(13, session, session, DB_LINK)                                       \
	X(14, failures, failures, DB_U32)                                      \
	X(15, reason, reason, DB_TEXT)                                         \
	X(16, since_wall_ms, since_wall_ms, DB_I64)                            \
	X(17, created_wall_ms, created_wall_ms, DB_I64)                        \
	X(18, boot_ms, boot_ms, DB_I64)                                        \
	X(19, prepare_ms, prepare_ms, DB_I64)                                  \
	X(20, clean_ms, clean_ms, DB_I64)                                      \
	X(21, sessions, sessions, DB_U64)                                      \
	X(22, version, version, DB_TEXT)                                       \
	X(23, image, image, DB_MACHINE_IMAGE)                                  \
	X(24, image_built, image_built, DB_U64)                                \
	X(25, image_key, image_key, DB_TEXT)                                   \
	X(26, vcpus, vcpus, DB_U32)                                            \
	X(27, memory_mib, memory_mib, DB_U64)                                  \
	X(28, node, node, DB_NODE_STATE)                                       \
	X(29, change_id, change, DB_U64)                                       \
	X(30, ledger, ledger, DB_U64)

#define SESSION_FIXED(X)                                                       \
	X(2, machine, machine, DB_U64)                                         \
	X(3, incarnation, incarnation, DB_U64)                                 \
	X(4, nonce, nonce, DB_BITS)                                            \
	X(5, machine_name, machine_name, DB_TEXT)                              \
	X(6, pool, pool, DB_TEXT)                                              \
	X(7, user_name, user, DB_TEXT)                                         \
	X(8, application, application, DB_TEXT)                                \
	X(9, listener, listener, DB_TEXT)                                      \
	X(10, request_key, request_key, DB_TEXT)                               \
	X(11, requested_wall_ms, requested_wall_ms, DB_I64)                    \
	X(12, assigned_wall_ms, assigned_wall_ms, DB_I64)                      \
	X(13, wait_ms, wait_ms, DB_I64)
#define SESSION_CHANGING(F, X)                                                 \
	F(14, state, state, DB_SESSION_STATE)                                  \
	X(15, peer, peer, DB_TEXT)                                             \
	X(16, gateway, gateway, DB_U32)                                        \
	X(17, conn, conn, DB_BITS)                                             \
	X(18, accepted_wall_ms, accepted_wall_ms, DB_I64)                      \
	X(19, ended_wall_ms, ended_wall_ms, DB_I64)                            \
	X(20, accept_ms, accept_ms, DB_I64)                                    \
	X(21, clean_ms, clean_ms, DB_I64)                                      \
	X(22, cleaned_wall_ms, cleaned_wall_ms, DB_I64)                        \
	X(23, bytes_in, bytes_in, DB_U64)                                      \
	X(24, bytes_out, bytes_out, DB_U64)                                    \
	X(25, end_text, end_text, DB_TEXT)                                     \
	X(26, ends_wall_ms, ends_wall_ms, DB_I64)                              \
	X(27, extended_ms, extended_ms, DB_I64)                                \
	X(28, ticket, ticket, DB_TEXT)                                         \
	X(29, lingers_wall_ms, lingers_wall_ms, DB_I64)                        \
	X(30, past_in, past_in, DB_U64)                                        \
	X(31, past_out, past_out, DB_U64)                                      \
	X(32, connections, connections, DB_U32)

#define JOIN_FIXED(X)                                                          \
	X(2, session, session, DB_U64)                                         \
	X(3, gateway, gateway, DB_U32)                                         \
	X(4, listener, listener, DB_TEXT)                                      \
	X(5, peer, peer, DB_TEXT)                                              \
	X(6, joined_wall_ms, joined_wall_ms, DB_I64)
#define JOIN_CHANGING(F, X)                                                    \
	F(7, conn, conn, DB_BITS)

#define REQUEST_FIXED(X)
#define REQUEST_CHANGING(F, X)                                                 \
	F(2, user_name, user, DB_TEXT)                                         \
	X(3, application, application, DB_TEXT)                                \
	X(4, listener, listener, DB_TEXT)                                      \
	X(5, peer, peer, DB_TEXT)                                              \
	X(6, request_key, request_key, DB_TEXT)                                \
	X(7, state, state, DB_REQUEST_STATE)                                   \
	X(8, session, session, DB_LINK)                                        \
	X(9, requested_wall_ms, requested_wall_ms, DB_I64)                     \
	X(10, decided_wall_ms, decided_wall_ms, DB_I64)                        \
	X(11, wait_ms, wait_ms, DB_I64)                                        \
	X(12, code, code, DB_TEXT)                                             \
	X(13, text, text, DB_TEXT)

#define EVENT_FIXED(X)
#define EVENT_CHANGING(F, X)                                                   \
	F(2, wall_ms, wall_ms, DB_I64)                                         \
	X(3, severity, severity, DB_SEVERITY)                                  \
	X(4, kind, kind, DB_TEXT)                                              \
	X(5, object, object, DB_TEXT)                                          \
	X(6, text, text, DB_TEXT)

#define VOLUME_FIXED(X)                                                        \
	X(2, machine, machine, DB_U64)                                         \
	X(3, host, host, DB_TEXT)                                              \
	X(4, pool, pool, DB_TEXT)                                              \
	X(5, kind, kind, DB_VOLUME_KIND)                                       \
	X(6, base, base, DB_TEXT)                                              \
	X(7, intended_wall_ms, intended_wall_ms, DB_I64)
#define VOLUME_CHANGING(F, X)                                                  \
	F(8, key, key, DB_TEXT)                                                \
	X(9, inode, inode, DB_BITS)

#define DEED_FIXED(X)
#define DEED_CHANGING(F, X)                                                    \
	F(2, wall_ms, wall_ms, DB_I64)                                         \
	X(3, who, who, DB_TEXT)                                                \
	X(4, uid, uid, DB_U32)                                                 \
	X(5, pid, pid, DB_U32)                                                 \
	X(6, program, program, DB_TEXT)                                        \
	X(7, verb, verb, DB_TEXT)                                              \
	X(8, arguments, arguments, DB_TEXT)                                    \
	X(9, dry_run, dry_run, DB_BOOL)                                        \
	X(10, code, code, DB_TEXT)                                             \
	X(11, text, text, DB_TEXT)

#define OVERRIDE_FIXED(X)
#define OVERRIDE_CHANGING(F, X)                                                \
	F(2, value, value, DB_I64)                                             \
	X(3, who, who, DB_TEXT)                                                \
	X(4, wall_ms, wall_ms, DB_I64)

#define CLUSTER_FIXED(X)
#define CLUSTER_CHANGING(F, X)                                                 \
	F(2, nodes, nodes, DB_U32)                                             \
	X(3, vcpus, vcpus, DB_U32)                                             \
	X(4, memory_mib, memory_mib, DB_U64)                                   \
	X(5, pin_nodes, pin_nodes, DB_U32)                                     \
	X(6, pin_vcpus, pin_vcpus, DB_U32)                                     \
	X(7, pin_memory_mib, pin_memory_mib, DB_U64)                           \
	X(8, pin_who, pin_who, DB_TEXT)                                        \
	X(9, pin_wall_ms, pin_wall_ms, DB_I64)                                 \
	X(10, paused, paused, DB_BOOL)                                         \
	X(11, grown_wall_ms, grown_wall_ms, DB_I64)                            \
	X(12, shrunk_wall_ms, shrunk_wall_ms, DB_I64)                          \
	X(13, transactions, transactions, DB_U64)                              \
	X(14, replayed, replayed, DB_U64)                                      \
	X(15, failed, failed, DB_U64)                                          \
	X(16, reset, reset, DB_U64)

#define CHANGE_FIXED(X)                                                        \
	X(2, cluster, cluster, DB_TEXT)                                        \
	X(3, kind, kind, DB_CHANGE_KIND)                                       \
	X(4, who, who, DB_TEXT)                                                \
	X(5, started_wall_ms, started_wall_ms, DB_I64)                         \
	X(6, from_nodes, from_nodes, DB_U32)                                   \
	X(7, from_vcpus, from_vcpus, DB_U32)                                   \
	X(8, from_memory_mib, from_memory_mib, DB_U64)
#define CHANGE_CHANGING(F, X)                                                  \
	F(9, state, state, DB_CHANGE_STATE)                                    \
	X(10, step, step, DB_CHANGE_STEP)                                      \
	X(11, strategy, strategy, DB_STRATEGY)                                 \
	X(12, decision, decision, DB_U64)                                      \
	X(13, to_nodes, to_nodes, DB_U32)                                      \
	X(14, to_vcpus, to_vcpus, DB_U32)                                      \
	X(15, to_memory_mib, to_memory_mib, DB_U64)                            \
	X(16, step_wall_ms, step_wall_ms, DB_I64)                              \
	X(17, ended_wall_ms, ended_wall_ms, DB_I64)                            \
	X(18, pairs, pairs, DB_TEXT)                                           \
	X(19, text, text, DB_TEXT)

#define DECISION_FIXED(X)                                                      \
	X(2, wall_ms, wall_ms, DB_I64)                                         \
	X(3, object, object, DB_TEXT)                                          \
	X(4, source, source, DB_TEXT)                                          \
	X(5, version, version, DB_TEXT)                                        \
	X(6, inputs, inputs, DB_TEXT)
#define DECISION_CHANGING(F, X)                                                \
	F(7, wish, wish, DB_TEXT)                                              \
	X(8, outcome, outcome, DB_OUTCOME)                                     \
	X(9, change, change, DB_U64)                                           \
	X(10, text, text, DB_TEXT)

/* Written by a statement of its own (db_sql.h). */
#define LEDGER_FIXED(X)                                                        \
	X(2, machine, machine, DB_U64)                                         \
	X(3, machine_name, machine_name, DB_TEXT)                              \
	X(4, pool, pool, DB_TEXT)                                              \
	X(5, application, application, DB_TEXT)                                \
	X(6, host, host, DB_TEXT)                                              \
	X(7, cluster, cluster, DB_BOOL)                                        \
	X(8, vcpus, vcpus, DB_U32)                                             \
	X(9, memory_mib, memory_mib, DB_U64)                                   \
	X(10, start_wall_ms, start_wall_ms, DB_I64)
#define LEDGER_CHANGING(F, X)                                                  \
	F(11, end_wall_ms, end_wall_ms, DB_I64)                                \
	X(12, length_ms, length_ms, DB_I64)                                    \
	X(13, estimated, estimated, DB_BOOL)

#define TOKEN_FIXED(X)                                                         \
	X(2, user_name, user, DB_TEXT)                                         \
	X(3, application, application, DB_TEXT)                                \
	X(4, once, once, DB_BOOL)                                              \
	X(5, who, who, DB_TEXT)                                                \
	X(6, created_wall_ms, created_wall_ms, DB_I64)                         \
	X(7, expires_wall_ms, expires_wall_ms, DB_I64)
#define TOKEN_CHANGING(F, X)                                                   \
	F(8, used_wall_ms, used_wall_ms, DB_I64)

#endif
