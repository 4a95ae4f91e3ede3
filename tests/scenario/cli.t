#!/usr/bin/perl
# Every command against an engine that is none: a process that speaks the
# control protocol from fixtures and writes down what it was asked.  Tables at
# 80 and 120 columns are read through a real pseudo-terminal.
use strict;
use warnings;
use Fcntl qw(:DEFAULT :flock);
use File::Temp qw(tempdir);
use IO::Handle;
use IO::Select;
use IO::Socket::UNIX;
use JSON::PP;
use POSIX qw(:sys_wait_h setsid setpgid tcsetpgrp dup2 _exit);
use Time::HiRes qw(time);

my $remuda = $ENV{REMUDA} // "build/remuda";
-x $remuda or do { print "Bail out! $remuda is not built\n"; exit 255 };
my $dir = tempdir("remuda-cli-XXXXXX", TMPDIR => 1, CLEANUP => 1);
my $asked = "$dir/asked";
my $json = JSON::PP->new->canonical;
my $ascii = JSON::PP->new->canonical->ascii;
my $evil = "\e]0;x\a\e[2J\x9b31m\x{202e}evil\x{200b}\x7f\n";

delete @ENV{qw(REMUDA_SOCKET REMUDA_SITE NO_COLOR COLUMNS)};
@ENV{qw(TZ LC_ALL TERM HOME)} = ("UTC", "C.UTF-8", "xterm", $dir);
@ENV{qw(REMUDA_RUN_DIR REMUDA_STATE_DIR REMUDA_CONFIG)} =
	("$dir/run", "$dir/state", "$dir/site.lua");

# ---- TAP --------------------------------------------------------------------

my ($test, $bad) = (0, 0);

sub ok {
	my ($pass, $what) = @_;

	printf "%sok %d - %s\n", $pass ? "" : "not ", ++$test, $what;
	return 1 if $pass;
	$bad++;
	my (undef, undef, $line) = caller((caller 1)[3] ? 1 : 0);
	printf "#   line %d\n", $line;
	return 0;
}

