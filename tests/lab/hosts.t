#!/usr/bin/perl
# The laboratory of three hosts, under an engine: a machine on each, traffic to
# each, and each way in which a test may hurt them, healed again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;
use Hosts;

lab_enter(tools => [@Hosts::tools]);
lab_hosts(3);
node_template("web$_", net => $_) for 1 .. 3;
lab_site(qq(site "lab" { }\n) . hosts_lua(3) . join '', map { <<LUA } 1 .. 3);
application "web$_" {
	endpoint = "tcp:10.99.$_.{index}:80", identity = "none",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/node", "status" } end,
	ready = function(machine) machine:tcp(80) end,
}
pool "web$_" {
	application = "web$_", host = "h$_", serve = 1, max = 1, template = "web$_.xml",
	memory = "160 MiB", recycle = "none", boot_deadline = "5 min",
}
LUA
lab_engine('--gateways', 1);
my @name = map { "web$_-01" } 0 .. 3;
my @at = map { "10.99.$_.1" } 0 .. 3;
sub ready { my ($n) = @_; machine($name[$n])->{state} eq 'ready' }
sub host { my ($n) = @_; my ($h) = grep { $_->{name} eq "h$n" } @{ remuda_json('host list')->{items} }; $h // {} }
sub answers { my ($n) = @_; (node_ask($at[$n], '/', 1) // '') =~ /^\Q$name[$n]\E vcpus=1 / }

for my $n (1 .. 3) {
	ok(wait_for("machine $n", 240, sub { ready($n) }), "a machine is ready on host $n")
		or diag slurp("$Lab::dir/state/engine.log");
	is(guest_host($name[$n]), $n, 'its QEMU runs there');
	ok(answers($n), 'it answers');
	is(host($n)->{state}, 'up', 'the engine has its host');
}
is(length node_ask($at[1], '/big/100000', 10), 100000, 'a large answer');
like(node_ask($at[1], '/slow/300', 10), qr/^web1-01 /, 'a late one');

# A guest that freezes, and one that dies.
my $pid = guest_freeze($name[1]);
is(node_ask($at[1], '/', 1), undef, 'a frozen guest does not answer');
guest_thaw($name[1]);
ok(wait_for('it answers', 20, sub { answers(1) }), 'thawed it does');
is(guest_pid($name[1]), $pid, 'it is the same');
guest_kill($name[1]);
ok(wait_for('it is made anew', 240, sub {
	my $now = guest_pid($name[1]); $now && $now != $pid && ready(1) && answers(1) }), 'a killed one is made anew');

# A libvirtd that hangs, and one that dies: machines go on.
$pid = guest_pid($name[3]);
libvirtd_freeze(3);
ok(wait_for('it is seen', 60, sub { host(3)->{state} ne 'up' }), 'a libvirtd that hangs is seen');
ok(answers(3), 'its machine answers all the same');
libvirtd_thaw(3);
ok(wait_for('it is up', 60, sub { host(3)->{state} eq 'up' }), 'it comes back');
libvirtd_kill(3);
ok(wait_for('it is seen', 60, sub { host(3)->{state} ne 'up' }), 'one that died is seen');
ok(answers(3), 'its machine answers all the same');
libvirtd_start(3);
ok(wait_for('it is up', 60, sub { host(3)->{state} eq 'up' && ready(3) }), 'a new one takes over');
is(guest_pid($name[3]), $pid, 'the machine never stopped');

# A host off the network: nothing of it is reached, nothing of it is lost.
$pid = guest_pid($name[2]);
host_cut(2);
is(node_ask($at[2], '/', 1), undef, 'a host that is cut off answers nobody');
ok(answers(1) && answers(3), 'the others do');
ok(wait_for('it is seen', 60, sub { host(2)->{state} ne 'up' }), 'the engine sees it');
host_heal(2);
ok(wait_for('it is up', 90, sub { host(2)->{state} eq 'up' && ready(2) && answers(2) }), 'healed it is back');
is(guest_pid($name[2]), $pid, 'with its machine');

# A host that dies: its machine is nowhere, and made anew once it is back.
host_kill(2);
ok(!guest_pid($name[2]), 'a dead host has no machine');
ok(wait_for('it is seen', 60, sub { host(2)->{state} ne 'up' }), 'the engine sees it');
host_heal(2);
libvirtd_start(2);
ok(wait_for('it is up', 240, sub { host(2)->{state} eq 'up' && ready(2) && answers(2) }), 'it comes back, and its machine');
isnt(guest_pid($name[2]), $pid, 'another QEMU');

remuda('site close', '--yes');
ok(wait_for('the site is closed', 120, sub { !kill 0, $Lab::engine }), 'the site closes');
ok(!(grep { guest_pid($_) } @name[1 .. 3]), 'and no machine is left');
done_testing;
