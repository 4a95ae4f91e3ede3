#!/usr/bin/perl
# A backup while people work, and the site restored from it: over the one of
# today with its guests still running, and elsewhere, on real guests.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virsh qemu-system-x86_64)]);
lab_libvirtd();
lab_image();
my $lua = <<'LUA';
site "lab" { }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
application "echo" (require "parts.echo")
pool "echo" { application = "echo", serve = 2, max = 2, kernel = "vmlinuz", initrd = "initrd.img", recycle = "clean", boot_deadline = "5 min" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
user "owner" { uid = 0 }
LUA
mkdir "$Lab::dir/site/parts";
spew("$Lab::dir/site/parts/echo.lua", <<'LUA');
return {
	endpoint = "channel", identity = "none",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
	ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
	clean = function(machine, session) machine:confirm{ "/usr/lib/remuda/clean" } end,
}
LUA
lab_site($lua);
lab_engine('--gateways', 1);
sub ready { scalar grep { $_->{state} eq 'ready' } machines() }
ok(wait_for('two machines', 240, sub { ready() == 2 }), 'two machines') or diag slurp("$Lab::dir/state/engine.log");
sub one { my ($rc, $out, $err) = connect_run("echo x\nexit\n", 'echo'); diag $err if $rc; !$rc }

ok(one(), 'a session') for 1 .. 2;
my $stays = connect_start('echo');
ok(wait_for('one stays', 60, sub { grep { $_->{state} eq 'active' } sessions() }), 'one stays');
my $worker = fork // die;
if (!$worker) { connect_run("echo x\nexit\n", 'echo') for 1 .. 4; POSIX::_exit(0) }
my $file = "$Lab::dir/site.backup";
my ($rc, $out) = remuda("backup $file");
is($rc, 0, 'a backup while they work') or diag $out;
like($out, qr{^\Q$file\E: \d+ bytes, with the site's texts and its whole history; not in it: images and volumes of machines, and site.key \(--with-key\)$}m, 'says what is not in it');
is((stat $file)[2] & 0777, 0600, 'nobody else reads it');
is((remuda("backup $file"))[0], 1, 'it is not overwritten');
is((remuda("restore $file --force"))[0], 1, 'no restore while the engine runs');
waitpid $worker, 0;
close $stays->{in}; waitpid $stays->{pid}, 0;
my $keyed = "$Lab::dir/with-key.backup";
like((remuda("backup $keyed --with-key"))[1], qr/with site.key; not in it: images and volumes of machines$/m, 'with its key');
ok(one(), 'a session after it') for 1 .. 2;
my $last = (sort { $b <=> $a } map { $_->{id} } sessions('--history'))[0];
ok(wait_for('both are free', 60, sub { ready() == 2 }), 'both are free');

# ---- over today's, its guests still running ------------------------------------
is((remuda('engine stop'))[0], 0, 'the engine stops, machines stay');
my $domains = sub { join ' ', sort grep { length } split /\s+/, `virsh -q -c qemu:///system list --name` };
my $before = $domains->();
is((remuda("restore $file"))[0], 1, 'not over a store');
($rc, $out) = remuda("restore $file --force");
is($rc, 0, 'restored') or diag $out;
like($out, qr/site lab restored as it was on .*: \d sessions that lived then are lost, 2 machines will be made anew; the store of before is .*remuda\.db\.before-\d+; site\.key is not in the backup/, 'and says what that means');
my %pids = map { ($_ => scalar slurp("/run/libvirt/qemu/$_.pid")) } split / /, $before;
ok(!(grep { !/\d/ } values %pids), 'their pids are known');
lab_engine('--gateways', 1);
ok(wait_for('two machines', 240, sub { ready() == 2 }), 'its machines come back') or diag slurp("$Lab::dir/state/engine.log");
is($domains->(), $before, 'under their names');
is(join(' ', grep { scalar(slurp("/run/libvirt/qemu/$_.pid")) eq $pids{$_} } keys %pids), '', 'made anew: no machine is believed to be clean');
my ($lost) = grep { $_->{end_text} eq 'the store was restored from a backup' } sessions('--all');
is($lost->{state}, 'lost', 'who was on one is recorded as lost');
ok(one(), 'a session');
my $new = (sort { $b <=> $a } map { $_->{id} } sessions('--history'))[0];
cmp_ok($new, '>', $last + 1_000_000, 'whose id was never given out before');
is((remuda('site close', '--yes'))[0], 0, 'closed');
ok(wait_for('the site is closed', 90, sub { !kill 0, $Lab::engine }), 'and gone');

# ---- elsewhere: no store, no site file, no key -----------------------------------
mkdir "$Lab::dir/other"; chmod 0755, "$Lab::dir/other";
@ENV{qw(REMUDA_CONFIG REMUDA_STATE_DIR REMUDA_RUN_DIR)} = ("$Lab::dir/other/site.lua", "$Lab::dir/state2", "$Lab::dir/run2");
($rc, $out) = remuda("restore $keyed");
is($rc, 0, 'restored elsewhere') or diag $out;
like($out, qr/; 2 site files written$/m, 'with the site file and its module');
is(slurp("$Lab::dir/other/site.lua"), $lua, 'as it was');
is(slurp("$Lab::dir/state2/site.key"), slurp("$Lab::dir/state/site.key"), 'with the key');
system("cp $Lab::dir/site/vmlinuz $Lab::dir/site/initrd.img $Lab::dir/other/");
chmod 0644, glob "$Lab::dir/other/*";
lab_engine('--gateways', 1);
ok(wait_for('two machines', 240, sub { ready() == 2 }), 'machines') or diag slurp("$Lab::dir/state2/engine.log");
ok(one(), 'a session');
cmp_ok(scalar(() = remuda('history --all --csv') =~ /^\d/mg), '>=', 7, 'and its history');
remuda('site close', '--yes');
ok(wait_for('the site is closed', 90, sub { !kill 0, $Lab::engine }), 'closed');
done_testing;
