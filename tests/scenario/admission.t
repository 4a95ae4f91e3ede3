#!/usr/bin/perl
# Who may what, with the real engine and real clients: groups, allow rules,
# limits of every kind, disabled users, and the line of the site that says so.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
my $site = <<"LUA";
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false, limit = 1 }
pool "echo" { application = "echo", serve = 4, max = 4, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "other" { application = "other", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
listener "side" { door = "native", address = "unix:side.sock", user = "peer", applications = "*", wait = "2 s" }
user "anna" { }
user "ben" { }
user "carl" { }
user "owner" { uid = 0 }
group "students" { members = { "anna", "ben" }, limit = 2 }
group "staff" { members = { "owner", "carl" }, priority = 2 }
allow { groups = { "students" }, applications = "echo", listeners = { "unix" } }
allow { groups = { "staff" } }
LUA
lab_site($site);
my $line = 0;
for (split /\n/, $site) { $line++; last if /^allow/ }	# of the first rule
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 6 == grep { $_->{state} eq 'ready' } machines() }), 'six machines are ready');

sub as { my ($user, @more) = @_; connect_run("question\n", '--user', $user, @more) }
my ($rc, $out, $err) = as('anna', 'echo');
is($rc, 0, 'a rule lets anna in') or diag $err;
is($out, "hello\nquestion\n", 'to the machine and back');
($rc, $out, $err) = as('anna', 'other');
is($rc, 6, 'and not to the other application');
like($err, qr/no rule lets user anna have application other on listener unix/, 'in words that name all three');
($rc, $out, $err) = as('anna', '--socket', "$Lab::dir/run/side.sock", 'echo');
is($rc, 6, 'nor through the other door') or diag $err;
is((as('carl', 'other'))[0], 0, 'another rule lets carl have everything');

my $why = remuda_json('user why anna echo')->{items};
is(scalar @$why, 2, 'why tells of each door');
my %by = map { $_->{listener} => $_ } @$why;
ok($by{unix}{allowed}, 'allowed on the one');
is($by{unix}{place}, "site.lua:$line", 'by that line of the site');
ok(!$by{side}{allowed}, 'not on the other');
is($by{side}{code}, 'not_allowed', 'with the code the client would get');
is(scalar @{ remuda_json('user why anna echo unix')->{items} }, 1, 'one door when one is named');
($rc, $out) = remuda('user', 'why', 'nobody', 'echo');
is($rc, 4, 'nobody is no user');
($rc, $out) = remuda('user', 'why', 'anna', 'echo');
like($out, qr/LISTENER\s+ALLOWED\s+PLACE/, 'and as a table');

# Limits: of a group, of an application.
my @held = map { connect_start('--user', $_, 'echo') } qw(anna ben);
readline $_->{out} for @held;
($rc, $out, $err) = as('anna', 'echo');
is($rc, 6, 'the group has its two');
like($err, qr/group students has 2 sessions or requests, the limit; try again when one has ended/, 'and says so');
my ($g) = grep { $_->{name} eq 'students' } @{ remuda_json('group list')->{items} };
is($g->{sessions}, 2, 'the list of groups counts them');
my $c = connect_start('--user', 'carl', 'other');
readline $c->{out};
($rc, $out, $err) = as('owner', 'other');
like($err, qr/application other has 1 sessions or requests, the limit/, 'an application has its limit too');
connect_end($c);

# Disabled: no new session; the live one ends when asked.
($rc, $out) = remuda('user', 'disable', 'ben');
is($rc, 0, 'ben is disabled') or diag $out;
($rc, $out, $err) = as('ben', 'echo');
like($err, qr/user ben is disabled/, 'he is refused');
syswrite $held[1]{in}, "still here\n";
is(readline $held[1]{out}, "still here\n", 'his session goes on');
is((remuda('user', 'disable', 'ben', '--end-sessions'))[0], 0, 'until his sessions are ended as well');
ok(!defined readline $held[1]{out}, 'his client reads the end');
waitpid $held[1]{pid}, 0;
is((remuda('user', 'list', '--filter', 'ben', '-o', 'STATE', '--no-header'))[1], "disabled\n", 'the list shows it');
connect_end($held[0]);
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
ok(wait_for('the engine', 30, sub { 4 <= grep { $_->{state} eq 'ready' } machines() }), 'and comes back');
($rc, $out, $err) = as('ben', 'echo');
like($err, qr/user ben is disabled/, 'ben is still disabled');
is((remuda('user', 'enable', 'ben'))[0], 0, 'and enabled again');
is((as('ben', 'echo'))[0], 0, 'he may come back');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
