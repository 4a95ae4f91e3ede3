/*
 * What a session leaves behind outside the file system: processes, mounts and
 * System V IPC.  Everything that was not there when the baseline was recorded
 * goes, whoever owns it and whatever it calls itself.
 *
 * Spared: kernel threads, this command with its ancestors, and root's
 * processes on a terminal that had a process at the baseline: the operator at
 * the serial console.
 *
 * Not guaranteed: a session that ran as root can rewrite the baseline, load a
 * module or pose as the operator.  Machines for users who are not trusted so
 * far run their application under --uid, or are rebuilt.
 */
#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mount.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "share/guest/guest.h"

enum { KILL_WAIT_MS = 2000, KERNEL_THREAD = 0x00200000 };

void finding(struct findings *f, const char *format, ...)
{
	char text[GUEST_TEXT_MAX];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	f->count++;
	guest_warn("%s: %s", f->probing ? "left behind" : "clean", text);
}

/* ---- processes ---- */

struct process {
	int pid, parent, tty;
	unsigned flags;
	unsigned long long start;	/* ticks since boot: with pid, unique */
	char state;
	char name[32];
};

struct process_list {
	struct process *all;
	size_t count, size;
};

static int read_process(int pid, struct process *p)
{
	char path[64], stat[1024], *open, *close;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	if (guest_read_file(path, stat, sizeof(stat)) < 0)
		return -1;
	open = strchr(stat, '(');
	close = strrchr(stat, ')');
	if (!open || !close)
		return -1;
	*close = '\0';
	*p = (struct process){ .pid = pid };
	snprintf(p->name, sizeof(p->name), "%s", open + 1);
	if (sscanf(close + 1, " %c %d %*d %*d %d %*d %u %*u %*u %*u %*u %*u "
		   "%*u %*d %*d %*d %*d %*d %*d %llu", &p->state, &p->parent,
		   &p->tty, &p->flags, &p->start) != 5)
		return -1;
	return 0;
}

static int list_processes(struct process_list *list)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	list->count = 0;
	if (!proc) {
		guest_warn("/proc: %s", strerror(errno));
		return -1;
	}
	while ((entry = readdir(proc))) {
		struct process p, *more;
		int pid = (int)strtol(entry->d_name, NULL, 10);

		if (pid <= 0 || read_process(pid, &p) < 0 ||
		    (p.flags & KERNEL_THREAD))
			continue;
		if (list->count == list->size) {
			list->size = list->size ? 2 * list->size : 64;
			more = realloc(list->all,
				       list->size * sizeof(*list->all));
			if (!more) {
				guest_warn("out of memory");
				closedir(proc);
				return -1;
			}
			list->all = more;
		}
		list->all[list->count++] = p;
	}
	closedir(proc);
	return 0;
}

int processes_record(const char *path)
{
	struct process_list list = { 0 };
	FILE *out = fopen(path, "we");
	int status = -1;

	if (!out) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	if (list_processes(&list) == 0) {
		for (size_t i = 0; i < list.count; i++) {
			if (list.all[i].pid != getpid())
				fprintf(out, "%d %llu %d\n", list.all[i].pid,
					list.all[i].start, list.all[i].tty);
		}
		status = 0;
	}
	free(list.all);
	if (fclose(out) != 0) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	return status;
}

static int load_processes(const char *path, struct process_list *list)
{
	FILE *in = fopen(path, "re");
	struct process p = { 0 };

	if (!in) {
		guest_warn("%s: %s (record it with remuda-guest baseline)",
			   path, strerror(errno));
		return -1;
	}
	while (fscanf(in, "%d %llu %d", &p.pid, &p.start, &p.tty) == 3) {
		if (list->count == list->size) {
			struct process *more;

			list->size = list->size ? 2 * list->size : 64;
			more = realloc(list->all,
				       list->size * sizeof(*list->all));
			if (!more) {
				guest_warn("out of memory");
				fclose(in);
				return -1;
			}
			list->all = more;
		}
		list->all[list->count++] = p;
	}
	fclose(in);
	return 0;
}

static bool is_ancestor(const struct process_list *list, int pid)
{
	int at = getpid();

	for (size_t guard = 0; at > 1 && guard <= list->count; guard++) {
		size_t i;

		if (at == pid)
			return true;
		for (i = 0; i < list->count; i++) {
			if (list->all[i].pid == at)
				break;
		}
		if (i == list->count)
			return false;
		at = list->all[i].parent;
	}
	return false;
}

static bool is_root(int pid)
{
	char path[32];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d", pid);
	return stat(path, &st) == 0 && st.st_uid == 0;
}

static bool is_stranger(const struct process_list *base,
			const struct process_list *now, const struct process *p)
{
	if (p->pid == 1 || p->state == 'Z' || p->state == 'X' ||
	    is_ancestor(now, p->pid))
		return false;
	for (size_t i = 0; i < base->count; i++) {
		const struct process *b = &base->all[i];

		if (b->pid == p->pid && b->start == p->start)
			return false;
		if (p->tty && b->tty == p->tty && is_root(p->pid))
			return false;
	}
	return true;
}

/* Kills all strangers once; how many there were, or -1. */
static int kill_strangers(const struct process_list *base,
			  struct process_list *now, bool report,
			  struct findings *f)
{
	int strangers = 0;

	if (list_processes(now) < 0)
		return -1;
	for (size_t i = 0; i < now->count; i++) {
		const struct process *p = &now->all[i];

		if (!is_stranger(base, now, p))
			continue;
		strangers++;
		if (report)
			finding(f, "process %d (%s)", p->pid, p->name);
		else
			kill(p->pid, SIGKILL);
	}
	return strangers;
}

