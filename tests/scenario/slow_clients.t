#!/usr/bin/perl
# 10,000 connections that never ask for anything, at every door, beside 1,000
# honest clients from other addresses: at least 99.9 % of the honest succeed,
# and the gateways' memory stays within what door.h says of strangers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use IPC::Open2;
use Test::More;
use Lab;

my $SLOW = 10_000;
my $HONEST = 1_000;
my $dir = lab_enter(tools => ['openssl']);
my $client = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/scenario/slow_clients';
plan skip_all => "needs $client: make tests" unless -x $client;
my $service = fork // die;
if (!$service) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 256, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		while (defined(my $line = readline $c)) { syswrite $c, "echo: $line" }
		POSIX::_exit(0);
	}
}
my ($rc, $out) = run_out("cd $dir/site && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout gw.key -out gw.pem -days 90 -subj /CN=gw");
is($rc, 0, 'a certificate') or diag $out;
my $token = 'a-token-of-256-random-bits';
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 32 }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "web" { application = "web", serve = 40, max = 40, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "http" { door = "connect", address = "127.0.0.1:3128", user = "password", applications = { "web" } }
listener "socks" { door = "socks5", address = "127.0.0.1:1080", user = "password", applications = { "web" } }
listener "tls" { door = "direct", address = "127.0.0.1:7443", user = "robot", application = "web",
	tls = { certificate = "gw.pem", key = "gw.key" } }
user "robot" { token = "@{[ sha256_hex($token) ]}", limit = 1000 }
LUA
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 40 == grep { $_->{state} eq 'ready' } machines() }), 'forty machines are ready');

sub resident_kib { my $n = 0; $n += $_ for map { slurp("/proc/$_/status") =~ /^VmRSS:\s+(\d+)/m } pids_of_role('gateway'); $n }
sub counts { my %n; for my $l (@{ remuda_json('listener list')->{items} }) { $n{$_} += $l->{$_} for qw(unauthenticated turned_away evicted refused) } \%n }
my $before = resident_kib();
my $pid = open2(my $said, my $end, $client, 'hold', $SLOW, 3128, 1080, 7443);
like(scalar readline $said, qr/^held$/, "$SLOW slow connections were made");
($rc, $out) = run_out($client, 'ask', $HONEST, 3128, 1080, $token);
note $out;
my ($right) = $out =~ /succeeded (\d+)/;
cmp_ok($right // 0, '>=', $HONEST * 0.999, "at least 99.9 % of $HONEST honest clients succeed") or diag $out;
my $during = resident_kib();
my $n = counts();
close $end;
my $slow = readline $said;
waitpid $pid, 0;
note $slow;
note "unauthenticated $n->{unauthenticated}, turned away $n->{turned_away}, evicted $n->{evicted}; gateways $before -> $during KiB";
cmp_ok($n->{unauthenticated}, '<=', 2 * 4096, 'never more strangers than the gateways\' bounds');
cmp_ok($n->{unauthenticated}, '>=', 1000, 'and they were there while the honest came');
cmp_ok($n->{turned_away} + $n->{evicted}, '>=', $SLOW - 2 * 4096, 'the others were cut');
# door.h: 12 KiB for each; both gateways hold 4096.
cmp_ok($during - $before, '<=', 2 * 4096 * 12, 'memory within what a stranger may cost');
ok(wait_for('all gone', 20, sub { counts()->{unauthenticated} == 0 }), 'afterwards nobody is left');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $service;
diag slurp("$Lab::dir/state/engine.log") =~ s/^.* info .*\n//mgr unless Test::More->builder->is_passing;
done_testing;
