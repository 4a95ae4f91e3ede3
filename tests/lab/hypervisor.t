#!/usr/bin/perl
# The hypervisor role against a libvirtd and guests of its own.  This script
# sets the stage (namespaces, daemon, a small guest) and hypervisor_peer.c, its
# last process, is the test.
use strict;
use warnings;
use Cwd qw(abs_path);

my $top = abs_path($0 =~ m{^(.*)/tests/} ? $1 : '.');
my $peer = "$top/" . ($ENV{BUILD} // 'build') . '/tests/lab/hypervisor_peer';
my $dir = '/run/remuda-lab';
$ENV{PATH} .= ':/usr/sbin:/sbin';

sub skip { print "1..0 # SKIP $_[0]\n"; exit 0 }
sub bail { print "Bail out! $_[0]\n"; exit 255 }
sub tool { my ($name) = @_; my ($path) = grep { -x } map { "$_/$name" } split /:/, $ENV{PATH}; $path }
sub run { system(@_) == 0 or bail("@_ failed") }

my ($kernel) = reverse sort glob '/boot/vmlinuz-*-cloud-amd64';
if (!$ENV{REMUDA_LAB}) {
	skip('needs root, for namespaces and a libvirtd of its own') if $>;
	for my $t (qw(unshare ip mount libvirtd virtlogd virsh qemu-system-x86_64
			qemu-ga busybox cpio gzip ldd)) {
		skip("needs the program $t") unless tool($t);
	}
	skip('needs the package linux-image-cloud-amd64') unless $kernel;
	bail("no $peer: make tests") unless -x $peer;
	$ENV{REMUDA_LAB} = 1;
	exec 'unshare', qw(-n -m -p -f --mount-proc), $^X, $0 or bail("unshare: $!");
}

# Process 1 of the namespace reaps what the daemons leave: libvirt waits long
# for a QEMU that has ended but is not reaped.
my $child = fork // bail("fork: $!");
if ($child) {
	my $status = 255;
	while ((my $pid = wait) > 0) {
		next if $pid != $child;
		$status = $? >> 8 || $? & 127;
		last;
	}
	exit $status;
}

run(qw(ip link set lo up));
for my $d (qw(/run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt)) {
	mkdir $d;
	run(qw(mount -t tmpfs -o mode=0755 none), $d);
}
mkdir '/run/lock';	# libvirt locks a console's terminal there
# Guests run as another user: every folder on the way lets it pass.
mkdir $dir;
run('cp', $kernel, "$dir/vmlinuz");

# ---- a guest: busybox, the guest agent, an echo on one port ----------------
my $root = "$dir/root";
run('mkdir', '-p', map { "$root/$_" } qw(bin dev proc sys run tmp mods));
run('cp', tool('busybox'), "$root/bin/busybox");
run('cp', tool('qemu-ga'), "$root/bin/qemu-ga");
for my $applet (split /\n/, `busybox --list`) {
	symlink 'busybox', "$root/bin/$applet" unless $applet eq 'busybox';
}
for my $library (`ldd @{[tool('qemu-ga')]}` =~ m{(/\S+)}g) {
	my ($folder) = $library =~ m{(.*)/};
	run('mkdir', '-p', "$root$folder");
	run('cp', '-L', $library, "$root$library");
}
my ($version) = $kernel =~ /vmlinuz-(.*)/;
my @modules = qw(virtio/virtio_ring virtio/virtio virtio/virtio_pci_modern_dev
	virtio/virtio_pci_legacy_dev virtio/virtio_pci char/virtio_console block/virtio_blk);
for my $m (@modules) {
	my ($file) = glob "/lib/modules/$version/kernel/drivers/$m.ko*";
	bail("no module $m for $version") unless $file;
	run('cp', $file, "$root/mods/");
}
my $insert = join "\n", map { 'insmod /mods/' . s{.*/}{}r . '.ko*' } @modules;
open my $init, '>', "$root/init" or bail("init: $!");
print $init <<"EOS";
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
$insert
mkdir -p /dev/virtio-ports
for p in /sys/class/virtio-ports/*; do
	name=\$(cat \$p/name)
	[ -n "\$name" ] && ln -s /dev/\${p##*/} "/dev/virtio-ports/\$name"
done
port=/dev/virtio-ports/remuda.app
# Opened once: closing it would throw away what has come in meanwhile.
[ -e \$port ] && (exec 3<>\$port; while :; do cat <&3 >&3; usleep 20000; done) &
exec qemu-ga -m virtio-serial -p /dev/virtio-ports/org.qemu.guest_agent.0 -t /run -r </dev/null
EOS
close $init;
chmod 0755, "$root/init";
run("cd $root && find . | cpio -o -H newc --quiet | gzip -1 > $dir/initrd.img");
chmod 0644, "$dir/vmlinuz", "$dir/initrd.img";

# ---- the daemon, and a domain that is not ours ---------------------------------
# The group libvirt may use it, as Debian has it, but without polkit here.
open my $conf, '>', "$dir/libvirtd.conf" or bail("libvirtd.conf: $!");
print $conf qq{unix_sock_group = "libvirt"\nunix_sock_rw_perms = "0770"\nauth_unix_rw = "none"\n};
close $conf;
$ENV{LAB_LIBVIRTD} = "libvirtd -d -f $dir/libvirtd.conf -p /run/libvirtd-lab.pid";
run("virtlogd -d && $ENV{LAB_LIBVIRTD}");
my $end = time + 30;
until (system('timeout 3 virsh -c qemu:///system uri >/dev/null 2>&1') == 0) {
	bail('libvirtd does not answer') if time > $end;
	select undef, undef, undef, 0.05;
}
open my $foreign, '>', "$dir/foreign.xml" or bail("foreign: $!");
print $foreign <<'EOS';
<domain type='qemu'><name>foreign</name>
<uuid>99999999-9999-4999-8999-999999999999</uuid><memory unit='MiB'>16</memory>
<os><type arch='x86_64' machine='q35'>hvm</type></os>
<on_reboot>destroy</on_reboot></domain>
EOS
close $foreign;
run("virsh -q -c qemu:///system create --paused $dir/foreign.xml >/dev/null");

@ENV{qw(LAB_KERNEL LAB_INITRD LAB_DIR)} = ("$dir/vmlinuz", "$dir/initrd.img", $dir);
exec $peer or bail("$peer: $!");
