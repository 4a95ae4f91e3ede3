#!/usr/bin/perl
# The ledger with the real engine: who used how much, the same sum by whatever it is,
# prices, months, CSV and JSON, over a restart and over the death of the engine; and
# what is asked of hosts.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Math::BigInt;
use POSIX ();
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
lab_site(<<'LUA');
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "big" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 3, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "big" { application = "big", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "64 MiB", vcpus = 3 }
listener "ann" { door = "direct", address = "127.0.0.1:7070", user = "ann", application = "echo", wait = "30 s" }
listener "bob" { door = "direct", address = "127.0.0.1:7071", user = "bob", application = "big", wait = "30 s" }
user "ann" { limit = 2 }
user "bob" { limit = 2 }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines');

sub echo_on {
	my ($port) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 10) or return;
	syswrite $s, "ping\n";
	return join('', map { scalar <$s> // '' } 1 .. 2) eq "hello\nping\n" ? $s : undef;
}
ok(echo_on(7070) && 1, 'a session of ann') for 1 .. 3;
my $bob = echo_on(7071);
ok($bob, 'one of bob, who stays');
ok(wait_for('ann is gone', 10, sub { !grep { $_->{user} eq 'ann' } sessions() }), 'ann is gone');

# ---- sums ------------------------------------------------------------------------
# A report of a time that is over: asked twice, it says the same.
sub usage { my (@flags) = @_; @{ remuda_json("usage @flags")->{items} // [] } }
sub sum { my ($what, @rows) = @_; my $n = 0; $n += $_->{$what} for @rows; return $n }
my $until = POSIX::strftime('%Y-%m-%dT%H:%M:%S', localtime(time + 1));
my @when = ('--from', '2020-01-01', '--until', $until);
ok(wait_for('a second', 10, sub { POSIX::strftime('%Y-%m-%dT%H:%M:%S', localtime(time)) ge $until }), "until $until");
my %by = map { $_ => [usage('--by', $_, @when)] } qw(user application pool cluster host machine);
is_deeply([usage('--by user', @when)], $by{user}, 'what is over does not change');
for my $what (qw(machine_ms vcpu_ms mib_ms session_ms open_ms)) {
	my %sums = map { (sum($what, @{ $by{$_} }) . '') => 1 } keys %by;
	is(scalar keys %sums, 1, "$what is the same by user, application, pool, cluster, host and machine");
}
my %user = map { $_->{name} => $_ } @{ $by{user} };
is(join(' ', sort keys %user), '(idle) ann bob', 'users, and nobody');
ok($user{ann}{session_ms} > 0 && $user{ann}{session_ms} == $user{ann}{machine_ms}, "ann had $user{ann}{machine_ms} ms of a machine");
is($user{bob}{vcpu_ms}, 3 * $user{bob}{machine_ms}, "bob's machine has 3 vCPU");
is($user{bob}{mib_ms}, 64 * $user{bob}{machine_ms}, '... and 64 MiB');
is($user{'(idle)'}{session_ms}, 0, 'nobody has no session');
my %pool = map { $_->{name} => $_ } @{ $by{pool} };
is($pool{big}{vcpu_ms}, 3 * $pool{big}{machine_ms}, 'a pool');
is(scalar @{ $by{machine} }, 3, 'three machines');
is_deeply([map { $_->{name} } @{ $by{cluster} }], ['(pools)'], 'no cluster');
is(sum('machine_ms', usage('--by machine --user bob', @when)), $user{bob}{machine_ms}, 'only of bob');
is(sum('machine_ms', usage('--by user --pool big', @when)), $pool{big}{machine_ms}, 'only of a pool');
my ($hour) = @{ remuda_json('history hours --limit 1')->{items} // [] };

# ---- output ----------------------------------------------------------------------
my ($rc, $out) = remuda("usage --by pool @when --csv 2>/dev/null");
my @lines = split /\n/, $out;
is($lines[0], 'name,by,from,until,machine_seconds,vcpu_seconds,mib_seconds,session_seconds,estimated_seconds,open_seconds', 'CSV has a header');
my ($big) = grep { /^big,/ } @lines;
my @cells = split /,/, $big;
is($cells[4], sprintf('%d.%03d', int($pool{big}{machine_ms} / 1000), $pool{big}{machine_ms} % 1000), 'seconds to the millisecond');
ok(!(grep { !/^[0-9.]+$/ } @cells[4 .. 9]), 'plain numbers');
SKIP: {
	# Gnumeric: a real spreadsheet that converts without a window.
	skip('no ssconvert here (apt-get install gnumeric)', 2) unless grep { -x "$_/ssconvert" } split /:/, $ENV{PATH};
	spew("$Lab::dir/usage.csv", $out);
	run_out('ssconvert -T Gnumeric_XmlIO:sax:0', "$Lab::dir/usage.csv", "$Lab::dir/usage.xml");
	my ($figures, $seconds) = (0, 0);
	for my $cell (slurp("$Lab::dir/usage.xml") =~ /<gnm:Cell ([^>]*>[^<]*)/g) {
		my ($row, $col, $type, $value) = $cell =~ /Row="(\d+)" Col="(\d+)" ValueType="(\d+)"[^>]*>(.*)/ or next;
		next unless $row > 0 && $col >= 4 && $type == 40;	# 40: a number
		$figures++;
		$seconds += $value if $col == 4;
	}
	is($figures, 6 * (@lines - 1), 'a spreadsheet reads every figure as a number');
	is(sprintf('%.3f', $seconds), sprintf('%.3f', sum('machine_ms', @{ $by{pool} }) / 1000), 'and adds them up to what was used');
}
($rc, $out) = remuda("usage --by pool @when --csv --rate-vcpu-hour 0.12 --rate-gib-hour 0.005 2>/dev/null");
my ($cost) = map { (split /,/)[10] } grep { /^big,/ } split /\n/, $out;
# (vcpu_ms * 0.12 + mib_ms / 1024 * 0.005) / 3600000, to 4 places, half up
my $unit = Math::BigInt->new(1024) * 3600000 * 1000;	# of an hour and a thousandth
my $want = ((Math::BigInt->new($pool{big}{vcpu_ms}) * 120 * 1024 + Math::BigInt->new($pool{big}{mib_ms}) * 5) * 10000 + $unit / 2) / $unit;
is($cost, sprintf('%d.%04d', $want / 10000, $want % 10000), 'a cost, exactly');
($rc, $out) = remuda("usage --by user --month 2026-11");
is($rc, 0, 'a month');
like($out, qr/^2026-11-01 00:00 \S+ to 2026-12-01 00:00 \S+ \(local time\)/m, 'says which time it is');
like((remuda('usage --utc --month 2026-02'))[1], qr/2026-02-01 00:00 \w+ to 2026-03-01 00:00 \w+ \(UTC\)/, 'or UTC');
like((remuda('usage'))[1], qr/total: \d+\.\d\d machine-hours, \d+\.\d\d vCPU-hours, \d+\.\d\d GiB-hours, \d+\.\d\d session-hours/, 'this month, with its total');
for my $bad ('usage --month november', 'usage --month 2026-13', 'usage --month 2026-11 --from 2d', 'usage --until 2h', 'usage --by colour', 'usage --rate-vcpu-hour 1e3') {
	isnt((remuda($bad))[0], 0, "refused: $bad");
}
is((remuda('usage --month 1999-01 --json'))[0], 0, 'a month without anything');

# ---- over a restart, and the engine's death -----------------------------------------
my $before = sum('machine_ms', usage('--by host'));
is((remuda('engine stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 <= grep { $_->{state} eq 'ready' } machines() }), 'machines again');
cmp_ok(sum('machine_ms', usage('--by host')), '>', $before, 'the ledger goes on');
is(sum('machine_ms', usage('--by host', @when)), sum('machine_ms', @{ $by{host} }), 'what was is as it was');
kill 'KILL', $Lab::engine;
waitpid $Lab::engine, 0;
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 <= grep { $_->{state} =~ /ready|in_session/ } machines() }), 'after kill -9 machines again');
is(sum('machine_ms', usage('--by host', @when)), sum('machine_ms', @{ $by{host} }), 'still as it was');

# ---- hosts ------------------------------------------------------------------------------
my $host = remuda_json('host show local')->{item};
is($host->{used_mib}, 96, 'a host says what its machines use');
is($host->{used_vcpus}, 5, '... of vCPU too');
like((remuda('whatif host-down local'))[1], qr/host local has machines of 5 vCPU and 96 MiB.*pool echo: 2 machines/s, 'what if it were gone');
is((remuda('whatif host-down nowhere'))[0], 4, 'no such host');
($rc, $out) = remuda('host drain local --dry-run');
is($rc, 0, 'a dry run asks nothing');
is(remuda_json('host show local')->{item}{draining} ? 1 : 0, 0, 'and changes nothing');
is((remuda('host drain local'))[0], 2, 'draining asks');
is((remuda('host drain local --yes'))[0], 0, 'with --yes it does not');
is(remuda_json('host show local')->{item}{draining} ? 1 : 0, 1, 'it is drained');
is((remuda('host undrain local'))[0], 0, 'and used again');
($rc, $out) = remuda('host fence local --yes');
is($rc, 2, 'a fence wants the name, not a yes');
like($out, qr/--confirm NAME/, '... and says so');
($rc, $out) = remuda('host fence local --confirm local');
is($rc, 1, 'and is for hosts that do not answer');
like($out, qr/it answers/, '... it says');
ok((grep { $_->{command} eq 'host.drain' && $_->{outcome} eq 'ok' } @{ remuda_json('audit list')->{items} }), 'who did it is on record');

# ---- the store: S10 of what three engines wrote, and against another record of it -----
my $audit = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/lab/store_audit';
is((remuda('pool scale echo --serve 0 --spare 0'))[0], 0, 'machines go');
ok(wait_for('machines gone', 30, sub { 1 == machines() }), 'two are gone');
is((remuda('engine stop'))[0], 0, 'the engine stops');
($rc, $out) = run_out($audit, "$Lab::dir/state/remuda.db");
like($out, qr/^sound$/m, 'the store is sound') or diag $out;
my ($count, $ledger, $runs) = $out =~ /^(\d+) (\d+) (\d+)$/m;
cmp_ok($count, '>=', 5, "$count intervals are closed");
# A run begins with the order to make a domain, an interval with its result.
cmp_ok(abs($ledger - $runs), '<=', 1000 * $count, "the ledger's $ledger ms are the machines' $runs ms");

kill 'TERM', $echo;
done_testing();
