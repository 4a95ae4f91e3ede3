#!/usr/bin/perl
# Rules with the real engine: what a function of the site wishes becomes a cluster's
# size, whatever goes wrong with it costs nothing but its own word (spec 3.5, S15).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use IO::Socket::UNIX;
use JSON::PP;
use Lab;

lab_enter();
my $echo = lab_echo(7007);

sub site {
	my ($scale, $pool, $more) = map { $_[$_] // ('return nil', 'return nil', '')[$_] } 0 .. 2;
	lab_site(<<"LUA");
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "desk" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
cluster "web" { application = "web", vip = "127.0.0.50", port = 8050, nodes = 2, min_nodes = 1, max_nodes = 4,
	memory = "16 MiB", kernel = "none", cool_up = 0, cool_down = 0 }
pool "desk" { application = "desk", serve = 1, max = 4, recycle = "none", kernel = "none", memory = "16 MiB" }
rule "load" { cluster = "web", every = "1 s", deadline = "300 ms", scale = function(now)
$scale
end }
rule "desks" { pool = "desk", every = "1 s", scale = function(now)
$pool
end }
$more
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = { "desk" } }
LUA
}
site();
lab_engine('--gateways', 1);

# One request of the control protocol; its item, items or text.
sub ask {
	my (%request) = (id => 1, @_);
	my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die;
	<$sock>;
	print $sock encode_json(\%request), "\n";
	return decode_json(scalar <$sock>);
}
sub rule { ask(verb => 'rule.show', name => $_[0])->{item} // {} }
sub last_of { rule($_[0])->{last} // {} }
sub nodes { scalar grep { $_->{state} eq 'ready' } machines('web') }
# No reload waits for the operator because a rule has given a pool or cluster another size.
sub reload { site(@_); is((remuda('site', 'reload'))[0], 0, 'another function') }

ok(wait_for('nodes', 30, sub { nodes() == 2 }), 'the cluster has two nodes');
is(rule('load')->{state}, 'on', 'its rule is on');

reload('return { nodes = 3, why = now.cluster .. " had " .. now.nodes }');
ok(wait_for('three', 30, sub { nodes() == 3 }), 'a wish for three nodes makes three');
my ($d) = grep { $_->{outcome} eq 'changed' } @{ ask(verb => 'cluster.why', name => 'web')->{items} // [] };
is($d->{source}, 'rule/load', 'who decided');
like($d->{text}, qr/^web had [23]$/, 'and why, in the words of the rule');
is($d->{inputs}{nodes}, 2, 'with what it was told') or diag explain $d;
my $again = ask(verb => 'rule.replay', decision => $d->{id})->{item} // {};
is($again->{text_now}, $d->{text}, 'told the same again it says the same');
ok($again->{same}, 'and wishes the same');
my ($rc, $out) = remuda('rule', 'test', 'load');
like($out, qr/nodes=3/, 'what it would wish now can be asked for');

reload('return { nodes = 60 }');
ok(wait_for('four', 30, sub { nodes() == 4 }), 'bounds hold, whatever is wished');
for my $bad ([ 'while true do end', qr/rule load did not finish within 300 ms; it was computing at site\.lua:\d+/ ],
	[ 'error("my own words")', qr/site\.lua:9: my own words/ ],
	[ 'return { nodes = "many" }', qr/site\.lua:8: it wishes nodes = "many"/ ]) {
	my ($lua, $words) = @$bad;
	reload($lua);
	ok(wait_for('fault', 30, sub { (rule('load')->{state} // '') eq 'failing' }), "$lua is given up after a while");
	like(last_of('load')->{text}, $words, 'with what went wrong');
	is(nodes(), 4, 'the last good wish stays');
}
reload('return { nodes = 1 }');
ok(wait_for('one', 60, sub { scalar(machines('web')) == 1 }), 'another version is run again');

# ---- pools ---------------------------------------------------------------------------------
reload('return { nodes = 1 }', 'return { spare = now.hour_sessions and 4 or 2, why = now.pool }');
ok(wait_for('spare', 30, sub { 2 <= grep { $_->{state} eq 'ready' } machines('desk') }), 'a pool grows by its rule');
is(last_of('desks')->{text}, 'desk', 'it was told which pool');

# ---- the role dies -------------------------------------------------------------------------
sub pids { slurp("$Lab::dir/state/engine.log") =~ /role rules started, pid (\d+)/g }
reload('return { nodes = 1 }', 'return nil', 'rule "slow" { cluster = "web", every = "10 s", deadline = "10 s",
	scale = function() while true do end end }');
ok(wait_for('running', 30, sub { rule('slow')->{running} }), 'a rule runs');
my $before = my @before = pids();
kill 'KILL', $before[-1];
ok(wait_for('answer', 5, sub { (last_of('slow')->{text} // '') eq 'the rules role died' }), 'and is over with the role');
ok(wait_for('another', 30, sub { $before < (my @now = pids()) }), 'another role is started');
site('return { nodes = 2 }');
ok(wait_for('applied', 30, sub { (remuda('apply', '--yes'))[0] == 0 }), 'and takes a site as soon as it is ready');
ok(wait_for('two', 60, sub { nodes() == 2 }), 'which runs the rules');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
