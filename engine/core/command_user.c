/*
 * An operator disables a user, or takes that back (decisions.md 36).  The
 * newest word counts: it is kept as an override of the site's `disabled`.
 */
#include <stdio.h>
#include <string.h>

#include "engine/core/admit.h"
#include "engine/core/internal.h"

static unsigned end_sessions(struct world *w, struct effects *fx,
			     const char *user)
{
	unsigned n = 0;

	LIST_EACH(&w->live, it) {
		struct session *s = LIST_ENTRY(it, struct session, live_link);

		if (strcmp(s->row.user, user) != 0)
			continue;
		session_end_now(w, fx, s, "the user was disabled");
		n++;
	}
	return n;
}

void command_user(struct world *w, struct effects *fx, const struct event *ev)
{
	bool disable = ev->command.verb == COMMAND_USER_DISABLE;
	char user[ROW_USER_SIZE], text[ROW_TEXT_SIZE], ended[40] = "";

	if (!text_copy_slice(user, sizeof(user), ev->command.name) ||
	    !text_is_user(user) || (!world_user(w, user) && !w->spec.peers)) {
		snprintf(text, sizeof(text), "there is no user \"%.*s\"",
			 (int)ev->command.name.length, ev->command.name.ptr);
		command_reply(fx, ev, false, "not_found", text);
		return;
	}
	bool was = admit_member(w, user)->disabled;
	override_say(w, fx, ev, "user", user, "disabled", disable);
	admit_set_disabled(w, user, disable);
	if (disable)
		queue_drop_user(w, fx, user, "disabled",
				"the user was disabled");
	if (disable && ev->command.end_sessions)
		snprintf(ended, sizeof(ended), ", %u sessions are being ended",
			 end_sessions(w, fx, user));
	snprintf(text, sizeof(text), "user/%s is %s%s%s", user,
		 was == disable ? "already " : "",
		 disable ? "disabled" : "enabled", ended);
	command_done(w, fx, ev, "user", user, text);
}
