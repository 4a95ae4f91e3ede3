/*
 * Who may what: groups, rules, lists, disabled users, limits of every kind,
 * and the line of the site file that decides.
 */
#include "engine/core/admit.h"
#include "tests/unit/core_lab.h"

enum { LINE_USER = 10, LINE_GROUP = 20, LINE_RULE = 30, LINE_DOOR = 40 };

static struct site_names list(const char *one)
{
	struct site_names n = { .all = one && strcmp(one, "*") == 0 };

	if (!one || n.all)
		return n;
	n.names = calloc(1, sizeof(n.names[0]));
	TEXT_SET(n.names[0], one);
	n.count = 1;
	return n;
}

static struct site_place at(uint32_t line)
{
	return (struct site_place){ "site.lua", line };
}


/* The lab's site with two doors and the users ann, ben, cleo; nobody's
 * applications are written. */
static struct site_spec site_of(struct lab *lab)
{
	static const char *const names[] = { "ann", "ben", "cleo" };
	struct site_spec s = lab_site(lab);

	s.users = realloc(s.users, 3 * sizeof(*s.users));
	s.listeners = realloc(s.listeners, 2 * sizeof(*s.listeners));
	for (uint32_t i = 0; i < 3; i++) {
		s.users[i] = (struct site_user){ .uid = -1, .limit = 9,
						 .applications.all = true,
						 .applications_open = true,
						 .place = at(LINE_USER + i) };
		TEXT_SET(s.users[i].name, names[i]);
	}
	s.user_count = 3;
	s.listeners[0].place = at(LINE_DOOR);
	s.listeners[1] = s.listeners[0];
	TEXT_SET(s.listeners[1].name, "back");
	s.listener_count = 2;
	s.groups = calloc(4, sizeof(*s.groups));
	s.allows = calloc(4, sizeof(*s.allows));
	return s;
}

static struct site_group *add_group(struct site_spec *s, const char *name,
				    const char *member)
{
	struct site_group *g = &s->groups[s->group_count];

	*g = (struct site_group){ .members = list(member), .applications.all = true,
				  .applications_open = true,
				  .place = at(LINE_GROUP +
					      (uint32_t)s->group_count++) };
	TEXT_SET(g->name, name);
	return g;
}

static void add_rule(struct site_spec *s, const char *user, const char *group,
		     const char *application, const char *listener)
{
	s->allows[s->allow_count] = (struct site_allow){
		.users = list(user), .groups = list(group),
		.applications = list(application), .listeners = list(listener),
		.place = at(LINE_RULE + (uint32_t)s->allow_count) };
	snprintf(s->allows[s->allow_count].name, SITE_NAME_SIZE, "rule-%zu",
		 s->allow_count + 1);
	s->allow_count++;
}

static void apply(struct lab *lab, struct site_spec *s)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){ .kind = EVENT_SITE, .site = { .spec = s } });
}

/* "not_allowed 30": the code and the line that decides, 0 = none. */
static const char *decided(struct lab *lab, const char *user, const char *door)
{
	static char out[80];
	struct decision d = admit_decide(&lab->w, user, "mail", door);

	snprintf(out, sizeof(out), "%s %u", verdict_allows(d.verdict) ? "yes" :
		 verdict_code(d.verdict), d.place ? d.place->line : 0);
	return out;
}

static void ask(struct lab *lab, uint64_t conn, const char *door,
		const char *user)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_REQUEST,
		.request = { .conn = conn, .listener = slice_of(door),
			     .application = SLICE("mail"),
			     .user = slice_of(user), .wait_ms = -1,
			     .nonce = conn } });
}

static void command(struct lab *lab, enum command_verb verb, const char *user,
		    bool end)
{
	lab_end_turn(lab);
	lab_step(lab, (struct event){
		.kind = EVENT_COMMAND,
		.command = { .verb = verb, .name = slice_of(user),
			     .who = SLICE("root"), .end_sessions = end } });
}

