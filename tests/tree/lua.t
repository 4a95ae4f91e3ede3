#!/usr/bin/perl
# remuda-lua(3) and the Lua API agree: every function, verb and method is in the
# page, and the page names none that is not there.  Asked of remuda.so in a Lua of
# its own, and of `remuda run`.
use strict;
use warnings;
use Test::More;

my $build = $ENV{BUILD} // 'build';
-x "$build/remuda" && -e "$build/remuda.so" or plan skip_all => "needs $build: make build";
my $page = do { local $/; open my $h, '<', 'share/man/remuda-lua.3' or die; <$h> };

my $list = <<'LUA';
local remuda = require "remuda"
local made = {}
for _, n in ipairs(remuda.grammar().nouns) do
	for _, name in pairs { n.name, n.alias } do made[name], made[name .. "s"] = true, true end
end
for _, c in ipairs(remuda.grammar().commands) do if not c.noun then made[c.verb] = true end end
for name in pairs(remuda) do if not made[name] or name == "events" or name == "allocate" or name == "connect" or name == "version" then print(name) end end
LUA
my @module = sort split /\n/, qx{LUA_CPATH='$build/?.so' lua5.4 -e '$list' 2>&1};
open my $h, '>', "$build/api.lua" or die;
print $h $list;
close $h;
my @run = sort split /\n/, qx{$build/remuda run $build/api.lua 2>&1};
unlink "$build/api.lua";
is_deeply(\@module, \@run, 'remuda.so and `remuda run` offer the same');
cmp_ok(scalar @module, '>=', 15, 'functions: ' . join ' ', @module);
for my $name (@module) {
	like($page, qr/^\.TP\n\.BI? "?remuda\.\Q$name\E\b/m, "remuda.$name is in the page");
}
my %known = map { $_ => 1 } @module;
my ($functions) = $page =~ /^\.SH FUNCTIONS\n(.*?)^\.SH/ms;
my @told = grep { !/^[A-Z]/ } $functions =~ /^\.TP\n\.BI? "?remuda\.(\w+)/mg;
is_deeply([ grep { !$known{$_} } @told ], [], 'the page names none that is not there');

# Methods: of a stream, of an object.
my $stream = do { local $/; open my $s, '<', 'console/lua/session.lua' or die; <$s> };
my ($allocate) = $page =~ /^\.BI remuda\.allocate(.*?)^\.TP/ms;
like($allocate, qr/^\.BR $_ /m, "a stream's $_ is in the page") for $stream =~ /^function session:(\w+)/mg;
my ($options) = $stream =~ /options_known = \{(.*?)\}/s;
like($allocate, qr/\b$_\b/, "allocate's $_ is in the page") for $options =~ /(\w+) = true/g;
like($page, qr/^\.BR? $_ \(\)/m, "an object's $_ is in the page") for qw(refresh age);

is(system("$build/remuda run share/man/verbs.lua --check share/man/remuda-lua.3"), 0, 'nouns and verbs are those of the table');
unlike($page, qr/^\.B "remuda\.\w+\.end\(/m, 'no verb is a word of Lua');
done_testing;
