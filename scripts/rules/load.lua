-- A cluster as large as its load: nodes come when it is busy and go when it is
-- idle; in between nothing changes, so that it does not swing.
--
--     rule "load" { cluster = "payroll",
--         scale = require "rules.load" { up = 80, down = 20, open = 50 } }
--
-- up, down   percent of the nodes' processors, busy from and idle to there
-- looks      so many looks in a row must say so (default 3)
-- open       a cluster with more open transactions for each node is busy, too
-- step       nodes that come at a time (default 1); one goes at a time
--
-- A node goes only when those that stay will not be busy by it.  While a node is
-- still coming, and while nothing is known of the processors, all stays as it is.
-- The rule's word comes after the calendar's: give `least` a function of `now`, for
-- example of rules.calendar, for hours that need more nodes whatever the load.

-- The newest looks, how many of them are busy, how many idle, and their mean.
local function look(history, o)
    local n, busy, idle, sum = math.min(#history, o.looks), 0, 0, 0
    for i = 1, n do
        if history[i] >= o.up then busy = busy + 1 end
        if history[i] <= o.down then idle = idle + 1 end
        sum = sum + history[i]
    end
    return n, busy, idle, n > 0 and sum // n or 0
end

-- How many nodes there should be, and why.
local function decide(now, o)
    local nodes, open, waiting = now.nodes, now.open or 0, now.waiting or 0
    local n, busy, idle, cpu = look(now.cpu_history or {}, o)

    if now.serving and now.serving < nodes then
        return nodes, ("%d of %d nodes serve: wait for the rest"):format(now.serving, nodes)
    elseif o.open and open > o.open * nodes then
        return nodes + o.step, ("%d open, more than %d for each node"):format(open, o.open)
    elseif waiting > 0 then
        return nodes + o.step, ("%d wait for a node"):format(waiting)
    elseif n < o.looks then
        return nodes, "too little is known of the processors"
    elseif busy == n then
        return nodes + o.step, ("cpu %d%%, at least %d%% in %d looks"):format(cpu, o.up, n)
    elseif idle == n and nodes > 1 then
        local after = cpu * nodes // (nodes - 1)
        local fits = not o.open or open <= o.open * (nodes - 1)
        if after < o.up and fits then
            return nodes - 1, ("cpu %d%%, at most %d%% in %d looks"):format(cpu, o.down, n)
        end
    end
    return nodes, ("cpu %d%%"):format(cpu)
end

return function(options)
    local o = { up = options.up or 80, down = options.down or 20, looks = options.looks or 3,
                open = options.open, step = options.step or 1 }
    local least = options.least

    if o.down >= o.up then
        error("rules.load: down must be less than up", 2)
    end
    return function(now)
        local nodes, why = decide(now, o)
        local floor = type(least) == "function" and (least(now) or {}).nodes or least
        if math.type(floor) == "integer" and nodes < floor then
            nodes, why = floor, ("at least %d now; %s"):format(floor, why)
        end
        nodes = math.min(nodes, now.max_nodes or nodes)
        return { nodes = math.max(nodes, now.min_nodes or 1), why = why }
    end
end
