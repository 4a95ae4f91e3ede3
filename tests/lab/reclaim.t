#!/usr/bin/perl
# A lost database, then a lost key, with guests still running: the new store
# takes none of them for its own and ends none by itself; `remuda reclaim` shows
# them and ends exactly those; what has no mark of ours is never touched.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

my $dir = lab_enter(tools => [qw(libvirtd virsh qemu-system-x86_64)]);
lab_libvirtd();
lab_image();
my $virsh = 'virsh -q -c qemu:///system';
my $wait = $ENV{BOOT_WAIT} // 120;
lab_site(<<'LUA');
site "lab" { }
host "local" { uri = "qemu:///system" }
application "echo" {
	endpoint = "channel", identity = "none",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
	ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
	clean = function(machine, session) machine:confirm{ "/usr/lib/remuda/clean" } end,
}
pool "echo" { application = "echo", serve = 1, max = 1, kernel = "vmlinuz", initrd = "initrd.img", recycle = "clean", boot_deadline = "5 min" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "owner" { uid = 0 }
LUA

# libvirt's id of a running domain, "" when there is none: the same id is the same QEMU.
sub id_of { my ($rc, $out) = run_out("$virsh domid $_[0]"); chomp $out; $rc ? '' : $out =~ s/\s//gr }
sub pid_of { my $pid = slurp("/run/libvirt/qemu/$_[0].pid"); $pid =~ s/\s//gr }
sub log_tail { diag join "\n", (split /\n/, slurp("$dir/state/engine.log"))[-25 .. -1] }
sub ready { scalar grep { $_->{state} eq 'ready' } machines() }
sub results { map { "$_->{kind} $_->{name}: $_->{result}" } @{ remuda_json(@_)->{items} // [] } }
sub start { lab_engine('--gateways', 1) }
# Stops the engine and its gateway, whose key the next engine may not have.
sub stop {
	my @gateways = pids_of_role('gateway');
	is((remuda('engine stop'))[0], 0, 'the engine stops, machines stay');
	kill KILL => @gateways;
	ok(wait_for('no engine', 30, sub { !kill 0, $Lab::engine }), 'it is gone');
}

# A domain of somebody else, and one that only copied a mark of ours.
spew("$dir/other.xml", "<domain type='qemu'><name>other</name><memory unit='MiB'>16</memory><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>");
is((run_out("$virsh create --paused $dir/other.xml"))[0], 0, 'a domain of somebody else');

start();
ok(wait_for('a machine', $wait, sub { ready() == 1 }), 'a machine is ready') or log_tail();
is_deeply([ results('reclaim') ], [], 'what the store knows is nothing to reclaim');
my ($name) = map { $_->{name} } machines();
{
	my ($rc, $xml) = run_out("$virsh dumpxml $name");
	like($xml, qr/ store=["'][0-9a-f]{16}["']/, 'its mark names the store');
	my ($mark) = $xml =~ m{(<remuda:machine.*?/>)}s;
	spew("$dir/copy.xml", "<domain type='qemu'><name>copy</name><memory unit='MiB'>16</memory><metadata>$mark</metadata><os><type arch='x86_64' machine='q35'>hvm</type></os></domain>");
	is((run_out("$virsh create --paused $dir/copy.xml"))[0], 0, 'and a domain with a copy of its mark');
}
my %others = map { $_ => id_of($_) } qw(other copy);

# ---- the database is lost, the key is there -----------------------------------------
my $pid = pid_of($name);
like($pid, qr/^\d+$/, 'its QEMU is known');
stop();
unlink glob "$dir/state/remuda.db*";
start();
ok(wait_for('it is shown', $wait, sub { results('reclaim') }), 'a new store, the old key: the domain is shown') or log_tail();
is_deeply([ results('reclaim --dry-run') ],
	[ "domain $name: an earlier store of this site made it, of which this one knows nothing; see `remuda reclaim`" ],
	'as what it is');
ok(wait_for('a machine waits', $wait, sub { grep { /reclaim/ } map { $_->{text} // '' } machines() or slurp("$dir/state/engine.log") =~ /exists that Remuda did not create/ }),
	'the machine of that name cannot be made') or diag explain [ machines() ];
is(pid_of($name), $pid, 'the domain of before runs on');
is(ready(), 0, 'and is not offered as a clean one');
{
	my ($rc, $out) = remuda('gc --yes');
	ok($rc, 'no file is removed while it runs');
	like($out, qr/domain \Q$name\E .*remuda reclaim/, 'with the reason');
}
is_deeply([ results('reclaim --yes') ], [ "domain $name: removed" ], 'reclaim --yes destroys it');
ok(wait_for('QEMU is gone', 30, sub { !kill 0, $pid }), 'its QEMU is gone');
is_deeply([ results('reclaim') ], [], 'nothing is left to reclaim');
is(id_of($_), $others{$_}, "$_ is untouched") for sort keys %others;
{
	my ($m) = machines();
	remuda("machine release $m->{name}") if ($m->{state} // '') eq 'quarantined';
}
ok(wait_for('a machine', $wait, sub { ready() == 1 }), 'the pool has its machine again') or log_tail();

# ---- both are lost --------------------------------------------------------------------
$pid = pid_of($name);
stop();
unlink glob("$dir/state/remuda.db*"), "$dir/state/site.key";
start();
my $unsigned = "domain $name: its mark is not signed by this site's key";
ok(wait_for('it is shown', $wait, sub { results('reclaim') }), 'a new key: the domain is shown') or log_tail();
is_deeply([ results('reclaim') ], [ $unsigned ], 'as what it is');
is_deeply([ results('reclaim --yes') ],
	[ "domain $name: left alone: its mark is not signed by this site's key; --confirm SITE destroys it too" ],
	'--yes alone leaves it');
is((remuda('reclaim --yes --confirm other'))[0], 1, 'another site\'s name is refused');
is(pid_of($name), $pid, 'it runs on');
is_deeply([ results('reclaim --yes --confirm lab') ], [ "domain $name: removed" ], 'with the name of the site it is destroyed');
ok(wait_for('QEMU is gone', 30, sub { !kill 0, $pid }), 'its QEMU is gone');
is(id_of($_), $others{$_}, "$_ is untouched") for sort keys %others;
is((remuda('site close --yes'))[0], 0, 'closed');
ok(wait_for('the site is closed', 90, sub { !kill 0, $Lab::engine }), 'and gone');
is(id_of($_), $others{$_}, "$_ still runs") for sort keys %others;
done_testing;
