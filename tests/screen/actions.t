#!/usr/bin/perl
# What the console asks of the engine, and what it does not: each action by
# key, menu and command; questions answered with every key people guess;
# nothing at all when it may only read or no engine answers.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use File::Temp;
use JSON::PP;
use Test::More;
use Screens;

# The changes a script asked for, as "verb name-or-id value".
sub changes {
	my (%o) = @_;
	my $run = Screens::run(%o);

	is($run->{status}, 0, "script: $o{name}") or diag($run->{output});
	return join '; ', map {
		my $r = $_;
		join ' ', grep { defined } $r->{verb}, $r->{name} // $r->{session} // $r->{event} // $r->{change},
			$r->{serve} // $r->{nodes}, $r->{dry_run} ? 'dry' : undef;
	} grep { $_->{verb} !~ /[.](list|show|why|hours|host_down)$/ } @{ $run->{requests} };
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
	[ 'several names at once', ":machine hold mail-04 mail-05\n"
	  . ":wait text '2 done'", 'machine.hold mail-04; machine.hold mail-05' ],
	[ 'several marked at once', "M\n:filter mail\ng j j j Space Space H\n" .
	  ":wait text '2 done'", 'machine.hold mail-04; machine.hold mail-05' ],
	[ 'marked ones that cannot are left out', "M\n:filter mail\n* H\n" .
	  ":wait text 'done'", join('; ', map { "machine.hold mail-0$_" } 1, 2, 4 .. 7) ],
	[ 'U takes the marks off', "M\n:filter mail\n* U g j j j H", 'machine.hold mail-04' ],
	[ 'marks by pattern', "M +\n:type state=ready\nEnter H\n:wait text 'done'",
	  'machine.hold mail-04; machine.hold mail-05; machine.hold statistics-01; '
	  . 'machine.hold statistics-02' ],
	[ 'and off by pattern', "M +\n:type state=ready\nEnter \\\n:type mail\nEnter H\n"
	  . ":wait text 'done'", 'machine.hold statistics-01; machine.hold statistics-02' ],
	[ 'one question for all marked', "M\n:filter ready\n* x\n:wait text 'Delete 4 machines'\ny\n"
	  . ":wait text '0 of 4 done'", join('; ', map { "machine.delete $_" }
	  qw(mail-04 mail-05 statistics-01 statistics-02)) ],
	[ 'and Enter keeps all', "M\n:filter ready\n* x Enter\n:wait text 'Nothing was'", '' ],
	[ 'several sessions end by their number', "3 Space Space x\n:wait text 'number of sessions'\n" .
	  "y Enter\n:wait text ASKING\nC-u 2 Enter\n:wait text 'done'",
	  'session.end 4711; session.end 4712' ],
	[ 'a wrong number keeps', "3 Space Space x 3 Enter Esc\n:wait text 'Nothing was'", '' ],
	[ 'a pool goes by its name', ":pool delete mail\n:wait text 'its name'\n:type mailx\n" .
	  "Enter Backspace Enter\n:wait text 'pool delete'", 'pool.delete mail' ],
	[ 'and not by y', ":pool delete mail\ny Enter Esc", '' ],
	[ 'pools marked are scaled together', "2 Space Space S\n:type 9\nEnter\n:wait text 'done'",
	  'pool.scale backup 9; pool.scale mail 9' ],
	[ 'undo of a scale', "2 j S\n:type 8\nEnter\n:wait text 'u undoes'\nu\n:wait text 'serve 5'",
	  'pool.scale mail 8; pool.scale mail 5' ],
	[ 'a user is disabled and enabled', "9 o\n:wait text 'u undoes'\nu\n:wait text enabled",
	  'user.disable asato; user.enable asato' ],
	[ 'one that is disabled is enabled', "9\n:filter kiosk\no\n:wait text enabled", 'user.enable kiosk' ],
	[ 'several at once, each its own', "9 * o\n:wait text done", join('; ', 'user.disable asato',
	  'user.disable bnguyen', 'user.enable kiosk', 'user.disable pchen') ],
	[ 'a token is deleted after a question', "9 Tab Tab x\n:wait text ASKING\ny\n:wait text deleted",
	  'token.delete a91f03' ],
	[ 'replacing is paused', "2 j o\n:wait text paused", 'pool.pause mail' ],
	[ 'an alarm is acknowledged', "! A\n:wait text acknowledged", 'alarm.ack 88218' ],
	[ 'and all of them', "! * A\n:wait text '3 done'", 'alarm.ack 88218; alarm.ack 88215; alarm.ack 88109' ],
	[ 'a cluster grows', ":clusters\nj S\n:type 3\nEnter\n:wait text 'u undoes'\nu\n:wait text 'nodes 2'",
	  'cluster.resize files 3; cluster.resize files 2' ],
	[ 'one that nobody pinned goes back to the site', ":clusters\nS\n:type 3\nEnter\n:wait text 'u undoes'\nu\n"
	  . ":wait text 'site, calendar'", 'cluster.resize db 3; cluster.reset db' ],
	[ 'a smaller one asks', ":clusters\nS\n:type 1\nEnter\n:wait text ASKING\nEnter\n:wait text 'Nothing was'", '' ],
	[ 'a dry run of it', ":clusters\nS\n:type 1\nEnter d\n:wait text 'Dry run'\nEsc Esc", 'cluster.resize db 1 dry' ],
	[ 'rules and calendar are paused', ":clusters\no\n:wait text 'paused'", 'cluster.pause db' ],
	[ 'all nodes anew asks', ":clusters\nr\n:wait text ASKING\ny\n:wait text 'change 14'", 'cluster.replace db' ],
	[ 'a change is cancelled after a question', ":clusters\nj Enter x\n:wait text 'Cancel'\ny\n:wait text undone",
	  'change.cancel 11' ],
	[ 'also from the list of changes', ":ops\n:filter web\nx\n:wait text 'Cancel'\ny\n:wait text undone",
	  'change.cancel 12' ],
	[ 'a cluster goes by its name', ":cluster delete db\n:wait text 'its name'\n:type db\nEnter\n:wait text removed",
	  'cluster.delete db' ],
	[ 'a node moves', ":clusters\nEnter m\n:wait text ASKING\ny\n:wait text moves", 'node.move db-1' ],
	[ 'a rule goes off and on again', ":rules\n:filter load\no\n:wait text 'u undoes'\nu\n:wait text 'is on'",
	  'rule.disable load; rule.enable load' ],
	[ 'a dry run of a rule', ":rules\n:filter load\nt\n:wait text 'nothing came'", 'rule.run load dry' ],
	[ 'a host drains', "4 D\n:wait text ASKING\ny\n:wait text 'u undoes'\nu\n:wait text 'used again'",
	  'host.drain hv01; host.undrain hv01' ],
	[ 'one that drains is used again', "4 j D\n:wait text 'used again'", 'host.undrain hv02' ],
	[ 'a host is fenced by its name', "4 j j x\n:wait text 'its name'\n:type hv03\nEnter\n:wait text fenced",
	  'host.fence hv03' ],
	[ 'one that answers is not', "4 x\n:wait text 'Not now'", '' ],
	[ 'undo of a hold', "M\n:filter mail-04\nH\n:wait text 'u undoes'\nu\n:wait text release",
	  'machine.hold mail-04; machine.release mail-04' ],
	[ 'no undo after a minute', "2 j S\n:type 8\nEnter\n:wait text 'u undoes'\n:clock +61\nu\n"
	  . ":wait text 'Nothing to take back'", 'pool.scale mail 8' ],
	[ 'no undo of an end', "3 x y\n:wait text ends\nu\n:wait text 'Nothing to'", 'session.end 4711' ],
	[ 'a dry run asks the engine', "2 j S\n:type 1\nEnter d\n:wait text 'Dry run'\nEsc\n" .
	  ":wait text 'Scale down'\nEsc", 'pool.scale mail 1 dry' ],
	[ 'a dry run of what it cannot try', "3 x d\n:wait text 'remuda session end 4711'\nEsc\n"
	  . ":wait text 'End this session'\nEsc", '' ],
	[ 'a plan is shown, not applied', ":plan\n:wait text 'version'\nEsc", 'site.plan' ],
	[ 'apply asks with the plan', ":apply\n:wait text 'Apply the site'\ny\n:wait text applied",
	  'site.plan; site.apply' ],
	[ 'and keeps without a yes', ":apply\n:wait text 'Apply the site'\nEnter", 'site.plan' ],
	[ 'Tab completes the names of settings and what they may be',
	  ":type :set\nSpace t h Tab d e u Tab Enter\n:wait text 'theme is deutan now'", '' ],
	[ 'also in the short form', ":type :set\nSpace b e l l = Tab n Enter\n:wait text 'bell is on now'", '' ],
	[ 'another Tab takes the next choice',
	  ":type :set\nSpace k e y Tab Tab Tab Enter\n:wait text 'keyline is fkeys now'", '' ],
	[ 'and words of help', ":type :help\nSpace c a l Tab Enter\n:wait text '2026-12-24..2027-01-02'", '' ],
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

# Reading only is a promise that the engine keeps too.
my $run = Screens::run(script => ":wait text \"READ ONLY\"\n",
	options => [ '--socket', '@DIR@/engine.sock', '--read-only' ]);
is($run->{promises}, 'on', 'a console started read-only tells the engine');
$run = Screens::run(script => ":read-only\n:wait text \"READ ONLY\"\nM r y x\n" .
	":read-only\n:wait text RUNNING\n");
is($run->{promises}, 'on off', 'and so does one that goes read-only and back');
is(scalar @{ $run->{requests} }, 0, 'and nothing else was asked meanwhile');

# What one sees of an engine that answers some and refuses some.
$world = Screens::world();
$world->{answers}{'machine.hold'} = { ok => JSON::PP::false,
	error => { code => 'refused', message => 'not this one' } };
$run = Screens::run(world => $world, script => "M\n:filter ready\n* H\n" .
	":wait text \"0 of 4 done\"\n:wait text \"marked 4\"\nF1\n:wait text \"failed  machine/mail-05: not this one\"\n");
is($run->{status}, 0, 'what failed stays marked, and F1 shows each') or diag $run->{output};

# What is remembered from one console to the next.
my $memory = File::Temp->new;
for my $step ([ "2 s\n:type 4\nC j Space Esc\n:type \":nonsense one\"\nEnter\n", 'order and columns' ],
	      [ "2\n:wait text \"sort USE\"\n:wait no-text APPLICATION\n:type :\nUp\n:wait text \":nonsense one\"\nEsc\n" .
	        ":type :no\nC-r\n:wait text \":nonsense one\"\n", 'come back, with the commands' ]) {
	$run = Screens::run(script => $step->[0],
		options => [ '--socket', '@DIR@/engine.sock', '--memory', $memory->filename ]);
	is($run->{status}, 0, $step->[1]) or diag $run->{output};
}
is((stat $memory->filename)[2] & 0777, 0600, 'the memory is the person\'s own');

# Into a file, whole, and over nothing.
my $dir = File::Temp::tempdir(CLEANUP => 1);
$run = Screens::run(script => "M w C-u\n:type $dir/machines\nEnter\n:wait text Written\n" .
	"w C-u\n:type $dir/machines\nEnter\n:wait text \"such a file\"\n");
is($run->{status}, 0, 'a view goes into a file, once') or diag $run->{output};
like(Screens::slurp("$dir/machines"), qr/^# remuda lab-a  machines .*\nNAME +STATE.*\n(.*\n){11}statistics-02 +ready/,
	'with every line');

# The engine's log: its end, followed, whatever is written into it.
my $log = "$dir/engine.log";
open my $out, '>', $log or die;
print $out "12:00:00 info machine mail-0$_: ready\n" for 1 .. 60;
print $out "\e[2J\e]0;owned\a" . ('x' x 90_000) . "\n";
close $out;
$world = Screens::world();
$world->{topics}{site}[0]{paths} = { log => $log };
$run = Screens::run(world => $world, script => "L\n:wait text FOLLOW\n:wait text \"\\x1b[2J\\x1b]0;owned\"\n" .
	"k\n:wait no-text FOLLOW\ng\n:wait text mail-01:\n/\n:type mail-059\nEnter\n:wait text mail-059\n" .
	"Esc M G L\n:wait text \"Overview > Machines > Log\"\n");
is($run->{status}, 0, 'the log is shown, searched and does no harm') or diag $run->{output};
$world->{topics}{site}[0]{paths} = { log => "$dir/none" };
$run = Screens::run(world => $world, script => "L\n:wait text journalctl\n");
is($run->{status}, 0, 'one that is not there is explained') or diag $run->{output};

# A machine's console: what is typed goes there and nowhere else, and each way out.
for my $case (
	[ 'C-]', "x y q 2 C-]", 'xyq2' ],
	[ 'F12', "F12 F12", '' ],
	[ '~.', "l s Enter ~ .", "ls\r" ],
	[ '~~ is a tilde, ~x is both', "Enter ~ ~ Enter ~ x", "\r~\r~x" ],
	[ 'the leave key twice sends itself', "C-] C-] z", "\x1dz" ],
	[ 'arrows, Ctrl-C, Ctrl-Z, F1 go in', "Up C-c C-z F1", "\e[A\x03\x1a\eOP" ],
	[ 'pasted text too, and no leave key in it', ":paste ab~.", 'ab~.' ],
) {
	my ($name, $keys, $want) = @$case;
	$keys = "\n$keys\n" if $keys =~ /^:/;
	$run = Screens::run(script => "M\n:filter mail-01\nc\n:wait text \"GUEST READ\"\n$keys\n:wait idle\n");
	is($run->{status}, 0, "console: $name") or diag $run->{output};
	is($run->{typed} =~ s/<close>//gr, $want, "what the guest got: $name");
	is(join(' ', map { $_->{verb} } @{ $run->{requests} }), 'machine.console', 'and nothing else was asked');
}
$run = Screens::run(script => "M\n:filter mail-01\nc\n:wait text \"GUEST READ\"\nF12\n:wait text \"Enter goes back in\"\n" .
	"Enter\n:wait text \"GUEST READ\"\nF12 Esc\n:wait text \"Overview > Machines\"\n:wait no-text Console\nM 2\n:wait text Pools\n");
is($run->{status}, 0, 'left, entered again, left and closed') or diag $run->{output};
like($run->{typed}, qr/<close>$/, 'the engine is told');
$run = Screens::run(script => "M\n:filter mail-02\nc\n:wait text \"keyboard: ops2\"\nx y t\n:wait text \"GUEST READ\"\na\n");
is($run->{typed} =~ s/<close>//r, '<ask>a', 'who only looks types nothing, t asks for the keyboard') or diag $run->{output};
$run = Screens::run(script => "M\n:filter mail-03\nc\n:wait text \"ops2 asks\"\ny F12 y\n:wait text \"keyboard: ops2\"\nz\n");
is($run->{typed} =~ s/<close>//r, 'y<give>', 'a y to the guest gives nothing away, after leaving it does') or diag $run->{output};
$run = Screens::run(options => [ '--socket', '@DIR@/engine.sock', '--read-only' ],
	script => "M\n:filter mail-01\nc\n:wait text \"sessions listed\"\nx y Enter\n");
is($run->{typed} =~ s/<close>//r, '', 'read-only: one looks and types nothing') or diag $run->{output};
is(join(' ', map { $_->{verb} } @{ $run->{requests} }), 'machine.watch', 'and asks for no keyboard');

# The editor, then the plan, then the question.
open my $fh, '>', "$dir/editor" or die;
print $fh "#!/bin/sh\necho '-- edited' >> \"\$1\"\n";
close $fh;
chmod 0755, "$dir/editor";
open $fh, '>', "$dir/site.lua" or die;
close $fh;
$run = Screens::run(env => { EDITOR => "$dir/editor" }, script => "e\n:wait text \"Apply the site\"\nEsc\n",
	options => [ '--socket', '@DIR@/engine.sock', '--site-file', "$dir/site.lua" ]);
is($run->{status}, 0, 'e edits, asks for the plan, and asks') or diag $run->{output};
is(Screens::slurp("$dir/site.lua"), "-- edited\n", 'the editor had the file');
is(join(' ', map { $_->{verb} } @{ $run->{requests} }), 'site.plan', 'and nothing was applied');

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
