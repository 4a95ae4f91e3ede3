#!/usr/bin/perl
# The console on a live site of real guests, in two terminals at once: wide in
# UTF-8, small in ASCII.  What stands still of each screen (header, way, column
# titles, state words, keys, status word) is compared with the kept copy in
# live/; GOLDEN_UPDATE=1 writes those.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Encode qw(decode encode);
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio tmux)]);
binmode $_, ':utf8' for Test::More->builder->output,
	Test::More->builder->failure_output, Test::More->builder->todo_output;
my $remuda = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
my $boot_wait = $ENV{BOOT_WAIT} // 120;
my %terminals = (
	wide => { size => '120x36', env => 'LC_ALL=C.UTF-8 TERM=screen' },
	small => { size => '80x24', env => 'LC_ALL=C TERM=vt220' },
);

lab_image();
my $libvirtd = lab_libvirtd();
lab_site(<<'LUA');
site "stable" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 3 }
require "applications.mail"
require "applications.files"
local function pool_of(name, more)
	more.application, more.kernel, more.initrd = name, "vmlinuz", "initrd.img"
	more.memory, more.recycle = "128 MiB", "clean"
	more.cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check "
		.. "tsc=reliable rcupdate.rcu_expedited=1 cryptomgr.notests"
	pool(name)(more)
end
pool_of("files", { serve = 1, keep = true, volume = "64 MiB" })
pool_of("mail", { serve = 2, max = 3 })
resource "files" { pool = "files", access = { ["*"] = true } }
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = { "mail" } }
user "anna" { applications = "*" }
user "ben" { applications = "*" }
LUA

# ---- terminals ------------------------------------------------------------------------
$ENV{TMUX_TMPDIR} = $Lab::dir;	# a server of our own, ended with the namespace
delete $ENV{TMUX};
my $tmux = 'tmux -L live -f /dev/null -u';

sub tmux { my ($rc, $out) = run_out("$tmux @_"); die "tmux @_: $out" if $rc; $out }

# A window that stays when its command ends, with what it said.
sub window {
	my ($name, $size, $command) = @_;
	my ($cols, $rows) = split /x/, $size;
	tmux("new-session -d -s $name -x $cols -y $rows '$command; echo ended with \$?; exec cat'");
	tmux("set -t $name status off");
	tmux("resize-window -t $name -x $cols -y $rows");
}

sub press { my ($name, @keys) = @_; tmux('send-keys', '-t', $name, map { "'$_'" } @keys) }

sub screen { my ($name) = @_; decode('UTF-8', tmux("capture-pane -p -t $name")) }

# Waits until the terminal shows it; returns that very screen.
sub shows {
	my ($name, $what, $regex, $seconds) = @_;
	my $last = '';
	my $found = wait_for("$what in the $name terminal", $seconds // 15, sub {
		$last = screen($name);
		$last =~ $regex ? $last : undef;
	});
	diag($last) unless $found;
	return ok($found, "$what, $terminals{$name}{size}") ? $found : $last;
}

# ---- what is compared ---------------------------------------------------------------------
my $used;	# the machine that the session got: mail-01 in what is kept

