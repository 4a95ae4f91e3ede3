#!/usr/bin/perl
# 200 machines in 20 clusters with calendars and rules: what it costs the engine to
# look at all of them, and to have nothing to do.  Processor time only: however busy
# the computer is, these do not grow with it.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX ();
use Test::More;
use Lab;

my ($clusters, $nodes, $hosts) = (20, 10, 4);
my $build = "$FindBin::Bin/../../" . ($ENV{BUILD} // 'build');

lab_enter();
my $echo = fork // die;
if (!$echo) { exec "$build/tests/bench/load", 'serve', 7007 or POSIX::_exit(127) }
my @names = map { sprintf 'c%02d', $_ } 1 .. $clusters;
lab_site(qq(site "lab" { stats = "10 s" }\n)
	. join('', map { qq(host "hv$_" { uri = "test:///default", boot_parallel = 32, site = "s$_" }\n) } 1 .. $hosts)
	. join '', map { my $n = substr($_, 1) + 0; <<"LUA" } @names);
application "$_" { endpoint = "tcp:127.0.$n.{index}:7007", identity = "none", agent = false }
cluster "$_" { application = "$_", vip = "127.0.0.$n", port = 8080, nodes = $nodes, max_nodes = 12, kernel = "none",
	memory = "16 MiB", spread = "hosts", calendar = { { every = "Feb 00:00-00:01", nodes = 12 } } }
rule "$_" { cluster = "$_", every = "1 min", scale = function() return { nodes = $nodes } end }
LUA
my $engine = lab_engine('--gateways', 2);

sub clusters { @{ remuda_json('cluster list')->{items} // [] } }
sub serving { my $n = 0; $n += $_->{serving} for clusters(); $n }
ok(wait_for('all nodes', 240, sub { serving() == $clusters * $nodes }), "$clusters clusters of $nodes nodes serve");
is(scalar(grep { $_->{change} } clusters()), 0, 'none of them changes');

# User and system time in ms; fields 14 and 15, behind the name in brackets.
sub cpu_ms {
	my @f = split ' ', slurp("/proc/$engine/stat") =~ s/.*\) //r;
	return ($f[11] + $f[12]) * 1000 / POSIX::sysconf(&POSIX::_SC_CLK_TCK);
}
my ($from, $from_ms) = (now(), cpu_ms());
wait_for('ten seconds', 20, sub { now() - $from >= 10 });
my $percent = (cpu_ms() - $from_ms) / (now() - $from) / 10;
note sprintf 'idle: %.2f %% of a core over %.1f s', $percent, now() - $from;
cmp_ok($percent, '<', 2, 'an engine with nothing to do does next to nothing (aim: 1 % of a core)');

sub policy { remuda_json('info')->{item}{policy} // {} }
my $before = policy()->{rounds};
ok(wait_for('a round', 90, sub { policy()->{rounds} > $before }), 'every minute all clusters are looked at');
my $p = policy();
note sprintf 'a look at all clusters: %.2f ms, at most %.2f ms', $p->{last_us} / 1000, $p->{most_us} / 1000;
cmp_ok($p->{last_us}, '>', 0, 'which is measured');
cmp_ok($p->{last_us}, '<', 10_000, '... and costs less than 10 ms');
is(serving(), $clusters * $nodes, 'all serve on');
kill 'TERM', $echo;
done_testing();
