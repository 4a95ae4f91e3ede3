#!/usr/bin/perl
# The audit log with the real engine: each command that may change something,
# done, refused or failed, with who gave it; over an engine that is killed.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
lab_site(<<'LUA');
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 2, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
LUA
lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 2 == grep { $_->{state} eq 'ready' } machines() }), 'two machines');
sub deeds { @{ remuda_json('audit list', @_)->{items} // [] } }
is(scalar(deeds()), 0, 'nobody did anything yet');

is((remuda('pool scale echo 3'))[0], 0, 'a change');
my ($d) = deeds();
my ($me) = getpwuid $>;
is("$d->{who} $d->{uid} $d->{program} $d->{command} $d->{outcome}", "$me $> remuda pool.scale ok", 'who, with what, what');
is($d->{arguments}, '{"name":"echo","serve":3}', 'its arguments');
like($d->{text}, qr{^pool/echo serve 2 -> 3}, 'what came of it');
cmp_ok($d->{pid}, '>', 1, 'from where');
is((remuda('pool scale echo 4 --dry-run'))[0], 0, 'a dry run');
ok((deeds())[0]{dry_run}, 'is one');
is((remuda('pool scale nothing 4'))[0], 4, 'a mistake');
($d) = deeds();
is("$d->{outcome} $d->{code}", 'failed not_found', 'is recorded as what it was');
is((remuda('machine hold echo-01 echo-02'))[0], 0, 'two at once');
is(join(' ', map { $_->{arguments} =~ /(echo-\d+)/ } deeds('--limit 2')), 'echo-02 echo-01', 'are two');
spew("$Lab::dir/site/site.lua", "pool {");
is((remuda('site reload'))[0], 1, 'a site file with a mistake');
like((deeds())[0]{text}, qr/site\.lua:1/, 'with its reason');
my $n = deeds();
remuda('pool list'); remuda('site history'); remuda('audit list'); remuda('whois echo-01');
is(scalar(deeds()), $n, 'looking is no deed');

# A reader may not change anything: that is recorded, and he may not read this.
SKIP: {
	my @nobody = getpwnam('nobody') or skip 'no user nobody', 3;
	chmod 0755, $Lab::dir; chmod 0755, "$Lab::dir/run"; chmod 0666, "$Lab::dir/run/control.sock";
	my $as = sub { my $pid = fork // die; if (!$pid) { $( = $) = $nobody[3]; $< = $> = $nobody[2]; open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null'; exec @_ or POSIX::_exit(127) } waitpid $pid, 0; $? >> 8 };
	my $remuda = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
	is($as->($remuda, '--socket', "$Lab::dir/run/control.sock", 'machine', 'release', 'echo-01'), 6, 'a reader changes nothing');
	is((deeds())[0]{who} . ' ' . (deeds())[0]{code}, 'nobody read_only', 'his try is recorded');
	is($as->($remuda, '--socket', "$Lab::dir/run/control.sock", 'audit', 'list'), 6, 'and he does not read this');
}

# ---- searches, and what a killed engine leaves ------------------------------------
is(scalar(deeds('--command machine.hold')), 2, 'by command');
is(scalar(deeds('--outcome failed --user', $me)), 2, 'by outcome and user');
is(scalar(deeds('--search NOTHING')), 1, 'by text');
like(remuda('audit list --csv --limit 1'), qr/^id,time,who,uid,pid,program,command,arguments,dry_run,outcome,code,text$/m, 'as CSV');
$n = deeds();
is((remuda('machine release echo-01'))[0], 0, 'a change');
kill 'KILL', $Lab::engine;
ok(wait_for('it is dead', 10, sub { !kill 0, $Lab::engine }), 'the engine is killed');
lab_site(qq{site "lab" { }\n});
lab_engine('--gateways', 1);
($d) = deeds();
is("$d->{command} " . deeds(), 'machine.release ' . ($n + 1), 'what was answered is in the log');
remuda('site close', '--yes');
done_testing;
