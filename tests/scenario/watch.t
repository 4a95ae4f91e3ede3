#!/usr/bin/perl
# What an operator hears of without looking: a disk that fills up stops new
# machines and nothing else, alarms leave the console by a program of his, and
# the log goes to syslogd.  The state directory is a file system of 64 MiB.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::UNIX;
use Socket qw(SOCK_DGRAM);
use Test::More;
use Lab;

my $dir = lab_enter();
my $echo = lab_echo(7007);
mkdir $_ for "$dir/state", "$dir/alarms";
system("mount -t tmpfs -o size=64m,mode=0700 none $dir/state") == 0 or die 'tmpfs';
# The program: one file for each alarm, then what the test wants of it.
spew("$dir/alarm", <<"SH");
#!/bin/sh
printf '%s\\n' "\$1" "\$2" "\$3" "\$REMUDA_SITE" "\$REMUDA_KIND" "\$(env | grep -c REMUDA_)" "\$PWD" >$dir/alarms/.\$REMUDA_EVENT
mv $dir/alarms/.\$REMUDA_EVENT $dir/alarms/\$REMUDA_EVENT
test ! -e $dir/hang || exec sleep 1000
SH
chmod 0755, "$dir/alarm";
sub site {
	my ($alarm) = @_;
	lab_site(<<"LUA");
site "lab" { peers = true, disk_reserve = "24 MiB", alarm = "$alarm" }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 8, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "anna" {}
LUA
}
sub alarms { map { [ split /\n/, slurp("$dir/alarms/$_") ] } sort { $a <=> $b } map { m{/(\d+)$} } glob "$dir/alarms/*" }
sub alarm_like { my ($kind, $object) = @_; my ($a) = grep { $_->[4] eq $kind && $_->[1] eq $object } alarms(); $a }
sub ready { scalar grep { $_->{state} eq 'ready' } machines() }
sub host { (remuda_json('host list')->{items} // [{}])->[0] }

# ---- the log at syslogd; a program that cannot be run -----------------------------
my $syslog = IO::Socket::UNIX->new(Type => SOCK_DGRAM, Local => "$dir/log.sock") or die "log.sock: $!";
my $syslogd = fork // die;
if (!$syslogd) {
	open my $out, '>>', "$dir/heard" or die;
	while (sysread $syslog, my $record, 8192) { syswrite $out, "$record\n" }
	POSIX::_exit(0);
}
sub heard { slurp("$dir/heard") }
for (["$dir/nowhere", qr/the alarm program \S+\/nowhere cannot be run: No such file/], ['true', qr/must be the whole path/]) {
	site($_->[0]);
	my ($rc, $out) = remuda('engine', 'start', '--gateways', 1);
	isnt($rc, 0, "alarm = $_->[0]: no start");
	like($out . slurp("$dir/state/engine.log"), $_->[1], 'and it says why');
}
site("$dir/alarm");
lab_engine('--gateways', 1, '--log', "syslog:$dir/log.sock");
ok(wait_for('machines', 30, sub { ready() == 2 }), 'two machines are ready');
ok(wait_for('the log', 10, sub { heard() =~ /^<30>\w{3} [ \d]\d \d\d:\d\d:\d\d remuda-engine\[\d+\]: machine echo-02: .*ready/m }),
	'the log is at syslogd') or diag heard();
my ($gateway) = pids_of_role('gateway');
ok(wait_for('the roles', 10, sub { my %said = map { $_ => 1 } heard() =~ /remuda-(\w+)\[/g; $said{engine} && $said{hypervisor} }),
	'that of other roles too') or diag heard();
like(host()->{disk_mib}, qr/^[456]\d$/, 'the room on the disk is shown');

# ---- a disk that fills up ------------------------------------------------------------
my $c = connect_start('--user', 'anna', 'echo');
readline $c->{out};
my ($held) = map { $_->{machine} } sessions();
spew("$dir/state/fill", "\0" x (48 << 20));
ok(wait_for('the watch', 30, sub { host()->{disk_mib} < 24 }), 'it is filled up');
my $a = wait_for('the alarm', 30, sub { alarm_like('DISK', 'host/local') });
is($a->[0], 'fail', 'an alarm leaves the console');
like($a->[2], qr/^host local has \d+ MiB left for disks, its reserve is 24 MiB: no machine is made there$/, 'in words');
is($a->[3], 'lab', 'with the site');
is($a->[5], '4', 'and its number and time');
is($a->[6], '/', 'in no folder of ours');
ok(wait_for('the other', 30, sub { alarm_like('DISK', 'site/lab') }), 'the store\'s room is another alarm');
is((remuda('pool', 'scale', 'echo', 4))[0], 0, 'two more machines are wanted');
my ($p) = @{ remuda_json('pool list')->{items} };
like($p->{reason}, qr/no machine is made there/, 'the pool says why there are none');
print { $c->{in} } "still\n";
is(readline $c->{out}, "still\n", 'the session goes on');
is((connect_run("word\n", '--user', 'anna', 'echo'))[1], "hello\nword\n", 'another gets the machine that is there');
connect_end($c);
ok(wait_for('clean', 20, sub { machine($held)->{state} eq 'ready' }), 'machines come back from their users');
is(scalar(grep { $_->{state} eq 'defined' } machines()), 2, 'and none was made');
unlink "$dir/state/fill";
ok(wait_for('made', 30, sub { ready() == 4 }), 'with room again both are made');
ok(wait_for('the store', 30, sub { alarm_like('DISK', 'site/lab') && 4 == grep { $_->{kind} eq 'DISK' } @{ remuda_json('event list --limit 500')->{items} } }),
	'the store has room again too');
my @told = map { "$_->{severity} $_->{object}" } grep { $_->{kind} eq 'DISK' } @{ remuda_json('event list --limit 500')->{items} };
is_deeply([ sort @told ], [ 'fail host/local', 'fail site/lab', 'info host/local', 'info site/lab' ], 'history has both ends, once');

# ---- an alarm program that hangs --------------------------------------------------------
# Six warnings, four programs that do not end: nothing waits for them.
spew("$dir/hang", '');
my $loud = sub { scalar grep { $_->{severity} ne 'info' } @{ remuda_json('event list --limit 500')->{items} } };
my $before = $loud->();
ok(wait_for('every alarm', 30, sub { $before == (() = alarms()) }), 'one alarm for each event that is no mere information');
my $most = 0;
my $running = sub {
	my $n = grep { slurp("$_/cmdline") eq "sleep\0001000\0" } glob '/proc/[0-9]*';
	$most = $n if $n > $most;
	return $n;
};
for my $n (1 .. 3) {
	my $now = $loud->();
	kill 'KILL', pids_of_role('hypervisor');
	# It went, and its machines with it.
	ok(wait_for("warning $n", 30, sub { $running->(); $loud->() == $now + 2 }), "two warnings more, $n") or last;
	ok(wait_for('up', 30, sub { $running->(); (host()->{state} // '') eq 'up' && ready() == 4 }), 'and the machines are back');
}
is((connect_run("word\n", '--user', 'anna', 'echo'))[1], "hello\nword\n", 'and users do not notice');
ok($most >= 1 && $most <= 4, "at most four programs ran at once, here $most");
unlink "$dir/hang";
ok(wait_for('the others', 60, sub { $running->() == 0 && $before + 6 == (() = alarms()) }), 'those that hang are ended, the others told');
like(heard(), qr/the alarm program did not end within 10 s and is ended/, 'which is in the log');
remuda('engine', 'stop');
kill 'TERM', $echo, $syslogd;
diag heard() unless Test::More->builder->is_passing;
done_testing;
