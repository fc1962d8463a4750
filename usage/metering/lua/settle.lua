-- settle.lua: take what is now in PostgreSQL off the lists, unless it moved meanwhile.
--
-- KEYS   1 dirty, 2 newcomers, then the hours
-- ARGV   1 seconds an hour is kept from here on, 2 number of hours, for each hour its name in dirty and the score
--        it was read at, then the newcomers that were kept
-- Reply  how many hours were taken off
local settled = 0
for i = 1, tonumber(ARGV[2]) do
  local name, score = ARGV[1 + i * 2], ARGV[2 + i * 2]
  if redis.call('ZSCORE', KEYS[1], name) == score then
    redis.call('ZREM', KEYS[1], name)
    redis.call('EXPIRE', KEYS[2 + i], ARGV[1])
    settled = settled + 1
  end
end
for i = 3 + tonumber(ARGV[2]) * 2, #ARGV do redis.call('SREM', KEYS[2], ARGV[i]) end
return settled
