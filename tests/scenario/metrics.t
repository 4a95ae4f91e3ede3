#!/usr/bin/perl
# Metrics with the real engine: what curl gets is Prometheus' text format, its numbers
# are true, and the listener is bounded whatever comes.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use Test::More;
use Lab;

lab_enter(tools => ['curl']);
my $echo = lab_echo(7007);
sub site {
	my ($metrics) = @_;
	return <<LUA;
site "lab" { $metrics }
host "local" { uri = "test:///default", boot_parallel = 8, memory = "1 GiB" }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
cluster "web" { application = "web", vip = "127.0.0.50", port = 8080, nodes = 2, max_nodes = 3,
	kernel = "none", memory = "32 MiB", health = { interval = "200 ms" } }
application "web" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
listener "tcp" { door = "direct", address = "127.0.0.1:7070", user = "kiosk", application = "echo", wait = "300 ms" }
user "kiosk" { limit = 5 }
LUA
}
lab_site(site('metrics = "127.0.0.1:9090"'));
lab_engine('--gateways', 2);

sub curl { my (@how) = @_; return scalar qx{curl -s --max-time 10 @how 2>&1} }
# name{labels} -> value; every line must be of the format.
sub metrics {
	my %m;
	for (split /\n/, curl('http://127.0.0.1:9090/metrics')) {
		next if /^# (HELP|TYPE) remuda_[a-z_]+ \S/;
		/^(remuda_[a-z_]+(?:\{[a-z]+="[^"]*"(?:,[a-z]+="[^"]*")*\})?) ([0-9]+(?:\.[0-9]+)?)$/ ? $m{$1} = $2 : fail("not of the format: $_");
	}
	return \%m;
}
sub until_is {
	my ($name, $value) = @_;
	ok(wait_for($name, 60, sub { (metrics()->{$name} // -1) == $value }), "$name is $value");
}
until_is('remuda_pool_ready{pool="echo"}', 2);
until_is('remuda_cluster_nodes_serving{cluster="web"}', 2);

# ---- the format ----------------------------------------------------------------------
my $head = curl('-i http://127.0.0.1:9090/metrics');
like($head, qr{^HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: (\d+)\r\nConnection: close\r\n\r\n}, 'head');
my ($length) = $head =~ /Content-Length: (\d+)/;
my ($body) = $head =~ /\r\n\r\n(.*)/s;
is(length $body, $length, 'its length is true');
my (%type, %seen, $last);
for (split /\n/, $body) {
	if (/^# TYPE (\S+) (\S+)$/) { ok(!$type{$1}, "$1 is declared once"); $type{$1} = $2 }
	elsif (/^(remuda_[a-z_]+?)(?:_bucket|_sum|_count)?(?:\{.*\})? /) {
		my $name = $type{$1} ? $1 : (/^(remuda_[a-z_]+)/)[0];
		ok($type{$name}, "$name has a type") unless $seen{$name}++;
		is($type{$name}, $name =~ /_total$/ ? 'counter' : $type{$name}, "$name is a counter") if $name =~ /_total$/ && $seen{$name} == 1;
	}
}
cmp_ok(scalar keys %type, '>', 30, scalar(keys %type) . ' families');
my %told = map { $_ => 1 } slurp("$Lab::top/share/man/remuda-usage.7") =~ /\b(remuda_[a-z_]+)/g;
is(join(' ', sort keys %told), join(' ', sort keys %type), 'remuda-usage(7) tells all of them and no other');
like(curl('-I http://127.0.0.1:9090/metrics'), qr{^HTTP/1.1 200 OK\r\n.*\r\n\r\n$}s, 'HEAD has no body');
like(curl('-i http://127.0.0.1:9090/'), qr{^HTTP/1.1 404 Not Found\r\n}, 'nothing else is here');
like(curl('-i -X POST -d x http://127.0.0.1:9090/metrics'), qr{^HTTP/1.1 (400|405) }, 'nothing is taken');
like(curl("-i 'http://127.0.0.1:9090/metrics?x=1'"), qr{^HTTP/1.1 200 OK\r\n}, 'a query changes nothing');

# ---- the numbers ----------------------------------------------------------------------
my $m = metrics();
is($m->{'remuda_sessions_begun_total'}, 0, 'no session yet');
is($m->{'remuda_host_up{host="local"}'}, 1, 'a host');
is($m->{'remuda_host_used_memory_bytes{host="local"}'}, 96 << 20, 'what machines use of it');
is($m->{'remuda_host_room_memory_bytes{host="local"}'}, 1 << 30, '... and may');
is($m->{'remuda_gateway_up{gateway="1"}'}, 1, 'gateways');
sub echo_on {
	my ($address, $port) = @_;
	my $s = IO::Socket::INET->new(PeerAddr => $address, PeerPort => $port, Timeout => 10) or return;
	syswrite $s, "ping\n";
	return join('', map { scalar <$s> // '' } 1 .. 2) eq "hello\nping\n" ? $s : undef;
}
my @held = map { echo_on('127.0.0.1', 7070) } 1 .. 2;
is(scalar(grep { $_ } @held), 2, 'two sessions');
$m = metrics();
is($m->{remuda_sessions}, 2, 'they live');
is($m->{'remuda_pool_machines{pool="echo",state="in_session"}'}, 2, 'on two machines');
is($m->{'remuda_session_wait_seconds_bucket{le="+Inf"}'}, 2, 'their waits are counted');
is($m->{'remuda_session_wait_seconds_count'}, 2, 'all of them');
ok(!echo_on('127.0.0.1', 7070), 'a third waits in vain');
until_is('remuda_requests_ended_total{end="refused"}', 1);
close $_ for @held;
until_is('remuda_sessions_ended_total{end="closed"}', 2);
until_is('remuda_sessions', 0);
close echo_on('127.0.0.50', 8080) for 1 .. 3;
until_is('remuda_cluster_transactions_total{cluster="web"}', 3);
is(metrics()->{'remuda_cluster_failed_total{cluster="web"}'}, 0, 'none failed');
is((remuda('cluster resize web --nodes 3 --wait'))[0], 0, 'a change');
until_is('remuda_changes_total{end="done"}', 1);
my ($before, $after) = (metrics(), metrics());
cmp_ok($after->{$_}, '>=', $before->{$_}, "$_ only grows") for grep { /_total/ } sort keys %$before;

# ---- bounds --------------------------------------------------------------------------------
my @idle = map { IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 9090, Timeout => 10) } 1 .. 40;
is(scalar(grep { $_ } @idle), 40, 'forty that say nothing');
my $closed = sub { my $n = 0; for (@idle) { my $r = ''; vec($r, fileno $_, 1) = 1; $n++ if select($r, undef, undef, 0) && !sysread $_, my $b, 1 } $n };
ok(wait_for('more than sixteen go at once', 20, sub { $closed->() >= 24 }), 'more than sixteen go at once');
ok(wait_for('the others are not waited for', 30, sub { $closed->() == 40 }), 'the others are not waited for long');
is(metrics()->{remuda_sessions}, 0, 'and it answers again');
my $long = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 9090, Timeout => 10);
print $long 'GET /' . 'x' x 5000;
like(do { local $/; <$long> // '' }, qr{^HTTP/1.1 431 }, 'a request without end');
my $slow = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 9090, Timeout => 10);
for (split //, "GET /metrics HTTP/1.0\r\n\r\n") { syswrite $slow, $_ }
like(do { local $/; <$slow> // '' }, qr{^HTTP/1.1 200 OK}, 'one that comes in pieces');

# ---- the site ------------------------------------------------------------------------------------
like((remuda('info'))[1], qr/^metrics\s+127.0.0.1:9090 \(listening\)$/m, 'info says where');
spew("$Lab::dir/site/site.lua", site('metrics = "127.0.0.1:9091"'));
is((remuda('apply --yes'))[0], 0, 'another address');
like(curl('-i http://127.0.0.1:9091/metrics'), qr{^HTTP/1.1 200}, 'is used');
is(curl('-i http://127.0.0.1:9090/metrics'), '', 'the old one not any more');
spew("$Lab::dir/site/site.lua", site('metrics = "127.0.0.1:7007"'));
is((remuda('apply --yes'))[0], 0, 'an address that is taken is no error of the site');
like((remuda('info'))[1], qr/^metrics\s+127.0.0.1:7007 \(address already in use\)$/m, 'but is shown');
spew("$Lab::dir/site/site.lua", site(''));
is((remuda('apply --yes'))[0], 0, 'none');
is(curl('-i http://127.0.0.1:9091/metrics'), '', 'nobody listens');

kill 'TERM', $echo;
done_testing();
