/* See image.h.  Runs on worker threads. */
#include "engine/hypervisor/image.h"

#include <errno.h>
#include <fcntl.h>
#include <libvirt/virterror.h>
#include <libxml/globals.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/error.h"
#include "engine/base/log.h"
#include "engine/hypervisor/agent.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/domain.h"
#include "engine/hypervisor/overlay.h"
#include "engine/hypervisor/ownership.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/virt.h"
#include "engine/hypervisor/xml.h"

/* A plain name in the site's folder. */
static int image_path(char out[DOMAIN_PATH_MAX], struct slice name,
		      const struct role *role, const struct host_facts *facts,
		      struct error *err)
{
	char file[STORAGE_NAME_MAX];

	if (!text_copy_slice(file, sizeof(file), name) || !file[0] ||
	    strchr(file, '/') || file[0] == '.')
		return error_set(err, "an image needs a plain file name");
	if (facts->kind != HOST_QEMU || !role->host.site.storage[0])
		return error_set(err, "this host cannot save machines (it is no QEMU, or has no folder for them)");
	if (!facts->local)
		return error_set(err, "machines can be saved on local hosts only");
	if (snprintf(out, DOMAIN_PATH_MAX, "%s/%s", role->host.site.storage,
		     file) >= DOMAIN_PATH_MAX)
		return error_set(err, "the path of an image is too long");
	return 0;
}

enum wire_result image_delete(const struct role *role,
			      const struct host_facts *facts, struct slice name,
			      struct error *err)
{
	char path[DOMAIN_PATH_MAX];

	if (image_path(path, name, role, facts, err) < 0)
		return WIRE_FAILED;
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "image %s", path), WIRE_FAILED;
	return WIRE_OK;
}

/* What an image is bound to, of a domain's XML on this host as it is now. */
static int read_key(virConnectPtr conn, const struct host_facts *facts,
		    xmlNodePtr root, char key[IMAGE_KEY_SIZE],
		    struct error *err)
{
	char machine[64] = "?", type[16] = "";
	unsigned long v = 0;

	if (virConnectGetVersion(conn, &v) < 0)
		return virt_error(err, "the host does not tell QEMU's version"), -1;
	xml_get_attribute(xml_path(root, "os/type"), "machine", machine,
			  sizeof(machine));
	xml_get_attribute(root, "type", type, sizeof(type));
	snprintf(key, IMAGE_KEY_SIZE, "QEMU %lu.%lu.%lu, %s, processor %s",
		 v / 1000000, v / 1000 % 1000, v % 1000, machine,
		 strcmp(type, "kvm") == 0 ? facts->cpu : "emulated");
	return 0;
}

/* Frees xml; the document of a domain or NULL. */
static xmlDocPtr parse_domain(char *xml, const char *what, struct error *err)
{
	xmlDocPtr doc = NULL;

	if (!xml)
		return virt_error(err, what), NULL;
	doc = xml_parse(slice_of(xml), err);
	free(xml);
	return doc;
}

/* ---- saving ---------------------------------------------------------------- */

/* The folder's file system, written out: the file itself belongs to libvirt. */
static int make_durable(const char *path, int64_t *size, struct error *err)
{
	char folder[DOMAIN_PATH_MAX];
	struct stat st;

	TEXT_SET(folder, path);
	*strrchr(folder, '/') = '\0';
	int fd = open(folder[0] ? folder : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = fd < 0 || syncfs(fd) < 0 || lstat(path, &st) < 0 ?
			 error_errno(err, "image %s", path) : 0;

	if (fd >= 0)
		close(fd);
	if (rc == 0)
		*size = st.st_size;
	return rc;
}

static enum wire_result save(struct job *job, virConnectPtr conn,
			     const struct host_facts *facts, char *key,
			     int64_t *size, struct error *err)
{
	char path[DOMAIN_PATH_MAX];
	struct overlay_disks disks;
	enum wire_result result = WIRE_OK;
	xmlDocPtr doc;

	if (image_path(path, job->m.domain_save.image, job->role, facts,
		       err) < 0)
		return WIRE_FAILED;
	doc = parse_domain(virDomainGetXMLDesc(job->domain, 0),
			   "the domain does not describe itself", err);
	if (!doc)
		return WIRE_FAILED;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	int rc = overlay_read(root, &job->role->host.site,
			      virDomainGetName(job->domain), &disks, err) < 0 ?
			 -1 : read_key(conn, facts, root, key, err);
	xmlFreeDoc(doc);
	if (rc < 0)
		return WIRE_FAILED;
	/* One of an earlier try: libvirt would write over it in place. */
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, "image %s", path), WIRE_FAILED;
	if (virDomainSaveFlags(job->domain, path, NULL,
			       VIR_DOMAIN_SAVE_RUNNING) < 0)
		result = virt_error(err, "the machine cannot be saved");
	else if (overlay_freeze(&disks, err) < 0 ||
		 make_durable(path, size, err) < 0)
		result = WIRE_UNKNOWN;
	known_forget(&job->role->known, job->uuid);
	return result;
}

