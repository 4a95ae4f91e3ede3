#!/usr/bin/perl
# Unmodified clients, each through its door to a real service in a real guest.
# (psql: resources.t, which has a PostgreSQL.)
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

my $d = lab_enter(debian => 1, tools => [qw(libvirtd virsh qemu-system-x86_64 ssh ssh-keygen git curl nc openssl)]);
lab_debian();
lab_network();
lab_libvirtd();
my $boot = $ENV{BOOT_WAIT} // 180;

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
lab_site(<<LUA . debian_pool('jump', 'ssh', app_more => $keys) . debian_pool('web', 'http', port => 80, serve => 2));
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
listener "native" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
listener "ssh" { door = "ssh", address = "127.0.0.1:2222", user = "key", applications = "*", wait = "60 s" }
listener "http" { door = "connect", address = "127.0.0.1:3128", user = "kiosk", applications = { "web" }, wait = "60 s" }
listener "socks" { door = "socks5", address = "127.0.0.1:1080", user = "kiosk", applications = { "web" }, wait = "60 s" }
listener "tls" { door = "direct", address = "127.0.0.1:7443", user = "certificate", application = "web", wait = "60 s",
	tls = { certificate = "tls/gateway.pem", key = "tls/gateway.key", client_ca = "tls/ca.pem" } }
user "anna" { ssh_keys = { "$anna" } }
user "ben" { ssh_keys = { "$ben" } }
user "kiosk" { applications = { "web" } }
LUA
lab_engine('--gateways', 2);
sub ready { my ($pool) = @_; grep { $_->{state} eq 'ready' } machines($pool) }
ok(wait_for('the guests', $boot, sub { ready('jump') && ready('web') == 2 }), 'one guest for ssh, two for http')
	or do { diag slurp("$d/state/engine.log"); done_testing; exit 1 };
my ($listener) = grep { $_->{name} eq 'ssh' } @{ remuda_json('listener list')->{items} };
# One line makes the host keys of all machines known.
my $authority = remuda('site', 'ssh-ca');
like($authority, qr/^\@cert-authority jump,web ssh-ed25519 AAAA\S+\n\z/, 'the site has a host authority');
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
ok(wait_for('all ready again', $boot, sub { ready('jump') && ready('web') == 2 }), 'every machine is ready again');
is(scalar(grep { $_->{failures} } machines()), 0, 'every cleaning was confirmed, none needed a rebuild');
diag slurp("$d/state/engine.log") unless Test::More->builder->is_passing;
remuda('engine stop --all');
done_testing;
