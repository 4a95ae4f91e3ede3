/*
 * Loading a site: texts to the rules role, its JSON back, then a decision.
 * One load at a time.  Texts come from the site file and the modules beside it,
 * or from the store (an earlier site, or the one in force after a restart); a
 * site that cannot be read, or would destroy what nobody agreed to destroy,
 * changes nothing.
 *
 * At a start the site in force comes from the store, so that machines are
 * adopted under the site that made them; then the site file is read like at
 * SIGHUP: applied unless that destroys machines, else it waits for the
 * operator's `remuda apply`.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/check.h"
#include "engine/base/log.h"
#include "engine/loop/pager.h"
#include "engine/loop/metrics.h"
#include "engine/loop/shell.h"
#include "engine/loop/site.h"
#include "engine/loop/runtime.h"
#include "engine/loop/site_plan.h"
#include "engine/rules/rules.h"

static char *read_file(const char *path, size_t *length, struct error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	char *text = malloc(RULES_TEXT_MAX + 1);
	ssize_t n = 0, used = 0;

	CHECK("", text, "out of memory");
	while (fd >= 0 && used <= RULES_TEXT_MAX &&
	       (n = read(fd, text + used,
			 (size_t)(RULES_TEXT_MAX + 1 - used))) > 0)
		used += n;
	if (fd < 0 || n < 0)
		error_errno(err, "%s", path);
	if (fd >= 0)
		close(fd);
	if (fd < 0 || n < 0 || used > RULES_TEXT_MAX) {
		if (used > RULES_TEXT_MAX)
			error_set(err, "%s is larger than %d bytes", path,
				  RULES_TEXT_MAX);
		free(text);
		return NULL;
	}
	/* Texts of a site are kept, shown and compared as texts. */
	if (memchr(text, '\0', (size_t)used)) {
		error_set(err, "%s is no text: it holds a NUL byte", path);
		free(text);
		return NULL;
	}
	*length = (size_t)used;
	return text;
}

/* A copy of a text of the load's own source; name NULL: the first. */
static char *stored_text(const struct source *from, const char *name,
			 size_t *length)
{
	struct slice is, body;
	size_t at = 0;

	while (source_next(from->text, from->length, &at, &is, &body)) {
		if (name && !slice_is(is, name))
			continue;
		char *text = malloc(body.length + 1);

		CHECK("", text, "out of memory");
		if (body.length)
			memcpy(text, body.ptr, body.length);
		*length = body.length;
		return text;
	}
	return NULL;
}

static char *module_file(const struct shell *sh, const char *file,
			 size_t *length)
{
	char path[2400];
	struct error err;
	char *text = NULL;

	for (int i = 0; i < 2 && !text; i++) {
		const char *dir = i == 0 ? sh->site_dir : sh->o.scripts_dir;

		if (!dir)
			continue;
		snprintf(path, sizeof(path), "%s/%s.lua", dir, file);
		text = read_file(path, length, &err);
	}
	return text;
}

static int send_text(struct shell *sh, struct message *m, const char *text,
		     size_t length, struct error *err)
{
	int fd = wire_memfd(text, length, err);

	if (fd < 0)
		return -1;
	m->fds[0] = fd;
	m->fd_count = 1;
	link_send(&sh->rules.link, m);
	close(fd);
	return 0;
}

static void load_end(struct site_load *l)
{
	source_clear(&l->source);
	source_clear(&l->from);
	free(l->change.text);
	free(l->runtime);
	*l = (struct site_load){ .purpose = LOAD_NONE };
}

static void answer(struct shell *sh, bool ok, const char *code, const char *text)
{
	control_answer(sh, sh->load.client, sh->load.id, ok, code, text);
}

int site_load_begin(struct shell *sh, const struct site_load *wish,
		    struct error *err)
{
	const char *slash = strrchr(sh->o.site_file, '/');
	const char *name = slash ? slash + 1 : sh->o.site_file;
	struct message m = { .type = WIRE_TYPE_bundle_load };
	struct site_load *l = &sh->load;
	size_t length;
	int rc = -1;

	if (l->purpose != LOAD_NONE || !sh->rules.ready) {
		free(wish->from.text);
		free(wish->change.text);
		return error_set(err, "another site is being read; try again");
	}
	char *text = wish->from.text ? stored_text(&wish->from, NULL, &length) :
				       read_file(sh->o.site_file, &length, err);
	*l = *wish;
	if (text) {
		l->runtime = runtime_text(sh, &l->change);
		text = runtime_join(text, &length, l->runtime != NULL);
		shell_hash(text, length, l->hash);
		TEXT_SET(l->version, l->hash);
		source_add(&l->source, name, text, length);
		m.bundle_load.hash = slice_of(l->hash);
		m.bundle_load.file = slice_of(name);
		rc = send_text(sh, &m, text, length, err);
	} else if (wish->from.text) {
		error_set(err, "the store holds no texts of that site");
	}
	free(text);
	if (rc < 0)
		load_end(l);
	return rc;
}

