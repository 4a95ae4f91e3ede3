#!/usr/bin/perl
# Lua scripts that drive a real engine: every part of remuda-lua(3), dry runs,
# read-only, exit codes and errors with their line, the same from a Lua of its own.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use JSON::PP;
use Test::More;
use Lab;

lab_enter();
lab_echo(7007);
lab_site(<<'LUA');
site "lab" { peers = true }
host "local" { uri = "test:///default", boot_parallel = 8 }
application "echo" { endpoint = "tcp:127.0.7.{index}:7007", identity = "none", agent = false }
application "none" { endpoint = "tcp:127.0.8.{index}:7007", identity = "none", agent = false }
pool "echo" { application = "echo", serve = 3, max = 6, recycle = "none", kernel = "none", memory = "16 MiB" }
listener "unix" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "2 s" }
user "anna" { applications = { "echo" } }
LUA
my $engine = lab_engine('--gateways', 1);
ok(wait_for('machines', 30, sub { 3 == grep { $_->{state} eq 'ready' } machines() }), 'three machines');
my $build = "$Lab::top/" . ($ENV{BUILD} // 'build');
my $n = 0;

# Runs Lua text as a script; (exit code, stdout, stderr) with the script's name as S.
sub script {
	my ($lua, @flags) = @_;
	my $file = "$Lab::dir/script" . ++$n . '.lua';
	my (@args, $run);
	($run, @args) = split / -- /, ' ' . join ' ', @flags;
	spew($file, $lua);
	system("$build/remuda run $run $file @args >$Lab::dir/out 2>$Lab::dir/err </dev/null");
	my $code = $? >> 8;
	my ($out, $err) = map { slurp("$Lab::dir/$_") =~ s/\Q$file\E/S/gr } qw(out err);
	return wantarray ? ($code, $out, $err) : $out;
}

# ---- lists and objects -------------------------------------------------------------

is(script('for m in remuda.machines{pool="echo"} do print(m, m.state) end'),
	join('', map { "machine/echo-0$_\tready\n" } 1 .. 3), 'a list in a for statement');
is(script('local l = remuda.machines() table.sort(l, function(a, b) return a.name > b.name end)
	print(#l, l[1].name) for a in l do for b in l do io.write(a.name == b.name and "=" or ".") end end'),
	"3\techo-03\n=...=...=", 'sorted, counted, walked within itself');
is(script('print(#remuda.machines{state={"ready","held"}}, #remuda.machines{state="held"},
	#remuda.machines{where=function(m) return m.name:find("2") end}, #remuda.machines{older="1 h"},
	#remuda.machines{sessions=function(n) return n == 0 end}, #remuda.apps())'), "3\t0\t1\t0\t3\t2\n", 'what rows must have');
is(script('local m = remuda.machine("echo-01") print(m, m.pool, m.nothing, m:age() < 600) print(m:refresh().state)'),
	"machine/echo-01\techo\tnil\ttrue\nready\n", 'an object is asked for when it is looked at');
is(script('print(remuda.whois("echo-01").machine, remuda.whois(remuda.machine("echo-02")).state, remuda.info().site)'),
	"echo-01\tready\tlab\n", 'whois and info');
is(script('for _, w in ipairs(remuda.user("anna"):why("none")) do print(w.listener, w.allowed) end'),
	"unix\tfalse\n", 'a verb with words that answers a list');
is(script('print(remuda.engine.status().pid, #remuda.site.history{limit=1}, remuda.site.show()[1].text:match("site %S+"))'),
	"$engine\t1\tsite \"lab\"\n", 'engine and site');
is(script('print(...) print(arg[0]:match("%.lua$"), arg[1], #arg)', '-- one two'), "one\ttwo\n.lua\tone\t2\n", 'arguments');

# ---- changes ---------------------------------------------------------------------------

is(script('print(remuda.pool("echo"):scale(4).text) print(remuda.pool("echo").serve)
	print(remuda.wait{pool="echo", ready=4, timeout="20 s"}.ready)'),
	"pool/echo serve 3 -> 4, spare 0 -> 0, max 6 -> 6: +1 machine\n4\n4\n", 'scale, and wait for it');
is(script('print(remuda.pool.scale("echo", {serve=5, wait=true, timeout="20 s"}).ok, remuda.pool("echo").ready)'),
	"true\t5\n", 'wait = true');
is(script('remuda.machine("echo-05"):hold{wait=true, why="a look inside"} print(remuda.machine("echo-05").state)
	remuda.machine.release("echo-05") remuda.wait{machine="echo-05", state="ready", timeout="20 s"}
	for a in remuda.audit.list{limit=1, command="machine.hold"} do print(a.arguments) end'),
	"held\n" . '{"name":"echo-05","why":"a look inside"}' . "\n", 'hold, release; the audit log has the reason');
is(script('local before = remuda.machine("echo-04").id remuda.machine("echo-04"):delete{wait=true}
	remuda.wait(function() return #remuda.machines{state="ready"} == 5 end, {timeout="20 s"}) print(#remuda.machines{id=before})'),
	"0\n", 'delete; its successor is waited for by a function');
is(script('remuda.pool.create("side", {application="none", serve=1, max=2, recycle="none", kernel="none", memory="16 MiB"})
	remuda.wait{pool="side", ready=1, timeout="20 s"} print(#remuda.pools())
	print(pcall(remuda.pool.delete, "side")) print(remuda.pool("side"):delete{confirm=true, wait=true, timeout="20 s"}.ok)
	remuda.wait{pool="side", state="gone", timeout="20 s"} print(#remuda.pools())'),
	"2\nfalse\tS:3: pool/side: 1 machines, 0 in session: say confirm = true to do it\ntrue\n1\n", 'a pool of its own');
is(script('local t, text = remuda.token.create("anna", {once=true, for_="1h"}) print(t:match("^rmd%-%x+$") == t, #remuda.tokens{user="anna"})
	for t in remuda.tokens() do t:delete() end print(#remuda.tokens{state="good"})'), "true\t1\n0\n", 'tokens');
is(script('print(remuda.call("pool.show", {name="echo"}).item.name, remuda.call("pool.scale", {name="echo", serve=3, why="call"}).ok)'),
	"echo\ttrue\n", 'any verb by its name');

# ---- sessions ------------------------------------------------------------------------------

is(script('local s = remuda.allocate("echo", {user="anna", wait="2 s"})
	print(s.user, s:receive("line")) s:send("one\ntwo\n") print(s:receive("line"), s:receive(3), s:receive())
	local l = remuda.sessions{user="anna"} print(#l, l[1].machine == s.machine, l[1].id == s.id)
	s:send("end") s:shut() print(s:receive("all")) print(s:receive()) print(s:close{confirm=true, timeout="20 s"}) print(remuda.session(s.id).state)'),
	"anna\thello\none\ttwo\t\n\n1\ttrue\ttrue\nend\nnil\ntrue\nclosed\n", 'a session: lines, bytes, the end, the machine clean');
is(script('local s <close> = remuda.allocate("echo") for l in s:lines() do print(l) s:shut() end'), "hello\n", 'lines, closed by its scope');
is(script('local s = remuda.allocate("echo") local big = ("x"):rep(3000000) s:receive("line") s:send(big) s:shut() print(#s:receive("all") == #big) s:close()'),
	"true\n", 'three million bytes out and back');
{
	my $out = script('local s = remuda.allocate("echo") s:receive("line") print(pcall(s.receive, s, "line", "100 ms")) s:send("x\n") print(s:receive("line"))
	local other = remuda.session(s.id) print(pcall(other.finish, other)) other:finish{confirm=true} print(pcall(s.receive, s, "all", "10 s"))');
	like($out, qr{^false\tS:1: the machine says nothing in time\nx\nfalse\tS:2: session/\d+: user root on echo-\d+, active: say confirm = true to do it\nfalse\tS:2: .*ended by the operator.*\n$},
		'a time-out, and a session that the operator ended');
}
{
	my ($code, undef, $err) = script('remuda.allocate("nothing")');
	is("$code $err", "4 error: S:1: no pool serves application \"nothing\"\n", 'no such application: 4') or note $err;
	($code, undef, $err) = script('local l = {} for i = 1, 7 do l[i] = remuda.allocate("echo", {wait="100 ms"}) end');
	is($code, 7, 'no machine in time: 7') or note $err;
	($code, undef, $err) = script('remuda.allocate("none", {user="anna"})');
	is($code, 6, 'not allowed: 6') or note $err;
	($code, undef, $err) = script('remuda.allocate("echo", {usr="anna"})');
	is("$code $err", "2 error: S:1: allocate has no option \"usr\". Did you mean \"user\"?\n", 'an option that is none: 2');
}
ok(wait_for('no session', 20, sub { !sessions() }), 'no session is left');

# ---- history, events ------------------------------------------------------------------------

like(script('local n = 0 for s in remuda.sessions{history=true, user="anna"} do n = n + 1 print(s.state, s.bytes_in) end print(n)'),
	qr/^closed\t11\n1\n$/, 'sessions of the past, one after another');
is(script('local a, b = 0, 0 for e in remuda.events{all=true} do a = a + 1 end for e in remuda.events{all=true, limit=3} do b = b + 1 end
	local l = remuda.events{limit=5} print(a > 5, b, #l, l[1].id < l[5].id)'), "true\t3\t5\ttrue\n", 'events: all, some, the latest in order');
is(script('local f = remuda.events{follow=true, timeout="10 s", kind="ADMIN"}
	local co = coroutine.wrap(function() remuda.pool("echo"):pause() end) co()
	remuda.pool("echo"):resume() print(f().text) print(f().text)'),
	"root: pool/echo keeps what it has: 0 outdated machines\nroot: pool/echo replaces again: 0 outdated machines\n", 'events as they come');
is(script('local n = 0 for e in remuda.events{follow=true, timeout="300 ms", kind="NONE"} do n = n + 1 end print(n)'), "0\n", 'following ends when nothing came');

# ---- time -------------------------------------------------------------------------------------

{
	my ($code, $out) = script('local n = 0 remuda.every("20 ms", function() n = n + 1 print("every", n) return n < 3 end)
		remuda.at("+400 ms", function() print("at") remuda.at("+10 ms", function() print("then") end) end)
		remuda.sleep"10 ms" print("first") return 7');
	is("$code $out", "7 first\nevery\t1\nevery\t2\nevery\t3\nat\nthen\n", 'at and every, and the exit code a script returns');
}
is(script('local t = os.date("*t", os.time() + 2) remuda.at(("%02d:%02d:%02d"):format(t.hour, t.min, t.sec), function() print(os.time() >= os.time(t) and os.time() - os.time(t) < 60) end)'),
	"true\n", 'at a time of day');

# When is the next one?  Asked of the loop with the clock set by hand.
{
	local $ENV{TZ} = 'Europe/Berlin';
	my $out = script(<<'LUA', '-n');
for _, when in ipairs { "13:00", "Mon-Fri 07:30", "Sat,Sun 9:00", "2031-01-02 03:04", "Fri-Mon 12:00:30" } do
	(when:find("^2") and remuda.at or remuda.every)(when, function() end)
end
for _, bad in ipairs { "25:00", "noon", "Xyz 12:00", "12:60", "10 minutes past" } do
	local ok, e = pcall(remuda.at, bad, print) print(ok, e.code)
end
print(pcall(remuda.every, "2031-01-02 03:04", print))
LUA
	is($out, "false\tusage\n" x 5 . "false\tS:7: \"2031-01-02 03:04\" comes only once: that is remuda.at\n"
		. "every Mon-Fri 07:30:\nevery Sat,Sun 9:00:\n" x 0 . join('', sort_lines($out)), 'times that are none');
}
sub sort_lines { map { "$_\n" } grep { /^(every|at) / } split /\n/, $_[0] }

# ---- dry run, read-only ------------------------------------------------------------------------

my $all = <<'LUA';
remuda.pool("echo"):scale(2)
remuda.machine("echo-01"):delete{wait=true}
remuda.wait{pool="echo", ready=2, timeout="1 h"}
remuda.at("13:00", function() local s = remuda.allocate("echo") s:send("x") print(s:receive()) s:close{confirm=true} end)
remuda.every("10 min", function() remuda.user("anna"):disable{end_sessions=true} end)
remuda.sleep"1 h"
LUA
my $deeds = () = remuda('audit list --no-header --all');
my @before = map { "$_->{name} $_->{state} $_->{id}" } machines();
my ($code, $out, $err) = script($all, '--dry-run');
is("$code $err", '0 ', 'a dry run of everything') or note $out;
like($out, qr{^pool/echo serve 3 -> 2, .*\nwould delete machine/echo-01 \(ready \w+, no session\)\nwould wait for pool/echo: ready >= 2\n}, 'plans changes and waits');
like($out, qr{^would sleep 1 h\n(at 13:00:\nwould allocate a machine of echo\nnil\n|every 10 min:\nwould disable user/anna\n){2}\z}m, 'and what comes later');
is_deeply([ map { "$_->{name} $_->{state} $_->{id}" } machines() ], \@before, 'and nothing was changed');
ok(!(grep { !/ yes$/ && /pool.scale.*"serve":2|machine.delete.*echo-01|user.disable/ } split /\n/, remuda('audit list -o COMMAND,ARGUMENTS,DRY --all')), 'nor asked for');
($code, $out) = script($all, '--dry-run --json');
is_deeply([ map { decode_json($_)->{verb} } grep { /^\{/ } split /\n/, $out ], [qw(pool.scale machine.delete wait sleep), sort_verbs($out)], 'as JSON, a line each');
sub sort_verbs { my @v = map { decode_json($_)->{verb} } grep { /^\{/ } split /\n/, $_[0]; @v[4 .. $#v] }
for my $change ('remuda.pool("echo"):scale(2)', 'remuda.allocate("echo")', 'remuda.call("machine.delete", {name="echo-01"})', 'remuda.apply()') {
	($code, undef, $err) = script($change, '--read-only');
	next if $change eq 'remuda.apply()' && $code == 0;	# nothing to apply
	is($code, 6, "read-only: $change");
	like($err, qr/^error: S:1: this script is read-only: /, 'and says so');
}
is(script('print(#remuda.pools())', '--read-only'), "1\n", 'looking is allowed');
{
	my $c = IO::Socket::UNIX->new("$Lab::dir/run/control.sock");
	<$c>;
	print $c qq({"id":1,"verb":"read_only"}\n{"id":2,"verb":"pool.scale","name":"echo","serve":1}\n);
	like(<$c>, qr/"ok":true/, 'a connection gives its rights up');
	like(<$c>, qr/"read_only".*asked to be read-only/, 'and the engine takes no change from it');
}

# ---- errors --------------------------------------------------------------------------------------

for my $case (
	[ 'remuda.pool("nix"):scale(2)', 4, 'S:1: there is no pool "nix"' ],
	[ "\n\nlocal function f() remuda.pool(\"nix\"):refresh() end f()", 4, 'S:3: there is no pool "nix"' ],
	[ 'remuda.pool("echo"):scale(1000000)', 1, qr/S:1: serve 1000000 and spare 0 must not exceed max/ ],
	[ 'remuda.pool("echo"):scale{servee=2}', 2, 'S:1: pool scale has no option "servee". Did you mean "serve"?' ],
	[ 'remuda.pool.scall("echo")', 2, 'S:1: pool has no verb "scall". Did you mean "scale"?' ],
	[ 'remuda.call("pool.scall")', 2, 'S:1: the engine has no verb "pool.scall". Did you mean "pool.scale"?' ],
	[ 'remuda.pool.scale("echo", "many")', 2, 'S:1: N is a number, not "many"' ],
	[ 'remuda.wait{pool="echo", ready=99, timeout="100 ms"}', 7, 'S:1: waited in vain for pool/echo: ready >= 99' ],
	[ 'remuda.fail("not today", "refused", "try tomorrow")', 1, "S:1: not today\n  try tomorrow" ],
	[ 'error("my own")', 1, 'S:1: my own' ],
	[ 'print(nil + 1)', 1, qr/S:1: attempt to perform arithmetic on a nil value/ ],
	[ 'this is no Lua', 1, qr/S:1: syntax error near/ ],
	[ 'remuda.machine("echo-01"):scall()', 1, qr/S:1: attempt to call a nil value \(method 'scall'\)/ ],
	[ 'os.exit(9)', 9, undef ],
) {
	my ($lua, $want, $words) = @$case;
	($code, $out, $err) = script($lua);
	is($code, $want, "exit code $want: " . $lua =~ s/\s+/ /gr);
	ref $words ? like($err, qr/^error: $words/, 'its words') : is($err, defined $words ? "error: $words\n" : '', 'its words');
}
($code, undef, $err) = script("\nremuda.pool('nix'):scale(2)", '--json');
is_deeply(eval { decode_json($err)->{error} }, { code => 'not_found', message => 'there is no pool "nix"', line => 2,
	script => 'S' }, 'an error as JSON') or note $err;
like((script('local function deep() remuda.pool("nix"):scale(2) end deep()', '-v'))[2], qr/stack traceback:.*in local 'deep'/s, '--verbose shows the way');
is(script('local ok, e = pcall(function() return remuda.pool("nix").serve end) print(ok, e.code, e.exit, e.line, tostring(e))'),
	"false\tnot_found\t4\t1\tS:1: there is no pool \"nix\"\n", 'an error that is caught');
is((run_out("$build/remuda run no-such-script"))[0], 4, 'no such script: 4');
is((run_out("$build/remuda run"))[0], 2, 'no script: 2');
is((run_out("$build/remuda --run-dir /run/nowhere run $Lab::dir/script1.lua"))[0], 5, 'no engine: 5');
{
	# Interrupted while it waits, and while it computes.
	for my $lua ('io.stderr:write("on\n") remuda.wait{pool="echo", ready=99}', 'io.stderr:write("on\n") while true do end', 'io.stderr:write("on\n") remuda.sleep"1 h"') {
		spew("$Lab::dir/slow.lua", $lua);
		my $pid = open my $e, '-|', "exec $build/remuda run $Lab::dir/slow.lua 2>&1" or die;
		<$e>;
		kill 'INT', $pid;
		like(<$e> // '', qr/^error: .*interrupted$/, 'Ctrl-C is told');
		waitpid $pid, 0;
		is($? >> 8, 130, 'and is exit code 130');
	}
}

# ---- output --------------------------------------------------------------------------------------------

is(script('remuda.print(remuda.machines{name="echo-01"}, "machine")', '--csv'), scalar(remuda("machine list --csv --filter name=echo-01")), "a noun's columns, as the command has them");
is(script('remuda.print({{a=1,b_c="x, y"},{a=20,b_c="z"}}, {"b_c","a"})'), "B-C    A\nx, y   1\nz     20\n", 'a table of its own');
is(script('remuda.print({{a=1,b="x, y"},{a=20,b="z"}}, {"b","a"})', '--csv --sort a-'), "b,a\nz,20\n\"x, y\",1\n", 'as CSV, sorted');
is(script('io.write(remuda.csv({{a=1,b="=1"}}), remuda.table({{a=1}}))'), "a,b\n1,'=1\nA\n1\n", 'as texts');
is(script('print(remuda.json{b={1,2,remuda.array{}},a="\u{e9}",c={}}, remuda.parse("[1,null,{\"x\":true}]")[3].x, pcall(remuda.json, print))'),
	"{\"a\":\"\xc3\xa9\",\"b\":[1,2,[]],\"c\":{}}\ttrue\tfalse\tS:1: a function cannot be JSON\n", 'JSON');
is((script('local t = {} t.t = t remuda.json(t)'))[0], 2, 'a table in itself is an error');

# ---- an engine that comes back, and a Lua of its own -------------------------------------------------------

is(script(qq{print(remuda.engine.status().pid) os.execute("$build/remuda engine stop >/dev/null && $build/remuda engine start >/dev/null") print(remuda.engine.status().pid == $engine)}),
	"$engine\nfalse\n", 'the next question finds the next engine');
spew("$Lab::dir/own.lua", 'local remuda = require "remuda" remuda.connect{timeout="10 s"} print(#remuda.machines{pool="echo"} >= 3)
	remuda.at("+10 ms", function() print("loop") end) remuda.loop() local s = remuda.allocate("echo") print(s:receive("line")) s:close{confirm=true}
	print(pcall(remuda.pool.scale, "nix", 1))');
ok(wait_for('machines', 30, sub { 3 <= grep { $_->{state} eq 'ready' } machines() }), 'its machines are there');
is(qx{LUA_CPATH='$build/?.so' lua5.4 $Lab::dir/own.lua 2>&1} =~ s/\Q$Lab::dir\E\///gr, "true\nloop\nhello\nfalse\town.lua:3: there is no pool \"nix\"\n", 'remuda.so in a Lua of its own');
spew("$Lab::dir/ro.lua", 'local r = require "remuda" r.connect{read_only=true} print(pcall(r.pool.scale, "echo", 1)) r.connect{dry_run=true, read_only=true}');
like(qx{LUA_CPATH='$build/?.so' lua5.4 $Lab::dir/ro.lua 2>&1}, qr/^false\t.*read-only/, 'read-only there');
remuda('site close', '--yes');
done_testing;
