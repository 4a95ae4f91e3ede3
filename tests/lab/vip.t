#!/usr/bin/perl
# The net role on networks of its own: three hosts on one bridge, each a network
# namespace.  This script sets the stage and net_peer.c is the test.
#
#     host   has the role under test        near   a neighbour, and the oracle
#     other  a second host that may take the address, or say that it has
use strict;
use warnings;
use Cwd qw(abs_path);

my $top = abs_path($0 =~ m{^(.*)/tests/} ? $1 : '.');
my $peer = "$top/" . ($ENV{BUILD} // 'build') . '/tests/lab/net_peer';
$ENV{PATH} .= ':/usr/sbin:/sbin';

sub skip { print "1..0 # SKIP $_[0]\n"; exit 0 }
sub bail { print "Bail out! $_[0]\n"; exit 255 }
sub run { system(@_) == 0 or bail("@_ failed") }

if (!$ENV{REMUDA_LAB}) {
	skip('needs root, for network namespaces of its own') if $>;
	for my $t (qw(unshare ip mount)) {
		skip("needs the program $t") unless grep { -x "$_/$t" } split /:/, $ENV{PATH};
	}
	bail("no $peer: make tests") unless -x $peer;
	$ENV{REMUDA_LAB} = 1;
	exec 'unshare', qw(-n -m -p -f --mount-proc sh -c), '"$@" & wait $!', 'vip', $^X, $0
		or bail("unshare: $!");
}

run(qw(mount -t tmpfs -o mode=0755 none /run));
run(qw(ip link set lo up));
run(qw(ip link add lan type bridge forward_delay 0));
run(qw(ip link set lan up));
my $n = 0;
for my $host (qw(host near other)) {
	$n++;
	run('ip', 'netns', 'add', $host);
	run(qw(ip link add), "to-$host", qw(type veth peer name eth0 address), "02:00:00:00:00:0$n",
		'netns', $host);
	run(qw(ip link set), "to-$host", qw(master lan up));
	run('ip', '-n', $host, qw(link set lo up));
	run('ip', '-n', $host, qw(link set eth0 up));
	run('ip', '-n', $host, qw(address add), "10.77.0.$n/24", qw(dev eth0));
	run('ip', '-n', $host, qw(address add), "fd77::$n/64", qw(dev eth0 nodad));
}
exec $peer or bail("$peer: $!");
