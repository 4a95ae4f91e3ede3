/* What there is on this computer, by looking only: see first.h. */
#include "console/first.h"

#include <fcntl.h>
#include <glob.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "console/paths.h"
#include "engine/base/text.h"

/* Somebody listens there: connects and hangs up. */
static bool answers(const char *path)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	bool there;

	if (fd < 0)
		return false;
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", path);
	there = strlen(path) < sizeof(a.sun_path) &&
		connect(fd, (struct sockaddr *)&a, sizeof(a)) == 0;
	close(fd);
	return there;
}

static bool program(const char *name)
{
	static const char *const folders[] = { "/usr/sbin", "/usr/bin",
					       "/usr/local/sbin", "/sbin" };
	char path[96];

	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", folders[i], name);
		if (access(path, X_OK) == 0)
			return true;
	}
	return false;
}

/* The system's daemon for root, else the user's own, which starts when it is
 * asked for. */
static void look_libvirt(struct first_found *f)
{
	static const char *const names[] = { "libvirt-sock", "virtqemud-sock" };
	const char *run = getenv("XDG_RUNTIME_DIR");
	bool root = geteuid() == 0;
	const char *uri = root ? "qemu:///system" : "qemu:///session";
	char path[128];

	for (int i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%.80s/libvirt/%s", root || !run ?
			 "/run" : run, names[i]);
		if (!answers(path))
			continue;
		f->libvirt_there = true;
		snprintf(f->libvirt, sizeof(f->libvirt), "%s answers", uri);
		return;
	}
	f->libvirt_there = !root && (program("libvirtd") ||
				     program("virtqemud"));
	if (f->libvirt_there)
		snprintf(f->libvirt, sizeof(f->libvirt), "%s starts when it is "
			 "used", uri);
	else if (program("libvirtd") || program("virtqemud"))
		snprintf(f->libvirt, sizeof(f->libvirt), "%s does not answer: "
			 "start libvirtd first", uri);
	else
		snprintf(f->libvirt, sizeof(f->libvirt), "libvirt is not "
			 "installed here");
}

static void look_kvm(struct first_found *f)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	snprintf(f->kvm, sizeof(f->kvm), fd >= 0 ? "KVM may be used" :
		 access("/dev/kvm", F_OK) == 0 ? "KVM is there, but not for you "
		 "(group kvm)" : "no KVM: guests are emulated, slow and not "
		 "isolated");
	if (fd >= 0)
		close(fd);
}

static void look_memory(struct first_found *f)
{
	FILE *m = fopen("/proc/meminfo", "re");
	char line[128];
	int64_t kib;

	while (m && fgets(line, sizeof(line), m))
		if (sscanf(line, "MemAvailable: %" SCNd64, &kib) == 1)
			snprintf(f->memory, sizeof(f->memory),
				 "%" PRId64 ".%" PRId64 " GiB free",
				 kib >> 20, (kib & 0xfffff) * 10 >> 20);
	if (m)
		fclose(m);
}

static void look_sockets(const char *pattern, struct first_found *f)
{
	glob_t found;

	if (glob(pattern, GLOB_NOSORT, NULL, &found))
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (f->socket_count < FIRST_SOCKETS_MAX &&
		    strlen(found.gl_pathv[i]) < sizeof(f->sockets[0]) &&
		    answers(found.gl_pathv[i]))
			TEXT_SET(f->sockets[f->socket_count++],
				 found.gl_pathv[i]);
	globfree(&found);
}

void first_look(const struct paths *paths, struct first_found *out)
{
	char pattern[PATHS_SIZE + 32];
	const char *slash = strrchr(paths->run_dir, '/');

	*out = (struct first_found){ 0 };
	look_libvirt(out);
	look_kvm(out);
	look_memory(out);
	if (slash && !paths->run_named) {
		snprintf(pattern, sizeof(pattern), "%.*s/*/control.sock",
			 (int)(slash - paths->run_dir), paths->run_dir);
		look_sockets(pattern, out);
	}
	if (strncmp(paths->run_dir, "/run/remuda/", 12) != 0)
		look_sockets("/run/remuda/*/control.sock", out);
}
