-- collect.lua: read together everything of one tenant that is not yet in PostgreSQL.
--
-- KEYS   1 tenant, 2 dirty, 3 newcomers, then for each dirty hour its hour and its account
-- ARGV   1 most newcomers to read, then each hour's name in dirty
-- Reply  {tenant, newcomers, hour, ...}; a tenant is a flat list of fields and values, an hour is
--        {score in dirty ('' = no longer dirty), flat list of the hour, flat list of the account}
-- Changes nothing but that what each account is charged from here on marks its hour as dirty anew.
local reply = {
  redis.call('HGETALL', KEYS[1]),
  redis.call('SRANDMEMBER', KEYS[3], tonumber(ARGV[1])),
}
for i = 2, #ARGV do
  local hour, score = 4 + (i - 2) * 2, redis.call('ZSCORE', KEYS[2], ARGV[i])
  if score then
    reply[#reply + 1] = {score, redis.call('HGETALL', KEYS[hour]), redis.call('HGETALL', KEYS[hour + 1])}
    redis.call('HDEL', KEYS[hour + 1], 'hour')
  else
    reply[#reply + 1] = {'', {}, {}}
  end
end
return reply
