#!/usr/bin/perl
# Every screen of the console, drawn from the world in world.json by the real
# console with real ncurses, compared byte for byte: wide in UTF-8, small in
# ASCII.  GOLDEN_UPDATE=1 writes the golden files; look at them, they are the
# design.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/lib";
use Test::More;
use Screens;

# name, keys before it is saved, and whether the roles are saved too
my @screens = (
	[ 'overview', '', 1 ],
	[ 'pools', '2' ],
	[ 'pool', "2\nj Enter", 1 ],
	[ 'pool-sessions', 'Tab' ],
	[ 'pool-events', 'Tab' ],
	[ 'machines', 'M' ],
	[ 'machine', "j j j\nEnter", 1 ],
	[ 'sessions', '3' ],
	[ 'session', 'Enter' ],
	[ 'hosts', "4\nj j" ],
	[ 'host', 'Enter' ],
	[ 'events', "6\nj" ],
	[ 'help', '?' ],
	[ 'actions', "Esc M G\na" ],
	[ 'sort', "Esc s" ],
	[ 'confirm', "Esc 3 x", 1 ],
	[ 'quit', "n q" ],
	[ 'filter', "Esc M\n:type /mail\n:type ' '\n:type !ready" ],
	[ 'filter-empty', "C-u\n:type xyz" ],
	[ 'scale', "Esc Esc 2 j S\n:type 8" ],
	[ 'scaled', 'Enter' ],
	[ 'command', ":type :machine\nSpace h Tab Space m Tab Tab" ],
	[ 'error', "Esc Esc M x\ny" ],
	[ 'error-long', 'F1' ],
	[ 'paused', "Esc 1 p" ],
	[ 'marked', "p M\n:filter mail\ng j j Space Space >", 1 ],
	[ 'bulk', 'r' ],
	[ 'bulk-actions', 'n a' ],
	[ 'bulk-outcome', "Esc U Esc M\n:filter ready\n* x y\n:wait text 'of 4 done'\nF1" ],
	[ 'severe', "Esc Esc U 3 Space Space x\n:type 3", 1 ],
	[ 'dry-run', "Esc U 2 j S\n:type 1\nEnter d\n:wait text 'serve 5'" ],
	[ 'columns', "Esc Esc C j j Space" ],
	[ 'describe', "Space Esc M d" ],
	[ 'json', "Esc y\n:type /user\nEnter n" ],
	[ 'plan', "Esc Esc\n:apply\n:wait text 'Apply the site'" ],
	[ 'settings', "Esc\n:set" ],
	[ 'keys', ":keys\n:filter mark" ],
	[ 'help-states', ":help states" ],
	[ 'help-word', ":help pool" ],
	[ 'users', "Esc Esc 9", 1 ],
	[ 'groups', 'Tab' ],
	[ 'tokens', 'Tab' ],
	[ 'user', "S-Tab S-Tab Enter", 1 ],
	[ 'user-actions', 'a' ],
	[ 'apps', "Esc 0 j" ],
	[ 'listeners', ":listeners" ],
	[ 'resources', ":resources\nj" ],
	[ 'audit', ":audit" ],
	[ 'history', "8 < < <", 1 ],
	[ 'history-days', "- Tab" ],
	[ 'history-pool', "+ Tab Tab j Space" ],
	[ 'alarms', "! j", 1 ],
	[ 'tour', "Esc\n:tutorial\n2" ],
	[ 'tour-end', "Enter Tab Esc /\n:type m\nEnter Esc Space a Esc d ?" ],
	[ 'console', "Esc Esc Esc Esc M\n:filter mail-01\nc\n:type uptime\n:wait text 'uptime'", 1 ],
	[ 'console-full', 'F11' ],
	[ 'console-left', 'F12' ],
	[ 'console-other', "Esc Esc\n:filter mail-02\nc\n:wait text 'ops2'" ],
	[ 'console-asked', "Esc Esc\n:filter mail-03\nc\n:wait text 'asks for'" ],
	[ 'console-none', "C-] Esc Esc\n:filter mail-04\nc\n:wait text 'cannot find'" ],
	[ 'clusters', "Esc Esc Esc 5 j", 1 ],
	[ 'cluster', "k j\nEnter", 1 ],
	[ 'cluster-tree', "t Tab" ],
	[ 'cluster-why', "Tab" ],
	[ 'cluster-cancel', "x" ],
	[ 'rules', "n 7 j", 1 ],
	[ 'rules-older', "[" ],
	[ 'ops', ":ops" ],
	[ 'usage', ":usage" ],
	[ 'events-older', "Esc Esc Esc Esc 6 b\n:type 2024-11-22T10:00\nEnter\n:wait text 'tkhan'" ],
);

