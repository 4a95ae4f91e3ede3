#!/usr/bin/perl
# The manual pages: groff has nothing to say about them, what is made from tables
# is made from today's, every page they point to is there, and every key and view
# of the console is in remuda-console(1).
use strict;
use warnings;
use Test::More;

my $build = $ENV{BUILD} // 'build';
-x "$build/remuda" or plan skip_all => "needs $build/remuda: make build";
sub slurp { my ($f) = @_; local $/; open my $h, '<', $f or die "$f: $!"; <$h> }

my %page = map { m{([^/]+)$} ? ($1 => slurp($_)) : () } glob 'share/man/remuda*.[1-8]';
$page{'remuda-console.1'} = qx{$build/remuda help --man console};
is($page{'remuda.1'}, scalar(qx{$build/remuda help --man}), 'remuda.1 is what the program prints: make man');

SKIP: {
	my ($groff) = grep { -x "$_/groff" } split /:/, $ENV{PATH};
	skip 'needs groff', scalar keys %page unless $groff;
	for my $name (sort keys %page) {
		open my $g, '|-', "groff -man -Tutf8 -ww -z 2>$build/groff.txt" or die;
		print $g $page{$name};
		close $g;
		is(slurp("$build/groff.txt"), '', "$name: groff is content");
	}
	unlink "$build/groff.txt";
}
for my $name (sort keys %page) {
	my ($section) = $name =~ /\.(\d)$/;
	like($page{$name}, qr/^\.TH REMUDA\S* $section /m, "$name: its own section");
	my @missing = grep { !$page{$_} } map { s/\\-/-/gr =~ s/\s*\((\d)\)/.$1/r }
		$page{$name} =~ /^\.BR (remuda\S* \(\d\))/mg;
	is_deeply(\@missing, [], "$name: what it points to is there");
}

# The console's keys, read from the header as text.
my $intents = slurp('console/intent.h') =~ s/\\\n/ /gr;
my @intents = $intents =~ /INTENT\([A-Z_]+,\s*"([^"]+)",\s*"((?:[^"\\]|\\.)*)"/g;
cmp_ok(scalar @intents, '>', 40, 'keys are found');
my @gone;
while (my ($name, $keys) = splice @intents, 0, 2) {
	(my $roff = $name) =~ s/-/\\-/g;
	push @gone, $name unless $page{'remuda-console.1'} =~ /^\.RB \( :\Q$roff\E \)$/m;
}
is_deeply(\@gone, [], 'every intent is in remuda-console(1)');
my @views = map { slurp($_) =~ /^\s*\.name = "([a-z]+)",\s*\n\s*\.aliases = "[^"]/mg } glob 'console/view_*.c';
is_deeply([ grep { $page{'remuda-console.1'} !~ /^\.B :\Q$_\E$/m } @views ], [], 'every view is: ' . join ' ', @views);
my $settings = slurp('console/settings.h') =~ s/\\\n/ /gr;
my @settings = $settings =~ /SETTING\([A-Z_]+,\s*"([a-z_]+)"/g;
cmp_ok(scalar @settings, '>', 10, 'settings are found');
is_deeply([ grep { $page{'remuda-console.1'} !~ /^\.BI \Q$_\E "/m } @settings ], [], 'every setting is in remuda-console(1)');
my ($tasks) = slurp('console/help.c') =~ /^\} tasks\[\] = \{\n(.*?)^\};/ms;
my @tasks = $tasks =~ /^\t\{ "([a-z' ]+)",/mg;
cmp_ok(scalar @tasks, '>', 10, 'common things are found');
is_deeply([ grep { index($page{'remuda-console.1'}, "\n.TP\n\\&$_\n") < 0 } @tasks ], [], 'and are in it too');
done_testing;
