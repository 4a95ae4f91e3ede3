#!/usr/bin/perl
# The computer restarts: every process of Remuda and every guest is gone at
# once, and /proc says another boot id.  Sessions are recorded as lost with the
# reason, machines are made anew, none is blamed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virsh qemu-system-x86_64)]);
lab_libvirtd();
lab_image();
sub boot_id {
	my ($id) = @_;
	system('umount /proc/sys/kernel/random/boot_id 2>/dev/null');
	spew("$Lab::dir/boot_id", "$id\n");
	system("mount --bind $Lab::dir/boot_id /proc/sys/kernel/random/boot_id") == 0 or die 'mount';
}
boot_id('00000000-0000-4000-8000-000000000001');
lab_site(<<'LUA');
site "lab" { }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
application "stay" {
	endpoint = "channel", identity = "none",
	ready = function(machine) machine:exec{ "/bin/true" } end,
}
pool "stay" { application = "stay", serve = 2, max = 2, kernel = "vmlinuz", initrd = "initrd.img", recycle = "rebuild", boot_deadline = "5 min" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "owner" { uid = 0 }
LUA
lab_engine('--gateways', 1);
sub ready { scalar grep { $_->{state} eq 'ready' } machines() }
ok(wait_for('two machines', 240, sub { ready() == 2 }), 'two machines') or diag slurp("$Lab::dir/state/engine.log");
my $c = connect_start('stay');
ok(wait_for('a session', 60, sub { (session_of('owner') // {})->{state} }), 'a session');
my $session = session_of('owner')->{id};
my %uuid = map { $_->{name} => $_->{uuid} } machines();

# As a power cut would: nobody gets a word.
my @gone = ($Lab::engine, map({ pids_of_role($_) } qw(gateway hypervisor rules)), map { m{(\d+)$} } grep { slurp("$_/cmdline") =~ /qemu-system/ } glob '/proc/[0-9]*');
cmp_ok(scalar @gone, '>=', 6, 'engine, roles and guests: ' . @gone);
kill 'KILL', @gone;
ok(wait_for('they are gone', 30, sub { !grep { -e "/proc/$_" && slurp("/proc/$_/stat") !~ /\) [ZX] / } @gone }), 'all are gone');
waitpid $c->{pid}, 0;
boot_id('00000000-0000-4000-8000-000000000002');
lab_engine('--gateways', 1);
my ($s) = grep { $_->{id} == $session } sessions('--history');
is($s->{state}, 'lost', 'its session is lost');
is($s->{end_text}, 'host lost: this computer was restarted', 'and why');
ok(wait_for('two machines again', 240, sub { ready() == 2 }), 'machines are made anew');
my @m = machines();
is(join(' ', map { $_->{failures} } @m), '0 0', 'none is blamed');
is_deeply({ map { $_->{name} => $_->{uuid} } @m }, \%uuid, 'they are the machines of before');
my ($said) = grep { $_->{text} =~ /this computer was restarted/ } @{ remuda_json('event list --kind HOST')->{items} };
is($said->{text}, 'this computer was restarted: 1 sessions lost, 2 machines are made anew', 'and it is said');

# A restart of the engine alone is none of the computer.
is((remuda('engine stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
is(ready(), 2, 'machines go on');
is(scalar(grep { $_->{text} =~ /this computer was restarted/ } @{ remuda_json('event list --kind HOST')->{items} }), 1, 'nothing is said');
remuda('site close', '--yes');
ok(wait_for('the site is closed', 60, sub { !kill 0, $Lab::engine }), 'closed');
done_testing;
