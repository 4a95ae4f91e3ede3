#!/usr/bin/perl
# Gateways are confined in the running program: by what the kernel says of them,
# with every door at work; and the starter of ssh processes, without which only
# the ssh doors are closed, and which leaves nothing behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IPC::Open2;
use Test::More;
use Lab;

lab_enter(tools => [qw(ssh ssh-keygen)]);
lab_echo(7007);
system("ssh-keygen -q -t ed25519 -N '' -f $Lab::dir/id -C anna") == 0 or die 'ssh-keygen';
my ($key) = slurp("$Lab::dir/id.pub") =~ /^(\S+ \S+)/;
lab_site(<<"LUA");
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 3, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
listener "ssh" { door = "ssh", address = "127.0.0.1:7022", user = "key", applications = "*", wait = "2 s" }
user "anna" { ssh_keys = { "$key" } }
LUA
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'machines');

sub count { my @pids = pids_of_role($_[0]); scalar @pids }
sub status { my ($pid, $what) = @_; (slurp("/proc/$pid/status") =~ /^$what:\s*(\S+)/m)[0] // 'gone' }
my @gateways = pids_of_role('gateway');
is(scalar @gateways, 2, 'two gateways');
for my $pid (@gateways) {
	is(status($pid, 'Seccomp'), 2, 'a gateway has a filter');
	is(status($pid, 'NoNewPrivs'), 1, 'and never more rights');
}
my @starters = pids_of_role('ssh-starter');
is(scalar @starters, 2, 'each with a starter');
is(status($starters[0], 'NoNewPrivs'), 1, 'that gets no more rights either');

my $ssh = "ssh -i $Lab::dir/id -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR -o IdentitiesOnly=yes -p 7022";
sub by_ssh { my ($rc, $out) = run_out("printf 'one\\n' | timeout 20 $ssh -W echo:1 anna\@127.0.0.1"); return $out }
like(by_ssh(), qr/^hello\none\n/, 'the ssh door works');
is((connect_run("two\n", '--user', 'anna', 'echo'))[1], "hello\ntwo\n", 'the native door works');

# A client whose gateway ends it: its process is gone, whatever it does.
my $pid = open2(my $client, my $typed, "exec $ssh -W echo:1 anna\@127.0.0.1 2>/dev/null");
is(scalar(<$client>), "hello\n", 'a client stays');
my ($sshd) = pids_of_role('ssh');
ok($sshd, 'it has a process');
kill 'STOP', $sshd;
my ($s) = sessions();
is((remuda("session end $s->{id} --yes"))[0], 0, 'its session is ended');
is((remuda('pool pause echo'))[0], 0, 'the engine goes on');
kill 'CONT', $sshd;
kill 'TERM', $pid; waitpid $pid, 0;
ok(wait_for('no process', 20, sub { !count('ssh') }), 'no process of it is left');
ok(wait_for('reaped', 10, sub { !grep { slurp("/proc/$_/stat") =~ /\) Z / } map { m{(\d+)$} } glob '/proc/[0-9]*' }), 'nor a zombie');

# Without starters.
kill 'KILL', @starters;
ok(wait_for('no starter', 10, sub { !count('ssh-starter') }), 'the starters are killed');
unlike(by_ssh(), qr/hello/, 'the ssh door lets nobody in');
is((connect_run("three\n", '--user', 'anna', 'echo'))[1], "hello\nthree\n", 'the others do');
like(slurp("$Lab::dir/state/engine.log"), qr/the starter of ssh processes is gone/, 'the log says so');
is_deeply([ pids_of_role('gateway') ], \@gateways, 'no gateway minds');

# A gateway that dies takes its starter with it; the next has both.
kill 'KILL', @gateways;
ok(wait_for('gateways', 20, sub { 2 == count('gateway') && 2 == count('ssh-starter') }), 'new gateways, new starters');
ok(wait_for('ssh', 20, sub { by_ssh() =~ /^hello\none\n/ }), 'and the ssh door works again');
@gateways = pids_of_role('gateway');
kill 'KILL', $gateways[0];
ok(wait_for('its starter ends', 20, sub { 2 == count('ssh-starter') && 2 == count('gateway') }), 'one of two');
remuda('site close', '--yes');
ok(wait_for('the end', 30, sub { !count('gateway') && !count('ssh-starter') && !count('ssh') }), 'nothing is left');
done_testing;
