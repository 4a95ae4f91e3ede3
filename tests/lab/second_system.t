#!/usr/bin/perl
# The second system (US 7577959), step by step, on real guests of three libvirt hosts
# at two sites: figures 3A and 3B block by block, then each variant of its text, then
# what happens to transactions when things die.  32 clients ask without a pause
# through every change; what became of each of their transactions is counted.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use POSIX qw(strftime);
use Lab;
use Hosts;

my $dir = lab_enter(tools => [@Hosts::tools, 'haproxy']);
my $client = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/lab/transactions';
my $vip = '127.0.0.50:8080';
my $kills = $ENV{KILLS} // 3;
lab_hosts(3);
node_template('payroll');

# The site; fields of the cluster are overridden by name.
sub site {
	my (%o) = @_;
	my %c = (nodes => 1, min_nodes => 1, max_nodes => 6, vcpus => 1, max_vcpus => 4, memory => '"128 MiB"',
		max_memory => '"512 MiB"', strategy => '"failover"', cool_up => '"1 s"', cool_down => '"1 s"', %o);
	my $room = delete $c{room} // '2 GiB';
	my $rule = delete $c{rule} // '';
	my $hosts = join '', map {
		my $site = $_ < 3 ? 'north' : 'south';
		qq(host "h$_" { uri = "@{[host_uri($_)]}", site = "$site", memory = "$room", migrate = "tcp://10.99.0.$_", boot_parallel = 4 }\n)
	} 1 .. 3;
	my $fields = join ', ', map { "$_ = $c{$_}" } sort keys %c;
	lab_site(qq(site "lab" { peers = true, stats = "1 s" }\n$hosts) . <<"LUA");
application "payroll" { endpoint = "tcp:10.99.1.{index}:80", identity = "none",
	ready = function(machine) machine:wait_port(80) end,
	stop = function(machine) machine:exec{ "/usr/lib/remuda/node", "stop" } end,
	start = function(machine) machine:exec{ "/usr/lib/remuda/node", "start" } end }
cluster "payroll" { application = "payroll", vip = "127.0.0.50", port = 8080, template = "payroll.xml", replay = true,
	health = { request = "GET / HTTP/1.0\\r\\n\\r\\n", expect = "vcpus=", interval = "500 ms", timeout = "2 s" },
	drain = "10 s", wait = "20 s", boot_deadline = "3 min", $fields }
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
$rule
LUA
}

# ---- words ------------------------------------------------------------------------------

