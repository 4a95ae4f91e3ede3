#!/usr/bin/perl
# The completion scripts in the shells themselves: bash, zsh and fish, each in a
# terminal, with an engine that is none and gives three machines, then without.
use strict;
use warnings;
use Fcntl;
use File::Temp qw(tempdir);
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(:sys_wait_h setsid dup2 _exit);
use Test::More;
use Time::HiRes qw(time);

my $remuda = $ENV{REMUDA} // ($ENV{BUILD} // 'build') . '/remuda';
-x $remuda or plan skip_all => "needs $remuda: make build";
my $dir = tempdir('remuda-complete-XXXXXX', TMPDIR => 1, CLEANUP => 1);
delete @ENV{qw(REMUDA_SITE REMUDA_RUN_DIR REMUDA_STATE_DIR REMUDA_CONFIG)};
@ENV{qw(HOME XDG_CACHE_HOME REMUDA_SOCKET LC_ALL TERM ZDOTDIR XDG_CONFIG_HOME XDG_DATA_HOME)} =
	($dir, "$dir/cache", "$dir/engine", 'C.UTF-8', 'xterm', $dir, "$dir/config", "$dir/data");
mkdir "$dir/cache"; mkdir "$dir/bin";
symlink $remuda =~ m{^/} ? $remuda : POSIX::getcwd() . "/$remuda", "$dir/bin/remuda";
$ENV{PATH} = "$dir/bin:$ENV{PATH}";
open my $h, '>', "$dir/only-file.lua"; close $h;
chdir $dir;

# Another user's cache folder is that of root: named outright so that it is ours.
$ENV{REMUDA_STATE_DIR} = "$dir/cache";

