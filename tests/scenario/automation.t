#!/usr/bin/perl
# The scripts that come with Remuda, each with a real engine: what its dry run
# says, and what it does.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use POSIX qw(strftime);
use Test::More;
use Lab;

lab_enter();
lab_echo(7007);
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "bad" { endpoint = "tcp:127.0.8.{index}:9", identity = "none", agent = false,
	ready = function(machine) return machine:tcp(9) end, ready_deadline = "1 s" }
pool "echo" { application = "echo", serve = 2, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "bad" { application = "bad", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB", boot_deadline = "1 s" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
user "anna" { applications = { "echo" } }
user "ben" { applications = { "echo" } }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines('echo') }), 'two machines');
sub run { my ($rc, $out) = run_out("$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda', @_); return ($rc, $out) }
sub pool { my ($name) = @_; my ($p) = grep { $_->{name} eq $name } @{ remuda_json('pool list')->{items} }; $p }

# ---- nightly ---------------------------------------------------------------------------
ok(wait_for('a failure', 90, sub { grep { $_->{state} eq 'quarantined' } machines('bad') }), 'a machine failed three times');
my ($failed) = machines('bad');
my ($rc, $out) = run('run nightly');
is($rc, 1, 'nightly: a pool is short of machines') or note $out;
unlike($out, qr/taken away/, 'but it did not fail long enough');
like($out, qr{^pool/bad: 0 in use, 0 ready, 1 bad, 0 waiting}m, 'it says how the pools are');
like($out, qr/^last 24 h: 0 sessions, 0 lost, 0 failed, 0 refused$/m, 'and how the day was');
ok(wait_for('old enough', 20, sub { (run('run -n nightly --older', "'1 s'"))[1] =~ m{^would delete machine/\Q$failed->{name}\E \(quarantined}m }), 'a dry run names it');
is((machines('bad'))[0]{id}, $failed->{id}, 'and leaves it');
($rc, $out) = run('run nightly --older', "'1 s'");
like($out, qr{^machine/\Q$failed->{name}\E is taken away: }m, 'it is deleted, with the reason why it had failed');
ok(wait_for('it is gone', 20, sub { !grep { $_->{id} == $failed->{id} } machines('bad') }), 'and gone');
like((run('audit list --no-header --limit 1 -o COMMAND,ARGUMENTS'))[1], qr/machine\.delete.*nightly: failed for 1 s/, 'the audit log says why');
is((run('run nightly --oldr 3'))[0], 1, 'an option that is none');

# ---- class at one ------------------------------------------------------------------------
($rc, $out) = run(q(run -n class_at_one --pool echo --machines 5 --lead '20 min'));
is($rc, 0, 'class: a dry run') or note $out;
like($out, qr{^every Mon-Fri 12:40:00:\npool/echo serve 2 -> 5, .*\n(?:.*\n)*?would wait for pool/echo: .*\n(?:.*\n)*every Mon-Fri 15:00:\nwould reset pool/echo}m, 'the whole day at once')
	or note $out;
is(pool('echo')->{serve}, 2, 'nothing was changed');
my ($from, $till) = map { strftime('%H:%M:%S', localtime time + $_) } 2, 6;
my $pid = open my $class, '-|', "exec $Lab::top/" . ($ENV{BUILD} // 'build') . "/remuda run class_at_one --pool echo --machines 5 --from $from --till $till --lead '1 s' --once 2>&1" or die;
ok(wait_for('five', 20, sub { pool('echo')->{ready} == 5 }), 'before the class its machines are there');
$out = do { local $/; <$class> };
waitpid $pid, 0;
is($? >> 8, 0, 'it ends after the class') or note $out;
like($out, qr{^class at $from: 5 of 5 machines are ready$}m, 'it says that they were ready');
like($out, qr{^pool/echo is as the site file has it: serve 2}m, 'and gives them back');
ok(wait_for('two', 20, sub { pool('echo')->{total} == 2 }), 'they are gone');

# ---- usage report -------------------------------------------------------------------------
for my $user (qw(anna anna ben)) {
	is((connect_run("12345\n", '--user', $user, '--confirm', 'echo'))[0], 0, "a session of $user");
}
my $month = strftime('%Y-%m', localtime);
($rc, $out) = run("run usage_report --month $month");
is($rc, 0, 'usage report');
my @lines = split /\n/, $out;
is($lines[0], 'user,sessions,hours,seconds,lost,bytes_in,bytes_out', 'its columns');
like($lines[1], qr/^anna,2,0\.\d\d,\d+,0,12,24$/, 'two sessions of anna');
like($lines[2], qr/^ben,1,0\.\d\d,\d+,0,6,12$/, 'one of ben');
is(scalar @lines, 3, 'and nobody else');
is((run('run usage_report'))[1], "user,sessions,hours,seconds,lost,bytes_in,bytes_out\n", 'last month there was nobody');
like((run("run usage_report --month $month --format json"))[1], qr/"user": "anna"/, 'as JSON');
is((run('run usage_report --month november'))[0], 2, 'a month that is none');

# ---- drain a host ---------------------------------------------------------------------------
my $client = connect_start('--user', 'anna', 'echo');
ok(wait_for('a session', 10, sub { session_of('anna') }), 'anna is on a machine');
($rc, $out) = run('run -n drain_host --host local');
like($out, qr{^pool/echo serve 2 -> 0, .*^session/\d+: anna is on echo-\d+ since}ms, 'drain: a dry run says who is there') or note $out;
is(pool('echo')->{serve}, 2, 'and changes nothing');
($rc, $out) = run(q(run drain_host --host local --patience '500 ms'));
is($rc, 7, 'somebody stays: 7');
is(scalar(machines('echo')), 1, 'only her machine is left');
is(session_of('anna')->{state}, 'active', 'and her session goes on');
($rc, $out) = run(q(run drain_host --host local --patience '500 ms' --evict));
is($rc, 0, 'with --evict she has to leave') or note $out;
like($out, qr{^host/local carries no machine$}m, 'and nobody is there');
is(scalar(machines()), 0, 'nor anything');
connect_end($client);
($rc, $out) = run('run drain_host --host local --undo');
is($rc, 0, 'undo') or note $out;
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines('echo') }), 'the machines are back');
is((run('run drain_host --host nowhere'))[0], 4, 'a host that is none: 4');
remuda('site close', '--yes');
done_testing;
