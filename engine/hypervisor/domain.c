/* domain_create and domain_destroy; see domain.h.  Run on worker threads. */
#include "engine/hypervisor/domain.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libvirt/virterror.h>
#include <libxml/globals.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/clone.h"
#include "engine/hypervisor/image.h"
#include "engine/hypervisor/lifeline.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"

enum { GONE_WAIT_MS = 1000, GONE_LOOK_MS = 5 };

/*
 * Makes the sparse data disk when it is missing; never touches one that is
 * there.  0600 and ours: the system daemon gives it to QEMU's user itself.
 */
static int make_volume(const struct host_facts *facts, const char *path,
		       uint64_t mib, bool *made, struct error *err)
{
	struct stat st;

	if (!facts->local)
		return error_set(err, "volume %s: files can be made on local hosts only",
				 path);
	int fd = open(path, O_CREAT | O_EXCL | O_NOFOLLOW | O_RDWR | O_CLOEXEC,
		      0600);
	if (fd < 0 && errno == EEXIST) {
		if (lstat(path, &st) < 0)
			return error_errno(err, "volume %s", path);
		if (!S_ISREG(st.st_mode))
			return error_set(err, "volume %s is not a plain file", path);
		return 0;
	}
	if (fd < 0)
		return error_errno(err, "volume %s cannot be made", path);
	*made = true;
	int rc = mib == 0 || mib > 1 << 24 ?
			 error_set(err, "volume %s needs 1 MiB to 16 TiB", path) :
		 ftruncate(fd, (off_t)(mib << 20)) < 0 ?
			 error_errno(err, "volume %s", path) : 0;
	close(fd);
	if (rc < 0)
		unlink(path);
	return rc;
}

/* A domain of that uuid or name is there already: what does that mean? */
static enum wire_result judge_present(struct job *job,
				      const struct host_facts *facts,
				      const struct domain_spec *spec,
				      virDomainPtr domain, bool *done,
				      struct error *err)
{
	struct known_domain d;
	struct error why;
	bool gone;
	enum wire_result result = ownership_read(job->role, facts, domain, &d,
						 &gone, &why);

	if (result != WIRE_OK) {
		error_set(err, "%s", why.text);
		return gone ? WIRE_OK : WIRE_FAILED;
	}
	if (!d.ours) {
		error_set(err, "a domain named %s (uuid %s) exists that Remuda did not create (%s)%s",
			  virDomainGetName(domain), d.uuid, why.text,
			  d.owner == WIRE_OWNER_FOREIGN ?
				  "; rename it or choose another pool name" : "");
		return WIRE_FAILED;
	}
	if (strcmp(d.uuid, spec->mark.uuid) != 0 || d.id < 0 ||
	    d.incarnation != spec->mark.incarnation) {
		error_set(err, "stale: domain %s is there with uuid %s and incarnation %" PRIu64
			  "; destroy it first", virDomainGetName(domain), d.uuid,
			  d.incarnation);
		return WIRE_FAILED;
	}
	*done = true;
	return WIRE_OK;
}

/* WIRE_OK with done false: the place is free. */
static enum wire_result look_before(struct job *job, virConnectPtr conn,
				    const struct host_facts *facts,
				    const struct domain_spec *spec, bool *done,
				    struct error *err)
{
	for (int by_name = 0; by_name < 2 && !*done; by_name++) {
		virDomainPtr domain = by_name ?
			virDomainLookupByName(conn, spec->name) :
			virDomainLookupByUUIDString(conn, spec->mark.uuid);

		if (!domain && !virt_error_is(VIR_ERR_NO_DOMAIN)) {
			virt_error(err, "cannot look for the domain");
			return WIRE_FAILED;
		}
		if (!domain)
			continue;
		enum wire_result result = judge_present(job, facts, spec, domain,
							done, err);
		virDomainFree(domain);
		if (result != WIRE_OK)
			return result;
	}
	return WIRE_OK;
}

/* One whose QEMU died is not found any more before its name is free. */
static bool is_being_removed(void)
{
	const char *text = virGetLastErrorMessage();

	return virt_error_is(VIR_ERR_OPERATION_FAILED) && text &&
	       strstr(text, "already being removed");
}

static enum wire_result start_domain(struct job *job, virConnectPtr conn,
				     const struct host_facts *facts,
				     const struct domain_spec *spec,
				     struct error *err)
{
	struct known_domain d;
	struct error why;
	bool gone;
	char *xml = domain_xml_build(spec, &job->role->host.site, err);

	if (!xml)
		return WIRE_FAILED;
	int64_t until_ms = role_now_ms() + GONE_WAIT_MS;
	virDomainPtr domain;
	while (!(domain = virDomainCreateXML(conn, xml, 0)) &&
	       is_being_removed() && role_now_ms() < until_ms)
		poll(NULL, 0, GONE_LOOK_MS);
	enum wire_result result =
		domain ? WIRE_OK : virt_error(err, "libvirt does not start it");
	xmlFree(xml);
	if (!domain)
		return result;
	/* Ports are learned now, so that they are known while libvirt hangs. */
	if (ownership_read(job->role, facts, domain, &d, &gone, &why) != WIRE_OK)
		log_warn("machine %s runs, but: %s", spec->name, why.text);
	virDomainFree(domain);
	return WIRE_OK;
}

static enum wire_result create(struct job *job, struct error *err)
{
	struct domain_spec spec = { .kind = HOST_QEMU };
	struct host_facts facts;
	bool done = false, made = false;
	virConnectPtr conn = host_take(job, &facts, err);

