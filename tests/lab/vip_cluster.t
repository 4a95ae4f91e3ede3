#!/usr/bin/perl
# A cluster's address on a network, with the real engine and its roles: taken,
# served to a neighbour, kept while engine, net role and cable fail, moved with
# the site, gone with it.  Machines are domains of libvirt's test driver.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $remuda = ($ENV{BUILD} // 'build') . '/remuda';
$remuda = "$FindBin::Bin/../../$remuda" unless $remuda =~ m{^/};
sub sh { system($_[0]) == 0 or die "$_[0]: failed" }

# One cable to a neighbour: a network namespace.
sh('ip netns add near && ip link add lan0 type veth peer name eth0 netns near');
sh('ip address add 10.77.0.1/24 dev lan0 && ip address add fd77::1/64 dev lan0 nodad && ip link set lan0 up');
sh('ip -n near address add 10.77.0.2/24 dev eth0 && ip -n near address add fd77::2/64 dev eth0 nodad');
sh('ip -n near link set eth0 address 02:00:00:00:00:02 up');
my $echo = lab_echo(7007);

sub site {
	my ($clusters) = @_;
	lab_site(<<"LUA");
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
local net = 7
local function web(name, vip, port)
	application(name) { endpoint = "tcp:127.0." .. net .. ".{index}:7007", identity = "none", agent = false }
	net = net + 1
	cluster(name) { application = name, vip = vip, port = port, nodes = 1, max_nodes = 1,
		interface = not vip:find "^127" and "lan0" or nil, memory = "16 MiB", kernel = "none",
		health = { interval = "200 ms" } }
end
$clusters
LUA
}
sub apply { my ($rc, $out) = remuda('apply --yes'); $rc ? diag $out : 1 }
sub cluster { my ($name) = @_; remuda_json("cluster show $name")->{item} // {} }
sub held { my ($name, $text) = @_; return wait_for("$name is held", 30, sub {
	my $c = cluster($name); $c->{vip_held} && ($c->{vip_text} // '') =~ ($text // qr/^$/) }) }
sub not_held { my ($name, $text) = @_; return wait_for("$name is not held", 30, sub {
	my $c = cluster($name); !$c->{vip_held} && ($c->{vip_text} // '') =~ $text }) }

# What the neighbour gets who connects there: its own process, in its namespace.
my $client = <<'EOP';
use IO::Socket::IP; my ($ip, $port) = @ARGV;
my $s = IO::Socket::IP->new(PeerHost => $ip, PeerPort => $port, Timeout => 5) or exit 1;
$SIG{ALRM} = sub { exit 2 }; alarm 5;
syswrite $s, "hear me\n"; my $in = '';
while ($in !~ /hear me/) { sysread $s, $in, 4096, length $in or exit 3 }
EOP
spew("$Lab::dir/client.pl", $client);
sub served { my ($ip, $port) = @_; (run_out("ip netns exec near $^X $Lab::dir/client.pl $ip $port"))[0] == 0 }
sub serves { my ($ip, $port) = @_; return wait_for("$ip serves", 30, sub { served($ip, $port) }) }
sub there { my ($ip) = @_; (run_out("ip -o address show dev lan0 to $ip | grep -q ."))[0] == 0 }

site(q{web("web", "10.77.0.50/24", 8050) web("six", "fd77::50/64", 8050) web("here", "127.0.0.50", 8050)});
my $engine = lab_engine('--gateways', 2);
ok(held('web'), 'an address of the network is held');
ok(held('six'), '... and one of IPv6');
ok(held('here'), '... and one of this computer');
my ($role, @more) = pids_of_role('net');
ok($role && !@more, 'by one process');
ok(serves('10.77.0.50', 8050), 'a neighbour is served there');
ok(serves('fd77::50', 8050), '... and there');
ok(there('10.77.0.50'), 'it is on the interface');

# ---- the net role dies, then the engine -------------------------------------------------
kill 'KILL', $role;
ok(wait_for('another role', 20, sub { my @p = pids_of_role('net'); @p == 1 && $p[0] != $role }), 'a killed net role is followed by another');
ok(there('10.77.0.50') && served('10.77.0.50', 8050), 'the address was served all the time');
kill 'KILL', $engine;
ok(wait_for('its end', 20, sub { !kill(0, $engine) && !pids_of_role('net') }), 'the engine is killed, its net role ends');
ok(there('10.77.0.50') && there('fd77::50'), 'the addresses stay');
# The gateways are there; nodes of the test driver died with the engine.
$engine = lab_engine('--gateways', 2);
ok(held('web') && held('six'), 'the next engine takes them over');
ok(serves('10.77.0.50', 8050) && serves('fd77::50', 8050), 'and they serve');

# ---- the cable ----------------------------------------------------------------------------
sh('ip -n near link set eth0 down');
ok(not_held('web', qr/no carrier/), 'without a carrier it is not held, and said why');
ok(!there('10.77.0.50'), '... and not there');
sh('ip -n near address add 10.77.0.50/32 dev lo && ip -n near link set lo up');
sh('ip -n near link set eth0 up');
ok(not_held('web', qr/02:00:00:00:00:02 on lan0 has it/), 'who took it meanwhile is named');
ok(!there('10.77.0.50'), '... and has it alone');
my ($rc, $out) = remuda('cluster list');
like($out, qr/10\.77\.0\.50.*02:00:00:00:00:02/, '... in the list') or diag $out;
sh('ip -n near address del 10.77.0.50/32 dev lo');
ok(held('web'), 'when he lets it go it is held');
ok(serves('10.77.0.50', 8050), 'and serves');

# ---- the site ------------------------------------------------------------------------------
site(q{web("web", "10.77.0.51/24", 8050) web("six", "fd77::50/64", 8050)});
ok(apply(), 'a site with another address is applied');
ok(wait_for('the second', 20, sub { there('10.77.0.51') }) && held('web'), 'it is held');
ok(wait_for('the first is gone', 20, sub { !there('10.77.0.50') }), 'the one before is not');
ok(serves('10.77.0.51', 8050), 'and serves');
site(q{web("web", "10.77.0.51", 8050) web("six", "fd77::50/64", 8050)});
ok(apply(), 'one without its network');
ok(wait_for('the address alone', 20, sub { (run_out('ip -o address show dev lan0 to 10.77.0.51 | grep -q 10.77.0.51/32'))[0] == 0 }),
	'the address is there alone');
# Ended in order: gateways go on, and so does the address.
is((remuda('engine stop'))[0], 0, 'the engine stops');
ok(wait_for('the role ends', 20, sub { !pids_of_role('net') }), '... with its net role');
ok(there('10.77.0.51') && there('fd77::50'), 'the addresses stay');
$engine = lab_engine('--gateways', 2);
ok(held('web') && held('six'), 'and are held again');
site(q{web("web", "10.77.0.51", 8050)});
ok(apply(), 'a site without a cluster');
ok(wait_for('it is gone', 20, sub { !there('fd77::50') }), 'takes its address away');
ok(there('10.77.0.51') && served('10.77.0.51', 8050), 'and no other');

# ---- the end ---------------------------------------------------------------------------------
($rc, $out) = remuda('site destroy --yes');
is($rc, 0, 'the site is destroyed') or diag $out;
ok(wait_for('the role ends', 20, sub { !pids_of_role('net') }), 'the net role ends');
ok(!there('10.77.0.51'), 'nothing of it is on the interface');
ok(!-e "$Lab::dir/run/addresses", 'nor noted');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
