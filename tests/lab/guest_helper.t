#!/usr/bin/perl
# The guest's helper (share/guest) without a guest: unix sockets stand for the
# virtio-serial ports, this program is the host.
#
# Every wait is for a condition and has a deadline; a wait that ends in vain is a
# failed test, not a hang.
use strict;
use warnings;
use Cwd qw(abs_path);
use Digest::SHA qw(sha256_hex);
use File::Temp qw(tempdir);
use IO::Select;
use IO::Socket::UNIX;
use POSIX qw(:sys_wait_h);
use Socket;
use Test::More;
use Time::HiRes qw(time);

my $helper = $ENV{REMUDA_GUEST} // 'build/remuda-guest';
-x $helper or BAIL_OUT("no helper at $helper; run: make guest");
$helper = abs_path($helper);
my $dir = tempdir(CLEANUP => 1);
my $patience = 20;
$ENV{REMUDA_RUN} = "$dir/run";
$SIG{PIPE} = 'IGNORE';

use constant { CONNECT => 5, ACCEPT => 6, DATA => 7, DEALLOCATE => 8, CONFIRMED => 9, ERROR => 10 };
use constant { USER => 2, APPLICATION => 4, SESSION => 5, NONCE => 6, INCARNATION => 7,
	CODE => 14, TEXT => 15, RESOURCE => 16 };

# ---- frames ----

sub frame { my ($type, $flags, $payload) = @_; pack('NCCn', length $payload, $type, $flags, 0) . $payload }
sub number { pack('nnQ>', $_[0], 8, $_[1]) }
sub text { pack('nn', $_[0], length $_[1]) . $_[1] }
sub accept_frame {
	my ($session, $nonce, $user) = @_;
	frame(ACCEPT, 0, number(SESSION, $session) . number(NONCE, $nonce) . text(USER, $user) .
		text(APPLICATION, 'test') . number(INCARNATION, 7));
}
sub end_frame { my ($session, $nonce) = @_;
	frame(DEALLOCATE, 0, number(SESSION, $session) . number(NONCE, $nonce)) }
sub tlvs {
	my ($payload) = @_;
	my %t;
	while (length $payload) {
		my ($tag, $length) = unpack('nn', $payload);
		$t{$tag} = substr($payload, 4, $length);
		substr($payload, 0, 4 + $length) = '';
	}
	\%t;
}
sub number_of { my ($payload, $tag) = @_; my $v = tlvs($payload)->{$tag}; defined $v ? unpack('Q>', $v) : -1 }

# ---- a connection to the helper ----

sub until_true {
	my ($condition) = @_;
	my $until = time + $patience;
	while (time < $until) {
		my $result = $condition->();
		return $result if $result;
		select(undef, undef, undef, 0.005);
	}
	return;
}

sub dial {
	my ($path) = @_;
	my $socket = until_true(sub { IO::Socket::UNIX->new(Type => SOCK_STREAM, Peer => $path) })
		or die "cannot reach $path: $!";
	$socket->blocking(0);
	return { socket => $socket, in => '', out => '' };
}

sub hang_up { my ($c) = @_; close $c->{socket} }

# Moves bytes both ways until $done->() or the deadline; false on the latter.
sub pump {
	my ($c, $done) = @_;
	my $until = time + $patience;
	my $select = IO::Select->new($c->{socket});
	until ($done->()) {
		return 0 if time > $until || $c->{eof};
		my ($r, $w) = IO::Select->select($select, length $c->{out} ? $select : undef, undef, 0.2);
		if ($w && @$w) {
			my $n = syswrite($c->{socket}, $c->{out}, 65536);
			substr($c->{out}, 0, $n) = '' if $n;
		}
		next unless $r && @$r;
		my $n = sysread($c->{socket}, $c->{in}, 262144, length $c->{in});
		$c->{eof} = 1 if defined $n && !$n;
		$c->{eof} = 1 if !defined $n && !$!{EAGAIN};
	}
	return 1;
}

