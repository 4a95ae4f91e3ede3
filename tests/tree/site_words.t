#!/usr/bin/perl
# remuda-site(5) says what engine/rules/schema.c says: every statement, every field,
# every default, and nothing else; the words of wishes and shipped rules too.
use strict;
use warnings;
use Test::More;

sub slurp { my ($f) = @_; local $/; open my $h, '<', $f or die "$f: $!"; <$h> }

# ---- the table ---------------------------------------------------------------------
(my $c = slurp('engine/rules/schema.c')) =~ s{/\*.*?\*/}{}gs;
my %macro;
while ($c =~ /^#define ((?:MACHINE|PLACEMENT)_FIELDS)(?:\((\w+)\))?((?:.*\\\n)*.*)\n/mg) {
	my ($name, $arg, $body) = ($1, $2, $3);
	$macro{$name} = [ $arg, $body =~ s/\\\n/\n/gr ];
}
is(scalar keys %macro, 2, 'fields that are shared are found');

# Statement -> field -> default or undef.
my (%fields, %statement_of);
while ($c =~ /^static const struct field (\w+)_fields\[\] = \{\n(.*?)\n\};/msg) {
	my ($name, $body) = ($1, $2);
	for my $m (keys %macro) {
		my ($arg, $text) = @{ $macro{$m} };
		$body =~ s{\Q$m\E(?:\(([^)]*)\))?}{ my $v = $1; my $t = $text;
			$t =~ s/\b$arg\b/$v/g if defined $arg; $t }ge;
	}
	while ($body =~ /\b(TEXT|NAME|HOOK|FLAG|COUNT|DURATION|MEMORY|WORD|LIMIT|NAMES_ALL)\("(\w+)"([^()]*)\)|\{ \.name = "(\w+)"([^{}]*)\}/g) {
		my ($kind, $word, $rest) = defined $1 ? ($1, $2, $3) : ('', $4, $5);
		my ($preset) = $kind eq 'LIMIT' ? '0' :
			$kind =~ /^(?:FLAG|COUNT|DURATION|MEMORY|WORD)$/ ? $rest =~ /"([^"]*)"\s*$/ :
			$rest =~ /\.preset = "([^"]*)"/;
		$fields{$name}{$word} = $preset;
	}
}
while ($c =~ /\.name = "([\w ]+)",(?: \.list = "\w+",)?\s*\.fields = (\w+)_fields/g) {
	$statement_of{$1} = $2;
}
ok(keys %statement_of >= 13, scalar(keys %statement_of) . ' statements and inner tables');

# ---- the page ------------------------------------------------------------------------
my $page = slurp('share/man/remuda-site.5');
my ($part) = $page =~ /^\.SH STATEMENTS\n(.*?)^\.SH /ms;
my (%told, %text);
for my $section (split /^\.SS /m, $part) {
	my ($name, $rest) = $section =~ /\A([\w ]+)\n(.*)\z/s or next;
	$told{$name} = [];
	for my $p (split /^\.TP\n/m, $rest) {
		my ($words, $what) = $p =~ /\A\.B (.*?)\n(.*)\z/s or next;
		for my $w (split /, /, $words) {
			push @{ $told{$name} }, $w;
			$text{"$name $w"} = $what;
		}
	}
}
is_deeply([ sort keys %told ], [ sort keys %statement_of ], 'the statements');
for my $s (sort keys %statement_of) {
	my $f = $fields{ $statement_of{$s} };
	is_deeply([ sort @{ $told{$s} // [] } ], [ sort keys %$f ], "$s: its fields");
	my @missing = grep { defined $f->{$_} && ($text{"$s $_"} // '') !~ /\(default[^)]*\b\Q$f->{$_}\E\b/ }
		sort keys %$f;
	is_deeply(\@missing, [], "$s: their defaults");
}

# ---- rules ----------------------------------------------------------------------------
my ($wishes) = slurp('engine/rules/rule.c') =~ /^\} wishes\[\] = \{\n(.*?)^\};/ms;
for my $w ($wishes =~ /\{ "(\w+)",/g) {
	like($page, qr/wishes of a \w+\n[^.]*\b$w\b/, "the wish $w");
}
for my $file (glob 'scripts/rules/*.lua') {
	my ($name) = $file =~ m{(\w+)\.lua$};
	like($page, qr/\brules\.$name\b/, "the rule $name");
	like(slurp($file), qr/\A-- .*require "rules\.$name"/s, "$name begins with how it is used");
}
done_testing;
