#!/usr/bin/perl
# Resources with real services and real guests: a file service that reads PROXY
# v2 (HAProxy in front of nginx's WebDAV) and PostgreSQL with ident.  The user
# is always the one the machine is bound to, never whom the guest claims to be.
use strict;
use warnings;
use FindBin;
use lib "$FindBin::Bin/../lib";
use Test::More;
use Lab;

my $pg = '/usr/lib/postgresql/15/bin';
$ENV{PATH} .= ":$pg:/usr/sbin:/sbin";
lab_enter(debian => 1, tools => [qw(libvirtd virsh qemu-system-x86_64 haproxy nginx initdb pg_ctl psql su)]);
lab_debian();
lab_network();
my $d = $Lab::dir;

# ---- the services, as processes of this test -----------------------------------------
my (undef, undef, $postgres) = getpwnam 'postgres' or plan skip_all => 'needs the user postgres';
mkdir "$d/pg"; chown $postgres, -1, "$d/pg"; chmod 0700, "$d/pg";
sub as_postgres { run_out(qq(cd / && su postgres -s /bin/sh -c "PATH=$pg:\$PATH $_[0]")) }
my ($rc, $out) = as_postgres("initdb -D $d/pg/data -A trust -E UTF8 --no-locale -N >/dev/null");
is($rc, 0, 'a database cluster') or BAIL_OUT $out;
spew("$d/pg/data/pg_hba.conf", "local all postgres trust\nhost all all 127.0.0.1/32 ident\n");
($rc, $out) = as_postgres("pg_ctl -D $d/pg/data -w -l $d/pg/log -o '-c listen_addresses=127.0.0.1 "
	. "-c unix_socket_directories=$d/pg -c fsync=off' start");