sub put { my ($c, $bytes) = @_; $c->{out} .= $bytes; pump($c, sub { !length $c->{out} }) }

# The next frame as [type, flags, payload], or undef at the deadline or the end.
sub take {
	my ($c) = @_;
	my $whole = sub {
		length $c->{in} >= 8 && length $c->{in} >= 8 + unpack('N', $c->{in});
	};
	pump($c, $whole) or return;
	my ($length, $type, $flags, $zero) = unpack('NCCn', $c->{in});
	my $payload = substr($c->{in}, 8, $length);
	substr($c->{in}, 0, 8 + $length) = '';
	return [$type, $flags, $payload];
}

# All DATA up to END: (bytes, how it ended).
sub take_all {
	my ($c) = @_;
	my $bytes = '';
	while (my $f = take($c)) {
		return ($bytes, "frame $f->[0]") if $f->[0] != DATA;
		$bytes .= $f->[2];
		return ($bytes, 'END') if $f->[1] & 1;
	}
	return ($bytes, 'nothing');
}

# DATA until it matches; the bytes so far, or undef.
sub take_until {
	my ($c, $pattern) = @_;
	my $bytes = '';
	until ($bytes =~ $pattern) {
		my $f = take($c) or return;
		return if $f->[0] != DATA;
		$bytes .= $f->[2];
	}
	return $bytes;
}

my $last_session = 0;
sub begin {
	my ($c, $user) = @_;
	my $session = ++$last_session;
	@$c{qw(session nonce)} = ($session, 1000000 + int rand 1e15);
	put($c, accept_frame($session, $c->{nonce}, $user // 'anna'));
	my $f = take($c);
	return $f && $f->[0] == ACCEPT && number_of($f->[2], SESSION) == $session &&
		number_of($f->[2], NONCE) == $c->{nonce};
}

# DEALLOCATE to CONFIRMED, over whatever DATA is still under way.
sub finish {
	my ($c) = @_;
	$c->{out} .= end_frame(@$c{qw(session nonce)});
	while (my $f = take($c)) {
		next if $f->[0] == DATA;
		return $f->[0] == CONFIRMED && number_of($f->[2], NONCE) == $c->{nonce};
	}
	return;
}

# DATA frames of odd sizes, so that frames and reads never line up.
sub data_frames {
	my ($bytes, $end) = @_;
	my @sizes = (1, 262144, 4096, 777, 65536, 100003);
	my ($out, $at, $i) = ('', 0, 0);
	while ($at < length $bytes) {
		my $n = $sizes[$i++ % @sizes];
		$out .= frame(DATA, 0, substr($bytes, $at, $n));
		$at += $n;
	}
	$out .= frame(DATA, 1, '') if $end;
	return $out;
}

sub random_bytes {
	my ($count) = @_;
	open my $f, '<:raw', '/dev/urandom' or die "urandom: $!";
	my $bytes = '';
	while (length $bytes < $count) {
		defined read($f, $bytes, $count - length $bytes, length $bytes) or die;
	}
	return $bytes;
}

# A child that became a zombie is dead; one reaped is gone.
sub is_dead {
	my ($pid) = @_;
	open my $f, '<', "/proc/$pid/stat" or return 1;
	my $stat = <$f> // return 1;
	return $stat =~ /\) [ZX] /;
}

sub slurp { my ($path) = @_; open my $f, '<:raw', $path or return; local $/; my $text = <$f>; $text }

sub control {
	my ($command) = @_;
	socket(my $s, AF_UNIX, SOCK_SEQPACKET, 0) or die;
	connect($s, pack_sockaddr_un("$dir/run/control")) or return "no: $!";
	send($s, $command, 0);
	return 'no answer' unless IO::Select->new($s)->can_read($patience);
	recv($s, my $answer, 512, 0);
	return $answer;
}
# ---- the helper under test ----

# One application: its first line says what it does.
open my $app, '>', "$dir/app" or die;
print $app <<'APP';
#!/bin/sh
IFS= read -r what
case $what in
cat) exec cat ;;
show) echo "$REMUDA_USER $REMUDA_SESSION $REMUDA_APPLICATION $REMUDA_INCARNATION $(cat "$REMUDA_RUN/user")" ;;
count) wc -c ;;
early) echo early; exit 0 ;;
family)
	sleep 1000 & a=$!
	setsid sleep 1000 & b=$!
	(trap '' TERM; while :; do sleep 1; done) & c=$!
	echo "pids $$ $a $b $c ready"
	wait ;;
