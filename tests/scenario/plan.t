#!/usr/bin/perl
# Plan, apply, rolling change and undo with the real engine: the operator sees
# what a site file would do, decides, and can go back (spec 1.1, 1.7).
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $echo = lab_echo(7007);

# One site text; what changes between versions is a parameter.
sub site {
	my (%o) = (serve => 3, memory => 16, clean => '', extra => '', second => 1, note => 'first', @_);
	lab_site(<<"LUA");
-- $o{note}
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false, $o{clean} }
pool "echo" { application = "echo", serve = $o{serve}, spare = 1, max = 5, recycle = "none", kernel = "none",
	memory = "$o{memory} MiB" }
@{[ $o{second} ? 'application "other" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "second" { application = "other", serve = 1, recycle = "none", kernel = "none", memory = "16 MiB" }' : '' ]}
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = { "echo" }, wait = "10 s" }
user "anna" { applications = "*" }
$o{extra}
LUA
}
site();
lab_engine('--gateways', 1);
sub ready { my ($pool, $n) = @_; $n == grep { $_->{state} eq 'ready' } machines($pool) }
ok(wait_for('machines', 30, sub { ready('echo', 3) && ready('second', 1) }), 'four machines are ready');
sub pool { remuda_json("pool show $_[0]")->{item} // {} }
sub planned { remuda_json('plan', @_)->{item} // {} }
sub incarnations { join ' ', map { "$_->{name}:$_->{incarnation}" } sort { $a->{name} cmp $b->{name} } machines($_[0]) }
sub version { substr((remuda_json('site history')->{items} // [{}])->[0]{id} // '', 0, 64) }

# ---- nothing, and what needs no machine ---------------------------------------------
my ($rc, $out) = remuda('plan');
like($out, qr/nothing to change/, 'a plan of the site in force has nothing to change');
my $before = incarnations('echo');
site(note => 'another comment', extra => 'user "ben" { applications = "*" }');
($rc, $out) = remuda('plan');
is($rc, 0, 'a plan');
like($out, qr/^\+ user ben$/m, 'shows what comes');
unlike($out, qr/^machines:/m, 'and that no machine is touched');
is(planned()->{destroys} ? 1 : 0, 0, 'it destroys nothing');
is(incarnations('echo'), $before, 'and planning did nothing');
($rc, $out) = remuda('site', 'reload');
is($rc, 0, 'so a reload applies it') or diag $out;
is(planned()->{changes} && @{ planned()->{changes} }, 0, 'and then there is nothing left to plan');
is(incarnations('echo'), $before, 'a comment and a user make no machine anew');

# ---- what would replace machines waits for the operator --------------------------------
site(memory => 32, extra => 'user "ben" { applications = "*" }', note => 'bigger');
($rc, $out) = remuda('plan');
like($out, qr/^~ pool echo\n    memory_mib: 16 -> 32$/m, 'a plan shows the changed field, old and new') or diag $out;
like($out, qr/pool\/echo: of 3 machines: 3 made anew/, 'and how many machines are made anew');
($rc, $out) = remuda('site', 'reload');
isnt($rc, 0, 'a reload does not do that by itself');
like($out, qr/would destroy or replace machines.*remuda apply/s, 'and says who decides');
like(remuda_json('info')->{item}{site_error}, qr/waits/, 'the site file is seen waiting');
is(incarnations('echo'), $before, 'no machine was touched');
($rc, $out) = remuda('apply', '--no-input');
is($rc, 2, 'apply without a person asks for --yes');

# A user on a machine keeps it to the end.
my $c = connect_start('--user', 'anna', 'echo');
readline $c->{out};
($rc, $out) = remuda('apply', '--yes');
is($rc, 0, 'apply --yes') or diag $out;
ok(wait_for('rolled', 30, sub { pool('echo')->{outdated} == 1 && pool('echo')->{starting} == 0 }),
	'free machines are replaced, the one in session stays') or diag explain pool('echo');
print { $c->{in} } "still\n";
is(readline($c->{out}), "still\n", 'its user notices nothing');
connect_end($c);
ok(wait_for('all', 30, sub { pool('echo')->{outdated} == 0 && ready('echo', 3) }), 'and when he leaves it is replaced too');
is(scalar @{ planned()->{pools} }, 0, 'every machine is of the new version: nothing is left to plan');
like(join("\n", map { $_->{text} } @{ remuda_json('event list --limit 300')->{items} }),
	qr/3 machines of an earlier version.*every machine is of the new version/s, 'the roll and its end are history');

# ---- undo ----------------------------------------------------------------------------------
my $rolled = incarnations('echo');
is((remuda('pool', 'pause', 'echo'))[0], 0, 'replacing is paused');
($rc, $out) = remuda('plan', '--undo');
like($out, qr/memory_mib: 32 -> 16/, 'the plan of an undo goes the other way');
($rc, $out) = remuda('apply', '--undo', '--yes');
is($rc, 0, 'undo') or diag $out;
is(pool('echo')->{memory_mib}, 16, 'the earlier site is in force');
is(pool('echo')->{outdated}, 3, 'three machines are outdated');
is(incarnations('echo'), $rolled, 'and wait, for replacing is paused');
is((remuda('pool', 'resume', 'echo'))[0], 0, 'resumed');
ok(wait_for('undone', 30, sub { pool('echo')->{outdated} == 0 && ready('echo', 3) }), 'they are replaced');

# ---- a restart keeps what is in force ---------------------------------------------------------
remuda('engine', 'stop');
lab_engine('--gateways', 1);
ok(wait_for('back', 30, sub { ready('echo', 3) }), 'after a restart the machines are there');
is(pool('echo')->{memory_mib}, 16, 'the site that was undone is not taken again by itself');
like(remuda_json('info')->{item}{site_error}, qr/gone back|waits/, 'and the file is seen waiting');
spew("$Lab::dir/site/site.lua", 'this is no site');
remuda('engine', 'stop');
lab_engine('--gateways', 1);
is(pool('echo')->{memory_mib}, 16, 'a broken site file at a start changes nothing');
like(remuda_json('info')->{item}{site_error}, qr/site\.lua:1/, 'and is named with its line');

# ---- overrides ------------------------------------------------------------------------------------
site(note => 'back');
($rc, $out) = remuda('apply', '--yes');
is($rc, 0, 'a good file again') or diag $out;
remuda('pool', 'scale', 'echo', '4');
ok(wait_for('four', 30, sub { ready('echo', 4) }), 'an operator has scaled the pool');
($rc, $out) = remuda('plan');
site(note => 'a note', extra => 'user "carl" { }');
($rc, $out) = remuda('plan');
like($out, qr{pool/echo/serve = 4, set by \S+, holds}, 'a plan lists what holds over the site file');
remuda('site', 'reload');
is(pool('echo')->{serve}, 4, 'it outlasts another change');
site(serve => 2, note => 'its own', extra => 'user "carl" { }');
($rc, $out) = remuda('plan');
like($out, qr{pool/echo/serve = 4, set by \S+, ends}, 'the newest statement wins: the site file has changed that key');
like($out, qr{pool/echo: of 4 machines: 2 taken away}, 'so two machines go');
($rc, $out) = remuda('apply', '--yes');
ok(wait_for('two', 30, sub { ready('echo', 2) && pool('echo')->{serve} == 2 }), 'and they do');
remuda('pool', 'scale', 'echo', '3');
($rc, $out) = remuda('pool', 'reset', 'echo');
is($rc, 0, 'an operator gives a pool back to the site file');
is(pool('echo')->{serve}, 2, 'which holds again');

# ---- a pool goes -------------------------------------------------------------------------------------
site(second => 0, serve => 2, extra => 'user "carl" { }');
($rc, $out) = remuda('plan');
like($out, qr/^- pool second$/m, 'a pool that goes is shown');
like($out, qr{pool/second: of 1 machines: 1 taken away}, 'with its machine');
my $planned = planned()->{version};
site(second => 0, serve => 1, extra => 'user "carl" { }');
my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die;
<$sock>;
print $sock qq({"id":1,"verb":"site.apply","expect":"$planned"}\n);
like(scalar <$sock>, qr/changed since the plan/, 'what is applied is what was planned');
($rc, $out) = remuda('apply', '--yes');
ok(wait_for('gone', 30, sub { !machines('second') }), 'applied, its machine is gone');

# ---- pools made at run time -----------------------------------------------------------------------------
my @fields = qw(application=echo serve=2 recycle=none kernel=none memory=16);
($rc, $out) = remuda('pool', 'create', 'extra', @fields);
is($rc, 0, 'a pool is created at run time') or diag $out;
ok(wait_for('extra', 30, sub { ready('extra', 2) }), 'and has its machines');
is(pool('extra')->{origin}, 'remuda/runtime.lua:1', 'it is known where it comes from');
is((remuda('pool', 'create', 'extra', @fields))[0], 1, 'not twice');
($rc, $out) = remuda('pool', 'create', 'bad', 'application=nothing', 'serve=1', 'kernel=none');
isnt($rc, 0, 'what the site language refuses is refused');
like($out, qr/remuda\/runtime\.lua:\d+: pool "bad": there is no application "nothing"/, 'in the same words');
ok(!%{ pool('bad') }, 'and changes nothing');
($rc, $out) = remuda('pool', 'create', 'quoted', 'application=echo', 'serve=0', q('kernel="; error("x") --'));
is($rc, 0, 'a value is a value, whatever it holds') or diag $out;
site(second => 0, serve => 1, extra => 'user "carl" { } user "dora" { }');
($rc, $out) = remuda('plan');
unlike($out, qr/pool extra/, 'the site file does not know it, and a plan leaves it alone');
is((remuda('site', 'reload'))[0], 0, 'applied');
ok(ready('extra', 2), 'it is still there');
remuda('engine', 'stop');
lab_engine('--gateways', 1);
ok(wait_for('extra again', 30, sub { ready('extra', 2) }), 'and after a restart');
($rc, $out) = remuda('pool', 'delete', 'echo', '--yes');
like($out, qr/stands in site\.lua:\d+: take it out there/, 'a pool of the site file is deleted there');
is((remuda('pool', 'delete', $_, '--yes'))[0], 0, "$_ is deleted") for qw(extra quoted);
ok(wait_for('extra gone', 30, sub { !machines('extra') }), 'and its machines go');

is((remuda('engine', 'stop'))[0], 0, 'the engine stops');
kill 'TERM', $echo;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
