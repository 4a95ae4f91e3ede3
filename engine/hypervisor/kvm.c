/* See kvm.h.  Runs on the thread that opens the connection. */
#include "engine/hypervisor/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/hypervisor/virt.h"

#if defined(__x86_64__)
enum { CPUID_ENTRIES = 256 };

/* What x86-64 kernels and user programs of any current system take for given. */
static const struct {
	uint32_t leaf;
	bool in_ecx;
	int bit;
	const char *name;
} needed[] = {
	{ 0x00000001, true, 0, "SSE3" },
	{ 0x00000001, true, 13, "CMPXCHG16B" },
	{ 0x00000001, false, 26, "SSE2" },
	{ 0x80000001, false, 11, "SYSCALL" },
	{ 0x80000001, false, 20, "NX" },
	{ 0x80000001, false, 29, "long mode" },
};

static bool offered(const struct kvm_cpuid2 *list, uint32_t leaf, bool in_ecx,
		    int bit)
{
	for (uint32_t i = 0; i < list->nent; i++) {
		const struct kvm_cpuid_entry2 *e = &list->entries[i];

		if (e->function == leaf)
			return (in_ecx ? e->ecx : e->edx) >> bit & 1;
	}
	return false;
}

static bool processor_sane(int fd, struct error *why)
{
	struct kvm_cpuid2 *list =
		calloc(1, sizeof(*list) +
			  CPUID_ENTRIES * sizeof(struct kvm_cpuid_entry2));
	bool sane = list != NULL;

	if (!list)
		return error_set(why, "out of memory"), false;
	list->nent = CPUID_ENTRIES;
	if (ioctl(fd, KVM_GET_SUPPORTED_CPUID, list) < 0) {
		error_errno(why, "KVM does not tell its processor");
		sane = false;
	}
	for (size_t i = 0; sane && i < sizeof(needed) / sizeof(needed[0]); i++) {
		sane = offered(list, needed[i].leaf, needed[i].in_ecx,
			       needed[i].bit);
		if (!sane)
			error_set(why, "KVM is there but offers guests no %s, "
				  "so no current kernel starts on it",
				  needed[i].name);
	}
	free(list);
	return sane;
}
#else
static bool processor_sane(int fd, struct error *why)
{
	(void)fd;
	(void)why;
	return true;
}
#endif

static bool device_sane(struct error *why)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	/* QEMU may run as a user who may open what we may not: libvirt said so. */
	if (fd < 0 && (errno == EACCES || errno == EPERM))
		return true;
	if (fd < 0)
		return error_errno(why, "/dev/kvm"), false;
	bool sane = processor_sane(fd, why);
	close(fd);
	return sane;
}

bool kvm_usable(virConnectPtr conn, bool local, struct error *why)
{
	const char *force = getenv("REMUDA_FORCE_TCG");

	if (force && *force)
		return error_set(why, "KVM is not used: REMUDA_FORCE_TCG is set"),
		       false;
	char *xml = virConnectGetDomainCapabilities(conn, NULL, NULL, NULL,
						    "kvm", 0);
	if (!xml)
		return virt_error(why, "no KVM"), false;
	/* Asked for kvm, some drivers answer for what they have. */
	bool kvm = strstr(xml, "<domain>kvm</domain>") != NULL;
	free(xml);
	if (!kvm)
		return error_set(why, "no KVM on this host"), false;
	return !local || device_sane(why);
}
