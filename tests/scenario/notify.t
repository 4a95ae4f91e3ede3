#!/usr/bin/perl
# The engine under a service manager: what it says on NOTIFY_SOCKET, and when;
# that nobody else says it; that gateways and sessions outlive a restart of the
# unit; what it writes for the journal.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::UNIX;
use Socket;
use Test::More;
use Time::HiRes qw(time);
use Lab;

$SIG{PIPE} = 'IGNORE';
lab_enter(tools => [qw(virtlogd libvirtd virsh)]);
lab_echo(7007);
# The test driver in a daemon, held open by another: its domains outlive the engine.
lab_libvirtd();
my $holder = open my $held, '-|', 'exec virsh -c test+unix:///default event --loop --event lifecycle 2>&1' or die;
my $site = <<'LUA';
site "lab" { peers = true }
host "local" { uri = "test+unix:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 4, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "10 s" }
user "anna" { }
LUA
lab_site($site);
my $manager = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$Lab::dir/notify") or die "notify: $!";
my $build = "$Lab::top/" . ($ENV{BUILD} // 'build');
my (@said, $log);

# As a unit's ExecStart: in the foreground, with the manager's variables.
sub unit_start {
	my (%env) = @_;
	pipe my $r, my $w or die;
	my $pid = fork // die;
	if (!$pid) {
		close $r;
		open STDERR, '>&', $w;
		open STDOUT, '>&', $w;
		my @st = stat STDERR;
		%ENV = (%ENV, NOTIFY_SOCKET => "$Lab::dir/notify", WATCHDOG_USEC => 2_000_000, WATCHDOG_PID => $$,
			JOURNAL_STREAM => "$st[0]:$st[1]", %env);
		exec "$build/remuda", '--state-dir', "$Lab::dir/state", '--run-dir', "$Lab::dir/run", 'engine', 'run', '--gateways', 1 or POSIX::_exit(127);
	}
	close $w;
	$log = $r;
	return $pid;
}

# The next word that matches; all words go to @said.
sub hears {
	my ($pattern, $seconds) = @_;
	my $end = time + ($seconds // 30);
	my $select = IO::Select->new($manager);
	while (time < $end) {
		$select->can_read($end - time) or last;
		$manager->recv(my $text, 4096);
		push @said, $text;
		return $text if $text =~ $pattern;
	}
	return '';
}

my $pid = unit_start();
like(hears(qr/READY=1/), qr/^READY=1$/, 'ready');
is((remuda('engine status'))[0], 0, 'and so it is');
ok(!(grep { /RELOADING|STOPPING/ } @said), 'nothing else before');
like(hears(qr/STATUS=/), qr/^STATUS=site lab: \d machines, 0 sessions$/, 'its state in words');
my $signs = grep { hears(qr/WATCHDOG=1/, 10) } 1 .. 3;
is($signs, 3, 'signs of life go on');
kill 'STOP', $pid;
1 while IO::Select->new($manager)->can_read(0) && defined $manager->recv(my $drop, 4096);
is(hears(qr/WATCHDOG=1/, 1.5), '', 'one that is stopped gives none');
kill 'CONT', $pid;
like(hears(qr/WATCHDOG=1/, 10), qr/WATCHDOG/, 'until it goes on');

ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'two machines');
lab_site($site =~ s/serve = 2/serve = 3/r);
kill 'HUP', $pid;
like(hears(qr/RELOADING/), qr/^RELOADING=1\nMONOTONIC_USEC=\d+$/, 'reloading');
like(hears(qr/READY/), qr/^READY=1$/, 'and ready again');
is(remuda_json('pool show echo')->{item}{serve}, 3, 'with the new site');
lab_site('this is no Lua');
kill 'HUP', $pid;
like(hears(qr/RELOADING/), qr/RELOADING/, 'a site file with a mistake');
like(hears(qr/READY/), qr/READY/, 'ends the reload as well');
like(hears(qr/STATUS=/), qr/the site file is not applied/, 'and is told');
lab_site($site);

# A restart of the unit, with somebody on a machine.
my $c = connect_start('--user', 'anna', 'echo');
ok(wait_for('a session', 10, sub { session_of('anna') }), 'anna has a session');
my ($gateway) = pids_of_role('gateway');
unlike(slurp("/proc/$gateway/environ"), qr/NOTIFY_SOCKET|WATCHDOG/, 'no role can speak for the engine');
print { $c->{in} } "one\n";
kill 'TERM', $pid;
like(hears(qr/STOPPING/), qr/^STOPPING=1$/, 'stopping');
waitpid $pid, 0;
is($?, 0, 'it ends well');
ok(kill(0, $gateway), 'its gateway stays');
@said = ();
my $old = $log;
$pid = unit_start();
like(hears(qr/READY=1/), qr/READY/, 'the unit is started again');
is((pids_of_role('gateway'))[0], $gateway, 'with the same gateway');
ok(wait_for('adopted', 20, sub { (session_of('anna') // {})->{state} eq 'active' }), 'the session goes on');
print { $c->{in} } "two\n";
my ($got, $end) = ('', time + 10);
while ($got !~ /two\n/ && time < $end) { IO::Select->new($c->{out})->can_read(1) && sysread $c->{out}, $got, 100, length $got }
is($got, "hello\none\ntwo\n", 'and no byte is missing');
is(connect_end($c), 0, 'she leaves');

# A watchdog that is somebody else's is not answered.
kill 'TERM', $pid; waitpid $pid, 0;
@said = ();
$pid = unit_start(WATCHDOG_PID => 1);
like(hears(qr/READY=1/), qr/READY/, 'once more');
is(hears(qr/WATCHDOG=1/, 2.5), '', 'no sign of life for a watchdog on another process');
kill 'TERM', $pid; waitpid $pid, 0;
lab_site('this is no Lua');
system("rm -rf $Lab::dir/state/remuda.db*");
$pid = unit_start();
like(hears(qr/STATUS=/), qr/^STATUS=site\.lua:1: syntax error/, 'one that cannot start says why');
waitpid $pid, 0;
is($? >> 8, 1, 'and fails');
my $first = do { local $/; <$old> };
like($first, qr/^<6>engine engine of site lab up/m, 'for the journal: priority and role, no time');
like($first, qr/^<3>engine the site file is not applied/m, 'an error as one');
unlike($first, qr/^\d{4}-/m, 'never both');
kill 'TERM', $holder;
done_testing;