void processes_clean(const char *path, struct findings *f)
{
	const struct timespec pause = { .tv_nsec = 2000000 };
	struct process_list base = { 0 }, now = { 0 };
	int64_t until = guest_now_ms() + KILL_WAIT_MS;
	int left = -1;

	if (load_processes(path, &base) == 0) {
		left = kill_strangers(&base, &now, f->probing, f);
		while (left > 0 && !f->probing) {
			nanosleep(&pause, NULL);
			left = kill_strangers(&base, &now,
					      guest_now_ms() > until, f);
			if (guest_now_ms() > until)
				break;
		}
	}
	if (left < 0)
		finding(f, "the list of processes cannot be checked");
	free(base.all);
	free(now.all);
}

/* ---- mounts ---- */

/* mountinfo writes blanks, newlines and backslashes as \ooo. */
static void unescape(char *text)
{
	char *out = text;

	for (char *in = text; *in; in++) {
		unsigned code;

		if (*in == '\\' && sscanf(in + 1, "%3o", &code) == 1) {
			*out++ = (char)code;
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

int mounts_each(void (*visit)(void *context, const struct mount_line *m),
		void *context)
{
	FILE *in = fopen("/proc/self/mountinfo", "re");
	char *line = NULL;
	size_t size = 0;
	int status = 0;

	if (!in) {
		guest_warn("/proc/self/mountinfo: %s", strerror(errno));
		return -1;
	}
	while (getline(&line, &size, in) > 0) {
		struct mount_line m = { .line = line };
		char *dash = strstr(line, " - ");

		line[strcspn(line, "\n")] = '\0';
		if (!dash || sscanf(line, "%d %*d %*s %*s %1023s", &m.id,
				    m.point) != 2 ||
		    sscanf(dash, " - %31s", m.type) != 1) {
			guest_warn("mountinfo: cannot read \"%s\"", line);
			status = -1;
			break;
		}
		unescape(m.point);
		visit(context, &m);
	}
	free(line);
	fclose(in);
	return status;
}

static void write_mount(void *context, const struct mount_line *m)
{
	fprintf(context, "%s\n", m->line);
}

int mounts_record(const char *path)
{
	FILE *out = fopen(path, "we");
	int status;

	if (!out) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	status = mounts_each(write_mount, out);
	if (fclose(out) != 0) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	return status;
}

struct mount_check {
	const char *base;	/* text of the baseline, lines */
	struct findings *f;
	unsigned known, base_count;
	char *doomed[256];	/* mount points, oldest first */
	size_t doomed_count;
};

/* 2: the very line is in the baseline, 1: a mount of that number, 0: none. */
static int in_baseline(const struct mount_check *c, const struct mount_line *m)
{
	size_t length = strlen(m->line);
	const char *at = c->base;

	while (at && *at) {
		const char *end = strchr(at, '\n');

		if (!end)
			break;
		if ((size_t)(end - at) == length && !memcmp(at, m->line, length))
			return 2;
		if (strtol(at, NULL, 10) == m->id)
			return 1;
		at = end + 1;
	}
	return 0;
}

static void check_mount(void *context, const struct mount_line *m)
{
	struct mount_check *c = context;

	switch (in_baseline(c, m)) {
	case 2:
		c->known++;
		return;
	case 1:
		c->known++;
		finding(c->f, "mount %s was changed: %s", m->point, m->line);
		return;
	}
	if (c->f->probing)
		finding(c->f, "mount %s (%s)", m->point, m->type);
	else if (c->doomed_count < 256)
		c->doomed[c->doomed_count++] = strdup(m->point);
	else
		finding(c->f, "mount %s: too many", m->point);
}

void mounts_clean(const char *path, struct findings *f)
{
	static char base[64 * 1024];
	struct mount_check c = { .base = base, .f = f };

	if (guest_read_file(path, base, sizeof(base)) < 0) {
		finding(f, "%s: %s", path, strerror(errno));
		return;
	}
	for (const char *at = base; (at = strchr(at, '\n')); at++)
		c.base_count++;
	if (mounts_each(check_mount, &c) < 0)
		finding(f, "the list of mounts cannot be checked");
	while (c.doomed_count > 0) {
		char *point = c.doomed[--c.doomed_count];

		if (!point || umount2(point, MNT_DETACH | UMOUNT_NOFOLLOW) < 0)
			finding(f, "cannot unmount %s: %s",
				point ? point : "?", strerror(errno));
		free(point);
	}
	if (c.known < c.base_count)
		finding(f, "%u mounts of the baseline are gone",
			c.base_count - c.known);
}

/* ---- System V IPC ---- */

static int remove_ipc(const char *kind, int id)
{
	if (!strcmp(kind, "shm"))
		return shmctl(id, IPC_RMID, NULL);
	if (!strcmp(kind, "msg"))
		return msgctl(id, IPC_RMID, NULL);
	return semctl(id, 0, IPC_RMID);
}

void ipc_clean(struct findings *f)
{
	static const char *const kinds[] = { "shm", "msg", "sem" };

	for (size_t i = 0; i < 3; i++) {
		char path[32], line[512];
		FILE *in;
		int id;

		snprintf(path, sizeof(path), "/proc/sysvipc/%s", kinds[i]);
		in = fopen(path, "re");
		if (!in && errno == ENOENT)
			continue;	/* a kernel without it */
		if (!in) {
			finding(f, "%s: %s", path, strerror(errno));
			continue;
		}
		while (fgets(line, sizeof(line), in)) {
			if (sscanf(line, "%*d %d", &id) != 1)
				continue;	/* the heading */
			if (f->probing || remove_ipc(kinds[i], id) < 0)
				finding(f, "%s segment %d", kinds[i], id);
		}
		fclose(in);
	}
}