is($rc, 0, 'PostgreSQL runs') or BAIL_OUT $out;
sub sql { my ($o) = (as_postgres(qq(psql -h $d/pg -d herd -Atc \\"$_[0]\\")))[1]; $o =~ s/\s+$//; $o }
as_postgres("createdb -h $d/pg herd");
sql("create role $_ login") for qw(anna ben);
sql('create table notes (who text default current_user, text text)');
sql('grant select, insert on notes to anna, ben');
sql('alter table notes enable row level security');
sql('create policy own on notes using (who = current_user)');

mkdir "$d/dav"; chmod 0777, "$d/dav";
mkdir "$d/dav/$_" for qw(anna ben carl); chmod 0777, "$d/dav/$_" for qw(anna ben carl);
mkdir "$d/nginx"; chmod 0777, "$d/nginx";
spew("$d/nginx.conf", <<"CONF");
error_log $d/nginx/error.log; pid $d/nginx/pid; user nobody nogroup; worker_processes 1;
events { worker_connections 64; }
http {
	access_log off; client_body_temp_path $d/nginx/body; proxy_temp_path $d/nginx/p;
	fastcgi_temp_path $d/nginx/f; uwsgi_temp_path $d/nginx/u; scgi_temp_path $d/nginx/s;
	server { listen unix:$d/nginx/dav.sock;
		location / { root $d/dav/\$http_x_user; dav_methods PUT DELETE; } }
}
CONF
spew("$d/haproxy.cfg", <<"CFG");
global
	maxconn 64
defaults
	mode http
	timeout connect 10s
	timeout client 60s
	timeout server 60s
frontend files
	bind unix\@$d/files.sock accept-proxy mode 666
	http-request deny unless { fc_pp_authority -m found }
	http-request set-header X-User %[fc_pp_authority]
	default_backend dav
backend dav
	server nginx unix\@$d/nginx/dav.sock
CFG
($rc, $out) = run_out("nginx -c $d/nginx.conf");
is($rc, 0, 'nginx serves WebDAV') or diag $out;
($rc, $out) = run_out("haproxy -D -f $d/haproxy.cfg -p $d/haproxy.pid");
is($rc, 0, 'HAProxy reads PROXY v2 in front of it') or diag $out;

# ---- the site -------------------------------------------------------------------------
lab_libvirtd();
lab_site(<<"LUA" . debian_pool('desk', 'shell', port => 23, serve => 2, app_more => 'resources = { "db", "files" },'));
site "lab" { peers = true }
host "local" { uri = "qemu:///system", boot_parallel = 2 }
resource "db" { address = "127.0.0.1:5432", listen = "10.0.255.254:5432",
	identity = "ident", ident = "127.0.0.1:113", access = { ["\@staff"] = true } }
resource "files" { address = "unix:$d/files.sock", listen = "10.0.255.254:8080",
	identity = "proxy", access = { ["\@staff"] = true } }
listener "front" { door = "native", address = "unix:native.sock", user = "peer", applications = "*", wait = "60 s" }
user "anna" {} user "ben" {} user "carl" {}
group "staff" { members = { "anna", "ben" } }
LUA
lab_engine('--gateways', 2);
sub ready { wait_for('guests ready', $ENV{BOOT_WAIT} // 240, sub { 2 == grep { $_->{state} eq 'ready' } machines('desk') }) }
ok(ready(), 'two guests with addresses of their own are ready')
	or do { diag slurp("$d/state/engine.log"); done_testing; exit 1 };

# A shell in a guest on behalf of a user; on() runs a command and returns its output.
sub stay {
	my ($user) = @_;
	my $c = connect_start('--user', $user, 'desk');
	on($c, 'true');
	($c->{machine}) = slurp($c->{err}) =~ / on (desk-\d+) as/;
	return $c;
}
my $mark = 0;
sub on {
	my ($c, $command) = @_;
	my ($end, $text) = ('end-of-' . ++$mark, '');
	print { $c->{in} } "$command\necho; echo $end\n";
	while (defined(my $l = readline $c->{out})) { last if $l eq "$end\n"; $text .= $l }
	$text =~ s/\s+$//;
	return $text;
}
sub leave { my ($c) = @_; close $c->{in}; 1 while readline $c->{out}; waitpid $c->{pid}, 0 }
my $psql = 'timeout 60 psql -w -h 10.0.255.254 -d herd -At';
my $url = 'http://10.0.255.254:8080';
my $curl = 'timeout 60 curl -sS -w "%{http_code}"';

my $anna = stay('anna');
my $ben = stay('ben');
isnt($anna->{machine}, $ben->{machine}, 'anna and ben each have a machine');

# ---- the database ------------------------------------------------------------------------
is(on($anna, "$psql -U anna -c 'select current_user' 2>&1"), 'anna', 'psql in her guest: PostgreSQL\'s role is the alternate user');
is(on($ben, "$psql -U ben -c 'select current_user' 2>&1"), 'ben', 'in his guest it is ben');
like(on($anna, "$psql -U ben -c 'select current_user' 2>&1"), qr/Ident authentication failed for user "ben"/, 'she claims to be ben: refused');
like(on($anna, "$psql -U postgres -c 'select 1' 2>&1"), qr/Ident authentication failed for user "postgres"/, 'or the superuser: refused');
on($anna, qq($psql -U anna -c "insert into notes (text) values ('of anna')" 2>&1));
is(on($anna, qq($psql -U anna -c "select who, text from notes" 2>&1)), 'anna|of anna', 'she writes a row as herself');
is(on($ben, qq($psql -U ben -c "select count(*) from notes" 2>&1)), '0', 'ben does not see it');
like(on($anna, "timeout -s INT 3 psql -w -h 10.0.255.254 -d herd -U anna -c 'select pg_sleep(100)' 2>&1"),
	qr/canceling statement due to user request/, "psql's cancel, a connection of its own, gets through");

# ---- the file service -----------------------------------------------------------------------
is(on($anna, qq(echo "a letter" | $curl -T - $url/letter)), '201', 'curl in her guest puts a file by WebDAV');
is(slurp("$d/dav/anna/letter"), "a letter\n", 'into the space of anna');
is(on($anna, "$curl $url/letter"), "a letter\n200", 'she reads it');
like(on($ben, "$curl $url/letter"), qr/404$/, 'ben does not see it');
like(on($ben, "$curl -H 'X-User: anna' $url/letter"), qr/404$/, 'whatever header his guest sends');
is(on($ben, qq(echo mine | $curl -T - $url/letter)), '201', 'his own of that name');
is(slurp("$d/dav/anna/letter"), "a letter\n", "is not hers");

# ---- who is that? -----------------------------------------------------------------------------
# The shell must not read what is for psql: it is told when the shell is gone.
print { $anna->{in} } "echo go; exec psql -w -h 10.0.255.254 -d herd -At -U anna 2>&1\n";
is(readline $anna->{out}, "go\n", 'psql as her whole session');
print { $anna->{in} } "select host(inet_client_addr()) || ':' || inet_client_port();\n";
chomp(my $at = readline($anna->{out}) // '');
my $who = remuda_json("whois $at")->{item} // {};
is($who->{user}, 'anna', "whois $at, as PostgreSQL sees it: anna");
is($who->{machine}, $anna->{machine}, 'on her machine');
is($who->{resource}, 'db', 'at the database');
my ($db) = grep { $_->{name} eq 'db' } @{ remuda_json('resource list')->{items} };
is($db->{open}, 1, 'resource list counts the open connection');

# The engine dies and comes back under it.
kill 'KILL', remuda_json('info')->{item}{pid};
lab_engine('--gateways', 2);
print { $anna->{in} } "select 'still ' || current_user;\n";
is(readline $anna->{out}, "still anna\n", 'her connection outlives the engine');
is((remuda_json("whois $at")->{item} // {})->{user}, 'anna', 'and the next engine knows whose it is');

# ---- no row, no session: no access -----------------------------------------------------------------
leave($ben);
ok(wait_for('clean', 60, sub { (machine($ben->{machine})->{state} // '') eq 'ready' }), 'ben leaves, his machine is cleaned');
my $carl = stay('carl');
is($carl->{machine}, $ben->{machine}, 'carl gets it');
is(on($carl, 'echo fine'), 'fine', 'his session is fine');
unlike(on($carl, "$psql -U anna -c 'select current_user' 2>&1"), qr/^anna/m, 'the database refuses him');
unlike(on($carl, "$curl $url/letter 2>&1"), qr/letter|200/, 'so does the file service');
my $refused = wait_for('told', 20, sub { my ($r) = grep { $_->{user} eq 'carl' } @{ (remuda_json('resource show db')->{item} // {})->{refusals} // [] }; $r });
is($refused->{text}, 'denied by the access table', 'resource show says whom and why');
leave($carl);
my $machine = $anna->{machine};
remuda('machine', 'hold', $machine);
is(sql("select count(*) from pg_stat_activity where usename = 'anna'"), '1', 'anna is still connected');
leave($anna);
ok(wait_for('cut', 30, sub { sql("select count(*) from pg_stat_activity where usename = 'anna'") eq '0' }), 'her session ends: PostgreSQL has no connection of hers');
ok(wait_for('held', 60, sub { (machine($machine)->{state} // '') eq 'held' }), 'her machine is taken out, cleaned');
($rc, $out) = remuda('machine', 'exec', $machine, '--', '/bin/sh', '-c',
	'"psql -w -h 10.0.255.254 -d herd -U anna -Atc select\\ 1 2>&1"');
unlike($out, qr/^1$/m, 'without a session the same machine is refused');
like($out, qr/reset|closed the connection/, 'at the door') or diag $out;
is(sql('select count(*) from notes'), '1', 'the row of anna is the only one');
remuda('engine stop');
END {
	if ($d && $ENV{REMUDA_LAB} && -e "$d/haproxy.pid") {
		kill 'TERM', split ' ', slurp("$d/haproxy.pid") . slurp("$d/nginx/pid");
		as_postgres("pg_ctl -D $d/pg/data -m immediate stop >/dev/null");
	}
}
diag slurp("$d/state/engine.log") unless Test::More->builder->is_passing;
done_testing;
