/*
 * Who may have what, where, and how much of it at once (spec 2.1, 2.3).
 *
 * A request is allowed when all of these hold; the first that does not is the
 * answer:
 *
 *   1. the listener offers the application;
 *   2. the user is not disabled, in the site or by an operator;
 *   3. the application is in what the site lists for the user and the user's
 *      groups together, where anything is listed;
 *   4. an `allow` rule covers user, application and listener, if the site has
 *      any `allow` at all.
 *
 * Limits count live sessions and waiting requests of a user, an application,
 * a listener and a group: who waits will have a session without being asked
 * again.  What is found here costs the same for one user and for a million:
 * everything is looked up by name, decisions are remembered until the site or
 * a user changes.
 */
#ifndef REMUDA_CORE_ADMIT_H
#define REMUDA_CORE_ADMIT_H

#include "engine/core/world.h"

enum verdict {
	VERDICT_RULE = 1,	/* an allow rule */
	VERDICT_LISTED,		/* the application is listed for the user */
	VERDICT_OPEN,		/* nothing restricts it */
	VERDICT_NO_LISTENER,
	VERDICT_NOT_OFFERED,
	VERDICT_DISABLED,
	VERDICT_NOT_LISTED,
	VERDICT_NO_RULE,
};

struct decision {
	enum verdict verdict;
	const struct site_place *place;	/* of what decided; NULL: no statement */
	const char *statement;		/* "user anna", "rule-3"; NULL likewise */
};

/* Borrowed until the site is applied again or a user is changed. */
struct decision admit_decide(struct world *w, const char *user,
			     const char *application, const char *listener);
static inline bool verdict_allows(enum verdict v)
{
	return v <= VERDICT_OPEN;
}
/* The refusal code, "" when allowed. */
const char *verdict_code(enum verdict v);
/* One sentence for the client; names no place in the site file. */
void verdict_text(enum verdict v, const char *user, const char *application,
		  const char *listener, char *out, size_t out_size);

/* One of the limits a request is under. */
struct limit {
	const char *kind, *name;	/* "group", "students" */
	uint32_t used, limit;		/* limit 0 = none */
};
enum { LIMITS_MAX = 3 + SITE_COUNT_MAX };
/* All of them, the user's first; returns how many were written. */
size_t admit_limits(struct world *w, const char *user, const char *application,
		    const char *listener, struct limit out[], size_t max);

/* The user as the site and the operators have it; never NULL. */
const struct member *admit_member(const struct world *w, const char *user);

#endif
