#!/usr/bin/perl
# Machines from what operators have: linked clones of a domain, of an image with
# cloud-init data, and that nothing of ours is left and nothing of others is
# touched, while others define, start and delete domains and volumes beside.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA;
use Test::More;
use Lab;

my $dir = lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-img qemu-system-x86_64 cpio mke2fs)]);
lab_image();
lab_libvirtd();
my $virsh = 'virsh -q -c qemu:///system';
my $wait = $ENV{BOOT_WAIT} // 240;	# a guest that hangs in its boot is made anew after its deadline
my $cmdline = 'console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests';

sub must { my ($rc, $out) = run_out(@_); die "@_: $out" if $rc; $out }
sub sha { Digest::SHA->new(256)->addfile($_[0])->hexdigest }

# ---- what the operator has ----------------------------------------------------------
mkdir $_ for "$dir/bases", "$dir/tree", "$dir/other";
spew("$dir/tree/base.txt", "as installed\n");
must("mke2fs -q -t ext4 -d $dir/tree $dir/bases/base.raw 16M");
must("qemu-img convert -O qcow2 $dir/bases/base.raw $dir/bases/base.qcow2");
unlink "$dir/bases/base.raw";
must("qemu-img create -q -f raw $dir/bases/second.raw 4M");
# The seed's file system is a module the demo's guest does not bring.
my ($modules) = reverse sort glob '/lib/modules/*-cloud-amd64/kernel';
must("mkdir -p $dir/more/lib/modules && cp $modules/fs/isofs/isofs.ko $modules/drivers/cdrom/cdrom.ko $dir/more/lib/modules/ && cd $dir/more && " .
	"find . | cpio --quiet -o -H newc > $dir/more.cpio && cat $dir/site/initrd.img $dir/more.cpio > $dir/site/both.img");
spew("$dir/debian.xml", <<"XML");
<domain type='qemu'><name>debian</name><uuid>6f0c1f6e-0000-4000-8000-0000000000aa</uuid>
<memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>$dir/site/vmlinuz</kernel>
<initrd>$dir/site/initrd.img</initrd><cmdline>$cmdline</cmdline></os>
<features><acpi/></features>
<devices>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$dir/bases/base.qcow2'/><target dev='vda' bus='virtio'/></disk>
<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='$dir/bases/second.raw'/><target dev='vdb' bus='virtio'/></disk>
<interface type='user'><mac address='52:54:00:11:22:33'/><model type='virtio'/></interface>
<serial type='pty'/><console type='pty'/>
<channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
</devices></domain>
XML
must("$virsh define $dir/debian.xml");
my %before = map { $_ => sha("$dir/bases/$_") } qw(base.qcow2 second.raw);