static enum job_next finish_save(struct job *job)
{
	struct message m = {
		.type = WIRE_TYPE_call_done,
		.request = job->m.request,
		.incarnation = job->m.incarnation,
		.call_done = { .machine = job->m.domain_save.machine },
	};
	char key[IMAGE_KEY_SIZE] = "";
	struct error err = { "" };
	struct host_facts facts;
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	enum wire_result result = save(job, conn, &facts, key,
				       &m.call_done.code, &err);
	virConnectClose(conn);
	if (result != WIRE_OK)
		return answer(job, result, err.text);
	m.call_done.out = slice_of(key);
	return answer_message(job, &m);
}

/* Runs a guest command to its end; true when there is no more to wait for. */
static bool sync_ended(struct job *job)
{
	struct agent_status *status = malloc(sizeof(*status));
	struct error ignored;
	bool ended = !status || agent_look(job, status, &ignored) != WIRE_OK ||
		     status->exited || role_now_ms() >= job->deadline_ms;

	free(status);
	return ended;
}

/* Step 0: sync is begun; step 1: waited for; then the save.  The sync only
 * spares every session the writing of what prepare left in the page cache. */
enum job_next domain_save(struct job *job)
{
	struct known_domain d;
	struct error err = { "" };
	enum wire_result result = ownership_find(job, job->m.domain_save.uuid,
						 &d, &err);

	if (result != WIRE_OK)
		return answer(job, result, err.text);
	if (job->step == 0) {
		job->step = 1;
		job->deadline_ms = role_now_ms() + IMAGE_SYNC_MS;
		if (agent_start(job, (struct slice){ "sync", 5 },
				(struct slice){ 0 }, &err) == WIRE_OK)
			return job_again(job, AGENT_LOOK_FIRST_MS,
					 AGENT_LOOK_LAST_MS);
	} else if (job->agent && !sync_ended(job)) {
		return job_again(job, AGENT_LOOK_FIRST_MS, AGENT_LOOK_LAST_MS);
	}
	return finish_save(job);
}

/* ---- restoring --------------------------------------------------------------- */

/* The image's XML with the new mark; NULL when it is not ours to restore. */
static xmlDocPtr changed_xml(struct job *job, virConnectPtr conn,
			     const struct host_facts *facts, const char *path,
			     struct error *err)
{
	const struct wire_domain_restore *r = &job->m.domain_restore;
	struct metadata mark = { .incarnation = job->m.incarnation,
				 .machine = r->machine };
	xmlDocPtr doc = parse_domain(
		virDomainSaveImageGetXMLDesc(conn, path,
					     VIR_DOMAIN_SAVE_IMAGE_XML_SECURE),
		"the image cannot be read", err);
	struct xml_builder b = { .err = err, .failed = true };
	char uuid[37] = "", key[IMAGE_KEY_SIZE];

	if (!doc)
		return NULL;
	xmlNodePtr root = xmlDocGetRootElement(doc);
	TEXT_SET(mark.uuid, job->uuid);
	xml_get_text(xml_child(root, "uuid"), uuid, sizeof(uuid));
	if (strcmp(uuid, job->uuid) != 0) {
		error_set(err, "the image is of another machine (%s)", uuid);
	} else if (read_key(conn, facts, root, key, err) == 0) {
		b.failed = !slice_is(r->key, key);
		if (b.failed)
			error_set(err, "the image was made by %.*s; here is %s now",
				  (int)r->key.length, r->key.ptr, key);
		else
			domain_xml_mark(&b, root, &job->role->host.site, &mark);
	}
	if (!b.failed)
		return doc;
	xmlFreeDoc(doc);
	return NULL;
}

/* The old domain ends with what it wrote; new overlays take its place. */
static enum wire_result replace_old(struct job *job, virConnectPtr conn,
				    const struct host_facts *facts,
				    xmlNodePtr root, struct error *err)
{
	const struct wire_domain_restore *r = &job->m.domain_restore;
	enum wire_result result = WIRE_OK;
	struct storage st;

	if (!r->disks.length && !r->drop.length)
		return domain_end(job, conn, facts, true, err);
	result = storage_open(&st, conn, facts, &job->role->host.site, err);
	if (result != WIRE_OK)
		return result;
	result = overlay_make(job, &st, root, err);
	if (result == WIRE_OK)
		result = domain_end(job, conn, facts, true, err);
	if (result == WIRE_OK)
		result = overlay_drop(job, &st, err);
	storage_close(&st);
	return result;
}

