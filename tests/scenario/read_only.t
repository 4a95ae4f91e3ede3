#!/usr/bin/perl
# A connection that promised to read only is refused every change by the engine,
# whatever its rights: each verb that changes something is taken from the
# engine's own tables, so that none can be forgotten.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use IO::Socket::UNIX;
use JSON::PP;
use Test::More;
use Lab;

lab_enter();
lab_site(<<"LUA");
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 1, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
LUA
my $engine = lab_engine('--gateways', 1);

my $sock = IO::Socket::UNIX->new("$Lab::dir/run/control.sock") or die "control: $!";
my $hello = decode_json(scalar <$sock>);
is($hello->{rights}, 'change', 'a connection that may change things');
my $id = 0;

sub ask {
	my (%request) = @_;
	print $sock encode_json({ id => ++$id, %request }), "\n";
	$sock->flush;
	while (my $line = <$sock>) {
		my $o = decode_json($line);
		return $o if ($o->{id} // 0) == $id;
	}
	die 'the engine went away';
}

ok(ask(verb => 'read_only', on => JSON::PP::true)->{ok}, 'it promises to read only');
my @verbs = map { /^\t\{ "([a-z._]+)",(?:\s*)run_\w+, true,|^\t\{ "([a-z._]+)", \w+, true,/ ? $1 // $2 : () }
	map { split /\n/, slurp($_) } glob "$Lab::top/engine/loop/verbs_*.c $Lab::top/engine/loop/gc.c";
cmp_ok(scalar @verbs, '>', 20, 'the engine has many verbs that change: ' . @verbs);
for my $verb (sort @verbs) {
	next if $verb eq 'site.plan';
	my $answer = ask(verb => $verb);
	is($answer->{error}{code} // 'done', 'read_only', "$verb is refused");
}
ok(ask(verb => 'pool.list')->{ok}, 'what only reads is answered');
ok(ask(verb => 'site.plan')->{ok}, 'and so is a plan');
ok(ask(verb => 'pool.scale', name => 'echo', serve => 3, dry_run => JSON::PP::true)->{ok}, 'and a dry run');
is(ask(verb => 'pool.show', name => 'echo')->{item}{serve}, 1, 'nothing was changed');
ok(ask(verb => 'read_only', on => JSON::PP::false)->{ok}, 'the promise is taken back');
ok(ask(verb => 'pool.scale', name => 'echo', serve => 2)->{ok}, 'and changes are possible again');

my ($rc, $out) = remuda('--read-only', 'pool', 'scale', 'echo', '3');
is($rc, 6, 'the command refuses before it asks');
($rc) = remuda('--read-only', 'pool', 'list');
is($rc, 0, 'and reads');
is(remuda_json('pool show echo')->{item}{serve} // remuda_json('pool list')->{items}[0]{serve}, 2,
	'by another connection it is as it was left');
kill 'TERM', $engine;
done_testing;
