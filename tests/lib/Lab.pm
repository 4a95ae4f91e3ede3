# A laboratory of its own for a test with real guests: namespaces, a private
# libvirtd, a site, an engine.  Nothing outside is touched, and everything ends
# with the test: the pid namespace takes all its processes with it.
package Lab;
use strict;
use warnings;
use Cwd qw(abs_path);
use Exporter 'import';
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(:sys_wait_h);
use Test::More;
use Time::HiRes qw(time);

our @EXPORT = qw(lab_enter lab_libvirtd lab_image lab_site lab_engine wait_for
	lab_debian lab_network debian_pool
	remuda remuda_json machines machine sessions session_of connect_start
	connect_run connect_end lab_echo slurp spew run_out pids_of_role now);

our ($dir, $engine, $libvirtd, $top);
$top = abs_path($0 =~ m{^(.*)/tests/} ? $1 : '.');
my $remuda = "$top/" . ($ENV{BUILD} // 'build') . '/remuda';
my $json = JSON::PP->new->utf8;

sub now { time }

sub slurp { my ($f) = @_; local $/; open my $h, '<', $f or return ''; my $t = <$h>; $t // '' }
sub spew { my ($f, $t) = @_; open my $h, '>', $f or die "$f: $!"; print $h $t; close $h }

# Runs a command; returns (exit status, output of both streams).
sub run_out { my $out = qx{@_ 2>&1}; ($? >> 8, $out) }

sub bail_skip { plan skip_all => $_[0] }

# Re-executes the test in namespaces of its own.
sub lab_enter {
	my (%need) = @_;
	bail_skip('needs root for namespaces and a libvirtd of its own') if $>;
	for my $tool (qw(unshare ip), @{ $need{tools} // [] }) {
		bail_skip("needs $tool")
			unless grep { -x "$_/$tool" } split(/:/, $ENV{PATH}), '/usr/sbin', '/sbin';
	}
	bail_skip("needs $remuda: make build") unless -x $remuda;
	build_debian() if $need{debian} && !$ENV{REMUDA_LAB};	# in there is no network
	unless ($ENV{REMUDA_LAB}) {
		$ENV{REMUDA_LAB} = 1;
		# The first process of a pid namespace must reap: QEMUs are orphans.
		# A waiting shell does; the test itself is its child.
		exec 'unshare', qw(-n -m -p -f --mount-proc sh -c), '"$@" & wait $!',
			'lab', $^X, $0 or die "unshare: $!";
	}
	system('ip link set lo up') == 0 or die 'lo';
	for my $d (qw(/run /var/lib/libvirt /var/log/libvirt /var/cache/libvirt)) {
		mkdir $d unless -d $d;
		system("mount -t tmpfs -o mode=0755 none $d") == 0 or die "tmpfs on $d";
	}
	mkdir '/run/lock';	# libvirt's consoles want it
	# Guests run as another uid: every folder on the way must let them pass.
	$dir = tempdir('/run/remuda-lab-XXXXXX');
	chmod 0711, $dir;
	# What a test defines stays in the test.
	system("cp -a /etc/libvirt $dir/etc && mount --bind $dir/etc /etc/libvirt") == 0
		or die 'a private /etc/libvirt';
	mkdir "$dir/site"; chmod 0755, "$dir/site";
	@ENV{qw(REMUDA_CONFIG REMUDA_STATE_DIR REMUDA_RUN_DIR REMUDA_SITE NO_COLOR)} =
		("$dir/site/site.lua", "$dir/state", "$dir/run", 'lab', 1);
	$ENV{PATH} .= ':/usr/sbin:/sbin';
	return $dir;
}

sub lab_libvirtd {
	system('virtlogd -d && libvirtd -d -p /run/libvirtd-lab.pid') == 0 or die 'libvirtd';
	wait_for('libvirtd answers', 20, sub {
		(run_out('timeout 3 virsh -c qemu:///system uri'))[0] == 0 });
	chomp($libvirtd = slurp('/run/libvirtd-lab.pid'));
	return $libvirtd;
}

# The demo's guest image, built once and shared by all tests.
sub lab_image {
	my $cache = "$top/" . ($ENV{BUILD} // 'build') . '/image';
	unless (-f "$cache/initrd.img" && -M "$cache/initrd.img" < -M "$top/share/demo/build-image.sh") {
		my ($rc, $out) = run_out("$top/share/demo/build-image.sh $cache");
		die "image: $out" if $rc;
	}
	system("cp $cache/vmlinuz $cache/initrd.img $dir/site/") == 0 or die 'cp image';
	chmod 0644, "$dir/site/vmlinuz", "$dir/site/initrd.img";
}

# ---- the Debian guest ------------------------------------------------------------
#
# Real services of Debian packages in one initial RAM file system (55 MB; give it
# 256 MiB or more): sshd, git, an HTTP server, and the clients ssh, git, curl,
# psql and nc.openbsd; users root, session, anna and ben.
#
#     lab_enter(debian => 1, tools => [...]);	# builds it, once (needs apt's archive)
#     lab_debian();				# puts it into the site's folder
#     lab_network();				# only for pools with a port
#     lab_site(<<LUA . debian_pool('jump', 'ssh') . debian_pool('web', 'http', port => 80));
#
# debian_pool(POOL, SERVICE, ...) is the Lua text of an application POOL and a pool
# POOL of it.  SERVICE: ssh, http (/srv/www; git's smart server under
# /cgi-bin/git/herd.git, and /cgi-bin/who), git (git://HOST/herd.git) or shell.
#   without port   the service answers on the session's channel (inetd style)
#   port => N      it listens on tcp, on an address of its own: 10.0.NET.INDEX in
#                  the bridge lab0 of the test's namespace (the host is
#                  10.0.255.254).  NET is counted by pool; net => N names it.
# More: serve, max, spare, memory ("256 MiB"), recycle ("clean"), identity ("none"
# with a port, else "agent"), and `more` / `app_more`: Lua fields put in as they are.
# ssh: $Lab::debian_host_key is the guests' public host key; the user's key goes in
# with `remuda machine exec M -- ...`, the accept hook, or `authorized => KEY TEXT`,
# which lets root, anna and ben in.

our ($debian_host_key, $networks) = ('', 0);

sub debian_dir { "$top/" . ($ENV{BUILD} // 'build') . '/debian' }

sub build_debian {
	local $ENV{REMUDA_GUEST} = "$top/" . ($ENV{BUILD} // 'build') . '/remuda-guest';
	my ($rc, $out) = run_out("$top/tests/lab/lib/debian-image.sh", debian_dir());
	bail_skip("needs the Debian guest: $out") if $rc;
}

sub lab_debian {
	my $from = debian_dir();
	mkdir "$dir/site/debian"; chmod 0755, "$dir/site/debian";
	system("cp $from/vmlinuz $from/initrd.img $dir/site/debian/") == 0 or die 'cp debian';
	($debian_host_key) = slurp("$from/ssh_host_ed25519_key.pub") =~ /^(\S+ \S+)/;
}

my $cmdline = 'console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable '
	. 'rcupdate.rcu_expedited=1 cryptomgr.notests';

sub lab_network {
	system('ip link add lab0 address 02:00:00:00:00:fe type bridge && ip addr add 10.0.255.254/16 dev lab0 && '
		. 'ip link set lab0 up') == 0 or die 'bridge';
}

# A template of a machine with a network card: {index} is filled in by the engine.
sub debian_template {
	my ($pool, $net) = @_;
	spew("$dir/site/$pool.xml", <<XML);
<domain type='kvm'>
  <os><type arch='x86_64' machine='q35'>hvm</type>
    <kernel>$dir/site/debian/vmlinuz</kernel><initrd>$dir/site/debian/initrd.img</initrd>
    <cmdline>$cmdline remuda.ip=10.0.$net.{index}/16,10.0.255.254</cmdline></os>
  <features><acpi/><apic/><vmport state='off'/></features>
  <clock offset='utc'><timer name='hpet' present='no'/></clock>
  <on_poweroff>destroy</on_poweroff><on_crash>destroy</on_crash>
  <devices>
    <controller type='usb' model='none'/><controller type='virtio-serial'/>
    <serial type='pty'/><console type='pty'/>
    <interface type='bridge'><source bridge='lab0'/><model type='virtio'/></interface>
    <memballoon model='none'/>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
  </devices>
</domain>
XML
}

sub debian_pool {
	my ($pool, $service, %o) = @_;
	my $port = $o{port};
	my $net = $o{net} // ($port ? ++$networks : 0);
	debian_template($pool, $net) if $port;
	my $memory = $o{memory} // '256 MiB';
	my $identity = $o{identity} // ($port ? 'none' : 'agent');
	my $recycle = $o{recycle} // 'clean';
	my $serve = $o{serve} // 1;
	my $max = $o{max} // $serve;
	my $spare = $o{spare} // 0;
	my $endpoint = $port ? "tcp:10.0.$net.{index}:$port" : 'channel';
	my $boot = $port ? qq(template = "$pool.xml")
		: qq(kernel = "debian/vmlinuz", initrd = "debian/initrd.img", cmdline = "$cmdline");
	my $start = join ', ', map { qq("$_") } '/usr/lib/remuda/start', $service;
	$start .= ', machine.name' . ($port ? qq(, "-", "$port") : '');
	my $keys = $o{authorized} ? qq(machine:write("/etc/ssh/authorized_keys/all", "$o{authorized}\\n")) : '';
	my $accept = $identity ne 'agent' ? '' : 'accept = function(machine, session) '
		. 'machine:confirm{ "/usr/lib/remuda/accept", session.user } end,';
	my $ready = $port ? qq(return machine:tcp($port)) : qq(machine:exec{ "/usr/lib/remuda/status" });
	return <<LUA;
application "$pool" {
	endpoint = "$endpoint", identity = "$identity",
	prepare = function(machine) $keys machine:exec{ $start } end,
	ready = function(machine) $ready end,
	$accept
	clean = function(machine, session) machine:confirm{ "/usr/lib/remuda/clean" } end,
	@{[ $o{app_more} // '' ]}
}
pool "$pool" {
	application = "$pool", serve = $serve, max = $max, spare = $spare, $boot,
	memory = "$memory", recycle = "$recycle", boot_deadline = "5 min",
	@{[ $o{more} // '' ]}
}
LUA
}

sub lab_site { my ($lua) = @_; spew("$dir/site/site.lua", $lua) }

# Starts the engine in the background; returns its pid.
sub lab_engine {
	my ($rc, $out) = run_out("$remuda engine start @_");
	die "engine start: $out\n" . slurp("$dir/state/engine.log") if $rc;
	my $info = remuda_json('info');
	return $engine = $info->{item}{pid};
}

# Waits until the sub returns true; false and a diagnosis when it never does.
sub wait_for {
	my ($what, $seconds, $sub) = @_;
	my $end = time + $seconds;
	while (time < $end) {
		my $r = $sub->();
		return $r if $r;
		# Asking costs a process; what takes long is asked for less often,
		# for the guests need the cores.
		my $waited = $seconds - ($end - time);
		select undef, undef, undef, $waited < 1 ? 0.02 : $waited < 5 ? 0.05 : 0.2;
	}
	diag("gave up after $seconds s: $what");
	return;
}

sub remuda { my ($rc, $out) = run_out($remuda, @_); wantarray ? ($rc, $out) : $out }

sub remuda_json {
	my $out = qx{$remuda @_ --json 2>/dev/null};
	my $o = eval { $json->decode($out) };
	return $o // {};
}

sub machines {
	my ($pool) = @_;
	my $items = remuda_json('machine list')->{items} // [];
	return grep { !$pool || $_->{pool} eq $pool } @$items;
}

sub machine { my ($name) = @_; my ($m) = grep { $_->{name} eq $name } machines(); $m // {} }

sub sessions { my $i = remuda_json('session list', @_)->{items} // []; @$i }

sub session_of { my ($user, @how) = @_; my ($s) = grep { $_->{user} eq $user } sessions(@how); $s }

# A client that stays: returns { pid, in, out, err } with err a file's path.
my $clients = 0;
sub connect_start {
	my (@args) = @_;
	my $err = "$dir/client-" . ++$clients . '.err';
	pipe my $in_r, my $in_w or die;
	pipe my $out_r, my $out_w or die;
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<&', $in_r; open STDOUT, '>&', $out_w; open STDERR, '>', $err;
		close $_ for $in_r, $in_w, $out_r, $out_w;
		exec $remuda, 'connect', '-v', @args or POSIX::_exit(127);
	}
	close $in_r; close $out_w;
	$in_w->autoflush(1);
	return { pid => $pid, in => $in_w, out => $out_r, err => $err };
}

# A whole session: input in, (exit code, output, words on stderr) out.
sub connect_run {
	my ($input, @args) = @_;
	my $c = connect_start(@args);
	local $SIG{PIPE} = 'IGNORE';
	print { $c->{in} } $input;
	close $c->{in};
	local $/;
	my $out = readline $c->{out};
	waitpid $c->{pid}, 0;
	return ($? >> 8, $out // '', slurp($c->{err}));
}

# A client's input ends; it is gone when this returns.
sub connect_end {
	my ($c) = @_;
	local $_;
	close $c->{in};
	1 while readline $c->{out};
	waitpid $c->{pid}, 0;
	return $? >> 8;
}

# The application of machines that are only addresses: says hello, then sends
# back what it gets.  Returns its pid.
sub lab_echo {
	my ($port, $address) = @_;
	my $pid = fork // die;
	return $pid if $pid;
	require IO::Socket::INET;
	my $l = IO::Socket::INET->new(LocalAddr => $address // '0.0.0.0', LocalPort => $port, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		syswrite $c, "hello\n";
		while (sysread $c, my $b, 4096) { syswrite $c, $b }
		POSIX::_exit(0);
	}
}

# Pids of the engine's roles of that name: `remuda role NAME ...`.
sub pids_of_role {
	my ($role) = @_;
	my @pids;
	for my $p (glob '/proc/[0-9]*') {
		my @argv = split /\0/, slurp("$p/cmdline");
		push @pids, $p =~ m{(\d+)$} if @argv > 2 && $argv[1] eq 'role' && $argv[2] eq $role;
	}
	return sort { $a <=> $b } @pids;
}

1;
