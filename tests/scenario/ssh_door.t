#!/usr/bin/perl
# The ssh door with OpenSSH's client and the real engine: who gets a session by
# key and channel, who is refused and reads why, and what a client that breaks
# off leaves behind.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::INET;
use IPC::Open2;
use Test::More;
use Lab;

my $dir = lab_enter(tools => [qw(ssh ssh-keygen)]);
my $service = fork // die;
if (!$service) {
	my $l = IO::Socket::INET->new(LocalAddr => '0.0.0.0', LocalPort => 7007, Listen => 64, ReuseAddr => 1) or die;
	$SIG{CHLD} = 'IGNORE';
	while (1) {
		my $c = $l->accept or next;
		next if fork;
		my $sum = 0;
		while (sysread $c, my $b, 65536) {
			if ($b =~ /^count/ || $sum) { $sum += length $b } else { print { $c } "echo: $b"; $c->flush }
		}
		print { $c } "bytes: $sum\n" if $sum;
		POSIX::_exit(0);
	}
}

my %key;
for my $k (qw(anna ben other gateway)) {
	system("ssh-keygen -q -t ed25519 -N '' -C $k -f $dir/$k") == 0 or die;
	chomp($key{$k} = slurp("$dir/$k.pub"));
}
system("ssh-keygen -q -t rsa -b 3072 -N '' -f $dir/rsa") == 0 or die;
chomp($key{rsa} = slurp("$dir/rsa.pub"));
my $site = <<"LUA";
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "web" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "private" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "web" { application = "web", serve = 3, max = 3, recycle = "none", kernel = "none", memory = "16 MiB" }
pool "private" { application = "private", serve = 1, max = 1, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "ssh" { door = "ssh", address = "127.0.0.1:2222", user = "key", applications = "*", wait = 0 }
listener "quick" { door = "ssh", address = "127.0.0.1:2223", user = "key", applications = "*", wait = 0,
	host_key = "gateway", opening_deadline = "1 s", opening_per_source = 2 }
user "anna" { ssh_keys = { "$key{anna}", "$key{rsa}" }, applications = { "web" }, limit = 2 }
user "ben" { ssh_keys = { "$key{ben}" } }
user "gone" { ssh_keys = { "$key{ben}" }, disabled = true }
user "nokey" { }
LUA
spew("$dir/site/gateway", "not a key\n");
lab_site($site);
my ($rc, $out) = remuda('engine', 'start', '--gateways', 1);
isnt($rc, 0, 'a host key that is none: no start');
like($out . slurp("$dir/state/engine.log"), qr{site\.lua:8: listener "quick": \S+/site/gateway: no private key of OpenSSH's form},
	'with the place, the file and the fault');
system("cp $dir/gateway $dir/site/gateway") == 0 or die;
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'four machines are ready');

my ($listed) = grep { $_->{name} eq 'ssh' } @{ remuda_json('listener list')->{items} };
like($listed->{host_key}, qr/^ssh-ed25519 AAAA/, 'listener list: the key clients see');
my ($own) = grep { $_->{name} eq 'quick' } @{ remuda_json('listener list')->{items} };
is($own->{host_key}, $key{gateway} =~ s/ gateway$//r, 'or the one of the file');
spew("$dir/known", "[127.0.0.1]:2222 $listed->{host_key}\n[127.0.0.1]:2223 $own->{host_key}\n");

# Options of a client that knows the gateway and has that key.
sub ssh_args {
	my ($who, $key, $port, @more) = @_;
	return "-F none -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes "
		. "-o UserKnownHostsFile=$dir/known -i $dir/$key -p " . ($port // 2222) . " @more $who\@127.0.0.1";
}
# What comes through `ssh -W APP:PORT`, which is what -J does.
sub tunnel {
	my ($input, $app, @how) = @_;
	spew("$dir/input", $input);
	my $text = qx{timeout 20 ssh -W $app:22 @{[ ssh_args(@how) ]} <$dir/input 2>$dir/ssh.err};
	return ($? >> 8, $text, slurp("$dir/ssh.err"));
}
sub processes { scalar(my @p = pids_of_role('ssh')) }
sub history { my ($s) = sort { $b->{id} <=> $a->{id} } sessions('--history', '--limit', 100); $s }
sub refused { my ($r) = sort { $b->{id} <=> $a->{id} } @{ remuda_json('request list --history')->{items} }; $r }

subtest 'a session is a channel' => sub {
	my ($rc, $text, $err) = tunnel("hello\n", 'web', 'anna', 'anna');
	is($text, "echo: hello\n", 'an answer') or diag $err;
	is($rc, 0, 'and a clean end');
	ok(wait_for('its end', 10, sub { history()->{state} eq 'closed' }), 'the session is closed');
	my $s = history();
	is("$s->{user} $s->{application} $s->{listener}", 'anna web ssh', 'whose it was, what and where');
	like($s->{peer}, qr/^127\.0\.0\.1:\d+$/, 'and from where: the address of the ssh client');
	($rc, $text) = tunnel("hello\n", 'web', 'anna', 'rsa');
	is($text, "echo: hello\n", 'another key of hers, RSA');
	($rc, $text) = tunnel("hello\n", 'private', 'ben', 'ben', 2223);
	is($text, "echo: hello\n", 'another user, at the door with a key of its own');
};

subtest 'bulk and half-close' => sub {
	# 8 MiB one way, then the count comes back over the half that is open.
	my ($rc, $text) = tunnel('count' . 'x' x (8 << 20), 'web', 'anna', 'anna');
	is($text, 'bytes: ' . (5 + (8 << 20)) . "\n", 'every byte arrived, the answer came after the end');
	my $s;
	ok(wait_for('the count', 10, sub { $s = history(); $s->{state} eq 'closed' }), 'closed');
	is($s->{bytes_in}, 5 + (8 << 20), 'and counted');
};

subtest 'several channels of one connection' => sub {
	my @args = split ' ', ssh_args('anna', 'anna');
	my $pid = fork // die;
	if (!$pid) {
		open STDERR, '>', "$dir/forward.err";
		exec 'timeout', 60, 'ssh', '-N', '-o', 'ExitOnForwardFailure=yes', '-L', '127.0.0.1:8081:web:80', @args;
	}
	my @socket;
	ok(wait_for('the forward', 20, sub { push @socket, grep { $_ } IO::Socket::INET->new(PeerAddr => '127.0.0.1:8081'); @socket }), 'a local port');
	push @socket, IO::Socket::INET->new(PeerAddr => '127.0.0.1:8081') // die;
	for my $i (0, 1) {
		print { $socket[$i] } "from $i\n";
		is(scalar readline $socket[$i], "echo: from $i\n", "channel $i");
	}
	is(scalar(grep { $_->{user} eq 'anna' && $_->{state} eq 'active' } sessions()), 2, 'are two sessions');
	# limit = 2: a third channel is refused, the others stay.
	my $third = IO::Socket::INET->new(PeerAddr => '127.0.0.1:8081') // die;
	is(scalar(readline $third), undef, 'a third one is refused');
	ok(wait_for('the refusal', 10, sub { slurp("$dir/forward.err") =~ /administratively prohibited/ }), 'in the words of ssh');
	print { $socket[1] } "still there\n";
	is(scalar readline $socket[1], "echo: still there\n", 'the others go on');
	close $_ for @socket, $third;
	ok(wait_for('ends', 10, sub { !grep { $_->{user} eq 'anna' } sessions() }), 'closed channels are closed sessions');
	kill 'TERM', $pid;
	waitpid $pid, 0;
	ok(wait_for('no process left', 10, sub { !processes() }), 'and its process ends with the client');
};

subtest 'refused, with a sentence' => sub {
	my ($rc, $text, $err) = tunnel("hello\n", 'private', 'anna', 'anna');
	isnt($rc, 0, 'an application that is not hers');
	like($err, qr/Received disconnect from 127\.0\.0\.1.*: .*anna.*private/, 'says so') or diag $err;
	($rc, $text, $err) = tunnel("hello\n", 'nothing', 'anna', 'anna');
	like($err, qr/Received disconnect.*nothing/, 'an application that nobody offers') or diag $err;
	($rc, $text, $err) = tunnel("hello\n", '127.0.0.1', 'anna', 'anna');
	like($err, qr/Received disconnect.*"127\.0\.0\.1" is not the name of an application/, 'an address');
	($rc, $text, $err) = tunnel("hello\n", 'web', 'anna', 'other');
	my ($print) = qx{ssh-keygen -l -f $dir/other.pub} =~ /(SHA256:\S+)/;
	like($err, qr/^key \Q$print\E is none of user anna\r?$/m, 'a key nobody knows') or diag $err;
	like($err, qr/Permission denied \(publickey\)/, 'is no login');
	ok(wait_for('the record', 10, sub { refused()->{text} eq "key $print is none of user anna" }), 'and stands in the history');
	($rc, $text, $err) = tunnel("hello\n", 'web', 'ben', 'anna');
	like($err, qr/is none of user ben/, "another user's key");
	($rc, $text, $err) = tunnel("hello\n", 'web', 'stranger', 'anna');
	like($err, qr/is none of user stranger/, 'no such user: the same words');
	($rc, $text, $err) = tunnel("hello\n", 'web', 'nokey', 'anna');
	like($err, qr/is none of user nokey/, 'a user without keys');
	($rc, $text, $err) = tunnel("hello\n", 'web', 'gone', 'ben');
	like($err, qr/Received disconnect.*disabled/, 'a disabled user') or diag $err;
	is(scalar(grep { $_->{state} ne 'ready' } machines()), 0, 'no machine was touched');
};

subtest 'no application' => sub {
	my ($rc, $text) = run_out('timeout 20 ssh ' . ssh_args('anna', 'anna') . ' </dev/null');
	is($rc, 1, 'ssh to the gateway itself');
	like($text, qr/^Name an application:  ssh -J THIS-HOST APPLICATION/m, 'says how it is meant');
	($rc, $text) = run_out('timeout 20 ssh ' . ssh_args('anna', 'anna') . ' id');
	is($rc, 1, 'nor is there a command');
	unlike($text, qr/uid=/, 'that runs');
	($rc, $text) = run_out('timeout 20 ssh -N -o ExitOnForwardFailure=yes -R 8082:127.0.0.1:22 ' . ssh_args('anna', 'anna'));
	like($text, qr/remote port forwarding failed/, 'nothing listens for a client');
};

subtest 'a client that breaks off' => sub {
	my $pid = open2(my $from, my $to, 'timeout -s KILL 60 ssh -W web:22 ' . ssh_args('anna', 'anna') . " 2>$dir/ssh.err");
	print { $to } "hello\n";
	$to->flush;
	is(scalar readline $from, "echo: hello\n", 'a session');
	my ($s) = sessions();
	my ($role) = pids_of_role('ssh');
	ok($role, 'has a process');
	kill 'KILL', $role;
	ok(wait_for('its end', 10, sub { history()->{id} == $s->{id} && history()->{state} ne 'active' }), 'its death ends the session');
	is(history()->{state}, 'lost', 'as lost');
	waitpid $pid, 0;
	ok(wait_for('machines', 20, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'and the machine comes back');
};

subtest 'strangers' => sub {
	my $open = sub { IO::Socket::INET->new(PeerAddr => '127.0.0.1:2223', LocalAddr => shift) // die };
	my $over = sub {
		my ($s) = @_;
		my $all = '';
		wait_for('the end', 15, sub { $s->blocking(0); my $n = sysread $s, $all, 4096, length $all; defined $n && !$n || !defined $n && !$!{EAGAIN} });
		return $all;
	};
	my $silent = $open->('127.0.0.2');
	my $half = $open->('127.0.0.2');
	print { $half } "SSH-2.0-slow\r\n";
	ok(wait_for('a process', 10, sub { processes() == 1 }), 'who says nothing costs no process, who begins has one');
	my $third = $open->('127.0.0.2');
	is($over->($silent), '', 'one more than its share: the first to come goes');
	like($over->($half), qr/^SSH-2\.0-/, 'no login in time: the next');
	is($over->($third), '', 'and the last');
	ok(wait_for('no process', 10, sub { !processes() }), 'and their processes');
	my $http = $open->('127.0.0.3');
	print { $http } "GET / HTTP/1.0\r\n\r\n";
	is($over->($http), '', 'another protocol is cut at once');
	ok(wait_for('the count', 10, sub {
		my ($l) = grep { $_->{name} eq 'quick' } @{ remuda_json('listener list')->{items} };
		$l->{evicted} >= 1 && $l->{turned_away} >= 3 && $l->{unauthenticated} == 0 }), 'all of it counted');
};

subtest 'sessions outlive the engine' => sub {
	my $pid = open2(my $from, my $to, 'timeout -s KILL 60 ssh -W web:22 ' . ssh_args('anna', 'anna') . " 2>$dir/ssh.err");
	print { $to } "hello\n";
	$to->flush;
	is(scalar readline $from, "echo: hello\n", 'a session');
	kill 'KILL', $Lab::engine;
	ok(wait_for('its end', 10, sub { !kill 0, $Lab::engine }), 'the engine is killed');
	print { $to } "alone\n";
	$to->flush;
	is(scalar readline $from, "echo: alone\n", 'bytes flow');
	lab_engine('--gateways', 1);
	# The machines of a test:/// host die with their engine, and the session.
	is(scalar readline $from, undef, 'the next engine ends what has no machine');
	close $to;
	waitpid $pid, 0;
	ok(wait_for('machines', 30, sub { 4 == grep { $_->{state} eq 'ready' } machines() }), 'new machines');
	my ($rc, $text, $err) = tunnel("hello\n", 'web', 'anna', 'anna');
	is($text, "echo: hello\n", 'new ones too, under the same host key') or diag $err;
};
is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $service;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