/* Is what runs now the domain we meant, and another than before? */
static enum wire_result prove(struct job *job, virConnectPtr conn,
			      const struct host_facts *facts,
			      const struct known_domain *old, struct error *err)
{
	struct known_domain now;
	bool gone;

	job->domain = virDomainLookupByUUIDString(conn, job->uuid);
	if (!job->domain)
		return virt_error(err, "restored, but the domain cannot be found");
	enum wire_result result = ownership_read(job->role, facts, job->domain,
						 &now, &gone, err);
	if (result != WIRE_OK)
		return result;
	if (!now.ours || now.id < 0 || now.incarnation != job->m.incarnation ||
	    now.id == old->id) {
		error_set(err, "restored, but what runs is not the new machine");
		return WIRE_FAILED;
	}
	/* replace_old did not come back before all of the first three. */
	job->evidence |= WIRE_OLD_ENDED | WIRE_OLD_UNLINKED |
			 WIRE_NEW_OVERLAY | WIRE_NEW_PROCESS;
	return WIRE_OK;
}

static enum wire_result restore(struct job *job, virConnectPtr conn,
				const struct host_facts *facts,
				struct error *err)
{
	struct known_domain old = { .id = -1 };
	char path[DOMAIN_PATH_MAX];

	if (!domain_is_uuid(job->uuid))
		return error_set(err, "not a uuid in small letters"), WIRE_FAILED;
	if (image_path(path, job->m.domain_restore.image, job->role, facts,
		       err) < 0)
		return WIRE_FAILED;
	xmlDocPtr doc = changed_xml(job, conn, facts, path, err);
	if (!doc)
		return WIRE_FAILED;
	int64_t start_ms = role_now_ms(), ended_ms;
	known_get(&job->role->known, job->uuid, &old);
	enum wire_result result = replace_old(job, conn, facts,
					      xmlDocGetRootElement(doc), err);
	char *xml = result == WIRE_OK ? xml_print(doc, err) : NULL;
	xmlFreeDoc(doc);
	if (!xml)
		return result == WIRE_OK ? WIRE_FAILED : result;
	ended_ms = role_now_ms();
	known_forget(&job->role->known, job->uuid);
	if (virDomainRestoreFlags(conn, path, xml, VIR_DOMAIN_SAVE_RUNNING) < 0)
		result = virt_error(err, "the image cannot be restored");
	log_debug("%s: ended in %lld ms, restored in %lld ms", job->uuid,
		  (long long)(ended_ms - start_ms),
		  (long long)(role_now_ms() - ended_ms));
	xmlFree(xml);
	return result == WIRE_OK ? prove(job, conn, facts, &old, err) : result;
}

/* Step 0 restores; the steps after it are the guest's (resume.c). */
enum job_next domain_restore(struct job *job)
{
	struct error err = { "" };
	struct host_facts facts;
	struct known_domain d;
	enum wire_result result = WIRE_OK;
	bool done = false;

	if (job->step == 0) {
		virConnectPtr conn = host_take(job, &facts, &err);

		if (!conn)
			return answer(job, WIRE_FAILED, err.text);
		result = restore(job, conn, &facts, &err);
		virConnectClose(conn);
		if (result != WIRE_OK)
			return answer(job, result, err.text);
		job->step = RESUME_FIRST;
		job->agent = true;
		job->deadline_ms = role_now_ms() + IMAGE_RESUME_MS;
	} else {
		result = ownership_find(job, job->m.domain_restore.uuid, &d, &err);
	}
	if (result == WIRE_OK)
		result = image_resume(job, &done, &err);
	if (result == WIRE_OK && done) {
		log_debug("%s: its guest was back after %lld ms", job->uuid,
			  (long long)(role_now_ms() - job->deadline_ms +
				      IMAGE_RESUME_MS));
		return answer(job, WIRE_OK, NULL);
	}
	if (result == WIRE_OK && role_now_ms() < job->deadline_ms)
		return job_again(job, AGENT_LOOK_FIRST_MS, AGENT_LOOK_LAST_MS);
	if (result == WIRE_OK)
		result = WIRE_FAILED;
	return answer(job, result, err.text[0] ? err.text :
		      "restored, but its guest did not come back in time");
}
