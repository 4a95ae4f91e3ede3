#!/usr/bin/perl
# Revert and the saved tier on real guests: what user A leaves in RAM, on a
# disk, in /tmp and in the process table is never seen by B; a request is served
# by a woken machine; a damaged image falls to a rebuild; an untrusted pool
# refuses where nothing isolates it.  REVERT_SESSIONS: how many sessions (20).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 qemu-img mke2fs cpio)]);
lab_image();
lab_libvirtd();
# The operator's domain that the machines with a disk are cloned from.
mkdir "$Lab::dir/bases"; chmod 0755, "$Lab::dir/bases";
my $cmdline = 'console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests';
spew("$Lab::dir/origin.xml", <<"XML");
<domain type='qemu'><name>origin</name><memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>$Lab::dir/site/vmlinuz</kernel>
<initrd>$Lab::dir/site/initrd.img</initrd><cmdline>$cmdline</cmdline></os><features><acpi/></features>
<devices><disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$Lab::dir/bases/base.qcow2'/><target dev='vda' bus='virtio'/></disk>
<serial type='pty'/><console type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
</devices></domain>
XML
for my $command ("truncate -s 5M $Lab::dir/bases/raw && mke2fs -q -t ext4 $Lab::dir/bases/raw",
		"qemu-img convert -O qcow2 $Lab::dir/bases/raw $Lab::dir/bases/base.qcow2", "virsh -q -c qemu:///system define $Lab::dir/origin.xml") {
	my ($rc, $out) = run_out($command);
	die "$command: $out" if $rc;
}
my $rounds = $ENV{REVERT_SESSIONS} // 20;

my $site = <<'LUA';
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
require "applications.shell"
local function pool_of(name, with)
	local p = {
		application = with.application or "shell", serve = 1, max = 1,
		kernel = "vmlinuz", initrd = "initrd.img", memory = "128 MiB",
		cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests",
	}
	for k, v in pairs(with) do p[k] = v end
	pool(name)(p)
end
-- One that keeps files on a disk of its own, mounted when the image is made.
application "shell-disk" {
	endpoint = "channel", identity = "agent",
	prepare = function(machine)
		machine:exec{ "/bin/sh", "-c", "mkdir -p /disk && mount -t ext4 /dev/vda /disk && echo prepared >/disk/state && echo cached >/disk/unsynced" }
		machine:exec{ "/usr/lib/remuda/start", "shell", machine.name }
	end,
	ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
	accept = function(machine, session) machine:confirm{ "/usr/lib/remuda/accept", session.user } end,
}
pool "shell" { application = "shell-disk", serve = 1, max = 1, from = "origin", recycle = "revert" }
application "tiers" {
	endpoint = "channel", identity = "agent",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
	accept = function(machine, session) machine:confirm{ "/usr/lib/remuda/accept", session.user } end,
	clean = function(machine, session) machine:confirm{ "/usr/lib/remuda/clean" } end,
}
pool_of("tiers", { application = "tiers", recycle = "revert", saved = 1, max = 2, shrink_after = "1 s" })
application "wild" {
	endpoint = "channel", identity = "none",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
}
pool_of("wild", { application = "wild", recycle = "revert", untrusted = true })
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
user "anna" { applications = "*", limit = 100 }
user "ben" { applications = "*", limit = 100 }
LUA
lab_site($site);
my $engine = lab_engine();
my $boot = $ENV{BOOT_WAIT} // 180;

