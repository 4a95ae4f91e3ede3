#!/usr/bin/perl
# The serial console of a real guest: many look, one types; what was said before
# is there; and the pane of the console on it, with every way out.
use strict;
use warnings;
use utf8;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Encode qw(decode);
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio tmux)]);
binmode $_, ':utf8' for Test::More->builder->output, Test::More->builder->failure_output;
my $remuda = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
my $boot_wait = $ENV{BOOT_WAIT} // 120;
lab_image();
lab_libvirtd();
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
require "applications.shell"
pool "shell" {
	application = "shell", serve = 1, max = 1,
	kernel = "vmlinuz", initrd = "initrd.img", memory = "128 MiB", recycle = "clean",
	cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check tsc=reliable cryptomgr.notests",
}
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*" }
LUA
my $engine = lab_engine('--gateways', 1);
ok(wait_for('a machine', $boot_wait, sub { (machine('shell-01')->{state} // '') eq 'ready' }), 'a guest is ready');

# ---- clients of the protocol ---------------------------------------------------------
my $json = JSON::PP->new;

# A client: its socket, what came of the console, and who has the keyboard.
sub client {
	my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die "control: $!";
	<$sock>;
	return { sock => $sock, seen => '', raw => '' };
}

sub say_line { my ($c, %o) = @_; print { $c->{sock} } $json->encode(\%o), "\n"; $c->{sock}->flush }

# Reads what there is until the condition holds or the time is over.
sub until_seen {
	my ($c, $cond, $seconds) = @_;
	my $limit = time + ($seconds // 20);
	my $select = IO::Select->new($c->{sock});
	while (!$cond->($c)) {
		return 0 if time > $limit;
		next unless $select->can_read(0.2);
		sysread($c->{sock}, $c->{raw}, 65536, length $c->{raw}) or return 0;
		while ($c->{raw} =~ s/^(.*)\n//) {
			my $o = $json->decode($1);
			$c->{seen} .= $o->{data} // '';
			$c->{$_} = $o->{$_} for grep { exists $o->{$_} } qw(keyboard mine watchers asked denied closed ok error);
		}
	}
	return 1;
}

sub open_console { my ($c, %more) = @_; say_line($c, id => 1, verb => 'machine.console', name => 'shell-01', %more) }
sub type { my ($c, $text) = @_; say_line($c, console => 'shell-01', data => $text) }

my ($yes, $no) = (JSON::PP::true, JSON::PP::false);
my $first = client();
open_console($first);
ok(until_seen($first, sub { defined $_[0]{mine} }), 'the first who opens it');
ok($first->{mine}, 'has the keyboard');
type($first, "\r");
type($first, "echo one-\$((6*7))\r");
ok(until_seen($first, sub { $_[0]{seen} =~ /one-42/ }), 'and a shell of the machine answers');

my $second = client();
open_console($second, history => 4096);
ok(until_seen($second, sub { $_[0]{seen} =~ /one-42/ }), 'who comes later sees what was said before');
ok(until_seen($second, sub { defined $_[0]{mine} }) && !$second->{mine}, 'and has no keyboard');
is($second->{watchers}, 2, 'two look');
type($second, "echo stolen-\$((6*7))\r");
type($first, "echo two-\$((6*7))\r");
ok(until_seen($second, sub { $_[0]{seen} =~ /two-42/ }), 'both see what the first types');
unlike($second->{seen}, qr/stolen/, 'and nothing of what the second does');

say_line($second, console => 'shell-01', ask => $yes);
ok(until_seen($first, sub { $_[0]{asked} }), 'the second asks for the keyboard');
say_line($first, console => 'shell-01', give => $no);
ok(until_seen($second, sub { $_[0]{denied} }), 'a no is told');
say_line($second, console => 'shell-01', ask => $yes);
$first->{asked} = undef;
ok(until_seen($first, sub { $_[0]{asked} }), 'asked again');
say_line($first, console => 'shell-01', give => $yes);
ok(until_seen($second, sub { $_[0]{mine} }), 'a yes gives it');
type($second, "echo three-\$((6*7))\r");
ok(until_seen($first, sub { $_[0]{seen} =~ /three-42/ }), 'now the second types');

my $looker = client();
say_line($looker, id => 1, verb => 'read_only', on => $yes);
say_line($looker, id => 2, verb => 'machine.watch', name => 'shell-01', history => 262144);
ok(until_seen($looker, sub { $_[0]{seen} =~ /three-42/ }), 'a read-only connection looks on');
type($looker, "echo wrong-\$((6*7))\r");
say_line($looker, console => 'shell-01', ask => $yes);

# The keyboard of one that goes away is free; the stream stays for the next.
close $second->{sock};
ok(until_seen($first, sub { !defined $_[0]{keyboard} }), 'who leaves leaves the keyboard');
say_line($first, console => 'shell-01', ask => $yes);
ok(until_seen($first, sub { $_[0]{mine} }), 'and it is had for the asking');
type($first, "echo four-\$((6*7))\r");
ok(until_seen($first, sub { $_[0]{seen} =~ /four-42/ }), 'and works');
unlike($first->{seen}, qr/wrong/, 'who only reads typed nothing');
close $_->{sock} for $first, $looker;
my $later = client();
open_console($later, history => 262144);
ok(until_seen($later, sub { $_[0]{seen} =~ /four-42/ }), 'when all have left, the last words are kept');
close $later->{sock};
my @events = grep { $_->{kind} eq 'CONSOLE' } @{ remuda_json('event list')->{items} };
cmp_ok(scalar(grep { $_->{text} =~ /opened by/ } @events), '>=', 3, 'who opened it is on record');
cmp_ok(scalar(grep { $_->{text} =~ /left by/ } @events), '>=', 3, 'and who left');

# ---- the pane -------------------------------------------------------------------------
$ENV{TMUX_TMPDIR} = $Lab::dir;
delete $ENV{TMUX};
my $tmux = 'tmux -L con -f /dev/null -u';
sub tmux { my ($rc, $out) = run_out("$tmux @_"); die "tmux @_: $out" if $rc; $out }
sub press { tmux('send-keys', '-t', 'con', map { "'$_'" } @_) }
sub shows {
	my ($what, $regex) = @_;
	my $last = '';
	my $found = wait_for($what, 20, sub { $last = decode('UTF-8', tmux('capture-pane -p -t con')); $last =~ $regex });
	ok($found, $what) or diag($last);
	return $found;
}

tmux("new-session -d -s con -x 120 -y 36 'env -u NO_COLOR LC_ALL=C.UTF-8 TERM=screen-256color $remuda attach; echo ended with \$?; exec cat'");
tmux('set -t con status off');
tmux('resize-window -t con -x 120 -y 36');
press('M');
shows('the machine', qr/shell-01 +\S ready/);
press('c');
shows('its console opens in a pane, with what was said', qr/keyboard: GUEST.*four-42/s);
shows('the ways out stand in the last line', qr/KEYBOARD IS IN THE GUEST.*Ctrl-\] or F12 or Enter ~\./);
press('e', 'c', 'h', 'o', ' ', 'p', 'a', 'n', 'e', '-', '$', '(', '(', '6', '*', '7', ')', ')', 'Enter');
shows('the guest answers', qr/^\W*pane-42/m);
press('q', 'C-c');
shows('q and Ctrl-C go to the guest', qr/GUEST READ/);
press('F12');
shows('F12 leaves', qr/Enter goes back in.*RUNNING/s);
press('Enter');
shows('Enter goes in again', qr/GUEST READ/);
press('C-]');
shows('Ctrl-] leaves', qr/Enter goes back in.*RUNNING/s);
press('Enter', 'Enter', '~', '.');
shows('~. leaves', qr/Enter goes back in.*RUNNING/s);
press('Enter', 'F11');
shows('F11 is the whole screen but the last line', qr/\A(?!.*remuda  lab).*KEYBOARD IS IN THE GUEST/s);
tmux('resize-window -t con -x 80 -y 24');
shows('at another size', qr/IN THE GUEST\.  Ctrl-\]/);
press('F11', 'F12', 'Escape');
shows('left and closed, the list is there', qr/Overview . Machines .*shell-01 +\S ready/s);
press('q', 'y');
shows('and the console ends', qr/ended with 0/);

is((remuda('site', 'close', '--yes'))[0], 0, 'the site closes');
ok(wait_for('engine gone', 60, sub { (remuda('engine', 'status'))[0] != 0 }), 'with its engine');
tmux('kill-server');
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