sub hashes { $_[0] =~ s/[0-9a-f]/#/gr }

# Times, durations, pids, sizes: a screen that can be kept.
sub normal {
	my ($text) = @_;
	for ($text) {
		s/\d{4}-\d\d-\d\d/yyyy-mm-dd/g;
		s/\d\d:\d\d:\d\d/hh:mm:ss/g;
		s/(?<=uuid) +[0-9a-f-]+/hashes($&)/ge;
		s/\b\d+(\.\d+)?(?= (?:ms|s|min)\b)/hashes($&)/ge;
		s/(?<=prepared in )[\d.]+/hashes($&)/ge;
		s/(?<= )\d+[smh]\d*(?= )/hashes($&)/ge;
		s/(?<=pid )\d+/hashes($&)/ge;
		s/^(.*gateway \d .* )(\d+)(?=\s|\S?$)/$1 . hashes($2)/gem;
		s/\d+(\.\d+)?(?=G\b)/hashes($&)/ge;
		s/mail-0[12]/$& eq $used ? 'mail-01' : 'mail-02'/ge if $used;
	}
	return $text;
}

my $state = qr/defined|booting|preparing|ready|in use|cleaning|held|reserved|
	active|assigned|waiting|up|not\ answering|NOT\ ANSWERING|unknown/x;

sub structure {
	my ($text) = @_;
	my @lines = split /\n/, $text;
	my @keep = splice @lines, 0, 2;
	$keep[0] =~ s/[!\x{25b2}]\d+(?: alarms)?//;	# when there is one is not the screen's to say
	my @end = splice @lines, -2;
	my @rows;
	for (@lines) {
		push @keep, $1 if /^(?:.*?[┌]─|--) (\w.*?) (?:─|-|\d)/;	# titles
		push @keep, $_ if /[A-Z]{3,} +[A-Z]{2,} +[A-Z]{2,}/ && !/[0-9a-z]/;
		push @rows, "$1 $2" if /^[^\w]*((?:mail|files)-\d+|anna|local) .*?\s(?:\S )?($state)(?: |$)/;
	}
	push @keep, sort(@rows), $end[0] =~ /(\S+)\s*$/, $end[1];
	s/\s+/ /g, s/ $// for @keep;
	return join("\n", @keep) . "\n";
}

sub kept {
	my ($terminal, $name, $text) = @_;
	my $file = "$FindBin::Bin/live/$name.$terminals{$terminal}{size}.txt";
	spew($file, encode('UTF-8', normal($text))) if $ENV{GOLDEN_UPDATE};
	my $want = decode('UTF-8', slurp($file));
	is(structure(normal($text)), structure($want), "the screen $name.$terminals{$terminal}{size} is as kept")
		or diag($text);
	my ($cols, $rows) = split /x/, $terminals{$terminal}{size};
	my @lines = split /\n/, $text, -1;
	pop @lines;
	is(scalar @lines, $rows, 'it fills the terminal');
	unlike($text, qr/[^\x00-\x7f]/, 'it is plain ASCII') if $terminal eq 'small';
}

# The rules' process stands still meanwhile: what it has to do shows as long as it takes.
sub while_rules_stand {
	my ($sub) = @_;
	my @rules = pids_of_role('rules');
	kill 'STOP', @rules;
	$sub->();
	kill 'CONT', @rules;
}

# ---- the pool fills ---------------------------------------------------------------------------
my $engine = lab_engine('--gateways', 2);
my @names = sort keys %terminals;	# small, wide
window($_, $terminals{$_}{size}, "env $terminals{$_}{env} $remuda attach" .
	($_ eq 'small' ? ' --ascii' : '')) for @names;
press($_, 'M') for @names;
shows($_, 'machines boot', qr/mail-01 +~ booting/, 30) for @names;
wait_for('the rules are there', 10, sub { my @rules = pids_of_role('rules'); scalar @rules });
while_rules_stand(sub {
	kept($_, 'filling', shows($_, 'all machines prepare', qr/files-1 +~ preparing.*mail-01 +~ preparing.*mail-02 +~ preparing/s,
		$boot_wait)) for @names;
});
for (@names) {
	kept($_, 'filled', shows($_, 'all machines are ready',
		qr/files-1 +\S ready.*mail-01 +\S ready.*mail-02 +\S ready/s, $boot_wait));
}
press($_, '1') for @names;
kept($_, 'overview', shows($_, 'the overview has the pools', qr/ Overview  .*mail +[=▒].* 0 +2 +0 +0 /s)) for @names;

# ---- a session comes and goes ---------------------------------------------------------------------
window('user', '100x30', "env LC_ALL=C.UTF-8 $remuda connect -v --user anna mail");
$terminals{user}{size} = '100x30';
my $said = shows('user', 'anna is connected', qr/mail on (mail-\d+) for anna/);
my ($machine) = $said =~ /mail on (mail-\d+) for anna/;
$used = $machine;
kept($_, 'overview-session', shows($_, 'the overview has the session', qr/anna +\Q$machine\E +\S active/)) for @names;
press($_, '3') for @names;
kept($_, 'sessions', shows($_, 'the session and its machine are shown', qr/Overview . Sessions .*anna .*\Q$machine\E +\S active/s)) for @names;
press($_, 'M') for @names;
kept($_, 'in-use', shows($_, 'the machine is in use', qr/\Q$machine\E +\S in use .*anna/)) for @names;
while_rules_stand(sub {
	press('user', 'quit', 'Enter');
	shows('user', 'anna has left', qr/ended with 0/);
	kept($_, 'cleaning', shows($_, 'the machine is cleaned', qr/\Q$machine\E +\S cleaning/)) for @names;
});
shows($_, 'and is ready again', qr/\Q$machine\E +\S ready/) for @names;
press($_, '/', $machine, 'Enter', 'Enter') for @names;
for (@names) {
	my $text = shows($_, 'its page has both ends of the session',
		qr/Machines . \Q$machine\E .*LEAVE +user\/anna +left \Q$machine\E.*ASSIGN +user\/anna +-> \Q$machine\E.*READY +machine\/\Q$machine\E/s);
	kept($_, 'machine', $text);
}

# ---- a hypervisor's daemon that does not answer ------------------------------------------------------
press($_, '4') for @names;
shows($_, 'the host is up', qr/local +\S up /) for @names;
kill 'STOP', $libvirtd;
for (@names) {
	# The alarm is asked for when the event has come: a frame later.
	kept($_, 'host-lost', shows($_, 'the host does not answer, which is an alarm', qr/hosts 0\/1 .*[^\d\s]1 .*local +\S not answering/is, 60));
}
press($_, 'M') for @names;
shows($_, 'its machines are only the last known', qr/mail-01 +\? /) for @names;
kill 'CONT', $libvirtd;
shows($_, 'it is back with its machines', qr/hosts 1\/1 .*mail-01 +\S ready/s, 60) for @names;

# ---- leaving a console is leaving a console ----------------------------------------------------------
press('wide', 'q');
kept('wide', 'quit', shows('wide', 'the console asks', qr/The engine goes on without this console/));
press('wide', 'y');
shows('wide', 'it ends', qr/ended with 0/);
is(remuda_json('info')->{item}{pid}, $engine, 'the engine runs on');
press('small', '1');
shows('small', 'and so does the other console', qr/hosts 1\/1.*\n Overview  .*live$/m);
press('small', 'q');
kept('small', 'quit', shows('small', 'it asks too', qr/The engine goes on without this console/));
press('small', 'n');
shows('small', 'and stays', qr/RUNNING/);

tmux('kill-server');
is((remuda('site', 'close', '--yes'))[0], 0, 'the site closes');
ok(wait_for('engine gone', 60, sub { (remuda('engine', 'status'))[0] != 0 }), 'with its machines and its engine');
is(scalar(() = qx{virsh -c qemu:///system list --all --name} =~ /\S+/g), 0, 'and no domain is left');
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
