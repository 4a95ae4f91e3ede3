#!/usr/bin/perl
# Clusters as statements, with the real engine: in the site file, in plans, and made
# and deleted at run time in the words of the site language.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

lab_enter();
my @echo = (lab_echo(7007), lab_echo(7017));

sub site {
	my (%o) = (nodes => 2, vcpus => 1, cluster => '', vip => '127.0.0.50', port => 8050, serves => 7007, @_);
	lab_site(<<"LUA");
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8, site = "north", labels = { "ssd" } }
application "web" { endpoint = "tcp:127.0.7.{index}:$o{serves}", identity = "none", agent = false }
application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
cluster "web" { application = "web", vip = "$o{vip}", port = $o{port}, nodes = $o{nodes}, max_nodes = 4,
	vcpus = $o{vcpus}, max_vcpus = 4, memory = "16 MiB", kernel = "none", labels = { "ssd" },
	calendar = { { every = "Feb 00:00-00:01", nodes = 3 } }, $o{cluster} }
rule "load" { cluster = "web", every = "1 h", scale = require "rules.load" {} }
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
LUA
}
site();
lab_engine('--gateways', 1);
sub ready { my ($pool, $n) = @_; $n == grep { $_->{state} eq 'ready' } machines($pool) }
ok(wait_for('nodes', 30, sub { ready('web', 2) }), 'a cluster has its nodes');

# ---- plans -----------------------------------------------------------------------------
my ($rc, $out) = remuda('plan');
like($out, qr/nothing to change/, 'a plan of the site in force has nothing to change');
site(vcpus => 2, cluster => 'replay = true');
($rc, $out) = remuda('plan');
like($out, qr/^~ cluster web\n(?:    .*\n)*?    vcpus: 1 -> 2$/m, 'another size is a change of the cluster') or diag $out;
like($out, qr/^    replay: false -> true$/m, 'and so is another field');
unlike($out, qr/made anew/, 'no machine is made anew for it');
site(cluster => 'kernel = "other"');
($rc, $out) = remuda('plan');
like($out, qr/pool\/web: of 2 machines: 2 made anew/, 'for another kernel they are') or diag $out;
site(cluster => 'calendar = { { every = "Dez", nodes = 3 } }');
($rc, $out) = remuda('plan');
isnt($rc, 0, 'a bad entry of its calendar is refused');
like($out, qr/site\.lua:5: cluster "web": calendar entry 1, every = "Dez": "Dez" is no month/, 'at its line, in words');
site();

# ---- served elsewhere -------------------------------------------------------------------
sub asked {
	my ($where) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => $where, Timeout => 10) or return '';
	syswrite $s, "ping\n";
	return join '', map { scalar <$s> // '' } 1 .. 2;
}
is(asked('127.0.0.50:8050'), "hello\nping\n", 'it serves');
my %was = map { $_->{name} => "$_->{id} $_->{incarnation} $_->{since}" } machines('web');
site(vip => '127.0.0.52', port => 8055);
is((remuda('apply --yes'))[0], 0, 'another address and port');
ok(wait_for('an answer', 10, sub { asked('127.0.0.52:8055') eq "hello\nping\n" }), 'it serves there');
is(asked('127.0.0.50:8050'), '', 'and not where it was');
site(serves => 7017);
is((remuda('apply --yes'))[0], 0, 'nodes that serve at another port');
kill 'TERM', $echo[0];
ok(wait_for('an answer', 10, sub { asked('127.0.0.50:8050') eq "hello\nping\n" }), 'gateways find them there');
is_deeply({ map { $_->{name} => "$_->{id} $_->{incarnation} $_->{since}" } machines('web') }, \%was, 'no machine was made anew');
is_deeply([ grep { $_->{kind} eq 'VIP' } @{ remuda_json('alarm list')->{items} // [] } ], [], 'and nobody was alarmed by it');
$echo[0] = lab_echo(7007);
site();
is((remuda('apply --yes'))[0], 0, 'as before');

# ---- made at run time -------------------------------------------------------------------
my @fields = ('application=other', 'vip=127.0.0.51', 'port=8051', 'nodes=1', 'kernel=none', q('memory=16 MiB'),
	'max_nodes=2');
($rc, $out) = remuda('cluster', 'create', 'extra', @fields, q('hosts=["local"]'),
	q('health={"fall":3}'), q('calendar=[{"every":"Feb 00:00-00:01","nodes":2}]'));
is($rc, 0, 'a cluster is created at run time, lists and tables too') or diag $out;
ok(wait_for('extra', 30, sub { ready('extra', 1) }), 'and has its node');
is((remuda('cluster', 'create', 'extra', @fields))[0], 1, 'not twice');
($rc, $out) = remuda('pool', 'create', 'web', 'application=other', 'serve=1', 'kernel=none');
like($out, qr/there is a cluster "web" already \(site\.lua:5\)/, 'nor a pool by the name of a cluster');
($rc, $out) = remuda('cluster', 'create', 'bad', 'application=nothing', @fields[1 .. $#fields]);
isnt($rc, 0, 'what the site language refuses is refused');
like($out, qr/remuda\/runtime\.lua:\d+: cluster "bad": there is no application "nothing"/, 'in the same words');
($rc, $out) = remuda('cluster', 'create', 'bad', @fields, q('hosts=["'));
like($out, qr/hosts is neither UTF-8 text nor JSON/, 'a list that is none is refused');
($rc, $out) = remuda('cluster', 'create', 'bad', @fields, q('health={"fall = 3 } error() --":1}'));
isnt($rc, 0, 'a key is a key, whatever it holds');
like($out, qr/a field is a word of the site language/, 'and not Lua');
remuda('engine', 'stop');
lab_engine('--gateways', 1);
ok(wait_for('both', 30, sub { ready('extra', 1) && ready('web', 2) }), 'both are there after a restart');
($rc, $out) = remuda('cluster', 'delete', 'web', '--yes');
like($out, qr/cluster "web" stands in site\.lua:5: take it out there/, 'one of the site file is deleted there');
isnt((remuda('pool', 'delete', 'extra', '--yes'))[0], 0, 'a cluster is not deleted as a pool');
($rc, $out) = remuda('cluster', 'delete', 'extra', '--yes');
is($rc, 0, 'one made at run time is deleted') or diag $out;
ok(wait_for('extra gone', 30, sub { !machines('extra') }), 'and its node goes');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', @echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
