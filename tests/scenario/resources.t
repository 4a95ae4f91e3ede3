#!/usr/bin/perl
# Resources for machines with an address, with the real engine and gateways: who
# is let in, as whom, for how long; what whois, ident and the history say.  The
# "guests" are connections of this program from the machines' addresses.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);
my $served = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 5432, ReuseAddr => 1)
	or die "5432: $!";
sub site_text {
	my ($ben) = @_;
	return <<"LUA";
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false, resources = { "db" } }
pool "echo" { application = "echo", serve = 3, max = 3, recycle = "none", kernel = "none", memory = "16 MiB" }
resource "db" {
	address = "127.0.0.1:5432", listen = "127.0.0.1:6432",
	identity = "ident", ident = "127.0.0.1:113",
	access = { ["\@staff"] = true, ben = $ben },
}
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "anna" {} user "ben" {} user "carl" {}
group "staff" { members = { "anna", "ben" } }
LUA
}
lab_site(site_text('true'));
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines are ready');

# A connection of a "guest"; its own port is $fd->sockport.
sub guest {
	my ($ip) = @_;
	return IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 6432, LocalAddr => $ip, Timeout => 10);
}
# Is it let in?  Then both ends are returned.
sub let_in {
	my ($ip) = @_;
	my $g = guest($ip) or return;
	my $rin = '';
	vec($rin, fileno $_, 1) = 1 for $g, $served;
	select(my $r = $rin, undef, undef, 20) or return;
	return if !vec($r, fileno $served, 1);
	my $s = $served->accept;
	return ($g, $s);
}
sub cut { my ($fd) = @_; my $rin = ''; vec($rin, fileno $fd, 1) = 1;
	select($rin, undef, undef, 20) or return 0; !sysread($fd, my $x, 1) }
sub ident {
	my ($own, $other) = @_;
	my $c = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => 113, LocalAddr => '127.0.0.1') or return "no: $!";
	print $c "$own, $other\r\n";
	my $line = readline($c) // '';
	$line =~ s/\r\n//;
	return $line;
}
sub stay { my ($user) = @_; my $c = connect_start('--user', $user, 'echo'); readline $c->{out};
	($c->{machine}) = slurp($c->{err}) =~ / on (echo-\d+) as/; ($c->{ip}) = map { '127.0.7.' . ($_ + 0) } $c->{machine} =~ /(\d+)$/; $c }
