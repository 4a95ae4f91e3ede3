#!/usr/bin/perl
# Unmodified clients, each through its door to a real service in a real guest.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

my $pg = '/usr/lib/postgresql/15';
$ENV{PATH} .= ":$pg/bin";
my $d = lab_enter(debian => 1, tools => [qw(libvirtd virsh qemu-system-x86_64 ssh ssh-keygen git curl nc openssl psql initdb cpio su)]);
lab_debian();
lab_postgres();
lab_network();
lab_libvirtd();
my $boot = $ENV{BOOT_WAIT} // 180;

# PostgreSQL beside the guest's other programs: this computer's own, with the
# libraries and the loader it has here, and a cluster made here.
sub lab_postgres {
	my (undef, undef, $postgres) = getpwnam 'postgres' or plan skip_all => 'needs the user postgres';
	my $root = "$d/postgres";
	mkdir "$d/cluster"; chown $postgres, -1, "$d/cluster";
	my ($rc, $out) = run_out(qq(cd / && su postgres -s /bin/sh -c "$pg/bin/initdb -D $d/cluster/data -A trust -E UTF8 --no-locale -N --wal-segsize=1"));
	die "initdb: $out" if $rc;
	spew("$d/cluster/data/pg_hba.conf", "host all anna,ben,postgres all trust\n");
	spew("$d/cluster/data/postgresql.conf", "listen_addresses = '0.0.0.0'\nunix_socket_directories = '/tmp'\n" .
		"dynamic_shared_memory_type = mmap\ntimezone = GMT\nlog_timezone = GMT\nfsync = off\n");
	my @libraries = qx{ldd $pg/bin/postgres} =~ m{(/\S+)}g;
	($rc, $out) = run_out("mkdir -p $root/pg/lib $root$pg/bin $root/usr/share/postgresql && cp -L @libraries $root/pg/lib/ && " .
		"cp $pg/bin/postgres $root$pg/bin/ && cp -r /usr/share/postgresql/15 $root/usr/share/postgresql/ && cp -r $d/cluster/data $root/pg/ && " .
		"cd $root && find . | cpio --quiet --owner=0:0 -o -H newc >$d/postgres.cpio && " .
		"cat $d/site/debian/initrd.img $d/postgres.cpio >$d/site/debian/postgres.img && chmod 0644 $d/site/debian/postgres.img");
	die "the guest with PostgreSQL: $out" if $rc;
}

# Keys of two users and the certificates of a gateway and of one of them.
for my $k (qw(anna ben)) { system("ssh-keygen -q -t ed25519 -N '' -C $k -f $d/$k") == 0 or die }
chomp(my ($anna, $ben) = map { slurp("$d/$_.pub") } qw(anna ben));
mkdir "$d/site/tls";
sub openssl { my ($rc, $out) = run_out("cd $d/site/tls && openssl @_"); die "openssl @_: $out" if $rc }
openssl('req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -days 400 -subj /CN=lab-CA');
for my $c (qw(gateway anna)) {
	openssl("req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout $c.key -out $c.csr -subj /CN=$c");
	spew("$d/site/tls/ext", $c eq 'gateway' ? 'subjectAltName=IP:127.0.0.1' : 'basicConstraints=CA:FALSE');
	openssl("x509 -req -in $c.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 300 -extfile ext -out $c.pem");
}

# The accept hook lets the user's own keys in; the clean hook takes them away.
# The prepare hook has the machine's host key signed.
my $keys = <<'LUA';
	prepare = function(machine)
		local key = machine:exec{ "/bin/cat", "/etc/ssh/ssh_host_ed25519_key.pub" }.out
		machine:write("/etc/ssh/host-cert.pub", machine:sign_host_key(key) .. "\n")
		machine:exec{ "/bin/sh", "-c", "echo HostCertificate /etc/ssh/host-cert.pub >>/etc/ssh/sshd_config" }
		machine:exec{ "/usr/lib/remuda/start", "ssh", machine.name }
	end,
	accept = function(machine, session)
		machine:write("/etc/ssh/authorized_keys/" .. session.user, session.ssh_keys)
		machine:confirm{ "/usr/lib/remuda/accept", session.user }
	end,
	clean = function(machine, session)
		machine:exec{ "/bin/rm", "-f", "/etc/ssh/authorized_keys/" .. session.user }
		machine:confirm{ "/usr/lib/remuda/clean" }
	end,