	if (!conn)
		return WIRE_FAILED;
	spec.kind = facts.kind;
	spec.kvm = facts.kvm;
	enum wire_result result = WIRE_FAILED;
	if (domain_spec_read(&spec, &job->m.domain_create, job->m.incarnation,
			     err) == 0 &&
	    (facts.local || facts.kind != HOST_QEMU ||
	     domain_spec_add_channel(&spec, slice_of(LIFELINE_PORT), err) == 0))
		result = look_before(job, conn, &facts, &spec, &done, err);
	if (result == WIRE_OK && !done) {
		if (spec.sourced)
			result = clone_make(job, conn, &facts, &spec, err);
		if (result != WIRE_OK)
			;
		else if (spec.volume[0] && facts.kind != HOST_TEST &&
		    make_volume(&facts, spec.volume,
				job->m.domain_create.volume_mib, &made, err) < 0)
			result = WIRE_FAILED;
		else
			result = start_domain(job, conn, &facts, &spec, err);
		/* Empty and never seen by a guest: leave nothing behind. */
		if (result == WIRE_FAILED && made)
			unlink(spec.volume);
	}
	clone_free(&spec);
	virConnectClose(conn);
	return result;
}

enum job_next domain_create(struct job *job)
{
	struct error err = { "" };
	enum wire_result result = create(job, &err);

	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}

/* Is the uuid free?  WIRE_UNKNOWN when libvirt does not say. */
static enum wire_result check_gone(virConnectPtr conn, const char *uuid,
				   struct error *err)
{
	virDomainPtr domain = virDomainLookupByUUIDString(conn, uuid);

	if (domain) {
		virDomainFree(domain);
		return WIRE_FAILED;
	}
	if (virt_error_is(VIR_ERR_NO_DOMAIN))
		return WIRE_OK;
	virt_error(err, "cannot see whether the domain is gone");
	return WIRE_UNKNOWN;
}

enum wire_result domain_stop(virConnectPtr conn, const char *uuid,
			     virDomainPtr domain, struct error *err)
{
	enum wire_result result = WIRE_OK;

	if (virDomainDestroy(domain) < 0 &&
	    !virt_error_is(VIR_ERR_NO_DOMAIN) &&
	    !virt_error_is(VIR_ERR_OPERATION_INVALID))
		result = virt_error(err, "libvirt does not end the domain");
	if (result != WIRE_OK)
		return result;
	/* A transient domain is gone by now, perhaps even before the call. */
	if (virDomainIsPersistent(domain) == 1 &&
	    virDomainUndefineFlags(domain, VIR_DOMAIN_UNDEFINE_MANAGED_SAVE |
						   VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA |
						   VIR_DOMAIN_UNDEFINE_NVRAM) < 0 &&
	    !virt_error_is(VIR_ERR_NO_DOMAIN))
		return virt_error(err, "libvirt does not undefine the domain");
	/* One that died by itself is libvirt's a little longer. */
	int64_t until_ms = role_now_ms() + GONE_WAIT_MS;
	while ((result = check_gone(conn, uuid, err)) == WIRE_FAILED &&
	       role_now_ms() < until_ms)
		poll(NULL, 0, GONE_LOOK_MS);
	if (result == WIRE_FAILED)
		error_set(err, "the domain is still there after its end");
	return result;
}

enum wire_result domain_end(struct job *job, virConnectPtr conn,
			    const struct host_facts *facts, bool at_once,
			    struct error *err)
{
	struct known_domain d;
	struct error why;
	bool gone = false;

	virDomainPtr domain = virDomainLookupByUUIDString(conn, job->uuid);
	if (!domain && virt_error_is(VIR_ERR_NO_DOMAIN)) {
		job->evidence |= WIRE_WAS_OVER;
		return WIRE_OK;
	}
	if (!domain) {
		virt_error(err, "cannot look for the domain");
		return WIRE_FAILED;
	}
	/* The mark is read now: what is cached may have been changed. */
	enum wire_result result = ownership_read(job->role, facts, domain, &d,
						 &gone, &why);
	if (result != WIRE_OK) {
		error_set(err, "%s", why.text);
		result = gone ? WIRE_OK : WIRE_FAILED;
		job->evidence |= gone ? WIRE_WAS_OVER : 0;
	} else if (!d.ours) {
		error_set(err, "not ours: domain %s exists but %s; nothing was touched",
			  job->uuid, why.text);
		result = WIRE_FAILED;
	} else {
		result = ownership_fence(&d, job->m.incarnation, err);
		if (result == WIRE_OK && at_once)
			watch_kill(facts, job->uuid, virDomainGetName(domain));
		if (result == WIRE_OK)
			result = domain_stop(conn, job->uuid, domain, err);
	}
	virDomainFree(domain);
	return result;
}

enum job_next domain_destroy(struct job *job)
{
	struct error err = { "" };
	struct host_facts facts;
	enum wire_result result = WIRE_FAILED;
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	if (domain_is_uuid(job->uuid))
		result = domain_end(job, conn, &facts, false, &err);
	else
		error_set(&err, "not a uuid in small letters");
	virConnectClose(conn);
	if (result == WIRE_OK)
		known_forget(&job->role->known, job->uuid);
	if (result == WIRE_OK && job->m.domain_destroy.image.length)
		result = image_delete(job->role, &facts,
				      job->m.domain_destroy.image, &err);
	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}