sub site {
	my ($pools) = @_;
	lab_site(<<"LUA");
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
local shell = require "applications.shell"
-- Fails when the disk carries what another machine wrote.
local function claim(machine)
	machine:exec{ "/bin/sh", "-c", [[set -e; mkdir -p /disk; mount -t ext4 /dev/vda /disk
		test "\$(cat /disk/base.txt)" = "as installed"; test ! -e /disk/who
		echo ]] .. machine.name .. [[ >/disk/who; echo ]] .. machine.name .. [[ >/dev/vdb; sync]] }
end
local function start(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end
local function hooks(prepare)
	return { endpoint = "channel", identity = "agent",
		prepare = function(machine) prepare(machine); start(machine) end,
		ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
		accept = function(machine, session) machine:confirm{ "/usr/lib/remuda/accept", session.user } end,
	}
end
application "clone" (hooks(claim))
application "cloud" (hooks(function(machine)
	machine:exec{ "/bin/sh", "-c", "set -e; insmod /lib/modules/cdrom.ko; insmod /lib/modules/isofs.ko; mkdir /seed; mount -t iso9660 -o ro /dev/vdb /seed" }
end))
$pools
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
LUA
}
my $any = q{pool "any" { application = "shell", serve = 0, max = 1, kernel = "vmlinuz" }};
my $clones = q{pool "x" { application = "clone", from = "debian", serve = 4, boot_deadline = "120 s" }};

# ---- others beside: a monkey with a seed ------------------------------------------
# It keeps to itself what it made; whatever else changes of that is our doing.
my $seed = $ENV{SEED} // int(rand 1e9);
note "monkey seed $seed";
my $monkey = fork // die;
if (!$monkey) { monkey(); require POSIX; POSIX::_exit(0) }
sub monkey {
	srand $seed;
	my (%domain, %running, %volume);
	my $log = '';
	my $v = sub { my ($rc, $out) = run_out("timeout 20 $virsh", @_); ($rc, $out) };
	$v->("pool-create-as other dir --target $dir/other");
	for my $round (1 .. 150) {
		my $name = 'other-' . int(rand 6);
		my $act = int rand 6;
		if ($act == 0 && !$domain{$name}) {
			spew("$dir/other-$name.xml", "<domain type='qemu'><name>$name</name><memory unit='MiB'>16</memory>" .
				"<os><type arch='x86_64' machine='q35'>hvm</type></os><devices><controller type='usb' model='none'/><memballoon model='none'/></devices></domain>");
			$domain{$name} = 1 if ($v->("define $dir/other-$name.xml"))[0] == 0;
		} elsif ($act == 1 && $domain{$name} && !$running{$name} && keys %running < 2) {
			$running{$name} = 1 if ($v->("start $name --paused"))[0] == 0;
		} elsif ($act == 2 && $running{$name}) {
			my ($rc, $out) = $v->("destroy $name");
			$log .= "round $round: $name ran and cannot be destroyed: $out" if $rc;
			delete $running{$name};
		} elsif ($act == 3 && $domain{$name} && !$running{$name}) {
			my ($rc, $out) = $v->("undefine $name");
			$log .= "round $round: $name was defined and cannot be undefined: $out" if $rc;
			delete $domain{$name};
		} elsif ($act == 4 && !$volume{$name}) {
			if (($v->("vol-create-as other $name.img 64k --format raw"))[0] == 0) {
				spew("$dir/other/$name.img", "$name $round\n" x 100);
				$volume{$name} = sha("$dir/other/$name.img");
			}
		} elsif ($act == 5 && $volume{$name}) {
			$log .= "round $round: $name.img changed" if !-f "$dir/other/$name.img" || sha("$dir/other/$name.img") ne $volume{$name};
			$v->("vol-delete $name.img --pool other");
			delete $volume{$name};
		}
	}
	my ($rc, $out) = $v->('list --all --name');
	for my $name (sort keys %domain) { $log .= "$name is gone\n" unless $out =~ /^\Q$name\E$/m }
	(undef, $out) = $v->('list --name');
	for my $name (sort keys %running) { $log .= "$name runs no more\n" unless $out =~ /^\Q$name\E$/m }
	for my $name (sort keys %volume) {
		$log .= "$name.img changed\n" if !-f "$dir/other/$name.img" || sha("$dir/other/$name.img") ne $volume{$name};
	}
	$v->("destroy $_") for keys %running;
	$v->("undefine $_") for keys %domain;
	spew("$dir/monkey.log", $log || "untouched\n");
}

# ---- the source runs: refused with the fix --------------------------------------
must("$virsh start debian --paused");
site("$any\n$clones");
lab_engine('--gateways', 1);
sub pool { my ($name) = @_; my ($p) = grep { $_->{name} eq $name } @{ remuda_json('pool list')->{items} // [] }; $p // {} }
ok(wait_for('the reason', 30, sub { (pool('x')->{reason} // '') =~ /virsh shutdown debian/ }),
	'a source that runs: the pool says what to do') or diag explain pool('x');
is(scalar(grep { $_->{state} ne 'defined' } machines('x')), 0, 'and no machine is tried');
must("$virsh destroy debian");

# ---- linked clones ----------------------------------------------------------------
sub ready { my ($pool, $n) = @_; grep({ $_->{state} eq 'ready' } machines($pool)) == $n }
ok(wait_for('4 clones', $wait, sub { ready('x', 4) }), 'shut off: four clones are ready; none saw what another wrote')
	or do { diag slurp("$dir/state/engine.log"); diag explain [ machines('x') ]; done_testing; exit 1 };
my (%seen, @disks);
for my $m (machines('x')) {
	my $xml = must("$virsh dumpxml $m->{name}");
	my ($uuid) = $xml =~ m{<uuid>(.*?)</uuid>};
	my ($mac) = $xml =~ m{<mac address='(.*?)'};
	my @files = $xml =~ m{<source file='([^']*/images/[^']*)'}g;
	push @disks, @files;
	$seen{$_}++ for $uuid, $mac, @files;
	is(scalar(@files), 2, "$m->{name} has two disks of its own");
	like($xml, qr/<remuda:machine/, 'and our mark');
	unlike($xml, qr/52:54:00:11:22:33|6f0c1f6e/, 'and neither address nor uuid of the original');
}
is_deeply([ grep { $_ > 1 } values %seen ], [], 'no uuid, address or disk twice');
is(sha("$dir/bases/$_"), $before{$_}, "$_ is as it was") for sort keys %before;
like(must("$virsh dumpxml debian --inactive"), qr/52:54:00:11:22:33/, 'so is its domain');

# ---- made anew: another build, other disks -------------------------------------------
my ($one) = sort map { $_->{name} } machines('x');
my @old = grep { m{/\Q$one\E\.} } @disks;
is((remuda("machine restart $one --yes"))[0], 0, 'one is made anew');
ok(wait_for('new disks', $wait, sub { ready('x', 4) && !grep { -e } @old }), 'its old disks are gone')
	or diag join ' ', @old;

# ---- an engine that dies in between ---------------------------------------------------
kill 'KILL', $Lab::engine;
must("$virsh destroy $one");	# and a machine of ours with it
lab_engine('--gateways', 1);
ok(wait_for('again 4', $wait, sub { ready('x', 4) }), 'after the death of the engine and of a machine: four again')
	or diag slurp("$dir/state/engine.log");

# ---- the base changes: alarm ---------------------------------------------------------
{
	utime time + 1000, time + 1000, "$dir/bases/second.raw";
	ok(wait_for('the alarm', 60, sub { remuda('event list') =~ /debian changed under \d+ machines/ }),
		'a base that changes under its clones raises an alarm');
}

# ---- an image with cloud-init data ---------------------------------------------------
site("$any\n" . <<"LUA");
pool "c" { application = "cloud", image = "../bases/base.qcow2", disk = "32 MiB",
	kernel = "vmlinuz", initrd = "both.img", cmdline = "$cmdline", serve = 1, boot_deadline = "120 s",
	cloud_init = { user_data = "#cloud-config\\nhostname: from-user-data\\n", meta = { region = "lab \\"1\\"" } } }
LUA
is((remuda('apply --yes'))[0], 0, 'another site: no clones, an image with cloud-init data');
ok(wait_for('the image machine', $wait, sub { ready('c', 1) && !machines('x') }), 'the clones are gone, the new one is ready')
	or diag slurp("$dir/state/engine.log"), explain [ machines() ];
is_deeply([ glob "$dir/state/images/x-*" ], [], 'no file of the clones is left');
is(sha("$dir/bases/base.qcow2"), $before{'base.qcow2'}, 'the image is as it was');
{
	my ($m) = machines('c');
	my $uuid = $m->{uuid};
	my $seed = "$dir/state/images/$m->{name}.0-seed.iso";
	my ($ga) = map { must("$virsh qemu-agent-command $m->{name} '$_'") }
		'{"execute":"guest-file-open","arguments":{"path":"/seed/meta-data"}}';
	my ($handle) = $ga =~ /"return":(\d+)/;
	my $read = must("$virsh qemu-agent-command $m->{name} '{\"execute\":\"guest-file-read\",\"arguments\":{\"handle\":$handle}}'");
	require MIME::Base64;
	my ($b64) = $read =~ /"buf-b64":"([^"]*)"/;
	is(MIME::Base64::decode_base64($b64), "instance-id: $uuid-0\nlocal-hostname: $m->{name}\nregion: \"lab \\\"1\\\"\"\n",
		'the guest reads its meta-data: a new instance, its own name');
	my $iso = slurp($seed);
	is(substr($iso, 32768 + 1, 5), 'CD001', 'the seed is ISO 9660');
	like(substr($iso, 32768 + 40, 32), qr/^cidata\s+$/i, 'labelled cidata');
	like($iso, qr/#cloud-config\nhostname: from-user-data\n/, 'with the user-data');
	like(must("qemu-img info -U $dir/state/images/$m->{name}.0.qcow2"), qr/virtual size: 32 MiB/, 'the disk has grown');
}

# ---- nothing of ours is left ------------------------------------------------------------
site($any);
is((remuda('apply --yes'))[0], 0, 'a site without machines');
ok(wait_for('no machine', 60, sub { !machines() }), 'all are gone');
is_deeply([ glob "$dir/state/images/*" ], [], 'and every file of ours');

# ---- clones of a pool that is made while the engine runs ----------------------------------
{
	my $domain = must("$virsh dumpxml debian --inactive");
	my ($rc, $out) = remuda('pool create x application=clone from=debian serve=4', q('boot_deadline=120 s'));
	is($rc, 0, 'pool create of clones of the operator\'s domain') or diag $out;
	ok(wait_for('4 clones', $wait, sub { ready('x', 4) }), 'four clones are ready') or diag slurp("$dir/state/engine.log"), explain [ machines() ];
	is(pool('x')->{origin}, 'remuda/runtime.lua:1', 'of a pool that is in no site file');
	my @overlays = sort glob "$dir/state/images/x-*.qcow2";
	is(scalar(@overlays), 4 * 2, 'each has an overlay on each of its two disks');
	my %base = map { must("qemu-img info -U $_") =~ m{^backing file: .*?([^/\s]+\.(?:qcow2|raw))(?: |$)}m ? ($1 => 1) : ("$_ has no base" => 1) } @overlays;
	is_deeply([ sort keys %base ], [ 'base.qcow2', 'second.raw' ], 'on the operator\'s disks');
	is(sha("$dir/bases/$_"), $before{$_}, "$_ is untouched under them") for sort keys %before;
	($rc, $out) = remuda('pool delete x --yes');
	is($rc, 0, 'pool delete') or diag $out;
	ok(wait_for('no machine', 60, sub { !machines() && !pool('x')->{name} }), 'takes it away with its machines');
	is_deeply([ glob "$dir/state/images/*" ], [], 'no file of ours is left');
	unlike(must("$virsh list --all --name"), qr/^x-/m, 'no domain either');
	is(must("$virsh dumpxml debian --inactive"), $domain, 'the operator\'s domain is as it was');
	is(sha("$dir/bases/$_"), $before{$_}, "and so is $_") for sort keys %before;
}

# ---- what no row names: shown, then removed ---------------------------------------------
{
	must("qemu-img create -q -f qcow2 $dir/state/images/x-07.3.qcow2 1M");
	my $plan = remuda_json('gc --dry-run');
	is_deeply([ map { "$_->{kind} $_->{name} $_->{result}" } @{ $plan->{items} // [] } ],
		[ 'volume x-07.3.qcow2 left over' ], 'gc --dry-run shows the file no row names');
	like(remuda('gc'), qr/x-07\.3\.qcow2/, 'so does gc');
	ok(-f "$dir/state/images/x-07.3.qcow2", 'and both leave it there');
	$plan = remuda_json('gc --yes');
	is($plan->{items}[0]{result}, 'removed', 'gc --yes removes it');
	ok(!-e "$dir/state/images/x-07.3.qcow2", 'it is gone');
	is_deeply(remuda_json('gc')->{items}, [], 'and nothing is left over');
}
waitpid $monkey, 0;
is(slurp("$dir/monkey.log"), "untouched\n", 'whatever others had beside is untouched');
is(sha("$dir/bases/$_"), $before{$_}, "$_ is as it was") for sort keys %before;

# ---- the end of a site ----------------------------------------------------------------------
utime 0, 0, "$dir/bases/second.raw";
site($clones =~ s/serve = 4/serve = 1/r);
is((remuda('site reload'))[0], 0, 'one clone again');
ok(wait_for('a clone', $wait, sub { ready('x', 1) }), 'is ready') or diag slurp("$dir/state/engine.log");
{
	is_deeply(remuda_json('gc')->{items}, [], 'what a machine uses is not left over');
	my $c = connect_start('clone');
	print { $c->{in} } "cat /disk/who\n";
	is(scalar(readline $c->{out}), "x-01\n", 'a user is on it, and reads its disk');
	my ($rc, $out) = remuda('site destroy --yes');
	ok($rc, 'site destroy refuses while a session is live');
	like($out, qr/1 sessions are live.*--force/, 'and says so');
	is(scalar(machines('x')), 1, 'the machine stays');
	($rc, $out) = remuda('site destroy --yes --force');
	is($rc, 0, 'site destroy --force') or diag $out, slurp("$dir/state/engine.log");
	waitpid $c->{pid}, 0;
	ok(wait_for('the end', 30, sub { !kill 0, $Lab::engine }), 'the engine ends');
	ok(!-e "$dir/state/$_", "$_ is gone") for qw(images volumes);
	is(must("$virsh list --all --name") =~ s/\s//gr, 'debian', 'no domain but the operator\'s');
	unlike(must("$virsh pool-list --all --name"), qr/remuda/, 'no pool of ours');
	is(sha("$dir/bases/$_"), $before{$_}, "$_ is as it was") for sort keys %before;
}
done_testing;
