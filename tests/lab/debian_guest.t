#!/usr/bin/perl
# The Debian guest: real clients reach real services in it, on channels and on
# tcp, through doors of the gateway.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(debian => 1, tools => [qw(libvirtd virsh qemu-system-x86_64 ssh ssh-keygen git curl)]);
lab_debian();
lab_network();
lab_libvirtd();

my $boot = $ENV{BOOT_WAIT} // 180;
system("ssh-keygen -q -t ed25519 -N '' -f $Lab::dir/key") == 0 or die 'ssh-keygen';
chomp(my $key = slurp("$Lab::dir/key.pub"));
lab_site(<<'LUA' . debian_pool('jump', 'ssh', authorized => $key) . debian_pool('web', 'http', port => 80));
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
listener "web" { door = "direct", address = "127.0.0.1:8080", user = "kiosk", application = "web", wait = "60 s" }
user "anna" { applications = "*" }
user "kiosk" { applications = { "web" } }
LUA
lab_engine('--gateways', 2);

sub ready { my ($pool) = @_; grep { $_->{state} eq 'ready' } machines($pool) }
sub ready_all { wait_for('both guests ready', $boot, sub { ready('jump') && ready('web') }) }
ok(ready_all(), 'a guest on a channel and one with an address are ready')
	or do { diag slurp("$Lab::dir/state/engine.log"); done_testing; exit 1 };
note "boot $_->{boot_ms} ms, prepare $_->{prepare_ms} ms: $_->{name}" for machines();

my $bin = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
{
	spew("$Lab::dir/known", "jump $Lab::debian_host_key\n");
	my ($rc, $out) = run_out("ssh -F none -i $Lab::dir/key -o UserKnownHostsFile=$Lab::dir/known",
		'-o StrictHostKeyChecking=yes -o BatchMode=yes',
		"-o ProxyCommand='$bin connect --user anna jump' anna\@jump",
		q('id -un; cat /run/remuda/user; uname -s'));
	is($rc, 0, 'ssh with remuda connect as its ProxyCommand') or diag $out;
	like($out, qr/^anna\nanna\nLinux\n/m, 'is anna in the guest, and the machine carries her') or diag $out;
}
ok(ready_all(), 'the machine is ready again');
{
	my ($rc, $out) = run_out('curl -sS --max-time 60 http://127.0.0.1:8080/');
	is($rc, 0, 'curl through a direct door') or diag $out;
	like($out, qr/served by a guest/, 'gets the page');
}
ok(ready_all(), 'the machine is ready again');
{
	# git asks for its refs on one connection and may fetch on another: each is a session.
	my ($rc, $out) = run_out("GIT_CONFIG_NOSYSTEM=1 HOME=$Lab::dir timeout 90 git clone -q",
		"http://127.0.0.1:8080/cgi-bin/git/herd.git $Lab::dir/herd");
	is($rc, 0, 'git clone over http') or diag $out;
	my @lines = split /\n/, slurp("$Lab::dir/herd/numbers");
	is(scalar @lines, 2000, 'brings the whole repository');
}
my @failed = grep { $_->{failures} } machines();
is(scalar @failed, 0, 'every cleaning was confirmed, none needed a rebuild');
remuda('engine stop --all');
done_testing;
