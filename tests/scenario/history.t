#!/usr/bin/perl
# History with the real engine: searches, pages, large exports that take little
# memory and hold nobody up, counts per hour.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

lab_enter();
my $build = "$Lab::top/" . ($ENV{BUILD} // 'build');
my $echo = fork // die;
if (!$echo) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		while (sysread $c, my $b, 4096) { syswrite $c, $b }
		POSIX::_exit(0);
	}
}
lab_site(<<'LUA');
site "lab" { history = "90 days" }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "tcp" { door = "direct", address = "127.0.0.1:7070", user = "kiosk", application = "echo", wait = "10 s" }
user "kiosk" { limit = 2 }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'two machines');

sub echo_once {
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 7070, Timeout => 10) or return 0;
	syswrite $s, "ping";
	my $n = sysread $s, my $b, 10;
	return defined $n && $n == 4;
}
my $served = 0;
# One after the other: those not over yet count for the user's limit.
for (1 .. 5) {
	$served += echo_once();
	wait_for('the session is over', 10, sub { !sessions() });
}
is($served, 5, 'five sessions');
ok(wait_for('they are over', 10, sub { !sessions() }), 'and over');
is((remuda('engine stop'))[0], 0, 'the engine stops');
my $n = 20000;
my ($rc, $out) = run_out("$build/tests/lab/history_fill $Lab::dir/state/remuda.db $n");
is($rc, 0, "$n sessions of old") or diag $out;
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'machines again');

# ---- searches ----------------------------------------------------------------
sub list { @{ remuda_json(@_)->{items} // [] } }
my @s = list('history');
is(scalar @s, 100, 'a hundred unless told');
ok((grep { $s[$_]{id} > $s[$_ + 1]{id} } 0 .. 98) == 99, 'newest first');
like((remuda('history'))[1], qr/there may be older ones: --limit N, or --all/, 'and says that there are more');
is(scalar(list('session list --limit 777 --history')), 777, '--limit');
is(scalar(list('history --all --user user3 --state lost --machine old-13')), scalar(grep { $_ % 10 == 3 && $_ % 7 == 0 && $_ % 20 == 13 } map { $_ + $s[-1]{id} - $s[-1]{id} } (list_ids())), 'user, state and machine together');
sub list_ids { my ($first) = map { $_->{id} } list('history --limit 1'); return map { $first - $_ } 0 .. $n - 1 }
my @needles = list('history --all --search nEEDLE');
is(scalar @needles, scalar(grep { $_ % 7000 == 0 } list_ids()), 'a text in the reasons, wherever it is');
is(scalar(list('history --all --pool echo')), 5, 'of a pool');
is(scalar(list('history --all --listener nowhere')), 0, 'nothing fits');
my @hour = list('history --all --since 3h --until 2h');
my ($newest) = map { $_->{id} } list('history --limit 1');
ok(@hour >= 498 && @hour <= 502, 'an hour by time: ' . @hour);
is(scalar(list('request list --history --limit 3 --code timeout')), 3, 'refusals by code');
is(scalar(list('request list --all --search "CAME free" --user user4')), $n / 10, 'and by user and text');
is(scalar(list("request show $newest")), 0, 'a show is an object');
is(remuda_json("request show " . $s[-1]{id})->{item}{code}, 'timeout', 'a decided request by its id');
is(scalar(() = remuda('event list --all --kind TEST --object pool/old --csv') =~ /TEST/g), $n, 'events');
my @e = map { $_->{id} } list('event list --limit 5');
ok(@e == 5 && join(" ", @e) eq join(" ", sort { $a <=> $b } @e), 'a plain event list is oldest first');
for my $bad ('history --sort USER', 'history --all --limit 3', 'history --since soon', 'history hours --user x') {
	is((remuda($bad))[0], 2, "usage: $bad");
}

# ---- a large export ---------------------------------------------------------------
sub peak { my ($pid) = @_; slurp("/proc/$pid/status") =~ /^VmHWM:\s+(\d+)/m ? $1 : -1 }
my $before = peak($Lab::engine);
for my $format ('--csv', '--json') {
	my $pid = open my $h, '-|', "exec $build/remuda history --all $format" or die;
	my ($lines, $bytes, $client, $served) = (0, 0, 0, 0);
	while (my $line = <$h>) {
		$lines++ if $line =~ /user\d/;
		$bytes += length $line;
		next if $lines % 4000 || $line !~ /user\d/;
		$served += echo_once();
		my $now = peak($pid);
		$client = $now if $now > $client;
	}
	close $h;
	is($?, 0, "export $format");
	is($lines, $n, "$format: every session once");
	ok($served >= 4, "$format: sessions are served meanwhile");
	ok($client > 0 && $client < 40000, "$format: the client's memory is bounded ($client KiB for $bytes bytes)");
}
my $grown = peak($Lab::engine) - $before;
ok($grown < 16000, "so is the engine's ($grown KiB more)");
my $doc = remuda_json('history --limit 300');
is("$doc->{api} $doc->{kind} " . @{ $doc->{items} }, 'remuda/1 session_list 300', 'JSON is one document, with its version');
# Every session as [id, bytes in].
sub every {
	my ($head, @lines) = split /\n/, remuda('history --all --csv');
	my ($bytes) = grep { (split /,/, $head)[$_] eq 'bytes_in' } 0 .. 30;
	return map { my @f = split /,/; [ $f[0], $f[$bytes] ] } grep { /^\d/ } @lines;
}
my @every = every();
my %seen = map { $_->[0] => 1 } @every;
is(scalar(keys %seen), scalar @every, 'no session twice');
my $csv = remuda('history --all --csv --search needle');
is(scalar(() = $csv =~ /"'=cmd the Needle"/g), scalar @needles, 'a spreadsheet does not run a reason');

# ---- counts per hour -----------------------------------------------------------------
my @hours;
sub sum { my ($k) = @_; my $t = 0; $t += $_->{$k} for @hours; $t }
my $all = @every;
ok(wait_for('all is counted', 40, sub { @hours = list('history hours --all'); sum('sessions') >= $all }), 'counted');
is(sum('sessions'), $all, 'every session once');
is(sum('closed') + sum('lost') + sum('failed'), $all, 'every end once');
is(sum('refused'), scalar(() = remuda('request list --all --csv') =~ /,refused,/g), 'every refusal once');
is(sum('bytes_in'), eval { my $t = 0; $t += $_->[1] for @every; $t }, 'every byte once');
cmp_ok(sum('machine_ms'), '>', 2000, 'machines ran');
is((list('history hours --all --pool old'))[-1]{wait_p95_ms}, 5, 'waits');
my $sessions = sum('sessions');
kill 'KILL', $Lab::engine;
ok(wait_for('it is dead', 10, sub { !kill 0, $Lab::engine }), 'the engine is killed');
lab_engine('--gateways', 1);
ok(wait_for('looked at again', 30, sub { echo_once() && (list('history hours --limit 1')) }), 'and comes back');
ok(wait_for('counted again', 40, sub { @hours = list('history hours --all'); sum('sessions') >= scalar(every()) }), 'counted again');
is(sum('sessions'), scalar(every()), 'still every session once');
my $info = remuda_json('info')->{item}{sessions_per_hour};
my %by = map { $_->{hour} => $_->{sessions} } @hours;
is($info->[-2], $by{ (sort keys %by)[-2] }, "the console's chart shows the same");
my ($ccode, $text) = remuda('history hours --limit 2 --utc');
like($text, qr/^HOUR +SESSIONS.*\n\d{4}-\d\d-\d\dT\d\d:00:00Z /m, 'as a table');
remuda('site close', '--yes');
done_testing;
