-- A site whose machines reach a database and a file service as their user.
--
-- PostgreSQL asks by ident (RFC 1413) who is behind a connection, and its role is
-- that user.  In pg_hba.conf:      host  all  all  127.0.0.1/32  ident
-- It asks at port 113 of the address the connection comes from: `ident` below,
-- and the gateway comes from there.  To listen at 113 the engine needs the right
-- to: started as root, or sysctl net.ipv4.ip_unprivileged_port_start=113.
--
-- The file service reads a PROXY v2 header, here HAProxy's
--     bind unix@/run/haproxy/files.sock accept-proxy
--     http-request deny unless { fc_pp_authority -m found }
--     http-request set-header X-User %[fc_pp_authority]
-- in front of a WebDAV server with a directory for each user.
site "databases" { peers = true }
host "local" { uri = "auto" }

require "applications.database"

pool "database" {
    application = "database",
    serve = 4, spare = 2, max = 20,
    template = "machine.xml",
    memory = "512 MiB",
    recycle = "clean",
}

-- 10.0.7.254 is this host's address in the machines' bridge.
resource "db" {
    address = "127.0.0.1:5432",
    listen = "10.0.7.254:5432",
    identity = "ident", ident = "127.0.0.1:113",
    access = { ["@analysts"] = true, ["@guests"] = false },
}
resource "files" {
    address = "unix:/run/haproxy/files.sock",
    listen = "10.0.7.254:8080",
    identity = "proxy",
    access = { ["*"] = true },
}

listener "front" {
    door = "native", address = "unix:native.sock", user = "peer",
    applications = { "database" },
}

-- Of a user's own row, the rows of the user's groups (a single no is a no) and
-- everybody's row, the first that is there decides about access.
group "analysts" { members = { "anna", "ben" } }
group "guests" { members = { "carl" } }
user "anna" {}
user "ben" {}
user "carl" {}
