#!/usr/bin/perl
# The units: systemd reads them without complaint, they are one text, they keep
# what must outlive the engine, and they are as closed as they are said to be.
use strict;
use warnings;
use File::Temp qw(tempdir);
use Test::More;

my $build = $ENV{BUILD} // 'build';
grep { -x "$_/systemd-analyze" } split /:/, $ENV{PATH} or plan skip_all => 'needs systemd-analyze';
-x "$build/remuda" or plan skip_all => "needs $build/remuda: make build";
my $dir = tempdir(CLEANUP => 1);
mkdir "$dir/bin";
system("cp $build/remuda $dir/bin/") == 0 or die;
is(system("make -s BUILD=$dir PREFIX=$dir $dir/systemd/remuda.service $dir/systemd/remuda\@.service"), 0, 'both units are made');
sub slurp { my ($f) = @_; local $/; open my $h, '<', $f or die "$f: $!"; <$h> }
my %unit = map { $_ => slurp("$dir/systemd/$_") } 'remuda.service', 'remuda@.service';
unlike($unit{$_}, qr/@(?:SITE|CONFIG|PREFIX)@/, "$_: nothing is left open") for sort keys %unit;
(my $default = $unit{'remuda@.service'}) =~ s{/etc/remuda/%i/}{/etc/remuda/}g;
is($default =~ s/%i/default/gr, $unit{'remuda.service'}, 'they differ in the site alone');

system("cp $dir/systemd/remuda\@.service '$dir/systemd/remuda\@lab.service'");
for my $name ('remuda.service', 'remuda@lab.service') {
	my $said = qx{systemd-analyze verify --man=no '$dir/systemd/$name' 2>&1};
	# Of this machine's own units it may say what it likes.
	is(join('', grep { /\bremuda\b/ } split /^/, $said), '', "$name: systemd takes it");
	my $score = qx{systemd-analyze security --offline=true --no-pager '$dir/systemd/$name' 2>&1};
	my ($exposure) = $score =~ /Overall exposure level for \S+: ([\d.]+)/;
	cmp_ok($exposure // 10, '<=', 2.0, "$name: exposure " . ($exposure // "unknown: $score"));
}
my %has = map { /^(\w+)=(.*)$/ ? ($1 => $2) : () } split /\n/, $unit{'remuda.service'};
is("$has{Type} $has{KillMode} $has{RuntimeDirectoryPreserve}", 'notify process yes', 'gateways stay, and are found again');
like($has{ExecReload}, qr/-HUP \$MAINPID/, 'reload is SIGHUP');
cmp_ok($has{WatchdogSec} =~ s/s$//r, '>=', 15, 'the watchdog is patient enough for a slow disk');
is($has{User}, 'remuda', 'not root');
like(slurp('share/systemd/remuda.sysusers'), qr/^u remuda .*^m remuda libvirt$/ms, 'a user of its own, in the group of libvirt');
done_testing;
