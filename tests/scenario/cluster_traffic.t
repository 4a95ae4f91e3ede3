#!/usr/bin/perl
# Clients of a cluster while its nodes, its engine and its gateways fail, with the real
# engine: no transaction is lost whose request can be replayed.  Machines are domains of
# libvirt's test driver, their services processes on loopback addresses.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $programs = ($ENV{BUILD} // 'build') . '/tests/bench';
$programs = "$FindBin::Bin/../../$programs" unless $programs =~ m{^/};
-x "$programs/$_" or plan skip_all => "needs $programs/$_: make tests" for qw(load failover);

lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "slow" { endpoint = "tcp:127.0.7.{index}:7010", identity = "none", agent = false }
application "echo" { endpoint = "tcp:127.0.8.{index}:7011", identity = "none", agent = false }
cluster "slow" { application = "slow", vip = "127.0.0.50", port = 8080, nodes = 2, max_nodes = 2,
	memory = "16 MiB", kernel = "none", replay = true, wait = "30 s",
	health = { request = "check\n", expect = "check", interval = "200 ms", timeout = "300 ms", fall = 2 } }
cluster "echo" { application = "echo", vip = "127.0.0.51", port = 8081, nodes = 2, max_nodes = 2,
	memory = "16 MiB", kernel = "none", replay = true, wait = "60 s",
	health = { interval = "200 ms" } }
LUA
my $engine = lab_engine('--gateways', 2);
sub cluster { my ($name) = @_; remuda_json("cluster show $name")->{item} // {} }

# ---- a node dies, or freezes, with transactions in flight --------------------------------
for my $how ('', '--freeze') {
	my $said = qx{timeout 120 $programs/failover 127.0.0.50:8080 127.0.7.1:7010 127.0.7.2:7010 --clients 40 --rounds 2 $how 2>&1};
	note $said;
	like($said, qr/ 80 in flight, /, $how ? 'a node freezes twice, 40 clients at work' : 'a node is killed twice, 40 clients at work');
	like($said, qr/ 0 failed, 0 cut, 0 wrong, 0 hanging, /, '... and every one of them gets his answer');
}
ok(wait_for('counts', 10, sub { my $c = cluster('slow'); $c->{transactions} && $c->{transactions} == $c->{answered} }),
	'the engine knows that all were answered');
my $c = cluster('slow');
cmp_ok($c->{replayed}, '>', 0, "... $c->{replayed} of $c->{transactions} by another node");
is("$c->{failed} $c->{reset} $c->{refused}", '0 0 0', '... and none failed');

my $server = fork // die;
if (!$server) { exec "$programs/load", 'serve', 7011 or POSIX::_exit(127) }
sub serves { my ($n) = @_; return wait_for("$n nodes", 60, sub { (cluster('echo')->{serving} // -1) == $n }) }
ok(serves(2), 'two nodes serve');

# ---- no ports left towards the nodes -------------------------------------------------------
my $range = '/proc/sys/net/ipv4/ip_local_port_range';
my $ports = slurp($range);
spew($range, "40000 40019\n");
my $few = qx{timeout 30 $programs/load cycle 127.0.0.51:8081 30 3};
spew($range, $ports);
like($few, qr/: [1-9]\d* .*, 0 broken/, 'with 20 ports to each node transactions wait for them');
note $few;
is(cluster('echo')->{serving}, 2, '... and nodes are not blamed');
is(cluster('echo')->{failed}, 0, '... nor is any transaction lost');

# ---- the engine dies -------------------------------------------------------------------------
my $load = open(my $out, '-|', "$programs/load", 'cycle', '127.0.0.51:8081', 8, 12) // die;
my $before = cluster('echo')->{transactions} // 0;
ok(wait_for('work', 20, sub { cluster('echo')->{transactions} > $before }), 'clients are at work');
my @gateways = pids_of_role('gateway');
kill 'KILL', $engine;
ok(wait_for('its end', 10, sub { !kill 0, $engine }), 'the engine is killed');
my $alone = qx{timeout 30 $programs/load cycle 127.0.0.51:8081 2 1};
like($alone, qr/: [1-9]\d* .*, 0 broken/, 'gateways go on without it');
# The test driver's domains died with it: the next engine makes them anew.
$engine = lab_engine('--gateways', 2);
is_deeply([pids_of_role('gateway')], \@gateways, 'the next engine adopts them');
ok(serves(2), 'two nodes again');
my $said = do { local $/; <$out> };
close $out;
like($said, qr/: [1-9]\d* .*, 0 broken/, 'nobody noticed: not one of those that were at work') or diag slurp("$Lab::dir/state/engine.log");

# ---- the engine is stopped: its nodes are not ----------------------------------------------
is((remuda('engine', 'stop'))[0], 0, 'the engine is stopped');
ok(wait_for('its end', 10, sub { !kill 0, $engine }), 'it is gone');
is_deeply([pids_of_role('gateway')], \@gateways, 'gateways stay for their clusters');
like(qx{timeout 30 $programs/load cycle 127.0.0.51:8081 2 0.5}, qr/: [1-9]\d* .*, 0 broken/, 'which serve');
$engine = lab_engine('--gateways', 2);
ok(serves(2), 'started again, it finds them');

# ---- a gateway dies ----------------------------------------------------------------------------
my $counted = cluster('echo')->{transactions};
cmp_ok($counted, '>', 0, 'with what they had counted');
kill 'KILL', $gateways[0];
ok(wait_for('another', 20, sub { my @g = pids_of_role('gateway'); @g == 2 && !grep { $_ == $gateways[0] } @g }), 'a gateway dies and is replaced');
ok(wait_for('service', 20, sub { qx{timeout 30 $programs/load cycle 127.0.0.51:8081 4 0.5} =~ /: [1-9]\d* .*, 0 broken/ }), 'the new one serves its cluster');
cmp_ok(cluster('echo')->{transactions}, '>=', $counted, 'what the dead one has counted stays counted');
is((remuda('site', 'close', '--yes'))[0], 0, 'the site is closed');
ok(wait_for('gateways gone', 30, sub { !pids_of_role('gateway') }), 'then gateways have nothing to stay for');
kill 'TERM', $server;
waitpid $server, 0;
done_testing();
