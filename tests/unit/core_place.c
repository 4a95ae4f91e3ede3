/*
 * Pools that may be in several places, when those are full: what waits for room
 * begins when another pool, or a host that answers again, gives some.
 */
#include "tests/unit/core_lab.h"

enum { MIB = 128 };

/* Pools "mail" and "news" of one application, wherever there is room. */
struct place {
	struct lab lab;
	struct site_pool news;
	bool two_hosts;
};

static void apply(struct place *p)
{
	struct site_spec site = lab_site(&p->lab);
	struct site_host hosts[2] = { site.hosts[0], site.hosts[0] };
	struct site_pool pools[2] = { site.pools[0], p->news };

	TEXT_SET(hosts[1].name, "h2");
	free(site.hosts);
	free(site.pools);
	hosts[0].memory_mib = 2 * MIB;
	site.hosts = lab_one(hosts, sizeof(hosts));
	site.host_count = p->two_hosts ? 2 : 1;
	site.pools = lab_one(pools, sizeof(pools));
	site.pool_count = 2;
	lab_step(&p->lab, (struct event){ .kind = EVENT_SITE, .site.spec = &site });
}

static void host_says(struct place *p, const char *host, bool up)
{
	lab_step(&p->lab, (struct event){ .kind = EVENT_HOST_STATE,
					  .host = { .host = slice_of(host), .up = up } });
}

static void open_place(struct place *p, uint32_t mail, uint32_t news)
{
	struct site_pool *pool = &p->lab.pool;

	lab_defaults(&p->lab);
	p->lab.app.agent = false;
	pool->placement.hosts.all = true;
	pool->vcpus = 1;
	pool->memory_mib = MIB;
	pool->max = 4;
	p->news = *pool;
	TEXT_SET(p->news.name, "news");
	if (p->two_hosts)
		pool->placement.hosts.all = false;	/* mail is on "h" */
	pool->serve = mail;
	p->news.serve = news;
	world_init(&p->lab.w, 0x1234, 1);
	effects_init(&p->lab.fx);
	apply(p);
	host_says(p, "h", true);
	lab_gateway(&p->lab, 0, true);
	lab_answer(&p->lab, EFFECT_HOST_POLL, CALL_OK);
}

static void serve(struct place *p, const char *pool, int64_t serve)
{
	lab_end_turn(&p->lab);
	lab_step(&p->lab, (struct event){ .kind = EVENT_COMMAND,
					  .command = { .verb = COMMAND_POOL_SCALE,
						       .reply = 1, .name = slice_of(pool),
						       .who = SLICE("root"), .serve = serve,
						       .spare = -1, .max = -1 } });
}

static bool is_order(const struct effect *e)
{
	return e->kind == EFFECT_DOMAIN_CREATE || e->kind == EFFECT_DOMAIN_DESTROY ||
	       e->kind == EFFECT_DOMAIN_SAVE;
}

/* All that the core has ordered of domains is done, until it orders no more. */
static void settle(struct place *p)
{
	struct lab *lab = &p->lab;
	uint64_t calls[8];
	size_t n;

	do {
		n = 0;
		for (size_t i = 0; i < lab->fx.count; i++)
			if (is_order(&lab->fx.items[i]) && n < 8)
				calls[n++] = lab->fx.items[i].call;
		lab_end_turn(lab);
		for (size_t i = 0; i < n; i++)
			lab_step(lab, (struct event){ .kind = EVENT_CALL_DONE,
						      .done = { .call = calls[i] } });
	} while (n);
}

static const struct pool *pool_of(struct place *p, const char *name)
{
	return world_pool(&p->lab.w, slice_of(name));
}

static void test_given_by_a_pool(void)
{
	struct place p = { 0 };

	open_place(&p, 2, 1);
	settle(&p);
	is_int(pool_total(pool_of(&p, "news")), 0, "two of mail fill the host: none of news");
	ok(strstr(pool_of(&p, "news")->reason, "1 are full"), "it says so: %s",
	   pool_of(&p, "news")->reason);
	serve(&p, "mail", 1);
	settle(&p);
	is_int(pool_alive(pool_of(&p, "mail")), 1, "mail wants only one");
	is_int(pool_alive(pool_of(&p, "news")), 1, "its room is taken by news");
	lab_close(&p.lab);
}