static void open_lab(struct lab *lab)
{
	lab_defaults(lab);
	lab->pool.serve = lab->pool.max = 3;
	lab_open(lab);
}

static void test_rules(void)
{
	struct lab lab;
	struct site_spec s;

	open_lab(&lab);
	s = site_of(&lab);
	apply(&lab, &s);
	is_text(decided(&lab, "ann", "door"), "yes 0", "nothing restricts anybody");
	is_text(decided(&lab, "ann", "window"), "refused 0", "an unknown door");
	s = site_of(&lab);
	add_group(&s, "team", "ben");
	add_rule(&s, "ann", NULL, "mail", "door");
	add_rule(&s, NULL, "team", "*", "*");
	apply(&lab, &s);
	is_text(decided(&lab, "ann", "door"), "yes 30", "the first rule that fits");
	is_text(decided(&lab, "ann", "back"), "not_allowed 0",
		"once a rule stands, what none allows is refused");
	is_text(decided(&lab, "ben", "back"), "yes 31", "a rule for a group");
	is_text(decided(&lab, "cleo", "door"), "not_allowed 0", "not a member");
	is_text(decided(&lab, "stranger", "door"), "not_allowed 0",
		"nor is one the site does not name");
	ask(&lab, 1, "back", "ann");
	is_text(refusal_of(&lab), "not_allowed", "the request is refused");
	ok(strstr(lab_effect(&lab, EFFECT_REFUSE)->text.ptr,
		  "no rule lets user ann have application mail on listener back"),
	   "in words that name all three");
	lab_close(&lab);
}

static void test_lists(void)
{
	struct lab lab;
	struct site_spec s;

	open_lab(&lab);
	s = site_of(&lab);
	s.users[0].applications = list(NULL);
	s.users[0].applications_open = false;
	add_group(&s, "none", "ben")->applications = list(NULL);
	s.groups[0].applications_open = false;
	add_group(&s, "some", "ben")->applications = list("mail");
	s.groups[1].applications_open = false;
	add_group(&s, "open", "ann");
	apply(&lab, &s);
	is_text(decided(&lab, "ann", "door"), "not_allowed 10",
		"an own list without it, and a group that lists nothing");
	is_text(decided(&lab, "ben", "door"), "yes 21",
		"what any of the groups lists counts");
	is_text(decided(&lab, "cleo", "door"), "yes 0", "no list at all");
	s = site_of(&lab);
	s.users[0].applications = list(NULL);
	s.users[0].applications_open = false;
	s.listeners[1].applications = list(NULL);
	add_rule(&s, "*", NULL, "*", "*");
	apply(&lab, &s);
	is_text(decided(&lab, "ann", "door"), "not_allowed 10",
		"a rule does not give what the list withholds");
	is_text(decided(&lab, "ben", "back"), "no_application 40",
		"nor what the door does not offer");
	lab_close(&lab);
}

static void test_disabled(void)
{
	struct lab lab;
	struct site_spec s;

	open_lab(&lab);
	lab_boot(&lab);
	s = site_of(&lab);
	s.users[1].disabled = true;
	apply(&lab, &s);
	is_text(decided(&lab, "ben", "door"), "disabled 11", "by the site");
	ask(&lab, 1, "door", "ann");
	ask(&lab, 2, "door", "ann");
	is_int(lab.w.pools[0]->waiting_count, 1, "ann has a machine and waits");
	command(&lab, COMMAND_USER_DISABLE, "ann", false);
	ok(lab_effect(&lab, EFFECT_REPLY)->ok, "ann is disabled");
	is_int(lab_count(&lab, EFFECT_SAVE_OVERRIDE), 1, "durably");
	is_text(refusal_of(&lab), "disabled", "who waits is refused");
	ok(!lab_effect(&lab, EFFECT_STOP), "the session goes on");
	is_text(decided(&lab, "ann", "door"), "disabled 0", "no line says so");
	ask(&lab, 3, "door", "ann");
	is_text(refusal_of(&lab), "disabled", "no new one begins");
	command(&lab, COMMAND_USER_DISABLE, "ann", true);
	ok(lab_effect(&lab, EFFECT_STOP), "asked to, it ends the session");
	s = site_of(&lab);
	apply(&lab, &s);
	is_text(decided(&lab, "ann", "door"), "disabled 0", "a new site keeps it");
	command(&lab, COMMAND_USER_ENABLE, "ann", false);
	is_text(decided(&lab, "ann", "door"), "yes 0", "until somebody enables her");
	command(&lab, COMMAND_USER_DISABLE, "nobody", false);
	ok(!lab_effect(&lab, EFFECT_REPLY)->ok, "nobody cannot be disabled");
	ok(!lab_effect(&lab, EFFECT_SAVE_OVERRIDE), "and nothing is saved");
	lab_close(&lab);
}

