#!/usr/bin/perl
# Linger with the real engine and real clients: a reset raw client, a killed
# native one and a killed gateway leave a session that waits for its user; the
# same user finds the same machine, another does not, and after a while it is
# over (S26).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Socket;
use Test::More;
use Lab;

lab_enter();
# The machines' application: says which session it serves (PROXY v2), then
# remembers lines: "set X" keeps X for this machine, "get" gives it.
my $echo = fork // die;
if (!$echo) { serve(); POSIX::_exit(0) }
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "memo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "proxy", agent = false, linger = "20 s" }
application "short" { endpoint = "tcp:127.0.8.{index}:7007", identity = "proxy", agent = false, linger = "1 s" }
pool "memo" { application = "memo", serve = 3, max = 3, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "short" { application = "short", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "anna" { door = "direct", address = "127.0.0.1:7070", user = "anna", application = "memo" }
listener "ben" { door = "direct", address = "127.0.0.1:7071", user = "ben", application = "memo" }
listener "short" { door = "direct", address = "127.0.0.1:7072", user = "anna", application = "short" }
listener "native" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "anna" { applications = "*" }
user "ben" { applications = "*" }
LUA
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'four machines are ready');

sub dial { my $c = IO::Socket::INET->new("127.0.0.1:$_[0]") or die; my $hello = readline($c) // ''; return ($c, $hello =~ /session\/(\d+)/) }
sub say_to { my ($c, $line) = @_; syswrite $c, "$line\n"; return scalar <$c> }
sub reset_it { my ($c) = @_; setsockopt $c, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0); close $c }
sub row { my ($id) = @_; my ($s) = grep { $_->{id} == $id } sessions('--history'); $s // {} }
sub lingers { my ($id) = @_; wait_for("session $id lingers", 10, sub { row($id)->{state} eq 'lingering' }) }

my ($c, $id) = dial(7070);
is(say_to($c, 'set anna was here'), "kept\n", 'anna works');
my $machine = row($id)->{machine};
reset_it($c);
ok(lingers($id), 'a reset leaves her session lingering');
ok(row($id)->{lingers}, 'with the time until when');
is(machine($machine)->{state}, 'in_session', 'her machine is nobody else\'s');
my ($b, $other) = dial(7071);
isnt($other, $id, 'ben gets a session of his own');
isnt(row($other)->{machine}, $machine, 'on another machine');
close $b;
($c, my $again) = dial(7070);
is($again, $id, 'anna is back in her session, by its number in the PROXY header');
is(say_to($c, 'get'), "anna was here\n", 'and finds what she left');
ok(wait_for('active', 10, sub { row($id)->{state} eq 'active' && !row($id)->{lingers} }), 'it does not linger any more');
my ($second, $second_id) = dial(7070);
isnt($second_id, $id, 'a second connection is another session while the first lives');
close $second;

# The gateway dies under her.
ok(wait_for('bytes', 10, sub { my ($s) = grep { $_->{id} == $id } sessions(); $s && $s->{bytes_in} == 18 + 4 }), 'the bytes of both connections are counted');
my @before = pids_of_role('gateway');
kill 'KILL', @before;
ok(lingers($id), 'a killed gateway is a lost connection');
ok(wait_for('service', 20, sub { my $s = eval { IO::Socket::INET->new('127.0.0.1:7070') } or return; my $hello = readline($s) // return;
	($again) = $hello =~ /session\/(\d+)/; $c = $s; 1 }), 'fresh gateways serve');
is($again, $id, 'and she is back in her session');
is(say_to($c, 'get'), "anna was here\n", 'on her machine');
my $in = row($id)->{bytes_in};
close $c;
my $end = wait_for('closed', 20, sub { my $r = row($id); $r->{state} eq 'closed' && $r });
ok($end, 'closing in order ends it');
is($end->{bytes_in}, 18 + 4 + 4, 'with the bytes of all three connections') or diag $in;
ok(wait_for('clean', 10, sub { machine($machine)->{state} eq 'ready' }), 'and its machine is free');

# Nobody comes back.
($c, $id) = dial(7072);
reset_it($c);
$end = wait_for('lost', 20, sub { my $r = row($id); $r->{state} eq 'lost' && $r });
like($end->{end_text}, qr/reset.*nobody came back in 1000 ms/, 'who does not come back has lost it');
($c, $again) = dial(7072);
isnt($again, $id, 'later is another session');
close $c;

# By request id on the native door.
$c = connect_start('--user', 'ben', '--request-id', 'job-1', 'memo');
($id) = readline($c->{out}) =~ /session\/(\d+)/;
kill 'KILL', $c->{pid};
waitpid $c->{pid}, 0;
ok(lingers($id), 'a killed native client');
my ($rc, $out, $err) = connect_run("get\n", '--user', 'ben', 'memo');
unlike($out, qr/session\/$id\n/, 'is not found by a request without its id');
($rc, $out, $err) = connect_run("get\n", '--user', 'ben', '--request-id', 'job-1', 'memo');
like($out, qr/session\/$id\n/, 'and is by one with it');
ok(wait_for('closed', 20, sub { row($id)->{state} eq 'closed' }), 'which then ends in order');
($rc, $out, $err) = connect_run("get\n", '--user', 'ben', '--request-id', 'job-1', 'memo');
is($rc, 6, 'afterwards the id has had its machine');

# An operator ends one that lingers.
($c, $id) = dial(7070);
reset_it($c);
ok(lingers($id), 'one more');
is((remuda('session', 'end', $id, '--yes'))[0], 0, 'an operator ends it');
is(row($id)->{end_text}, 'ended by the operator', 'at once');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;

sub serve {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	my $dir = "$Lab::dir";
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		my $me = $c->sockhost;
		read $c, my $head, 16;
		read $c, my $rest, unpack 'n', substr $head, 14, 2;
		my ($session) = $rest =~ m{session/(\d+)};
		syswrite $c, "session/$session\n";
		while (my $line = <$c>) {
			if ($line =~ /^set (.*)/) { spew("$dir/memo-$me", $1); syswrite $c, "kept\n" }
			else { syswrite $c, slurp("$dir/memo-$me") . "\n" }
		}
		POSIX::_exit(0);
	}
}
