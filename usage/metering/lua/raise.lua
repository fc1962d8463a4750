-- raise.lua: where PostgreSQL knows more than Redis, raise Redis; doing it twice changes nothing.
--
-- KEYS   1 tenant, 2 account, then the member set of each distinct metric, in order
-- ARGV   1 epoch, then five for each metric: metric, kind (s, l, d), others, own, own removed (as in open.lua)
-- Reply  how many metrics were corrected; of sums and levels none where tenant and account live in another epoch
local epoch, raised, sets = ARGV[1], 0, 0
local tenant = redis.call('HGET', KEYS[1], 'epoch')
local account = redis.call('HGET', KEYS[2], 'epoch')

local function correct(key, fields, values)
  local held = redis.call('HMGET', key, unpack(fields))
  local moved = false
  for i, field in ipairs(fields) do
    if held[i] and held[i] ~= values[i] then
      redis.call('HSET', key, field, values[i])
      moved = true
    end
  end
  if moved then raised = raised + 1 end
end

local function most(key, field, least)
  return string.format('%.0f', math.max(tonumber(redis.call('HGET', key, field) or 0), least))
end

for i = 2, #ARGV, 5 do
  local metric, kind, others = ARGV[i], ARGV[i + 1], tonumber(ARGV[i + 2])
  local own, removed = tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  if kind == 'l' and tenant == epoch then
    correct(KEYS[1], {'o:' .. metric, 'a:' .. metric, 'r:' .. metric},
      {ARGV[i + 2], most(KEYS[1], 'a:' .. metric, own), most(KEYS[1], 'r:' .. metric, removed)})
  elseif kind == 's' and account == epoch then
    local held = redis.call('HMGET', KEYS[2], 'o:' .. metric, 'u:' .. metric)
    if held[1] and held[2] then
      local opening = math.max(tonumber(held[1]), others)
      local used = opening + math.max(tonumber(held[2]) - tonumber(held[1]), own)
      correct(KEYS[2], {'o:' .. metric, 'u:' .. metric},
        {string.format('%.0f', opening), string.format('%.0f', used)})
    end
  elseif kind == 'd' then
    sets = sets + 1
    -- Of any epoch: the set has been filled already, and the count must not fall behind it.
    correct(KEYS[2], {'u:' .. metric}, {tostring(redis.call('SCARD', KEYS[2 + sets]))})
  end
end
return raised