sub whois { remuda_json('whois', @_)->{item} // {} }
sub resource { remuda_json('resource show db')->{item} // {} }

ok(!let_in('127.0.7.1'), 'a machine without a session is refused');
my $anna = stay('anna');
my ($g, $s) = let_in($anna->{ip});
ok($g, "anna's machine is let in, by the row of her group") or diag slurp("$Lab::dir/state/engine.log");
print $g "select\n";
is(readline $s, "select\n", 'and bytes flow');
is(ident($s->peerport, 5432), $s->peerport . ' , 5432 : USERID : UNIX : anna', 'ident says anna');
is(ident($s->peerport, 5433), $s->peerport . ' , 5433 : ERROR : NO-USER', 'and nobody of another pair of ports');
my $at = '127.0.0.1:' . $s->peerport;
ok(wait_for('the engine knows', 10, sub { whois($at)->{user} }), 'whois finds the connection the service has');
is(whois($at)->{user}, 'anna', 'and her');
is(whois($at)->{resource}, 'db', 'with the resource');
is(whois("$anna->{ip}:" . $g->sockport)->{machine}, $anna->{machine}, 'by the side of the machine, too');
is(whois($anna->{ip})->{user}, 'anna', 'whois by the address of the machine');
is(whois($anna->{machine})->{application}, 'echo', 'and by its name');
is((remuda('whois', '127.0.0.1:9'))[0], 4, 'an address of no connection is nobody');
is((remuda('whois', '127.0.7.77'))[0], 4, 'nor an address of no machine');

# The socket for services.
{
	my $path = "$Lab::dir/run/whois.sock";
	is(sprintf('%o', (stat $path)[2] & 0777), '666', 'whois.sock is for every service of this host');
	my $c = IO::Socket::UNIX->new(Peer => $path) or die "whois.sock: $!";
	is(decode_json(scalar readline $c)->{rights}, 'whois', 'and says so');
	print $c qq({"id":1,"verb":"whois","address":"$at"}\n);
	is(decode_json(scalar readline $c)->{item}{user}, 'anna', 'it answers whois');
	print $c qq({"id":2,"verb":"machine.list"}\n);
	is(decode_json(scalar readline $c)->{error}{code}, 'read_only', 'and nothing else');
}

# Another user's machine, and one without access.
my $carl = stay('carl');
ok(!let_in($carl->{ip}), 'carl has no row: his machine is refused');
print { $carl->{in} } "still\n";
is(readline $carl->{out}, "still\n", 'while his session on it is fine');
my $refused = wait_for('the refusal', 10, sub { my ($r) = grep { $_->{user} eq 'carl' } @{ resource()->{refusals} // [] }; $r });
is($refused->{machine}, $carl->{machine}, 'resource show names the machine that was refused');
is($refused->{text}, 'denied by the access table', 'and why');
is_deeply(session_of('carl')->{resources}, ['db (denied)'], 'his session shows it');
is_deeply(session_of('anna')->{resources}, ['db (allowed)'], 'and hers that she may');
my $shown = resource();
is($shown->{open}, 1, 'one connection is open');
is($shown->{connections}[0]{user}, 'anna', 'by anna');
cmp_ok($shown->{refused}, '>=', 2, 'refusals are counted');
my $ben = stay('ben');
my ($bg, $bs) = let_in($ben->{ip});
is(ident($bs->peerport, 5432), $bs->peerport . ' , 5432 : USERID : UNIX : ben', 'ben is ben');

# The access table changes under a live connection.
lab_site(site_text('false'));
is((remuda('site', 'reload'))[0], 0, 'a new access table without ben');
ok(cut($bg), 'cuts the connection that is open');
ok(!let_in($ben->{ip}), 'and refuses the next');
print $g "mine\n";
is(readline $s, "mine\n", "anna's is not touched");

my ($g2, $s2) = let_in($anna->{ip});
ok($g2, 'and she gets a second');

# The session's end.
is((connect_end($anna))[0], 0, "anna's session ends");
ok(cut($g) && cut($g2), 'her connections are cut at both ends') && ok(cut($s) && cut($s2), 'of them');
ok(wait_for('ready', 20, sub { (machine($anna->{machine})->{state} // '') eq 'ready' }), 'her machine is clean');
ok(!let_in($anna->{ip}), 'and refused at once');
is(ident($s->peerport, 5432), $s->peerport . ' , 5432 : ERROR : NO-USER', 'ident has forgotten her');
is((remuda('whois', $at))[0], 4, 'so has whois');
ok(!whois($anna->{machine})->{user}, 'her machine is nobody\'s');

# Gateway 0 dies under a session of the other gateway: its successor lets in again.
my ($zero) = map { $_->{pid} } grep { $_->{index} == 0 } @{ remuda_json('gateway list')->{items} };
kill 'STOP', $zero;	# so that the other accepts
$anna = stay('anna');
kill 'CONT', $zero;
is(session_of('anna')->{gateway}, 1, 'a session of gateway 1');
ok(wait_for('let in', 20, sub { ($g, $s) = let_in($anna->{ip}) }), 'is let in by gateway 0');
kill 'KILL', $zero;
ok(cut($g), 'which dies with the connection');
ok(wait_for('let in again', 20, sub { ($g, $s) = let_in($anna->{ip}) }), 'its successor lets the machine in again');
is(ident($s->peerport, 5432), $s->peerport . ' , 5432 : USERID : UNIX : anna', 'as anna');
is((connect_end($anna))[0], 0, 'her session was not touched');
ok(cut($g), 'and takes the connection with it');
my @events = grep { $_->{kind} eq 'RESOURCE' } @{ remuda_json('event list --limit 200')->{items} };
ok((grep { $_->{text} =~ /refused to carl on echo-\d+: denied/ } @events), 'history has the refusals');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
