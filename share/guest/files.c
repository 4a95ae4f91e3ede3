/*
 * Files: the manifest of the file systems that live in memory, and the removal
 * of everything that is not in it.
 *
 * Walked are the root file system and every mounted tmpfs, ramfs, devtmpfs and
 * mqueue; other file systems (a data volume) are not a session's to leave
 * things on and are not looked at.  A new file is removed.  A known file that
 * was changed, replaced or removed cannot be brought back from here: it is a
 * finding, and the machine has to be rebuilt.  Of a known directory mode and
 * owner are put back.
 *
 * In the run directory only names count, because logs and state change there.
 * Device nodes are the kernel's and are ignored.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share/guest/guest.h"

enum { PATH_SIZE = 4096, DEPTH_MAX = 200, ROOTS_MAX = 32 };

struct record {
	uint32_t path_length, mode, uid, gid;
	uint64_t inode;
	int64_t size, modified_ns, changed_ns;
};

struct entry {
	struct record r;
	char *path;
	bool seen;
};

struct manifest {
	struct entry *all;
	size_t count, size;
};

struct walk {
	struct manifest *m;
	bool recording;
	struct findings *f;
	dev_t device;
	char path[PATH_SIZE];
};

static int add_entry(struct manifest *m, const char *path,
		     const struct record *r)
{
	if (m->count == m->size) {
		size_t size = m->size ? 2 * m->size : 1024;
		struct entry *more = realloc(m->all, size * sizeof(*more));

		if (!more)
			return -1;
		m->all = more;
		m->size = size;
	}
	m->all[m->count] = (struct entry){ .r = *r, .path = strdup(path) };
	return m->all[m->count++].path ? 0 : -1;
}

static void manifest_fini(struct manifest *m)
{
	for (size_t i = 0; i < m->count; i++)
		free(m->all[i].path);
	free(m->all);
}

static int by_path(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	return strcmp(x->path, y->path);
}

static int64_t in_ns(const struct timespec *t)
{
	return (int64_t)t->tv_sec * 1000000000 + t->tv_nsec;
}

static struct record describe(const char *path, const struct stat *st)
{
	return (struct record){
		.path_length = (uint32_t)strlen(path),
		.mode = st->st_mode, .uid = st->st_uid, .gid = st->st_gid,
		.inode = st->st_ino, .size = st->st_size,
		.modified_ns = in_ns(&st->st_mtim),
		.changed_ns = in_ns(&st->st_ctim),
	};
}

static bool in_run_dir(const char *path)
{
	size_t n = strlen(guest_run_dir());

	return !strncmp(path, guest_run_dir(), n) && path[n] == '/';
}

/* The baseline's own files come and go while it is recorded. */
static bool is_baseline(const char *path)
{
	size_t n = strlen(guest_run_dir());

	return in_run_dir(path) && !strncmp(path + n, "/baseline.", 10);
}

static int remove_tree(int dir_fd, const char *name, int depth)
{
	struct dirent *entry;
	DIR *dir;
	int fd;

	if (unlinkat(dir_fd, name, 0) == 0)
		return 0;
	if (errno != EISDIR && errno != EPERM)
		return -1;
	if (unlinkat(dir_fd, name, AT_REMOVEDIR) == 0)
		return 0;
	if (errno != ENOTEMPTY || depth > DEPTH_MAX)
		return -1;
	fd = openat(dir_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return -1;
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") && strcmp(entry->d_name, ".."))
			remove_tree(fd, entry->d_name, depth + 1);
	}
	closedir(dir);
	return unlinkat(dir_fd, name, AT_REMOVEDIR);
}

static void on_stranger(struct walk *w, int dir_fd, const char *name)
{
	if (w->f->probing)
		finding(w->f, "file %s", w->path);
	else if (remove_tree(dir_fd, name, 0) < 0)
		finding(w->f, "cannot remove %s: %s", w->path, strerror(errno));
}

static void check_known(struct walk *w, int dir_fd, const char *name,
			struct entry *e, const struct stat *st)
{
	struct record now = describe(w->path, st);

	e->seen = true;
	if (S_ISDIR(now.mode) && S_ISDIR(e->r.mode) && !w->f->probing) {
		if ((now.uid != e->r.uid || now.gid != e->r.gid) &&
		    fchownat(dir_fd, name, e->r.uid, e->r.gid,
			     AT_SYMLINK_NOFOLLOW) < 0)
			finding(w->f, "owner of %s: %s", w->path,
				strerror(errno));
		if (now.mode != e->r.mode &&
		    fchmodat(dir_fd, name, e->r.mode & 07777, 0) < 0)
			finding(w->f, "mode of %s: %s", w->path,
				strerror(errno));
		return;
	}
	if (now.mode != e->r.mode || now.uid != e->r.uid ||
	    now.gid != e->r.gid) {
		finding(w->f, "mode or owner of %s changed", w->path);
		return;
	}
	if (in_run_dir(w->path) || (!S_ISREG(now.mode) && !S_ISLNK(now.mode)))
		return;
	if (now.inode != e->r.inode || now.size != e->r.size ||
	    now.modified_ns != e->r.modified_ns ||
	    now.changed_ns != e->r.changed_ns)
		finding(w->f, "file %s was changed", w->path);
}

