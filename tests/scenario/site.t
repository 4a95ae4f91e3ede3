#!/usr/bin/perl
# The site's texts in the store, with the real engine: what is in force and
# what was, to the byte, over reloads and a restart.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

lab_enter();
my $module = "-- caf\xc3\xa9, 100 %\nreturn { endpoint = \"tcp:127.0.7.{index}:7007\", identity = \"none\", agent = false }\n";
mkdir "$Lab::dir/site/parts";
spew("$Lab::dir/site/parts/echo.lua", $module);
sub site {
	my ($serve) = @_;
	my $text = <<"LUA";
site "lab" { }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" (require "parts.echo")
pool "echo" { application = "echo", serve = $serve, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
LUA
	$text .= "-- " . "x" x 5000 . "\n" if $serve == 2;
	spew("$Lab::dir/site/site.lua", $text);
	return $text;
}
sub files { my %f = map { $_->{file} => $_->{text} } @{ remuda_json('site show', @_)->{items} // [] }; \%f }
utf8::decode($module);

my @texts = (site(2));
lab_engine('--gateways', 1);
is_deeply(files(), { 'site.lua' => $texts[0], 'parts.echo' => $module }, 'the texts in force, module and all');
my ($rc, $out) = remuda('site show');
utf8::decode($out);
is($out, "-- ==== site.lua ====\n$texts[0]\n-- ==== parts.echo ====\n$module", 'and as text');
my @history = @{ remuda_json('site history')->{items} };
is(scalar @history, 1, 'one version so far');

push @texts, site(3);
is((remuda('site reload'))[0], 0, 'another site');
spew("$Lab::dir/site/site.lua", "pool {");
is((remuda('site reload'))[0], 1, 'a bad one is refused');
@history = @{ remuda_json('site history')->{items} };
is(scalar @history, 2, 'and is no version');
is($history[0]{who}, getpwuid($>), 'who changed it is known');
is(files()->{'site.lua'}, $texts[1], 'the new one is in force');
is(files($history[1]{version})->{'site.lua'}, $texts[0], 'the one before is still there');
is(files(substr $history[1]{version}, 0, 8)->{'site.lua'}, $texts[0], 'by the start of its hash');
is((remuda('site show 0123456789'))[0], 4, 'no such version: 4');

site(2);
is((remuda('apply --yes'))[0], 0, 'back to the first');
is((remuda('engine stop'))[0], 0, 'the engine stops');
lab_engine('--gateways', 1);
my @again = @{ remuda_json('site history')->{items} };
is(scalar @again, 3, 'an engine that starts with the same site is no new version');
is($again[0]{version}, $history[1]{version}, 'the same texts have the same name');
is(files()->{'parts.echo'}, $module, 'and are still there');
is((remuda('site close', '--yes'))[0], 0, 'closed');
done_testing;
