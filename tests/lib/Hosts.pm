# Several hypervisor hosts on one machine, for a test that has entered its
# laboratory (Lab.pm).  Each host is a set of namespaces (network, mounts, host
# name) with a libvirtd of its own; all are joined by one bridge in the test's own
# namespace, which is the engine's, so guests everywhere share one network:
#
#     10.99.0.254      the engine, on bridge lab0
#     10.99.0.N        host N; its libvirt: qemu+tcp://10.99.0.N/system
#     10.99.1.INDEX    guests (node_template), on every host's bridge br0
#
#     lab_enter(tools => [@Hosts::tools]);
#     lab_hosts(3);			# nodes' guest image too: $Lab::dir/site/node/
#     lab_site(node_template('web') . <<LUA);	# writes web.xml; Lua for the hosts
#     pool "web" { host = "h1", template = "web.xml", ... }	# tcp:10.99.1.{index}:80
#
# What a guest answers stands in tests/lab/lib/node/node.c.  Everything ends with
# the test: its pid namespace takes libvirtds, QEMUs and namespaces with it.
package Hosts;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;
use Lab;

our @EXPORT = qw(lab_hosts host_uri host_run host_virsh hosts_lua node_template node_ask
	guest_pid guest_host guest_kill guest_freeze guest_thaw
	libvirtd_pid libvirtd_freeze libvirtd_thaw libvirtd_kill libvirtd_start
	host_cut host_heal host_kill);
our @tools = qw(libvirtd virtlogd virsh qemu-system-x86_64 nsenter cpio musl-gcc);

my @holder;	# [N]: pid of the process that keeps host N's namespaces
my $image = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/node';

sub run_or_die { system(@_) == 0 or die "@_ failed" }

# The image of the nodes, built once, where every host sees it.
sub node_image {
	local $ENV{REMUDA_GUEST} = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda-guest';
	my ($rc, $out) = run_out("$Lab::top/tests/lab/lib/node-image.sh", $image);
	die "node image: $out" if $rc;
	mkdir "$Lab::dir/site/node"; chmod 0755, "$Lab::dir/site/node";
	run_or_die("cp $image/vmlinuz $image/initrd.img $Lab::dir/site/node/");
}

sub host_uri { "qemu+tcp://10.99.0.$_[0]/system" }

# Inside the namespaces of host N; returns (status, output).
sub host_run { my ($n, @command) = @_; run_out('nsenter', '-t', $holder[$n], qw(-n -m -u --), @command) }

