#!/usr/bin/perl
# The house tests itself: who includes whom, what the core may call, what no
# file may contain.  HACKING.md explains each rule.
use strict;
use warnings;
use Test::More;
use File::Find;

my $build = $ENV{BUILD} // 'build';
my @files;
find({ no_chdir => 1, wanted => sub {
	push @files, $_ if -f && /\.(c|h|lua|sh|t|md|sql)$/;
} }, grep { -d } qw(console engine db scripts share tests));
@files = sort map { s{^\./}{}r } @files;
my @sources = grep { /\.[ch]$/ } @files;

sub text { my ($f) = @_; local $/; open my $h, '<', $f or die "$f: $!"; <$h> }

# Passes when the list is empty, else shows all of it.
sub none { my ($list, $name) = @_; ok(!@$list, $name) or diag join "\n", @$list }

# ---- who may include whom (house.md 3) ------------------------------------
my @rules = (
	[ qr{^engine/base/},       qr{^engine/base/} ],
	[ qr{^engine/core/},       qr{^engine/(core|base)/} ],
	[ qr{^engine/wire/},       qr{^engine/(wire|base)/} ],
	[ qr{^engine/gateway/},    qr{^engine/(gateway|wire|base)/} ],
	[ qr{^engine/hypervisor/}, qr{^engine/(hypervisor|wire|base)/} ],
	[ qr{^engine/rules/},      qr{^engine/(rules|wire|base)/} ],
	[ qr{^engine/net/},        qr{^engine/(net|wire|base)/} ],
	[ qr{^engine/ssh/},        qr{^engine/(ssh|wire|base)/} ],
	[ qr{^engine/sim/},        qr{^engine/(sim|core|base)/} ],
	[ qr{^engine/loop/},       qr{^(engine/(loop|core|wire|base)/|db/db(_backup|_usage)?\.h|engine/engine\.h|engine/rules/rules\.h)} ],
	[ qr{^db/},                qr{^(db/|engine/base/|engine/core/rows\.h)} ],
	[ qr{^console/main\.c$},   qr{^(console/|engine/)} ],
	[ qr{^console/},           qr{^(console/|engine/(wire|base)/|engine/engine\.h)} ],
);
my %library = (
	'libvirt/' => qr{^engine/hypervisor/}, 'libxml/' => qr{^engine/hypervisor/},
	'sqlite3.h' => qr{^db/}, (map { $_ => qr{^(engine/rules/|console/(lua_|cli_script\.c))} } qw(lua.h lauxlib.h lualib.h)),
	'libssh/' => qr{^engine/ssh/}, 'libmnl/' => qr{^engine/net/}, 'cap-ng.h' => qr{^engine/net/},
	'uv.h' => qr{^engine/loop/}, 'curses.h' => qr{^console/term[._]}, 'ncurses' => qr{^console/term[._]}, 'vterm' => qr{^console/vt\.},
);
my @wrong;
for my $f (@sources) {
	my ($rule) = grep { $f =~ $_->[0] } @rules;
	for my $line (split /\n/, text($f)) {
		if ($rule && $line =~ /^\s*#\s*include\s+"([^"]+)"/ && $1 !~ $rule->[1]) {
			push @wrong, "$f includes $1";
		}
		next unless $line =~ /^\s*#\s*include\s+<([^>]+)>/;
		my $header = $1;
		for my $l (sort keys %library) {
			next unless index($header, $l) == 0;
			push @wrong, "$f includes <$header>"
				unless $f =~ $library{$l} || $f =~ m{^tests/};
		}
	}
}
none(\@wrong, 'every include is one its folder may have');

# ---- the core is pure ----------------------------------------------------------
my %pure = map { $_ => 1 } qw(
	malloc calloc realloc free memcpy memmove memset memcmp memchr memrchr
	strcmp strncmp strlen strcpy strcspn strchr strrchr snprintf vsnprintf strtoull
	__stack_chk_fail __snprintf_chk __vsnprintf_chk __memcpy_chk __strcpy_chk
	_GLOBAL_OFFSET_TABLE_ site_spec_fini);
my @objects = glob("$build/obj/engine/core/*.o");
SKIP: {
	skip 'the core is not built (make build first)', 1 unless @objects;
	my %defined = map { $_ => 1 } split /\n/,
		`nm --defined-only -P @objects $build/obj/engine/base/*.o | awk 'NF > 2 {print \$1}'`;
	my %seen;
	my @impure = grep { !$defined{$_} && !$pure{$_} && !/^__(ubsan|asan|sanitizer)/ && !$seen{$_}++ }
		split /\n/, `nm -u -P @objects | awk '{print \$1}' | grep -v ':\$'`;
	none([ sort @impure ], 'the core calls nothing but memory and strings');
}

# ---- what no source may contain ---------------------------------------------------
my %banned = (
	qr/\b(strcpy|strcat|sprintf|gets|strtok|atoi|alloca)\s*\(/ => 'an unbounded or unchecked call',
	qr/\bsystem\s*\(|\bpopen\s*\(/ => 'a shell from C',
	qr/\bTODO\b|\bFIXME\b|\bXXX\b/ => 'a leftover',
);
my @found;
for my $f (grep { !m{^tests/} } @sources) {
	my $n = 0;
	for my $line (split /\n/, text($f)) {
		$n++;
		(my $code = $line) =~ s{"(\\.|[^"\\])*"}{""}g;
		for my $re (keys %banned) {
			push @found, "$f:$n: $banned{$re}" if $code =~ $re;
		}
	}
}
none(\@found, 'no banned call and no leftover');

my @long = map { my $n = () = text($_) =~ /\n/g; $n > 700 ? "$_: $n lines" : () } @sources;
none(\@long, 'no source file over 700 lines');

my @naps;
for my $f (grep { m{^tests/} && !m{^tests/tree/} } @files) {
	my $n = 0;
	for my $line (split /\n/, text($f)) {
		$n++;
		push @naps, "$f:$n" if $line =~ /\b(u?sleep|nanosleep)\s*\(|^\s*sleep\s+[0-9.]{1,2}\b/
			&& $line !~ /^\s*(#|\*|--)/;
	}
}
none(\@naps, 'no test sleeps: wait for a condition with a deadline');

# ---- every statement of SQL stands in db/, every migration keeps its number -----------
my @sql = grep { !m{^(db|tests)/} && text($_) =~ /\bsqlite3_/ } @sources;
none(\@sql, 'only db/ knows SQLite');
my @migrations = map { m{/(\d{4})-} ? $1 + 0 : -1 } sort glob('db/migrations/*.sql');
is_deeply(\@migrations, [ 1 .. @migrations ], 'migrations are numbered from 1 without a gap');

# ---- docs name files that exist -----------------------------------------------------------
for my $doc (grep { -f } qw(README.md ARCHITECTURE.md HACKING.md)) {
	my %seen;
	my @missing = grep { !$seen{$_}++ && !-e $_ && !glob($_) }
		text($doc) =~ m{`((?:console|engine|db|scripts|share|tests)/[A-Za-z0-9_./*-]+)`}g;
	none(\@missing, "$doc names only files that exist");
}

is_deeply([ grep { !-x } glob 'tests/*/*.t' ], [], 'every test can be run as it is');
done_testing;
