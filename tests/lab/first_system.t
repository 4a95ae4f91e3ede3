#!/usr/bin/perl
# The first system, step by step: what figures 2 and 3 and the six claims of
# EP 0473913 A2 say, each done on real guests and named by its number there.
# In today's words: logical unit = listener, transaction program name =
# application, service pool machine = machine, CMR = the assigner.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;
use Native;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio mke2fs)]);
lab_image();
lab_libvirtd();
sub engine_log { slurp("$Lab::dir/state/engine.log") }

my $boot = 'kernel = "vmlinuz", initrd = "initrd.img", memory = "128 MiB", '
	. 'cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests"';
lab_site(<<LUA);
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
require "applications.mail"
require "applications.backup"
require "applications.statistics"
require "applications.files"
pool "files" { application = "files", serve = 1, keep = true, volume = "64 MiB", $boot, recycle = "clean" }
-- Figure 2, step 31: one statement, that many machines.
pool "mail" { application = "mail", serve = 2, max = 2, $boot, recycle = "clean" }
pool "backup" { application = "backup", serve = 1, $boot, recycle = "clean" }
pool "statistics" { application = "statistics", serve = 1, $boot, recycle = "clean" }
resource "files" { pool = "files", access = { anna = true, ben = true, ["*"] = false } }
-- Figure 2, step 39: logical units, each with the programs it may offer.
listener "lu1" { door = "native", address = "unix:native.sock", user = "peer",
	applications = { "mail", "backup", "statistics" }, wait = "60 s" }
listener "lu2" { door = "native", address = "unix:second.sock", user = "peer",
	applications = { "statistics" }, wait = "60 s" }
user "anna" { applications = "*" }
user "ben" { applications = "*" }
user "dora" { applications = "*" }
user "eve" { applications = { "statistics" } }
LUA
lab_engine('--gateways', 2);

