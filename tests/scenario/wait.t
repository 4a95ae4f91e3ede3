#!/usr/bin/perl
# --wait with a real engine: when the command is back, it is so; and
# --error-unchanged when it was so before.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
lab_echo(7007);
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
host "tight" { uri = "test:///default", memory = "32 MiB" }
application "web" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
cluster "web" { application = "web", vip = "127.0.0.50", port = 8080, nodes = 3, max_nodes = 3, hosts = { "tight" },
	memory = "16 MiB", kernel = "none", health = { interval = "200 ms" } }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 8, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
user "anna" { }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines('echo') }), 'two machines');
sub state { machine($_[0])->{state} // 'gone' }
sub done { my ($words, $what) = @_; my ($rc, $out) = remuda($words, '--wait --timeout 30s'); is($rc, 0, $what // $words) or note $out }

done('pool scale echo 5');
is(scalar(grep { $_->{state} eq 'ready' } machines('echo')), 5, 'five are ready');
done('pool scale echo 3 --max 3');
is(scalar(machines('echo')), 3, 'three are left');
my ($name) = map { $_->{name} } machines('echo');
done("machine hold $name");
is(state($name), 'held', 'it is held');
is((remuda("machine hold $name --error-unchanged"))[0], 3, 'it was held already: 3');
done("machine release $name");
is(state($name), 'ready', 'it is ready');
my $id = machine($name)->{incarnation};
done("machine restart $name");
is(state($name), 'ready', 'it is ready again');
cmp_ok(machine($name)->{incarnation}, '>', $id, 'in another life');
done("machine delete $name");
ok(!grep({ $_->{name} eq $name && $_->{incarnation} > $id + 1 } machines('echo')), 'it is gone');
is((remuda('pool scale echo 3 --error-unchanged'))[0], 3, 'a pool of that size: 3');
is((remuda('pool scale echo 4 --max 8 --error-unchanged'))[0], 0, 'another size: 0');

my $c = connect_start('--user', 'anna', 'echo');
ok(wait_for('a session', 10, sub { session_of('anna') }), 'anna has a session');
my $s = session_of('anna');
is((remuda("machine hold $s->{machine} --wait --timeout 300ms"))[0], 7, 'her machine is not held while she is on it: 7');
done("session end $s->{id} --yes", 'her session ends');
my ($over) = grep { $_->{id} == $s->{id} } @{ remuda_json('session list --history')->{items} };
like("$over->{state} " . ($over->{cleaned} // ''), qr/^closed \d/, 'and her machine is clean');
ok(wait_for('held', 10, sub { state($s->{machine}) eq 'held' }), 'and held, as it was told');
connect_end($c);
$c = connect_start('--user', 'anna', 'echo');
ok(wait_for('a session', 10, sub { session_of('anna') }), 'she comes again');
done('user disable anna --end-sessions');
ok(!session_of('anna'), 'disabled, she has none');
is((remuda('user disable anna --error-unchanged'))[0], 3, 'she was disabled: 3');
connect_end($c);

# The third node has no room: without it the cluster has what it has, at once.
ok(wait_for('two nodes', 30, sub { (remuda_json('cluster show web')->{item}{serving} // 0) == 2 }), 'a cluster is a node short');
my ($rc, $out) = remuda('cluster resize web --nodes 2 --yes --wait');
is($rc, 0, 'it is to be so');
like($out, qr{^change/1 done in }m, 'a change that is over at once is told of as well') or diag $out;
($rc, $out) = remuda('cluster resize web --nodes 1 --yes --wait');
($rc, $out) = remuda('cluster reset web --wait --timeout 30s');
like($out, qr{change/3 failed after .*: place: no room }, 'also of one that the site file begins again') or diag $out;
like((remuda('change wait 1'))[1], qr{^change/1 done in }, 'and whenever one waits for it');
is((remuda('apply --yes --error-unchanged'))[0], 3, 'a site that is in force: 3');
is((remuda('machine hold nothing --wait'))[0], 4, 'nothing to wait for: 4');
remuda('site close', '--yes');
done_testing;