sub in_state { my ($pool, $state) = @_; scalar grep { $_->{state} eq $state } machines($pool) }
sub pool_row { my ($name) = @_; my ($p) = grep { $_->{name} eq $name } @{ remuda_json('pool list')->{items} // [] }; $p // {} }
sub events { my ($kind, $like) = @_;
	grep { $_->{kind} eq $kind && $_->{text} =~ $like } @{ remuda_json('event list --limit 400')->{items} // [] } }
sub as { my ($user, $app, $script) = @_; connect_run("$script\nexit\n", '--user', $user, '--wait', '60s', $app) }
sub stay {
	my ($user, $app) = @_;
	my $c = connect_start('--user', $user, '--wait', '60s', $app);
	print { $c->{in} } "echo here \$REMUDA_USER\n";
	$c->{hello} = readline($c->{out}) // '';
	($c->{machine}) = slurp($c->{err}) =~ /session\/\d+ on (\S+) as/;
	return $c;
}
sub leave { my ($c) = @_; close $c->{in}; 1 while readline $c->{out}; waitpid $c->{pid}, 0; $? >> 8 }

ok(wait_for('the pools are up', $boot, sub {
	in_state('shell', 'ready') == 1 && in_state('tiers', 'ready') == 1 && in_state('tiers', 'saved') == 1 }),
	'a machine stands at its image, one of the other pool runs, one is saved')
	or do { diag slurp("$Lab::dir/state/engine.log"); done_testing; exit 1 };
my ($m) = machines('shell');
like($m->{image}, qr/^QEMU .*q35.*processor/, "what an image is bound to is shown: $m->{image}");
is(scalar(() = glob "$Lab::dir/state/images/*.ram"), 3, 'three RAM images lie in the site\'s folder');

my ($rc_gc, $gc) = remuda('gc');
unlike($gc, qr/\.ram/, 'which gc does not take for left over') or diag $gc;

# ---- an untrusted pool refuses -------------------------------------------------------
{
	is(scalar machines('wild'), 0, 'the untrusted pool has no machine');
	my $why = pool_row('wild')->{reason} // '';
	like($why, qr/need KVM and a security label.*local.*labels no domain.*take untrusted out/s, "its reason says why, and what would help: $why");
	my ($rc, $out, $err) = as('anna', 'wild', 'true');
	isnt($rc, 0, 'a request for it is refused') and note "exit code $rc";
	like($err, qr/\Q$why\E/, 'with that reason') or diag $err;
}

# ---- canaries -------------------------------------------------------------------------
# A plants; B, on the same machine, looks everywhere A could have left something.
my $plant = join "\n", 'c=canary-of-$REMUDA_SESSION-A', 'echo $c >/tmp/$c', 'echo $c >/dev/shm/$c', 'echo $c >/root/$c', 'echo $c >/disk/$c; echo $c >/disk/state; rm /disk/unsynced; sync; echo raw-$c | dd of=/dev/vda bs=512 seek=10000 conv=notrunc 2>/dev/null',
	'mkdir -p /run/m && mount -t tmpfs none /run/m && echo $c >/run/m/$c',
	'sh -c "while :; do sleep 1000; done" planted-$c </dev/null >/dev/null 2>&1 &',
	'hostname $c; echo planted; cat /proc/sys/kernel/random/uuid';
my $look = 'ls -a /disk; cat /disk/state /disk/unsynced; echo 3 >/proc/sys/vm/drop_caches; cat /disk/state; grep -c canary-o[f] /dev/vda; ls -a /tmp /dev/shm /root / /run/m 2>/dev/null; hostname; cat /proc/mounts; grep -rl canary-o[f] /tmp /root /run /dev/shm /etc 2>/dev/null; ' .
	'cat /proc/[0-9]*/cmdline /proc/[0-9]*/environ 2>/dev/null | tr "\\0" " "; ' .
	'echo; echo looked; cat /proc/sys/kernel/random/uuid; date +%s';
# The look finds all of it where it is; so does one through the whole RAM from outside.
sub in_ram {
	my ($machine) = @_;
	my ($rc, $out) = run_out("virsh -q -c qemu:///system dump --memory-only $machine $Lab::dir/ram");
	diag $out if $rc;
	my ($n) = (run_out("grep -aoE 'canary-of-[0-9]+-A' $Lab::dir/ram | wc -l"))[1] =~ /^(\d+)/;
	unlink "$Lab::dir/ram";
	return $rc ? -1 : $n;
}
{
	my $a = stay('anna', 'shell-disk');
	print { $a->{in} } "$plant\n$look\n";
	my $out = '';
	while (defined(my $l = readline $a->{out})) { $out .= $l; last if $l =~ /^looked$/ }
	like($out, $_->[1], "A herself sees her canary: $_->[0]") for ['on the disk', qr/^canary-of-\d+-A\nlost\+found$/m],
		['raw below it', qr/^[1-9]\d*$/m], ['in /tmp', qr{^/tmp/canary-of}m], ['in /dev/shm', qr{^/dev/shm/canary-of}m], ['in a mount', qr{^/run/m/canary-of}m],
		['in the host name', qr/^canary-of-\d+-A\nrootfs /m], ['in the process table', qr/ planted-canary-of-\d+-A /];
	cmp_ok(in_ram($a->{machine}), '>', 0, 'and it is in the RAM, seen from outside');
	leave($a);
	my $b = stay('ben', 'shell-disk');
	is($b->{machine}, $a->{machine}, 'B has the machine after her');
	is(in_ram($b->{machine}), 0, 'in the whole RAM of it there is no canary');
	leave($b);
}
my ($planted, $seen, $clock, $disk, %random, %machines, @clean_ms) = (0, 0, 0, 0);
for my $round (1 .. $rounds / 2) {
	my ($rc, $out) = as('anna', 'shell-disk', $plant);
	$planted++ if $rc == 0 && $out =~ /^planted$/m;
	my ($id) = $out =~ /^([0-9a-f-]{36})$/m;
	$random{ $id // "none in $round" }++;
	my $before = int time;
	my ($rc2, $out2, $err2) = as('ben', 'shell-disk', $look);
	$disk++ if $out2 =~ /^prepared\ncached\nprepared\n0\n/m;
	my ($id2, $at) = $out2 =~ /^looked\n([0-9a-f-]{36})\n(\d+)\n/m;
	$random{ $id2 // "none in look $round" }++;
	$at //= 0;
	# Not behind: an emulated guest that booted on a busy host may run fast
	# (tests/lab/image_calls.c holds the clock to two seconds at the restore).
	$clock++ if $at >= $before - 1;
	diag "round $round: the guest's clock says $at, here it is $before" unless $at >= $before - 1;
	diag "round $round: $rc $out $rc2 $out2 $err2" unless $id && $id2;
	$seen++ if $rc2 != 0 || $out2 =~ /canary-of|planted-/;
	diag $out2 if $out2 =~ /canary-of|planted-/;
	$machines{$1}++ if $err2 =~ /session\/\d+ on (\S+) as/;
	push @clean_ms, map { $_->{clean_ms} // () } sessions('--history', '--app', 'shell-disk', '--limit', 2);
}
is($planted, int($rounds / 2), "$planted times user A planted a canary in RAM, files, mounts, processes, the host name");
is($seen, 0, 'and B never saw one');
is($disk, int($rounds / 2), 'his disk was what prepare left, through the page cache and below it');
is($clock, int($rounds / 2), 'his machine did not have the time of the image');
is(scalar keys %random, 2 * int($rounds / 2), 'and no two sessions the same random numbers');
is_deeply(\%machines, { 'shell-01' => int($rounds / 2) }, 'all of it on one machine');
is_deeply([ events('CLEAN', qr/failed/) ], [], 'no revert failed');
is(machine('shell-01')->{failures}, 0, 'nor did the machine');
is(scalar(() = events('READY', qr/^booted/)), 3, 'and none but the three first boots was needed');
my @sorted = sort { $a <=> $b } @clean_ms;
note sprintf 'end of session to clean: median %d ms of %d', $sorted[@sorted / 2] // 0, scalar @sorted;
ok(wait_for('reverted', 30, sub { in_state('shell', 'ready') == 1 }), 'it stands at its image again');
is(scalar(my @o = glob "$Lab::dir/state/images/shell-01.*.*.qcow2"), 1, 'one overlay is there, that of the life to come');
is((stat((grep { !/\.\d+\.\d+\.qcow2/ } glob "$Lab::dir/state/images/shell-01.*.qcow2")[0]))[2] & 0222, 0, 'what it lies on is read-only');
cmp_ok(machine('shell-01')->{incarnation}, '>=', 2 + 2 * int($rounds / 2), 'in a later incarnation for each session');

# ---- the saved tier ----------------------------------------------------------------------
{
	my $a = stay('anna', 'tiers');
	my $t = now();
	my $b = stay('ben', 'tiers');
	note sprintf 'a session on a woken machine after %d ms; a boot takes %d ms', 1000 * (now() - $t), $m->{boot_ms};
	like($b->{hello}, qr/here ben/, 'a second user is served');
	ok(scalar(events('READY', qr/^woken in/)), 'by a machine that was woken');
	is(pool_row('tiers')->{saved}, 0, 'the tier is empty') ;
	ok(wait_for('refill', $boot, sub { in_state('tiers', 'saved') == 1 }), 'and is filled again by a boot');
	is(in_state('tiers', 'in_session'), 2, 'while both sessions go on');
	is(leave($a), 0, 'one ends'); is(leave($b), 0, 'the other ends');
	ok(wait_for('tiers', 90, sub { in_state('tiers', 'ready') == 1 && in_state('tiers', 'saved') == 1 && machines('tiers') == 2 }),
		'one stays ready, one saved: what was too much is gone');
}

# ---- operators -------------------------------------------------------------------------------
{
	my ($saved) = grep { $_->{state} eq 'saved' } machines('tiers');
	is((remuda('machine', 'hold', $saved->{name}))[0], 0, 'a saved machine is held');
	ok(wait_for('held', 60, sub { (machine($saved->{name})->{state} // '') eq 'held' }), 'it is woken for that');
	remuda('machine', 'release', $saved->{name});
	ok(wait_for('tiers', $boot, sub { in_state('tiers', 'ready') == 1 && in_state('tiers', 'saved') == 1 }), 'released, the tiers are as before');
}

# ---- an engine killed with saved machines, a damaged image -------------------------------------
{
	my ($saved) = grep { $_->{state} eq 'saved' } machines('tiers');
	kill 'KILL', $engine;
	my ($file) = glob "$Lab::dir/state/images/$saved->{name}.*.ram";
	ok($file && truncate($file, 8 << 20), 'the RAM image of a saved machine is cut short while no engine runs');
	$engine = lab_engine();
	is(machine($saved->{name})->{state}, 'saved', 'the next engine adopts it as saved');
	my $a = stay('anna', 'tiers');
	my $b = stay('ben', 'tiers');
	like($b->{hello}, qr/here ben/, 'who needed that machine is served all the same');
	like(join(' ', map { $_->{text} } events('FAIL', qr/could not be woken/)), qr/could not be woken/, 'the damage is history');
	is(leave($a), 0, 'one ends'); is(leave($b), 0, 'the other ends');
}

# ---- the clean hook's place below: a revert that cannot be done falls to the rebuild ----------
{
	ok(wait_for('shell ready', $boot, sub { in_state('shell', 'ready') == 1 }), 'the other pool is ready');
	my $c = stay('anna', 'shell-disk');
	my ($file) = glob "$Lab::dir/state/images/$c->{machine}.*.ram";
	truncate($file, 8 << 20) or die $!;
	my $inc = machine($c->{machine})->{incarnation};
	leave($c);
	ok(wait_for('rebuilt', $boot, sub { my $m = machine($c->{machine}); $m->{incarnation} > $inc && $m->{state} eq 'ready' }),
		'a machine whose image is damaged is made anew');
	ok(scalar(events('CLEAN', qr/the revert failed, rebuilding/)), 'which is history');
	my ($rc, $out) = as('ben', 'shell-disk', $look);
	unlike($out, qr/canary-of/, 'and clean');
}

# ---- nothing is left ----------------------------------------------------------------------------
is((remuda('site', 'close', '--yes'))[0], 0, 'the site closes');
ok(wait_for('gone', 90, sub { !machines() }), 'all machines go');
is(scalar(() = qx{virsh -c qemu:///system list --name} =~ /\S+/g), 0, 'no domain of ours is left');
is_deeply([ glob "$Lab::dir/state/images/*" ], [], 'and no image');
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
