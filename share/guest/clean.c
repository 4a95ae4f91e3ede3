/*
 * `accept`, `baseline` and `clean`: what the host runs through the guest agent.
 *
 * accept and clean get "SESSION NONCE" on standard input and give the same line
 * back as the last line of their output when, and only when, they succeeded:
 * the host knows by it that this very call was carried out.
 *
 * clean ends whatever runs, unmounts, removes and forgets, and then looks at
 * everything once more: the second look must find nothing.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "share/guest/guest.h"

struct paths {
	char processes[GUEST_PATH_MAX];
	char mounts[GUEST_PATH_MAX];
	char files[GUEST_PATH_MAX];
	char identity[GUEST_PATH_MAX];
	char user[GUEST_PATH_MAX];
	char control[GUEST_PATH_MAX];
};

static int fill_paths(struct paths *p)
{
	return guest_run_path(p->processes, "baseline.processes") ||
	       guest_run_path(p->mounts, "baseline.mounts") ||
	       guest_run_path(p->files, "baseline.files") ||
	       guest_run_path(p->identity, "identity") ||
	       guest_run_path(p->user, "user") ||
	       guest_run_path(p->control, "control") ? -1 : 0;
}

int baseline_main(int argc, char **argv)
{
	struct paths p;

	(void)argv;
	if (argc != 1) {
		guest_warn("usage: remuda-guest baseline");
		return EXIT_USAGE;
	}
	if (fill_paths(&p) < 0 || processes_record(p.processes) < 0 ||
	    mounts_record(p.mounts) < 0 || files_record(p.files) < 0)
		return 1;
	return 0;
}

/* The session the machine carries now, 0 when none, -1 when unreadable. */
static int64_t carried_session(const char *path, char *user, size_t size)
{
	char text[GUEST_TEXT_MAX];
	unsigned long long id;
	int at = 0;

	if (guest_read_file(path, text, sizeof(text)) < 0)
		return errno == ENOENT ? 0 : -1;
	if (sscanf(text, "%llu %n", &id, &at) != 1)
		return -1;
	text[strcspn(text, "\n")] = '\0';
	snprintf(user, size, "%s", text + at);
	return (int64_t)id;
}

int accept_main(int argc, char **argv)
{
	char line[GUEST_NAME_MAX], text[2 * GUEST_NAME_MAX];
	char user[GUEST_NAME_MAX] = "?";
	uint64_t session;
	int64_t carried;
	struct paths p;

	if (argc != 2 || !*argv[1] || strlen(argv[1]) >= GUEST_NAME_MAX ||
	    strchr(argv[1], '\n')) {
		guest_warn("usage: echo SESSION NONCE | remuda-guest accept USER");
		return EXIT_USAGE;
	}
	if (guest_read_confirm(line, sizeof(line), &session) < 0 ||
	    fill_paths(&p) < 0)
		return 1;
	carried = carried_session(p.identity, user, sizeof(user));
	if (carried && (carried != (int64_t)session || strcmp(user, argv[1]))) {
		guest_warn("this machine still carries %s of session/%lld", user,
			   (long long)carried);
		return 1;
	}
	snprintf(text, sizeof(text), "%llu %s\n", (unsigned long long)session,
		 argv[1]);
	if (guest_write_file(p.identity, text) < 0)
		return 1;
	puts(line);
	return 0;
}

static void forget(const char *path, struct findings *f)
{
	if (f->probing && access(path, F_OK) == 0)
		finding(f, "%s", path);
	else if (unlink(path) < 0 && errno != ENOENT)
		finding(f, "%s: %s", path, strerror(errno));
}

static void sweep(const struct paths *p, struct findings *f)
{
	processes_clean(p->processes, f);
	mounts_clean(p->mounts, f);
	forget(p->identity, f);
	forget(p->user, f);
	files_clean(p->files, f);
	ipc_clean(f);
}

int clean_main(int argc, char **argv)
{
	struct findings removing = { .probing = false };
	struct findings probing = { .probing = true };
	char line[GUEST_NAME_MAX], answer[GUEST_TEXT_MAX];
	uint64_t session;
	struct paths p;

	(void)argv;
	if (argc != 1) {
		guest_warn("usage: echo SESSION NONCE | remuda-guest clean");
		return EXIT_USAGE;
	}
	if (guest_read_confirm(line, sizeof(line), &session) < 0 ||
	    fill_paths(&p) < 0)
		return 1;
	/* A machine without ports has no helper and no control socket. */
	if (access(p.control, F_OK) == 0 &&
	    serve_ask("reset", answer, sizeof(answer)) < 0)
		return 1;
	sweep(&p, &removing);
	sweep(&p, &probing);
	if (removing.count || probing.count)
		return 1;
	puts(line);
	return 0;
}
