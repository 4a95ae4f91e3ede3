/* Replies of the guest agent; the first byte says which one is read. */
#include <string.h>

#include "engine/base/error.h"
#include "engine/hypervisor/agent_json.h"
#include "tests/fuzz/fuzz.h"

static void read_status(const char *reply, struct error *err)
{
	static struct agent_status status;

	memset(&status, 0, sizeof(status));
	if (agent_read_status(reply, &status, err) < 0) {
		FUZZ_CHECK(err->text[0]);
		return;
	}
	FUZZ_CHECK(status.out_length <= sizeof(status.out));
	FUZZ_CHECK(status.errout_length <= sizeof(status.errout));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct error err = { "" };
	int64_t number;

	if (length < 1)
		return 0;
	char *reply = malloc(length);
	FUZZ_CHECK(reply);
	memcpy(reply, bytes + 1, length - 1);
	reply[length - 1] = '\0';
	switch (bytes[0] & 3) {
	case 0:
		if (agent_read_pid(reply, &number, &err) == 0)
			FUZZ_CHECK(number > 0);
		break;
	case 1:
		agent_read_handle(reply, &number, &err);
		break;
	case 2:
		if (agent_read_count(reply, &number, &err) == 0)
			FUZZ_CHECK(number >= 0);
		break;
	case 3:
		read_status(reply, &err);
		break;
	}
	free(reply);
	return 0;
}
