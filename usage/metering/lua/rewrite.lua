-- rewrite.lua: bring newer limits into an open account.
--
-- KEYS   1 account
-- ARGV   1 version, 2 until (microseconds), 3 plan, 4 stamp of the cap stops ("0" = there is no cap), then five for
--        each metric: metric, limit, stop, cap stop, burst
-- Reply  1 written; 0 there is no account, or what it holds is as new (nothing was changed)
-- Never creates an account or a metric in it: what is missing is opened when it is asked for.
-- Cap stops of a later stamp stay: they were computed from these limits or newer ones.
local wanted = {KEYS[1], 'version', 'until', 'stamp'}
for i = 5, #ARGV, 5 do wanted[#wanted + 1] = 's:' .. ARGV[i] end
local kept = redis.call('HMGET', unpack(wanted))
if not kept[1] then return 0 end
local version, until_ = tonumber(ARGV[1]), tonumber(ARGV[2])
if version < tonumber(kept[1]) or (version == tonumber(kept[1]) and until_ <= tonumber(kept[2])) then return 0 end

-- All is written by one command: a plan's edit comes here for each of its tenants.
local fields = {KEYS[1], 'version', ARGV[1], 'until', ARGV[2], 'plan', ARGV[3]}
local function write(name, value)
  fields[#fields + 1], fields[#fields + 2] = name, value
end
local stamp = tonumber(ARGV[4])
local later = stamp == 0 or stamp > tonumber(kept[3] or 0)
if stamp > 0 and later then write('stamp', ARGV[4]) end
for i = 5, #ARGV, 5 do
  if kept[3 + i / 5] then
    local metric = ARGV[i]
    write('l:' .. metric, ARGV[i + 1])
    write('s:' .. metric, ARGV[i + 2])
    write('b:' .. metric, ARGV[i + 4])
    if later then write('c:' .. metric, ARGV[i + 3]) end
  end
end
redis.call('HSET', unpack(fields))
return 1