sub ready { my ($pool) = @_; scalar grep { $_->{state} eq 'ready' } machines($pool) }
sub item { remuda_json(@_)->{item} // {} }
# A work station: connects to a logical unit and says who it is.
sub station {
	my ($user, $unit) = @_;
	my $n = Native->open(unix => "$Lab::dir/run/" . ($unit // 'native.sock')) or return;
	$n->send('HELLO', 0, VERSION => 1, USER => $user);
	my $hello = $n->receive(10);
	return $hello && $hello->{name} eq 'HELLO' ? $n : undef;
}
sub allocate {
	my ($n, $program, @more) = @_;
	$n->send('ALLOCATE', 0, APPLICATION => $program, WAIT_MS => 60000, @more);
	return $n->answer(70) // { name => 'nothing' };
}
# DEALLOCATE with CONFIRM; the gateway's last word.
sub deallocate {
	my ($n) = @_;
	$n->send('DEALLOCATE', Native::CONFIRM);
	while (my $f = $n->receive(60)) { return $f if $f->{name} ne 'DATA' }
	return { name => 'nothing' };
}

# ---- figure 2: the administrator makes the pool ------------------------------------
ok(wait_for('all prepared', $ENV{BOOT_WAIT} // 180, sub {
	ready('mail') == 2 && ready('backup') == 1 && ready('statistics') == 1 && ready('files') == 1 }),
	'figure 2: the service pool stands before any work station asks')
	or do { diag engine_log(); done_testing; exit 1 };
{
	my @mail = sort map { $_->{name} } machines('mail');
	is_deeply(\@mail, [ 'mail-01', 'mail-02' ],
		'step 31: one statement is expanded into like machines, each with a primary identity');
	my @domains = sort grep { /\S/ } split /\n/, qx{virsh -c qemu:///system list --name};
	is_deeply(\@domains, [ sort map { $_->{name} } machines() ], 'which are domains of the host by those names');
	for my $m (machines()) {
		ok($m->{prepare_ms} > 0 && $m->{boot_ms} > 0,
			"steps 32, 34-37: $m->{name} is booted and its application prepared");
	}
	my @units = sort map { $_->{name} } @{ remuda_json('listener list')->{items} };
	is_deeply(\@units, [ 'lu1', 'lu2' ], 'step 39: the gateway knows its logical units');
	is_deeply(item('listener show lu1')->{application}, [qw(mail backup statistics)],
		'and the programs each may offer');
	is(scalar(grep { defined session_of($_) } qw(anna ben dora eve)), 0, 'nobody has a machine yet');
}

# ---- figure 3: ALLOCATE to CONFIRMED -----------------------------------------------------
my $anna = station('anna');
ok($anna, 'figure 3: a work station with user anna is connected to logical unit lu1');
my $given = allocate($anna, 'mail');
is($given->{name}, 'ALLOCATED', 'step ALLOCATE(LU, TPN, user): a machine is selected') or diag explain $given;
my $machine = $given->{MACHINE};
like($machine, qr/^mail-0[12]$/, 'it is one prepared for the transaction program');
is($given->{USER}, 'anna', 'step "return": its primary ID comes with the alternate ID');
{
	my $s = item("session show $given->{SESSION}");
	is($s->{state} // '', 'active', 'the assignment is durable before the work station hears of it');
	is($s->{listener}, 'lu1', 'it names the logical unit');
}
is($anna->receive(10)->{name}, 'ACCEPT', 'steps 47 CONNECT and ACCEPT: the machine has accepted the alternate ID');
{
	my $who = item("whois $machine");
	is($who->{user}, 'anna', "whois $machine: it carries anna");
	is(item("whois session/$given->{SESSION}")->{machine}, $machine, 'and the session is on it');
	$anna->send('DATA', 0, "send ben from anna\nhello ben\n.\nlist\n");
	like($anna->expect(qr/sent to ben.*no messages for anna/s), qr/sent to ben/,
		'the session: the program runs for the alternate ID, under which it reaches the file manager');
	is(machine($machine)->{state}, 'in_session', 'the machine is in session');
}

# A backup while she works: she does not notice, and the copy knows her session.
{
	my $file = "$Lab::dir/site.backup";
	my ($rc, $out) = remuda("backup $file --with-key");
	is($rc, 0, 'a backup is made while she is on her machine') or diag $out;
	$anna->send('DATA', 0, "list\n");
	like($anna->expect(qr/no messages for anna/), qr/no messages for anna/, 'her session goes on');
	is(item("whois $machine")->{user}, 'anna', 'on the machine that carries her');
	mkdir "$Lab::dir/copy";
	local @ENV{qw(REMUDA_CONFIG REMUDA_STATE_DIR REMUDA_RUN_DIR)} = map { "$Lab::dir/copy/$_" } qw(site.lua state run);
	($rc, $out) = remuda("restore $file");
	is($rc, 0, 'the copy is restored elsewhere') or diag $out;
	like($out, qr/: 1 sessions that lived then are lost/, 'and knows the one session that lived');
	like(slurp("$Lab::dir/copy/state/remuda.db"), qr/\Q$machine\Email\Qanna\Email\Qlu1\E/, 'hers: machine, pool, user, program and logical unit in its row');
}

# One work station, two machines, one identification number.
{
	my $second = station('anna');
	my $g = allocate($second, 'statistics');
	is($g->{name}, 'ALLOCATED', 'the same user ID has a second machine at the same time');
	isnt($g->{MACHINE}, $machine, 'another machine, for another program');
	is($second->receive(10)->{name}, 'ACCEPT', 'which accepted her too');
	$second->send('DATA', Native::HALF_CLOSE, "1 2 3 4\n");
	like($second->expect(qr/mean\s+2\.5/), qr/mean\s+2\.5/, 'and works for her');
	is(scalar(grep { $_->{user} eq 'anna' } sessions()), 2, 'two sessions of anna');
	is(deallocate($second)->{name}, 'CONFIRMED', 'and is given back, confirmed');
}

# Step 51.
my $incarnation = machine($machine)->{incarnation};
my $last = deallocate($anna);
is($last->{name}, 'CONFIRMED', 'step 51 DEALLOCATE with CONFIRM: the program cleans up and CONFIRMED comes back');
is($last->{SESSION}, $given->{SESSION}, 'for that session');
{
	# What the client was told is durable: no waiting here.
	my $m = machine($machine);
	is($m->{incarnation}, $incarnation + 1, 'the machine is another incarnation when CONFIRMED arrives');
	is($m->{state}, 'ready', 'it is marked available');
	ok(!item("whois $machine")->{user}, 'the alternate user ID is cleared');
	my $s = item("session show $given->{SESSION}");
	cmp_ok($s->{clean_ms}, '>=', 0, 'the clean-up stands in the session\'s record') and note "clean $s->{clean_ms} ms";
}

# ... available for the next ALLOCATE: ben, same pool; both machines so that he has that one too.
{
	my @ben = map { station('ben') } 1 .. 2;
	my @g = map { allocate($_, 'mail') } @ben;
	is($_->receive(10)->{name}, 'ACCEPT', 'the next ALLOCATE is served') for @ben;
	my ($i) = grep { $g[$_]{MACHINE} eq $machine } 0, 1;
	ok(defined $i, 'the machine that anna had is given to ben');
	is(item("whois $machine")->{user}, 'ben', 'now it carries ben');
	$ben[$i]->send('DATA', 0, "list\nread 1\n");
	like($ben[$i]->expect(qr/hello ben/), qr/anna.*hello ben/s, 'who reads what anna left for him: the file manager keeps it');
	is(deallocate($_)->{name}, 'CONFIRMED', 'given back') for @ben;
}

# ---- the access identity tables of machines 17 and 18 ------------------------------------------
{
	my $dora = station('dora');
	my $g = allocate($dora, 'mail');
	is($g->{name}, 'ALLOCATED', 'dora, without a row in the access table, has her session');
	$dora->receive(10);
	$dora->send('DATA', 0, "list\n");
	like($dora->expect(qr/^! .*\n/m), qr/not reachable|refused|may not/, 'but the file manager refuses her machine');
	is(deallocate($dora)->{name}, 'CONFIRMED', 'and she leaves');
}

# ---- the administrator's way in -------------------------------------------------------------------
{
	my ($rc) = remuda('machine', 'hold', 'backup-01');
	is($rc, 0, 'the administrator takes a machine by its primary identity');
	is(machine('backup-01')->{state}, 'held', 'it is his');
	my ($code, $said) = remuda('machine', 'exec', 'backup-01', '--', '/bin/sh', '-c', '"hostname; exit 3"');
	is_deeply([ $code, $said ], [ 3, "backup-01\n" ], 'he runs a command in it');
	my ($no, $why) = remuda('machine', 'exec', 'mail-01', '--', '/bin/hostname');
	like($why, qr/hold the machine first/, 'but not in one that may be given away');
	my ($rc2, $out, $err) = connect_run('', '--user', 'anna', '--wait', '0s', 'backup');
	is($rc2, 7, 'and no work station\'s meanwhile') or diag "$out $err";
	remuda('machine', 'release', 'backup-01');
	ok(wait_for('back', 60, sub { machine('backup-01')->{state} eq 'ready' }), 'put back, it is cleaned and available');
}

# ---- the six claims ---------------------------------------------------------------------------------
{
	# 1: work stations on a network, a host with a pool, a gateway between them.
	my @stations = map { station($_) } qw(anna ben);
	my @g = map { allocate($_, 'mail') } @stations;
	is_deeply([ sort map { $_->{MACHINE} } @g ], [ 'mail-01', 'mail-02' ],
		'claim 1: the gateway connects several work stations, each with an available machine of the pool');
	$_->receive(10) for @stations;
	# 4: the logical unit's assigner gives the user ID to the machine as its alternate ID.
	my %carries = map { $_->{MACHINE} => item("whois $_->{MACHINE}")->{user} } @g;
	is_deeply(\%carries, { $g[0]{MACHINE} => 'anna', $g[1]{MACHINE} => 'ben' },
		'claim 4: each machine carries its work station\'s user ID as alternate ID');
	# A third one waits, and is served.
	my $third = station('dora');
	$third->send('ALLOCATE', 0, APPLICATION => 'mail', WAIT_MS => 60000);
	my $w = $third->receive(10);
	is_deeply([ @$w{qw(name PLACE)} ], [ 'WAITING', 1 ], 'with no machine available a request waits, and is told its place');
	is(deallocate($stations[0])->{name}, 'CONFIRMED', 'a session ends');
	is($third->answer(60)->{MACHINE}, $g[0]{MACHINE}, 'its machine goes to who waited');
	$third->receive(10);
	# 5: after the session the assignment is deleted.
	is(deallocate($_)->{name}, 'CONFIRMED', 'the others end') for $stations[1], $third;
	ok(!item("whois $_->{MACHINE}")->{user}, "claim 5: $_->{MACHINE} carries no alternate ID any more") for @g;
}
{
	# 2: prepared machines: no application is started when a request comes.
	my ($s) = sessions('--history', '--app', 'mail', '--limit', 1);
	my $m = machine($s->{machine});
	cmp_ok($s->{accept_ms}, '<', $m->{boot_ms} + $m->{prepare_ms},
		'claim 2: a prepared machine answers sooner than one could be made')
		and note "accept $s->{accept_ms} ms beside boot $m->{boot_ms} + prepare $m->{prepare_ms} ms";
}
{
	# 3: the gateway speaks one protocol; what is not of it is refused.
	my $n = Native->open(unix => "$Lab::dir/run/native.sock");
	$n->send('ALLOCATE', 0, APPLICATION => 'mail');
	my $e = $n->receive(10);
	is_deeply([ @$e{qw(name CODE)} ], [ 'ERROR', 'protocol' ], 'claim 3: the gateway speaks the protocol of its network and refuses what is not');
}
{
	# 6: the transaction program name says which prepared machine, and each unit offers its own.
	my $one = station('eve', 'second.sock');
	my $g = allocate($one, 'statistics');
	is($g->{MACHINE} // $g->{CODE}, 'statistics-01', 'claim 6: ALLOCATE with a program name starts a session on a machine prepared for it');
	$one->receive(10);
	is(deallocate($one)->{name}, 'CONFIRMED', 'confirmed');
	is(allocate(station('eve', 'second.sock'), 'mail')->{CODE}, 'no_application', 'a program the logical unit does not offer is refused');
	is(allocate(station('eve'), 'mail')->{CODE}, 'not_allowed', 'and one the user may not have');
	is(allocate(station('anna'), 'payroll')->{CODE}, 'no_application', 'and one nobody prepared');
}

remuda('pool', 'scale', $_, 0) for qw(mail backup statistics files);
ok(wait_for('machines gone', 60, sub { !machines() }), 'in the end all machines go');
is((remuda('engine', 'stop'))[0], 0, 'and the engine stops');
diag engine_log() unless Test::More->builder->is_passing;
done_testing;
