#!/usr/bin/perl
# TLS and source networks at the doors, with the real engine and real clients:
# certificates as users, new keys beside a live session, certificates that end,
# load balancers' PROXY headers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

my $dir = lab_enter(tools => [qw(curl openssl nc)]);
my $service = fork // die;
if (!$service) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		$c->autoflush(1);
		my $first = readline $c // '';
		if ($first =~ m{^GET (\S+) HTTP}) {
			while (defined(my $line = readline $c)) { last if $line =~ /^\r?\n$/ }
			my $text = "asked for $1\n";
			print $c "HTTP/1.0 200 OK\r\nContent-Length: " . length($text) . "\r\n\r\n$text";
		} else {
			do { print $c "echo: $first" } while defined($first = readline $c);
		}
		POSIX::_exit(0);
	}
}

# A CA and what it signs, in the site's folder.
my $tls = "$dir/site/tls";
mkdir $tls;
sub openssl { my ($rc, $out) = run_out("cd $tls && openssl @_"); die "openssl @_: $out" if $rc }
sub sign {
	my ($file, $cn, $days, $more) = @_;
	openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $file.key -out $file.csr -subj /CN=$cn");
	spew("$tls/$file.ext", $more // 'basicConstraints=CA:FALSE');
	openssl("x509 -req -in $file.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days $days -extfile $file.ext -out $file.pem");
}
openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 400 -subj /CN=lab-CA');
openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout foreign.key -out foreign.pem -days 400 -subj /CN=anna');
my $for_gateway = 'subjectAltName=IP:127.0.0.1';
sign('gateway', 'gateway', 300, $for_gateway);
sign('soon', 'gateway', 5, $for_gateway);
sign('anna', 'anna', 300);
sign('nobody', 'nobody', 300);

my $site = <<'LUA';
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "web" { application = "web", serve = 4, max = 4, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "http" { door = "connect", address = "127.0.0.1:3443", user = "certificate", applications = { "web" },
	tls = { certificate = "tls/gateway.pem", key = "tls/gateway.key", client_ca = "tls/ca.pem" } }
listener "plain" { door = "direct", address = "127.0.0.1:7443", user = "certificate", application = "web",
	tls = { certificate = "tls/gateway.pem", key = "tls/gateway.key", client_ca = "tls/ca.pem" } }
listener "open" { door = "socks5", address = "127.0.0.1:1443", user = "kiosk", applications = { "web" },
	tls = { certificate = "tls/soon.pem", key = "tls/soon.key" } }
listener "lan" { door = "direct", address = "0.0.0.0:7001", application = "web", proxy = { "127.0.9.0/24" },
	user = { ["127.0.0.0/8"] = "kiosk", ["127.0.3.0/24"] = "anna", ["127.0.3.7"] = "ben" , ["2001:db8::/32"] = "ben" } }
user "anna" { }
user "ben" { }
user "kiosk" { }
LUA
# With a wrong key the engine does not start, and says which file it is.
lab_site($site =~ s{gateway\.key}{anna.key}r);
my ($rc, $out) = remuda('engine', 'start', '--gateways', 2);
isnt($rc, 0, 'a key of another certificate: no start');
like($out . slurp("$dir/state/engine.log"), qr{site\.lua:5: listener "http": \S+/tls/anna\.key: it is not the key of the certificate in \S+/tls/gateway\.pem},
	'with the place, the files and the fault');
lab_site($site);
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'four machines are ready');

sub curl {
	my $err = "$dir/curl.err";
	my $text = qx{timeout 20 curl -sS -v -p --proxy-cacert $tls/ca.pem -x https://127.0.0.1:3443 @_ http://web/page 2>$err};
	return ($? >> 8, $text, slurp($err));
}
sub s_client {
	my ($input, $port, @args) = @_;
	# It waits for the server's end: the service closes after an answer.
	return run_out(qq{printf '$input' | timeout 20 openssl s_client -quiet -verify_return_error -CAfile $tls/ca.pem -connect 127.0.0.1:$port @args});
}

subtest 'curl through an HTTPS proxy' => sub {
	my ($rc, $out, $err) = curl("--proxy-cert $tls/anna.pem --proxy-key $tls/anna.key");
	is($rc, 0, 'a client certificate') or diag $err;
	is($out, "asked for /page\n", 'reaches the service');
	is(session_of('anna', '--history')->{listener}, 'http', 'as the user of its CN');
	($rc, $out, $err) = curl("--proxy-cert $tls/nobody.pem --proxy-key $tls/nobody.key");
	like($err, qr{< HTTP/1.1 403 Forbidden}, 'a certificate of no user');
	($rc, $out, $err) = curl("--proxy-cert $tls/foreign.pem --proxy-key $tls/foreign.key");
	isnt($rc, 0, 'a certificate of another CA');
	like($err, qr/alert|error/i, 'is a TLS error');
	($rc, $out, $err) = curl('');
	isnt($rc, 0, 'no certificate');
};

subtest 'openssl s_client at a direct door' => sub {
	my ($rc, $out) = s_client('GET /page HTTP/1.0\n\n', 7443, "-cert $tls/anna.pem -key $tls/anna.key");
	like($out, qr/^asked for \/page$/m, 'a client certificate');
	for my $version ('-tls1_2', '-tls1_3') {
		($rc, $out) = s_client('GET /page HTTP/1.0\n\n', 7443, "-cert $tls/anna.pem -key $tls/anna.key $version");
		like($out, qr/^asked for \/page$/m, $version);
	}
	($rc, $out) = s_client('GET /page HTTP/1.0\n\n', 7443, "-cert $tls/anna.pem -key $tls/anna.key -tls1_1 -cipher DEFAULT:\@SECLEVEL=0");
	unlike($out, qr/asked/, 'TLS 1.1 is refused');
	($rc, $out) = s_client('GET /page HTTP/1.0\n\n', 7443, "-cert $tls/nobody.pem -key $tls/nobody.key");
	unlike($out, qr/asked/, 'a certificate of no user gets nothing');
	my @refused = grep { $_->{listener} eq 'plain' } @{ remuda_json('request list --history')->{items} };
	is($refused[0]{text}, 'the certificate\'s name "nobody" is no user of this site', 'and the history says why');
	($rc, $out) = run_out('echo hello | timeout 20 nc -N 127.0.0.1 7443');
	is($out, '', 'plain text gets nothing');
};

subtest 'new keys beside a live session' => sub {
	POSIX::mkfifo("$dir/$_", 0600) or die for qw(go end);
	open my $old, '-|', "(echo before; cat $dir/go; echo after; cat $dir/end) | timeout 60 openssl s_client -quiet -no_ign_eof -CAfile $tls/ca.pem -connect 127.0.0.1:7443 -cert $tls/anna.pem -key $tls/anna.key 2>/dev/null" or die;
	like(scalar readline $old, qr/before/, 'a session flows');
	my $serial = sub { (run_out("echo | timeout 20 openssl s_client -connect 127.0.0.1:7443 -cert $tls/anna.pem -key $tls/anna.key 2>/dev/null | openssl x509 -noout -serial"))[1] };
	my $before = $serial->();
	like($before, qr/^serial=/, 'the certificate shown');
	# A broken file changes nothing.
	rename "$tls/gateway.pem", "$tls/kept.pem";
	spew("$tls/gateway.pem", "not a certificate\n");
	my ($rc, $out) = remuda('site', 'reload');
	isnt($rc, 0, 'a reload with a broken file fails');
	like($out, qr{tls/gateway\.pem: no certificate in PEM form is in it}, 'and names it');
	is($serial->(), $before, 'the old certificate is still shown');
	unlink "$tls/gateway.pem";
	sign('gateway', 'gateway', 300, $for_gateway);
	is((remuda('site', 'reload'))[0], 0, 'a reload with new files');
	ok(wait_for('the new certificate', 10, sub { $serial->() ne $before }), 'new connections are shown the new one');
	spew("$dir/go", '');
	like(scalar readline $old, qr/echo: after/, 'the old session goes on');
	spew("$dir/end", '');
	close $old;
	# SIGHUP is the same.
	$before = $serial->();
	sign('gateway', 'gateway', 300, $for_gateway);
	kill 'HUP', $Lab::engine;
	ok(wait_for('the next certificate', 10, sub { $serial->() ne $before }), 'SIGHUP reads the keys again');
};

subtest 'certificates that end' => sub {
	my ($e) = grep { $_->{kind} eq 'EXPIRY' } @{ remuda_json('event list --limit 500')->{items} };
	is($e->{object}, 'listener/open', 'the listener');
	like($e->{text}, qr{^the certificate in \S+/site/tls/soon\.pem expires in 4 days$}, 'the file and the days');
	my %l = map { $_->{name} => $_ } @{ remuda_json('listener list')->{items} };
	ok($l{open}{tls} && !$l{lan}{tls}, 'listener list: who has TLS');
	like($l{open}{tls_expires}, qr/^20\d\d-/, 'and until when');
	is($l{http}{user}, 'certificate', 'and whence the user comes');
	ok(wait_for('counts', 10, sub {
		my ($p) = grep { $_->{name} eq 'plain' } @{ remuda_json('listener list')->{items} };
		$p->{refused} >= 1 && $p->{turned_away} >= 2 && $p->{unauthenticated} == 0 }),
		'who was refused, turned away, and unauthenticated');
};

subtest 'users by network, load balancers' => sub {
	my $ask = sub {
		my ($from, $header) = @_;
		my $s = IO::Socket::INET->new(LocalAddr => $from, PeerAddr => '127.0.0.1:7001') or die;
		print $s ($header // '') . "hello\n";
		shutdown $s, 1;
		local $/;
		return readline($s) // '';
	};
	my $last = sub { my ($s) = sort { $b->{id} <=> $a->{id} } sessions('--history', '--limit', 100); "$s->{user} from $s->{peer}" =~ s/:\d+$//r };
	is($ask->('127.0.0.2'), "echo: hello\n", 'an address of the wide network');
	is($last->(), 'kiosk from 127.0.0.2', 'is its user');
	$ask->('127.0.3.6');
	is($last->(), 'anna from 127.0.3.6', 'the longer prefix wins');
	$ask->('127.0.3.7');
	is($last->(), 'ben from 127.0.3.7', 'the longest is an address');
	is($ask->('127.0.9.1', "PROXY TCP4 127.0.3.9 127.0.0.1 4711 7001\r\n"), "echo: hello\n", 'through a load balancer');
	is($last->(), 'anna from 127.0.3.9', 'the client counts');
	$ask->('127.0.9.1', pack('a12CCnx[0]a16a16nn', "\r\n\r\n\0\r\nQUIT\n", 0x21, 0x21, 36, pack('n8', 0x2001, 0xdb8, 0, 0, 0, 0, 0, 7), "\0" x 16, 4711, 7001));
	is($last->(), 'ben from [2001:db8::7]', 'PROXY v2, IPv6');
	is($ask->('127.0.9.1', "PROXY TCP4 192.0.2.1 127.0.0.1 4711 7001\r\n"), '', 'a client of no network is refused');
	is($ask->('127.0.9.1'), '', 'a load balancer without a header too');
	is($ask->('127.0.0.2', "PROXY TCP4 127.0.3.9 127.0.0.1 4711 7001\r\n"), "echo: PROXY TCP4 127.0.3.9 127.0.0.1 4711 7001\r\necho: hello\n",
		'who is none is not believed');
	is($last->(), 'kiosk from 127.0.0.2', 'and is who he is');
};
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $service;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
