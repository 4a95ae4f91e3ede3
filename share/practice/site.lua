-- The practice site: three hosts, five pools, a cluster and sixty users, none of
-- them real.  libvirt's test driver plays the hosts, the console plays the machines'
-- services and the users; nothing outside of its folder is touched, and all of it
-- goes when you leave.  Everything else is as in any site: try what you like,
-- also this file: press e, change a number, save.

site "practice" { peers = true }

host "hv01" { uri = "test:///default", site = "north", vcpus = 192, memory = "384 GiB", boot_parallel = 4 }
host "hv02" { uri = "test:///default", site = "north", vcpus = 192, memory = "384 GiB", boot_parallel = 4 }
host "hv03" { uri = "test:///default", site = "south", vcpus = 128, memory = "256 GiB", boot_parallel = 4 }

local function service(name, network, more)
    more = more or {}
    more.endpoint = "tcp:127.0." .. network .. ".{index}:@PORT@"
    more.identity, more.agent = "none", false
    application(name)(more)
end
service("office", 11)
service("cad", 12)
service("classroom", 13)
service("kiosk", 14)
-- One of its machines has a bad day.
service("build", 15, { prepare = function(machine)
    if machine.index == 3 then error("no space left on /build (100 % used)") end
end })

local function machines(name, more)
    more.application, more.hosts, more.kernel = name, "*", "none"
    more.recycle = "rebuild"
    pool(name)(more)
end
machines("office", { serve = 44, spare = 8, max = 80, vcpus = 2, memory = "4 GiB" })
machines("cad", { serve = 16, spare = 2, max = 24, vcpus = 8, memory = "16 GiB" })
machines("classroom", { serve = 24, max = 30, vcpus = 2, memory = "4 GiB" })
machines("kiosk", { serve = 6, spare = 2, max = 10, vcpus = 1, memory = "1 GiB" })
machines("build", { serve = 6, spare = 2, max = 12, vcpus = 4, memory = "8 GiB" })

-- A web service: whoever asks 127.0.7.200 gets a node, and never sees which.
service("web", 7)
cluster "web" {
    application = "web", vip = "127.0.7.200", port = @WEB@, kernel = "none", hosts = "*",
    nodes = 2, min_nodes = 1, max_nodes = 6, vcpus = 4, memory = "8 GiB",
    cool_up = "20 s", cool_down = "60 s",
}

-- Who decides how many: a function of what is now.
rule "load" {
    cluster = "web", every = "10 s",
    scale = function(now)
        if now.open > 3 * now.nodes then
            return { nodes = now.nodes + 1, why = now.open .. " open connections" }
        end
        if now.open < now.nodes and now.nodes > 2 then
            return { nodes = now.nodes - 1, why = "few open connections" }
        end
    end,
}

listener "front" {
    door = "connect", address = "unix:front.sock", user = "password",
    applications = { "office", "cad", "classroom", "kiosk", "build" }, wait = "2 min",
}

-- The same for you: the applications' view (0) says what to type.  Password: practice
listener "desk" {
    door = "connect", address = "127.0.0.1:@DESK@", user = "password",
    applications = { "office", "cad", "classroom", "kiosk", "build" }, wait = "2 min",
}

for _, name in ipairs { @USERS@ } do
    user(name) { password = "@PASSWORD@", applications = "*" }
end