sub shown { my $s = $_[0] // "(undef)"; $s =~ s/\n/\n#      /g; $s }

sub is {
	my ($got, $want, $what) = @_;
	my $same = defined $got && defined $want ? $got eq $want : 0;

	ok($same, $what) or
		print "#   got: ", shown($got), "\n#  want: ", shown($want), "\n";
}

sub like {
	my ($got, $want, $what) = @_;

	ok(scalar($got =~ $want), $what) or
		print "#   got: ", shown($got), "\n#  want: $want\n";
}

# ---- the engine that is none -----------------------------------------------

my $t = "2020-01-02T03:04:05.678Z";
my %host = (name => "hv01", uri => "qemu:///system", state => "up", text => "",
	version => "9.0.0", hostname => "hv01.example", cpus => 16,
	memory_mib => 65536, kvm => JSON::PP::true, machines => 5, since => $t);
my @pools = (
	{ name => "mail", application => "postfix", host => "hv01", serve => 3,
	  spare => 1, max => 10, keep => "clean", recycle => "clean",
	  counts => { ready => 2, in_session => 1 }, in_use => 1, ready => 2,
	  starting => 0, bad => 0, waiting => 0, total => 3, removed => 0,
	  reason => undef, boot_ms => 4120, vcpus => 1, memory_mib => 128,
	  endpoint => "tcp:25", identity => "proxy" },
	{ name => "build", application => "gcc", host => "hv01", serve => 2,
	  spare => 0, max => 4, keep => "rebuild", recycle => "rebuild",
	  counts => {}, in_use => 0, ready => 0, starting => 2, bad => 1,
	  waiting => 7, total => 3, removed => 0, reason => "boot failed",
	  boot_ms => undef, vcpus => 2, memory_mib => 512,
	  endpoint => "channel", identity => "none" });
sub machine {
	my ($name, $state, %more) = @_;
	return { id => 1, ref => "machine/$name", name => $name,
		pool => "mail", host => "hv01", state => $state,
		wish => "run", dirty => JSON::PP::false, incarnation => 3,
		session => undef, user => undef, reason => undef, since => $t,
		boot_ms => 4120, prepare_ms => 800, clean_ms => 12,
		sessions => 9, failures => 0, uuid => "u", job => undef, %more };
}
my @machines = (
	machine("mail-10", "ready"),
	machine("mail-2", "in_session", session => 4711, user => "alice"),
	machine("mail-3", "quarantined", wish => "hold", job => "prepare",
		reason => "the agent did not answer in 60 s, three times in a row"));
my @sessions = map { {
	id => $_->[0], ref => "session/$_->[0]", state => $_->[1],
	user => $_->[2], application => "mail", listener => "door",
	peer => "127.0.0.9:40112", machine => $_->[3], pool => "mail",
	gateway => 0, requested => $t, assigned => $t, accepted => $t,
	ended => undef, wait_ms => $_->[4], accept_ms => 3, clean_ms => undef,
	bytes_in => $_->[5], bytes_out => 123456789, end_text => undef,
	request_key => undef, incarnation => 3 } }
	([4711, "active", "alice", "mail-2", 12, 812],
	 [4712, "active", "bob", "mail-10", 93000, 3145728]);
my @events = map { { id => $_, time => $t, severity => "info",
	kind => "CLEAN", object => "machine/mail-$_", text => "event $_" } }
	(3, 1, 2);
my %items = (
	host => [\%host], pool => \@pools, machine => \@machines,
	session => \@sessions, event => \@events,
	request => [{ id => 5, ref => "request/5", user => "carol",
		application => "mail", listener => "door", peer => "unix",
		state => "waiting", place => 2, requested => $t,
		deadline => $t, wait_ms => 1500, code => undef,
		text => undef }],
	gateway => [{ index => 0, pid => 77, state => "up", sessions => 2,
		adopted => JSON::PP::false }],
	listener => [{ name => "door", door => "direct",
		address => "127.0.0.1:2525", user => "peer",
		application => "mail", state => "listening" }],
	resource => [{ name => "db", pool => "mail", machine => undef,
		access => ["alice", "bob"] }],
	application => [{ name => "postfix", pools => ["mail"],
		endpoint => "tcp:25", identity => "proxy", resources => [],
		hooks => ["prepare", "ready"], version => "abc" }]);
my %key = (event => "id", request => "id", session => "id",
	gateway => "index");

sub failure {
	my ($code, $object, $message, $hint) = @_;
	return { ok => JSON::PP::false, error => { code => $code,
		object => $object, message => $message, hint => $hint } };
}

sub done { return { ok => JSON::PP::true, @_ } }

sub show_answer {
	my ($noun, $r) = @_;
	my $want = $r->{name} // $r->{session};
	my ($item) = grep { $_->{$key{$noun} // "name"} eq $want }
		@{$items{$noun}};

	return failure("not_found", "$noun/$want", "$noun/$want does not exist")
		unless $item;
	return done(kind => $noun, item => $item);
}

sub answer {
	my ($mode, $r) = @_;
	my $verb = $r->{verb};
	my ($noun, $what) = split /\./, $verb;

	return failure("read_only", undef, "you may only read", "ask ops")
		if $mode eq "readonly" && $verb !~ /list|show|info/;
	return failure($mode, "x/y", "because", "do this")
		if $mode =~ /^(refused|busy|usage|timeout|failed)$/;
	return failure("failed", $evil, $evil, $evil) if $mode eq "evilerror";
	if ($mode eq "evil" && ($what // "") eq "list") {
		my %copy = %{$items{$noun}[0]};
		$copy{$_} = $evil for grep { !/^(id|index|uri)$/ } keys %copy;
		return done(kind => "${noun}_list", items => [\%copy]);
	}
	return done(kind => "x_list", items => []) if $mode eq "empty" &&
		($what // "") eq "list";
	if (($what // "") eq "list" && $items{$noun}) {
		my @all = @{$items{$noun}};
		@all = grep { $_->{id} < $r->{before} } @all if $r->{before};
		return done(kind => "${noun}_list", items => \@all);
	}
	return show_answer($noun, $r) if ($what // "") eq "show";
	return done(kind => "info", item => { version => "0.1",
		site => "demo", paths => { config => "/x/site.lua" },
		pid => $$, uptime_ms => 61000, counts => { machines => 3 } })
		if $verb eq "info";
	return done(kind => "session", item => $sessions[0])
		if $verb eq "whois" && ($r->{name} // $r->{session} // $r->{address}) =~ /mail|4711|10\./;
	return failure("not_found", undef, "nobody") if $verb eq "whois";
	return failure("not_found", "machine/$r->{name}", "no such machine")
		if ($r->{name} // "") eq "gone";
	return done(kind => "verb_list", items => [map { { verb => $_->[0],
		changes => $_->[1] ? JSON::PP::true : JSON::PP::false, arguments => $_->[2] } }
		["pool.list", 0, []], ["pool.show", 0, ["name"]], ["pool.scale", 1, ["name", "dry_run"]],
		["machine.hold", 1, ["name"]], ["machine.delete", 1, ["name"]]])
		if $verb eq "verbs.list";
	return done(text => "$verb " . ($r->{name} // $r->{session} // "done"))
		if $verb =~ /^(pool\.scale|machine\.(hold|release|restart|delete|console)|session\.end|engine\.stop|site\.reload|subscribe)$/;
	return failure("usage", undef, "unknown verb $verb");
}

sub line { return $ascii->encode($_[0]) . "\n" }

# The two directions of a serial line: what is typed comes back in brackets.
sub serve_console {
	my ($c, $name) = @_;

	print $c line({ console => $name,
		data => "hello\r\n\x00\xff\e[?1000h\e[?1049h" });
	while (my $text = <$c>) {
		my $m = $json->decode($text);
		note_request($m);
		return if $m->{close};
		print $c line({ console => $name, closed => JSON::PP::true,
			text => "machine is gone" }) if $m->{data} =~ /q/;
		print $c line({ console => $name, data => "[$m->{data}]" });
	}
}

sub note_request {
	open my $out, ">>", $asked or die;
	flock $out, LOCK_EX;
	print $out $ascii->encode($_[0]), "\n";
	close $out;
}

sub answer_raw {
	my ($c, $mode, $r, $a) = @_;
	my $text = line($a);

	$text =~ s/"ok":true/"ok":true,"ok":true/ if $mode eq "duplicate";
	$text =~ s/"ok":true/'"ok":true,"x":' . "[" x 17 . "]" x 17/e
		if $mode eq "deep";
	$text = '{"id":' . $r->{id} . ',"ok":true,"items":[],"x":"' .
		"y" x (1024 * 1024) . "\"}\n" if $mode eq "huge";
	$text = "no json\n" if $mode eq "nojson";
	if ($mode eq "parts" && $a->{items}) {
		my @items = @{$a->{items}};
		my $more = { %$a, items => [shift @items],
			more => JSON::PP::true };
		print $c line($more);
		$text = line({ %$a, items => \@items });
	}
	print $c $text;
}

sub serve {
	my ($c, $mode) = @_;
	my %hello = (hello => "remuda", api => $mode eq "api2" ? 2 : 1,
		version => "0.1", site => "demo", engine => "headless",
		rights => $mode eq "readonly" ? "read" : "change", pid => 4242,
		time => $t);

	$c->autoflush(1);
	# Without hello: silent until the client has had enough.
	if ($mode eq "silent") { sysread $c, my $x, 1; return }
	if ($mode eq "stranger") { print $c "220 smtp\n"; return }
	print $c line(\%hello);
	while (my $text = <$c>) {
		my $r = $json->decode($text);

		note_request($r);
		if ($mode eq "mute") { sysread $c, my $x, 1; return }
		return if $mode eq "hangup";
		my $a = answer($mode, $r);
		$a->{id} = $r->{id};
		print $c line({ topic => "tick", time_ms => 1 });
		answer_raw($c, $mode, $r, $a);
		return if $r->{verb} eq "engine.stop";
		return serve_console($c, $r->{name})
			if $r->{verb} eq "machine.console" && $a->{ok};
		next unless $r->{verb} eq "subscribe";
		while ($r->{topics}[0] ne "events") {
			print $c line({ topic => "tick", time_ms => 1 }) or return;
			select undef, undef, undef, 0.05;
		}
		my ($e) = grep { $_->{id} == 3 } @events;
		print $c line({ topic => "events", full => JSON::PP::true,
			items => \@events, time_ms => 1 });
		print $c line({ topic => "events", full => JSON::PP::false,
			items => [{ %$e, id => 4, text => "event 4" },
				{ %$e, id => 5, object => "pool/mail",
				  text => $evil }], time_ms => 1 });
		return;
	}
}

my @modes = qw(plain evil evilerror empty readonly api2 duplicate deep huge
	nojson parts silent stranger mute hangup refused busy usage timeout
	failed);
my %listener = map { $_ => IO::Socket::UNIX->new(Type => SOCK_STREAM(),
	Local => "$dir/$_", Listen => 20) || die "$dir/$_: $!" } @modes;
my $owner = $$;
my $server = fork // die;
if ($server == 0) {
	my %mode = map { fileno($listener{$_}) => $_ } @modes;
	my $select = IO::Select->new(values %listener);

	$SIG{CHLD} = "IGNORE";
	$SIG{PIPE} = "IGNORE";
	while (getppid() == $owner) {
		for my $l ($select->can_read(1)) {
			my $c = $l->accept or next;
			my $pid = fork // die;
			if ($pid == 0) {
				serve($c, $mode{fileno $l});
				close $c;
				_exit(0);
			}
			close $c;
		}
	}
	_exit(0);
}
END { if ($server && $$ == $owner) { my $was = $?; kill "TERM", $server; waitpid $server, 0; $? = $was } }

# ---- running it -------------------------------------------------------------

sub slurp { local $/; open my $f, "<", $_[0] or return ""; my $s = <$f>; $s // "" }

# (exit code, stdout, stderr); a signal is 128 + its number as in a shell.
sub run {
	my ($mode, @args) = @_;
	my $pid;

	unlink $asked;
	$pid = fork // die;
	if ($pid == 0) {
		open STDIN, "<", "/dev/null";
		open STDOUT, ">", "$dir/out";
		open STDERR, ">", "$dir/err";
		$ENV{REMUDA_SOCKET} = "$dir/$mode" if $mode;
		exec $remuda, @args or _exit(127);
	}
	my $deadline = time + 20;
	while (waitpid($pid, WNOHANG) == 0) {
		if (time > $deadline) { kill "KILL", $pid; waitpid $pid, 0; last }
		select undef, undef, undef, 0.005;
	}
	my $code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
	return ($code, slurp("$dir/out"), slurp("$dir/err"));
}

sub requests { return map { $json->decode($_) } split /\n/, slurp($asked) }

# The same when the last of them was asked without an answer: the engine that is
# none may write it down after the command has ended.
sub requests_until {
	my ($is_last) = @_;
	my $deadline = time + 20;

	for (;;) {
		my @r = requests();
		return @r if time > $deadline || grep { $is_last->($_) } @r;
		select undef, undef, undef, 0.02;
	}
}

# What was asked, without id: canonical JSON, one per line.
sub asked {
	return join " ", map { delete $_->{id}; $ascii->encode($_) } requests();
}

# Runs in a terminal of that width; types when a pattern has come.  Returns
# (exit code, all output, terminal modes before, after).
sub run_tty {
	my ($cols, $steps, @args) = @_;
	my ($ptm, $pts, $buffer, $out, @steps) = (undef, undef, pack("i", 0), "", @$steps);

	sysopen $ptm, "/dev/ptmx", O_RDWR | O_NOCTTY or die "ptmx: $!";
	ioctl $ptm, 0x40045431, $buffer or die "unlockpt: $!";
	$buffer = pack "i", 0;
	ioctl $ptm, 0x80045430, $buffer or die "ptsname: $!";
	my $name = "/dev/pts/" . unpack "i", $buffer;
	sysopen $pts, $name, O_RDWR | O_NOCTTY or die "$name: $!";
	my $size = pack "SSSS", 24, $cols, 0, 0;
	ioctl $pts, 0x5414, $size or die "winsize: $!";
	my $before = modes($pts);
	unlink $asked;
	my $pid = fork // die;
	if ($pid == 0) {
		setsid();
		sysopen my $tty, $name, O_RDWR or _exit(126);
		dup2(fileno $tty, $_) for 0 .. 2;
		close $ptm;
		# A job of its own, as a shell makes it: else SIGTSTP would
		# do nothing.
		my $job = fork // _exit(126);
		if ($job == 0) {
			setpgid(0, 0);
			$SIG{TTOU} = "IGNORE";
			tcsetpgrp(0, $$);
			# A job of a background shell has them ignored.
			$SIG{$_} = "DEFAULT" for qw(TTOU INT QUIT);
			exec $remuda, @args or _exit(127);
		}
		setpgid($job, $job);
		waitpid $job, 0;
		_exit($? & 127 ? 128 + ($? & 127) : $? >> 8);
	}
	my ($deadline, $code) = (time + 20, undef);
	while (time < $deadline) {
		my $bits = "";
		vec($bits, fileno $ptm, 1) = 1;
		if (select($bits, undef, undef, 0.02) > 0) {
			sysread $ptm, my $bytes, 65536 or last;
			$out .= $bytes;
		} elsif (!defined $code && waitpid($pid, WNOHANG) == $pid) {
			$code = $? & 127 ? 128 + ($? & 127) : $? >> 8;
		} elsif (defined $code) {
			last;
		}
		while (@steps && $out =~ $steps[0][0]) {
			my (undef, $do) = @{shift @steps};
			ref $do ? $do->(job_of($pid)) : syswrite $ptm, $do;
		}
	}
	unless (defined $code) { kill "KILL", $pid; waitpid $pid, 0; $code = "hung" }
	my $after = modes($pts);
	return ($code, $out, $before, $after);
}

# The pid of the job under the session's leader.
sub job_of { return (split " ", slurp("/proc/$_[0]/task/$_[0]/children"))[0] }

sub modes {
	my $t = POSIX::Termios->new;

	$t->getattr(fileno $_[0]);
	return join " ", map { sprintf "%x", $_ } $t->getiflag, $t->getoflag,
		$t->getcflag, $t->getlflag;
}

# ---- lists -------------------------------------------------------------------

my ($code, $out, $err, $before, $after);

sub lines_fit {
	my ($text, $cols, $what) = @_;
	my @long = grep { length > $cols } map { utf8::decode(my $s = $_); $s =~ s{\e\[\d*m|\r}{}gr } split /\n/, $text;

	is(scalar @long, 0, "$what: no line over $cols columns");
}

my @nouns = qw(host pool machine session request event gateway listener
	resource application);
for my $noun (@nouns) {
	($code, $out, $err) = run("plain", $noun, "list");
	is($code, 0, "$noun list");
	is($err, "", "$noun list: nothing on stderr");
	is(scalar(split /\n/, $out), 1 + @{$items{$noun}}, "$noun list: header and rows");
	ok($out !~ /[\t\e]/, "$noun list: plain text in a pipe");
	is(asked(), "{\"verb\":\"$noun.list\"}", "$noun list asks once");

	($code, $out) = run("plain", $noun, "list", "--json");
	my $d = eval { $json->decode($out) };
	is(join(",", sort keys %{$d // {}}), "api,items,kind,time", "$noun list --json: the frame");
	is("$d->{api} $d->{kind}", "remuda/1 ${noun}_list", "$noun list --json: api and kind");
	like($d->{time}, qr/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/, "$noun list --json: time");
	my @want = $noun eq "event" ? sort { $a->{id} <=> $b->{id} } @events : @{$items{$noun}};
	is($json->encode($d->{items}), $json->encode(\@want), "$noun list --json: items as they came");

	($code, $out) = run("plain", $noun, "list", "--csv");
	my @rows = split /\n/, $out;
	is(scalar @rows, 1 + @{$items{$noun}}, "$noun list --csv: header and rows");
	is(scalar(() = $rows[0] =~ /,/g) > 2 ? 1 : 0, 1, "$noun list --csv: commas");

	($code, $out) = run("plain", $noun, "list", "-o", "name");
	is((split /\n/, $out)[-1], "$noun/" . $want[-1]{$key{$noun} // "name"}, "$noun list -o name");

	my $name = $items{$noun}[0]{$key{$noun} // "name"};
	for my $word ($name, "$noun/$name") {
		($code, $out) = run("plain", $noun, "show", $word);
		is($code, 0, "$noun show $word");
		like($out, qr{^\Q@{[$key{$noun} // "name"]}\E\s}m, "$noun show $word: its name");
	}
	($code, $out) = run("plain", "--json", $noun, "show", $name);
	$d = eval { $json->decode($out) };
	is($json->encode($d->{item} // {}), $json->encode($items{$noun}[0]), "$noun show --json: the item");
	is($d->{kind}, $noun, "$noun show --json: kind");

	($code, $out, $err) = run("plain", $noun, "show", "999");
	is($code, 4, "$noun show 999: not found is 4");
	like($err, qr{^error: $noun/999 does not exist$}m, "$noun show 999: says so");
	($code, $out, $err) = run("plain", "--json", $noun, "show", "999");
	is(eval { $json->decode($err)->{error}{code} }, "not_found", "$noun show 999 --json: error as JSON");

	($code, $out, $err) = run("plain", $noun, "show", $name, "999");
	is($code, 8, "$noun show of two, one missing: 8");

	for my $cols (80, 120) {
		$ENV{REMUDA_SOCKET} = "$dir/plain";
		($code, $out) = run_tty($cols, [], $noun, "list");
		is($code, 0, "$noun list on $cols columns");
		lines_fit($out, $cols, "$noun list");
		like($out, qr/\e\[1m[^\n]*\e\[0m/, "$noun list on a terminal: bold header");
		delete $ENV{REMUDA_SOCKET};
	}
	($code, $out, $err) = run("empty", $noun, "list");
	is("$code $err", "0 ", "$noun list of nothing");
	($code, $out, $err) = run("", $noun, "list");
	is($code, 5, "$noun list without an engine: 5");
	is($err, "error: no engine answers at $dir/run/control.sock; start one with: remuda engine start\n",
		"$noun list without an engine: says where and how");
}

is((run("plain", "pool", "list"))[1], <<'END', "pool list, the table");
NAME   APP      SIZE  USE  READY  SAVED  START  BAD  MIN-MAX  WAIT
mail   postfix     3    1      2      -      0    0  3-10        0
build  gcc         3    0      0      -      2    1  2-4         7
END
is((run("plain", "machine", "list", "--sort", "name"))[1], <<'END', "machine list --sort name: numbers as numbers");
NAME     STATE        HOST  SESSION  USER   SINCE       NOTE
mail-2   in_session   hv01     4711  alice  2020-01-02  -
mail-3   quarantined  hv01        -  -      2020-01-02  wish hold; prepare: the agent did not answer in 60 s, three times in a row
mail-10  ready        hv01        -  -      2020-01-02  -
END
is((run("plain", "ps"))[1], <<'END', "ps is session list");
  ID  USER   APP   MACHINE  STATE   SINCE       WAIT    IN   OUT  FROM
4711  alice  mail  mail-2   active  2020-01-02  12ms   812  123M  127.0.0.9:40112
4712  bob    mail  mail-10  active  2020-01-02    1m  3.1M  123M  127.0.0.9:40112
END
is((run("plain", "event", "list", "--utc"))[1], <<'END', "event list: oldest first, UTC");
TIME                  KIND   OBJECT          TEXT
2020-01-02T03:04:05Z  CLEAN  machine/mail-1  event 1
2020-01-02T03:04:05Z  CLEAN  machine/mail-2  event 2
2020-01-02T03:04:05Z  CLEAN  machine/mail-3  event 3
END
is((run("plain", "ls", "-o", "NAME,user,boot_ms", "--no-header"))[1],
	"mail-10  -      4.1s\nmail-2   alice  4.1s\nmail-3   -      4.1s\n", "ls with chosen columns");
is((run("plain", "ls", "--sort", "session-", "-o", "name"))[1],
	"machine/mail-2\nmachine/mail-10\nmachine/mail-3\n", "sort downwards, unknown last");
is((run("plain", "ls", "--filter", "state=quar* !user=alice", "-o", "name"))[1], "machine/mail-3\n", "filter key=value, pattern, not");
is((run("plain", "ls", "--filter", "~ml2", "-o", "name"))[1], "machine/mail-2\n", "filter fuzzy");
is((run("plain", "ls", "--filter", "ALICE", "-o", "name"))[1], "machine/mail-2\n", "filter a word, any case");
is((run("plain", "ls", "--filter", "!alice pool=mail", "--json"))[1] =~ /alice/ ? 1 : 0, 0, "filter and JSON");
is((run("plain", "session", "list", "--csv"))[1] =~ s/\n.*//sr,
	"id,user,application,machine,state,requested,assigned,accepted,ended,ends,lingers,wait_ms,accept_ms,clean_ms,bytes_in,bytes_out,connections,peer,listener,end_text",
	"CSV has fields and raw numbers");
($code, $out) = run("plain", "resource", "list", "--csv");
is($out, "name,pool,machine,address,listen,identity,open,refused,access\n" .
	"db,mail,,,,,,,\"alice,bob\"\n", "CSV quotes, null is empty");
($code, $out, $err) = run("plain", "ls", "--sort", "stat");
is("$code $err", "2 error: no column \"stat\". Did you mean \"STATE\"?\n", "a column that does not exist");
($code, $out) = run("parts", "ls", "-o", "name");
is($out, "machine/mail-10\nmachine/mail-2\nmachine/mail-3\n", "an answer in parts is one list");
run("plain", "ls", "--pool", "mail");
is(asked(), '{"pool":"mail","verb":"machine.list"}', "machine list --pool");
run("plain", "session", "list", "--history", "--user", "alice", "--machine", "mail-2", "--app=mail", "--limit", "5");
is(asked(), '{"application":"mail","history":true,"limit":5,"machine":"mail-2","user":"alice","verb":"session.list"}', "session list's flags");
run("plain", "request", "list", "--history");
is(asked(), '{"history":true,"limit":100,"verb":"request.list"}', "request list --history");

# At 80 columns the note is cut, at 60 columns go; name and state stay.
$ENV{REMUDA_SOCKET} = "$dir/plain";
(undef, $out) = run_tty(60, [], "session", "list");
like($out, qr/ID  USER.*STATE/, "60 columns: id, user and state stay");
ok($out !~ /FROM/, "60 columns: FROM went");
(undef, $out) = run_tty(80, [], "machine", "list");
like($out, qr/wish hold; prepare.*\xe2\x80\xa6\r/, "80 columns: the note is cut with a mark");
(undef, $out) = run_tty(80, [], "machine", "list", "--ascii");
like($out, qr/wish hold; prepare.*~\r/, "--ascii: another mark");
(undef, $out) = run_tty(80, [], "machine", "list", "-o", "wide");
like($out, qr/three times in a row/, "-o wide cuts nothing");
for my $plain ([NO_COLOR => 1], [TERM => "dumb"]) {
	local $ENV{$plain->[0]} = $plain->[1];
	(undef, $out) = run_tty(80, [], "pool", "list");
	ok($out !~ /\e/, "$plain->[0]=$plain->[1]: no escape sequence");
}
(undef, $out) = run_tty(80, [], "pool", "list", "--no-color");
ok($out !~ /\e/, "--no-color: no escape sequence");
delete $ENV{REMUDA_SOCKET};

# ---- hostile strings ----------------------------------------------------------

my $foul = qr/[\x00-\x08\x0b-\x1f\x7f]|\xc2[\x80-\x9f]|\xe2\x80[\x8b-\x8f\xa8-\xae]/;
for my $noun (@nouns) {
	for my $form ([], ["--json"], ["--csv"], ["-o", "name"], ["-o", "wide"]) {
		($code, $out, $err) = run("evil", $noun, "list", @$form);
		is($code, 0, "evil $noun list @$form");
		ok(!!("$out$err" !~ $foul && $out =~ /evil|\/[0-9]/), "evil $noun list @$form: nothing foul leaves")
			or print "# ", $ascii->encode([$out]), "\n";
	}
}
for my $form ([], ["--json"]) {
	($code, $out, $err) = run("evilerror", "pool", "list", @$form);
	ok(!!($code == 1 && "$out$err" !~ $foul && $err =~ /evil/), "evil error @$form: nothing foul leaves");
}
($code, $out, $err) = run("plain", "pool", "\e[2J\x9b");
ok($code == 2 && $err !~ $foul, "an evil word of the command line");
$ENV{REMUDA_SOCKET} = "$dir/evil";
(undef, $out) = run_tty(80, [], "machine", "list", "--no-color");
ok($out !~ /\e|\x07|\xc2\x9b/, "evil machine list on a terminal");
lines_fit($out, 80, "evil machine list");
delete $ENV{REMUDA_SOCKET};

# ---- an engine that breaks the protocol ------------------------------------------

for my $case (["duplicate", qr/duplicate/], ["deep", qr/deeper than 16/],
	["huge", qr/more than 1048576|at most 1048576/], ["nojson", qr/not a line of JSON/]) {
	($code, $out, $err) = run($case->[0], "pool", "list");
	is("$code$out", "1", "$case->[0]: failed, nothing on stdout");
	like($err, qr/^error: .*$case->[1]/, "$case->[0]: says what");
}
($code, $out, $err) = run("stranger", "pool", "list");
is($code, 1, "not an engine: 1");
($code, $out, $err) = run("silent", "pool", "list", "--timeout", "300ms");
is($code, 7, "no hello in time: 7");
($code, $out, $err) = run("mute", "pool", "list", "--timeout=300ms");
is($code, 7, "no answer in time: 7");
($code, $out, $err) = run("hangup", "pool", "list");
is($code, 5, "hung up: 5");
($code, $out, $err) = run("api2", "pool", "list");
is($code, 0, "another version: reading works");
like($err, qr/version 2 .* this program 1: reading only/, "another version: says both");
($code, $out, $err) = run("api2", "pool", "scale", "mail", "5");
is("$code " . asked(), "6 ", "another version: nothing is changed");

# ---- changes ------------------------------------------------------------------------

for my $case (
	[["pool", "scale", "mail", "5"], '{"name":"mail","serve":5,"verb":"pool.scale"}'],
	[["pool", "scale", "pool/mail", "--serve", "5", "--spare=2", "--max", "9"], '{"max":9,"name":"mail","serve":5,"spare":2,"verb":"pool.scale"}'],
	[["-n", "pool", "scale", "--spare", "0", "mail"], '{"dry_run":true,"name":"mail","spare":0,"verb":"pool.scale"}'],
	[["machine", "hold", "mail-2"], '{"name":"mail-2","verb":"machine.hold"}'],
	[["machine", "release", "machine/mail-3"], '{"name":"mail-3","verb":"machine.release"}'],
	[["machine", "restart", "mail-10"], '{"name":"mail-10","verb":"machine.show"} {"name":"mail-10","verb":"machine.restart"}'],
	[["machine", "delete", "mail-10"], '{"name":"mail-10","verb":"machine.show"} {"name":"mail-10","verb":"machine.delete"}'],
	[["machine", "delete", "mail-2", "--yes"], '{"name":"mail-2","verb":"machine.delete"}'],
	[["machine", "delete", "mail-2", "--confirm", "mail-2"], '{"name":"mail-2","verb":"machine.show"} {"name":"mail-2","verb":"machine.delete"}'],
	[["session", "end", "session/4711", "-y", "--text", "lunch"], '{"session":4711,"text":"lunch","verb":"session.end"}'],
	[["site", "reload"], '{"verb":"site.reload"}'],
	[["engine", "stop"], '{"machines":"stay","verb":"engine.stop"}'],
) {
	my ($args, $want) = @$case;

	($code, $out, $err) = run("plain", @$args);
	is("$code $err", "0 ", "@$args");
	my $got = asked();
	is($got, $want, "@$args: asks");
	like($out, qr/^(pool|machine|session|site|engine)\.\w+ \S+\n\z/, "@$args: prints the engine's words");
	is((run("plain", "-q", @$args))[1], "", "@$args -q: no words");
	($code, $out, $err) = run("plain", "--read-only", @$args);
	is("$code " . asked(), $args->[0] eq "-n" ? qq(0 {"on":true,"verb":"read_only"} $want) : "6 ",
		"@$args --read-only");
	($code, $out, $err) = run("readonly", @$args, "-y");
	is($code, 6, "@$args with rights to read: 6");
	like($err, qr/you may only read\n  ask ops\n/, "@$args: the engine's reason and hint");
	($code, $out) = run("plain", "--json", @$args);
	my $d = eval { $json->decode($out) };
	is("$d->{api} $d->{kind} $d->{items}[0]{ok}", "remuda/1 change_list 1", "@$args --json");
}
($code, $out, $err) = run("plain", "machine", "delete", "mail-2");
is($code, 2, "delete of a machine in session needs --yes");
is($err, "error: machine/mail-2: user alice is on it, session 4711\n  nothing was changed; say --yes to do it without being asked\n", "and says why");
is(asked(), '{"name":"mail-2","verb":"machine.show"}', "and only looked");
($code) = run("plain", "machine", "delete", "mail-2", "--confirm", "mail-10");
is($code, 2, "--confirm of another name is no confirmation");
($code) = run("plain", "session", "end", "4711");
is($code, 2, "session end needs --yes");
($code, $out, $err) = run("plain", "machine", "hold", "mail-2", "gone", "mail-10");
is($code, 8, "one of three failed: 8");
is($out, "machine.hold mail-2\nmachine.hold mail-10\n", "the others were done");
is($err, "error: no such machine\n", "the failed one is named");
($code) = run("plain", "machine", "hold", "gone");
is($code, 4, "the only one failed: its own code");
for my $case (["refused", 1], ["failed", 1], ["busy", 1], ["usage", 2], ["timeout", 7]) {
	($code, $out, $err) = run($case->[0], "pool", "scale", "mail", "1");
	is("$code $err", "$case->[1] error: because\n  do this\n", "code $case->[0]");
	($code, $out, $err) = run($case->[0], "--json", "pool", "scale", "mail", "1");
	is($json->encode($json->decode($err)), '{"error":{"code":"' . $case->[0] . '","hint":"do this","message":"because","object":"x/y"}}', "code $case->[0] as JSON");
}

# A dry run of what the engine does not plan: it only looks.
for my $case (
	[["machine", "delete", "mail-2", "-n"], "would delete machine/mail-2 (in_session \\S+, user alice)", '{"name":"mail-2","verb":"machine.show"}'],
	[["machine", "hold", "mail-3", "--dry-run"], "would hold machine/mail-3 (quarantined \\S+, no session)", '{"name":"mail-3","verb":"machine.show"}'],
	[["session", "end", "4711", "-n"], "would end session/4711 (user alice on mail-2, active)", '{"session":4711,"verb":"session.show"}'],
	[["pool", "delete", "mail", "-n"], "would delete pool/mail (3 machines, 1 in session)", '{"name":"mail","verb":"pool.show"}'],
	[["pool", "create", "new", "serve=3", "-n"], "would create pool/new", ""],
	[["site", "reload", "-n"], "would reload site", ""],
	[["engine", "stop", "-n"], "would stop engine", ""],
	[["backup", "/tmp/x", "-n"], "would backup", ""],
) {
	my ($args, $want, $asked) = @$case;
	($code, $out, $err) = run("plain", "--read-only", @$args);
	is("$code $err", "0 ", "@$args");
	my $pattern = quotemeta $want;
	$pattern =~ s/\\\\S\\\+/\\S+/;
	like($out, qr/^$pattern\n\z/, "@$args: says what would be done");
	is(asked(), join(" ", '{"on":true,"verb":"read_only"}', $asked || ()), "@$args: only looks");
	($code, $out) = run("plain", "--json", @$args);
	my $d = eval { $json->decode($out) };
	is("$d->{kind} " . ($d->{items}[0]{dry_run} // ""), "change_list 1", "@$args --json");
}
is((run("plain", "machine", "delete", "nobody", "-n"))[0], 4, "a dry run of what is not there: 4");
($code, $out, $err) = run("plain", "site", "close");
is($code, 2, "site close needs --yes");
like($err, qr{^error: site: destroy all machines, then stop the engine\n}, "and says what it does");
is((run("plain", "site", "close", "--confirm", "other"))[0], 2, "--confirm of another site is none");

# Why, unchanged, wait.
run("plain", "machine", "hold", "mail-2", "--why", "a look inside");
is(asked(), '{"name":"mail-2","verb":"machine.hold","why":"a look inside"}', "--why goes along");
run("plain", "machine", "list", "--why", "curious");
is(asked(), '{"verb":"machine.list"}', "but not where nothing is changed");
run("plain", "machine", "delete", "mail-10", "--why", "old");
is(asked(), '{"name":"mail-10","verb":"machine.show"} {"name":"mail-10","verb":"machine.delete","why":"old"}', "nor where it is only looked at");
is((run("plain", "machine", "hold", "mail-3", "--error-unchanged"))[0], 3, "--error-unchanged: 3 when nothing changed");
is((run("plain", "machine", "hold", "mail-3"))[0], 0, "without it: 0");
is((run("plain", "machine", "hold", "gone", "--error-unchanged"))[0], 4, "a failure is a failure");
($code, $out, $err) = run("plain", "machine", "hold", "mail-10", "--wait", "--timeout", "300ms");
is($code, 7, "--wait: not done in time is 7");
like($err, qr{^error: machine/mail-10: not done in time\n  it goes on; }m, "and says that it goes on");
($code, $out, $err) = run("plain", "machine", "restart", "mail-10", "--wait");
is($code, 0, "--wait: done");
like($err, qr{^machine/mail-10 done in }m, "and how long it took");
is((run("plain", "-q", "machine", "restart", "mail-10", "--wait"))[2], "", "no word with -q");

# Any verb.
for my $case (
	[["query", "pool.list"], 0, '{"verb":"verbs.list"} {"verb":"pool.list"}'],
	[["query", "pool.show", "name=mail"], 0, '{"verb":"verbs.list"} {"name":"mail","verb":"pool.show"}'],
	[["query", "machine.hold", "name=mail-2", "n=5", "on=true", 'o={"a":[1]}', "t=x y"], 0, '{"verb":"verbs.list"} {"name":"mail-2","verb":"machine.show"} {"n":5,"name":"mail-2","o":{"a":[1]},"on":true,"t":"x y","verb":"machine.hold"}'],
	[["query", "--why", "so", "machine.hold", "name=mail-2"], 0, '{"verb":"verbs.list"} {"name":"mail-2","verb":"machine.show"} {"name":"mail-2","verb":"machine.hold","why":"so"}'],
	[["query", "-n", "pool.scale", "name=mail", "serve=2"], 0, '{"verb":"verbs.list"} {"dry_run":true,"name":"mail","serve":2,"verb":"pool.scale"}'],
	[["query", "-n", "machine.delete", "name=mail-2"], 0, '{"verb":"verbs.list"} {"name":"mail-2","verb":"machine.show"}'],
	[["query", "machine.delete", "name=mail-2"], 2, '{"verb":"verbs.list"} {"name":"mail-2","verb":"machine.show"}'],
	[["query", "--read-only", "machine.hold", "name=mail-2"], 6, '{"on":true,"verb":"read_only"} {"verb":"verbs.list"}'],
	[["query", "pool.lst"], 2, '{"verb":"verbs.list"}'],
	[["query", "pool.list", "x"], 2, ""],
	[["query", "pool.show", "name=x"], 4, '{"verb":"verbs.list"} {"name":"x","verb":"pool.show"}'],
) {
	($code, $out, $err) = run("plain", @{$case->[0]});
	is("$code " . asked(), "$case->[1] $case->[2]", "@{$case->[0]}");
}
is($json->encode($json->decode((run("plain", "query", "pool.list"))[1])->{items}), $json->encode(\@pools), "query prints the answer");
like((run("plain", "query", "pool.lst"))[2], qr/no verb "pool.lst". Did you mean "pool.list"\?/, "a verb that is none");

# A person is asked on a terminal.
$ENV{REMUDA_SOCKET} = "$dir/plain";
for my $case (["y\n", 0, 2], ["yes\n", 0, 2], ["n\n", 1, 1], ["\n", 1, 1], ["\x04", 1, 1]) {
	($code, $out) = run_tty(80, [[qr/\[y\/N\] /, $case->[0]]], "machine", "restart", "mail-2");
	is($code, $case->[1], "restart in session, answer " . $ascii->encode([$case->[0]]));
	is(scalar(requests()), $case->[2], "and " . ($case->[2] - 1) . " change was sent");
}
($code, $out) = run_tty(80, [[qr/\[y\/N\] /, "\x03"]], "session", "end", "4711", "4712");
is($code, 130, "Ctrl-C at the question: 130");
like($out, qr/session\/4711: user alice on mail-2, active\r\nsession\/4712: user bob/, "the question lists what is touched");
($code, $out) = run_tty(80, [], "session", "end", "4711", "--no-input");
is($code, 2, "--no-input never asks");
delete $ENV{REMUDA_SOCKET};

# ---- following --------------------------------------------------------------------------

for my $case ([["watch"], [4, 5]], [["event", "list", "-f"], [1 .. 5]],
	[["event", "list", "--follow", "--object", "pool/mail"], [5]]) {
	($code, $out, $err) = run("plain", @{$case->[0]}, "--utc", "--json");
	# The engine hangs up at the end: that is how this following stops.
	is($code, 5, "@{$case->[0]} ends with the engine: 5");
	is(join(",", map { $json->decode($_)->{id} } split /\n/, $out), join(",", @{$case->[1]}), "@{$case->[0]}: each event once")
		if $case->[0][-1] ne "pool/mail";
}
($code, $out) = run("plain", "watch", "--utc");
is((split /\n/, $out)[0], "2020-01-02T03:04:05Z  CLEAN   machine/mail-3      event 4", "watch: a line each");
ok($out !~ $foul, "watch: nothing foul leaves");

# ---- words -------------------------------------------------------------------------------

is((run("plain", "whois", $_->[0]))[0] . " " . asked(), "0 {$_->[1],\"verb\":\"whois\"}", "whois $_->[0]") for
	["mail-2", '"name":"mail-2"'], ["machine/mail-2", '"name":"mail-2"'],
	["10.0.0.7", '"address":"10.0.0.7"'];
is((run("plain", "whois", $_))[0], 0, "whois $_") for "4711", "session/4711";
is((run("plain", "whois", "nobody"))[0], 4, "whois of nobody: 4");
for my $case (
	[["pol", "list"], 'unknown noun "pol". Did you mean "pool"?'],
	[["pools", "list"], 'unknown noun "pools". Did you mean "pool"?'],
	[["pool", "lst"], 'unknown verb of pool "lst". Did you mean "list"?'],
	[["pool", "list", "--jsno"], 'unknown flag "jsno". Did you mean "json"?'],
	[["pool", "list", "--sort"], '--sort wants a value: --sort COLUMN'],
	[["pool", "list", "--json=1"], '--json takes no value'],
	[["pool", "list", "--serve", "3"], '--serve does not go with "pool list"'],
	[["pool", "list", "x"], 'one word too many: "x"; the form is: remuda pool list'],
	[["pool", "show"], 'pool show needs NAME: remuda pool show NAME...'],
	[["pool", "scale", "mail"], 'scale to what? Give N, --serve N, --spare N or --max N'],
	[["pool", "scale", "mail", "x"], 'N is a number, not "x"'],
	[["pool", "scale", "mail", "-3"], 'unknown flag "3"; see: remuda help'],
	[["pool", "scale", "mail", "3", "--serve", "4"], 'N is given twice: as a word and as --serve'],
	[["pool", "scale", "mail", "--max", "1e9"], '--max wants a number from 0 to 1000000, not "1e9"'],
	[["pool", "scale", "machine/x", "3"], '"machine/x" is a machine; this wants a pool'],
	[["machine", "hold", "pool/x"], '"pool/x" is a pool; this wants a machine'],
	[["session", "end", "alice", "-y"], 'ID is a number, not "alice"'],
	[["session", "show", "alice"], 'id is a number, not "alice"'],
	[["pool", "list", "--timeout", "soon"], '--timeout wants a time such as 30s, not "soon"'],
	[["pool"], 'pool needs a verb; see: remuda help pool'],
	[["pool", "list", "--json", "--csv"], '--json, --csv and -o exclude each other'],
	[["completion", "csh"], 'completion knows bash, zsh and fish, not "csh"'],
	[["help", "nothing"], 'no help on "nothing"; see: remuda help'],
	[["--site", "A B", "pool", "list"], 'site "A B": a name is lower-case letters, digits and hyphens'],
	[["--socket", "/" . "x" x 108, "pool", "list"], "--socket: socket path /" . "x" x 108 . " has 109 bytes, 107 are possible; choose a shorter --run-dir or XDG_RUNTIME_DIR"],
	[["engine", "start", "--socket", "/x"], '--socket is where to ask; say with --run-dir where an engine shall answer'],
	[["engine", "run", "--log-level", "loud"], '--log-level is error, warn, info or debug, not "loud"'],
	[["machine", "console", "mail-2"], 'machine console needs a terminal'],
	[["attach"], 'the console needs a terminal'],
	[[], 'the console needs a terminal; for commands see: remuda help'],
) {
	($code, $out, $err) = run("plain", @{$case->[0]});
	is("$code $out" . ($err =~ s{\n\z}{}r), "2 error: $case->[1]", "usage: @{$case->[0]}")
		unless "@{$case->[0]}" =~ m{--json --csv};
	($code, $out, $err) = run("plain", "--json", @{$case->[0]});
	my $d = eval { $json->decode($err) };
	is("$code $d->{error}{code} $d->{error}{message}", "2 usage $case->[1]", "usage as JSON: @{$case->[0]}");
}
is((run("", "version"))[1], "remuda 0.1 (control protocol 1)\n", "version");
is((run("", "--version"))[1], "remuda 0.1 (control protocol 1)\n", "--version");
is($json->decode((run("", "version", "--json"))[1])->{item}{version}, "0.1", "version --json");
($code, $out) = run("plain", "info");
like($out, qr/^paths\.config\s+\/x\/site\.lua$/m, "info: the engine's paths");
($code, $out, $err) = run("", "info");
ok(!!($code == 5 && $out =~ m{^paths\.run\s+\Q$dir\E/run$}m && $err =~ /no engine/), "info without an engine: our paths, and 5");
($code, $out) = run("plain", "engine", "status");
like($out, qr/^pid\s+4242$/m, "engine status");
is((run("", "engine", "status"))[0], 5, "engine status without an engine: 5");
is((run("", "engine", "stop"))[0], 5, "engine stop without an engine: 5");
($code, $out, $err) = run("", "engine", "start");
is("$code $err", "1 error: cannot read the site file $dir/site.lua: No such file or directory\n  write one there, or name another: --config FILE\n", "engine start without a site file");
{
	open my $site, ">", "$dir/site.lua" or die;
	print $site "this is no Lua\n";
	close $site;
	($code, $out, $err) = run("", "engine", "start");
	is("$code$out", "1", "engine start with a bad site file: failed");
	like($err, qr{^error: the engine did not start: .*\n  the log: \Q$dir\E/state/engine\.log\n\z}, "and says why and where the log is");
	is((run("plain", "engine", "start"))[0], 1, "REMUDA_SOCKET does not change that");
	unlink "$dir/site.lua";
}
{
	open my $full, ">", "/dev/full" or die;
	my $pid = fork // die;
	if ($pid == 0) {
		open STDERR, ">", "$dir/err";
		open STDOUT, ">&", $full;
		exec $remuda, "help" or _exit(127);
	}
	waitpid $pid, 0;
	is($? >> 8, 1, "a full disk is an error");
}

# ---- completion -----------------------------------------------------------------------------

sub complete { return join " ", split /\n/, (run("plain", "__complete", "--", @_))[1] }
is(complete("po"), "pool", "completes a noun");
is(complete("pool", ""), "list show scale create delete reset pause resume", "completes a verb");
is(complete("machine", "hold", "mail-"), "mail-10 mail-2 mail-3", "completes names from the engine");
is(complete("machine", "hold", "mail-2", "mail-1"), "mail-10", "completes a further name");
is(complete("ls", "--pool", ""), "mail build", "completes a flag's value");
is(complete("ls", "--pool=b"), "--pool=build", "and after =");
is(complete("pool", "scale", "mail", "--s"), "--serve --spare --socket --site --state-dir --sort", "completes flags");
is(complete("--json", "session", "e"), "end extend", "flags before do not matter");
is(complete("session", "list", "--user", ""), "", "no name where the engine has no such list");
is(complete("pool", "list", "-o", "w"), "wide", "completes an output");
is(complete("completion", ""), "bash zsh fish", "completes a shell");
is((run("plain", "__complete", "--describe", "--", "machine", "hold", "mail-1"))[1], "mail-10\tready\n", "with what is known of it");
is((run("plain", "__complete", "--describe", "--", "pool", "re"))[1], "reset\twhat the site file says of a pool holds again\nresume\treplace machines of an earlier version again\n", "or its help");
is(complete("pool", "list", "--sort", "S"), "SIZE SAVED START SERVE SPARE", "completes columns");
is((run("", "__complete", "--", "pool", "show", "m"))[1], "mail\n", "without an engine: the names of the last time");
is((run("evil", "__complete", "--", "pool", "show", ""))[1], "", "names a shell could misread are left out");
is((run("silent", "__complete", "--", "host", "show", ""))[2], "", "a silent engine: no word on stderr");
# ---- the serial console ----------------------------------------------------------------------

$ENV{REMUDA_SOCKET} = "$dir/plain";
my $reset = qr/\e\[\?1000l.*\e\[\?1047l.*\e\[0m.*\e\[\?25h/s;
for my $case (
	["Ctrl-]", [[qr/hello/, "ab"], [qr/\[ab\]/, "c\x1d"]], 0, "abc"],
	["~. after Enter", [[qr/hello/, "a~.b\r"], [qr/\[a~\.b\r\]/, "~."]], 0, "a~.b\r"],
	["~. at once", [[qr/hello/, "~."]], 0, ""],
	["~~ is one ~", [[qr/hello/, "~~"], [qr/\[~\]/, "\x1d"]], 0, "~"],
	["Ctrl-C and Ctrl-Z go to the machine", [[qr/hello/, "\x03\x1a\x00"], [qr/\[\x03\x1a\x00\]/, "\x1d"]], 0, "\x03\x1a\x00"],
	["the machine's end", [[qr/hello/, "q"]], 1, "q"],
) {
	my ($what, $steps, $want, $typed) = @$case;

	($code, $out, $before, $after) = run_tty(80, $steps, "machine", "console", "mail-2");
	is($code, $want, "console, $what");
	like($out, qr/hello\r\n\x00\xff\e\[\?1000h/, "console, $what: bytes come as they are");
	like($out, $reset, "console, $what: the terminal is reset");
	is($after, $before, "console, $what: terminal modes restored");
	my @r = $want == 0 ? requests_until(sub { $_[0]{close} }) : requests();
	is(join("", map { $_->{data} // "" } grep { $_->{console} } @r), $typed, "console, $what: what the machine got");
	is($r[-1]{close} ? 1 : 0, $want == 0 ? 1 : 0, "console, $what: the engine is told");
}
for my $signal (qw(TERM INT HUP QUIT SEGV ABRT)) {
	($code, $out, $before, $after) = run_tty(80, [[qr/hello/, sub { kill $signal, $_[0] }]], "machine", "console", "mail-2");
	ok($code =~ /^\d+$/ && $code > 128, "console, SIG$signal: ends by it ($code)");
	like($out, $reset, "console, SIG$signal: the terminal is reset");
	is($after, $before, "console, SIG$signal: terminal modes restored");
}
{
	# Stopped and continued: in order in between, raw again after.
	my ($stopped, $modes) = ("", "");
	my $stop = sub {
		my ($pid) = @_;
		kill "TSTP", $pid;
		my $deadline = time + 5;
		while (time < $deadline) {
			my $stat = slurp("/proc/$pid/stat");
			if ($stat =~ /\) T /) { $stopped = "stopped"; last }
			select undef, undef, undef, 0.01;
		}
		kill "CONT", $pid;
	};
	($code, $out, $before, $after) = run_tty(80, [[qr/hello/, $stop], [$reset, "x"], [qr/\[x\]/, "\x1d"]],
		"machine", "console", "mail-2");
	is("$code $stopped", "0 stopped", "console, SIGTSTP: stops, comes back, leaves");
	is($after, $before, "console, SIGTSTP: terminal modes restored");
}
($code) = run_tty(80, [], "machine", "console", "gone");
is($code, 4, "console of no machine: 4");

print "1..$test\n";
exit($bad ? 1 : 0);
