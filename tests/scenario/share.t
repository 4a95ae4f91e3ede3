#!/usr/bin/perl
# connections = "shared" with the real engine, two gateways and real clients: a
# browser's connections are on one machine, whoever closes last ends the session,
# another user has another machine, an operator's end closes all, and a gateway that
# dies ends no more than its own (S28).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Select;
use IO::Socket::INET;
use Socket;
use Test::More;
use Lab;

my $dir = lab_enter(tools => ['curl']);
my $web = fork // die;
if (!$web) { serve(); POSIX::_exit(0) }
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "web" { endpoint = "tcp:127.0.7.{index}:7008", identity = "proxy", agent = false, connections = "shared", limit = 3 }
application "idle" { endpoint = "tcp:127.0.8.{index}:7008", identity = "proxy", agent = false, connections = "shared", idle = "5 s" }
pool "web" { application = "web", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "idle" { application = "idle", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "anna" { door = "direct", address = "127.0.0.1:7080", user = "anna", application = "web" }
listener "ben" { door = "direct", address = "127.0.0.1:7081", user = "ben", application = "web" }
listener "cleo" { door = "direct", address = "127.0.0.1:7082", user = "cleo", application = "web", wait = "20 s" }
listener "idle" { door = "direct", address = "127.0.0.1:7083", user = "anna", application = "idle" }
listener "http" { door = "connect", address = "127.0.0.1:3128", user = "anna", applications = "*" }
listener "native" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "anna" { applications = "*" }
user "ben" { applications = { "web" }, limit = 1 }
user "cleo" { applications = { "web" } }
LUA
lab_engine('--gateways', 2);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines are ready');

sub row { my ($id) = @_; my ($s) = grep { $_->{id} == $id } sessions('--history'); $s // {} }
sub live { grep { $_->{state} eq 'active' } sessions() }
sub is_closed { my ($id) = @_; wait_for("session $id is closed", 20, sub { my $r = row($id); $r->{state} eq 'closed' && $r }) }
sub open_now { my ($id, $n) = @_; wait_for("$n connections", 10, sub { my ($s) = grep { $_->{id} == $id } sessions(); $s && $s->{open} == $n && $s }) }
sub dial { my $c = IO::Socket::INET->new("127.0.0.1:$_[0]") or die "port $_[0]: $!"; return $c }
# A connection of its own and what its machine says of it.
sub ask { my ($port) = @_; my $c = dial($port); print $c "GET /who HTTP/1.1\r\n\r\n"; $c->flush;
	my ($session, $machine) = answer($c) =~ m{session/(\d+) on (\S+)}; return ($c, $session, $machine) }
sub answer { my ($c) = @_; my ($head, $body) = ('', ''); while (my $l = <$c>) { last if $l eq "\r\n"; $head .= $l } my ($n) = $head =~ /Length: (\d+)/ or return ''; read $c, $body, $n; return $body }

subtest 'two requests of one client at once' => sub {
	# /both is answered when two of it are there: one alone would wait for ever.
	my ($rc, $out) = run_out("timeout 30 curl -sS --noproxy '' -Z --parallel-immediate http://127.0.0.1:7080/both http://127.0.0.1:7080/both");
	is($rc, 0, 'curl has both answers') or diag $out;
	my @said = $out =~ m{(session/\d+ on \S+)}g;
	is(@said, 2, 'they say whose session it is');
	is($said[0], $said[1], 'one session on one machine');
	my ($id) = $said[0] =~ /(\d+)/;
	my $r = is_closed($id);
	is($r->{connections}, 2, 'it had two connections');
	ok($r->{bytes_in} > 2 * 60 && $r->{bytes_out} > 100, 'and the bytes of both');
	($rc, $out) = run_out("timeout 30 curl -sS --noproxy '' -Z --parallel-immediate -p -x http://127.0.0.1:3128 http://web:80/both http://web:80/both");
	@said = $out =~ m{(session/\d+ on \S+)}g;
	ok(@said == 2 && $said[0] eq $said[1], 'through HTTP CONNECT as well') or diag $out;
	is_closed($said[0] =~ /(\d+)/);
};

subtest 'a third joins, the first goes, another user comes' => sub {
	my ($first, $id, $machine) = ask(7080);
	my @more = map { [ask(7080)] } 1 .. 5;
	is(scalar(grep { $_->[1] == $id && $_->[2] eq $machine } @more), 5, 'five more are on the same machine');
	is(open_now($id, 6)->{connections}, 6, 'the session has six connections');
	my ($ben, $ben_id, $ben_machine) = ask(7081);
	isnt($ben_id, $id, 'ben has a session of his own');
	isnt($ben_machine, $machine, 'on another machine');
	is(scalar(live()), 2, 'there are two sessions');
	# No machine is free and he is at his limit, but he needs none.
	my ($again, $again_id) = ask(7081);
	is($again_id, $ben_id, 'neither a full pool nor his limit of one session keeps him out');
	close $first;
	ok(open_now($id, 5), 'the first connection of the session closes');
	print { $more[0][0] } "GET /who HTTP/1.1\r\n\r\n";
	like(answer($more[0][0]), qr{session/$id on \Q$machine\E}, 'the others go on');
	close $_->[0] for @more[1 .. 4];
	ok(open_now($id, 1), 'all but one close');
	is(machine(row($id)->{machine})->{state}, 'in_session', 'her machine is hers');
	close $more[0][0];
	is(is_closed($id)->{connections}, 6, 'the last one ends it');
	my ($c, $next) = ask(7080);
	isnt($next, $id, 'then a connection is another session');
	close $_ for $c, $ben, $again;
	is_closed($_) for $next, $ben_id;
};

subtest 'a machine is waited for once' => sub {
	my ($anna) = ask(7080);
	my ($ben, $his) = ask(7081);
	my @cleo = map { my $c = dial(7082); print $c "GET /who HTTP/1.1\r\n\r\n"; $c->flush; $c } 1 .. 3;
	close $anna;
	my @said = map { answer($_) } @cleo;
	my ($id) = $said[0] =~ m{session/(\d+)};
	is(scalar(grep { $_ eq $said[0] } @said), 3, 'all three have the one that became free') or diag "@said";
	is($id, (sort { $a <=> $b } map { $_->{id} } live())[-1], 'which is one session');
	close $_ for @cleo, $ben;
	is_closed($_) for $id, $his;
};

subtest 'an operator ends all of it' => sub {
	my @c = map { [ask(7080)] } 1 .. 3;
	my $id = $c[0][1];
	is((remuda('session', 'end', $id, '--yes'))[0], 0, 'the session is ended');
	is(scalar(grep { my $h = $_->[0]; !defined readline $h } @c), 3, 'all three connections are cut');
	is(is_closed($id)->{end_text}, 'ended by the operator', 'and the history says why');
};

subtest 'nothing moves' => sub {
	my @c = map { [ask(7083)] } 1 .. 2;
	is($c[0][1], $c[1][1], 'two connections of an application with an idle time');
	is(scalar(grep { my $h = $_->[0]; !defined readline $h } @c), 2, 'are cut together');
	like(is_closed($c[0][1])->{end_text}, qr/^idle for/, 'when neither has moved for so long');
};

subtest 'a gateway dies' => sub {
	my @c = map { [ask(7080)] } 1 .. 8;
	my $id = $c[0][1];
	ok(open_now($id, 8), 'eight connections at two gateways');
	my ($gateway) = pids_of_role('gateway');
	kill 'KILL', $gateway;
	ok(wait_for('some are cut', 10, sub { my $n = open_count(map { $_->[0] } @c); $n < 8 }), 'a gateway dies with its connections');
	my $left = open_count(map { $_->[0] } @c);
	if ($left) {
		ok(open_now($id, $left), 'the session goes on with the others');
		is(row($id)->{state}, 'active', 'on its machine');
	} else {
		ok(wait_for('lost', 10, sub { row($id)->{state} eq 'lost' }), 'all were there: the session is lost');
	}
	close $_->[0] for @c;
	ok(wait_for('over', 20, sub { row($id)->{state} =~ /closed|lost/ }), 'with the last of them it is over');
	ok(wait_for('free', 20, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'and its machine is free');
};

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $web;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;

# Those the other side has not closed.
sub open_count {
	my $n = 0;
	for my $c (@_) {
		my $got = recv $c, my $byte, 1, MSG_PEEK | MSG_DONTWAIT;
		$n++ if !defined $got ? $!{EAGAIN} : length $byte;
	}
	return $n;
}

# The machines' web server: says whose session it is and where.
sub serve {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7008, Listen => 64, ReuseAddr => 1) or die;
	my $set = IO::Select->new($l);
	my (%text, %got, @both);
	while (my @ready = $set->can_read) {
		for my $c (@ready) {
			if ($c == $l) { my $n = $l->accept; $set->add($n) if $n; next }
			if (!sysread $c, $got{$c}, 4096, length($got{$c} // '')) { $set->remove($c); delete $got{$c}; delete $text{$c}; close $c; next }
			if (!$text{$c} && length $got{$c} >= 16) {
				my $size = 16 + unpack 'n', substr $got{$c}, 14, 2;
				next if length $got{$c} < $size;
				my ($session) = substr($got{$c}, 0, $size, '') =~ m{(session/\d+)};
				$text{$c} = "$session on " . $c->sockhost . "\n";
			}
			while ($text{$c} && $got{$c} =~ s{\AGET \S*?/(who|both) .*?\r\n\r\n}{}s) {
				my @now = $1 eq 'who' ? $c : (push(@both, $c) && @both == 2) ? splice(@both) : ();
				syswrite $_, 'HTTP/1.1 200 OK' . "\r\nContent-Length: " . length($text{$_}) . "\r\n\r\n$text{$_}" for @now;
			}
		}
	}
}
