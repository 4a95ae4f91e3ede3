#!/usr/bin/perl
# Who may have what, with the real engine and real clients: passwords, tokens,
# peer credentials, rights, limits, repeated request ids (S7, S16).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
my $token = 'a-token-of-256-random-bits';
my ($login) = getpwuid $>;
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 6, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "other" { application = "other", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "tcp" { door = "native", address = "127.0.0.1:7070", user = "password", applications = { "echo", "other" }, wait = "2 s" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = { "echo" } }
user "anna" { password = "\$y\$j9T\$MerPHxAYQlz4DVvVz3Czd/\$ejKYQL1XYRCfgXxzcz0KpyOUdQ7udKuEyoTHE806HD6", applications = { "echo" }, limit = 2 }
user "robot" { token = "@{[ sha256_hex($token) ]}", applications = "*" }
user "owner" { uid = 0, applications = "*" }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 7 == grep { $_->{state} eq 'ready' } machines() }), 'seven machines are ready');

sub tcp {
	my ($user, $secret, $app, @more) = @_;
	local $ENV{REMUDA_PASSWORD} = $secret;
	return connect_run("question\n", '--to', '127.0.0.1:7070', '--user', $user, @more, $app);
}
my ($rc, $out, $err) = tcp('anna', 'remuda', 'echo');
is($rc, 0, 'a right password') or diag $err;
is($out, "hello\nquestion\n", 'reaches the machine and back');
is(session_of('anna', '--history')->{user}, 'anna', 'and the session is hers');
($rc, $out, $err) = tcp('anna', 'wrong', 'echo');
is($rc, 6, 'a wrong password is refused');
like($err, qr/user name or password is wrong/, 'in words that tell nothing more');
is($out, '', 'and no byte came from any machine');
($rc, $out, $err) = tcp('nobody-here', 'remuda', 'echo');
is($rc, 6, 'so is an unknown user');
like($err, qr/user name or password is wrong/, 'in the same words');
($rc, $out) = tcp('robot', $token, 'other');
is($rc, 0, 'a token');
($rc, $out, $err) = tcp('robot', "$token-not", 'other');
is($rc, 6, 'and not another');
($rc, $out, $err) = tcp('anna', 'remuda', 'other');
is($rc, 6, 'anna may not use the other application');
like($err, qr/user anna may not use application other/, 'and is told so');
($rc, $out, $err) = tcp('anna', 'remuda', 'mail');
is($rc, 4, 'an application that no listener offers is not found');
like($err, qr/does not offer application "mail"/, 'and the refusal names it');

($rc, $out) = connect_run("x\n", 'echo');
is($rc, 0, 'a local user by its uid');
is(session_of('owner', '--history')->{user}, 'owner', 'is the user of that uid');
($rc, $out, $err) = connect_run("x\n", 'other');
is($rc, 4, 'each listener offers its own applications');

# A limit of two, and request ids.
{
	local $ENV{REMUDA_PASSWORD} = 'remuda';
	my @anna = ('--to', '127.0.0.1:7070', '--user', 'anna');
	my @held = map { connect_start(@anna, '--request-id', "job-$_", 'echo') } 1 .. 2;
	readline $_->{out} for @held;
	($rc, $out, $err) = connect_run("x\n", @anna, 'echo');
	is($rc, 6, 'a third session of anna is refused');
	like($err, qr/user anna has 2 sessions or requests, the limit/, 'with her limit');
	connect_end($held[0]);
	($rc, $out, $err) = connect_run("x\n", @anna, '--request-id', 'job-2', 'echo');
	is($rc, 6, 'a repeated request id takes no second machine');
	like($err, qr/request job-2 already took session\/\d+/, 'and names the session it took');
	($rc, $out, $err) = connect_run("x\n", @anna, '--request-id', 'job-1', 'echo');
	is($rc, 6, 'nor does one whose session has ended');
	like($err, qr/request job-1 already took session\/\d+ .*closed/, 'and gives its outcome');
	connect_end($held[1]);
}
my $rows = grep { $_->{user} eq 'anna' } sessions('--history', '--limit', 100);
is($rows, 3, 'the history has anna\'s three sessions and no more');
my @refused = grep { $_->{state} eq 'refused' } @{ remuda_json('request list --history')->{items} // [] };
cmp_ok(scalar @refused, '>=', 8, 'and every refusal with its reason');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
