#!/usr/bin/perl
# `remuda engine upgrade` with users on machines: two copies of the program play
# two versions.  Sessions go on byte for byte, new ones come by gateways of the new
# program, old gateways end with their last session, and every socket is listened
# on by who lives; an upgrade that fails brings the old engine back.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use File::Copy qw(copy);
use IO::Select;
use IO::Socket::INET;
use Test::More;
use Time::HiRes qw(time);
use Lab;

$SIG{PIPE} = 'IGNORE';
lab_enter(tools => [qw(virtlogd libvirtd virsh)]);
lab_echo(7007);
# The test driver in a daemon, held open by another: its domains outlive engines.
lab_libvirtd();
my $holder = open my $held, '-|', 'exec virsh -c test+unix:///default event --loop --event lifecycle 2>&1' or die;
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test+unix:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 6, max = 12, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "10 s" }
listener "door" { door = "direct", address = "127.0.0.1:7070", application = "echo", user = "kiosk", wait = "10 s" }
user "anna" { }
user "kiosk" { limit = 100 }
LUA

# A program of its own in a folder of its own.
sub program {
	my ($name) = @_;
	mkdir "$Lab::dir/$name";
	copy("$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda', "$Lab::dir/$name/remuda") or die;
	chmod 0755, "$Lab::dir/$name/remuda";
	return "$Lab::dir/$name/remuda";
}
my ($old, $new) = map { program($_) } qw(old new);
sub exe_of { my %n; $n{readlink("/proc/$_/exe") =~ s/ \(deleted\)//r}++ for pids_of_role($_[0]); join ' ', map { "$_:$n{$_}" } sort keys %n }
sub gateways { @{ remuda_json('gateway list')->{items} // [] } }

# A client by tcp that says something and reads it back.
sub visit {
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:7070', Timeout => 10) or return "connect: $!";
	return talk($s, "hello\n") || talk($s, "ping\n", "ping\n") || do { close $s; '' };
}
sub talk {
	my ($s, $want, $say) = @_;
	syswrite $s, $say if defined $say;
	my ($got, $end) = ('', time + 20);
	while (length $got < length $want && time < $end) {
		IO::Select->new($s)->can_read(1) or next;
		sysread $s, $got, 4096, length $got or return "closed after '$got'";
	}
	return $got eq $want ? '' : "'$got'";
}

my ($rc, $out) = run_out("$old engine start --gateways 2");
is($rc, 0, 'the old engine') or diag $out;
ok(wait_for('machines', 60, sub { 6 == grep { $_->{state} eq 'ready' } machines() }), 'six machines');
is(exe_of('gateway'), "$old:2", 'two gateways of the old program');

# Users on both gateways.
my @clients;
for (1 .. 30) {
	my %on = map { $_->{index} => $_->{sessions} } gateways();
	last if $on{0} && $on{1};
	my $s = IO::Socket::INET->new('127.0.0.1:7070') or die;
	is(talk($s, "hello\n"), '', 'a user comes') or last;
	push @clients, $s;
	ok(wait_for('counted', 10, sub { @clients == sessions() }), 'and is counted');
}
my $anna = connect_start('--user', 'anna', 'echo');
ok(wait_for('anna', 10, sub { session_of('anna') }), 'anna comes by the unix socket');
ok(!(grep { !$_->{sessions} } gateways()), 'both gateways carry somebody');
my $before = remuda_json('info')->{item}{pid};
my %machine = map { $_->{id} => $_->{machine} } sessions();

# ---- the upgrade, while others come and go ---------------------------------------------------
my $visitors = fork // die;
if (!$visitors) {
	close $_ for @clients, @$anna{qw(in out)};	# else they would not end with us
	my ($n, @bad) = (0);
	while (!-e "$Lab::dir/enough") { my $e = visit(); $n++; push @bad, $e if $e }
	spew("$Lab::dir/visited", join "\n", $n, @bad);
	POSIX::_exit(0);
}
($rc, $out) = run_out("$new engine upgrade");
is($rc, 0, 'the upgrade') or diag $out, slurp("$Lab::dir/state/engine.log");
like($out, qr/^engine upgraded: \S+ -> \S+, pid \d+; \d gateways? carr/m, 'says what it did');
my ($backup) = $out =~ /^the store before it: (\S+)$/m;
ok(-s $backup, 'a copy of the store was made before');
isnt(remuda_json('info')->{item}{pid}, $before, 'another engine');
is(readlink('/proc/' . remuda_json('info')->{item}{pid} . '/exe'), $new, 'of the new program');
is_deeply({ map { $_->{id} => $_->{machine} } grep { $machine{$_->{id}} } sessions() }, \%machine, 'each session is where it was');
is(talk($_, "still here\n", "still here\n"), '', 'and goes on') for @clients;
print { $anna->{in} } "anna too\n";
ok(wait_for('drained', 30, sub { my @g = gateways(); 2 == grep { $_->{draining} } @g }), 'the old gateways are drained');
ok(wait_for('a helper', 30, sub { grep { !$_->{outdated} && $_->{state} eq 'up' } gateways() }), 'another of the new program has taken their place');
is(visit(), '', 'who comes now is served') for 1 .. 20;
like(exe_of('gateway'), qr{^\Q$new\E:1 \Q$old\E:2$}, 'by the new program');
is(talk($_, "and still\n", "and still\n"), '', 'nobody of before has noticed') for @clients;

# The last of before leave.
is((remuda('engine upgrade --dry-run'))[0], 0, 'a dry run of another does nothing');
close $_ for @clients;
ok(wait_for('one is gone', 30, sub { exe_of('gateway') =~ /\Q$old\E:1/ || exe_of('gateway') !~ /\Q$old\E/ }), 'a gateway ends with its last session');
my $got = '';
{ my $end = time + 10; while ($got !~ /anna too\n/ && time < $end) { IO::Select->new($anna->{out})->can_read(1) && sysread $anna->{out}, $got, 100, length $got } }
is($got, "hello\nanna too\n", 'anna has lost no byte');
is(connect_end($anna), 0, 'and leaves');
ok(wait_for('renewed', 60, sub { exe_of('gateway') eq "$new:2" && 2 == gateways() }), 'two gateways, of the new program') or diag exe_of('gateway'), slurp("$Lab::dir/state/engine.log");
is(exe_of('ssh-starter'), "$new:2", 'and their starters');
ok(!(grep { $_->{outdated} || $_->{draining} } gateways()), 'none is old');
is(visit(), '', 'who comes is served') for 1 .. 20;
spew("$Lab::dir/enough", '');
waitpid $visitors, 0;
my ($n, @bad) = split /\n/, slurp("$Lab::dir/visited");
cmp_ok($n, '>', 20, "$n visitors came and went meanwhile");
# One that was accepted by the kernel and by nobody else may be reset; not more.
cmp_ok(scalar @bad, '<=', 2, 'and were served') or diag "@bad";
is_deeply([ grep { $_->{severity} eq 'fail' } @{ remuda_json('event list --limit 200')->{items} } ], [], 'no event says that something failed');
ok(!(grep { $_->{state} ne 'closed' } sessions('--history --limit 200')), 'every session was closed, none lost or failed');

# ---- one that fails -----------------------------------------------------------------------------------
my $third = program('third');
$anna = connect_start('--user', 'anna', 'echo');
ok(wait_for('anna', 10, sub { session_of('anna') }), 'anna is back');
# A program that is deleted while it runs cannot start its roles.
($rc, $out) = run_out("exec 9<$third; rm $third; /proc/self/fd/9 engine upgrade");
is($rc, 1, 'an upgrade that fails');
like($out, qr/^error: .*; the old engine runs again, pid \d+$/m, 'brings the old engine back') or diag $out;
is(readlink('/proc/' . remuda_json('info')->{item}{pid} . '/exe'), $new, 'the one there was');
ok(wait_for('adopted', 20, sub { (session_of('anna') // {})->{state} eq 'active' }), 'with her session');
is(connect_end($anna), 0, 'which ends well');
is(visit(), '', 'and doors that work');

# ---- nobody there: at once ----------------------------------------------------------------------------
my $fourth = program('fourth');
ok(wait_for('nobody', 20, sub { !sessions() }), 'nobody is there');
($rc, $out) = run_out("$fourth engine upgrade --wait --json");
is($rc, 0, 'with --wait') or diag $out;
is(exe_of('gateway'), "$fourth:2", 'every gateway is of the new program when it returns');
is((run_out("$fourth --run-dir /run/nowhere engine upgrade"))[0], 5, 'no engine to upgrade: 5');
run_out("$fourth site close --yes");
kill 'TERM', $holder;
done_testing;
