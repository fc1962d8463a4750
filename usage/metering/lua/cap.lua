-- cap.lua: bring into an open account how far the money left under a spend cap reaches.
--
-- KEYS   1 account
-- ARGV   1 stamp (rises with each computation), 2 version and 3 until (microseconds) of the limits it was computed from,
--        then two for each metric: metric, cap stop (-1 = none)
-- Reply  1 written; 0 there is no account, or it holds newer limits or cap stops of a later stamp (nothing was changed)
-- Never creates an account or a metric in it.
local kept = redis.call('HMGET', KEYS[1], 'version', 'until', 'stamp')
if not kept[1] or tonumber(ARGV[1]) <= tonumber(kept[3] or 0) then return 0 end
local version, until_ = tonumber(ARGV[2]), tonumber(ARGV[3])
if version < tonumber(kept[1]) or (version == tonumber(kept[1]) and until_ < tonumber(kept[2])) then return 0 end
redis.call('HSET', KEYS[1], 'stamp', ARGV[1])
for i = 4, #ARGV, 2 do
  if redis.call('HEXISTS', KEYS[1], 's:' .. ARGV[i]) == 1 then
    redis.call('HSET', KEYS[1], 'c:' .. ARGV[i], ARGV[i + 1])
  end
end
return 1
