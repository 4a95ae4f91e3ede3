-- Before the maintenance of a host: no new users on it, and nobody left.
--
--     remuda run drain_host --host hv03                waits until the last session has ended
--     remuda run drain_host --host hv03 --patience "30 min" --evict
--     remuda run drain_host --host hv03 --undo         when it is back
--
-- The host's pools shrink to nothing: free machines go at once, each of the
-- others when its user leaves.  With --evict those who are there after --patience are
-- ended; without it the script ends with exit code 7 and the pools stay small,
-- so that it can be run again.

local options = require "lib.options"
local o = options { host = "", patience = "2 h", evict = false, undo = false }
local host = remuda.host(o.host)
print(("host/%s: %s"):format(o.host, host.state))

local pools = remuda.pools { host = o.host }
if o.undo then
    for p in pools do print(p:reset { why = "host " .. o.host .. " is back" }.text) end
    return 0
end

for p in pools do
    local done = p:scale { serve = 0, spare = 0, max = 1, why = "maintenance of host " .. o.host }
    if not done.dry_run then print(done.text) end
end

-- One in session is taken away when that has ended: nobody is cut off here.
for m in remuda.machines { host = o.host } do
    local ok, e = pcall(m.delete, m, { confirm = true, why = "maintenance of host " .. o.host })
    if not ok and e.code ~= "not_found" then error(e, 0) end
end

local function sessions()
    local here = {}
    for m in remuda.machines { host = o.host } do here[m.name] = true end
    return remuda.sessions { machine = function(name) return here[name] end }
end

for s in sessions() do print(("%s: %s is on %s since %s"):format(s, s.user, s.machine, s.assigned)) end

local function is_empty() return #remuda.machines { host = o.host } == 0 end

local ok, e = pcall(remuda.wait, is_empty, { timeout = o.patience })
if not ok then
    if e.code ~= "timeout" or not o.evict then error(e, 0) end
    for s in sessions() do print(s:finish { confirm = true, text = "maintenance of " .. o.host }.text) end
    remuda.wait(is_empty, { timeout = "5 min" })
end
print(("host/%s carries no machine"):format(o.host))
