-- A site with a cluster: an intranet server of several nodes behind one address,
-- on three hosts at two sites, that grows with its load and its calendar.
--
-- Nodes are made from payroll.qcow2, an image with the server installed, and have
-- addresses of their own in the bridge of the hosts (machine.xml puts 10.0.7.INDEX
-- on the kernel's command line).  Clients know 10.0.0.50 only.

-- reserve: machines are made only where room is left for those of the largest host,
-- should it be lost.  metrics: Prometheus text for who asks there.
site "payroll" {
    peers = true,
    reserve = true,
    metrics = "127.0.0.1:9090",
    stats = "10 s",
}

-- vcpus and memory are what machines may use of a host together; migrate is where
-- live migrations come in.
host "hv01" {
    uri = "qemu+tcp://10.99.0.1/system", site = "north", labels = { "ssd" },
    vcpus = 16, memory = "64 GiB", migrate = "tcp://10.99.0.1",
}
host "hv02" {
    uri = "qemu+tcp://10.99.0.2/system", site = "north", labels = { "ssd" },
    vcpus = 16, memory = "64 GiB", migrate = "tcp://10.99.0.2",
}
host "hv03" {
    uri = "qemu+tcp://10.99.0.3/system", site = "south", labels = { "ssd", "archive" },
    vcpus = 8, memory = "32 GiB", migrate = "tcp://10.99.0.3",
}

local service = require "lib.service"

-- identity = "proxy": a node learns the client's address from a PROXY v2 header.
-- start and stop are for strategy = "move", health is asked in the guest.
application "payroll" {
    endpoint = "tcp:10.0.7.{index}:80",
    identity = "proxy",
    prepare = function(machine) service.start(machine, "nginx") end,
    ready = function(machine) machine:wait_port(80) end,
    start = function(machine) service.start(machine, "nginx") end,
    stop = function(machine) service.stop(machine, "nginx") end,
    health = function(machine) return service.is_active(machine, "nginx") end,
}

cluster "payroll" {
    application = "payroll",

    -- Outside 127.0.0.0/8 an address is put on an interface and announced there.
    vip = "10.0.0.50/24", interface = "br0", port = 80,

    -- Its size, and how far calendar, rules and operators may move it.
    nodes = 2, min_nodes = 1, max_nodes = 8,
    vcpus = 2, max_vcpus = 4,
    memory = "2 GiB", max_memory = "4 GiB",

    -- What a node is made of: the same words as a pool's.
    template = "machine.xml",
    image = "payroll.qcow2",
    boot_deadline = "2 min",

    -- Where: any host with an ssd, the north first, no two nodes on one host while
    -- that can be had.
    hosts = "*", labels = { "ssd" }, sites = { "north", "south" }, spread = "hosts",

    -- A transaction goes to the node with the fewest; while no node has answered
    -- it, it is repeated at another one should its node die.  It waits so long for
    -- a node, and a leaving node so long for its transactions.
    balance = "least-sessions", replay = true, wait = "5 s", drain = "30 s",
    health = {
        request = "GET /health HTTP/1.0\r\n\r\n", expect = "200",
        interval = "1 s", timeout = "1 s", fall = 2, rise = 1,
    },

    -- A change of size makes the new node, switches, and only then ends the old one.
    -- Rules and the calendar wait so long after a change before the next.
    strategy = "failover", cool_up = "1 min", cool_down = "10 min",

    -- Of entries that hold at the same time the last one counts.
    calendar = {
        { every = "Mon-Fri 07:30-18:00", nodes = 4 },
        { every = "Dec,May", vcpus = 4, memory = "4 GiB" },
        { on = "2026-12-24..2027-01-02", nodes = 1 },
    },
}

-- Salaries are paid on the last working day of a month; on the others the load
-- decides.
rule "load" {
    cluster = "payroll", every = "30 s", deadline = "1 s",
    scale = require "rules.load" {
        up = 75, down = 20, open = 200,
        least = require "rules.calendar" { { when = "last workday", nodes = 6 } },
    },
}

-- A pool beside it, for people: nobody waits in the morning.  Its machines have
-- addresses of their own too (desk.xml is machine.xml with 10.0.8.INDEX).
application "desk" {
    endpoint = "tcp:10.0.8.{index}:22",
    identity = "none",
    ready = function(machine) machine:wait_port(22) end,
}
pool "desk" {
    application = "desk",
    serve = 4, spare = 2, max = 20,
    template = "desk.xml", memory = "512 MiB",
    hosts = "*", spread = "hosts",
    recycle = "rebuild",
}
rule "mornings" {
    pool = "desk", every = "5 min",
    scale = require "rules.spare_by_hour" { minutes = 2, least = 2, most = 8 },
}
listener "front" {
    door = "native", address = "unix:native.sock", user = "peer",
    applications = { "desk" },
}
