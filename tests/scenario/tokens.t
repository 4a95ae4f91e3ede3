#!/usr/bin/perl
# Tokens made at run time and failed logins, with the real engine and clients.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "other" { application = "other", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "tcp" { door = "native", address = "127.0.0.1:7070", user = "password", applications = "*", wait = "2 s" }
user "anna" { password = "\$y\$j9T\$MerPHxAYQlz4DVvVz3Czd/\$ejKYQL1XYRCfgXxzcz0KpyOUdQ7udKuEyoTHE806HD6" }
user "robot" { }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines are ready');

sub as {
	my ($user, $secret, $app) = @_;
	local $ENV{REMUDA_PASSWORD} = $secret;
	return connect_run("question\n", '--to', '127.0.0.1:7070', '--user', $user, $app);
}
my $token = qx{$Lab::top/build/remuda token create robot --once --for 1h --app echo 2>/dev/null};
my $rc = $? >> 8;
chomp $token;
is($rc, 0, 'a token is made');
like($token, qr/^rmd-[0-9a-f]{40}$/, 'and printed alone: 160 random bits');
my $db = slurp("$Lab::dir/state/remuda.db") . slurp("$Lab::dir/state/remuda.db-wal");
unlike($db, qr/\Q$token\E/, 'the store does not know it');
unlike(slurp("$Lab::dir/state/engine.log"), qr/\Q$token\E/, 'nor does the log');
($rc, my $out, my $err) = as('robot', $token, 'other');
like($err, qr/the token is for application echo only/, 'it is for one application');
($rc, $out, $err) = as('anna', $token, 'echo');
is($rc, 6, 'and one user');
($rc, $out, $err) = as('robot', $token, 'echo');
is($rc, 0, 'robot gets a machine with it') or diag $err;
($rc, $out, $err) = as('robot', $token, 'echo');
like($err, qr/good for one session and has been used/, 'once');
my ($t) = @{ remuda_json('token list')->{items} };
is($t->{state}, 'used', 'the list says so');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'and comes back');
($rc, $out, $err) = as('robot', $token, 'echo');
like($err, qr/has been used/, 'used for ever');
my $made = remuda_json('token create robot');
my $second = $made->{item}{token} // '';
is((as('robot', $second, 'other'))[0], 0, 'another without bounds');
is((as('robot', $second, 'echo'))[0], 0, 'works again and again');
my ($good) = grep { $_->{state} eq 'good' } @{ remuda_json('token list')->{items} };
is((remuda('token', 'delete', $good->{id}))[0], 0, 'until it is deleted');
($rc, $out, $err) = as('robot', $second, 'echo');
like($err, qr/user name or password is wrong/, 'then it is nobody\'s');
is((remuda('token', 'create', 'nobody'))[0], 4, 'nobody gets no token');

# Failed logins: the same words for a name that is not there, then a pause.
my %words;
for my $user ('anna', 'nobody-here') {
	for (1 .. 4) { ($rc, $out, $err) = as($user, 'wrong', 'echo'); $words{$err}++ }
}
is(scalar keys %words, 1, 'an unknown name is told the same as a wrong password');
($rc, $out, $err) = as('anna', 'remuda', 'echo');
is($rc, 6, 'after four failures even the right password waits');
like($err, qr/too many failed logins; try again in \d+ s/, 'and says for how long');
($rc, $out, $err) = as('nobody-here', 'remuda', 'echo');
like($err, qr/too many failed logins; try again in \d+ s/, 'so does the name that is not there');
my $passed = wait_for('the pause', 20, sub { (as('anna', 'remuda', 'echo'))[0] == 0 });
ok($passed, 'after the pause the right password is right');
my $third = remuda_json('token create robot')->{item}{token};
is((as('robot', $third, 'echo'))[0], 0, 'others from that address do not wait');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
