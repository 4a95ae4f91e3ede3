/*
 * Checks on what goes into and comes out of domain XML; see domain_xml.h.
 * Every text is checked here once, so that the builder only has to write.
 */
#include <inttypes.h>
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/domain_xml.h"
#include "engine/hypervisor/xml.h"
#include "engine/wire/message.h"

bool domain_is_uuid(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		bool dash = n == 8 || n == 13 || n == 18 || n == 23;
		bool hex = (text[n] >= '0' && text[n] <= '9') ||
			   (text[n] >= 'a' && text[n] <= 'f');

		if (dash ? text[n] != '-' : !hex)
			return false;
	}
	return n == 36;
}

bool domain_is_port_name(const char *text)
{
	size_t n = 0;

	for (; text[n]; n++) {
		char c = text[n];
		bool word = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9');

		if (!word && (n == 0 || !strchr("._-", c)))
			return false;
	}
	return n > 0 && n < DOMAIN_CHANNEL_NAME_MAX;
}

static int read_text(char *out, size_t size, struct slice s, const char *what,
		     struct error *err)
{
	if (!text_copy_slice(out, size, s))
		return error_set(err, "%s is longer than %zu bytes", what,
				 size - 1);
	if (!xml_text_ok(slice_of(out)))
		return error_set(err, "%s has characters that XML cannot carry",
				 what);
	return 0;
}

static int read_path(char out[DOMAIN_PATH_MAX], struct slice s,
		     const char *what, struct error *err)
{
	if (read_text(out, DOMAIN_PATH_MAX, s, what, err) < 0)
		return -1;
	if (out[0] && out[0] != '/')
		return error_set(err, "%s \"%.100s\" is not an absolute path",
				 what, out);
	return 0;
}

int domain_spec_add_channel(struct domain_spec *spec, struct slice name,
			    struct error *err)
{
	/* One place is the agent's. */
	if (spec->channel_count == DOMAIN_CHANNELS_MAX - 1)
		return error_set(err, "more than %d channels",
				 DOMAIN_CHANNELS_MAX - 1);
	if (!text_copy_slice(spec->channels[spec->channel_count],
			     DOMAIN_CHANNEL_NAME_MAX, name) ||
	    !domain_is_port_name(spec->channels[spec->channel_count]))
		return error_set(err, "a channel's name must be letters, digits, "
				 "dots and dashes, at most %d bytes",
				 DOMAIN_CHANNEL_NAME_MAX - 1);
	spec->channel_count++;
	return 0;
}

static int read_channels(struct domain_spec *spec, struct slice list,
			 struct error *err)
{
	const char *at = list.ptr, *end = list.ptr + list.length;

	while (at < end) {
		const char *comma = memchr(at, ',', (size_t)(end - at));
		struct slice one = { at, (uint32_t)((comma ? comma : end) - at) };

		if (domain_spec_add_channel(spec, one, err) < 0)
			return -1;
		at = comma ? comma + 1 : end;
	}
	return 0;
}

static int check_size(const struct domain_spec *spec, struct error *err)
{
	bool template = spec->template.length > 0 || spec->unsized;

	if (spec->vcpus > DOMAIN_VCPUS_MAX || (!spec->vcpus && !template))
		return error_set(err, "a machine needs 1 to %d vcpus, not %u",
				 DOMAIN_VCPUS_MAX, spec->vcpus);
	if (spec->memory_mib > 1 << 24 || (!spec->memory_mib && !template))
		return error_set(err, "a machine needs 1 MiB to 16 TiB of memory");
	if (spec->max_vcpus > DOMAIN_VCPUS_MAX || spec->max_vcpus < spec->vcpus ||
	    (spec->max_vcpus && !spec->vcpus))
		return error_set(err, "%u vcpus cannot grow to %u", spec->vcpus,
				 spec->max_vcpus);
	if (spec->max_memory_mib > 1 << 24 ||
	    spec->max_memory_mib < spec->memory_mib ||
	    (spec->max_memory_mib && !spec->memory_mib))
		return error_set(err, "%" PRIu64 " MiB of memory cannot grow to %" PRIu64,
				 spec->memory_mib, spec->max_memory_mib);
	if (!template && spec->kind == HOST_QEMU && !spec->kernel[0] &&
	    !spec->sourced)
		return error_set(err, "a machine needs a template or a kernel to boot");
	if (spec->initrd[0] && !spec->kernel[0])
		return error_set(err, "an initrd needs a kernel");
	return 0;
}

int domain_spec_read(struct domain_spec *spec, const struct wire_domain_create *c,
		     uint64_t incarnation, struct error *err)
{
	if (!text_copy_slice(spec->name, sizeof(spec->name), c->name) ||
	    !text_is_name(spec->name))
		return error_set(err, "a machine's name must be small letters, "
				 "digits and dashes, at most 63 bytes");
	if (!text_copy_slice(spec->mark.uuid, sizeof(spec->mark.uuid), c->uuid) ||
	    !domain_is_uuid(spec->mark.uuid))
		return error_set(err, "machine %s: not a uuid in small letters",
				 spec->name);
	spec->mark.incarnation = incarnation;
	spec->mark.machine = c->machine;
	spec->vcpus = c->vcpus;
	spec->memory_mib = c->memory_mib;
	spec->max_vcpus = c->max_vcpus ? c->max_vcpus : c->vcpus;
	spec->max_memory_mib = c->max_memory_mib ? c->max_memory_mib :
						   c->memory_mib;
	spec->template = c->template;
	spec->sourced = c->from.length || c->image.length;
	spec->unsized = c->from.length > 0;
	if (read_path(spec->kernel, c->kernel, "kernel", err) < 0 ||
	    read_path(spec->initrd, c->initrd, "initrd", err) < 0 ||
	    read_text(spec->cmdline, sizeof(spec->cmdline), c->cmdline,
		      "kernel command line", err) < 0 ||
	    read_path(spec->volume, c->volume, "volume", err) < 0 ||
	    read_channels(spec, c->channels, err) < 0 ||
	    check_size(spec, err) < 0)
		return error_wrap(err, "machine %s", spec->name);
	return 0;
}

static bool read_port(xmlNodePtr channel, struct domain_port *port)
{
	char mode[16];
	xmlNodePtr source = xml_child(channel, "source");

	return xml_get_attribute(source, "mode", mode, sizeof(mode)) &&
	       strcmp(mode, "bind") == 0 &&
	       xml_get_attribute(source, "path", port->path,
				 sizeof(port->path)) &&
	       xml_get_attribute(xml_child(channel, "target"), "name",
				 port->name, sizeof(port->name));
}

int domain_xml_read_ports(const char *xml,
			  struct domain_port ports[DOMAIN_CHANNELS_MAX],
			  struct error *err)
{
	xmlDocPtr doc = xml_parse(slice_of(xml), err);
	int count = 0;

	if (!doc)
		return -1;
	xmlNodePtr devices = xml_path(xmlDocGetRootElement(doc), "devices");
	for (xmlNodePtr c = xml_child(devices, "channel");
	     c && count < DOMAIN_CHANNELS_MAX; c = xml_next(c, "channel")) {
		char name[DOMAIN_CHANNEL_NAME_MAX];

		/* The agent's port belongs to libvirt. */
		if (xml_get_attribute(xml_child(c, "target"), "name", name,
				      sizeof(name)) &&
		    strcmp(name, DOMAIN_AGENT_PORT) != 0)
			count += read_port(c, &ports[count]);
	}
	xmlFreeDoc(doc);
	return count;
}
