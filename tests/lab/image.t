#!/usr/bin/perl
# The hypervisor role's images against a libvirtd and guests of its own:
# image_calls.c, its last process, is the test.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio)]);
lab_image();
lab_libvirtd();
mkdir "$Lab::dir/images";
@ENV{qw(LAB_KERNEL LAB_INITRD LAB_DIR LAB_STORAGE)} =
	("$Lab::dir/site/vmlinuz", "$Lab::dir/site/initrd.img", ("$Lab::dir/images") x 2);
exec "$Lab::top/" . ($ENV{BUILD} // 'build') . '/tests/lab/image_calls' or die $!;
