/* The direct door: a port is an application; not a byte is read before the
 * machine has accepted, and closing is the only answer. */
#include "engine/gateway/door.h"

const struct door door_direct = {
	.name = "direct",
	.wait = door_wait,
};
