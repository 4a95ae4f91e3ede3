/*
 * See migrate.h.  The call itself blocks the MOVE lane's thread until it is
 * over; a second job in the DOMAIN lane ends it at its deadline.  Our domains
 * are transient, so nothing stays defined here and nothing gets defined there;
 * the mark of ownership is part of what migrates.
 */
#include "engine/hypervisor/migrate.h"

#include <libvirt/virterror.h>
#include <libxml/uri.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

void moves_init(struct moves *m)
{
	memset(m, 0, sizeof(*m));
	pthread_mutex_init(&m->lock, NULL);
}

void moves_fini(struct moves *m)
{
	pthread_mutex_destroy(&m->lock);
}

bool moves_has(struct moves *m, const char *uuid)
{
	pthread_mutex_lock(&m->lock);
	bool has = strcmp(m->uuid, uuid) == 0;
	pthread_mutex_unlock(&m->lock);
	return has;
}

void moves_forget(struct moves *m, const char *uuid)
{
	pthread_mutex_lock(&m->lock);
	if (!m->running && strcmp(m->uuid, uuid) == 0)
		m->uuid[0] = '\0';
	pthread_mutex_unlock(&m->lock);
}

/* ---- what can go --------------------------------------------------------------- */

/* May both hosts have that disk open?  libvirt checks the file system then. */
static bool made_for_sharing(xmlNodePtr disk)
{
	char cache[32] = "";

	xml_get_attribute(xml_child(disk, "driver"), "cache", cache, sizeof(cache));
	return xml_child(disk, "shareable") || strcmp(cache, "none") == 0 ||
	       strcmp(cache, "directsync") == 0;
}

static int check_disks(const struct host_site *site, xmlNodePtr devices,
		       struct error *err)
{
	size_t length = strlen(site->storage);
	char path[DOMAIN_PATH_MAX];

	for (xmlNodePtr d = xml_child(devices, "disk"); d; d = xml_next(d, "disk")) {
		if (!xml_get_attribute(xml_child(d, "source"), "file", path,
				       sizeof(path)) ||
		    length == 0 || strncmp(path, site->storage, length) != 0 ||
		    path[length] != '/' || made_for_sharing(d))
			continue;
		return error_set(err, "its disk %s lies in this host's own storage; only machines without such disks can move while they run",
				 path);
	}
	return 0;
}

static int check_domain(struct job *job, struct error *err)
{
	char *text = virDomainGetXMLDesc(job->domain, 0);

	if (!text)
		return virt_error(err, "the domain does not describe itself"), -1;
	xmlDocPtr doc = xml_parse(slice_of(text), err);
	free(text);
	if (!doc)
		return -1;
	int rc = check_disks(&job->role->host.site,
			     xml_path(xmlDocGetRootElement(doc), "devices"), err);
	xmlFreeDoc(doc);
	return rc;
}

/* The other daemon is opened from this host: a uri without a server is this
 * host itself. */
static int check_uri(const char *to, const struct host_facts *facts,
		     struct error *err)
{
	xmlURIPtr uri = xmlParseURI(to);
	bool elsewhere = uri && uri->scheme && uri->server && *uri->server;

	xmlFreeURI(uri);
	if (facts->kind != HOST_QEMU)
		return error_set(err, "this host cannot move machines (it is no QEMU)");
	if (!elsewhere)
		return error_set(err, "no host by the uri \"%s\": it must name one, as in qemu+tls://hv02.example/system",
				 to);
	if (strcmp(to, facts->uri) == 0)
		return error_set(err, "the machine is on that host already");
	return 0;
}

/* ---- the deadline ---------------------------------------------------------------- */

static bool still_running(struct moves *m, uint64_t number)
{
	pthread_mutex_lock(&m->lock);
	bool running = m->running && m->count == number;
	pthread_mutex_unlock(&m->lock);
	return running;
}

/* Due at the deadline; again until the migration has come back. */
static enum job_next abort_late(struct job *job)
{
	struct error err = { "" };

	if (!still_running(&job->role->moves, (uint64_t)job->number) ||
	    job->step++ >= MIGRATE_ABORTS)
		return JOB_DONE;
	virConnectPtr conn = host_take(job, NULL, &err);
	job->domain = conn ? virDomainLookupByUUIDString(conn, job->uuid) : NULL;
	if (job->domain && virDomainAbortJob(job->domain) < 0) {
		virt_error(&err, "its migration cannot be ended");
		log_debug("%s: %s", job->uuid, err.text);
	}
	if (conn)
		virConnectClose(conn);
	job->pause_ms = 0;
	return job_again(job, MIGRATE_ABORT_MS, MIGRATE_ABORT_MS);
}

static int64_t deadline_of(const struct job *job)
{
	int64_t bound_ms = job->m.domain_migrate.timeout_ms;

	return job->arrived_ms + (bound_ms > 0 ? bound_ms : MIGRATE_MS);
}

