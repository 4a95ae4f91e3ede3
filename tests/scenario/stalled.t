#!/usr/bin/perl
# A console whose terminal takes nothing any more: the reader behind it is stopped
# with SIGSTOP.  The engine goes on serving, keeps no more for that console than its
# bound, and the console is up to date again when the reader goes on.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

my $allocations = 400;
my $remuda = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';

lab_enter(tools => ['script']);
lab_echo(7007);
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 8, max = 8, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "door" { door = "direct", address = "127.0.0.1:7070", application = "echo", user = "kiosk", wait = "10 s" }
user "kiosk" { limit = 100 }
LUA
my $engine = lab_engine();
ok(wait_for('machines', 60, sub { 8 == grep { $_->{state} eq 'ready' } machines() }), 'eight machines');

sub rss_kib { my ($kib) = slurp("/proc/$engine/status") =~ /^VmRSS:\s+(\d+)/m; $kib }
sub state_of { my ($state) = slurp("/proc/$_[0]/stat") =~ /\) (\S)/; $state // '' }

# Sessions one after another: how many were served, and how many a second.
sub serve {
	my ($begun, $served) = (now(), 0);
	for (1 .. $allocations) {
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:7070', Timeout => 10) or next;
		$served++ if ($s->getline // '') eq "hello\n";
		close $s;
	}
	return ($served, $allocations / (now() - $begun));
}

my ($served, $alone) = serve();
is($served, $allocations, 'all are served with nobody watching');

# The reader: script(1) holds the terminal's other end and writes what comes to a file.
$ENV{TERM} = 'xterm-256color';
pipe my $keys, my $typist or die;
my $reader = fork // die;
if (!$reader) {
	close $typist;
	open STDIN, '<&', $keys; open STDOUT, '>', '/dev/null';
	exec 'script', '-qfec', "stty rows 36 cols 120; exec $remuda", "$Lab::dir/typescript" or POSIX::_exit(127);
}
ok(wait_for('the console', 20, sub { slurp("$Lab::dir/typescript") =~ /RUNNING/ }), 'a console is attached');
my ($console) = slurp("/proc/$reader/task/$reader/children") =~ /(\d+)/;
my ($watched_served, $watched) = serve();
is($watched_served, $allocations, 'all are served with a console that reads');

kill 'STOP', $reader;
ok(wait_for('stopped', 10, sub { state_of($reader) eq 'T' }), 'the reader is stopped');
my $before = -s "$Lab::dir/typescript";
my $rss = rss_kib();
my ($stalled_served, $stalled) = serve();
is($stalled_served, $allocations, 'all are served while the terminal takes nothing');
is(-s "$Lab::dir/typescript", $before, 'which took nothing indeed');
cmp_ok(rss_kib() - $rss, '<', 4096, 'the engine keeps little for it');
note sprintf 'sessions a second: %.0f alone, %.0f with a console, %.0f with a stalled one', $alone, $watched, $stalled;

remuda('pool', 'scale', 'echo', '--serve', '6', '--max', '6');
ok(wait_for('six', 30, sub { 6 == machines() }), 'two machines go meanwhile');
kill 'CONT', $reader;

ok(wait_for('up to date', 20, sub { substr(slurp("$Lab::dir/typescript"), $before) =~ /serve 8 -> 6/ }), 'the console shows it when its reader goes on');
kill 'TERM', $console;
waitpid $reader, 0;
like(slurp("$Lab::dir/typescript"), qr/\e\[\?1049l/, 'and leaves its terminal as it was');
remuda('site', 'close', '--yes');
done_testing;
