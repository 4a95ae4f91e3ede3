#!/usr/bin/perl
# `make demo` without a terminal, in namespaces of its own: five real guests, a
# session of each application, transcripts, clean-ups confirmed, nothing left.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(libvirtd virtlogd virsh qemu-system-x86_64 cpio)]);
$ENV{REMUDA_STATE_DIR} = "$Lab::dir/demo";
delete @ENV{qw(REMUDA_CONFIG REMUDA_SITE)};
my ($rc, $out) = run_out("timeout 240 $Lab::top/share/demo/demo.sh </dev/null");
is($rc, 0, 'the demo ends with 0') or do { diag $out; diag slurp("$Lab::dir/demo/engine.log") };
like($out, qr/5 of 5 machines ready/, 'five guests came up');
like($out, qr/mail on mail-\d+ for anna/, 'inside the mail machine the alternate user is anna');
like($out, qr/mail on mail-\d+ for ben/, 'then ben');
like($out, qr/At one, by the stables/, 'and he reads what she left, from the file manager');
like($out, qr/for anna on backup-\d+/, 'the backup machine carries anna');
like($out, qr/Hello from before/, 'and gives her stream back');
like($out, qr/statistics on statistics-\d+ for kiosk.*count +100.*mean +50\.5/s, 'statistics are computed for kiosk');
my @clean = $out =~ /clean-up confirmed to the client \(the machine is clean\), in \d+ ms/g;
is(scalar @clean, 5, 'each of the five clean-ups was confirmed to its client');
my @times = $out =~ /ALLOCATE to first byte ([\d.]+) ms; the same machine's boot took (\d+) ms/g;
is(scalar @times, 10, 'five times to the first byte, each beside that machine\'s boot');
note "first byte $times[2*$_] ms, boot $times[2*$_+1] ms" for 0 .. $#times / 2;
like($out, qr/all machines destroyed, engine stopped/, 'every machine is destroyed at the end');
is(scalar(() = qx{pgrep -f qemu-system-x86_64} =~ /\d+/g), 0, 'no guest is left');
like($out, qr/ended the libvirt daemons/, 'and the daemons it had started are ended');
done_testing;
