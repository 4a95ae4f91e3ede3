#!/usr/bin/perl
# The main job on real guests: two users one after the other on one machine, one
# user on three machines, the queue, deaths of every role, a hypervisor daemon
# that does not answer.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Digest::SHA;
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio)]);
lab_image();
my $libvirtd = lab_libvirtd();

my $site = <<'LUA';
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
require "applications.shell"
local function pool_of(name, application, serve, wait)
	pool(name) {
		application = application, serve = serve, max = serve,
		kernel = "vmlinuz", initrd = "initrd.img", memory = "128 MiB",
		cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests",
		recycle = "clean",
	}
end
pool_of("shell", "shell", 3)
-- The same application with a clean hook that always says no.
application "stubborn" {
	endpoint = "channel", identity = "none",
	prepare = function(machine) machine:exec{ "/usr/lib/remuda/start", "shell", machine.name } end,
	ready = function(machine) machine:exec{ "/usr/lib/remuda/status" } end,
	clean = function(machine, session) error("the clean hook of this test always fails") end,
}
pool_of("stubborn", "stubborn", 1)
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
user "anna" { applications = "*" }
user "ben" { applications = "*" }
user "carl" { applications = "*" }
LUA
lab_site($site);
my $engine = lab_engine('--gateways', 2);

