#!/usr/bin/perl
# Scale, in counts: 16,000 sessions open at once over two gateways, what each of
# them costs in memory and descriptors, what a subscriber gets of so many, and an
# allocation that costs the same over 10 machines and over 10,000.  Loopback machines; no time is measured.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::UNIX;
use IPC::Open2;
use JSON::PP ();
use POSIX ();
use Test::More;
use Lab;

my $sessions = $ENV{SESSIONS} // 16_000;
my $per_pool = $sessions / 2;
my $build = "$FindBin::Bin/../../" . ($ENV{BUILD} // 'build');

lab_enter();

my $echo = fork // die;
if (!$echo) { exec "$build/tests/bench/load", 'serve', 7007 or POSIX::_exit(127) }
lab_site(<<LUA . join '', map { <<POOL } 1, 2);
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 64 }
application "echo" { endpoint = "tcp:127.0.7.7:7007", identity = "none", agent = false }
listener "door" { door = "direct", address = "127.0.0.1:7070", application = "echo", user = "kiosk", wait = "30 s" }
user "kiosk" { applications = "*", limit = 100000 }
LUA
pool "echo$_" {
	application = "echo", serve = $per_pool, max = $per_pool, recycle = "none",
	kernel = "none", memory = "16 MiB",
}
POOL
my $engine = lab_engine('--gateways', 2);
my @gateways = pids_of_role('gateway');
is(scalar @gateways, 2, 'two gateways');

sub pools {
	my ($field) = @_;
	my $n = 0;
	$n += $_->{$field} // 0 for @{ remuda_json('pool list')->{items} // [] };
	return $n;
}
ok(wait_for('the machines', 90, sub { pools('ready') == $sessions }), "$sessions machines are ready");

# Private memory in KiB; descriptors.
sub memory { my $kib = 0; $kib += (slurp("/proc/$_/status") =~ /^RssAnon:\s+(\d+)/m)[0] for @_; $kib }
sub descriptors { map { my @fds = glob "/proc/$_/fd/*"; scalar @fds } @_ }

my @before = descriptors(@gateways);
my $quiet_kib = memory($engine, @gateways);
my $load = open2(my $out, my $in, "$build/tests/bench/load", 'hold', '127.0.0.1:7070', $sessions);
like(scalar <$out> // '', qr/: $sessions open in .*, 0 broken/, "$sessions clients were served and stay");
is(pools('in_use'), $sessions, 'each has a session on a machine of its own');
my @now = descriptors(@gateways);
is($now[0] + $now[1] - $before[0] - $before[1], 2 * $sessions,
	'a quiet session holds two descriptors and no pipe');
cmp_ok($_, '>', $sessions / 2, 'a gateway has its half, more or less') for @now;
my $bytes = (memory($engine, @gateways) - $quiet_kib) * 1024 / $sessions;
cmp_ok($bytes, '<=', 8192, sprintf 'engine and gateways hold %d bytes for a session', $bytes);
subscribers();
close $in;
like(scalar <$out> // '', qr/^again: $sessions of $sessions answered, 0 broken/, 'each still answers');
waitpid $load, 0;
ok(wait_for('the end', 30, sub { pools('ready') == $sessions }), 'all machines are free again');
is_deeply([descriptors(@gateways)], \@before, 'and no descriptor is left');
remuda('engine', 'stop');
kill 'TERM', $echo;
waitpid $echo, 0;

# ---- an allocation's cost -----------------------------------------------------

SKIP: {
	skip('needs valgrind to count instructions', 1) unless grep { -x "$_/valgrind" } split /:/, $ENV{PATH};
	my %cost = map { $_ => instructions($_) } 10, 10_000;
	my $ratio = $cost{10_000} / ($cost{10} || 1);
	ok($ratio > 0.9 && $ratio < 1.1, sprintf 'request, accept, end and clean: %d instructions over 10 machines, %d over 10,000',
		map { $_ / 1000 } @cost{10, 10_000});
}

# ---- subscribers ---------------------------------------------------------------

sub subscriber {
	my $s = IO::Socket::UNIX->new(Peer => "$ENV{REMUDA_RUN_DIR}/control.sock") or die "control.sock: $!";
	print $s qq({"verb":"subscribe","id":1}\n);
	return $s;
}

# All of it in small parts, what a first screen needs at once; nothing is kept for
# one that does not read.
sub subscribers {
	my $kib = memory($engine);
	my $deaf = subscriber();
	my ($s, %more, %items, @topics, $most) = (subscriber(), machines => 1, sessions => 1);
	while (($more{machines} || $more{sessions}) && defined(my $line = <$s>)) {
		my $m = JSON::PP::decode_json($line);
		push @topics, $m->{topic} // next;
		next unless exists $m->{more};
		$more{ $m->{topic} } = $m->{more};
		$most = @{ $m->{items} } if @{ $m->{items} } > ($most // 0);
		delete $items{ $m->{topic} } if $m->{full};
		$items{ $m->{topic} }{ $_->{id} }++ for $m->{topic} =~ /^(?:machines|sessions)$/ ? @{ $m->{items} } : ();
	}
	my %first = map { $_ => 1 } @topics[0 .. 12];
	is(scalar keys %first, 12, 'a subscriber hears of every topic first');
	for my $topic (qw(machines sessions)) {
		is(scalar keys %{ $items{$topic} }, $sessions, "and then of all $topic");
		is(scalar(grep { $_ > 1 } values %{ $items{$topic} }), 0, 'of each once');
	}
	is($most, 100, 'no more than a hundred in one line');
	cmp_ok(memory($engine) - $kib, '<', 4096, 'the engine keeps little for one that does not read');
	close $_ for $s, $deaf;
}

sub instructions {
	my ($machines) = @_;
	my ($rc, $text) = run_out("valgrind --tool=callgrind --callgrind-out-file=/dev/null --toggle-collect=rounds $build/tests/bench/allocate $machines 1000");
	note $text if $rc;
	return $text =~ /Collected : (\d+)/ ? $1 : 0;
}

done_testing();
