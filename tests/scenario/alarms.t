#!/usr/bin/perl
# Alarms with the real engine: what failed stays open over restarts until somebody
# acknowledges it or it goes well again, and whoever did is on record.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
sub site {
	lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
host "far" { uri = "qemu+tcp://127.0.0.9:1/system" }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", host = "local", serve = 1, max = 2, recycle = "none", kernel = "none", memory = "16 MiB" }
LUA
}
site();
my $engine = lab_engine('--gateways', 1);

sub alarms { my $i = remuda_json('alarm list')->{items} // []; @$i }

ok(wait_for('an alarm', 30, sub { grep { $_->{object} eq 'host/far' } alarms() }),
	'a host that cannot be reached is an alarm') or diag(explain([ alarms() ]));
my ($alarm) = grep { $_->{object} eq 'host/far' } alarms();
like($alarm->{severity}, qr/^(warn|fail)$/, 'with its severity');
cmp_ok($alarm->{count}, '>=', 1, 'and how often');
is(scalar(grep { $_->{object} eq 'host/far' && $_->{kind} eq $alarm->{kind} } alarms()), 1,
	'one alarm for one thing, however often it is said');

my ($rc, $out) = remuda('alarm', 'ack', '999999');
is($rc, 4, 'what does not exist cannot be acknowledged');
($rc, $out) = remuda('--read-only', 'alarm', 'ack', $alarm->{id});
is($rc, 6, 'nor by who only reads');
ok((grep { $_->{id} == $alarm->{id} } alarms()), 'it is still open');
($rc, $out) = remuda('alarm', 'ack', $alarm->{id});
is($rc, 0, 'it is acknowledged') or diag $out;
like($out, qr{host/far: \w+ acknowledged by \w+}, 'by name');
ok(!(grep { $_->{object} eq 'host/far' } alarms()), 'and is open no more');
my ($event) = grep { $_->{kind} eq 'ACK' } @{ remuda_json('event list')->{items} };
is($event->{object}, 'host/far', 'an event says so');
my ($deed) = grep { $_->{command} eq 'alarm.ack' && $_->{outcome} eq 'ok' }
	@{ remuda_json('audit list')->{items} };
ok($deed, 'and the audit log');

kill 'TERM', $engine;
ok(wait_for('engine gone', 30, sub { (remuda('engine', 'status'))[0] != 0 }), 'the engine ends');
$engine = lab_engine('--gateways', 1);
my @again = grep { $_->{object} eq 'host/far' && $_->{id} <= $alarm->{id} } alarms();
is(scalar @again, 0, 'the next engine knows that it was seen to');
kill 'TERM', $engine;
diag slurp("$Lab::dir/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
