/*
 * Reading one object of the site's JSON, key by key.  Every getter takes its
 * key once; the first fault is kept and later getters do nothing, so a reader
 * of an object is one line a key and one check at its end (read_end), which
 * also refuses keys that nobody took.
 */
#ifndef REMUDA_LOOP_SITE_READ_H
#define REMUDA_LOOP_SITE_READ_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/core/spec.h"

struct error;

enum { READ_DAY_MS = 86400000 };

struct reader {
	const char *kind;	/* "pool", for messages */
	const json_t *json;
	struct error *err;
	bool failed;
	size_t taken;		/* keys that were there */
	const char *name, *file;
	long long line;
};

struct word {
	const char *text;
	int value;
};

/* Begins with the head every statement has: name, file, line.  name is copied
 * to name_out (SITE_NAME_SIZE bytes) when is_name agrees. */
struct reader read_begin(const char *kind, const json_t *json, char *name_out,
			 struct site_place *place,
			 bool (*is_name)(const char *), struct error *err);
/* 0, or -1 with an error that names the object and its place. */
int read_end(struct reader *r);
/* Refuses the object: "FILE:LINE: pool "mail": WHAT".  Returns -1. */
int read_bad(struct reader *r, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* The value of a key, counted as taken; NULL when it is not there. */
const json_t *read_any(struct reader *r, const char *key, bool required);
/* Text of at most size - 1 bytes; "" when it may be left out and is. */
void read_text(struct reader *r, const char *key, bool required, char *out,
	       size_t size);
#define READ_TEXT(r, key, required, field)                                     \
	read_text(r, key, required, field, sizeof(field))
/* Whole number in low..high. */
int64_t read_count(struct reader *r, const char *key, int64_t low,
		   int64_t high);
/* The same, preset when it is not there. */
int64_t read_count_or(struct reader *r, const char *key, int64_t low,
		      int64_t high, int64_t preset);
bool read_flag(struct reader *r, const char *key);
/* The value of one of the words (ends with text NULL); 0 after a fault. */
int read_word(struct reader *r, const char *key, const struct word *words);
/* Begins an object within r's: its faults name r's object.  Closed by
 * read_inner_end. */
struct reader read_inner(struct reader *r, const json_t *json);
void read_inner_end(struct reader *r, struct reader *inner);
/* An array of names, or "*" where all is allowed. */
void read_names(struct reader *r, const char *key, bool all,
		struct site_names *out);

/* Objects of the site, each a taker of site.c's lists. */
int take_host(void *object, const json_t *json, struct error *err);
int take_application(void *object, const json_t *json, struct error *err);
int take_pool(void *object, const json_t *json, struct error *err);
int take_listener(void *object, const json_t *json, struct error *err);
int take_user(void *object, const json_t *json, struct error *err);
int take_group(void *object, const json_t *json, struct error *err);
int take_allow(void *object, const json_t *json, struct error *err);
int take_resource(void *object, const json_t *json, struct error *err);
int take_rule(void *object, const json_t *json, struct error *err);

/* A cluster with the pool of its nodes; begins with its name like the others. */
struct cluster_and_pool {
	struct site_cluster cluster;
	struct site_pool pool;
};
int take_cluster(void *object, const json_t *json, struct error *err);

/* site_machines.c: what pools and clusters say of their machines. */
void read_machine(struct reader *r, struct site_pool *p);

#endif
