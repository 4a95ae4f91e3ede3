/*
 * The hypervisor role against libvirt's test driver (no QEMU, no root): create,
 * destroy, poll, ownership, fencing, bad input, probes, the end of the role.
 */
#include "tests/unit/hypervisor_peer.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#define UUID_A "11111111-1111-4111-8111-111111111111"
#define UUID_B "22222222-2222-4222-8222-222222222222"
/* The test driver's own domain. */
#define UUID_FOREIGN "6695eb01-f6a4-8304-79aa-97f2502e193f"

static struct message create_message(const char *name, const char *uuid,
				     uint64_t machine, uint64_t incarnation)
{
	return (struct message){
		.type = WIRE_TYPE_domain_create,
		.incarnation = incarnation,
		.domain_create = { .machine = machine, .name = slice_of(name),
				   .uuid = slice_of(uuid), .vcpus = 1,
				   .memory_mib = 64 },
	};
}

static void expect_destroyed(struct peer *p, struct message *m,
			     uint32_t evidence, const char *what)
{
	struct peer_done *d = peer_call(p, m, 5000);

	ok(d->result == WIRE_OK && d->evidence == evidence, "%s", what);
	free(d);
}

static struct message destroy_message(const char *uuid, uint64_t incarnation)
{
	return (struct message){
		.type = WIRE_TYPE_domain_destroy,
		.incarnation = incarnation,
		.domain_destroy = { .machine = 1, .name = SLICE("x"),
				    .uuid = slice_of(uuid) },
	};
}

static void expect_refusal(struct peer *p, struct message m, const char *words,
			   const char *what)
{
	struct peer_done *d = peer_call(p, &m, 5000);

	is_int(d->result, WIRE_FAILED, "%s: refused", what);
	ok(strstr(d->text, words) != NULL, "%s: says \"%s\" (%s)", what, words,
	   d->text);
	free(d);
}

static void test_before_open(struct peer *p)
{
	struct message m = create_message("mail-01", UUID_A, 7, 3);

	while (!p->ready && peer_pump(p, peer_now_us() + 5000000))
		;
	is_int(p->ready, 1, "role_ready comes first");
	expect_refusal(p, m, "not named a host", "a call before host_open");
	struct message bad = { .type = WIRE_TYPE_host_open,
			       .host_open = { SLICE("test:///default"),
					      SLICE("lab"), SLICE("short") } };
	expect_refusal(p, bad, "site key", "a short key");
}

static void test_open(struct peer *p)
{
	struct peer_done *d = peer_open_host(p, "test:///default", 10000);

	is_int(d->result, WIRE_OK, "test:///default opens");
	free(d);
	ok(p->states == 1 && p->state.up, "host_state says up");
	ok(strncmp(p->version, "libvirt ", 8) == 0 && strstr(p->version, " test "),
	   "version names both: %s", p->version);
	ok(p->state.cpus > 0 && p->state.memory_mib > 0, "and its size");
	is_int(p->state.kvm, 0, "the test driver has no KVM");
	d = peer_open_host(p, "test:///default", 5000);
	is_int(d->result, WIRE_FAILED, "a second host_open is refused");
	free(d);
}

static void test_foreign(struct peer *p)
{
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	const struct peer_seen *s = peer_find(p, "test");
	ok(s && s->owner == WIRE_OWNER_FOREIGN && s->machine == 0,
	   "the driver's own domain is seen as foreign");
	expect_refusal(p, destroy_message(UUID_FOREIGN, 1), "not ours",
		       "destroy of a foreign domain");
	expect_refusal(p, create_message("test", UUID_A, 7, 3),
		       "that Remuda did not create", "create under a foreign name");
	expect_refusal(p, create_message("mail-01", UUID_FOREIGN, 7, 3),
		       "that Remuda did not create", "create with a foreign uuid");
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	s = peer_find(p, "test");
	ok(s && s->state == WIRE_DOMAIN_RUNNING, "it is untouched");
	is_int(p->seen_count, 1, "and nothing else came to be");
}

