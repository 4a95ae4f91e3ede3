#!/usr/bin/perl
# The engine as its unit runs it: user remuda, in the group of libvirt, with no
# right but to low ports, on the system daemon.  Real guests boot, serve, are
# cleaned by each rung and are gone at the end; root is its operator.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio setpriv)]);
# A user of this test alone: the files are mounted in its namespace.
my ($uid, $gid) = (64990, 64990);
my ($libvirt) = (getgrnam 'libvirt')[2] // plan skip_all => 'needs the group libvirt';
# As the unit: KVM is believed only by who may ask it.
my @groups = ($libvirt, grep { defined && $_ } (stat '/dev/kvm')[5]);
for my $f (qw(passwd group)) {
	my $text = slurp("/etc/$f") =~ s/^remuda:.*\n//mr;
	$text .= $f eq 'passwd' ? "remuda:x:${uid}:${gid}::/nonexistent:/usr/sbin/nologin\n" : "remuda:x:${gid}:\n";
	$text =~ s/^(libvirt:x:\d+:)(.*)$/$1 . join ',', grep({ length } split(m{,}, $2)), 'remuda'/me if $f eq 'group';
	spew("$Lab::dir/$f", $text);
	system("mount --bind $Lab::dir/$f /etc/$f") == 0 or die "mount $f";
}
spew('/etc/libvirt/libvirtd.conf', slurp('/etc/libvirt/libvirtd.conf') . qq(\nunix_sock_group = "libvirt"\nunix_sock_rw_perms = "0770"\nauth_unix_rw = "none"\n));
lab_libvirtd();
lab_image();
mkdir "$Lab::dir/$_" for qw(state run);
chown $uid, $gid, "$Lab::dir/$_" for qw(state run);
chmod 0711, "$Lab::dir/state";
chmod 0755, "$Lab::dir/run";

my $boot = 'kernel = "vmlinuz", initrd = "initrd.img", memory = "128 MiB", boot_deadline = "5 min", cmdline = "console=ttyS0 quiet loglevel=4 '
	. 'audit=0 apparmor=0 no_timer_check tsc=reliable rcupdate.rcu_expedited=1 cryptomgr.notests"';
my $pools = join '', map { <<LUA } [wash => 'clean'], [fresh => 'rebuild'], [back => 'revert'];
application "$_->[0]" {
	endpoint = "channel", identity = "agent",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
	ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
	accept = function(machine, session) machine:confirm{ "/usr/lib/remuda/accept", session.user } end,
	clean = function(machine, session) machine:confirm{ "/usr/lib/remuda/clean" } end,
}
pool "$_->[0]" { application = "$_->[0]", serve = 1, max = 1, recycle = "$_->[1]", $boot }
LUA
lab_site(<<LUA);
site "lab" { peers = true }
host "local" { uri = "qemu:///system" }
$pools
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "4 min" }
listener "low" { door = "native", address = "127.0.0.1:700", user = "kiosk", applications = "*", wait = "4 min" }
user "anna" { }
user "kiosk" { }
LUA
# The rights the unit leaves, and no others.
my $remuda = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
my $caps = '-all,+net_bind_service';
my ($rc, $out) = run_out("setpriv --reuid $uid --regid $gid --groups @{[join ',', @groups]} --bounding-set=$caps --inh-caps=$caps --ambient-caps=$caps --no-new-privs $remuda engine start --gateways 1");
is($rc, 0, 'the engine starts as remuda') or diag $out, slurp("$Lab::dir/state/engine.log");
my $pid = remuda_json('info')->{item}{pid};
like(slurp("/proc/$pid/status"), qr/^Uid:\s+$uid\s+$uid.*^CapEff:\s+0000000000000400$/ms, 'without any right but to low ports');
is(remuda_json('engine status')->{item}{rights}, 'change', 'root is its operator');
ok(wait_for('three machines', 240, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three real guests are ready')
	or diag slurp("$Lab::dir/state/engine.log");
for my $name (qw(wash fresh back)) {
	my $before = machine("$name-01");
	my ($code, $said, $words) = connect_run("echo secret >/tmp/mine; cat /run/remuda/user\n", '--user', 'anna', '--confirm', $name);
	is($code, 0, "$name: a session, and its machine is clean") or diag $words;
	like($said, qr/^anna$/m, "$name: it carries her");
	ok(wait_for("$name is free", 120, sub { machine("$name-01")->{state} eq 'ready' }), "$name: the machine is free again");
	cmp_ok(machine("$name-01")->{incarnation}, '>', $before->{incarnation}, "$name: in another life");
	($code, $said) = connect_run("ls /tmp/mine 2>&1\n", '--to', '127.0.0.1:700', $name);
	like($said, qr/No such file/, "$name: by the low port: nothing of her is left");
}
my $log = slurp("$Lab::dir/state/engine.log");
unlike($log, qr/ error /, 'nothing went wrong') or diag join '', grep { / error / } split /^/, $log;
is((remuda('site destroy', '--yes', '--force', '--timeout', '120s'))[0], 0, 'the site is destroyed');
ok(wait_for('no guest', 60, sub { !qx{pgrep -f qemu-system-x86_64} }), 'no guest is left');
is_deeply([ glob "$Lab::dir/state/volumes/* $Lab::dir/state/images/*" ], [], 'nor a file of theirs');
done_testing;
