-- Who used how much last month, as CSV: a line for each user.
--
--     remuda run usage_report > usage.csv
--     remuda run usage_report --month 2026-11
--     remuda run usage_report --application mail --format table
--
-- From the history of sessions: one counts in the month in which it began, with
-- the whole of its time; those that still go on count until now.

local options = require "lib.options"
local o = options { month = os.date("%Y-%m", os.time { year = os.date("*t").year, month = os.date("*t").month - 1, day = 1 }),
    application = false, format = "csv" }
local year, month = o.month:match("^(%d%d%d%d)%-(%d%d)$")
if not year then remuda.fail(("--month is such as 2026-11, not %q"):format(o.month), "usage") end
local next_month = os.date("%Y-%m-%d", os.time { year = year, month = month + 1, day = 1 })

local users = {}
for s in remuda.sessions { history = true, since = o.month .. "-01", until_ = next_month, app = o.application or nil } do
    local u = users[s.user] or { user = s.user, sessions = 0, seconds = 0, lost = 0, bytes_in = 0, bytes_out = 0 }
    local ended = s.ended and remuda.time(s.ended) or os.time()
    users[s.user] = u
    u.sessions = u.sessions + 1
    u.seconds = u.seconds + math.max(0, math.floor(ended - remuda.time(s.assigned) + 0.5))
    u.lost = u.lost + (s.state == "lost" and 1 or 0)
    u.bytes_in, u.bytes_out = u.bytes_in + (s.bytes_in or 0), u.bytes_out + (s.bytes_out or 0)
end

local rows = remuda.array()
for _, u in pairs(users) do
    u.hours = ("%.2f"):format(u.seconds / 3600)
    rows[#rows + 1] = u
end
table.sort(rows, function(a, b) return a.user < b.user end)
remuda.print(rows, { "user", "sessions", "hours", "seconds", "lost", "bytes_in", "bytes_out" }, o.format)
