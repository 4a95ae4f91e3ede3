#!/usr/bin/perl
# Clusters by their commands, with the real engine: sizes, changes and waiting for
# them, why it was decided, rules tried and replayed, subscriptions, the ledger.
# Nodes are domains of libvirt's test driver and servers on loopback addresses.
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
lab_site(<<'LUA');
site "lab" { stats = "1 s" }
host "local" { uri = "test:///default", boot_parallel = 8, site = "north", labels = { "ssd" } }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
cluster "web" { application = "web", vip = "127.0.0.50", port = 8080, nodes = 2, max_nodes = 5,
	vcpus = 1, max_vcpus = 2, memory = "16 MiB", kernel = "none", replay = true, drain = "1 s",
	cool_up = 0, cool_down = 0, health = { interval = "200 ms" } }
-- As many nodes as there are transactions, two at least.
rule "open" { cluster = "web", every = "2 s", deadline = "2 s",
	scale = function(now) return { nodes = now.open > 2 and now.open or 2, why = now.open .. " open" } end }
LUA
lab_engine('--gateways', 1);
sub cluster { remuda_json('cluster show web')->{item} // {} }
sub list { @{ remuda_json(@_)->{items} // [] } }
sub serves { my ($n) = @_; return wait_for("$n nodes", 60, sub { my $c = cluster(); ($c->{serving} // -1) == $n && !$c->{change} }) }
ok(serves(2), 'two nodes serve');
is((remuda('rule disable open'))[0], 0, 'the rule is off for now');

sub ask {
	my $s = IO::Socket::INET->new(PeerAddr => '127.0.0.50', PeerPort => 8080, Timeout => 10) or return;
	syswrite $s, "ping\n";
	return join('', map { scalar <$s> // '' } 1 .. 2) eq "hello\nping\n" ? $s : undef;
}
my $held = ask();
ok($held, 'its address answers');

# ---- what is shown -------------------------------------------------------------------
my $c = cluster();
is($c->{state}, 'serving', 'it serves');
is($c->{address}, '127.0.0.50:8080', 'its address');
is("$c->{nodes} $c->{vcpus} $c->{memory_mib}", '2 1 16', 'its size');
is($c->{source}, 'site', 'as the site file says');
is(scalar @{ $c->{node_list} }, 2, 'its nodes');
ok(wait_for('a count', 10, sub { (cluster()->{open} // 0) == 1 }), 'an open transaction is seen');
my @nodes = list('node list');
is(join(' ', map { "$_->{part} $_->{host} $_->{site}" } @nodes), 'serving local north serving local north', 'nodes serve');
is(scalar(list('node list --cluster other')), 0, 'none of another cluster');
is(remuda_json("node show $nodes[0]{name}")->{item}{cluster}, 'web', 'a node');
like((remuda('cluster list'))[1], qr/NAME\s+STATE\s+SERVE\s+WANT.*\nweb\s+serving\s+2\s+2/, 'a table');
like((remuda('cluster list --csv'))[1], qr/^name,state,serving,nodes,/, 'CSV');
like((remuda('cluster show web'))[1], qr/\nwanted\s+2 nodes of 1 vCPU and 16 MiB\n.*\nNAME\s+PART.*\nweb-0/s, 'everything about it');
is((remuda('cluster show nowhere'))[0], 4, 'no such cluster');
my $host = remuda_json('host show local')->{item};
is_deeply([@$host{qw(site host_labels used_mib used_vcpus)}], ['north', ['ssd'], 32, 2], 'its host');

# ---- changes ---------------------------------------------------------------------------
my ($rc, $out) = remuda('cluster resize web --nodes 3 --dry-run');
is($rc, 0, 'a dry run') or diag $out;
is(cluster()->{nodes}, 2, 'changes nothing');
is(scalar(list('change list')), 0, 'no change was made');
($rc, $out) = remuda('cluster resize web --nodes 3 --wait');
is($rc, 0, 'resized, and waited for') or diag $out;
like($out, qr{change/1 done in }, 'it says so');
is(cluster()->{serving}, 3, 'three nodes serve when it is over');
my ($change) = list('change list');
is("$change->{summary}: $change->{state} by $change->{who}", '2 -> 3 nodes: done by operator/root', 'the change is kept');
is(scalar(grep { $_->{state} eq 'done' } @{ $change->{steps} }), 7, 'all its steps are done');
is(remuda_json('change show 1')->{item}{to}{nodes}, 3, 'and shown');
($rc, $out) = remuda('cluster why web');
like($out, qr{^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  operator/root: 2 -> 3 nodes: .*; change 1 done in [0-9.]+ m?s$}m, 'why, in a sentence');
is(cluster()->{pin}{nodes}, 3, "the operator's size holds");
is(cluster()->{source}, 'operator/root', '... and is known as such');
is((remuda('cluster resize web --nodes 9'))[0], 1, 'not beyond its bounds');
is((remuda('cluster resize web'))[0], 2, 'to what?');
is((remuda('cluster resize web --nodes 4 --strategy teleport'))[0], 2, 'no such strategy');
($rc, $out) = remuda('cluster resize web --nodes 2');
is($rc, 2, 'smaller is asked about');
like($out, qr/nodes serve/, '... saying what it does now');
is((remuda('cluster resize web --nodes 2 --yes --wait'))[0], 0, 'with --yes it is not');
is(cluster()->{serving}, 2, 'two again');
is((remuda('cluster resize web --memory 1TiB'))[0], 1, 'memory is a size, and bounded');
is((remuda('change cancel 77 --yes'))[0], 4, 'no such change');
is((remuda('change wait 1'))[0], 0, 'waiting for what is over ends at once');
is((remuda('change wait 99'))[0], 4, 'or for nothing');
isnt((remuda("node move $nodes[0]{name} --host local"))[0], 0, 'a node moves to another host only');
is((remuda('cluster replace web --yes --wait'))[0], 0, 'all nodes anew');
is((list('change list --limit 1'))[0]{kind}, 'replace', 'a change too');
my ($cut) = grep { $_->{text} =~ /cut$/ } list('event list --limit 100');
like("$cut->{object} $cut->{severity} $cut->{text}", qr{^machine/web-0\d warn its time to drain is over: 1 transaction was cut$}, 'the open transaction was cut when it had had its time, which is told');
ok(wait_for('a count', 10, sub { cluster()->{reset} == 1 }), '... and counted');
is(scalar(list('change list --cluster web --state done')), 3, 'searched by cluster and state');
is((remuda('cluster pause web'))[0], 0, 'paused');
is(JSON::PP::true, cluster()->{paused}, 'it says so');
is((remuda('cluster resume web'))[0], 0, 'resumed');
is((remuda('cluster reset web'))[0], 0, 'and left to site and rules');
is(cluster()->{pin}, undef, 'nothing is pinned');
close $held;

# ---- rules --------------------------------------------------------------------------------
is((list('rule list'))[0]{state}, 'off', 'a rule that is off');
($rc, $out) = remuda('rule test open');
is($rc, 0, 'a rule is tried') or diag $out;
like($out, qr/wishes nodes=2: \d open/, 'it says what it wishes');
is(scalar(list('decision list --source rule/open --state dry')), 1, 'that is kept as a decision');
my @more = map { ask() } 1 .. 4;
is(scalar(grep { $_ } @more), 4, 'four transactions');
ok(wait_for('a count', 10, sub { cluster()->{open} == 4 }), 'they are seen');
is((remuda('rule enable open'))[0], 0, 'on again');
ok(wait_for('four nodes', 60, sub { cluster()->{serving} == 4 }), 'four open, four nodes');
my ($why) = grep { $_->{outcome} eq 'changed' } list('rule why open');
like($why->{sentence}, qr{^rule/open: 2 -> 4 nodes: 4 open; change \d+ }, 'the rule says why');
is($why->{inputs}{open}, '4', '... from what it saw');
($rc, $out) = remuda("rule replay $why->{id}");
is($rc, 0, 'replayed') or diag $out;
like($out, qr/now wishes nodes=4: 4 open\nthe same\n/, 'it decides the same');
is((remuda('rule replay 1'))[0], 1, 'what no rule decided cannot be');
is((remuda('rule replay 4711'))[0], 4, 'nor what nobody did');
is((remuda('rule show open --json'))[0], 0, 'a rule');
is(remuda_json("decision show $why->{id}")->{item}{wish}, $why->{wish}, 'a decision');

# ---- subscriptions --------------------------------------------------------------------------
my $s = IO::Socket::UNIX->new(Peer => "$Lab::dir/run/control.sock") or die;
scalar <$s>;
print $s encode_json({ id => 1, verb => 'subscribe', topics => [qw(clusters nodes changes rules)] }), "\n";
my (%full, %last);
sub listen_until {
	my ($done) = @_;
	my $until = now() + 30;
	while (!$done->() && now() < $until && defined(my $line = <$s>)) {
		my $l = decode_json($line);
		next unless $l->{topic};
		$full{$l->{topic}}++ if $l->{full};
		$last{$l->{topic}}{$_->{name} // $_->{id}} = $_ for @{ $l->{items} // [] };
	}
	return $done->();
}
ok(listen_until(sub { 4 == keys %full }), 'four topics begin');
is($last{clusters}{web}{serving}, 4, 'a cluster');
is(scalar keys %{ $last{nodes} }, 4, 'its nodes');
ok($last{rules}{open}{last_sentence}, 'a rule with its last decision');
close $_ for @more;
ok(listen_until(sub { my ($k) = sort { $b <=> $a } keys %{ $last{changes} // {} }; $k && $last{changes}{$k}{state} eq 'done' && $last{changes}{$k}{to}{nodes} == 2 }), 'a change is told to its end');
ok(listen_until(sub { $last{clusters}{web}{serving} == 2 }), 'and the cluster after it');
ok((grep { $_->{removed} } values %{ $last{nodes} }), 'nodes that are gone say so');

# ---- the ledger -------------------------------------------------------------------------------
my %by = map { $_->{name} => $_ } list('usage --by cluster');
ok($by{web}{machine_ms} > 0 && $by{web}{session_ms} == 0, 'a cluster in the ledger');
is((list('usage --by user'))[0]{name}, '(cluster)', 'nobody else had it');

# ---- what an operator said, after a restart -----------------------------------------------------
is((remuda('host drain local --yes'))[0], 0, 'a host is drained');
is((remuda('rule disable open'))[0], 0, 'and a rule is off');
is((remuda('cluster pause web'))[0], 0, 'and a cluster is paused');
is((remuda('engine stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
ok(remuda_json('host show local')->{item}{draining}, 'the next one knows that the host is drained');
ok(cluster()->{paused}, 'that the cluster is paused');
my ($rule) = list('rule list');
is($rule->{state}, 'off', 'and that the rule is off');
like($rule->{last_time}, qr{^20\d\d-}, '... and when it last wished');
spew("$Lab::dir/site/site.lua", slurp("$Lab::dir/site/site.lua") . 'user "anna" { }');
($rc, $out) = remuda('plan');
like($out, qr{host/local/draining = 1, set by root, holds\n.*rule/open/disabled = 1, set by root, holds}s, 'a plan lists both') or diag $out;
is((remuda('host undrain local'))[0], 0, 'taken back');
is((remuda('rule enable open'))[0], 0, 'both');
ok(wait_for('a run', 10, sub { my ($r) = list('rule list'); ($r->{last}{time} // '') gt $rule->{last_time} && $r->{last}{outcome} eq 'kept' }), 'a wish that changes nothing has its time');
like((remuda('plan'))[1], qr{^(?!.*draining)(?!.*disabled)}s, 'nothing of it is left');

kill 'TERM', $echo;
done_testing();
