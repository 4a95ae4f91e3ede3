#!/usr/bin/perl
# `make install` and `make deb`: what they put where, and that it works from a
# folder that is not the root: commands, pages, completion, Lua, and an engine
# with the scripts of the package.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter(tools => [qw(dpkg-deb dpkg-shlibdeps make)]);
chdir $Lab::top;
my $build = $ENV{BUILD} // 'build';
my $root = "$Lab::dir/root";

# ---- make install ------------------------------------------------------------------------
my ($rc, $out) = run_out("make -s install BUILD=$build DESTDIR=$Lab::dir/inst PREFIX=/opt/remuda");
is($rc, 0, 'make install') or diag $out;
chomp(my @there = sort qx{cd $Lab::dir/inst && find . -type f});
my %there = map { $_ => 1 } @there;
is((grep { !m{^\./opt/remuda/} } @there), 0, 'nothing outside of the prefix');
my @want = (qw(bin/remuda lib/lua/5.4/remuda.so share/remuda/remuda-guest share/man/man1/remuda.1 share/man/man1/remuda-console.1
	share/bash-completion/completions/remuda share/zsh/site-functions/_remuda share/fish/vendor_completions.d/remuda.fish
	lib/systemd/system/remuda.service lib/systemd/system/remuda@.service lib/sysusers.d/remuda.conf),
	map({ m{([^/]+)\.(\d)$} ? "share/man/man$2/$1.$2" : () } glob 'share/man/*.[1-8]'),
	map({ "share/remuda/$_" } glob 'scripts/*/*.lua'), map { m{^share/(.*)} ? "share/remuda/$1" : () } glob 'share/examples/*');
is_deeply([ grep { !$there{"./opt/remuda/$_"} } @want ], [], 'everything is there: ' . @want . ' files');
like(slurp("$Lab::dir/inst/opt/remuda/lib/systemd/system/remuda.service"), qr{^ExecStart=/opt/remuda/bin/remuda }m, 'the unit starts that program');

# ---- make deb -----------------------------------------------------------------------------
($rc, my $deb) = run_out("make -s deb BUILD=$build");
is($rc, 0, 'make deb') or diag $deb;
chomp $deb;
like($deb, qr{/remuda_[\d.]+_\w+\.deb$}, $deb);
my $about = qx{dpkg-deb -f $deb};
like($about, qr/^Package: remuda$/m, 'a package');
like($about, qr/^Depends: .*\blibvirt0\b.*\blibuv1\b.*\blibsqlite3-0\b|^Depends: (?=.*\blibvirt0\b)(?=.*\blibsqlite3-0\b)/m, 'that names its libraries');
my $list = qx{dpkg-deb -c $deb};
is((grep { !m{ root/root } } split /\n/, $list), 0, 'all of it is root\'s');
unlike($list, qr{ \./usr/local| \./opt}, 'nothing of it where packages have nothing');
is((grep { /^[-d].{4}w|^[-d].{7}w/ } split /\n/, $list), 0, 'and nobody else may write it');
system("dpkg -x $deb $root") == 0 or die 'dpkg -x';
for my $script (qw(postinst prerm postrm)) {
	system("dpkg-deb --ctrl-tarfile $deb | tar -xO ./$script > $Lab::dir/$script") == 0 or die;
	is((run_out("sh -n $Lab::dir/$script"))[0], 0, "$script is a script");
}
is((run_out("cd $root && dpkg-deb --ctrl-tarfile $Lab::top/$deb | tar -xO ./md5sums | md5sum -c --quiet"))[1], '', 'every file is what was packed');
is((qx{cd $root && find . -type f | wc -l} + 0), scalar(() = qx{dpkg-deb --ctrl-tarfile $deb | tar -xO ./md5sums} =~ /\n/g), 'and listed');

# ---- from there ------------------------------------------------------------------------------
my $remuda = "$root/usr/bin/remuda";
like((run_out("$remuda version"))[1], qr/^remuda \d/, 'the program runs');
is((run_out("env -i $remuda __complete -- pool sc"))[1], "scale\n", 'it completes');
is(qx{$remuda completion $_}, slurp("$root/usr/share/" . { bash => 'bash-completion/completions/remuda', zsh => 'zsh/vendor-completions/_remuda',
	fish => 'fish/vendor_completions.d/remuda.fish' }->{$_}), "the $_ script is its own") for qw(bash zsh fish);
is(qx{gzip -dc $root/usr/share/man/man1/remuda.1.gz}, qx{$remuda help --man}, 'the page is its own');
is(qx{gzip -dc $root/usr/share/man/man1/remuda-console.1.gz}, qx{$remuda help --man console}, 'that of the console too');
like(slurp("$root/lib/systemd/system/remuda.service"), qr{^ExecStart=/usr/bin/remuda }m, 'the unit starts it');

lab_echo(7007);
lab_site(<<'LUA');
local shell = require "lib.shell"
assert(shell.test)
require "applications.statistics"
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
user "anna" { }
LUA
chdir '/';
($rc, $out) = run_out("$remuda engine start --gateways 1");
is($rc, 0, 'an engine of the package, with scripts of the package') or diag $out, slurp("$Lab::dir/state/engine.log");
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'two machines');
is((run_out("printf 'one\\n' | $remuda connect --user anna echo"))[1], "hello\none\n", 'a session');
($rc, $out) = run_out("$remuda run nightly");
is($rc, 0, 'a script of the package by its name') or diag $out;
like($out, qr{^pool/echo: 0 in use}m, 'does its work');
SKIP: {
	skip 'needs lua5.4', 1 unless grep { -x "$_/lua5.4" } split /:/, $ENV{PATH};
	is(qx{LUA_CPATH='$root/usr/lib/lua/5.4/?.so' lua5.4 -e 'print(#require("remuda").machines{pool="echo"})' 2>&1}, "2\n", 'its Lua module');
}
my ($gateway) = pids_of_role('gateway');
is(readlink("/proc/$gateway/exe"), $remuda, 'its roles are of the package');
run_out("$remuda site close --yes");
done_testing;
