/*
 * The words of the site file: every statement with its fields, types, bounds
 * and defaults.  One table gives the checks, the JSON, and the error texts.
 */
#ifndef REMUDA_RULES_SCHEMA_H
#define REMUDA_RULES_SCHEMA_H

#include <stdbool.h>
#include <stdint.h>

enum field_type {
	FIELD_NAME,	/* text_is_name */
	FIELD_TEXT,	/* at most max bytes, not empty, printable */
	FIELD_BYTES,	/* the same with any character but NUL */
	FIELD_WORD,	/* one of words, separated by '|'; !word: not yet */
	FIELD_FLAG,	/* true or false */
	FIELD_COUNT,	/* whole number in [min, max] */
	FIELD_DURATION,	/* "30 s" or seconds; min, max in ms; JSON: NAME_ms */
	FIELD_MEMORY,	/* "128 MiB" or MiB; JSON: NAME_mib */
	FIELD_NAMES,	/* { "a", "b" } */
	FIELD_NAMES_ALL,	/* the same, one "a", or "*" */
	FIELD_USERS,	/* the same of users' names */
	FIELD_HOOK,	/* function; JSON: a word in "hooks" */
	FIELD_SCALE,	/* function of a rule; JSON: "version", its fingerprint */
	FIELD_ENDPOINT,	/* "channel", "tcp:25", "tcp:HOST:25", "unix:PATH" */
	FIELD_ADDRESS,	/* "127.0.0.1:7070", "[::1]:7070", "unix:PATH" */
	FIELD_SOURCE,	/* "peer", "password", "certificate", "key", a user's name,
			 * or { ["10.1.0.0/16"] = "kiosk" } */
	FIELD_TLS,	/* { certificate, key, client_ca, client } */
	FIELD_PROXIES,	/* { "127.0.0.0/8" } */
	FIELD_KEYS,	/* { "ssh-ed25519 AAAA..." } */
	FIELD_PASSWORD,	/* crypt(3) hash */
	FIELD_TOKEN,	/* hex SHA-256 */
	FIELD_UID,	/* uid or login name */
	FIELD_ACCESS,	/* { anna = true, ["*"] = false } or { "anna" } */
	FIELD_VIP,	/* "10.0.0.50/24", "127.0.0.50", "fd00::50/64" */
	FIELD_TABLE,	/* { ... } of the fields of inner; JSON: an object */
	FIELD_ENTRIES,	/* { { ... }, ... } of those; JSON: an array of objects */
	FIELD_CLOUD,	/* { user_data = ..., meta = { ... } }: cloud.c */
	FIELD_LATER,	/* known, but not in this version: words says what to do */
};

struct statement;

struct field {
	const char *name;
	enum field_type type;
	int64_t min, max;
	const char *words;
	const char *preset;	/* as it would be written; NULL: none */
	bool required;
	const struct statement *inner;
};

struct statement {
	const char *name;	/* "pool"; of an inner one "calendar entry" */
	const char *list;	/* "pools": its array in the JSON; NULL: the site itself */
	const struct field *fields;	/* ends with name NULL */
	bool user_name;		/* named by text_is_user, else text_is_name */
	bool nameless;		/* written KIND { ... }; called rule-N */
	const char *later;	/* not in this version: what to do instead */
};

/* Ends with name NULL. */
extern const struct statement schema_statements[];
/* "prepare", "ready", ... at their enum wire_hook, else NULL. */
extern const char *const schema_hooks[8];

#endif
