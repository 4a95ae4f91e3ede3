#!/usr/bin/perl
# Size, use and place of running machines, and how soon their end is known: the
# hypervisor role against three hosts; move_calls.c, its last process, is the test.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Lab;
use Hosts;

my $dir = lab_enter(tools => [@Hosts::tools]);
lab_hosts(3);
spew("$dir/node-$_.xml", Hosts::node_xml("node-0$_", "10.99.1.$_")) for 1 .. 3;
# The same XML, and a network for it, on a host of the role's own.
lab_libvirtd();
system('ip link add br0 address 02:00:00:99:01:00 type bridge && ip link add br1 type veth peer name br2 && '
	. 'ip link set br1 master br0 up && ip link set br2 master lab0 up && ip link set br0 up') == 0
	or die 'br0';
$ENV{LAB_DIR} = $dir;
exec "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/lab/move_calls' or die $!;
