#!/usr/bin/perl
# remuda-protocol(7) says what engine/wire/native.h says: frames, tags, codes,
# limits, the bytes of its example; and no code is used that is not in the list.
use strict;
use warnings;
use Test::More;

sub slurp { my ($f) = @_; local $/; open my $h, '<', $f or die "$f: $!"; <$h> }
my $header = slurp('engine/wire/native.h');
my $page = slurp('share/man/remuda-protocol.7');

# Rows "  number  NAME" of the table after a heading line.
sub table {
	my ($head) = @_;
	my ($rows) = $page =~ /^    \Q$head\E\s.*?\n(.*?)^\.fi/ms or return {};
	return { map { /^\s+(\d+)\s+([A-Z_]+)\s/ ? ($2 => $1) : () } split /\n/, $rows };
}
my %frames = $header =~ /^\s*X\(([A-Z]+), (\d+),/mg;
is_deeply(table('type'), \%frames, 'the frames');
my %tags = $header =~ /^\s*NATIVE_TAG_([A-Z_]+) = (\d+),/mg;
is_deeply(table('tag'), \%tags, 'the tags');
my ($list) = $header =~ /#define NATIVE_CODES\(X\)(.*?)\n\n/s;
my @codes = $list =~ /X\((\w+),/g;
my ($errors) = $page =~ /^\.SH ERRORS\n.*?\.nf\n(.*?)^\.fi/ms;
is_deeply([ $errors =~ /^    (\w+)/mg ], \@codes, 'the codes');
for my $limit (map { eval } $header =~ /NATIVE_(?:PAYLOAD|CONTROL)_MAX = ([\d* ]+)/g) {
	like($page, qr/\b$limit\b/, "the limit $limit");
}
my %known = map { $_ => 1 } @codes;
my @unknown;
for my $file (glob 'engine/gateway/*.c engine/core/*.c engine/loop/auth.c') {
	my $text = slurp($file);
	push @unknown, "$file: $1" while $text =~
		/(?:refuse|dismiss|exchange_end|port_error|\bcode =)\s*\(?[^;"{}]*"([a-z_]+)"/g and not $known{$1};
}
is_deeply(\@unknown, [], 'every code in the sources is in the list');

# The example, read by the page's own rules.
my ($example) = $page =~ /^\.SH EXAMPLE.*?\.nf\n(.*?)^\.fi/ms;
my $bytes = join '', map { s/\s{3,}\S.*//r =~ s/^\s+//r } split /\n/, $example =~ s/^ +//gmr;
$bytes = pack 'H*', $bytes =~ s/\s//gr;
my @seen;
while (length $bytes) {
	my ($length, $type, $flags, $zero) = unpack 'NCCn', substr $bytes, 0, 8, '';
	my $payload = substr $bytes, 0, $length, '';
	my %items;
	while (length $payload) {
		my ($tag, $size) = unpack 'nn', substr $payload, 0, 4, '';
		$items{$tag} = substr $payload, 0, $size, '';
	}
	push @seen, [ $type, $flags, $zero, \%items ];
}
is_deeply(\@seen, [ [ 1, 0, 0, { 1 => pack('Q>', 1), 2 => 'anna' } ],
	[ 2, 0, 0, { 4 => 'mail', 9 => pack('Q>', 30000) } ] ], 'the bytes of the example');
done_testing;
