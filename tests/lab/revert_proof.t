#!/usr/bin/perl
# What revert rests on (decisions.md 29), with libvirt and a guest alone, no
# Remuda: a guest is saved once, its overlay becomes read-only backing, and each
# round starts from RAM and disk of that one moment.  Whatever was written in
# between, contents, page cache and disk agree again.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use MIME::Base64;
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 qemu-img mke2fs cpio)]);
lab_image();
lab_libvirtd();
my $dir = "$Lab::dir/disks";
mkdir $dir; chmod 0711, $dir;
my $uuid = '5a7e0000-0000-4000-8000-000000000001';

sub sh { my ($rc, $out) = run_out(@_); die "@_: $out" if $rc; $out }
sub virsh { sh('timeout 60 virsh -q -c qemu:///system', @_) }
sub overlay { my ($on, $file) = @_; sh("qemu-img create -q -f qcow2 -b $on -F qcow2 $file"); $file }

# One word to the guest agent; what it returned.
sub agent {
	my ($command) = @_;
	my ($rc, $out) = run_out("timeout 30 virsh -q -c qemu:///system qemu-agent-command --timeout 20 proof '" .
		encode_json($command) . "'");
	my $o = eval { decode_json($out) };
	return $o ? $o->{return} : undef;
}
# A shell command in the guest; its output.
sub guest {
	my ($script) = @_;
	my $r = agent({ execute => 'guest-exec', arguments => { path => '/bin/sh', arg => [ '-c', $script ],
		'capture-output' => JSON::PP::true } }) or die 'guest-exec';
	my $s = wait_for("guest: $script", 60, sub {
		my $s = agent({ execute => 'guest-exec-status', arguments => { pid => $r->{pid} } }); $s && $s->{exited} && $s });
	diag "guest: $script: " . decode_base64($s->{'err-data'} // '') if $s->{exitcode};
	return decode_base64($s->{'out-data'} // '');
}

# ---- a base with a file system, an overlay for the machine, the machine ------------
sh("truncate -s 48M $dir/raw && mke2fs -q -t ext4 -E lazy_itable_init=0,lazy_journal_init=0 $dir/raw && " .
	"qemu-img convert -O qcow2 $dir/raw $dir/base.qcow2 && rm $dir/raw");
my $base_sum = sh("sha256sum <$dir/base.qcow2");
overlay("$dir/base.qcow2", "$dir/prepared.qcow2");
spew("$dir/domain.xml", <<"XML");
<domain type='qemu'><name>proof</name><uuid>$uuid</uuid>
<memory unit='MiB'>128</memory><vcpu>1</vcpu>
<os><type arch='x86_64' machine='q35'>hvm</type><kernel>$Lab::dir/site/vmlinuz</kernel><initrd>$Lab::dir/site/initrd.img</initrd>
<cmdline>console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests</cmdline></os>
<features><acpi/><apic/></features>
<devices><controller type='usb' model='none'/><controller type='virtio-serial'/>
<disk type='file' device='disk'><driver name='qemu' type='qcow2'/><source file='$dir/prepared.qcow2'/><target dev='vda' bus='virtio'/></disk>
<serial type='pty'/><channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
<memballoon model='none'/></devices></domain>
XML
virsh("create $dir/domain.xml");
ok(wait_for('agent', 120, sub { my $r = agent({ execute => 'guest-ping' }); defined $r }), 'a guest with a disk is up')
	or do { done_testing; exit 1 };

# ---- prepared: files, a page cache, a file system in use ---------------------------------
guest('mkdir -p /mnt; mount -t ext4 -o noatime /dev/vda /mnt; mkdir /mnt/d;
	for i in 1 2 3 4 5 6 7 8; do dd if=/dev/urandom of=/mnt/d/$i bs=64k count=8 2>/dev/null; done;
	sync; cat /mnt/d/* >/dev/null; echo ram-of-the-image >/tmp/ram');
my $fields = 'cached direct device ram list';
sub state_of {
	return {
		cached => guest('cd /mnt/d && for f in *; do sha256sum <$f; done'),
		direct => guest('cd /mnt/d && for f in *; do dd if=$f bs=64k iflag=direct 2>/dev/null | sha256sum; done'),
		device => guest('dd if=/dev/vda bs=64k iflag=direct 2>/dev/null | sha256sum'),
		ram => guest('cat /tmp/ram'),
		list => guest('ls -l /mnt /mnt/d'),
	};
}
my $before = state_of();
is($before->{cached}, $before->{direct}, 'before: every file agrees with the disk under it');

sub save {
	my ($image) = @_;
	my $t = now();
	virsh("save proof $image");
	note sprintf 'save %.2f s, %d MiB', now() - $t, (-s $image) >> 20;
	is((run_out('virsh -c qemu:///system domstate proof'))[0], 1, 'saved: no domain is left');
}
# The image with its disk on another overlay.
sub restore {
	my ($image, $from, $to) = @_;
	my $xml = virsh("save-image-dumpxml $image");
	$xml =~ s/\Q$from\E/$to/ or die "no $from in the image";
	$xml =~ s{<backingStore.*</backingStore>|<backingStore/>}{}s;
	spew("$dir/changed.xml", $xml);
	my $t = now();
	virsh("restore $image --xml $dir/changed.xml");
	note sprintf 'restore %.2f s', now() - $t;
}

# ---- one image, many rounds -----------------------------------------------------------------
save("$dir/ram");
chmod 0444, "$dir/prepared.qcow2";
my $prepared_sum = sh("sha256sum <$dir/prepared.qcow2");
for my $round (1 .. 4) {
	my $overlay = overlay("$dir/prepared.qcow2", "$dir/session.$round.qcow2");
	restore("$dir/ram", "$dir/prepared.qcow2", $overlay);
	my $after = state_of();
	is($after->{$_}, $before->{$_}, "round $round: $_ as in the image") for split ' ', $fields;
	guest('echo 3 >/proc/sys/vm/drop_caches');
	my $again = state_of();
	is($again->{$_}, $before->{$_}, "round $round: $_ the same without the page cache") for split ' ', $fields;
	# A user: files changed, made and removed, on every second round not yet on disk.
	guest("echo user-$round >/tmp/ram; cd /mnt/d; dd if=/dev/urandom of=3 bs=64k count=8 2>/dev/null; rm 5; " .
		"dd if=/dev/urandom of=new-$round bs=64k count=32 2>/dev/null" . ($round % 2 ? '; sync' : ''));
	if ($round == 1) {
		my $dirty = state_of();
		isnt($dirty->{$_}, $before->{$_}, "what a user does shows in $_") for split ' ', $fields;
		is($dirty->{cached}, $dirty->{direct}, 'and agrees with the disk, once synced');
	}
	virsh('destroy proof');
	unlink $overlay or die $!;
}
is(sh("sha256sum <$dir/prepared.qcow2"), $prepared_sum, 'the prepared overlay is what it was');
is(sh("sha256sum <$dir/base.qcow2"), $base_sum, 'and so is its base');

# ---- the test can fail: a used overlay under the same RAM is seen ----------------------------
{
	my $overlay = overlay("$dir/prepared.qcow2", "$dir/used.qcow2");
	restore("$dir/ram", "$dir/prepared.qcow2", $overlay);
	guest('dd if=/dev/urandom of=/mnt/d/3 bs=64k count=8 conv=notrunc 2>/dev/null; sync');
	virsh('destroy proof');
	restore("$dir/ram", "$dir/prepared.qcow2", $overlay);
	my $after = state_of();
	isnt($after->{device}, $before->{device}, 'with a used overlay the disk is not that of the image');
	isnt($after->{direct}, $after->{cached}, 'and the page cache does not agree with it');
	virsh('destroy proof');
}

# ---- saved in the middle of writes: what was only in the page cache is in the RAM ------------
{
	my $first = overlay("$dir/prepared.qcow2", "$dir/unsynced.qcow2");
	restore("$dir/ram", "$dir/prepared.qcow2", $first);
	guest('cd /mnt/d; dd if=/dev/urandom of=unsynced bs=64k count=16 2>/dev/null');
	my $sum = guest('sha256sum </mnt/d/unsynced');
	save("$dir/ram.unsynced");
	for my $round (1 .. 2) {
		my $overlay = overlay($first, "$dir/unsynced.$round.qcow2");
		restore("$dir/ram.unsynced", $first, $overlay);
		is(guest('sha256sum </mnt/d/unsynced'), $sum, "unsynced round $round: the file is whole");
		is(guest('sync; dd if=/mnt/d/unsynced bs=64k iflag=direct 2>/dev/null | sha256sum'), $sum,
			"unsynced round $round: and reaches the disk");
		is(guest('umount /mnt && e2fsck -fn /dev/vda >/tmp/fsck 2>&1; echo $?'), "0\n",
			"unsynced round $round: the file system is sound") or diag guest('cat /tmp/fsck');
		virsh('destroy proof');
	}
}
done_testing;
