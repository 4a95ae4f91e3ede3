#!/usr/bin/perl
# A gateway that is alive and does nothing: it is ended by its pid after a bound,
# by the engine that started it and by one that only knows its socket; its
# sessions are lost as in a death, with the reason, and a fresh one serves.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

lab_enter();
my $echo = fork // die;
if (!$echo) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		syswrite $c, "hello\n";
		while (sysread $c, my $b, 4096) { syswrite $c, $b }
		POSIX::_exit(0);
	}
}
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "raw" { door = "direct", address = "127.0.0.1:7070", user = "kiosk", application = "echo", wait = "60 s" }
user "kiosk" { applications = "*" }
LUA
my $engine = lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'two machines are ready');

sub served {
	my $c = IO::Socket::INET->new('127.0.0.1:7070') or return;
	my $line = <$c>;
	return $line && $line eq "hello\n" ? $c : undef;
}
my $client = served();
ok($client, 'a client is served');
my ($session) = sessions();
my ($gateway) = pids_of_role('gateway');
kill 'STOP', $gateway;
my $row = wait_for('the session is lost', 60, sub { my ($s) = grep { $_->{id} == $session->{id} && $_->{state} eq 'lost' } sessions('--history'); $s });
is($row->{end_text}, 'its gateway hung: no answer for 15 s', 'a gateway that does not answer is given up, with the reason');
ok(!-d "/proc/$gateway" || slurp("/proc/$gateway/stat") =~ /\) Z /, 'it is ended');
my $n = sysread $client, my $b, 10;
ok(!$n, 'its client is cut');
$client = wait_for('service', 30, sub { served() });
ok($client, 'a fresh one serves');
my ($fresh) = pids_of_role('gateway');
isnt($fresh, $gateway, 'another process');
my ($event) = grep { $_->{kind} eq 'GATEWAY' } @{ remuda_json('event list')->{items} };
like($event->{text}, qr/hung.*sessions are lost/, 'and the history has the event');

# One that hangs while its engine dies: the next knows it by its socket only.
kill 'STOP', $fresh;
kill 'KILL', $engine;
lab_engine('--gateways', 1);
ok(wait_for('the hung one is ended', 60, sub { my @g = pids_of_role('gateway'); @g == 1 && $g[0] != $fresh }),
	'a gateway that does not report to its next engine is ended');
ok(wait_for('service', 60, sub { served() }), 'and a fresh one serves');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