stubborn) trap '' TERM; echo "pids $$ ready"; while :; do sleep 1; done ;;
flood) echo "pids $$ ready"; exec cat /dev/zero ;;
idle) echo "pids $$ ready"; exec sleep 1000 ;;
esac
APP
close $app;
chmod 0755, "$dir/app";

my @started;
sub start {
	my (@arguments) = @_;
	my $pid = fork // die;
	if (!$pid) {
		open STDERR, '>>', "$dir/log";
		open STDIN, '<', '/dev/null';
		exec $helper, 'serve', @arguments or POSIX::_exit(127);
	}
	push @started, $pid;
	return $pid;
}
my $owner = $$;
END {
	if ($owner && $$ == $owner) {
		my $status = $?;
		kill 'TERM', @started;
		waitpid $_, 0 for @started;
		$? = $status;
	}
}

my $port = "$dir/port";
my $serve = start('--port', "unix:$port", '--resource', "files=unix:$dir/files", '--', "$dir/app");
my ($c, $bytes, $how);

# ---- sessions ----

$c = dial($port);
put($c, 'GET / HTTP/1.0' . "\0\0\0\x0f" . chr(ACCEPT) . "\0\0\0" . random_bytes(20000) .
	frame(DATA, 0, "cat\nevil\n") . frame(DEALLOCATE, 0, number(SESSION, 1) . number(NONCE, 1)));
ok(!-e "$dir/run/user", 'no user before an ACCEPT');
@$c{qw(session nonce)} = (++$last_session, 42);
put($c, $_) for split //, accept_frame($last_session, 42, 'anna');
my $f = take($c);
is($f && $f->[0], ACCEPT, 'an ACCEPT behind garbage, byte by byte, is answered');
put($c, data_frames("cat\nhello\n", 1));
($bytes, $how) = take_all($c);
is($bytes, "hello\n", 'the application hears nothing from before the ACCEPT');
is($how, 'END', 'its end-of-file is END');
ok(finish($c), 'DEALLOCATE is confirmed');

ok(begin($c, 'ben'), 'a second session on the same connection');
put($c, data_frames("show\n", 1));
($bytes) = take_all($c);
is($bytes, "ben $last_session test 7 ben\n", 'user, session, application, incarnation, user file');
ok(-e "$dir/run/user", 'the user file stays until the end');
ok(finish($c), 'confirmed');
ok(!-e "$dir/run/user", 'and is gone with the session');
hang_up($c);

my $big = random_bytes(10 << 20);
$c = dial($port);
ok(begin($c), 'session for 10 MB');
$c->{out} .= data_frames("cat\n" . $big, 1);
($bytes, $how) = take_all($c);
is(length $bytes, length $big, '10 MB there and back');
ok($bytes eq $big, 'byte for byte');
is($how, 'END', 'END comes after the last byte');
ok(finish($c), 'confirmed');

ok(begin($c), 'session for a half-close');
put($c, data_frames("count\n" . 'x' x 300000, 0));
ok(!IO::Select->new($c->{socket})->can_read(0.05) && $c->{in} eq '', 'no answer before END');
put($c, frame(DATA, 1, 'yz'));
($bytes, $how) = take_all($c);
like($bytes, qr/^\s*300002\s*$/, 'an answer after it, END on a frame with bytes');
is($how, 'END', 'and then END');
ok(finish($c), 'confirmed');