static void test_life(struct peer *p)
{
	struct message create = create_message("mail-01", UUID_A, 7, 3);
	int hints = p->hint_count;

	is_int(peer_result(p, &create, 5000), WIRE_OK, "create");
	ok(peer_wait_hint(p, hints, UUID_A, WIRE_HINT_STARTED, 5000),
	   "a hint tells its start");
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	const struct peer_seen *s = peer_find(p, "mail-01");
	ok(s && s->owner == WIRE_OWNER_OURS && s->machine == 7 &&
	   s->incarnation == 3 && strcmp(s->uuid, UUID_A) == 0 &&
	   s->state == WIRE_DOMAIN_RUNNING && s->poll == p->requests,
	   "poll shows machine, incarnation, uuid and state");
	is_int(peer_result(p, &create, 5000), WIRE_OK,
	       "creating it again is done already");
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	is_int(p->seen_count, 2, "there is no twin");
	expect_refusal(p, create_message("mail-01", UUID_A, 7, 4), "stale",
		       "create with a newer incarnation while the old one runs");
	expect_refusal(p, create_message("mail-01", UUID_B, 7, 3), "stale",
		       "create under its name with another uuid");
	expect_refusal(p, destroy_message(UUID_A, 2), "stale",
		       "destroy for an older incarnation");
	struct message destroy = destroy_message(UUID_A, 3);
	hints = p->hint_count;
	expect_destroyed(p, &destroy, 0, "destroy");
	ok(peer_wait_hint(p, hints, UUID_A, WIRE_HINT_STOPPED, 5000),
	   "a hint tells its end");
	expect_destroyed(p, &destroy, WIRE_WAS_OVER,
			 "destroy again is done, and says that it was over");
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	is_int(p->seen_count, 1, "it is gone");
}

static void test_bad_input(struct peer *p)
{
	struct message m = create_message("Mail/01", UUID_A, 7, 3);

	expect_refusal(p, m, "name", "a bad name");
	expect_refusal(p, create_message("mail-01", "nonsense", 7, 3), "uuid",
		       "a bad uuid");
	expect_refusal(p, destroy_message("../../etc", 3), "uuid",
		       "destroy of a bad uuid");
	m = create_message("mail-01", UUID_A, 7, 3);
	m.domain_create.template = SLICE("<domain><name>x</domain>");
	expect_refusal(p, m, "line 1", "a broken template");
	m.domain_create.template =
		SLICE("<!DOCTYPE d [<!ENTITY e 'x'>]><domain>&e;</domain>");
	expect_refusal(p, m, "DOCTYPE", "a template with a document type");
	m.domain_create.template = SLICE("<network/>");
	expect_refusal(p, m, "<domain>", "a template that is no domain");
	m = create_message("mail-01", UUID_A, 7, 3);
	m.domain_create.channels = SLICE("ok,not ok");
	expect_refusal(p, m, "channel", "a bad channel name");
	m = create_message("mail-01", UUID_A, 7, 3);
	m.domain_create.cmdline = SLICE("a\x01""b");
	expect_refusal(p, m, "XML cannot carry", "a control character");
	m = create_message("mail-01", UUID_A, 7, 3);
	m.domain_create.vcpus = 0;
	expect_refusal(p, m, "vcpus", "no processor");
	struct message ping = { .type = WIRE_TYPE_agent_ping,
				.agent_ping = { 7, SLICE(UUID_FOREIGN) } };
	expect_refusal(p, ping, "not ours", "an agent call to a foreign domain");
	ping.agent_ping.uuid = SLICE(UUID_B);
	expect_refusal(p, ping, "not running", "an agent call to no domain");
	struct message channel = { .type = WIRE_TYPE_channel_open,
				   .channel_open = { 7, SLICE(UUID_FOREIGN),
						     SLICE("x") } };
	expect_refusal(p, channel, "not ours", "a channel of a foreign domain");
}

static int listener(char address[32])
{
	struct sockaddr_in in = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t size = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&in, size) < 0 ||
	    listen(fd, 1) < 0 ||
	    getsockname(fd, (struct sockaddr *)&in, &size) < 0)
		tap_bail("listen: %s", strerror(errno));
	snprintf(address, 32, "127.0.0.1:%d", ntohs(in.sin_port));
	return fd;
}

