-- The demo site: three applications in pools of machines, and one machine that
-- keeps their data.  `make demo` builds their image and starts it.

-- peers: on a unix socket whoever has a login on this host is a user by that name.
site "demo" { peers = true }

-- A user gets libvirt's session daemon, root the system one.
host "local" { uri = "auto" }

require "applications.mail"
require "applications.backup"
require "applications.statistics"
require "applications.files"

-- What every machine boots: the image of share/demo/build-image.sh, beside this
-- file.  The command line is for a quiet and quick start, nothing more.
local kernel, initrd = "vmlinuz", "initrd.img"
local cmdline = "console=ttyS0 quiet loglevel=4 audit=0 apparmor=0 no_timer_check "
    .. "tsc=reliable rcupdate.rcu_expedited=1 cryptomgr.notests"

-- The file manager comes first: mail and backup are of no use without it.
pool "files" {
    application = "files",
    serve = 1,
    keep = true,
    volume = "64 MiB",
    kernel = kernel, initrd = initrd, cmdline = cmdline,
    memory = "128 MiB",
    recycle = "clean",
}

pool "mail" {
    application = "mail",
    serve = 2, spare = 1, max = 4,
    kernel = kernel, initrd = initrd, cmdline = cmdline,
    memory = "128 MiB",
    recycle = "clean",
}

pool "backup" {
    application = "backup",
    serve = 1, max = 2,
    kernel = kernel, initrd = initrd, cmdline = cmdline,
    memory = "128 MiB",
    recycle = "clean",
}

pool "statistics" {
    application = "statistics",
    serve = 1, max = 2,
    kernel = kernel, initrd = initrd, cmdline = cmdline,
    memory = "128 MiB",
    recycle = "clean",
}

-- Every user may reach the file manager, and finds his own space there.
resource "files" { pool = "files", access = { ["*"] = true } }

-- remuda connect APPLICATION, from this machine: the login name is the user.
listener "front" {
    door = "native",
    address = "unix:native.sock",
    user = "peer",
    applications = { "mail", "backup", "statistics" },
}

-- The same from elsewhere, with a password; loopback only in a demo.
listener "tcp" {
    door = "native",
    address = "127.0.0.1:7070",
    user = "password",
    applications = { "mail", "backup", "statistics" },
}

-- Any TCP client:  seq 100 | nc -N 127.0.0.1 7071
listener "statistics" {
    door = "direct",
    address = "127.0.0.1:7071",
    application = "statistics",
    user = "kiosk",
}

-- Both passwords are "remuda" (mkpasswd -m yescrypt makes such lines).
user "anna" {
    password = "$y$j9T$MerPHxAYQlz4DVvVz3Czd/$ejKYQL1XYRCfgXxzcz0KpyOUdQ7udKuEyoTHE806HD6",
    applications = "*",
}
user "ben" {
    password = "$y$j9T$4U.rveoGqTu5uwlU5wqM4/$zV39zV2VrA6bZBQAgJQswCOhQc0K1g2zuJ5JmX6oMl8",
    applications = "*",
}
user "kiosk" { applications = { "statistics" } }
