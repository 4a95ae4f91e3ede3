/* See clone.h.  Runs on worker threads. */
#include "engine/hypervisor/clone.h"

#include <libvirt/virterror.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/answer.h"
#include "engine/hypervisor/clone_xml.h"
#include "engine/hypervisor/role.h"
#include "engine/hypervisor/seed.h"
#include "engine/hypervisor/virt.h"

/* The operator's domain, shut off; *xml is its own definition, to be freed. */
static enum wire_result read_domain(virConnectPtr conn, struct slice from,
				    char **xml, struct error *err)
{
	char name[256];
	enum wire_result result = WIRE_OK;

	text_copy_slice(name, sizeof(name), from);
	virDomainPtr domain = virDomainLookupByName(conn, name);
	if (!domain && virt_error_is(VIR_ERR_NO_DOMAIN)) {
		error_set(err, "there is no domain %s on this host; define it there, or correct from = \"%s\"",
			  name, name);
		return WIRE_FAILED;
	}
	if (!domain)
		return virt_error(err, "cannot look for the domain to clone");
	int active = virDomainIsActive(domain);
	if (active < 0) {
		result = virt_error(err, "cannot see whether the domain runs");
	} else if (active) {
		error_set(err, "domain %s runs: machines are made from a domain at rest; shut it off: virsh shutdown %s",
			  name, name);
		result = WIRE_FAILED;
	} else {
		*xml = virDomainGetXMLDesc(domain, VIR_DOMAIN_XML_INACTIVE);
		if (!*xml)
			result = virt_error(err, "cannot read the domain to clone");
	}
	virDomainFree(domain);
	return result;
}

static enum wire_result read_source(struct storage *st, struct slice from,
				    struct slice image, char **xml,
				    struct clone_source *source,
				    struct error *err)
{
	char name[256];

	*source = (struct clone_source){ 0 };
	if (!from.length) {
		source->disk_count = 1;
		text_copy_slice(source->disks[0].path,
				sizeof(source->disks[0].path), image);
	} else {
		enum wire_result result = read_domain(st->conn, from, xml, err);

		if (result != WIRE_OK)
			return result;
		if (clone_read(*xml, source, err) < 0) {
			text_copy_slice(name, sizeof(name), from);
			error_wrap(err, "domain %s cannot be cloned", name);
			return WIRE_FAILED;
		}
	}
	for (int i = 0; i < source->disk_count; i++) {
		struct storage_file *disk = &source->disks[i];
		char said[STORAGE_FORMAT_MAX];

		/* What the domain says a disk is counts, not what it looks like. */
		TEXT_SET(said, disk->format);
		enum wire_result result = storage_look(st, disk, err);
		if (said[0])
			TEXT_SET(disk->format, said);
		if (result != WIRE_OK)
			return result;
	}
	return WIRE_OK;
}

void clone_tell_made(struct job *job, uint64_t machine,
		     const struct storage_volume *v)
{
	struct message m = {
		.type = WIRE_TYPE_volume_made,
		.incarnation = job->m.incarnation,
		.volume_made = { .machine = machine,
				 .name = slice_of(v->name),
				 .key = slice_of(v->key), .inode = v->inode },
	};

	answer_send(job->role, &m);
}

bool clone_next_name(struct slice *list, char out[STORAGE_NAME_MAX])
{
	const char *comma = list->length ?
		memchr(list->ptr, ',', list->length) : NULL;
	uint32_t n = comma ? (uint32_t)(comma - list->ptr) : list->length;

	if (!n || !text_copy_slice(out, STORAGE_NAME_MAX,
				   (struct slice){ list->ptr, n }))
		return false;
	list->ptr += n + (comma != NULL);
	list->length -= n + (comma != NULL);
	return true;
}

static enum wire_result make_disks(struct job *job, struct storage *st,
				   const struct clone_source *source,
				   struct domain_spec *spec, struct error *err)
{
	const struct wire_domain_create *c = &job->m.domain_create;
	struct slice names = c->disks;
	struct storage_volume v;
	char name[STORAGE_NAME_MAX];