static void test_given_by_a_host(void)
{
	struct place p = { .two_hosts = true };

	open_place(&p, 2, 0);
	is_int(pool_total(pool_of(&p, "mail")), 2, "two of mail");
	host_says(&p, "h2", false);
	serve(&p, "news", 1);
	settle(&p);
	is_int(pool_total(pool_of(&p, "news")), 0, "the other host does not answer");
	lab_end_turn(&p.lab);
	host_says(&p, "h2", true);
	lab_answer(&p.lab, EFFECT_HOST_POLL, CALL_OK);
	is_int(pool_total(pool_of(&p, "news")), 1, "it comes, and takes the machine");
	lab_close(&p.lab);
}

/* One of mail is saved on "h", where two of news take what room there is. */
static void sleep_beside_news(struct place *p)
{
	p->lab.pool.saved = 1;
	p->lab.pool.recycle = RECYCLE_REVERT;
	apply(p);
	settle(p);
	is_text(lab_state(&p->lab, "mail-01"), "saved", "one of mail sleeps");
	is_text(lab_machine(&p->lab, "mail-01")->host->spec.name, "h", "on the one host");
	serve(p, "news", 2);
	settle(p);
	is_int(pool_alive(pool_of(p, "news")), 2, "two of news fill it");
}

/* A saved machine takes no memory: by the time it is wanted others may have it. */
static void test_waking(void)
{
	struct place p = { 0 };

	open_place(&p, 0, 0);
	sleep_beside_news(&p);
	serve(&p, "mail", 1);
	is_text(lab_state(&p.lab, "mail-01"), "saved", "it cannot be woken there (S11)");
	ok(strstr(pool_of(&p, "mail")->reason, "no room"), "the pool says why: %s",
	   pool_of(&p, "mail")->reason);
	serve(&p, "news", 1);
	settle(&p);
	is_text(lab_state(&p.lab, "mail-01"), "waking", "room comes, it wakes");
	lab_close(&p.lab);
}

/* One that need not be saved makes way for another where there is room. */
static void test_elsewhere(void)
{
	struct place p = { .two_hosts = true };

	open_place(&p, 0, 0);
	host_says(&p, "h2", false);
	p.lab.pool.placement.hosts.all = true;
	p.news.placement.hosts.all = false;	/* news is on "h" */
	sleep_beside_news(&p);
	host_says(&p, "h2", true);
	lab_answer(&p.lab, EFFECT_HOST_POLL, CALL_OK);
	p.lab.pool.serve = 1;
	p.lab.pool.saved = 0;
	apply(&p);
	settle(&p);
	const struct machine *m = lab_machine(&p.lab, "mail-02");
	is_text(m->host->spec.name, "h2", "it is to run: another is made on the other host");
	ok(!world_machine_by_name(&p.lab.w, SLICE("mail-01")) ||
	   lab_machine(&p.lab, "mail-01")->row.state == MACHINE_GONE,
	   "and the one on disk goes");
	lab_close(&p.lab);
}

/* Untrusted machines go where they are isolated, though another host is first. */
static void test_isolation(void)
{
	struct place p = { .two_hosts = true };

	open_place(&p, 0, 0);
	lab_end_turn(&p.lab);
	for (int i = 0; i < 2; i++)
		lab_step(&p.lab, (struct event){
			.kind = EVENT_HOST_STATE,
			.host = { .host = i ? SLICE("h2") : SLICE("h"), .up = true,
				  .kvm = true, .isolated = i == 0,
				  .labels = SLICE("none") } });
	p.lab.pool.memory_mib = 2 * MIB;
	p.news.untrusted = true;
	p.lab.pool.serve = p.news.serve = 1;
	apply(&p);
	ok(strstr(pool_of(&p, "news")->reason, "1 do not isolate machines, 1 are full"),
	   "full is the one host, the other no place for it: %s",
	   pool_of(&p, "news")->reason);
	is_int(pool_total(pool_of(&p, "news")), 0, "none is made there");
	lab_close(&p.lab);
}

int main(void)
{
	test_given_by_a_pool();
	test_given_by_a_host();
	test_waking();
	test_elsewhere();
	test_isolation();
	return tap_done();
}