LUA
my $database = <<LUA;
	prepare = function(machine)
		machine:exec{ "/bin/sh", "-c", "chown -R session /pg/data && chmod 700 /pg/data" }
		machine:exec{ "/bin/su", "session", "-c", "exec /pg/lib/ld-linux-x86-64.so.2 --library-path /pg/lib $pg/bin/postgres " ..
			"-D /pg/data </dev/null >/tmp/postgres.log 2>&1 &" }
	end,
	ready = function(machine)	-- it listens before it lets anybody in
		machine:exec{ "/bin/grep", "-q", "^ready", "/pg/data/postmaster.pid" }
		machine:tcp(5432)
	end,
LUA
lab_site(<<LUA . debian_pool('jump', 'ssh', app_more => $keys) . debian_pool('web', 'http', port => 80, serve => 2) . debian_pool('db', 'http', port => 5432, memory => '512 MiB', app_more => qq(connections = "shared",$database)));
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
listener "native" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
listener "ssh" { door = "ssh", address = "127.0.0.1:2222", user = "key", applications = "*", wait = "60 s" }
listener "http" { door = "connect", address = "127.0.0.1:3128", user = "kiosk", applications = { "web" }, wait = "60 s" }
listener "socks" { door = "socks5", address = "127.0.0.1:1080", user = "kiosk", applications = { "web" }, wait = "60 s" }
listener "tls" { door = "direct", address = "127.0.0.1:7443", user = "certificate", application = "web", wait = "60 s",
	tls = { certificate = "tls/gateway.pem", key = "tls/gateway.key", client_ca = "tls/ca.pem" } }
listener "db" { door = "direct", address = "127.0.0.1:5432", user = "kiosk", application = "db", wait = "60 s" }
user "anna" { ssh_keys = { "$anna" } }
user "ben" { ssh_keys = { "$ben" } }
user "kiosk" { applications = { "web", "db" } }
LUA
my $template = slurp("$d/site/db.xml");
spew("$d/site/db.xml", $template =~ s{initrd\.img}{postgres.img}r);
lab_engine('--gateways', 2);
sub ready { my ($pool) = @_; grep { $_->{state} eq 'ready' } machines($pool) }
sub all_ready { ready('jump') && ready('db') && ready('web') == 2 }
ok(wait_for('the guests', $boot, \&all_ready), 'one guest for ssh, one for PostgreSQL, two for http')
	or do { diag slurp("$d/state/engine.log"); done_testing; exit 1 };
my ($listener) = grep { $_->{name} eq 'ssh' } @{ remuda_json('listener list')->{items} };
# One line makes the host keys of all machines known.
my $authority = remuda('site', 'ssh-ca');
like($authority, qr/^\@cert-authority jump,web,db ssh-ed25519 AAAA\S+\n\z/, 'the site has a host authority');
spew("$d/known", "[127.0.0.1]:2222 $listener->{host_key}\n$authority");

# The session a client had: the newest of all.
sub last_session { my ($s) = sort { $b->{id} <=> $a->{id} } sessions('--history', '--limit', 50); "$s->{user} $s->{application} by $s->{listener}" }
# A client's configuration file, as a user would have it.
sub config {
	my ($user, $key) = @_;
	spew("$d/config-$key", <<END);
Host gateway
	HostName 127.0.0.1
	Port 2222
Host *
	User $user
	IdentityFile $d/$key
	IdentitiesOnly yes
	BatchMode yes
	StrictHostKeyChecking yes
	UserKnownHostsFile $d/known
END
	return "timeout 90 ssh -F $d/config-$key";
}

