#!/usr/bin/perl
# 10,000 allocate-work-deallocate cycles over loopback machines while the engine
# is killed with SIGKILL at 20 random moments.  Every session a client was told
# of has its row, none twice, and those that ended as lost say so (S2, S3, S9).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Errno qw(EINPROGRESS EAGAIN);
use IO::Select;
use IO::Socket::INET;
use Socket;
use Test::More;
use Lab;

my $cycles = $ENV{CYCLES} // 10_000;
my $kills = $ENV{KILLS} // 20;
my $at_once = 32;
my $seed = $ENV{SEED} // $$;
srand $seed;

lab_enter();
note "seed $seed";

# ---- the machines' application: says which session it serves, echoes a line ------
my $echo = fork // die;
if (!$echo) { serve_echo(); POSIX::_exit(0) }

lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 16 }
application "echo" {
	endpoint = "tcp:127.0.7.{index}:7007", identity = "proxy", agent = false,
	ready = function(machine) return machine:tcp(7007) end,
}
pool "echo" {
	application = "echo", serve = 40, max = 40, recycle = "none",
	kernel = "none", memory = "16 MiB",
}
listener "door" { door = "direct", address = "127.0.0.1:7070", application = "echo", user = "kiosk", wait = "30 s" }
user "kiosk" { applications = "*", limit = 1000 }
LUA
my $engine = lab_engine();
ok(wait_for('40 machines ready', 60, sub { grep({ $_->{state} eq 'ready' } machines()) == 40 }),
	'40 loopback machines are ready');

# ---- clients ----------------------------------------------------------------------
my (%conn, %told, $done, $lost, $refused, $started, $killed);
($done, $lost, $refused, $started, $killed) = (0) x 5;
my $r = IO::Select->new;
# Moments of the run, in ended cycles.
my @kill_at = sort { $a <=> $b } map { int $cycles * (0.02 + rand 0.9) } 1 .. $kills;
my $t0 = now();
my $deadline = $t0 + ($ENV{LIMIT} // 300);

while ($done + $lost < $cycles && now() < $deadline) {
	start_one() while keys(%conn) < $at_once && $started < $cycles + 20 * $at_once
		&& $done + $lost + keys(%conn) < $cycles;
	for my $s ($r->can_read(0.05)) { read_one($s) }
	if (@kill_at && $done + $lost >= $kill_at[0]) {
		kill 'KILL', $engine;
		$killed++;
		shift @kill_at;
		$engine = lab_engine();
	}
}
my $took = now() - $t0;
is($done + $lost, $cycles, "$cycles cycles ended");
is($killed, $kills, "the engine was killed $kills times");
note sprintf '%d whole, %d cut, %.0f cycles/s with the kills in it', $done, $lost, $cycles / $took;
# The test driver's domains live in the hypervisor role and die with each engine:
# what is on them at that moment is cut.  Nothing else may be.
cmp_ok($done, '>=', $cycles * 0.95, 'nearly all cycles were whole');

# ---- what the store says -------------------------------------------------------------
ok(wait_for('no live session', 30, sub { !sessions() }), 'no session is left open');
my (%row, %why, $twice);
my $before = 0;
while (1) {
	my @rows = history($before);
	last unless @rows;
	for (@rows) { $twice++ if $row{ $_->{id} }; $row{ $_->{id} } = $_->{state}; $why{ $_->{id} } = $_->{end_text} }
	$before = $rows[-1]{id};
}
ok(!$twice, 'no session has two rows');
my @missing = grep { !$row{$_} } keys %told;
is_deeply(\@missing, [], 'every session a client was told of has its row') or note "seed $seed";
my %states;
$states{ $row{$_} }++ for keys %row;
note join ', ', map { "$states{$_} $_" } sort keys %states;
my @wrong = grep { $told{$_} eq 'whole' && $row{$_} eq 'failed' } keys %told;
is_deeply(\@wrong, [], 'no session that worked is recorded as never accepted');
# What a dying engine had read and not stored is told again to the next (S10).
my @untold = grep { $told{$_} eq 'whole' && $row{$_} eq 'lost' && $why{$_} =~ /does not hold it/ } keys %told;
is_deeply(\@untold, [], 'no end that a gateway knew is recorded as lost');
my @open = grep { $row{$_} !~ /^(closed|lost|failed)$/ } keys %row;
is_deeply(\@open, [], 'every row is final');
my ($rc, $audit) = remuda('engine', 'stop');
is($rc, 0, 'the engine stops') or note $audit;
kill "TERM", $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;

# ---- parts ---------------------------------------------------------------------------

sub history {
	my ($from) = @_;
	my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die "control: $!";
	<$sock>;
	print $sock qq({"id":1,"verb":"session.list","history":true,"limit":1000)
		. ($from ? qq(,"before":$from) : '') . "}\n";
	my @items;
	while (my $line = <$sock>) {
		my $o = JSON::PP->new->decode($line);
		die $line unless $o->{ok};
		push @items, @{ $o->{items} };
		last unless $o->{more};
	}
	return @items;
}

sub start_one {
	my $n = $started++;
	socket(my $s, PF_INET, SOCK_STREAM, 0) or die;
	bind($s, sockaddr_in(0, inet_aton('127.0.0.' . (2 + $n % 50)))) or die;
	$s->blocking(0);
	connect($s, sockaddr_in(7070, inet_aton('127.0.0.1'))) or $!{EINPROGRESS} or die "connect: $!";
	$conn{ fileno $s } = { s => $s, got => '', n => $n };
	$r->add($s);
}

sub over {
	my ($c, $whole) = @_;
	my ($session) = $c->{got} =~ m{^session/(\d+)\n};
	$told{$session} = $whole ? 'whole' : 'cut' if $session;
	$whole ? $done++ : $lost++;
	$r->remove($c->{s});
	delete $conn{ fileno $c->{s} };
	close $c->{s};
}

sub read_one {
	my ($s) = @_;
	my $c = $conn{ fileno $s } or return;
	my $n = sysread $s, my $buf, 4096;
	if (!defined $n) { over($c, 0) unless $!{EAGAIN}; return }
	if (!$n) { over($c, $c->{got} =~ /work $c->{n}\n\z/); return }
	$c->{got} .= $buf;
	if ($c->{got} =~ m{^session/\d+\n} && !$c->{asked}++) {
		syswrite $s, "work $c->{n}\n";
		shutdown $s, 1;
	}
}

# One process, all machines: any address of 127.0.7.0/24 on port 7007.
sub serve_echo {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 1024, ReuseAddr => 1) or die;
	my $sel = IO::Select->new($l);
	my %c;
	$SIG{PIPE} = 'IGNORE';
	while (1) {
		for my $s ($sel->can_read) {
			if ($s == $l) { my $n = $l->accept or next; $n->blocking(0); $sel->add($n); $c{ fileno $n } = ''; next }
			my $n = sysread $s, my $buf, 4096;
			next if !defined $n && $!{EAGAIN};
			my $id = fileno $s;
			if (!$n) { $sel->remove($s); delete $c{$id}; close $s; next }
			my $st = $c{$id};
			if (ref $st) { syswrite $s, $buf; next }
			$st = $c{$id} .= $buf;
			next if length $st < 16;
			my $len = unpack 'n', substr $st, 14, 2;
			next if length $st < 16 + $len;
			my ($name) = substr($st, 16, $len) =~ m{(session/\d+)};
			syswrite $s, ($name // 'session/0') . "\n" . substr($st, 16 + $len);
			$c{$id} = [];
		}
	}
}
