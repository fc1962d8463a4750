-- open.lua: set up a tenant's account for one period, unless another opener was first.
--
-- KEYS   1 tenant, 2 account, 3 hour, 4 dirty, then the member set of each distinct metric, in order
-- ARGV   1 life, 2 epoch the tenant was read under ("" = none), 3 epoch, 4 hour's name in dirty,
--        5 until (microseconds),
--        6 version, 7 plan, 8 seconds the account is kept, 9 stamp of the cap stops ("0" = there is no cap),
--        then ten for each metric: metric, kind (s, l, d), others, own, own removed, refused, limit, stop, cap stop,
--        burst
--        others: units of the other epochs (a level: added less removed); own: units of this epoch in PostgreSQL
-- Reply  1 open; 0 another opener was first, or counts arrived under the old epoch: look again
local WIDTH, FIRST = 10, 10
local life, before, epoch = ARGV[1], ARGV[2], ARGV[3]

local tenant = redis.call('HMGET', KEYS[1], 'life', 'epoch')
if (tenant[2] or '') ~= before then return 0 end
local reborn = tenant[1] ~= life
if not reborn and tenant[2] ~= epoch then return 0 end

local hour = redis.call('HGET', KEYS[3], 'epoch')
local account = redis.call('HGET', KEYS[2], 'epoch')
if (hour and hour ~= epoch) or (account and account ~= epoch) then
  -- What was counted under another epoch must be in PostgreSQL before it goes.
  if redis.call('ZSCORE', KEYS[4], ARGV[4]) then return 0 end
  if hour ~= epoch then redis.call('DEL', KEYS[3]) end
  if account ~= epoch then redis.call('DEL', KEYS[2]) end
end
if reborn then
  redis.call('DEL', KEYS[1])
  local time = redis.call('TIME')
  redis.call('HSET', KEYS[1], 'life', life, 'epoch', epoch, 'opened', time[1] .. string.format('%06d', time[2]))
end

local kept = redis.call('HMGET', KEYS[2], 'version', 'until', 'stamp')
local stamp = tonumber(ARGV[9])
-- Cap stops of a later stamp were computed from more.
local later = stamp == 0 or stamp > tonumber(kept[3] or 0)
local newer = not kept[1] or tonumber(ARGV[6]) > tonumber(kept[1])
  or (tonumber(ARGV[6]) == tonumber(kept[1]) and tonumber(ARGV[5]) > tonumber(kept[2]))
redis.call('HSET', KEYS[2], 'life', life, 'epoch', epoch)
if newer then
  redis.call('HSET', KEYS[2], 'until', ARGV[5], 'version', ARGV[6], 'plan', ARGV[7])
  if stamp > 0 and later then redis.call('HSET', KEYS[2], 'stamp', ARGV[9]) end
  redis.call('EXPIRE', KEYS[2], ARGV[8])
end

local sets = 0
for i = FIRST, #ARGV, WIDTH do
  local metric, kind, others, own = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if kind == 'l' then
    if redis.call('HSETNX', KEYS[1], 'o:' .. metric, others) == 1 then
      redis.call('HSET', KEYS[1], 'a:' .. metric, own, 'r:' .. metric, ARGV[i + 4])
    end
  elseif kind == 'd' then
    -- Always: the set has been filled already, and the count must not fall behind it.
    redis.call('HSET', KEYS[2], 'o:' .. metric, others, 'u:' .. metric, redis.call('SCARD', KEYS[5 + sets]))
    sets = sets + 1
  elseif redis.call('HSETNX', KEYS[2], 'o:' .. metric, others) == 1 then
    redis.call('HSET', KEYS[2], 'u:' .. metric, string.format('%.0f', tonumber(others) + tonumber(own)))
  end
  redis.call('HSETNX', KEYS[2], 'x:' .. metric, ARGV[i + 5])
  redis.call('HSETNX', KEYS[2], 'g:' .. metric, 0)
  local missing = redis.call('HEXISTS', KEYS[2], 's:' .. metric) == 0
  if newer or missing then
    redis.call('HSET', KEYS[2], 'l:' .. metric, ARGV[i + 6], 's:' .. metric, ARGV[i + 7], 'b:' .. metric, ARGV[i + 9])
    if later or missing then redis.call('HSET', KEYS[2], 'c:' .. metric, ARGV[i + 8]) end
  end
end
return 1
