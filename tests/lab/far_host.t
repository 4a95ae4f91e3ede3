#!/usr/bin/perl
# Hosts by ssh and by TLS, nobody there to answer a question: what is missing is
# said at once, with what to do about it; when it is there, the host is.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

my $dir = lab_enter(debian => 1, tools => [qw(libvirtd virtlogd virsh ssh ssh-keygen cpio chroot openssl)]);
sub run { system(@_) == 0 or die "@_ failed" }

# ---- what there is on the far side ---------------------------------------------------
# An authority, a certificate for the daemon, later one for us.
mkdir "$dir/$_" for qw(pki server);
sub certificate {
	my ($name, $out, $extra) = @_;
	spew("$dir/extra.cnf", $extra);
	run("openssl req -newkey rsa:2048 -nodes -keyout $out/${name}key.pem -subj /CN=$name -out $dir/request.pem 2>/dev/null"
		. " && openssl x509 -req -in $dir/request.pem -CA $dir/server/cacert.pem -CAkey $dir/server/cakey.pem"
		. " -CAcreateserial -days 2 -extfile $dir/extra.cnf -out $out/${name}cert.pem 2>/dev/null");
}
run("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=lab -keyout $dir/server/cakey.pem -out $dir/server/cacert.pem 2>/dev/null");
certificate('server', "$dir/server", "subjectAltName = IP:127.0.0.1\nextendedKeyUsage = serverAuth\n");
spew('/etc/libvirt/libvirtd.conf', <<"CONF");
listen_tls = 1
listen_addr = "127.0.0.1"
key_file = "$dir/server/serverkey.pem"
cert_file = "$dir/server/servercert.pem"
ca_file = "$dir/server/cacert.pem"
auth_tls = "none"
auth_unix_rw = "none"
CONF
run('virtlogd -d && libvirtd --listen -d -p /run/libvirtd-lab.pid');
ok(wait_for('libvirtd answers', 30, sub { (run_out('timeout 3 virsh -c qemu:///system uri'))[0] == 0 }), 'libvirtd is there');

# A real sshd, of the Debian guest, in a root of its own that has libvirt's socket.
mkdir "$dir/root";
run("cd $dir/root && cpio -idm --quiet < " . Lab::debian_dir() . '/initrd.img');
mkdir "$dir/root/$_" for qw(run run/libvirt run/sshd dev proc);
run("mount --bind /run/libvirt $dir/root/run/libvirt && mount --bind /dev $dir/root/dev && mount -t proc none $dir/root/proc");
run("ssh-keygen -q -t ed25519 -N '' -f $dir/root/etc/ssh/lab_key");
spew("$dir/root/etc/ssh/lab_config", <<'CONF');
Port 2222
ListenAddress 127.0.0.1
HostKey /etc/ssh/lab_key
AuthorizedKeysFile /etc/ssh/lab_authorized
PermitRootLogin yes
StrictModes no
PidFile none
CONF
my $sshd = fork // die;
exec 'chroot', "$dir/root", '/usr/sbin/sshd', '-D', '-e', '-f', '/etc/ssh/lab_config' or die if !$sshd;

# ---- the engine, with nothing set up ---------------------------------------------------
# Whose keys count is the user's home, by the system's word: a private one.
run('mount -t tmpfs -o mode=0700 none /root');
$ENV{SSH_ASKPASS} = $ENV{SSH_ASKPASS_REQUIRE} = 'force';	# what BatchMode must not heed
delete $ENV{SSH_AUTH_SOCK};
lab_site(<<LUA);
site "lab" { }
host "ssh" { uri = "qemu+ssh://root\@127.0.0.1:2222/system?proxy=netcat&netcat=/usr/bin/nc.openbsd&socket=/run/libvirt/libvirt-sock" }
host "tls" { uri = "qemu+tls://127.0.0.1/system?pkipath=$dir/pki" }
LUA
lab_engine('--gateways', 1);
sub host { my ($name) = @_; my ($h) = grep { $_->{name} eq $name } @{ remuda_json('host list')->{items} }; $h // {} }
sub says { my ($name, $what) = @_; wait_for("$name: $what", 60, sub { (host($name)->{text} // '') =~ $what }) }

ok(says('ssh', qr/host key is not known here.*run `ssh -p 2222 root\@127\.0\.0\.1 true` once/), 'ssh: an unknown host key, and what to do')
	or diag host('ssh')->{text};
ok(says('tls', qr/cacert\.pem.*clientkey\.pem.*pkipath/), 'tls: no certificates, and what to do') or diag host('tls')->{text};

mkdir '/root/.ssh'; chmod 0700, '/root/.ssh';
my ($key) = slurp("$dir/root/etc/ssh/lab_key.pub") =~ /^(\S+ \S+)/;
spew('/root/.ssh/known_hosts', "[127.0.0.1]:2222 $key\n");
ok(says('ssh', qr/takes no ssh key of root's: .*ssh-keygen.*ssh-copy-id -p 2222/), 'ssh: a host that knows no key of ours') or diag host('ssh')->{text};

run("ssh-keygen -q -t ed25519 -N '' -f /root/.ssh/id_ed25519");
run("cp /root/.ssh/id_ed25519.pub $dir/root/etc/ssh/lab_authorized");
ok(wait_for('ssh', 60, sub { (host('ssh')->{state} // '') eq 'up' }), 'ssh: with a key it is up') or diag host('ssh')->{text};

run("cp $dir/server/cacert.pem $dir/pki/");
certificate('client', "$dir/pki", "extendedKeyUsage = clientAuth\n");
ok(wait_for('tls', 60, sub { (host('tls')->{state} // '') eq 'up' }), 'tls: with certificates it is up') or diag host('tls')->{text};
remuda('site close', '--yes');
ok(wait_for('the site is closed', 60, sub { !kill 0, $Lab::engine }), 'closed');
kill 'TERM', $sshd;
waitpid $sshd, 0;
done_testing;
