#!/usr/bin/perl
# How long a session may last, with the real engine and real clients: idle,
# longest with its warning, extension by operator and user, half-close limit (L8).
# Over a killed engine: tests/unit/core_limit.c, since the machines of this test
# live in a role of the engine.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

lab_enter();
# The machines' application: says it is there, then sends back what it gets,
# and never ends by itself.
my $echo = fork // die;
if (!$echo) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		syswrite $c, "hello\n";
		while (sysread $c, my $b, 4096) { syswrite $c, $b }
		select undef, undef, undef, 60;
		POSIX::_exit(0);
	}
}
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
local function app(name, net, fields)
	fields.endpoint, fields.identity, fields.agent = "tcp:127.0." .. net .. ".{index}:7007", "none", false
	application(name)(fields)
	pool(name) { application = name, serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
end
app("idle", 7, { idle = "5 s" })
app("short", 8, { longest = "4 s", warn = "3 s" })
app("half", 9, { half_close_limit = "1 s" })
listener "native" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", extend = "6 s" }
listener "raw" { door = "direct", address = "127.0.0.1:7070", user = "kiosk", application = "idle" }
listener "half" { door = "direct", address = "127.0.0.1:7071", user = "kiosk", application = "half" }
user "kiosk" { applications = "*" }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines are ready');

sub ended { my ($id) = @_; my ($s) = grep { $_->{id} == $id && $_->{state} ne 'active' && $_->{ended} } sessions('--history'); $s }
sub live { my ($app) = @_; wait_for("a session of $app", 10, sub { my ($s) = grep { $_->{application} eq $app && $_->{state} eq 'active' } sessions(); $s }) }

# Idle, on a door that can tell its client nothing.
my $raw = IO::Socket::INET->new('127.0.0.1:7070') or die;
is(scalar <$raw>, "hello\n", 'a raw client is served');
my $idle = live('idle');
is($idle->{ends}, undef, 'a session without a longest time has no end');
print $raw "still here\n";
is(scalar <$raw>, "still here\n", 'and its bytes flow');
my $row = wait_for('idle end', 20, sub { ended($idle->{id}) });
is($row->{state}, 'closed', 'a client that says nothing more is ended');
is($row->{end_text}, 'idle for 5000 ms', 'and the history says why');
my $n = sysread $raw, my $rest, 10;
ok(!$n, 'its connection is cut');
is($row->{bytes_in}, 11, 'with its bytes');

# Longest: warned, extended by the user as far as the listener lets him.
my $c = connect_start('--extend', '4s', 'short');
is(readline $c->{out}, "hello\n", 'a native client is served');
my $short = live('short');
ok($short->{ends}, 'its end is shown');
$row = wait_for('its end', 30, sub { ended($short->{id}) });
is($row->{end_text}, 'its longest time is over', 'it ends when its time is over');
is($row->{state}, 'closed', 'in order');
waitpid $c->{pid}, 0;
is($? >> 8, 1, 'the client was cut');
my $said = slurp($c->{err});
like($said, qr/the session ends in .*extended.*the session ends in .*extended.*the session ends in .*as far as its listener allows/s,
	'warned and extended until the listener allows no more');

# Longest: extended by an operator.
$c = connect_start('short');
readline $c->{out};
$short = live('short');
my ($rc, $out) = remuda('session', 'extend', $short->{id}, '--for', '30m');
is($rc, 0, 'an operator extends it') or diag $out;
like($out, qr/has 30 ?min more, 30 ?min left/, 'and sees what is left');
my ($later) = grep { $_->{id} == $short->{id} } sessions();
isnt($later->{ends}, $short->{ends}, 'its end has moved');
ok(wait_for('notice', 10, sub { slurp($c->{err}) =~ /the session was extended/ }), 'the client hears of it');
($rc, $out) = remuda('session', 'extend', $short->{id});
is($rc, 2, 'by how much must be said') or diag $out;
($rc, $out) = remuda('session', 'extend', 999_999, '--for', '5m');
is($rc, 4, 'what does not live cannot be extended') or diag $out;
($rc, $out) = remuda('session', 'end', $short->{id}, '--yes');
is($rc, 0, 'and ends it') or diag $out;
is(wait_for('its end', 20, sub { ended($short->{id}) })->{end_text}, 'ended by the operator', 'which is its end');
waitpid $c->{pid}, 0;

# Half-close: the machine does not answer the end of its client.
my $half = IO::Socket::INET->new('127.0.0.1:7071') or die;
is(scalar <$half>, "hello\n", 'a client with a half-close');
my $s = live('half');
shutdown $half, 1;
$row = wait_for('half-close limit', 20, sub { ended($s->{id}) });
is($row->{state}, 'closed', 'is closed when nothing moves any more');
like($row->{end_text}, qr/nothing moved/, 'after the application\'s own limit');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