# ---- the engine that is none --------------------------------------------------------
my %names = ('machine.list' => [qw(mail-01 mail-02 web-01)], 'user.list' => ['anna@example.org', 'ben'], 'pool.list' => ['mail', 'web']);
my $listener = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "$dir/engine", Listen => 20) or die;
my $server = fork // die;
if (!$server) {
	$SIG{PIPE} = 'IGNORE';
	while (my $c = $listener->accept) {
		$c->autoflush(1);
		print $c qq({"hello":"remuda","api":1,"version":"0.1","site":"demo","engine":"headless","rights":"change","pid":1,"time":"2026-01-01T00:00:00Z"}\n);
		while (my $line = <$c>) {
			my $r = decode_json($line);
			my @items = map { { name => $_, state => 'ready' } } @{ $names{$r->{verb}} // [] };
			print $c encode_json({ id => $r->{id}, ok => JSON::PP::true, kind => 'list', items => \@items }), "\n";
		}
	}
	_exit(0);
}
close $listener;
my $owner = $$;
sub stop_engine { return unless $server; kill 'TERM', $server; waitpid $server, 0; $server = 0 }
END { if ($$ == $owner) { my $was = $?; stop_engine(); $? = $was } }

# ---- a shell in a terminal ------------------------------------------------------------
my ($ptm, $shell, $seen);

sub start {
	my (@command) = @_;
	my ($buffer, $size) = (pack('i', 0), pack('SSSS', 40, 200, 0, 0));
	sysopen $ptm, '/dev/ptmx', O_RDWR | O_NOCTTY or die "ptmx: $!";
	ioctl $ptm, 0x40045431, $buffer or die;
	ioctl $ptm, 0x80045430, $buffer or die;
	my $name = '/dev/pts/' . unpack 'i', $buffer;
	$shell = fork // die;
	if (!$shell) {
		setsid();
		sysopen my $tty, $name, O_RDWR or _exit(126);
		ioctl $tty, 0x5414, $size;
		dup2(fileno $tty, $_) for 0 .. 2;
		close $ptm;
		exec @command or _exit(127);
	}
	$seen = '';
}

# What the terminal has shown since the last call, once it matches.
sub expect {
	my ($pattern, $seconds) = @_;
	my $end = time + ($seconds // 30);
	while ($seen !~ $pattern && time < $end) {
		my $bits = '';
		vec($bits, fileno $ptm, 1) = 1;
		next unless select($bits, undef, undef, 0.1) > 0;
		sysread $ptm, my $bytes, 65536 or last;
		$seen .= $bytes =~ s/\e\[[0-9;?]*[a-zA-Z]|\e[=>]|\e\][^\a]*\a|[\r\a]//gr;
		# fish asks what terminal this is
		syswrite $ptm, "\e[?62;c" if $bytes =~ /\e\[0?c/;
	}
	my $was = $seen;
	$seen = '' if $was =~ $pattern;
	return $was =~ $pattern ? $was : undef;
}

sub type { syswrite $ptm, $_[0] }
sub stop { kill 'KILL', $shell; waitpid $shell, 0; close $ptm }

# A line of which a Tab makes another one; then it is thrown away.
sub completes {
	my ($typed, $line, $what) = @_;
	type("$typed\t");
	ok(defined expect(qr/\Q$line\E/), $what) or diag "$typed: ", $seen =~ s{([^ -~\n])}{sprintf "<%02x>", ord $1}ger;
	type("\x15\n");
	expect(qr/READY> /);
}

# A Tab that shows what there is.
sub offers {
	my ($typed, $patterns, $what) = @_;
	type("$typed\t\t");
	my $all = 1;
	my $text = '';
	for my $p (@$patterns) { my $t = expect(qr/(?:$p)/s); $all &&= defined $t; $text .= $t // ''; $seen = "$text$seen" }
	ok($all, $what) or diag "$typed: ", $seen =~ s{([^ -~\n])}{sprintf "<%02x>", ord $1}ger;
	$seen = '';
	type("\x15\n");
	expect(qr/READY> /);
}

my %shells = (
	bash => [ [qw(bash --norc --noprofile -i)], qq(bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; eval "\$(remuda completion bash)"; PS1='READY> '\n) ],
	zsh => [ [qw(zsh -f -i)], qq(unsetopt beep zle_bracketed_paste; PS1='READY> '; RPS1=; autoload -Uz compinit && compinit -u -D; eval "\$(remuda completion zsh)"\n) ],
	fish => [ [qw(fish --no-config -i)], qq(function fish_prompt; echo 'READY> '; end; set -g fish_autosuggestion_enabled 0; remuda completion fish | source\n) ],
);
for my $name (qw(bash zsh fish)) {
	SKIP: {
		my ($found) = grep { -x "$_/$name" } split /:/, $ENV{PATH};
		skip "needs $name", 7 unless $found;
		my ($command, $begin) = @{ $shells{$name} };
		start(@$command);
		expect(qr/[\$#%>] ?$/, 10);
		type($begin);
		expect(qr/READY> $/) // diag "$name: $seen";
		completes('remuda pool sca', 'remuda pool scale', "$name: a verb");
		completes('remuda machine hold mail-01 web', 'machine hold mail-01 web-01', "$name: a name of the engine's");
		completes('remuda ls --poo', 'remuda ls --pool', "$name: a flag");
		completes('remuda ls --pool=w', 'remuda ls --pool=web', "$name: the value of a flag after =");
		completes('remuda user why anna@', 'anna@example.org', "$name: a name with @");
		offers('remuda machine show mail-0', [qr/mail-01/, qr/mail-02/], "$name: what there is");
		completes('remuda run only', 'remuda run only-file.lua', "$name: a file where Remuda knows nothing");
		stop();
	}
}

# Without the engine: the names of the last time.
stop_engine();
is(qx{remuda __complete -- machine show mail}, "mail-01\nmail-02\n", 'names of the last time');
is(qx{remuda __complete -- host show ''}, '', 'none that were never heard');
{
	# One that is there and says nothing.
	my $mute = IO::Socket::UNIX->new(Type => SOCK_STREAM(), Local => "$dir/mute", Listen => 5) or die;
	local $ENV{REMUDA_SOCKET} = "$dir/mute";
	my $began = time;
	is(qx{remuda __complete -- machine show web}, "web-01\n", 'an engine that says nothing is not waited for');
	note sprintf 'after %.0f ms', 1000 * (time - $began);
}
# And without a folder to keep them in.
{
	local $ENV{REMUDA_STATE_DIR} = "$dir/no/such/folder";
	is(qx{remuda __complete -- machine show x 2>&1}, '', 'no folder for the cache: no word about it');
}
done_testing;