for my $look ([ '120x36', 1 ], [ '80x24', 0 ]) {
	my ($size, $utf8) = @$look;
	my $script = '';

	for my $screen (@screens) {
		(my $keys = $screen->[1]) =~ s/'([^']+)'/"$1"/g;
		$script .= "$keys\n:save-display \@DIR\@/$screen->[0]\n";
		$script .= ":save-roles \@DIR\@/$screen->[0].roles\n"
			if $screen->[2];
	}
	my $run = Screens::run(script => $script, size => $size,
			       utf8 => $utf8);

	is($run->{status}, 0, "the console ran through the script at $size")
		or diag($run->{output});
	for my $screen (@screens) {
		Screens::compare("$run->{dir}/$screen->[0]",
			"$FindBin::Bin/$screen->[0].$size.txt");
		Screens::compare("$run->{dir}/$screen->[0].roles",
			"$FindBin::Bin/$screen->[0].$size.roles.txt")
			if $screen->[2];
	}

	# An engine that dies: last data stay, dimmed, with their time.
	my $world = Screens::world();
	$world->{dies_on} = 'site.reload';
	$run = Screens::run(world => $world, size => $size, utf8 => $utf8,
		script => "2\n:site reload\n:wait text DISCONNECTED\n" .
			  "k\n:save-display \@DIR\@/lost\n" .
			  ":save-roles \@DIR\@/lost.roles\nS\n" .
			  ":wait text \"does not answer\"\n" .
			  ":clock +12\n:wait text \"DISCONNECTED 12s\"\n" .
			  "k\n:wait text \"try 2\"\n");
	is($run->{status}, 0, "an engine that dies, at $size")
		or diag($run->{output});
	Screens::compare("$run->{dir}/lost", "$FindBin::Bin/lost.$size.txt");
	Screens::compare("$run->{dir}/lost.roles",
			 "$FindBin::Bin/lost.$size.roles.txt");

	# Nothing exists yet, and what the embedded console asks on quitting.
	$world = { hello => Screens::world()->{hello}, topics => {} };
	$run = Screens::run(world => $world, size => $size, utf8 => $utf8,
		options => [ '--embedded', '--inherit', '@DIR@/engine.sock' ],
		script => ":save-display \@DIR\@/empty\nq\n" .
			  ":save-display \@DIR\@/quit-embedded\n");
	is($run->{status}, 0, "an empty world, at $size")
		or diag($run->{output});
	Screens::compare("$run->{dir}/empty", "$FindBin::Bin/empty.$size.txt");
	Screens::compare("$run->{dir}/quit-embedded",
			 "$FindBin::Bin/quit-embedded.$size.txt");
}

# Too small for a view is no reason to leave.
my $run = Screens::run(size => '30x5', script =>
	":save-display \@DIR\@/tiny\n:size 1x1\n:size 39x7\n:size 300x3\n" .
	":size 3x300\n:size 250x80\n:size 40x8\n" .
	":save-display \@DIR\@/smallest\nx y q\n:size 30x5\nx y S q\n");
is($run->{status}, 0, 'any size is survived') or diag($run->{output});
Screens::compare("$run->{dir}/tiny", "$FindBin::Bin/tiny.30x5.txt");
Screens::compare("$run->{dir}/smallest", "$FindBin::Bin/smallest.40x8.txt");
is(scalar @{ $run->{requests} }, 0, 'and no key acts blindly');

done_testing();
