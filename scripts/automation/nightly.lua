-- Deletes machines that have failed for a while, and says how the site is.
--
--     remuda run nightly                       from cron, or a systemd timer
--     remuda run --dry-run nightly             what it would do
--     remuda run nightly --older "1 h" --pool mail
--
-- A machine that failed three times in a row is put into quarantine, where it
-- stays for whoever wants to know why; after --older nobody came, and its pool
-- gets another one.  Exit code 1 when a pool has fewer machines than it shall.

local options = require "lib.options"
local o = options { older = "10 min", pool = false }

for m in remuda.machines { state = "quarantined", older = o.older, pool = o.pool or nil } do
    local why = m.reason or "no reason known"
    local done = m:delete { confirm = true, why = "nightly: failed for " .. o.older }
    if not done.dry_run then print(done.text .. ": " .. why) end
end

local short = 0
for p in remuda.pools {} do
    local ready = p.ready + (p.saved or 0)
    if p.total - p.bad < p.serve then short = short + 1 end
    print(("pool/%s: %d in use, %d ready, %d bad, %d waiting%s"):format(p.name, p.in_use, ready, p.bad, p.waiting,
        p.reason and " (" .. p.reason .. ")" or ""))
end

local day = { begun = 0, lost = 0, failed = 0, refused = 0 }
for h in remuda.history.hours { since = "1d" } do
    day.begun, day.lost = day.begun + h.sessions, day.lost + h.lost
    day.failed, day.refused = day.failed + h.failed, day.refused + h.refused
end
print(("last 24 h: %d sessions, %d lost, %d failed, %d refused"):format(day.begun, day.lost, day.failed, day.refused))
return short > 0 and 1 or 0