static void begin(struct job *job)
{
	struct moves *m = &job->role->moves;
	struct job *late = job_new(job->role, JOB_DOMAIN, abort_late, false);

	pthread_mutex_lock(&m->lock);
	late->number = (int64_t)++m->count;
	m->running = true;
	TEXT_SET(m->uuid, job->uuid);
	pthread_mutex_unlock(&m->lock);
	TEXT_SET(late->uuid, job->uuid);
	late->due_ms = deadline_of(job);
	if (!queue_add(&job->role->queue, late, QUEUE_JOBS_MAX))
		job_free(late);
}

void migrate_end_strange(struct role *role, virDomainPtr domain,
			 const char *uuid)
{
	virTypedParameterPtr params = NULL;
	int type = VIR_DOMAIN_JOB_NONE, count = 0, operation = 0;

	if (virDomainGetJobStats(domain, &type, &params, &count, 0) < 0)
		return;
	virTypedParamsGetInt(params, count, VIR_DOMAIN_JOB_OPERATION, &operation);
	virTypedParamsFree(params, count);
	if (type == VIR_DOMAIN_JOB_NONE ||
	    operation != VIR_DOMAIN_JOB_OPERATION_MIGRATION_OUT)
		return;
	pthread_mutex_lock(&role->moves.lock);
	bool ours = role->moves.running && strcmp(role->moves.uuid, uuid) == 0;
	pthread_mutex_unlock(&role->moves.lock);
	if (ours)
		return;
	log_warn("machine %s: a migration nobody waits for any more is ended",
		 virDomainGetName(domain));
	virDomainAbortJob(domain);
}

/* ---- the call -------------------------------------------------------------------- */

static int call_libvirt(struct job *job, const char *to, const char *by)
{
	unsigned int flags = VIR_MIGRATE_LIVE | VIR_MIGRATE_PEER2PEER |
			     VIR_MIGRATE_ABORT_ON_ERROR |
			     VIR_MIGRATE_AUTO_CONVERGE;
	virTypedParameterPtr params = NULL;
	int count = 0, room = 0, rc = 0;

	if (virDomainIsPersistent(job->domain) == 1)
		flags |= VIR_MIGRATE_PERSIST_DEST | VIR_MIGRATE_UNDEFINE_SOURCE;
	if (by[0])
		rc = virTypedParamsAddString(&params, &count, &room,
					     VIR_MIGRATE_PARAM_URI, by);
	if (rc == 0)
		rc = virDomainMigrateToURI3(job->domain, to, params,
					    (unsigned int)count, flags);
	virTypedParamsFree(params, count);
	return rc;
}

/* libvirt's call failed: does it run here still? */
static enum wire_result after_failure(struct job *job, bool unsafe)
{
	struct error ignored;
	struct known_domain d;
	int state = VIR_DOMAIN_NOSTATE, reason;

	if (unsafe)
		return WIRE_FAILED;	/* checked before anything began */
	if (ownership_find(job, job->m.domain_migrate.uuid, &d, &ignored) != WIRE_OK ||
	    virDomainGetState(job->domain, &state, &reason, 0) < 0)
		return WIRE_UNKNOWN;
	return state == VIR_DOMAIN_RUNNING || state == VIR_DOMAIN_BLOCKED ?
		       WIRE_FAILED : WIRE_UNKNOWN;
}

static enum wire_result migrate(struct job *job, const char *to, const char *by,
				struct error *err)
{
	struct moves *m = &job->role->moves;
	enum wire_result result = WIRE_OK;

	begin(job);
	int64_t start_ms = role_now_ms();
	if (call_libvirt(job, to, by) < 0) {
		bool unsafe = virt_error_is(VIR_ERR_MIGRATE_UNSAFE);

		virt_error(err, unsafe ? "its disks are not on storage that both hosts share" :
					 "it cannot be moved there");
		result = after_failure(job, unsafe);
	}
	log_debug("%s: migration took %lld ms", job->uuid,
		  (long long)(role_now_ms() - start_ms));
	pthread_mutex_lock(&m->lock);
	m->running = false;
	if (result == WIRE_FAILED)
		m->uuid[0] = '\0';
	pthread_mutex_unlock(&m->lock);
	if (result == WIRE_OK)
		known_forget(&job->role->known, job->uuid);
	return result;
}

enum job_next domain_migrate(struct job *job)
{
	const struct wire_domain_migrate *call = &job->m.domain_migrate;
	char to[256], by[256];
	struct error err = { "" };
	struct known_domain d;
	struct host_facts facts;
	enum wire_result result;

	if (!text_copy_slice(to, sizeof(to), call->to) ||
	    !text_copy_slice(by, sizeof(by), call->migrate))
		return answer(job, WIRE_FAILED, "a uri must have at most 255 bytes");
	if (role_now_ms() >= deadline_of(job))
		return answer(job, WIRE_FAILED,
			      "not begun: earlier migrations took all its time");
	result = ownership_find(job, call->uuid, &d, &err);
	if (result == WIRE_OK && (!host_get_facts(&job->role->host, &facts) ||
				  check_uri(to, &facts, &err) < 0 ||
				  check_domain(job, &err) < 0))
		result = WIRE_FAILED;
	if (result == WIRE_OK)
		result = migrate(job, to, by, &err);
	return answer(job, result, result == WIRE_OK ? NULL : err.text);
}