static void walk_dir(struct walk *w, int dir_fd, int depth);

/* w->path names the entry; dir_fd is its directory. */
static void walk_entry(struct walk *w, int dir_fd, const char *name, int depth)
{
	struct entry key = { .path = w->path }, *known;
	struct record r;
	struct stat st;
	int fd;

	if (is_baseline(w->path) ||
	    fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
	    S_ISCHR(st.st_mode) || S_ISBLK(st.st_mode) ||
	    st.st_dev != w->device)
		return;
	if (w->recording) {
		r = describe(w->path, &st);
		if (add_entry(w->m, w->path, &r) < 0)
			finding(w->f, "out of memory");
	} else {
		known = w->m->count ? bsearch(&key, w->m->all, w->m->count,
					      sizeof(key), by_path) : NULL;
		if (!known) {
			on_stranger(w, dir_fd, name);
			return;
		}
		check_known(w, dir_fd, name, known, &st);
	}
	if (!S_ISDIR(st.st_mode))
		return;
	fd = openat(dir_fd, name,
		    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		finding(w->f, "%s: %s", w->path, strerror(errno));
	else
		walk_dir(w, fd, depth + 1);
}

/* Closes dir_fd. */
static void walk_dir(struct walk *w, int dir_fd, int depth)
{
	DIR *dir = depth > DEPTH_MAX ? NULL : fdopendir(dir_fd);
	size_t length = strlen(w->path);
	struct dirent *entry;

	if (!dir) {
		finding(w->f, "%s: cannot be searched", w->path);
		close(dir_fd);
		return;
	}
	while ((entry = readdir(dir))) {
		const char *name = entry->d_name;

		if (!strcmp(name, ".") || !strcmp(name, ".."))
			continue;
		if (length + strlen(name) + 2 > sizeof(w->path)) {
			finding(w->f, "%s/%s: path too long", w->path, name);
			continue;
		}
		w->path[length] = '/';
		memcpy(w->path + length + 1, name, strlen(name) + 1);
		walk_entry(w, dir_fd, name, depth);
		w->path[length] = '\0';
	}
	closedir(dir);
}

static void walk_root(void *context, const struct mount_line *m)
{
	static const char *const types[] = {
		"rootfs", "tmpfs", "ramfs", "devtmpfs", "mqueue",
	};
	struct walk *w = context;
	bool wanted = !strcmp(m->point, "/");
	struct stat st;
	int fd;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		wanted = wanted || !strcmp(m->type, types[i]);
	if (!wanted)
		return;
	fd = open(m->point, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 && errno == ENOTDIR)
		return;		/* one file, mounted over another */
	if (fd < 0 || fstat(fd, &st) < 0) {
		finding(w->f, "%s: %s", m->point, strerror(errno));
		return;
	}
	w->device = st.st_dev;
	/* "/" is the empty prefix: every path begins with one slash. */
	snprintf(w->path, sizeof(w->path), "%s",
		 strcmp(m->point, "/") ? m->point : "");
	walk_dir(w, fd, 0);
}

int files_record(const char *path)
{
	struct manifest m = { 0 };
	struct findings f = { 0 };
	struct walk w = { .m = &m, .recording = true, .f = &f };
	FILE *out = fopen(path, "we");
	int status = -1;

	if (!out) {
		guest_warn("%s: %s", path, strerror(errno));
		return -1;
	}
	if (mounts_each(walk_root, &w) == 0 && !f.count) {
		qsort(m.all, m.count, sizeof(*m.all), by_path);
		for (size_t i = 0; i < m.count; i++) {
			fwrite(&m.all[i].r, sizeof(m.all[i].r), 1, out);
			fwrite(m.all[i].path, m.all[i].r.path_length, 1, out);
		}
		status = ferror(out) ? -1 : 0;
	}
	if (fclose(out) != 0 || status < 0) {
		guest_warn("%s: not recorded", path);
		status = -1;
	}
	manifest_fini(&m);
	return status;
}

static int load_manifest(const char *path, struct manifest *m)
{
	FILE *in = fopen(path, "re");
	char name[PATH_SIZE];
	struct record r;

	if (!in)
		return -1;
	while (fread(&r, sizeof(r), 1, in) == 1) {
		if (r.path_length >= sizeof(name) ||
		    fread(name, r.path_length, 1, in) != 1)
			break;
		name[r.path_length] = '\0';
		if (add_entry(m, name, &r) < 0)
			break;
	}
	if (!feof(in) || ferror(in) || !m->count) {
		fclose(in);
		errno = EINVAL;
		return -1;
	}
	fclose(in);
	return 0;
}

void files_clean(const char *path, struct findings *f)
{
	struct manifest m = { 0 };
	struct walk w = { .m = &m, .f = f };

	/* Without a manifest everything would be strange: touch nothing. */
	if (load_manifest(path, &m) < 0) {
		finding(f, "%s: %s", path, strerror(errno));
	} else if (mounts_each(walk_root, &w) < 0) {
		finding(f, "the file systems cannot be listed");
	} else {
		for (size_t i = 0; i < m.count; i++) {
			if (!m.all[i].seen)
				finding(f, "file %s is gone", m.all[i].path);
		}
	}
	manifest_fini(&m);
}
