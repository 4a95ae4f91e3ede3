#!/usr/bin/perl
# What the console asks of the engine, and what it does not: each action by
# key, menu and command; questions answered with every key people guess;
# nothing at all when it may only read or no engine answers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Screens;

# The changes a script asked for, as "verb name-or-id value".
sub changes {
	my (%o) = @_;
	my $run = Screens::run(%o);

	is($run->{status}, 0, "script: $o{name}") or diag($run->{output});
	return join '; ', map {
		my $r = $_;
		join ' ', grep { defined } $r->{verb}, $r->{name} // $r->{session},
			$r->{serve};
	} @{ $run->{requests} };
}

my @cases = (
	[ 'scale up by key', "2 j S\n:type 8\nEnter\n:wait text 'pool/mail'",
	  'pool.scale mail 8' ],
	[ 'scale without a number', "2 j S Enter", '' ],
	[ 'scale and escape', "2 j S\n:type 8\nEsc", '' ],
	[ 'scale down asks', "2 j S\n:type 1\nEnter\n:wait text 'Scale down'",
	  '' ],
	[ 'scale down after y', "2 j S\n:type 1\nEnter\ny",
	  'pool.scale mail 1' ],
	[ 'scale in the pool, cursor on a machine', "2 j Enter S\n:type 7\n" .
	  "Enter", 'pool.scale mail 7' ],
	[ 'scale by command', ':pool scale mail 9', 'pool.scale mail 9' ],
	[ 'hold by key', "M j j j j j j H", 'machine.hold mail-04' ],
	[ 'hold by menu', "M j j j j j j a H", 'machine.hold mail-04' ],
	[ 'hold twice is refused with a reason', "2 j Enter\n:filter mail-03\n" .
	  "H\n:wait text 'as soon as it is free'", '' ],
	[ 'release', "M\n:filter mail-07\nR", 'machine.release mail-07' ],
	[ 'release of one not held', "M R\n:wait text 'not held'", '' ],
	[ 'restart of a free one', "M\n:filter mail-04\nr",
	  'machine.restart mail-04' ],
	[ 'restart of a used one asks', "M r\n:wait text ASKING\nEnter", '' ],
	[ 'restart of a used one after y', "M r y",
	  'machine.restart backup-01' ],
	[ 'end a session asks, y ends', "3 x y", 'session.end 4711' ],
	[ 'end by command asks too', ":session end 4711\n:wait text ASKING\nn",
	  '' ],
	[ 'two Tabs and Enter press the button', "3 x Tab Enter",
	  'session.end 4711' ],
	[ 'a request cannot be ended', "3 j j j j x\n" .
	  ":wait text 'no session yet'", '' ],
	[ 'delete in the view of the machine', "M Enter x y",
	  'machine.delete backup-01' ],
	[ 'quit asks, n stays', "q n 2\n:wait text Pools", '' ],
	[ 'a wrong word is explained', ":pol list\n:wait text pool", '' ],
	[ 'a missing name is explained', ":pool scale\n:wait text NAME", '' ],
	[ 'several names at once are refused', ":machine hold mail-04 mail-05\n"
	  . ":wait text 'One name'", '' ],
	[ 'a question', ":info\n:wait text uptime_ms", 'info' ],
	[ 'pasted keys do nothing', "3\n:paste xyxyxySSSqqqy\n:wait idle", '' ],
	[ 'pasted text goes into an input line', "2 j S\n:paste 12ab\nEnter",
	  'pool.scale mail 12' ],
);
for my $case (@cases) {
	my ($name, $script, $want) = @$case;

	$script =~ s/'([^']*)'/"$1"/g;
	is(changes(name => $name, script => $script), $want, $name);
}

for my $key (qw(n N Enter Esc q Space Up Left x d), 'F3', 'F12', 'C-c', '1') {
	is(changes(name => "question, $key", script => "3 x $key"), '',
	   "$key to a question changes nothing");
}

# Reading only: every key of every action, every command that changes.
my $all = join "\n", "2 S\n:type 3\nEnter y", 'Esc M H R r', 'y', 'x y',
	"Esc 3 x y", "Esc M a H", "Esc M a R", "Esc M a r y", "Esc M a x y",
	"Esc 3 a x y", 'Esc', ':pool scale mail 1', 'y', ':machine hold mail-04',
	':machine release mail-07', ':machine restart mail-01', 'y',
	':machine delete mail-01', 'y', ':session end 4711', 'y',
	':site reload', ':engine stop', 's y n Esc', '';
is(changes(name => 'read-only by option', script => $all,
	   options => [ '--socket', '@DIR@/engine.sock', '--read-only' ]),
   '', 'a console started read-only changes nothing');
my $world = Screens::world();
$world->{hello}{rights} = 'read';
is(changes(name => 'read-only by rights', script => $all, world => $world),
   '', 'a console without the right changes nothing');
$world = Screens::world();
$world->{hello}{api} = 2;
is(changes(name => 'another version', script => $all, world => $world), '',
   'a console of another version changes nothing');
$world->{hello}{api} = 1;
isnt(changes(name => 'with rights', script => $all, world => $world), '',
     'and the same script with rights does');

# Quitting with an embedded engine.
for my $case ([ 'q k', '' ], [ 'q s', 'engine.stop' ], [ 'q n', '' ],
	      [ 'q Enter', '' ], [ 'q j Enter', 'engine.stop' ],
	      [ ":engine stop\ns", 'engine.stop' ]) {
	is(changes(name => $case->[0], script => $case->[0],
		   options => [ '--embedded', '--inherit',
				'@DIR@/engine.sock' ]),
	   $case->[1], "embedded: $case->[0]");
}

done_testing();