/* The version of what a site declares covers its modules too. */
static void version_add(struct site_load *l, const char *name, const char *text,
			size_t length)
{
	char with[2 * SITE_HASH_SIZE + 256], module[SITE_HASH_SIZE];

	shell_hash(text, length, module);
	int n = snprintf(with, sizeof(with), "%s %s %s", l->version, name,
			 module);
	shell_hash(with, (size_t)n, l->version);
}

/* "applications.mail" beside the site file, then in the scripts folder. */
void site_load_need(struct shell *sh, const struct message *msg)
{
	struct message m = { .type = WIRE_TYPE_bundle_module };
	struct site_load *l = &sh->load;
	char name[256], file[256], shown[300];
	struct error err;
	size_t length = 0;
	char *text = NULL;

	text_copy_slice(name, sizeof(name), msg->bundle_need.name);
	m.bundle_module.name = slice_of(name);
	text_copy(file, sizeof(file), name);
	bool sound = file[0] != '\0';
	for (char *p = file; *p; p++) {
		sound = sound && ((*p >= 'a' && *p <= 'z') ||
				  (*p >= '0' && *p <= '9') || *p == '-' ||
				  *p == '_' || *p == '.');
		if (*p == '.')
			*p = '/';
	}
	if (strcmp(name, RUNTIME_MODULE) == 0 && l->runtime) {
		text = strdup(l->runtime);
		CHECK("", text, "out of memory");
		length = strlen(text);
	} else if (sound && l->from.text)
		text = stored_text(&l->from, name, &length);
	else if (sound)
		text = module_file(sh, file, &length);
	snprintf(shown, sizeof(shown), "%s.lua", file);
	m.bundle_module.file = slice_of(shown);
	if (!text || send_text(sh, &m, text, length, &err) < 0)
		link_send(&sh->rules.link, &m);	/* without text: not found */
	if (text) {
		version_add(l, name, text, length);
		source_add(&l->source, name, text, length);
	}
	free(text);
}

struct second {
	int seen;
	char hash[SITE_HASH_SIZE];
};

static void take_second(void *arg, const struct db_site_version *row)
{
	struct second *s = arg;

	if (++s->seen == 2)
		TEXT_SET(s->hash, row->hash);
}

int site_load_previous(struct shell *sh, struct db_bundle *b, struct error *err)
{
	struct second s = { 0, "" };

	if (db_query_site_versions(sh->db, 2, take_second, &s, err) < 0)
		return -1;
	return *s.hash ? db_load_bundle(sh->db, s.hash, b, err) : 0;
}

/* ---- the outcome ---------------------------------------------------------- */

static void begin_file(struct shell *sh);

static void failed(struct shell *sh, const char *text)
{
	bool stored = sh->load.from.text != NULL;
	enum load_purpose purpose = sh->load.purpose;

	answer(sh, false, "failed", text);
	load_end(&sh->load);
	if (purpose == LOAD_START && stored) {
		/* A newer program may refuse what an older one took. */
		log_error("the site in force cannot be read any more: %s", text);
		begin_file(sh);
		return;
	}
	if (!sh->world.has_spec)
		shell_die(sh, "%s", text);
	if (purpose == LOAD_RELOAD)
		TEXT_SET(sh->site_error, text);
	if (purpose != LOAD_PLAN)
		log_error("the site file is not applied: %s", text);
}

static void apply(struct shell *sh, struct site_spec *spec, json_t *json,
		  const char *text)
{
	struct site_load *l = &sh->load;

	shell_save_bundle(sh, l, text);
	/* First the hooks, then what may run them. */
	rules_use(sh, l->hash);
	source_clear(&sh->site_source);
	sh->site_source = l->source;
	l->source = (struct source){ NULL, 0 };
	json_decref(sh->site_json);
	sh->site_json = json_incref(json);
	sh->site_error[0] = '\0';
	shell_apply_site(sh, spec);
	hosts_sync(sh);
	listeners_sync(sh);
	net_sync(sh);
	metrics_sync(sh);
	keys_reload(sh);
	shell_site_applied(sh);
	answer(sh, true, "", *l->said ? l->said : "site file applied");
}

/* What is read is not taken: says so to who asked, and where it will be seen. */
static void refuse(struct shell *sh, const char *text)
{
	struct message m = { .type = WIRE_TYPE_bundle_drop };

	link_send(&sh->rules.link, &m);
	if (!text)
		return;
	TEXT_SET(sh->site_error, text);
	log_warn("%s", text);
	answer(sh, false, "refused", text);
}

/* The site file at a start: perhaps the operator has gone back from it. */
static bool was_undone(struct shell *sh)
{
	struct error err;
	int rc;

	if (sh->load.purpose != LOAD_RELOAD || sh->load.client ||
	    *sh->load.who ||
	    strcmp(sh->load.version, sh->world.spec.bundle) == 0)
		return false;
	struct db_bundle b;
	rc = db_load_bundle(sh->db, sh->load.version, &b, &err);
	if (rc == 1)
		db_bundle_free(&b);
	return rc == 1;
}

