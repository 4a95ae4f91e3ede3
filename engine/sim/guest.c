/*
 * Inside a machine: what its agent does with a command, and what a user has
 * left there.  `residue` is set by anything done for a user and cleared only
 * by a clean command that was shown the session and the nonce of just that
 * user, or with the domain.  A guest may fail, hang, or give back what it was
 * not asked for; then it has not done what it was asked for either.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/sim/internal.h"

static bool word_is(struct slice argv, const char *word)
{
	size_t n = strlen(word);

	return argv.length >= n && memcmp(argv.ptr, word, n) == 0;
}

static void leave(struct sim *s, struct life *l, uint64_t session)
{
	oracle_touch(s, l, session);
	l->residue = session;
	l->used = true;
}

static void remember(struct life *l, uint64_t session, uint64_t nonce)
{
	if (l->told_session != session) {
		l->old_session = l->told_session;
		l->old_nonce = l->told_nonce;
	}
	l->told_session = session;
	l->told_nonce = nonce;
}

static void confirm(struct sim *s, struct life *l, const struct order *o,
		    bool clean, struct guest_answer *a)
{
	char line[64];
	uint64_t session = 0, nonce = 0;
	const struct session_row *row;

	text_copy_slice(line, sizeof(line), o->e.input);
	if (sscanf(line, "%" SCNu64 " %" SCNu64, &session, &nonce) != 2) {
		a->code = 2;
		return;
	}
	row = store_session(s, session);
	if (!clean)
		leave(s, l, session);
	remember(l, session, nonce);
	/* A replay: what an earlier session's user was answered. */
	if (sim_fault(s, SIM_CONFIRM_STALE, l->machine)) {
		snprintf(a->out, sizeof(a->out), "%" PRIu64 " %" PRIu64 "\n",
			 l->old_session, l->old_nonce);
		return;
	}
	if (sim_fault(s, SIM_CONFIRM_WRONG, l->machine)) {
		snprintf(a->out, sizeof(a->out), "%" PRIu64 " %" PRIu64 "\n",
			 session, nonce ^ 1);
		return;
	}
	snprintf(a->out, sizeof(a->out), "working\n%s", line);
	if (!row || row->nonce != nonce)
		return;	/* not what was saved: the guest cannot know */
	if (!clean) {
		l->carries = session;
	} else if (l->residue == session) {
		l->residue = l->carries = 0;
	}
}

void guest_exec(struct sim *s, struct life *l, const struct order *o,
		struct guest_answer *a)
{
	uint64_t session = 0;
	char word[64];

	if (sim_fault(s, SIM_EXEC_HANG, l->machine)) {
		a->silent = true;
		return;
	}
	if (word_is(o->e.argv, "for ")) {	/* a step before an accept */
		text_copy_slice(word, sizeof(word), o->e.argv);
		sscanf(word, "for %" SCNu64, &session);
		leave(s, l, session);
	}
	if (sim_fault(s, SIM_EXEC_FAIL, l->machine)) {
		a->code = 1;
		return;
	}
	if (word_is(o->e.argv, "accept"))
		confirm(s, l, o, false, a);
	else if (word_is(o->e.argv, "clean"))
		confirm(s, l, o, true, a);
}
