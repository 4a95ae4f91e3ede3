/*
 * Connections in turn; see spread.h.  A program in the kernel counts them and
 * answers which socket of the group is next.
 *
 * Only a SYN counts.  The kernel asks for other packets too, when they belong to
 * no connection any more: were there one for each connection, and two sockets,
 * all connections would go to the same.
 */
#include "engine/base/spread.h"

#include <linux/bpf.h>
#include <linux/filter.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TCP_FLAGS_AT = 13, TCP_SYN = 2, IPV6_HEADER = 40, KEY_AT = -4 };

/* Instructions; see Documentation/bpf/standardization/instruction-set.rst. */
#define OP(op, dst, src, jump, value) \
	{ .code = (op), .dst_reg = (dst), .src_reg = (src), .off = (jump), \
	  .imm = (value) }
#define MOVE(dst, src)		OP(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define SET(dst, value)		OP(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value)
#define CALC(what, dst, value)	OP(BPF_ALU64 | (what) | BPF_K, dst, 0, 0, value)
#define SKIP(n, test, dst, value) \
	OP(BPF_JMP | (test) | BPF_K, dst, 0, n, value)
#define PACKET_BYTE(at)		OP(BPF_LD | BPF_ABS | BPF_B, 0, 0, 0, at)
#define PACKET_BYTE_AFTER(src, at) \
	OP(BPF_LD | BPF_IND | BPF_B, 0, src, 0, at)
#define MAP(dst, fd) \
	OP(BPF_LD | BPF_IMM | BPF_DW, dst, BPF_PSEUDO_MAP_FD, 0, fd), \
	OP(0, 0, 0, 0, 0)
#define CALL(function)		OP(BPF_JMP | BPF_CALL, 0, 0, 0, function)
#define EXIT			OP(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

enum { R0, R1, R2, R6 = 6, R7, FRAME = 10 };

static int bpf(enum bpf_cmd cmd, union bpf_attr *a)
{
	return (int)syscall(SYS_bpf, cmd, a, sizeof(*a));
}

static int make_counter(void)
{
	union bpf_attr a = { .map_type = BPF_MAP_TYPE_ARRAY, .max_entries = 1,
			     .key_size = sizeof(uint32_t),
			     .value_size = sizeof(uint32_t) };

	return bpf(BPF_MAP_CREATE, &a);
}

static int load_program(int counter, uint32_t sockets)
{
	const struct bpf_insn program[] = {
		MOVE(R6, R1),			/* where PACKET_* look for it */
		/* r7 = the length of the IP header */
		PACKET_BYTE(SKF_NET_OFF),
		MOVE(R7, R0),
		CALC(BPF_AND, R7, 15),
		CALC(BPF_LSH, R7, 2),
		CALC(BPF_RSH, R0, 4),
		SKIP(1, BPF_JNE, R0, 6),
		SET(R7, IPV6_HEADER),
		/* no SYN: no socket has that number, the hash is asked */
		PACKET_BYTE_AFTER(R7, SKF_NET_OFF + TCP_FLAGS_AT),
		SKIP(2, BPF_JSET, R0, TCP_SYN),
		SET(R0, -1),
		EXIT,
		/* r0 = the counter's address */
		OP(BPF_ST | BPF_MEM | BPF_W, FRAME, 0, KEY_AT, 0),
		MAP(R1, counter),
		MOVE(R2, FRAME),
		CALC(BPF_ADD, R2, KEY_AT),
		CALL(BPF_FUNC_map_lookup_elem),
		SKIP(1, BPF_JNE, R0, 0),
		EXIT,				/* cannot be; the kernel wants it */
		/* r1 = the counter, then one more is in it */
		OP(BPF_LDX | BPF_MEM | BPF_W, R1, R0, 0, 0),
		SET(R2, 1),
		OP(BPF_STX | BPF_ATOMIC | BPF_W, R0, R2, 0, BPF_ADD),
		MOVE(R0, R1),
		CALC(BPF_MOD, R0, (int32_t)sockets),
		EXIT,
	};
	union bpf_attr a = { .prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
			     .insns = (uintptr_t)program,
			     .insn_cnt = sizeof(program) / sizeof(*program),
			     .license = (uintptr_t)"" };

	return bpf(BPF_PROG_LOAD, &a);
}

int spread_in_turn(int fd, uint32_t sockets, struct error *err)
{
	int counter = make_counter(), program = -1, rc = 0;

	if (counter < 0)
		return error_errno(err, "bpf: counter");
	program = load_program(counter, sockets);
	if (program < 0)
		rc = error_errno(err, "bpf: program");
	else if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &program,
			    sizeof(program)) < 0)
		rc = error_errno(err, "SO_ATTACH_REUSEPORT_EBPF");
	/* The socket keeps the program, and that the counter. */
	if (program >= 0)
		close(program);
	close(counter);
	return rc;
}