sub cluster { remuda_json('cluster show payroll')->{item} // remuda_json('cluster list')->{items}[0] }
# All there are, but those that leave for good; and those that serve or could.
sub all_nodes { sort { $a->{name} cmp $b->{name} } grep { $_->{pool} eq 'payroll' && $_->{state} ne 'retiring' } machines() }
sub nodes { grep { $_->{state} eq 'ready' } all_nodes() }
sub serving { my ($n) = @_; wait_for("$n nodes serve", 180, sub { (cluster()->{serving} // -1) == $n && !cluster()->{change} }) }
sub names { join ' ', map { $_->{name} } nodes() }
sub places { join ' ', map { "$_->{name}\@$_->{host}" } nodes() }
sub total { remuda_json('cluster list')->{items}[0]{counts} // remuda_json('cluster list')->{items}[0] }

# Clients at work; ends them and says what they met.
sub load_begin {
	my (%o) = @_;
	my $pid = open my $out, '-|', $client, $o{at} // $vip, %{ $o{more} // {} } or die;
	my $before = total()->{transactions} // 0;
	wait_for('the clients are at work', 30, sub { $o{at} || total()->{transactions} > $before + 50 });
	return { pid => $pid, out => $out };
}
sub load_end {
	my ($l) = @_;
	kill 'TERM', $l->{pid};
	my $line = readline $l->{out};
	close $l->{out};
	return JSON::PP::decode_json($line);
}
# Nobody noticed: nothing failed, nothing was cut, nobody was left hanging.
sub unnoticed {
	my ($l, $what) = @_;
	my $r = load_end($l);
	is("$r->{failed} $r->{cut} $r->{hanging}", '0 0 0', "$what: none of $r->{ok} transactions failed, was cut or hung");
	note sprintf '%s: slowest %.0f ms, nodes %s', $what, $r->{slowest}, join ' ', map { "$_ $r->{nodes}{$_}" } sort keys %{ $r->{nodes} };
	return $r;
}
sub resize {
	my ($what, @how) = @_;
	my ($rc, $out) = remuda('cluster', 'resize', 'payroll', @how, '--yes', '--wait', '--timeout', '300s');
	is($rc, 0, "$what: the change is done") or diag $out;
	return $out;
}
sub last_change { my ($c) = sort { $b->{id} <=> $a->{id} } @{ remuda_json('change list')->{items} }; $c }
sub vcpus_there { my ($m) = @_; my ($n) = $m->{host} =~ /(\d)/; (host_virsh($n, 'vcpucount', $m->{name}, '--live', '--current'))[1] =~ /(\d+)/ && $1 + 0 }
sub domain_is { my ($host, $name) = @_; (host_virsh($host, 'domstate', $name))[0] == 0 }

# ---- figures 3A and 3B -----------------------------------------------------------------------

subtest 'Figure 3A: a first machine, a cluster, an address' => sub {
	site();
	lab_engine('--gateways', 1);
	ok(serving(1), 'initial resource requirements by a statement: 1 node of 1 vCPU and 128 MiB');
	my ($m) = nodes();
	is($m->{name}, 'payroll-01', 'a first virtual machine is created');
	is(vcpus_there($m), 1, 'to match the requirements');
	is(cluster()->{vip_held} ? 1 : 0, 1, 'a cluster is created, its virtual address is held');
	my ($event) = grep { $_->{kind} eq 'NODE' && $_->{text} =~ /serves/ } @{ remuda_json('event list --limit 200')->{items} };
	is($event->{object}, 'machine/payroll-01', 'the machine is added as its node');
	like(node_ask($vip, '/'), qr/^payroll-01 vcpus=1 /, 'clients submit transactions to the address');
};

subtest 'Figure 3B: requirements change, a second machine, failover' => sub {
	my ($first) = nodes();
	my $l = load_begin();
	resize('alternate requirements by the user', qw(--vcpus 2 --memory 256M));
	my ($second, @more) = nodes();
	isnt($second->{name}, $first->{name}, 'a second virtual machine was created');
	is(scalar @more, 0, 'and is the only one');
	is(vcpus_there($second), 2, 'with more resources');
	isnt($second->{host}, $first->{host}, 'on another physical machine');
	my $change = last_change();
	is($change->{state}, 'done', 'it was added to the cluster and the transactions failed over to it');
	like(node_ask($vip, '/'), qr/^\Q$second->{name}\E vcpus=2 /, 'new transactions are its');
	my ($h) = $first->{host} =~ /(\d)/;
	ok(wait_for('the first is gone', 30, sub { !domain_is($h, $first->{name}) }), 'the resources of the first are free again');
	unnoticed($l, 'done non-disruptively');
	my %used = map { $_->{machine} // $_->{key} // $_->{name} => $_ } @{ remuda_json('usage --by machine')->{items} };
	ok($used{'payroll-01'} && $used{ $second->{name} }, 'and the use of both was logged for billing');
};

# ---- variants of the text ----------------------------------------------------------------------

subtest 'several initial machines, balanced; a busy one passes on' => sub {
	my $l = load_begin();
	resize('two nodes more', qw(--nodes 3));
	my $r = unnoticed($l, 'growing to three nodes');
	ok(serving(3), 'three nodes serve');
	my %places = map { $_->{host} => 1 } nodes();
	is(scalar keys %places, 3, 'on three hosts at two sites: a cluster geographically distributed');
	$l = load_begin();
	wait_for('work', 20, sub { 3 == grep { ($_->{transactions} // 1) > 0 } nodes() });
	$r = unnoticed($l, 'balanced');
	is(scalar(grep { $_ > 0 } values %{ $r->{nodes} }), 3, 'each node has transactions');
};

subtest 'several machines to several machines, by the mapping A>C B>D' => sub {
	resize('two nodes again', qw(--nodes 2));
	ok(serving(2), 'A and B');
	my ($a, $b) = map { $_->{name} } nodes();
	my $l = load_begin();
	my ($rc, $out) = remuda('cluster', 'resize', 'payroll', '--vcpus', 1, '--memory', '128M', '--yes', '--map',
		"'$a>payroll-21 $b>payroll-22'", '--wait', '--timeout', '300s');
	is($rc, 0, 'from two to two') or diag $out;
	is(names(), 'payroll-21 payroll-22', 'C and D have taken over');
	my $pairs = last_change()->{pairs};
	my $said = ref $pairs ? join ' ', map { ($_->{old} // '') . '>' . ($_->{new} // '') } @$pairs : $pairs;
	like($said, qr/\Q$a\E>payroll-21/, 'A to C');
	like($said, qr/\Q$b\E>payroll-22/, 'and B to D, as it was asked for');
	unnoticed($l, 'mapped');
};

subtest 'new nodes at places that are named: same host, other site' => sub {
	my ($m) = nodes();
	my $l = load_begin();
	my ($rc, $out) = remuda('cluster', 'resize', 'payroll', '--vcpus', 2, '--map', "'payroll-21>$m->{host} payroll-22>h3'",
		'--wait', '--timeout', '300s');
	is($rc, 0, 'a change') or diag $out;
	my @hosts = sort map { $_->{host} } nodes();
	is("@hosts", join(' ', sort $m->{host}, 'h3'), 'one on the same physical machine as before, one at the other site');
	unnoticed($l, 'same host and other site');
};

subtest 'fail over by shutting down the first' => sub {
	my $l = load_begin();
	resize('shutdown', qw(--vcpus 1 --strategy shutdown));
	ok(serving(2), 'the cluster has failed over by itself');
	unnoticed($l, 'shutdown');
};

subtest 'fail over by a resource move' => sub {
	my $l = load_begin();
	resize('move', qw(--vcpus 2 --strategy move));
	ok(serving(2), 'the application was stopped there and started here');
	unnoticed($l, 'move');
};

subtest 'more resources and another place while it runs' => sub {
	my ($m) = nodes();
	my $before = names();
	my $l = load_begin();
	resize('live', qw(--vcpus 3 --strategy live));
	is(names(), $before, 'the same machines');
	is(vcpus_there($m), 3, 'with a vCPU more');
	my ($to) = grep { my $h = $_; !grep { $_->{host} eq $h } nodes() } qw(h1 h2 h3);
	my ($rc, $out) = remuda('node', 'move', $m->{name}, '--host', $to, '--strategy', 'live', '--wait', '--timeout', '200s');
	is($rc, 0, 'a live migration') or diag $out;
	is((grep { $_->{name} eq $m->{name} } nodes())[0]{host}, $to, "to $to");
	unnoticed($l, 'live');
};

subtest 'December and May, by the calendar' => sub {
	my $month = strftime('%b', localtime);
	my $l = load_begin();
	site(nodes => 2, vcpus => 1, calendar => qq({ { every = "$month", nodes = 3 } }));
	remuda('cluster', 'reset', 'payroll');
	my ($rc, $out) = remuda('apply', '--yes');
	is($rc, 0, 'applied') or diag $out;
	ok(serving(3), "in $month the cluster has another size");
	like((remuda('cluster', 'why', 'payroll'))[1], qr/calendar.*"$month" holds/s, 'and can say why');
	site(nodes => 2, vcpus => 1);
	remuda('apply', '--yes');
	ok(serving(2), 'without the entry it goes back');
	unnoticed($l, 'calendar');
};

subtest 'a business policy, by a rule' => sub {
	site(nodes => 2, vcpus => 1, rule => <<'LUA');
rule "busy" { cluster = "payroll", every = "1 s", scale = function(now)
	if now.open > 20 then return { nodes = 3, why = now.open .. " transactions are open" } end
	return { nodes = 2, why = "quiet" }
end }
LUA
	remuda('apply', '--yes');
	my $l = load_begin(more => { '--path' => '/slow/300' });
	ok(wait_for('it grows', 120, sub { cluster()->{serving} == 3 }), 'a rule that sees much work has the cluster grow');
	like((remuda('rule', 'why', 'busy'))[1], qr/2 -> 3 nodes: \d+ transactions are open/, 'and can say why');
	unnoticed($l, 'rule');
	ok(serving(2), 'and shrink when it is quiet');
	site(nodes => 2, vcpus => 1);
	remuda('apply', '--yes');
};

# ---- what dies -----------------------------------------------------------------------------------

my $proxy;
# HAProxy before the same two nodes, checks every second.
sub haproxy {
	my $i = 0;
	my $servers = join '', map { "    server n" . $i++ . " $_->{address} check inter 1s\n" } remuda_nodes();
	spew("$dir/haproxy.cfg", <<"CFG");
global
    maxconn 2000
defaults
    mode tcp
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    option redispatch
    retries 3
frontend f
    bind 127.0.0.50:9090
    default_backend b
backend b
    balance leastconn
$servers
CFG
	$proxy = fork // die;
	if (!$proxy) { exec 'haproxy', '-db', '-q', '-f', "$dir/haproxy.cfg" or POSIX::_exit(127) }
	wait_for('haproxy', 20, sub { (node_ask('127.0.0.50:9090', '/') // '') =~ /vcpus/ });
}
sub remuda_nodes { grep { $_->{address} } map { my ($i) = $_->{name} =~ /-(\d+)$/; +{ %$_, address => '10.99.1.' . ($i + 0) . ':80' } } nodes() }
sub haproxy_end { kill 'TERM', $proxy; waitpid $proxy, 0 }

sub median { my @s = sort { $a <=> $b } @_; $s[$#s / 2] }

# Under that many clients of ours, and as many of HAProxy's at the same time: each
# one's marks, and how many of HAProxy's were not served.
sub kill_a_node {
	my ($clients) = @_;
	ok(serving(2), 'two nodes serve');
	haproxy();
	my ($victim) = nodes();
	my %how = ('--path' => '/slow/20', '--clients' => $clients);
	my $ours = load_begin(more => \%how);
	my $theirs = load_begin(at => '127.0.0.50:9090', more => \%how);
	kill 'USR1', $_->{pid} for $ours, $theirs;
	guest_kill($victim->{name});
	ok(wait_for('out of the rotation', 10, sub { !grep { $_->{name} eq $victim->{name} && $_->{state} eq 'ready' } nodes() }),
		"$victim->{name} is killed: out of the rotation");
	my $before = total()->{transactions};
	wait_for('work goes on', 20, sub { total()->{transactions} > $before + 3 * $clients });
	my $t = load_end($theirs);
	my $r = unnoticed($ours, 'node killed');
	is($r->{marks}[0][2], 0, 'all that was in flight was answered');
	cmp_ok($r->{marks}[0][0], '>', 0, 'and what was begun after it');
	haproxy_end();
	my $last = $r->{marks}[0][1] < 0 ? $r->{marks}[0][0] : $r->{marks}[0][1];
	note sprintf 'death to the first answer of what was begun after it: %.0f ms, to the last of what was in flight: %.0f ms; '
		. 'HAProxy %.0f and %.0f ms, %d failed, %d cut, %d without an answer',
		$r->{marks}[0][0], $last, $t->{marks}[0][0], $t->{marks}[0][1], $t->{failed}, $t->{cut}, $t->{marks}[0][2];
	return [$r->{marks}[0][0], $last, $t->{marks}[0][0], $t->{marks}[0][1], $t->{failed} + $t->{cut} + $t->{marks}[0][2]];
}

# KILLS=N: that many, and as many again under four clients, whose nodes have time.
subtest 'a node is killed' => sub {
	for my $clients (32, $ENV{KILLS} ? 4 : ()) {
		my @all = map { kill_a_node($clients) } 1 .. $kills;
		my @median = map { my $i = $_; median(map { $_->[$i] } @all) } 0 .. 3;
		note sprintf '%d clients, median of %d kills: death to the first good transaction %.0f ms, to the last of what was in flight %.0f ms, failed 0; '
			. 'HAProxy with checks every second: %.0f and %.0f ms, failed or without an answer %s', $clients, $kills,
			@median, join ' ', map { $_->[4] } @all;
	}
	ok(serving(2), 'and it was made anew');
};

subtest 'a node freezes' => sub {
	my ($victim) = nodes();
	my $l = load_begin(more => { '--late' => 8000 });
	kill 'USR1', $l->{pid};
	guest_freeze($victim->{name});
	ok(wait_for('found out', 20, sub { cluster()->{serving} < 2 }), "$victim->{name} is frozen: its checks fail");
	my $before = total()->{transactions};
	wait_for('work goes on', 20, sub { total()->{transactions} > $before + 100 });
	unnoticed($l, 'node frozen');
	guest_thaw($victim->{name});
	ok(serving(2), 'thawed, it is back');
};

subtest "a host's libvirtd is killed" => sub {
	my $l = load_begin();
	libvirtd_kill(2);
	ok(wait_for('seen', 60, sub { grep { $_->{name} eq 'h2' && $_->{state} ne 'up' } @{ remuda_json('host list')->{items} } }), 'the host does not answer');
	is(cluster()->{serving}, 2, 'unknown is not dead: its node serves on');
	libvirtd_start(2);
	ok(wait_for('back', 60, sub { 3 == grep { $_->{state} eq 'up' } @{ remuda_json('host list')->{items} } }), 'and is back');
	unnoticed($l, 'libvirtd killed');
};

subtest 'a whole host is cut off' => sub {
	my ($victim) = nodes();
	my ($h) = $victim->{host} =~ /(\d)/;
	my ($whatif) = (remuda('whatif', 'host-down', "h$h"))[1];
	like($whatif, qr/cluster payroll: 1 of 2 nodes would be lost, 1 would go on serving/, 'what would happen is asked before');
	# An answer that had begun may go on: it waits until the engine gives the host up.
	my $l = load_begin(more => { '--late' => 20000 });
	host_cut($h);
	ok(wait_for('replaced', 150, sub { cluster()->{serving} == 2 && !grep { $_->{host} eq "h$h" && $_->{state} eq 'ready' } nodes() }),
		'its node is replaced elsewhere');
	my $r = load_end($l);
	is($r->{hanging}, 0, "nobody hung when the host was given up");
	note sprintf 'host cut off: %d answered, %d failed, %d cut; slowest %.0f ms', @$r{qw(ok failed cut slowest)};
	is($r->{failed}, 0, 'and nothing failed before its first answer byte');
	host_heal($h);
	ok(wait_for('healed', 90, sub { 3 == grep { $_->{state} eq 'up' } @{ remuda_json('host list')->{items} } }), 'the host is back');
	ok(wait_for('fenced', 60, sub { !domain_is($h, $victim->{name}) }), 'and what was left there is destroyed');
	ok(serving(2), 'two nodes serve');
};

# ---- changes that fail ---------------------------------------------------------------------------

subtest 'a change that fails leaves everything as it was' => sub {
	my $l = load_begin();
	site(nodes => 2, vcpus => 1, room => '300 MiB');
	my ($rc, $out) = remuda('apply', '--yes');
	is($rc, 0, 'hosts with little room') or diag $out;
	my $before = places();
	($rc, $out) = remuda('cluster', 'resize', 'payroll', '--memory', '512M', '--wait', '--timeout', '100s');
	isnt($rc, 0, 'no room: refused in the step place');
	like($out, qr/no room for 1 vCPU and 512 MiB/, 'with the reason');
	is(places(), $before, 'the old nodes serve, nothing is left over');
	site(nodes => 2, vcpus => 1);
	remuda('apply', '--yes');

	my %old = map { $_->{name} => 1 } all_nodes();
	($rc, $out) = remuda('cluster', 'resize', 'payroll', '--vcpus', 2, '--no-wait');
	my ($victim, $killed) = ('', 0);	# the same machine twice, each time another process
	for my $try (1, 2) {
		ok(wait_for("a new node, try $try", 90, sub {
			for my $n (grep { !$old{$_} && (!$victim || $_ eq $victim) } map { $_->{name} } all_nodes()) {
				my $pid = guest_pid($n) or next;
				return $victim = $n if $pid != $killed;
			}
			return;
		}), "a new node boots, try $try") or last;
		$killed = guest_pid($victim);
		guest_kill($victim);
	}
	ok(wait_for('undone', 200, sub { last_change()->{state} =~ /failed|done/ }), 'its new nodes die while they boot');
	is(last_change()->{state}, 'failed', 'the change has failed') or diag explain last_change();
	is(places(), $before, 'the old nodes serve, nothing is left over');
	unnoticed($l, 'failing changes');
	ok(serving(2), 'as before');
};

# ---- the ledger ---------------------------------------------------------------------------------------

subtest 'the ledger' => sub {
	my ($rc, $csv) = remuda('usage', '--by', 'cluster', '--csv');
	is($rc, 0, 'a report as CSV');
	my @lines = split /\r?\n/, $csv;
	is(scalar(grep { /payroll/ } @lines), 1, 'one row for the cluster') or diag $csv;
	my $now = strftime('--from %Y-%m-01 --until %Y-%m-%dT%H:%M:%S', localtime(time - 1));
	my $sum = sub { my $s = 0; $s += $_->{machine_ms} // $_->{machine_seconds} // 0 for @{ remuda_json("usage --by $_[0] $now")->{items} }; $s };
	my ($by_machine, $by_cluster) = ($sum->('machine'), $sum->('cluster'));
	ok($by_machine > 0, "machines ran $by_machine");
	is($by_machine, $by_cluster, 'the sum over machines is the sum over clusters');
	note((remuda('usage', '--by', 'machine'))[1]);
};

my ($rc) = remuda('site', 'close', '--yes');
done_testing;
