#!/usr/bin/perl
# Real clients through every front door, to a real service, with the real
# engine: what reaches the machine, and what a user sees when refused.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA qw(sha256_hex);
use IO::Socket::INET;
use Test::More;
use Lab;

my $dir = lab_enter(tools => [qw(curl nc openssl)]);
# The machines' application: a web service that tells who asks whom, and an
# echo for programs that speak no HTTP.
my $service = fork // die;
if (!$service) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		my $first = readline $c // '';
		if ($first =~ m{^GET (\S+) HTTP}) {
			while (defined(my $line = readline $c)) { last if $line =~ /^\r?\n$/ }
			my $text = "asked for $1\n";
			syswrite $c, "HTTP/1.0 200 OK\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
		} else {
			do { syswrite $c, "echo: $first" } while defined($first = readline $c);
		}
		POSIX::_exit(0);
	}
}
my $token = 'a-token-of-256-random-bits';
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "web" { application = "web", serve = 3, max = 3, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "other" { application = "other", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "http" { door = "connect", address = "127.0.0.1:3128", user = "password", applications = "*", wait = "1 s" }
listener "kiosk" { door = "connect", address = "127.0.0.1:3129", user = "kiosk", applications = { "web" }, wait = 0 }
listener "socks" { door = "socks5", address = "127.0.0.1:1080", user = "password", applications = "*", wait = "1 s" }
listener "open" { door = "socks5", address = "127.0.0.1:1081", user = "kiosk", applications = { "web" } }
user "anna" { password = "\$y\$j9T\$MerPHxAYQlz4DVvVz3Czd/\$ejKYQL1XYRCfgXxzcz0KpyOUdQ7udKuEyoTHE806HD6", applications = { "web" }, limit = 2 }
user "robot" { token = "@{[ sha256_hex($token) ]}" }
user "kiosk" { }
LUA
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'four machines are ready');

# Runs curl; (exit code, output, what it said with -v).
sub curl {
	my $err = "$dir/curl.err";
	my $out = qx{timeout 20 curl -sS -v --noproxy '' @_ 2>$err};
	return ($? >> 8, $out, slurp($err));
}

subtest 'curl through HTTP CONNECT' => sub {
	my ($rc, $out, $err) = curl('-p -x http://anna:remuda@127.0.0.1:3128 http://web:80/page');
	is($rc, 0, 'a password') or diag $err;
	is($out, "asked for /page\n", 'reaches the service');
	like($err, qr{< HTTP/1.1 200 Connection established}, 'through the tunnel');
	my ($number) = $err =~ m{< Remuda-Session: session/(\d+)};
	my ($s) = grep { $_->{id} == $number } sessions('--history');
	is($s->{user}, 'anna', 'and the session it names is hers');
	($rc, $out) = curl("-p -x http://robot:$token\@127.0.0.1:3128 http://other/");
	is($out, "asked for /\n", 'a token as a password');
	($rc, $out) = curl("-p -x http://127.0.0.1:3128 --proxy-header 'Proxy-Authorization: Bearer $token' http://other/");
	is($out, "asked for /\n", 'a bearer token');
	is(session_of('robot', '--history')->{application}, 'other', 'is its user');
	($rc, $out) = curl('-p -x http://127.0.0.1:3129 http://web/');
	is($out, "asked for /\n", 'a listener with a fixed user asks for nothing');
};

subtest 'curl is told why not' => sub {
	my ($rc, $out, $err) = curl('-p -x http://127.0.0.1:3128 http://web/');
	is($rc, 56, 'no password');
	like($err, qr{< HTTP/1.1 407 Proxy Authentication Required}, '407 in words');
	like($err, qr{< Proxy-Authenticate: Basic realm="http"}, 'with the scheme');
	($rc, $out, $err) = curl('-p -x http://anna:wrong@127.0.0.1:3128 http://web/');
	like($err, qr{CONNECT tunnel failed, response 407}, 'a wrong password');
	($rc, $out, $err) = curl("-p -x http://127.0.0.1:3128 --proxy-header 'Proxy-Authorization: Bearer no' http://web/");
	like($err, qr{response 407}, 'a token of nobody');
	($rc, $out, $err) = curl('-p -x http://anna:remuda@127.0.0.1:3128 http://other/');
	like($err, qr{response 403}, 'an application that is not hers');
	($rc, $out, $err) = curl("-p -x http://robot:$token\@127.0.0.1:3128 http://nothing/");
	like($err, qr{response 404}, 'an application that nobody offers');
	($rc, $out, $err) = curl('-p -x http://anna:remuda@127.0.0.1:3128 http://127.0.0.1/');
	like($err, qr{response 404}, 'an address is no application');
	($rc, $out, $err) = curl('-x http://anna:remuda@127.0.0.1:3128 http://web/');
	is($out, "this is a proxy for CONNECT only: use CONNECT APPLICATION\n", 'without a tunnel: the sentence');
	like($err, qr{< HTTP/1.1 405 }, 'and 405');
};

subtest 'curl through SOCKS 5' => sub {
	my ($rc, $out, $err) = curl('--socks5-hostname 127.0.0.1:1080 -U anna:remuda http://web/page');
	is($rc, 0, 'a password') or diag $err;
	is($out, "asked for /page\n", 'reaches the service');
	($rc, $out) = curl('--socks5-hostname 127.0.0.1:1081 http://web/');
	is($out, "asked for /\n", 'a listener with a fixed user asks for nothing');
	# curl's exit code is 97; its words carry the reply's number.
	($rc, $out, $err) = curl('--socks5-hostname 127.0.0.1:1080 -U anna:wrong http://web/');
	like($err, qr{SOCKS5 connection to web.* \(2\)}, 'a wrong password is not allowed');
	is($rc, 97, 'and curl says it was the proxy');
	($rc, $out, $err) = curl('--socks5-hostname 127.0.0.1:1080 -U anna:remuda http://other/');
	like($err, qr{\(2\)}, 'nor is another application');
	($rc, $out, $err) = curl("--socks5-hostname 127.0.0.1:1080 -U robot:$token http://nothing/");
	like($err, qr{\(4\)}, 'an unknown application is an unreachable host');
	($rc, $out, $err) = curl('--socks5 127.0.0.1:1080 -U anna:remuda http://127.0.0.1/');
	like($err, qr{\(8\)}, 'an address is not supported');
	($rc, $out, $err) = curl('--socks5-hostname 127.0.0.1:1080 http://web/');
	like($err, qr{authentication}i, 'without a password none is tried');
};

subtest 'nc through HTTP CONNECT and SOCKS' => sub {
	my ($rc, $out) = run_out(q{echo hello | timeout 20 nc -N -X connect -x 127.0.0.1:3129 web 80});
	is($out, "echo: hello\n", 'HTTP/1.0 CONNECT');
	($rc, $out) = run_out(q{echo hello | timeout 20 nc -N -X 5 -x 127.0.0.1:1081 web 80});
	is($out, "echo: hello\n", 'SOCKS 5');
	($rc, $out) = run_out(q{echo hello | timeout 20 nc -N -X connect -x 127.0.0.1:3129 other 80});
	like($out, qr/HTTP\/1.1 404|Proxy error/, 'what it says of a refusal');
};

subtest 'full' => sub {
	# Three machines, all held; anna may have two sessions at once.
	my @held;
	for (1 .. 3) {
		my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.1:3129') or die;
		print $s "CONNECT web HTTP/1.0\r\n\r\n";
		like(scalar readline $s, qr/ 200 /, "machine $_ is taken");
		push @held, $s;
	}
	my ($rc, $out, $err) = curl('-p -x http://127.0.0.1:3129 http://web/');
	like($err, qr{< HTTP/1.1 503 Service Unavailable.*< Retry-After: \d+}s, 'no machine: 503, and when to try again');
	($rc, $out, $err) = curl('-p -x http://anna:remuda@127.0.0.1:3128 http://web/');
	like($err, qr{< HTTP/1.1 503 }, 'nor after waiting');
	($rc, $out, $err) = curl('--socks5-hostname 127.0.0.1:1080 -U anna:remuda http://web/');
	like($err, qr{\(6\)}, 'SOCKS: the time is over');
	close $_ for @held;
	ok(wait_for('machines', 20, sub { 3 == grep { $_->{state} eq 'ready' } machines('web') }), 'they come back');
};

my @refused = grep { $_->{state} eq 'refused' } @{ remuda_json('request list --history --limit 100')->{items} // [] };
cmp_ok(scalar @refused, '>=', 10, 'the history has every refusal of a complete request');
is((grep { !$_->{text} } @refused), 0, 'each with its reason');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $service;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
