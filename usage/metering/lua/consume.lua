-- consume.lua: read the limits and counts of all charges; count all of them, or refuse and count none.
--
-- KEYS   1 tenant, 2 account, 3 hour, 4 dirty, 5 caller, 6 refusals, 7 newcomers, then one member set
--        for each distinct charge, in order
-- ARGV   1 life, 2 number of the actor's call ("0": keep no reply), 3 hour (Unix time / 3600), 4 period,
--        5 name in dirty, 6 "1" to count without refusing, 7 request id,
--        8 microseconds back to before the call was first sent ("0": this is the first time),
--        then five for each charge: op, metric, amount, label, member
--        op     s sum, l level, d distinct, m level measured (amount is the new level),
--               g gate (refused where the stop is reached, counts nothing), p peek (neither)
-- Reply  one string of integers, separated by commas; the first is the status:
--        0 counted: plan, then seven for each charge
--        1 refused: plan, index of the charge, cause (1 limit, 2 cap, 3 burst), seconds to wait, then seven each
--        2 cold: the account must be opened first;  3 moved: the caller's hour is not Redis' hour;
--          both: Redis' own time, seconds and microseconds
--        4 stale: a later call of this actor was answered already
--        5 too large for the metric's burst: index;  6 beyond 2^53: index
--        seven: used, limit, stop, cap stop, burst, left of the burst, milliseconds until the burst is whole
--        (-1 = none)
-- A refused call changes nothing but the refusals. A repeated number returns the first reply and changes nothing.
local MINUTE, MOST, LABELS = 60000000, 9007199254740992, 50
local WIDTH, FIRST = 5, 9

-- Lua writes large numbers with an exponent; small ones need no help.
local function whole(n) return n < 100000000000000 and n or string.format('%.0f', n) end

local number = ARGV[2]
if number ~= '0' then
  local kept = redis.call('GET', KEYS[5])
  if kept then
    local colon = string.find(kept, ':', 1, true)
    local last = tonumber(string.sub(kept, 1, colon - 1))
    if last == tonumber(number) then return string.sub(kept, colon + 1) end
    if last > tonumber(number) then return '4' end
  end
end

local time = redis.call('TIME')
local second = tonumber(time[1])
local micro = second * 1000000 + tonumber(time[2])
local function with_time(status) return status .. ',' .. time[1] .. ',' .. time[2] end

if math.floor(second / 3600) ~= tonumber(ARGV[3]) then return with_time(3) end
if ARGV[8] ~= '0' then
  -- Counts opened after the first sending can't tell whether that was counted: its reply went with the former ones.
  local opened = redis.call('HGET', KEYS[1], 'opened')
  if not opened or tonumber(opened) >= micro - tonumber(ARGV[8]) then return with_time(2) end
end

