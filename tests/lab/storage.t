#!/usr/bin/perl
# The volume calls of the hypervisor role against a libvirtd of its own; the
# test itself is storage_calls.c.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Lab;

my $dir = lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-img)]);
my $calls = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/lab/storage_calls';
-x $calls or die "no $calls: make tests";
lab_libvirtd();
mkdir "$dir/images" or die;
mkdir "$dir/bases" or die;
my ($rc, $out) = run_out("qemu-img create -q -f qcow2 $dir/bases/base.qcow2 8M");
die $out if $rc;
exit(system($calls, "$dir/images", "$dir/bases/base.qcow2") >> 8);