subtest 'ssh -J gateway APPLICATION' => sub {
	my ($rc, $out) = run_out(config('anna', 'anna'), q(-J gateway jump 'id -un; cat /run/remuda/user; hostname'));
	is($rc, 0, 'anna') or diag $out;
	is($out, "anna\nanna\njump-01\n", 'is herself in the guest, which carries her');
	is(last_session(), 'anna jump by ssh', 'in a session of hers');
	($rc, $out) = run_out(config('ben', 'ben'), q(-J gateway jump 'id -un; ls /etc/ssh/authorized_keys'));
	is($out, "ben\nall\nben\n", 'ben next, and nothing of anna is there') or diag $out;
	($rc, $out) = run_out(config('anna', 'ben'), q(-J gateway jump id));
	isnt($rc, 0, 'his key in her name');
	like($out, qr/is none of user anna/, 'is refused in words') or diag $out;
	spew("$d/numbers", join "\n", 1 .. 200000);
	($rc, $out) = run_out(config('anna', 'anna'), "-J gateway jump 'cat | sha256sum' <$d/numbers");
	my ($sum) = (run_out("sha256sum <$d/numbers"))[1];
	is($out, $sum, '1.3 MB arrive whole') or diag $out;
};

subtest 'ssh with remuda connect as ProxyCommand' => sub {
	my $bin = "$Lab::top/" . ($ENV{BUILD} // 'build') . '/remuda';
	my ($rc, $out) = run_out(config('anna', 'anna'), "-o ProxyCommand='$bin connect --user anna %h' jump 'id -un; cat /run/remuda/user'");
	is($rc, 0, 'the native door') or diag $out;
	is($out, "anna\nanna\n", 'the same machine, the same keys');
	is(last_session(), 'anna jump by native', 'another way in');
};

subtest 'curl' => sub {
	for my $way ([ '-p -x http://127.0.0.1:3128', 'http' ], [ '--socks5-hostname 127.0.0.1:1080', 'socks' ]) {
		my ($rc, $out) = run_out("timeout 90 curl -sS --noproxy '' $way->[0] http://web/");
		is($rc, 0, $way->[0]) or diag $out;
		like($out, qr/served by a guest/, 'the page of the guest');
		is(last_session(), "kiosk web by $way->[1]", 'through its door');
	}
};

subtest 'nc -X connect' => sub {
	my ($rc, $out) = run_out(q{printf 'GET / HTTP/1.0\r\n\r\n' | timeout 90 nc -X connect -x 127.0.0.1:3128 web 80});
	like($out, qr{^HTTP/1\.[01] 200 .*served by a guest}s, 'bytes both ways') or diag $out;
};

subtest 'psql' => sub {
	my $psql = 'PGCONNECT_TIMEOUT=60 timeout 90 psql -w -h 127.0.0.1 -p 5432 -d postgres -At';
	my ($rc, $out) = run_out("$psql -U anna -c 'select current_user' 2>&1");
	like($out, qr/role "anna" does not exist/, 'words of the server') or diag $out;
	($rc, $out) = run_out(qq($psql -U session -c "select 1" 2>&1));
	like($out, qr/no pg_hba.conf entry|pg_hba/, 'and its own rules') or diag $out;
	spew("$d/script.sql", join '', "create table herd (n int, text text);\n", "copy herd from stdin;\n",
		(map { "$_\thorse $_\n" } 1 .. 5000), "\\.\n", "select count(*), sum(n), inet_server_port() from herd;\n",
		"select md5(string_agg(text, ',' order by n)) from herd;\n", "copy herd to stdout;\n");
	($rc, $out) = run_out("$psql -U postgres -q -v ON_ERROR_STOP=1 -f $d/script.sql");
	is($rc, 0, 'a table, a copy in, a copy out') or diag $out;
	require Digest::MD5;
	my $sum = Digest::MD5::md5_hex(join ',', map { "horse $_" } 1 .. 5000);
	my ($first, $second, @rest) = split /\n/, $out;
	is($first, '5000|12502500|5432', 'the server has all rows');
	is($second, $sum, 'as they were');
	is(scalar @rest, 5000, 'and they come back');
	is(last_session(), 'kiosk db by db', 'through its door');
};

# A cancel request is a connection of its own: with shared connections it reaches the
# server that the first one is on.
subtest 'psql cancels a query' => sub {
	my $psql = 'PGCONNECT_TIMEOUT=60 timeout 90 psql -w -h 127.0.0.1 -p 5432 -d postgres -At -U postgres';
	my $pid = fork // die;
	if (!$pid) {
		open STDOUT, '>', "$d/sleep.out" or die;
		open STDERR, '>&', \*STDOUT or die;
		exec qw(psql -w -h 127.0.0.1 -p 5432 -d postgres -At -U postgres -c), 'select pg_sleep(600)' or POSIX::_exit(127);
	}
	my $seen = sub { (run_out(qq($psql -c "select count(*) from pg_stat_activity where query = 'select pg_sleep(600)' and state = 'active'")))[1] =~ /^1$/m };
	ok(wait_for('the query', 90, $seen), 'a second psql is on the same machine and sees the query of the first');
	my @live = grep { $_->{application} eq 'db' && $_->{state} eq 'active' } sessions();
	is(scalar @live, 1, 'in one session');
	kill 'INT', $pid;
	waitpid $pid, 0;
	like(slurp("$d/sleep.out"), qr/canceling statement due to user request/, 'the first one cancels it');
	my $end = wait_for('its end', 30, sub { my ($s) = grep { $_->{id} == $live[0]{id} } sessions('--history', '--limit', 50); $s && $s->{state} eq 'closed' && $s });
	ok($end, 'and the last to close ends the session');
	cmp_ok($end->{connections} // 0, '>=', 3, 'which had three connections at least');
};

subtest 'git clone' => sub {
	my ($rc, $out) = run_out("GIT_CONFIG_NOSYSTEM=1 HOME=$d timeout 120 git -c http.proxy=http://127.0.0.1:3128",
		'-c http.proxyAuthMethod=basic clone -q http://web/cgi-bin/git/herd.git', "$d/herd");
	# git asks a proxy for http:// as a proxy, and uses CONNECT for https:// only.
	is($rc, 128, 'plain http by a proxy is no tunnel');
	like($out, qr/405/, 'and is refused as such') or diag $out;
	($rc, $out) = run_out("GIT_CONFIG_NOSYSTEM=1 HOME=$d timeout 120 git -c http.proxy=socks5h://127.0.0.1:1080 clone -q",
		'http://web/cgi-bin/git/herd.git', "$d/herd");
	is($rc, 0, 'through the socks5 door') or diag $out;
	my @lines = split /\n/, slurp("$d/herd/numbers");
	is(scalar @lines, 2000, 'the whole repository');
};

subtest 'openssl s_client with a certificate' => sub {
	my $ask = "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | timeout 90 openssl s_client -quiet -verify_return_error -CAfile $d/site/tls/ca.pem -connect 127.0.0.1:7443";
	my ($rc, $out) = run_out("$ask -cert $d/site/tls/anna.pem -key $d/site/tls/anna.key");
	like($out, qr/served by a guest/, 'the page over TLS') or diag $out;
	is(last_session(), 'anna web by tls', 'as who the certificate names');
	($rc, $out) = run_out($ask);
	unlike($out, qr/served by a guest/, 'without one: nothing');
};
ok(wait_for('all ready again', $boot, \&all_ready), 'every machine is ready again');
is(scalar(grep { $_->{failures} } machines()), 0, 'every cleaning was confirmed, none needed a rebuild');
diag slurp("$d/state/engine.log") unless Test::More->builder->is_passing;
remuda('engine stop --all');
done_testing;