static void decide(struct shell *sh, struct site_spec *spec, json_t *json,
		   const char *text)
{
	struct site_load *l = &sh->load;
	struct message drop = { .type = WIRE_TYPE_bundle_drop };

	switch (l->purpose) {
	case LOAD_NONE:
		break;
	case LOAD_START:
		apply(sh, spec, json, text);
		return;
	case LOAD_AGAIN:
		rules_use(sh, l->hash);
		return;
	case LOAD_PLAN:
		site_plan_answer(sh, spec, json);
		link_send(&sh->rules.link, &drop);
		return;
	case LOAD_APPLY:
		if (*l->expect && strcmp(l->expect, l->version) != 0)
			refuse(sh, "the site file has changed since the plan: "
				   "look at `remuda plan` again");
		else
			apply(sh, spec, json, text);
		return;
	case LOAD_RELOAD:
		if (site_plan_destroys(sh, spec))
			refuse(sh, "the site file waits: applying it would destroy or replace machines; "
				   "`remuda plan` shows what, `remuda apply` does it");
		else if (was_undone(sh))
			refuse(sh, "the site file is one the operator has gone back from; "
				   "`remuda apply` takes it again");
		else
			apply(sh, spec, json, text);
		return;
	}
}

void site_load_done(struct shell *sh, struct message *m)
{
	struct site_load *l = &sh->load;
	struct site_spec spec = { 0 };
	struct error err = { "" };
	json_t *json = NULL;
	size_t length;

	if (l->purpose == LOAD_NONE || !slice_is(m->bundle_done.hash, l->hash))
		return;	/* of a load that is over */
	char *text = wire_read_memfd(m->fds[0], RULES_JSON_MAX, &length, &err);
	if (!text || site_decode(text, length, &spec, &err) < 0) {
		failed(sh, err.text);
		free(text);
		return;
	}
	/* A site whose keys cannot be read is a site with an error; but the one
	 * in force is adopted without them, its listeners say what is missing. */
	bool in_force = l->purpose == LOAD_AGAIN ||
			(l->purpose == LOAD_START && l->from.text);
	if (!in_force && (keys_check(sh, &spec, &err) < 0 ||
			  pager_check(&spec, &err) < 0)) {
		site_spec_fini(&spec);
		failed(sh, err.text);
		free(text);
		return;
	}
	json = json_loadb(text, length, 0, NULL);
	TEXT_SET(spec.bundle, l->version);
	for (size_t i = 0; i < spec.application_count; i++)
		TEXT_SET(spec.applications[i].version, l->version);
	site_version_set(sh, &spec);
	bool then_file = l->purpose == LOAD_START && l->from.text;
	decide(sh, &spec, json, text);
	site_spec_fini(&spec);
	json_decref(json);
	free(text);
	load_end(l);
	if (then_file)
		begin_file(sh);
}

void site_load_error(struct shell *sh, const struct message *m)
{
	const struct wire_bundle_error *e = &m->bundle_error;
	char text[600];

	if (sh->load.purpose == LOAD_NONE) {
		/* The process that held the site in force died before its use. */
		site_load_role_ready(sh);
		return;
	}
	if (!slice_is(e->hash, sh->load.hash))
		return;
	snprintf(text, sizeof(text), "%.*s:%u: %.*s%s%.*s",
		 (int)e->file.length, e->file.ptr, e->line, (int)e->text.length,
		 e->text.ptr, e->hint.length ? "; " : "", (int)e->hint.length,
		 e->hint.ptr);
	failed(sh, text);
}

/* ---- starts ------------------------------------------------------------------ */

/* Reads the site file for the engine itself: the first site, or like SIGHUP. */
static void begin_file(struct shell *sh)
{
	struct site_load wish = {
		.purpose = sh->world.has_spec ? LOAD_RELOAD : LOAD_START };
	struct error err;

	if (site_load_begin(sh, &wish, &err) == 0)
		return;
	if (!sh->world.has_spec)
		shell_die(sh, "%s", err.text);
	TEXT_SET(sh->site_error, err.text);
	log_error("the site in force stays: %s", err.text);
}

/* Texts from memory or the store; false when there are none. */
static bool begin_stored(struct shell *sh)
{
	struct site_load wish = {
		.purpose = sh->world.has_spec ? LOAD_AGAIN : LOAD_START };
	struct db_bundle b;
	struct error err;

	if (sh->world.has_spec) {
		wish.from.text = strdup(sh->site_source.text);
		CHECK("", wish.from.text, "out of memory");
		wish.from.length = sh->site_source.length;
	} else {
		if (db_load_bundle(sh->db, "", &b, &err) != 1)
			return false;
		wish.from = (struct source){ b.source, strlen(b.source) };
		b.source = NULL;
		db_bundle_free(&b);
	}
	if (site_load_begin(sh, &wish, &err) == 0)
		return true;
	log_error("the site in force cannot be read: %s", err.text);
	return false;
}

void site_load_role_ready(struct shell *sh)
{
	if (!begin_stored(sh))
		begin_file(sh);
}

void site_load_role_lost(struct shell *sh)
{
	if (sh->load.purpose == LOAD_NONE)
		return;
	answer(sh, false, "failed", "the rules role died; try again");
	load_end(&sh->load);
}