static void test_probe(struct peer *p)
{
	char address[32];
	int fd = listener(address);
	struct message m = { .type = WIRE_TYPE_tcp_probe,
			     .tcp_probe = { 7, slice_of(address), 2000 } };

	is_int(peer_result(p, &m, 5000), WIRE_OK, "probe of a listening port");
	/* A full queue answers no more: the next probe finds silence. */
	m.tcp_probe.timeout_ms = 150;
	int result = WIRE_OK;
	struct peer_done *d = NULL;
	for (int i = 0; i < 8 && result == WIRE_OK; i++) {
		free(d);
		d = peer_call(p, &m, 5000);
		result = d->result;
	}
	ok(result == WIRE_FAILED && strstr(d->text, "no answer within 150 ms"),
	   "probe without an answer ends in time: %s", d->text);
	free(d);
	close(fd);
	m.tcp_probe.timeout_ms = 2000;
	expect_refusal(p, m, "refused", "probe of a closed port");
	m.tcp_probe.address = SLICE("localhost:80");
	expect_refusal(p, m, "ip:port", "probe of a name");
	m.tcp_probe.address = SLICE("[::1]:1");
	struct peer_done *six = peer_call(p, &m, 5000);
	ok(six->result == WIRE_FAILED && !strstr(six->text, "ip:port"),
	   "an IPv6 address is understood (%s)", six->text);
	free(six);
}

static void test_many(struct peer *p)
{
	enum { COUNT = 200 };
	uint64_t requests[COUNT];
	char names[COUNT][32], uuids[COUNT][40];
	int good = 0;

	int64_t start = peer_now_us();
	is_int(peer_poll(p, 5000), WIRE_OK, "poll");
	tap_note("poll of 1 domain: %lld us", (long long)(peer_now_us() - start));
	start = peer_now_us();
	for (int i = 0; i < COUNT; i++) {
		snprintf(names[i], sizeof(names[i]), "many-%03d", i);
		snprintf(uuids[i], sizeof(uuids[i]),
			 "33333333-3333-4333-8333-%012d", i);
		struct message m = create_message(names[i], uuids[i],
						  (uint64_t)i + 100, 1);
		requests[i] = peer_send(p, &m);
		if (i % 16 != 15 && i != COUNT - 1)
			continue;
		for (int k = i - i % 16; k <= i; k++) {
			struct peer_done *d = peer_wait(p, requests[k], 20000);

			good += d->result == WIRE_OK;
			free(d);
		}
	}
	is_int(good, COUNT, "200 machines are made");
	tap_note("200 creates: %lld us", (long long)(peer_now_us() - start));
	for (int round = 0; round < 2; round++) {
		int ours = 0;

		start = peer_now_us();
		is_int(peer_poll(p, 20000), WIRE_OK, "poll of 201");
		tap_note("poll of 201 domains: %lld us",
			 (long long)(peer_now_us() - start));
		for (int i = 0; i < p->seen_count; i++)
			ours += p->seen[i].owner == WIRE_OWNER_OURS &&
				p->seen[i].incarnation == 1;
		is_int(ours, COUNT, "all are seen as ours");
	}
}

static void test_bad_host(void)
{
	struct peer p;

	peer_start(&p);
	struct peer_done *d = peer_open_host(&p, "test:///no/such/file", 10000);
	is_int(d->result, WIRE_FAILED, "a host that is not there");
	ok(strstr(d->text, "/no/such/file") != NULL, "is named: %s", d->text);
	free(d);
	ok(p.states == 1 && !p.state.up && p.text[0], "host_state says down and why");
	struct message m = create_message("mail-01", UUID_A, 7, 3);
	expect_refusal(&p, m, "/no/such/file", "a call to it");
	is_int(peer_stop(&p), 0, "the role ends with its engine");
}

int main(void)
{
	struct peer p;

	peer_start(&p);
	test_before_open(&p);
	test_open(&p);
	test_foreign(&p);
	test_life(&p);
	test_bad_input(&p);
	test_probe(&p);
	test_many(&p);
	is_int(peer_stop(&p), 0, "the role ends with its engine, cleanly");
	test_bad_host();
	return tap_done();
}