-- One read of each hash.
local count = (#ARGV - FIRST + 1) / WIDTH
local wanted, levels, level_at = {'epoch', 'until', 'plan'}, {'life', 'epoch'}, {}
for i = 0, count - 1 do
  local op, metric = ARGV[FIRST + i * WIDTH], ARGV[FIRST + i * WIDTH + 1]
  local n = #wanted
  wanted[n + 1], wanted[n + 2], wanted[n + 3] = 'u:' .. metric, 'l:' .. metric, 's:' .. metric
  wanted[n + 4], wanted[n + 5], wanted[n + 6] = 'c:' .. metric, 'b:' .. metric, 'g:' .. metric
  if op ~= 's' and op ~= 'd' then
    n = #levels
    levels[n + 1], levels[n + 2], levels[n + 3] = 'o:' .. metric, 'a:' .. metric, 'r:' .. metric
    level_at[i] = n + 1
  end
end
local tenant = redis.call('HMGET', KEYS[1], unpack(levels))
local account = redis.call('HMGET', KEYS[2], unpack(wanted))
local epoch = tenant[2]
if tenant[1] ~= ARGV[1] or not epoch or account[1] ~= epoch or micro >= tonumber(account[2]) then return with_time(2) end
local hour_epoch = redis.call('HGET', KEYS[3], 'epoch')
if hour_epoch and hour_epoch ~= epoch then return with_time(2) end
local plan = account[3]

-- What a level's books are below zero, where units were removed twice over: PostgreSQL may learn of removals late.
local owed = {}

local function standing(i)
  local at = level_at[i]
  if not at or not tenant[at] then return tonumber(account[4 + i * 6]) end
  local amount = tonumber(tenant[at]) + tonumber(tenant[at + 1]) - tonumber(tenant[at + 2])
  if amount < 0 then owed[ARGV[FIRST + i * WIDTH + 1]] = -amount end
  return math.max(0, amount)
end

-- Decide. `now` holds what each metric stands at after the charges so far, `tat` its burst's time.
local now, tat, steps, sets = {}, {}, {}, 0
local refused, cause, wait = nil, 0, 0
for i = 0, count - 1 do
  local base = FIRST + i * WIDTH
  local op, metric, amount, member = ARGV[base], ARGV[base + 1], tonumber(ARGV[base + 2]), ARGV[base + 4]
  local at = 3 + i * 6
  local used, stop = now[metric] or standing(i), tonumber(account[at + 3])
  if not stop or not used then return with_time(2) end
  local cap, burst = tonumber(account[at + 4]), tonumber(account[at + 5])
  local ready = tat[metric] or math.max(tonumber(account[at + 6]), micro)

  local add = 0
  if op == 's' then add = amount
  elseif op == 'l' then add = math.max(amount, -used)
  elseif op == 'm' then add = amount - used
  elseif op == 'd' then
    sets = sets + 1
    if not now[metric .. ':' .. member] and redis.call('SISMEMBER', KEYS[7 + sets], member) == 0 then
      add = 1
      now[metric .. ':' .. member] = 1
    end
  end
  if add > MOST - used then return '6,' .. i end  -- their sum would be rounded

  local after = used + add
  if ARGV[6] == '0' and op ~= 'm' and op ~= 'p' then
    if op == 'g' then
      if stop >= 0 and used >= stop then cause = 1 elseif cap >= 0 and used >= cap then cause = 2 end
    elseif add > 0 then
      if stop >= 0 and after > stop then cause = 1
      elseif cap >= 0 and after > cap then cause = 2
      elseif burst >= 0 then
        if add > burst then return '5,' .. i end
        ready = ready + math.floor(add * MINUTE / burst)
        if ready - micro > MINUTE then
          cause, wait = 3, math.ceil((ready - micro - MINUTE) / 1000000)
        else
          tat[metric] = ready
        end
      end
    end
    if cause > 0 then refused = i break end
  end
  now[metric] = after
  steps[#steps + 1] = {op, metric, add, ARGV[base + 3], member, KEYS[7 + sets], after}
end

local changed = false

local function touch()
  if not hour_epoch then
    redis.call('HSET', KEYS[3], 'epoch', epoch)
    hour_epoch = epoch
  end
  -- A flushed hour has a time to live; one that is dirty again must not be lost to it.
  if redis.call('ZADD', KEYS[4], whole(micro), ARGV[5]) == 1 then redis.call('PERSIST', KEYS[3]) end
end

local function count_label(metric, label, units)
  local field = 'u:' .. metric .. ':' .. label
  if redis.call('HINCRBY', KEYS[3], field, units) ~= tonumber(units) then return end
  if redis.call('HINCRBY', KEYS[3], 'n:' .. metric, 1) > LABELS and label ~= 'other' then
    redis.call('HDEL', KEYS[3], field)
    redis.call('HINCRBY', KEYS[3], 'n:' .. metric, -1)
    redis.call('HINCRBY', KEYS[3], 'u:' .. metric .. ':other', units)
  end
end

local function move_level(metric, add, before, after, label)
  if add > 0 then
    redis.call('HINCRBY', KEYS[1], 'a:' .. metric, whole(add + (owed[metric] or 0)))
    owed[metric] = nil
    redis.call('HINCRBY', KEYS[3], 'la:' .. metric, whole(add))
    count_label(metric, label, whole(add))
  else
    redis.call('HINCRBY', KEYS[1], 'r:' .. metric, whole(-add))
    redis.call('HINCRBY', KEYS[3], 'lr:' .. metric, whole(-add))
  end
  local peak = tonumber(redis.call('HGET', KEYS[3], 'lp:' .. metric) or -1)
  redis.call('HSET', KEYS[3], 'lp:' .. metric, whole(math.max(peak, before, after)), 'lc:' .. metric, whole(after))
end

if refused then
  local base = FIRST + refused * WIDTH
  local metric = ARGV[base + 1]
  touch()
  redis.call('HINCRBY', KEYS[2], 'x:' .. metric, 1)
  redis.call('HINCRBY', KEYS[3], 'x:' .. metric .. ':' .. cause, 1)
  redis.call('LPUSH', KEYS[6], table.concat({time[1], metric, cause, ARGV[7], ARGV[base + 3]}, '|'))
  redis.call('LTRIM', KEYS[6], 0, 49)
else
  for _, step in ipairs(steps) do
    local op, metric, add, label = step[1], step[2], step[3], step[4]
    if add ~= 0 then
      changed = true
      if op == 'l' or op == 'm' then
        move_level(metric, add, step[7] - add, step[7], label)
      else
        if op == 'd' then
          redis.call('SADD', step[6], step[5])
          redis.call('EXPIRE', step[6], 5800000)
          redis.call('SADD', KEYS[7], ARGV[4] .. '|' .. metric .. '|' .. step[5])
        end
        redis.call('HINCRBY', KEYS[2], 'u:' .. metric, whole(add))
        count_label(metric, label, whole(add))
      end
    end
  end
  if changed then touch() end
  for metric, ready in pairs(tat) do redis.call('HSET', KEYS[2], 'g:' .. metric, whole(ready)) end
end

local reply = refused and {1, plan, refused, cause, wait} or {0, plan}
for i = 0, count - 1 do
  local at, metric = 3 + i * 6, ARGV[FIRST + i * WIDTH + 1]
  local used = not refused and now[metric] or standing(i)
  local burst, left, due = tonumber(account[at + 5]), -1, 0
  if burst >= 0 then
    local ahead = math.max(0, (not refused and tat[metric] or tonumber(account[at + 6])) - micro)
    left, due = math.max(0, math.floor((MINUTE - ahead) * burst / MINUTE)), math.ceil(ahead / 1000)
  end
  local n = #reply
  reply[n + 1], reply[n + 2], reply[n + 3] = whole(used), account[at + 2], account[at + 3]
  reply[n + 4], reply[n + 5], reply[n + 6], reply[n + 7] = account[at + 4], burst, left, due
end
local text = table.concat(reply, ',')
if number ~= '0' then redis.call('SET', KEYS[5], number .. ':' .. text, 'EX', 3600) end
return text