sub ready { my ($pool, $n) = @_; grep({ $_->{state} eq 'ready' } machines($pool)) == $n }
ok(wait_for("3 + 1 guests ready", $ENV{BOOT_WAIT} // 120, sub { ready('shell', 3) && ready('stubborn', 1) }),
	'three shell machines and the stubborn one are ready')
	or do { diag slurp("$Lab::dir/state/engine.log"); done_testing; exit 1 };
my ($m) = machines('shell');
note "boot $m->{boot_ms} ms, prepare $m->{prepare_ms} ms";

# Runs shell commands as a user; returns what they printed.
sub as {
	my ($user, $script, @more) = @_;
	my ($rc, $out, $err) = connect_run("$script\nexit\n", '--user', $user, @more, 'shell');
	return ($rc, $out, $err);
}
# A session that stays; waits for its first line.
sub stay {
	my ($user, @more) = @_;
	my $c = connect_start('--user', $user, @more, 'shell');
	print { $c->{in} } "echo here \$REMUDA_USER\n";
	my $line = readline $c->{out};
	$c->{hello} = $line // '';
	($c->{machine}) = slurp($c->{err}) =~ /session\/\d+ on (shell-\d+) as/;
	return $c;
}
sub leave { my ($c) = @_; close $c->{in}; 1 while readline $c->{out}; waitpid $c->{pid}, 0; $? >> 8 }
sub on { my ($c, $cmd) = @_; print { $c->{in} } "$cmd; echo end-of-it\n"; my $t = '';
	while (defined(my $l = readline $c->{out})) { last if $l =~ /^end-of-it/; $t .= $l } $t }

# ---- two users, one machine ---------------------------------------------------------
{
	# All but one machine are busy, so both users get the same one.
	my @hold = map { stay('carl') } 1 .. 2;
	my ($rc, $out, $err) = as('anna', join "\n",
		'echo user $REMUDA_USER; cat /run/remuda/user /run/remuda/identity',
		'echo secret-of-anna > /tmp/planted; echo secret-of-anna > /planted-in-root',
		'mkdir /tmp/mnt; mount -t tmpfs none /tmp/mnt && echo mounted',
		'setsid sh -c "exec -a planted-process sleep 1000" </dev/null >/dev/null 2>&1 & echo started');
	is($rc, 0, 'anna has a session') or diag "$out $err";
	like($out, qr/user anna/, 'inside the guest the alternate user is anna');
	like($out, qr/mounted.*started/s, 'she plants a file, a mount and a process');
	my ($first) = $err =~ /session\/\d+ on (shell-\d+) as/;
	ok(wait_for('cleaned', 30, sub { (machine($first)->{state} // '') eq 'ready' }), "$first is cleaned and ready");
	my ($s) = sessions('--history', '--user', 'anna', '--limit', 1);
	cmp_ok($s->{clean_ms} // -1, '>', 0, 'clean was confirmed for her session') and note "clean $s->{clean_ms} ms";
	is(machine($first)->{failures}, 0, 'without a rebuild');
	my ($rc2, $out2, $err2) = as('ben', join "\n",
		'echo user $REMUDA_USER; cat /run/remuda/user /run/remuda/identity',
		'ls /tmp/planted /planted-in-root 2>&1; grep -c /tmp/mnt /proc/mounts',
		'for p in /proc/[0-9]*; do tr "\0" " " < $p/cmdline 2>/dev/null; echo; done | grep planted-proces[s]; echo looked');
	my ($second) = $err2 =~ /session\/\d+ on (shell-\d+) as/;
	is($second, $first, 'ben gets the same machine');
	like($out2, qr/user ben/, 'it carries ben now');
	unlike($out2, qr/anna/, 'and nothing of anna');
	unlike($out2, qr/planted-process/, 'her process is gone');
	like($out2, qr/No such file.*No such file.*^0$.*looked/sm, 'her files and her mount are gone') or diag $out2;
	leave($_) for @hold;
}

# ---- a clean hook that fails: rebuilt, never offered in between --------------------------
{
	my $inc = machine('stubborn-01')->{incarnation};
	my ($rc) = connect_run("exit\n", '--user', 'anna', 'stubborn');
	is($rc, 0, 'a session on the stubborn machine');
	my (%seen, $offered);
	my ($rc2, $out2, $err2) = connect_run("echo back\nexit\n", '--user', 'ben', '--wait', '60s', 'stubborn');
	is($rc2, 0, 'the next user is served after the rebuild') or diag $err2;
	my ($e) = grep { $_->{kind} eq 'CLEAN' && $_->{object} =~ /stubborn-01/ }
		@{ remuda_json('event list --limit 200')->{items} };
	like($e->{text} // '', qr/clean hook failed, rebuilding: .*always fails/, 'the failure and its reason are history');
	my @s = sessions('--history', '--app', 'stubborn');
	cmp_ok($s[0]{incarnation}, '>', $inc, 'ben had a later incarnation');
	cmp_ok($s[0]{wait_ms}, '>', 500, 'and waited for a boot, not for a clean') and note "waited $s[0]{wait_ms} ms";
}

# ---- one user, three machines; a fourth request ----------------------------------------------
{
	ok(wait_for('all ready', 60, sub { ready('shell', 3) }), 'all three are ready again');
	my @c = map { stay('anna') } 1 .. 3;
	my %names = map { $_->{machine} // '?' => 1 } @c;
	is(scalar keys %names, 3, 'anna holds three machines at once');
	my ($rc, $out, $err) = as('ben', 'true', '--wait', '1s');
	is($rc, 7, 'a fourth request is refused in time') or diag "$out $err";
	like($err, qr/no machine.*free.*3 in use/s, 'with a clear text') and note $err =~ s/\s+/ /gr;
	my $w = connect_start('--user', 'ben', '--wait', '30s', 'shell');
	ok(wait_for('waiting', 10, sub {
		grep { $_->{user} eq 'ben' && $_->{state} eq 'waiting' } @{ remuda_json('request list')->{items} // [] } }),
		'the next one waits, and is seen waiting');
	leave(shift @c);
	print { $w->{in} } "echo served \$REMUDA_USER\n";
	is(readline($w->{out}), "served ben\n", 'it is served when a machine is free');
	leave($_) for @c, $w;
}

# ---- engine killed during a transfer of 200 MB ---------------------------------------------------
{
	ok(wait_for('all ready', 60, sub { ready('shell', 3) }), 'all three are ready again');
	my $c = connect_start('--user', 'anna', 'shell');
	my $size = 200 * 1024 * 1024;
	print { $c->{in} } "echo go; head -c $size /dev/zero | tr '\\0' 'x'; exit\n";
	is(readline($c->{out}), "go\n", 'the transfer begins');
	my ($name) = slurp($c->{err}) =~ /session\/\d+ on (shell-\d+) as/;
	my ($id) = slurp($c->{err}) =~ /session\/(\d+) on/;
	my ($got, $bad, $killed) = (0, 0, 0);
	while (my $n = sysread $c->{out}, my $buf, 1 << 20) {
		$got += $n;
		$bad++ if $buf =~ /[^x]/;
		if ($killed == 0 && $got > $size / 4) {
			$killed = 1;
			kill 'KILL', $engine;
			note "engine killed at $got bytes";
		}
		if ($killed == 1 && $got > $size / 2) {
			$killed = 2;
			$engine = lab_engine('--gateways', 2);
		}
	}
	waitpid $c->{pid}, 0;
	is($got, $size, 'every byte of 200 MB came');
	is($bad, 0, 'and all are what was sent');
	ok($killed == 2, 'the engine was killed and a new one started meanwhile');
	ok(wait_for('cleaned', 30, sub { (machine($name)->{state} // '') eq 'ready' }), "the new engine cleans $name afterwards");
	my ($s) = grep { $_->{id} == $id } sessions('--history', '--user', 'anna');
	is($s->{state}, 'closed', 'the session was adopted and ended in order') or diag explain $s;
	cmp_ok($s->{bytes_out}, '>=', $size, 'its byte count is whole');
	ok(($s->{clean_ms} // -1) > 0, 'and its machine was cleaned, confirmed');
}

# ---- gateway, hypervisor, rules killed: each comes back -----------------------------------------
for my $role (qw(hypervisor rules)) {
	ok(wait_for('all ready', 60, sub { ready('shell', 3) }), "before $role dies all are ready");
	my $c = stay('carl');
	my ($pid) = pids_of_role($role);
	kill 'KILL', $pid;
	like(on($c, 'echo still $REMUDA_USER'), qr/still carl/, "a session goes on without $role");
	ok(wait_for('back', 20, sub { my ($p) = pids_of_role($role); $p && $p != $pid }), "$role comes back");
	leave($c);
	my ($rc, $out) = (1, '');
	ok(wait_for('serving', 60, sub { ($rc, $out) = as('ben', 'echo yes', '--wait', '30s'); !$rc && $out =~ /yes/ }),
		"and sessions are served again after $role died");
}
{
	ok(wait_for('all ready', 60, sub { ready('shell', 3) }), 'before the gateways die all are ready');
	my $c = stay('carl');
	kill 'KILL', pids_of_role('gateway');
	my $rest = readline $c->{out};
	waitpid $c->{pid}, 0;
	isnt($?, 0, 'a session ends with its gateway');
	ok(wait_for('gateways back', 20, sub {
		2 == grep { $_->{state} eq 'up' } @{ remuda_json('gateway list')->{items} // [] } }), 'both gateways come back');
	my ($s) = sessions('--history', '--user', 'carl', '--limit', 1);
	is($s->{state}, 'lost', 'its row says lost');
	my ($rc, $out) = as('ben', 'echo yes', '--wait', '30s');
	like($out, qr/yes/, 'and sessions are served again');
}

# ---- a libvirtd that does not answer ---------------------------------------------------------------
{
	ok(wait_for('all ready', 60, sub { ready('shell', 3) }), 'before libvirtd stops all are ready');
	my $c = stay('anna');
	kill 'STOP', $libvirtd;
	ok(wait_for('host shown', 40, sub {
		my ($h) = @{ remuda_json('host list')->{items} // [] }; $h && $h->{state} eq 'not_answering' }),
		'the host is shown as not answering');
	my $t0 = now();
	my ($rc) = remuda('machine', 'list');
	is($rc, 0, 'the engine answers meanwhile');
	cmp_ok(now() - $t0, '<', 2, 'at once');
	like(on($c, 'echo still $REMUDA_USER'), qr/still anna/, 'the running session goes on');
	my ($rc2, $out2, $err2) = as('ben', 'true', '--wait', '1s');
	is($rc2, 7, 'the gateway answers: a new request waits and is refused in time') or diag $err2;
	kill 'CONT', $libvirtd;
	ok(wait_for('host up', 40, sub {
		my ($h) = @{ remuda_json('host list')->{items} // [] }; $h && $h->{state} eq 'up' }), 'it recovers on SIGCONT');
	leave($c);
	my ($rc3, $out3) = as('ben', 'echo yes', '--wait', '30s');
	like($out3, qr/yes/, 'and sessions are served again');
}

# ---- the operator's way in: serial console, hold and release ---------------------------------------
{
	my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die "control: $!";
	<$sock>;
	print $sock qq({"id":1,"verb":"machine.console","name":"shell-01"}\n);
	like(scalar <$sock>, qr/console open/, 'the serial console of a machine opens');
	my $seen = '';
	print $sock qq({"console":"shell-01","data":"\\n"}\n);
	print $sock qq({"console":"shell-01","data":"echo serial-\$((6*7))\\n"}\n);
	local $SIG{ALRM} = sub { die "timeout\n" };
	alarm 20;
	eval { while ($seen !~ /serial-42/) { my $o = JSON::PP->new->decode(scalar <$sock>); $seen .= $o->{data} // '' } };
	alarm 0;
	like($seen, qr/serial-42/, 'and is a shell of that machine') or diag $seen;
	print $sock qq({"console":"shell-01","close":true}\n);
	my $left = '';	# what the guest still says may come first
	alarm 20;
	eval { $left = <$sock> // '' until $left =~ /"closed"/ };
	alarm 0;
	like($left, qr/"closed"/, 'and is left');
	my ($rc, $out) = remuda('machine', 'hold', 'shell-01');
	is($rc, 0, 'a machine is held') or diag $out;
	is(machine('shell-01')->{state}, 'held', 'out of the pool');
	($rc, $out) = as('ben', 'true', '--wait', '5s') for 1 .. 4;
	is(machine('shell-01')->{state}, 'held', 'and given to nobody');
	remuda('machine', 'release', 'shell-01');
	ok(wait_for('back', 60, sub { machine('shell-01')->{state} eq 'ready' }), 'released, it comes back clean');
	cmp_ok(machine('shell-01')->{incarnation}, '>', 0, 'in a later incarnation');
}

# ---- the end: nothing of ours is left ------------------------------------------------------------------
remuda('pool', 'scale', $_, 0) for qw(shell stubborn);
ok(wait_for('machines gone', 60, sub { !machines() }), 'scaled to nothing, all machines go');
is(scalar(() = qx{virsh -c qemu:///system list --all --name} =~ /\S+/g), 0, 'and no domain is left');
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