/* Two may come; the third is told which limit, and comes when one has left. */
static void limited(const char *what, const char *code, const char *third,
		    void (*set)(struct site_spec *))
{
	struct lab lab;
	struct site_spec s;

	open_lab(&lab);
	s = site_of(&lab);
	set(&s);
	apply(&lab, &s);
	ask(&lab, 1, "door", "ann");
	ask(&lab, 2, "door", strcmp(what, "user") == 0 ? "ann" : "ben");
	is_text(refusal_of(&lab), "not refused", "%s: two within the limit", what);
	ask(&lab, 3, "door", third);
	is_text(refusal_of(&lab), code, "the third is over it");
	ok(strstr(lab_effect(&lab, EFFECT_REFUSE)->text.ptr,
		  "has 2 sessions or requests, the limit"), "and told how many");
	s = site_of(&lab);
	set(&s);
	apply(&lab, &s);
	ask(&lab, 4, "door", third);
	is_text(refusal_of(&lab), code, "a site applied again counts the same");
	lab_end_turn(&lab);
	lab_step(&lab, (struct event){ .kind = EVENT_CANCEL,
				       .request = { .conn = 1 } });
	ask(&lab, 5, "door", third);
	is_text(refusal_of(&lab), "not refused", "with one gone there is room");
	lab_close(&lab);
}

static void limit_user(struct site_spec *s) { s->users[0].limit = 2; }
static void limit_door(struct site_spec *s) { s->listeners[0].limit = 2; }
static void limit_app(struct site_spec *s) { s->applications[0].limit = 2; }
static void limit_group(struct site_spec *s) { add_group(s, "all", "*")->limit = 2; }

static void test_restart(void)
{
	struct lab lab;
	struct machine_row machine = { .id = 1, .slot = 1, .incarnation = 3,
				       .state = MACHINE_IN_SESSION, .session = 7,
				       .dirty = true };
	struct session_row session = { .id = 7, .machine = 1, .incarnation = 3,
				       .state = SESSION_ACTIVE, .nonce = 5 };
	struct override_row off = { .key = "user/ben/disabled", .value = 1 };
	struct world_rows rows = { .machines = &machine, .machine_count = 1,
				   .sessions = &session, .session_count = 1,
				   .overrides = &off, .override_count = 1 };

	TEXT_SET(machine.name, "mail-01");
	TEXT_SET(machine.pool, "mail");
	TEXT_SET(machine.host, "h");
	TEXT_SET(session.user, "ann");
	TEXT_SET(session.application, "mail");
	TEXT_SET(session.listener, "door");
	lab_defaults(&lab);
	lab.limit = 1;
	lab_open_with(&lab, &rows);
	ask(&lab, 1, "door", "ann");
	is_text(refusal_of(&lab), "limit", "a session from before counts");
	is_text(decided(&lab, "ben", "door"), "disabled 0",
		"and an operator's word stands");
	lab_close(&lab);
}

int main(void)
{
	test_rules();
	test_lists();
	test_disabled();
	limited("user", "limit", "ann", limit_user);
	limited("listener", "limit_listener", "cleo", limit_door);
	limited("application", "limit_application", "cleo", limit_app);
	limited("group", "limit_group", "cleo", limit_group);
	test_restart();
	return tap_done();
}
