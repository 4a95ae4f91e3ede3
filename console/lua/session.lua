-- remuda.allocate: a machine and a stream to it, as `remuda connect` has.
local S = ...
local core, wish, remuda = S.core, S.wish, S.remuda

local session = {}

-- In a dry run there is no stream: nothing is sent and the end comes at once.
function session:send(bytes, timeout)
	if self.stream then S.need(self.stream:send(bytes, S.milliseconds(timeout, -1))) end
	return self
end

-- Some bytes, or a "line", or "all", or that many; nil at the end.
function session:receive(what, timeout)
	if not self.stream then return nil end
	return (S.need(self.stream:receive(what or "some", S.milliseconds(timeout, -1))))
end

function session:lines(timeout)
	return function() return self:receive("line", timeout) end
end

-- We send no more; the machine may still.
function session:shut()
	if self.stream then S.need(self.stream:shut(-1)) end
	return self
end

-- With confirm = true it returns when the machine has said that it is clean.
function session:close(options)
	options = options or {}
	if self.stream then S.need(self.stream:close(options.confirm, S.milliseconds(options.timeout, -1))) end
	return true
end

local mark = {
	__name = "remuda.stream",
	__index = session,
	__tostring = function(s) return "session/" .. tostring(s.id or "-") end,
	__close = function(s)	-- local s <close> = remuda.allocate(...)
		if s.stream then s.stream:close(false, 10000) end
	end,
}

local options_known = { user = true, wait = true, request_id = true, password = true, socket = true, to = true,
	timeout = true }

function remuda.allocate(application, options)
	options = options or {}
	for key in pairs(options) do
		if not options_known[key] then
			S.wrong('allocate has no option "%s"%s', tostring(key), S.near(key, options_known))
		end
	end
	application = S.bare(application)
	S.refuse_read_only("allocate takes a machine")
	if wish.dry_run then
		S.planned("would allocate a machine of " .. application, "allocate", "application/" .. application)
		return setmetatable({ application = application, dry_run = true }, mark)
	end
	local beside = wish.socket and wish.socket:gsub("[^/]*$", "native.sock")
	local stream = S.need(core.allocate({ application = application, user = options.user,
		request_id = options.request_id, password = options.password, to = options.to,
		site = wish.site, run_dir = wish.run_dir, socket = options.socket or not options.to and beside or nil,
		wait_ms = S.milliseconds(options.wait) }, S.milliseconds(options.timeout, -1)))
	local s = stream:about()
	s.application, s.stream = application, stream
	return setmetatable(s, mark)
end
