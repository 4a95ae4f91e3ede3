/* See seed.h.  libisofs keeps global state: one image at a time. */
#include "engine/hypervisor/seed.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
/* The source of bytes is described there, and libburn is not needed. */
#define LIBISOFS_WITHOUT_LIBBURN
#include <libisofs/libisofs.h>

#include "engine/base/error.h"

enum { SEED_MAX = 4 << 20 };

static int add_file(IsoImage *image, const char *name, struct slice bytes)
{
	IsoStream *stream = NULL;
	IsoFile *file = NULL;
	/* The stream frees it. */
	unsigned char *copy = malloc(bytes.length ? bytes.length : 1);

	if (!copy)
		return ISO_OUT_OF_MEM;
	memcpy(copy, bytes.ptr ? bytes.ptr : "", bytes.length);
	int rc = iso_memory_stream_new(copy, bytes.length, &stream);
	if (rc < 0) {
		free(copy);
		return rc;
	}
	rc = iso_tree_add_new_file(iso_image_get_root(image), name, stream,
				   &file);
	if (rc < 0)
		iso_stream_unref(stream);
	return rc;
}

/* All the source gives; NULL when it breaks off. */
static char *read_all(struct burn_source *source, size_t *length)
{
	char *bytes = NULL;
	size_t used = 0, size = 0;

	for (;;) {
		if (used + 2048 > size) {
			char *grown = realloc(bytes, size += 256 * 1024);

			if (!grown || size > SEED_MAX) {
				free(grown ? grown : bytes);
				return NULL;
			}
			bytes = grown;
		}
		int n = source->read_xt(source, (unsigned char *)bytes + used,
					2048);
		if (n < 0) {
			free(bytes);
			return NULL;
		}
		if (n == 0)
			break;
		used += (size_t)n;
	}
	*length = used;
	return bytes;
}

static int write_image(IsoImage *image, char **bytes, size_t *length)
{
	IsoWriteOpts *opts = NULL;
	struct burn_source *source = NULL;
	int rc = iso_write_opts_new(&opts, 0);

	if (rc < 0)
		return rc;
	iso_write_opts_set_iso_level(opts, 3);
	iso_write_opts_set_rockridge(opts, 1);
	iso_write_opts_set_joliet(opts, 1);
	rc = iso_image_create_burn_source(image, opts, &source);
	iso_write_opts_free(opts);
	if (rc < 0)
		return rc;
	*bytes = read_all(source, length);
	if (!*bytes)
		source->cancel(source);
	source->free_data(source);
	free(source);
	return *bytes ? 1 : ISO_OUT_OF_MEM;
}

char *seed_build(struct slice user_data, struct slice meta_data,
		 struct slice network_config, size_t *length, struct error *err)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	IsoImage *image = NULL;
	char *bytes = NULL;
	char never[] = "NEVER";

	pthread_mutex_lock(&lock);
	int rc = iso_init();
	if (rc >= 0) {
		iso_set_msgs_severities(never, never, never);
		rc = iso_image_new("cidata", &image);
	}
	if (rc >= 0)
		rc = add_file(image, "user-data", user_data);
	if (rc >= 0)
		rc = add_file(image, "meta-data", meta_data);
	if (rc >= 0 && network_config.length)
		rc = add_file(image, "network-config", network_config);
	if (rc >= 0)
		rc = write_image(image, &bytes, length);
	if (image)
		iso_image_unref(image);
	iso_finish();
	pthread_mutex_unlock(&lock);
	if (rc < 0)
		error_set(err, "cloud-init data: %s", iso_error_to_msg(rc));
	return bytes;
}
