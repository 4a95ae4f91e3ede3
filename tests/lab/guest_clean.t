#!/usr/bin/perl
# remuda-guest baseline and clean, in a machine made of namespaces: its own
# processes, mounts, System V IPC and a root of its own in memory.
use strict;
use warnings;
use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use Test::More;

my $helper = $ENV{REMUDA_GUEST} // 'build/remuda-guest';
-x $helper or BAIL_OUT("no helper at $helper; run: make guest");
$helper = abs_path($helper);
my ($busybox) = grep { -x } '/usr/bin/busybox', '/bin/busybox'
	or plan skip_all => 'busybox-static is not installed';
my $unshare = $> == 0 ? 'unshare -m -p -i -f' : 'unshare -U -r -m -p -i -f';
system("$unshare true 2>/dev/null") == 0
	or plan skip_all => "this system does not let user $> make namespaces ($unshare)";

my $dir = tempdir(CLEANUP => 1);
open my $outer, '>', "$dir/outer" or die;
print $outer <<"EOS";
set -e
root=$dir/root
mkdir \$root
mount -t tmpfs -o mode=755 none \$root
cd \$root
mkdir bin dev etc tmp var home proc run
touch dev/null
mount --bind /dev/null dev/null
chmod 1777 tmp
cp $busybox bin/busybox
cp $helper bin/remuda-guest
cp $dir/inner inner
echo setting >etc/setting
mount -t proc proc proc
mkdir shm
mount -t tmpfs none shm
exec chroot . /bin/busybox sh /inner
EOS
close $outer;

# Each step prints "== NAME", then what happened.
open my $inner, '>', "$dir/inner" or die;
print $inner <<'EOS';
export PATH=/bin
busybox --install -s /bin
mkdir -p /run/remuda
clean() {
	echo "$1" | remuda-guest clean >/run/remuda/out 2>/run/remuda/err
	echo "exit $?"
	sed 's/^/out: /' /run/remuda/out
	sed 's/^/err: /' /run/remuda/err
}
echo "== without a baseline"
touch /tmp/kept
clean "1 11"
ls /tmp
rm /tmp/kept
echo "== planted"
remuda-guest baseline || echo "no baseline"
echo secret >/tmp/secret
mkdir -p /var/a/b/c/d && echo secret >/var/a/b/c/d/e
mkdir /var/locked && echo secret >/var/locked/f && chmod 000 /var/locked
mkfifo /home/pipe
ln -s /etc /home/link
echo secret >"/home/a
b"
echo secret >/shm/s
mkdir /mnt && mount -t tmpfs none /mnt && echo secret >/mnt/g
mount --bind /etc "/home" 2>/dev/null
mkdir "/var/a b" && mount -t tmpfs none "/var/a b"
chmod 700 /tmp
(setsid sleep 1000 &)
env -i setsid busybox sh -c 'trap "" TERM HUP INT; while :; do sleep 1000; done' &
echo "1 anna" >/run/remuda/identity
echo anna >/run/remuda/user
echo x >/run/remuda/stray
clean "2 22"
find /tmp /var /home /shm
ls -d /mnt /run/remuda/identity /run/remuda/user /run/remuda/stray 2>&1
stat -c %a /tmp
grep -c . /proc/mounts
pidof sleep
cat /etc/setting
echo "== again"
clean "3 33"
echo "== changed"
cp /etc/setting /run/remuda/out2
echo other >/etc/setting
clean "4 44"
echo "== replaced"
rm /run/remuda/out2
remuda-guest baseline
cp /etc/setting /etc/new
mv /etc/new /etc/setting
clean "5 55"
echo "== removed"
remuda-guest baseline
rm /etc/setting
clean "6 66"
echo "== unmounted"
remuda-guest baseline
umount /shm
clean "7 77"
echo "== bad input"
remuda-guest baseline
clean "eight"
echo "== end"
EOS
close $inner;

my $output = `$unshare sh $dir/outer 2>&1`;
my %step;
my $name = 'before';
for (split /\n/, $output) {
	if (/^== (.*)/) { $name = $1; $step{$name} = ''; next }
	$step{$name} .= "$_\n";
}
ok(exists $step{end}, 'all steps ran') or diag($output);

like($step{'without a baseline'}, qr/^exit 1$/m, 'no baseline: refused');
like($step{'without a baseline'}, qr/record it with remuda-guest baseline/, 'with what to do');
like($step{'without a baseline'}, qr/^kept$/m, 'and nothing was removed');

is($step{planted}, <<'EOS', 'files, mounts, processes and identity are gone; modes are back');
exit 0
out: 2 22
/tmp
/var
/home
/shm
ls: /mnt: No such file or directory
ls: /run/remuda/identity: No such file or directory
ls: /run/remuda/user: No such file or directory
ls: /run/remuda/stray: No such file or directory
1777
4
setting
EOS
is($step{again}, "exit 0\nout: 3 33\n", 'cleaning a clean machine confirms too');
for (['changed', 'file /etc/setting was changed'], ['replaced', 'file /etc/setting was changed'],
	['removed', 'file /etc/setting is gone'], ['unmounted', '1 mounts of the baseline are gone'],
	['bad input', 'expected "SESSION NONCE"']) {
	my ($what, $text) = @$_;
	like($step{$what}, qr/^exit 1$/m, "$what: not clean");
	like($step{$what}, qr/\Q$text\E/, "$what: it says why");
	unlike($step{$what}, qr/^out:/m, "$what: not confirmed");
}
done_testing();
