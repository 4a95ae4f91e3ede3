#!/usr/bin/perl
# The fair queue with the real engine and real clients: 50 requests of 3 users
# on 10 machines in the order that was told; a machine that does not accept.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my @echo = (lab_echo(7007), lab_echo(7008, '127.0.9.2'));
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 10 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "half" { endpoint = "tcp:127.0.9.{index}:7008", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 10, max = 10, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "half" { application = "half", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 min" }
user "owner" { uid = 0 }
user "anna" { limit = 100 }
user "ben" { limit = 100 }
user "carl" { limit = 100 }
group "staff" { members = { "carl" }, priority = 0 }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 12 == grep { $_->{state} eq 'ready' } machines() }), 'twelve machines are ready');

# Ten of anna's take the machines; then 30 of anna's, 6 of ben's, 4 of carl's.

my @held = map { connect_start('--user', 'anna', 'echo') } 1 .. 10;
readline $_->{out} for @held;
my @waiting;
for (['anna', 30], ['ben', 6], ['carl', 4]) {
	my ($user, $n) = @$_;
	for (1 .. $n) {
		my $c = connect_start('--user', $user, 'echo');
		close $c->{in};
		push @waiting, $c;
	}
	my $all = @waiting;
	ok(wait_for("$all in line", 20, sub { $all == @{ remuda_json('queue list')->{items} } }), "$all wait");
}
my $line = remuda_json('queue list')->{items};
is_deeply([ map { $_->{place} } @$line ], [ 1 .. 40 ], 'every request has its place');
my @want = (('anna', 'ben', 'carl') x 4, ('anna', 'ben') x 2, ('anna') x 24);
is_deeply([ map { $_->{user} } @$line ], \@want, 'users take turns');
my %last;
my $older = 0;
for (@$line) { $older++ if ($last{ $_->{user} } // 0) > $_->{id}; $last{ $_->{user} } = $_->{id} }
is($older, 0, 'each user\'s own oldest first');
my ($rc, $out) = remuda('queue', 'list', '--user', 'carl');
like($out, qr/PLACE\s+USER/, 'and as a table');
is(scalar(() = $out =~ /^echo\s+(?:3|6|9|12)\s+carl/gm), 4, 'with carl\'s four places');
connect_end($_) for @held;
connect_end($_) for @waiting;
my @served = sort { $a->{id} <=> $b->{id} } sessions('--history', '--limit', 200);
is(scalar @served, 50, 'fifty sessions');
is_deeply([ map { $_->{user} } @served[10 .. 49] ], \@want, 'served in the order that was told');
my $steps = join '', map { "place $_,.*?" } reverse 1 .. 12;
is((grep { slurp($_->{err}) =~ /$steps/s } @waiting[36 .. 39]), 1, 'the last of carl\'s heard every change of its place');

# 127.0.9.1 refuses, 127.0.9.2 does not: the client sees the second machine only.
my $failed;
for (1 .. 6) {
	my ($rc, $out, $err) = connect_run("question\n", '--user', 'anna', 'half');
	is($rc, 0, 'the client is served') or diag $err;
	is($out, "hello\nquestion\n", 'by the machine that accepts');
	like($err, qr/on half-02/, 'which is the one it is told of');
	($failed) = grep { $_->{machine} eq 'half-01' } sessions('--history', '--limit', 20);
	last if $failed;
}
is($failed->{state}, 'failed', 'the other machine\'s session is kept as failed');
like($failed->{end_text}, qr/refused/, 'with the reason');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', @echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
