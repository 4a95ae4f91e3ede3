#!/usr/bin/perl
# Several machines for one request, with the real engine and real clients: all
# or none, tickets used once, expired, across a restart of the engine.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 4, max = 4, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "10 s" }
listener "side" { door = "native", address = "unix:side.sock", user = "peer", applications = "*", wait = "10 s" }
user "owner" { uid = 0 }
user "anna" { limit = 3 }
LUA
lab_engine('--gateways', 1);
sub ready { grep { $_->{state} eq 'ready' } machines() }
ok(wait_for('machines', 30, sub { 4 == ready() }), 'four machines are ready');

my $remuda = "$Lab::top/build/remuda";
sub allocate {
	my ($n, @more) = @_;
	my $out = qx{$remuda allocate echo --count $n --json @more 2>$Lab::dir/allocate.err};
	my $o = eval { decode_json($out) } // {};
	return ($? >> 8, @{ $o->{items} // [] });
}
my ($rc, @t) = allocate(3);
is($rc, 0, 'three machines at once') or diag slurp("$Lab::dir/allocate.err");
is(scalar @t, 3, 'three tickets');
is(scalar(keys %{ { map { $_->{machine} => 1 } @t } }), 3, 'of three machines');
is((grep { $_->{ticket} =~ /^[0-9a-f]{40}$/ } @t), 3, 'of 160 random bits');
is(scalar(ready()), 1, 'one machine is left');
my $db = slurp("$Lab::dir/state/remuda.db") . slurp("$Lab::dir/state/remuda.db-wal");
unlike($db, qr/$t[0]{ticket}/, 'the store does not know the tickets');
($rc) = allocate(2, '--wait', '0');
is($rc, 7, 'two more cannot be had');
is(scalar(ready()), 1, 'and none is taken');
($rc) = allocate(5);
is($rc, 6, 'more than the pool may ever have are refused at once');
like(slurp("$Lab::dir/allocate.err"), qr/no pool of application echo may have 5 machines/, 'in words');
($rc) = allocate(4, '--user', 'anna');
like(slurp("$Lab::dir/allocate.err"), qr/user anna has 0 sessions or requests and this asks for 4, the limit is 3/, 'a count is under the limit too');

($rc, my $out, my $err) = connect_run("question\n", '--ticket', $t[0]{ticket});
is($rc, 0, 'a ticket is used') or diag $err;
is($out, "hello\nquestion\n", 'for its machine');
like($err, qr{session/$t[0]{session} on $t[0]{machine} }, 'and its session');
($rc, $out, $err) = connect_run("x\n", '--ticket', $t[0]{ticket});
is($rc, 6, 'once');
like($err, qr/no session waits for this ticket/, 'and says so');
($rc, $out, $err) = connect_run("x\n", '--socket', "$Lab::dir/run/side.sock", '--ticket', $t[1]{ticket});
like($err, qr/the ticket is for listener unix/, 'at its own door');
($rc) = connect_run("x\n", '--ticket', 'a' x 40);
is($rc, 6, 'a ticket nobody gave');

# The engine is killed: nothing of the tickets is forgotten.
kill 'KILL', $Lab::engine;
ok(wait_for('the end', 10, sub { !kill 0, $Lab::engine }), 'the engine is killed');
lab_engine('--gateways', 1);
my $gone = wait_for('the last ticket', 60, sub {
	my ($s) = grep { $_->{id} == $t[2]{session} } sessions('--history', '--limit', 20);
	$s->{state} eq 'failed' || $s->{state} eq 'lost';
});
ok($gone, 'a ticket that is not used ends its session');
ok(wait_for('machines', 30, sub { 4 == ready() }), 'and all machines are free again');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
