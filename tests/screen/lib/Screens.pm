# Running the console by script in a fixed world and comparing its screens.
package Screens;
use strict;
use warnings;
use File::Temp qw(tempdir);
use FindBin;
use JSON::PP;
use Test::More;
use FakeEngine;

our $driver = $ENV{REMUDA_DRIVER} //
	(($ENV{BUILD} // "$FindBin::Bin/../../build") .
	 '/tests/screen/console_driver');
our $clock = 1732279267;	# 2024-11-22 12:41:07 UTC

sub world {
	open my $fh, '<', "$FindBin::Bin/world.json" or die "world.json: $!";
	local $/;
	return decode_json(<$fh>);
}

# run(script => TEXT, world => ..., size => '120x36', utf8 => 1,
#     options => [...], env => {...}) gives { status, output, requests,
#     promises ("on off": to read only), typed (into consoles), dir }.
sub run {
	my (%o) = @_;
	my $dir = tempdir(CLEANUP => 1);
	my ($cols, $rows) = split /x/, $o{size} // '120x36';
	my $engine = FakeEngine->start("$dir/engine.sock",
				       $o{world} // world(), "$dir/log");

	(my $script = $o{script}) =~ s/\@DIR\@/$dir/g;
	open my $fh, '>', "$dir/script" or die $!;
	print $fh $script;
	close $fh;
	local %ENV = (PATH => $ENV{PATH}, TZ => 'UTC', HOME => $dir,
		      LINES => $rows, COLUMNS => $cols,
		      LC_ALL => $o{utf8} ? 'C.UTF-8' : 'C',
		      (map { $_ => $ENV{$_} } grep { defined $ENV{$_} }
		      qw(ASAN_OPTIONS UBSAN_OPTIONS LD_PRELOAD)), %{ $o{env} // {} });
	my @options = map { (my $a = $_) =~ s/\@DIR\@/$dir/g; $a }
		@{ $o{options} // ['--socket', '@DIR@/engine.sock'] };
	my $output = qx{timeout 60 $driver @options --clock $clock --script $dir/script 2>&1};
	my $status = $?;

	$engine->settle;
	my @requests = $engine->requests;
	my ($promises, $typed) = ($engine->promises, $engine->typed);
	$engine->stop;
	return { status => $status, output => $output, dir => $dir,
		 requests => \@requests, promises => $promises, typed => $typed };
}

sub slurp {
	my ($path) = @_;

	open my $fh, '<', $path or return undef;
	local $/;
	return scalar <$fh>;
}

# Compares a saved display with its golden file, byte for byte.
# GOLDEN_UPDATE=1 writes the golden file instead.
sub compare {
	my ($path, $golden) = @_;
	my $got = slurp($path);

	if ($ENV{GOLDEN_UPDATE} && defined $got) {
		open my $fh, '>', $golden or die "$golden: $!";
		print $fh $got;
		close $fh;
	}
	my $want = slurp($golden);
	(my $name = $golden) =~ s{.*/}{};
	return ok(0, "$name was saved") unless defined $got;
	return ok(0, "$name exists (GOLDEN_UPDATE=1 writes it)")
		unless defined $want;
	return 1 if ok($got eq $want, $name);
	my @got = split /\n/, $got, -1;
	my @want = split /\n/, $want, -1;

	for my $i (0 .. ($#got > $#want ? $#got : $#want)) {
		my ($g, $w) = ($got[$i] // '(no line)', $want[$i] // '(no line)');
		diag(sprintf("line %d\n   got |%s|\n  want |%s|", $i + 1, $g,
			     $w)) if $g ne $w;
	}
	return 0;
}

1;