	for (int i = 0; i < source->disk_count; i++) {
		uint64_t bytes = i == 0 ? c->disk_mib << 20 : 0;

		if (!clone_next_name(&names, name)) {
			error_set(err, "what machines are made from has changed; trying again");
			return WIRE_FAILED;
		}
		enum wire_result result = c->copy ?
			storage_copy(st, name, "qcow2", &source->disks[i],
				     bytes, &v, err) :
			storage_overlay(st, name, &source->disks[i], bytes, &v,
					err);
		if (result != WIRE_OK)
			return result;
		clone_tell_made(job, job->m.domain_create.machine, &v);
		TEXT_SET(spec->disks[spec->disk_count++], v.key);
	}
	if (!source->nvram[0])
		return WIRE_OK;
	struct storage_file variables = { .format = "raw" };
	TEXT_SET(variables.path, source->nvram);
	if (!text_copy_slice(name, sizeof(name), c->nvram) || !name[0]) {
		error_set(err, "what machines are made from has changed; trying again");
		return WIRE_FAILED;
	}
	enum wire_result result = storage_copy(st, name, "raw", &variables, 0,
					       &v, err);
	if (result == WIRE_OK) {
		clone_tell_made(job, job->m.domain_create.machine, &v);
		TEXT_SET(spec->nvram, v.key);
	}
	return result;
}

static enum wire_result make_seed(struct job *job, struct storage *st,
				  struct domain_spec *spec, struct error *err)
{
	const struct wire_domain_create *c = &job->m.domain_create;
	char name[STORAGE_NAME_MAX];
	struct storage_volume v;
	size_t length = 0;

	if (!c->seed.length)
		return WIRE_OK;
	text_copy_slice(name, sizeof(name), c->seed);
	char *bytes = seed_build(c->user_data, c->meta_data, c->network_config,
				 &length, err);
	if (!bytes)
		return WIRE_FAILED;
	enum wire_result result =
		storage_bytes(st, name, (struct slice){ bytes, (uint32_t)length },
			      &v, err);
	free(bytes);
	if (result != WIRE_OK)
		return result;
	clone_tell_made(job, job->m.domain_create.machine, &v);
	TEXT_SET(spec->seed, v.key);
	return WIRE_OK;
}

enum wire_result clone_make(struct job *job, virConnectPtr conn,
			    const struct host_facts *facts,
			    struct domain_spec *spec, struct error *err)
{
	const struct wire_domain_create *c = &job->m.domain_create;
	struct clone_source source;
	struct storage st;
	char *xml = NULL;
	enum wire_result result = storage_open(&st, conn, facts,
					       &job->role->host.site, err);

	if (result != WIRE_OK)
		return result;
	result = read_source(&st, c->from, c->image, &xml, &source, err);
	if (result == WIRE_OK)
		result = make_disks(job, &st, &source, spec, err);
	if (result == WIRE_OK)
		result = make_seed(job, &st, spec, err);
	if (xml) {
		spec->template = slice_of(xml);
		spec->cloned = xml;
	}
	storage_close(&st);
	return result;
}

void clone_free(struct domain_spec *spec)
{
	free(spec->cloned);
	spec->cloned = NULL;
}

/* One stamp for all files, short and of fixed length. */
static bool make_stamp(const struct clone_source *source,
		       char out[STORAGE_STAMP_MAX])
{
	char all[CLONE_DISKS_MAX * (STORAGE_KEY_MAX + STORAGE_STAMP_MAX)] = "";
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned int length = 0;
	size_t used = 0;

	for (int i = 0; i < source->disk_count; i++)
		used += (size_t)snprintf(all + used, sizeof(all) - used, "%s %s\n",
					 source->disks[i].path,
					 source->disks[i].stamp);
	if (!EVP_Digest(all, used, digest, &length, EVP_sha256(), NULL))
		return false;
	for (int i = 0; i < 16; i++)
		snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return true;
}

enum job_next clone_look(struct job *job)
{
	const struct wire_base_look *look = &job->m.base_look;
	struct error err = { "" };
	struct host_facts facts;
	struct clone_source source = { 0 };
	struct storage st;
	char stamp[STORAGE_STAMP_MAX], *xml = NULL;
	virConnectPtr conn = host_take(job, &facts, &err);

	if (!conn)
		return answer(job, WIRE_FAILED, err.text);
	enum wire_result result = storage_open(&st, conn, &facts,
					       &job->role->host.site, &err);
	if (result == WIRE_OK) {
		result = read_source(&st, look->from, look->image, &xml,
				     &source, &err);
		storage_close(&st);
	}
	free(xml);
	virConnectClose(conn);
	if (result == WIRE_OK && !make_stamp(&source, stamp)) {
		error_set(&err, "SHA-256 failed");
		result = WIRE_FAILED;
	}
	if (result != WIRE_OK)
		return answer(job, result, err.text);
	struct message done = {
		.type = WIRE_TYPE_call_done,
		.request = job->m.request,
		.call_done = { .result = WIRE_OK,
			       .code = source.disk_count |
				       (source.nvram[0] ? WIRE_BASE_NVRAM : 0),
			       .out = slice_of(stamp) },
	};
	return answer_message(job, &done);
}