# virsh on host N, from the host itself.
sub host_virsh { my ($n, @words) = @_; host_run($n, qw(timeout 20 virsh -q -c qemu:///system), @words) }

# What makes host N out of a process in fresh namespaces; ends in waiting.  A
# bridge without an address of its own takes the lowest of its ports': once in 64
# times a guest's, which a migration brings to both hosts, and neither host reaches
# the other any more.
sub host_script {
	my ($n) = @_;
	my $base = "$Lab::dir/host$n";
	my ($name) = $Lab::dir =~ m{^/run/(.*)};
	return <<"EOS";
set -e
hostname h$n
mount -t tmpfs -o mode=0755 none $base/run
mkdir -p $base/run/$name $base/run/lock
mount --bind $Lab::dir $base/run/$name
mount --rbind $base/run /run
for d in /var/lib/libvirt /var/log/libvirt /var/cache/libvirt; do mount -t tmpfs -o mode=0755 none \$d; done
mount --bind $base/etc /etc/libvirt
ip link set lo up
ip link add br0 address 02:00:00:99:00:0$n type bridge
ip addr add 10.99.0.$n/16 dev br0
ip link set br0 up
touch $base/ready
exec sleep infinity
EOS
}

sub host_make {
	my ($n) = @_;
	my $base = "$Lab::dir/host$n";
	mkdir $base; chmod 0755, $base;
	mkdir "$base/run";
	run_or_die("cp -a /etc/libvirt $base/etc");
	spew("$base/etc/libvirtd.conf", <<"EOS");
host_uuid = "99990000-0000-4000-8000-00000000000$n"
listen_tls = 0
listen_tcp = 1
listen_addr = "10.99.0.$n"
auth_tcp = "none"
EOS
	# What hosts share here belongs to none of them.
	spew("$base/etc/qemu.conf", qq{remember_owner = 0\ncgroup_controllers = [ ]\nmigration_address = "10.99.0.$n"\n});
	my $pid = fork // die;
	if (!$pid) {
		exec qw(unshare -n -m -u --propagation private sh -c), host_script($n) or POSIX::_exit(127);
	}
	$holder[$n] = $pid;
	wait_for("host $n", 20, sub { -e "$base/ready" }) or die "host $n";
	run_or_die("ip link add lab$n type veth peer name up0 netns $pid && ip link set lab$n master lab0 up");
	my ($rc, $out) = host_run($n, qw(ip link set up0 master br0 up));
	die $out if $rc;
	libvirtd_start($n);
}

sub lab_hosts {
	my ($count) = @_;
	# Whether KVM is any good can be tried on a role's own machine only.
	$ENV{REMUDA_FORCE_TCG} = 1;
	run_or_die('ip link add lab0 address 02:00:00:99:00:fe type bridge && ip addr add 10.99.0.254/16 dev lab0 && ip link set lab0 up');
	node_image();
	host_make($_) for 1 .. $count;
}

# ---- libvirtd of host N ------------------------------------------------------------

sub libvirtd_pid { my ($n) = @_; my $pid = slurp("$Lab::dir/host$n/libvirtd.pid"); chomp $pid; $pid }

sub libvirtd_start {
	my ($n) = @_;
	host_run($n, 'virtlogd -d');	# there already, but for the first time and a host_kill
	run_or_die('nsenter', '-t', $holder[$n], qw(-n -m -u -- libvirtd --listen -d -p),
		"$Lab::dir/host$n/libvirtd.pid");
	wait_for("libvirtd of host $n answers", 30, sub {
		(run_out('timeout 5 virsh -c', host_uri($n), 'uri'))[0] == 0 }) or die "libvirtd $n";
}

sub libvirtd_freeze { kill 'STOP', libvirtd_pid($_[0]) }
sub libvirtd_thaw { kill 'CONT', libvirtd_pid($_[0]) }

# Gone when this returns; its QEMUs go on.
sub libvirtd_kill {
	my ($n) = @_;
	my $pid = libvirtd_pid($n);
	kill 'KILL', $pid;
	wait_for("libvirtd $n is gone", 10, sub { !-e "/proc/$pid" || slurp("/proc/$pid/stat") =~ /\) Z/ });
	unlink "$Lab::dir/host$n/libvirtd.pid";
}

# ---- the network of host N --------------------------------------------------------------

# Off the network with its guests: nothing goes in or out until it is healed.
sub host_cut { my ($n) = @_; run_or_die("ip link set lab$n down") }
sub host_heal { my ($n) = @_; run_or_die("ip link set lab$n up") }

# Off the network, and every process of it ended: its machines are gone for good.
# It comes back as a host without any: host_heal and libvirtd_start.
sub host_kill {
	my ($n) = @_;
	my $net = readlink "/proc/$holder[$n]/ns/net";
	host_cut($n);
	my @pids = grep { $_ != $holder[$n] && (readlink("/proc/$_/ns/net") // '') eq $net }
		map { m{(\d+)$} } glob '/proc/[0-9]*';
	kill 'KILL', @pids;
	wait_for("host $n is dead", 10, sub { !grep { slurp("/proc/$_/stat") =~ /\) [^ZX]/ } @pids });
	unlink "$Lab::dir/host$n/libvirtd.pid";
}

# ---- guests, by machine's name --------------------------------------------------------------

# Pid of the QEMU; with a host's number only there (a migration has two for a while).
sub guest_pid {
	my ($name, $n) = @_;
	my $net = defined $n ? readlink "/proc/$holder[$n]/ns/net" : undef;
	for my $p (glob '/proc/[0-9]*') {
		my $cmdline = slurp("$p/cmdline");
		next unless $cmdline =~ /\0-name\0guest=\Q$name\E(,|\0)/;
		next if $net && (readlink("$p/ns/net") // '') ne $net;
		next if slurp("$p/stat") =~ /\) Z/;
		return $1 if $p =~ m{(\d+)$};
	}
	return;
}

# Number of the host it runs on.
sub guest_host {
	my ($name) = @_;
	for my $n (1 .. $#holder) { return $n if guest_pid($name, $n) }
	return;
}

sub signal_guest {
	my ($signal, $name, $n) = @_;
	my $pid = guest_pid($name, $n) or die "no QEMU of $name";
	kill $signal, $pid;
	return $pid;
}
sub guest_kill { signal_guest('KILL', @_) }
sub guest_freeze { signal_guest('STOP', @_) }
sub guest_thaw { signal_guest('CONT', @_) }

# ---- for site files ------------------------------------------------------------------------

# Lua of the hosts h1, h2 ...; more => fields put in as they are ("vcpus = 8,").
sub hosts_lua {
	my ($count, $more) = @_;
	my @uris = map { host_uri($_) } 1 .. $count;
	return join '', map { qq(host "h$_" { uri = "$uris[$_ - 1]", @{[ $more // '' ]} }\n) } 1 .. $count;
}

# XML of a machine on the hosts' network.
sub node_xml {
	my ($name, $address) = @_;
	return <<"XML";
<domain type='kvm'>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$Lab::dir/site/node/vmlinuz</kernel><initrd>$Lab::dir/site/node/initrd.img</initrd>
    <cmdline>console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable rcupdate.rcu_expedited=1 cryptomgr.notests remuda.name=$name remuda.ip=$address/16</cmdline></os>
  <features><acpi/><apic/><vmport state='off'/></features>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff><on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/><controller type='virtio-serial'/>
    <serial type='pty'/><console type='pty'/>
    <interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>
    <memballoon model='virtio'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
XML
}

# Writes POOL.xml into the site's folder; {machine} and {index} are the engine's.
# first => N: machine INDEX has 10.99.1.INDEX, or 10.99.NET.INDEX with net => NET.
sub node_template {
	my ($pool, %o) = @_;
	my $net = $o{net} // 1;
	spew("$Lab::dir/site/$pool.xml", node_xml('{machine}', "10.99.$net.{index}"));
	return '';
}

# One transaction with a node: a GET of that path; the body, or undef.
sub node_ask {
	my ($address, $path, $seconds) = @_;
	$path //= '/';
	$address .= ':80' unless $address =~ /:/;
	my $s = IO::Socket::INET->new(PeerAddr => $address, Timeout => $seconds // 2) or return;
	$s->timeout($seconds // 2);
	syswrite $s, "GET $path HTTP/1.0\r\n\r\n";
	my ($all, $end) = ('', now() + ($seconds // 2));
	while ((my $left = $end - now()) > 0) {
		my $r = '';
		vec($r, fileno $s, 1) = 1;
		next unless select($r, undef, undef, $left) > 0;
		sysread($s, $all, 65536, length $all) or last;
	}
	return $all =~ /\r\n\r\n(.*)/s ? $1 : undef;
}

1;