ok(begin($c), 'session with an application that leaves early');
$c->{out} .= data_frames("early\n" . 'x' x (3 << 20), 1);
($bytes, $how) = take_all($c);
is("$bytes$how", "early\nEND", 'its answer arrives, then END');
ok(pump($c, sub { !length $c->{out} }), 'the rest of the input is taken');
ok(finish($c), 'confirmed');

for my $what ('family', 'stubborn') {
	ok(begin($c), "session with a $what");
	put($c, data_frames("$what\n"));
	my ($pids) = (take_until($c, qr/ready/) // '') =~ /pids ([\d ]+)/;
	my @pids = split ' ', $pids // '';
	is(scalar @pids, $what eq 'family' ? 4 : 1, 'it runs');
	my $begin = time;
	ok(finish($c), 'confirmed');
	cmp_ok(time - $begin, '<', 5, 'in time');
	is_deeply([grep { !is_dead($_) } @pids], [], 'none of its processes is left');
}

ok(begin($c), 'session with bytes behind its DEALLOCATE');
put($c, data_frames("cat\n"));
$c->{out} .= end_frame(@$c{qw(session nonce)}) . data_frames('leak' x 20000, 1);
($bytes, $how) = take_all($c);
is($how, 'frame ' . CONFIRMED, 'confirmed');
ok(begin($c, 'ben'), 'the next one');
put($c, data_frames("cat\nmine\n", 1));
($bytes) = take_all($c);
is($bytes, "mine\n", 'reads only its own');
ok(finish($c), 'confirmed');

# ---- the host goes, or talks nonsense ----

for my $what ('flood', 'idle', 'family') {
	ok(begin($c), "session with $what");
	put($c, data_frames("$what\n"));
	my ($pids) = (take_until($c, qr/ready/) // '') =~ /pids ([\d ]+)/;
	put($c, substr(frame(DATA, 0, 'half a frame'), 0, 12));
	hang_up($c);
	ok(until_true(sub { !grep { !is_dead($_) } split ' ', $pids // '1' }),
		'the host vanishes, its processes end');
	$c = dial($port);
	ok(begin($c, 'ben'), 'the next host is served');
	put($c, data_frames("show\n", 1));
	($bytes) = take_all($c);
	is($bytes, "ben $last_session test 7 ben\n", 'and gets not a byte of the other session');
	ok(finish($c), 'confirmed');
}

my %nonsense = (
	'a frame of an unknown type' => frame(99, 0, ''),
	'a frame too long' => pack('NCCn', 1 << 30, DATA, 0, 0),
	'a control frame that is no TLV' => frame(DEALLOCATE, 0, 'zzz'),
	'DEALLOCATE with another nonce' => end_frame(1, 1),
	'DATA after END' => frame(DATA, 1, '') . frame(DATA, 0, 'x'),
	'a frame that hosts do not send' => frame(CONFIRMED, 0, number(NONCE, 1)),
);
for my $what (sort keys %nonsense) {
	ok(begin($c), "session, then $what");
	put($c, data_frames("idle\n"));
	my ($pid) = (take_until($c, qr/ready/) // '') =~ /pids (\d+)/;
	put($c, $nonsense{$what});
	my $answer = take($c);
	$answer = take($c) while $answer && $answer->[0] == DATA;
	is($answer && $answer->[0], ERROR, 'is answered with ERROR');
	ok(until_true(sub { is_dead($pid // 1) }), 'ends the application');
	put($c, accept_frame(77, 77, 'eve'));
	# It reads its port before it answers this.
	is(control('status'), 'idle', 'nothing is believed on that connection');
	hang_up($c);
	$c = dial($port);
}

ok(begin($c), 'session with an ACCEPT in it');
put($c, data_frames("idle\n"));
take_until($c, qr/ready/);
ok(begin($c, 'ben'), 'a new host whose coming was not seen starts anew');
put($c, accept_frame(@$c{qw(session nonce)}, 'ben') . data_frames("show\n", 1));
($bytes, $how) = take_all($c);
is("$bytes$how", "ben $last_session test 7 ben\nEND", 'under its own user; a repeated ACCEPT changes nothing');
ok(finish($c), 'confirmed');

# ---- a host that does not read ----

ok(begin($c), 'session with a flood');
put($c, data_frames("flood\n"));
my ($flood) = (take_until($c, qr/ready/) // '') =~ /pids (\d+)/;
ok(until_true(sub { (slurp("/proc/$flood/stat") // '') =~ /\) S / }), 'nobody reads: the application is stopped');
my ($resident) = slurp("/proc/$serve/status") =~ /VmRSS:\s+(\d+)/;
cmp_ok($resident, '<', 8192, 'and the helper stays small (KiB)');
ok(finish($c), 'it can still be ended');
ok(is_dead($flood), 'and is');

# ---- control ----

is(control('status'), 'idle', 'status: idle');
is(`$helper status`, "idle\n", 'the same by command');
ok(begin($c, 'carl'), 'session to be reset');
put($c, data_frames("idle\n"));
my ($idle) = (take_until($c, qr/ready/) // '') =~ /pids (\d+)/;
is(control('status'), "session $last_session carl", 'status: who');
is(control('reset'), 'idle', 'reset answers when all is over');
ok(is_dead($idle), 'the application is dead by then');
ok(!-e "$dir/run/user", 'nobody is carried');
hang_up($c);

# ---- accept ----

sub run_with {
	my ($input, @command) = @_;
	open my $in, '>', "$dir/in" or die;
	print $in $input;
	close $in;
	my $output = `$helper @command <$dir/in 2>$dir/err`;
	return ($? >> 8, $output, slurp("$dir/err"));
}
my ($code, $out, $err) = run_with("500 12345\n", 'accept anna');
is("$code $out", "0 500 12345\n", 'accept gives session and nonce back');
($code, $out, $err) = run_with("501 99\n", 'accept ben');
is("$code $out", '1 ', 'a second user is refused');
like($err, qr/still carries anna of session\/500/, 'with the reason');
($code) = run_with("x\n", 'accept ben');
is($code, 1, 'no session on standard input: refused');
$c = dial($port);
ok(!begin($c, 'ben'), 'the port refuses a session other than the accepted one');
hang_up($c);
unlink "$dir/run/identity";

# ---- an application that cannot start ----

start('--port', "unix:$dir/port2", '--', "$dir/absent");
my $d = dial("$dir/port2");
@$d{qw(session nonce)} = (1, 2);
put($d, accept_frame(1, 2, 'anna'));
$f = take($d);
is($f && $f->[0], ERROR, 'an application that is not there is an ERROR');
like($f ? tlvs($f->[2])->{+TEXT} : '', qr/absent: No such file/, 'naming it');
hang_up($d);
# It took the control socket over: go on with a fresh helper.
kill 'TERM', @started;
waitpid $_, 0 for @started;
@started = ();
start('--port', "unix:$port", '--resource', "files=unix:$dir/files", '--', "$dir/app");

# ---- resources ----

# `remuda-guest resource files` with its input and output in files.
sub caller_start {
	my ($n, $input) = @_;
	if (defined $input) {
		open my $in, '>:raw', "$dir/caller.$n" or die;
		print $in $input;
		close $in;
	}
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', defined $input ? "$dir/caller.$n" : '/dev/zero';
		open STDOUT, '>', "$dir/caller.$n.out";
		open STDERR, '>', "$dir/caller.$n.err";
		exec $helper, 'resource', 'files' or POSIX::_exit(127);
	}
	return $pid;
}
sub exit_of {
	my ($pid) = @_;
	until_true(sub { waitpid($pid, WNOHANG) == $pid }) or return 'still running';
	return $? >> 8;
}
sub nonce_frame { my ($type, $nonce, $more) = @_; frame($type, 0, number(NONCE, $nonce) . ($more // '')) }

until_true(sub { -S "$dir/run/resource/files" });
my $r = dial("$dir/files");
my $first = caller_start(1, $big);
my $second = caller_start(2, 'second');
$f = take($r);
is($f && $f->[0], CONNECT, 'a caller is a CONNECT');
is($f && tlvs($f->[2])->{+RESOURCE}, 'files', 'to its resource');
my $nonce = number_of($f->[2], NONCE);
put($r, nonce_frame(ACCEPT, $nonce + 1));
put($r, nonce_frame(ACCEPT, $nonce));
my $echo = '';
while (my $g = take($r)) {
	last if $g->[0] != DATA;
	$echo .= $g->[2];
	last if $g->[1] & 1;
}
ok($echo eq $big || $echo eq 'second', 'its bytes arrive, then its half-close');
($first, $second) = ($second, $first) if $echo eq 'second';
my ($one, $two) = $echo eq 'second' ? (2, 1) : (1, 2);
put($r, data_frames($big, 1));
is(exit_of($first), 0, 'the answer after it, then the exit');
ok((slurp("$dir/caller.$one.out") // '') eq $big, '10 MB of answer, byte for byte');

$f = take($r);
is($f && $f->[0], CONNECT, 'the second caller comes after the first');
$nonce = number_of($f->[2], NONCE);
put($r, nonce_frame(ERROR, $nonce, text(CODE, 'denied') . text(TEXT, 'not for you')));
is(exit_of($second), 6, 'refused: exit 6');
is(slurp("$dir/caller.$two.err"), "remuda-guest: resource files: not for you (denied)\n", 'with the reason');

my $third = caller_start(3);
$f = take($r);
$nonce = number_of($f->[2], NONCE);
put($r, nonce_frame(ACCEPT, $nonce));
take($r);
kill 'KILL', $third;
waitpid $third, 0;
$f = take($r);
$f = take($r) while $f && $f->[0] == DATA;
is($f && $f->[0], DEALLOCATE, 'a killed caller is a DEALLOCATE');
is($f && number_of($f->[2], NONCE), $nonce, 'of its connection');
my $fourth = caller_start(4, 'ask');
put($r, data_frames('late answer', 1) . nonce_frame(CONFIRMED, $nonce));
$f = take($r);
is($f && $f->[0], CONNECT, 'CONFIRMED makes room for the next');
put($r, nonce_frame(ACCEPT, number_of($f->[2], NONCE)) . data_frames('answer', 1));
is(exit_of($fourth), 0, 'which ends well');
is(slurp("$dir/caller.4.out"), 'answer', 'with its own answer');
($bytes) = take_all($r);
is($bytes, 'ask', 'its input was there too');

my $fifth = caller_start(5, 'x');
$f = take($r);
$nonce = number_of($f->[2], NONCE);
put($r, nonce_frame(ACCEPT, $nonce) . data_frames('half'));
take_all($r);
put($r, nonce_frame(DEALLOCATE, $nonce));
$f = take($r);
is($f && $f->[0], CONFIRMED, 'a DEALLOCATE of the host is confirmed');
is(exit_of($fifth), 6, 'and the caller exits 6');

my $sixth = caller_start(6, 'x');
$f = take($r);
put($r, nonce_frame(ACCEPT, number_of($f->[2], NONCE)) . data_frames('half'));
take_all($r);
hang_up($r);
is(exit_of($sixth), 6, 'the host vanishes: exit 6');
like(slurp("$dir/caller.6.err"), qr/lost/, 'and it says so');
is(slurp("$dir/caller.6.out"), 'half', 'what had come is there');

$r = dial("$dir/files");
$c = dial($port);
ok(begin($c), 'a session with an open resource connection');
my $seventh = caller_start(7);
$f = take($r);
$nonce = number_of($f->[2], NONCE);
put($r, nonce_frame(ACCEPT, $nonce));
take($r);
ok(finish($c), 'ends');
$f = take($r);
$f = take($r) while $f && $f->[0] == DATA;
is($f && $f->[0], DEALLOCATE, 'and its connection with it');
is(exit_of($seventh), 6, 'the caller hears of it');

unlike(slurp("$dir/log") // '', qr/Sanitizer|runtime error/, 'no complaint of a sanitizer');
done_testing();
