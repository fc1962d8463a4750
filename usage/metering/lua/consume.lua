-- consume.lua: read the limits and counts of all charges; count all of them, or refuse and count none.
--
-- KEYS   1 tenant, 2 account, 3 hour, 4 dirty, 5 refusals, 6 newcomers, then one member set
--        for each distinct charge, in order, at last the caller
-- ARGV   1 life, 2 number of the actor's call, 16 digits ("0": keep no reply), 3 request id,
--        4 microseconds back to before the call was first sent ("0": this is the first time),
--        5 "1" to count without refusing, 6 hour (Unix time / 3600), 7 period, 8 name in dirty,
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
-- This runs for every request: what it asks for often is local, and a function, which is made anew each time, stands
-- where few calls come.
local KEYS, ARGV, call, tonumber = KEYS, ARGV, redis.call, tonumber
local number, caller, age, last = ARGV[2], KEYS[#KEYS], ARGV[4], #ARGV

-- The reply of a call that can't be decided, unless it was answered before. What is kept of the actor's last call
-- begins with its number, and all numbers are of one width.
local function turn_away(reply)
  local kept = number ~= '0' and call('GET', caller)
  if not kept or kept < number then return reply end
  return string.sub(kept, 1, #number) == number and string.sub(kept, #number + 2) or '4'
end

if age ~= '0' then
  local reply = turn_away(nil)
  if reply then return reply end
end

local time = redis.call('TIME')
local clock, second = ',' .. time[1] .. ',' .. time[2], tonumber(time[1])
local micro = second * 1000000 + tonumber(time[2])

local into = second - ARGV[6] * 3600
if into < 0 or into >= 3600 then return turn_away('3' .. clock) end
if age ~= '0' then
  -- Counts opened after the first sending can't tell whether that was counted: its reply went with the former ones.
  local opened = call('HGET', KEYS[1], 'opened')
  if not opened or tonumber(opened) >= micro - tonumber(age) then return turn_away('2' .. clock) end
end

-- One read of each hash; most calls have one charge, for which there is room from the start.
local wanted = {KEYS[2], 'life', 'epoch', 'until', 'plan', 'hour', '', '', '', '', '', ''}
local levels, level_at, at = nil, nil, 6
for base = FIRST, last, WIDTH do
  local op, metric = ARGV[base], ARGV[base + 1]
  wanted[at + 1], wanted[at + 2], wanted[at + 3] = 'u:' .. metric, 'l:' .. metric, 's:' .. metric
  wanted[at + 4], wanted[at + 5], wanted[at + 6] = 'c:' .. metric, 'b:' .. metric, 'g:' .. metric
  at = at + 6
  if op ~= 's' and op ~= 'd' then
    levels, level_at = levels or {KEYS[1], 'life', 'epoch'}, level_at or {}
    local n = #levels
    levels[n + 1], levels[n + 2], levels[n + 3] = 'o:' .. metric, 'a:' .. metric, 'r:' .. metric
    level_at[base] = n
  end
end
local account = call('HMGET', unpack(wanted))
local tenant = levels and call('HMGET', unpack(levels))
local epoch = account[2]
-- An account goes with the life it was opened in, as its tenant does: only levels need the tenant too.
if account[1] ~= ARGV[1] or micro >= tonumber(account[3]) then return turn_away('2' .. clock) end
if tenant and (tenant[1] ~= ARGV[1] or tenant[2] ~= epoch) then return turn_away('2' .. clock) end
-- An account names the hour that is of its epoch and was marked as dirty since it was last collected: most calls need
-- neither look at the hour nor mark it.
local is_marked, hour_epoch = account[5] == ARGV[6], epoch
if not is_marked then
  hour_epoch = call('HGET', KEYS[3], 'epoch')
  if hour_epoch and hour_epoch ~= epoch then return turn_away('2' .. clock) end
end

-- What only levels need. `standing` is what one stands at before the call, nil for other metrics; `owed` is what its
-- books are below zero, where units were removed twice over: PostgreSQL may learn of removals late.
local standing, move_level = nil, nil
if levels then
  local owed = {}
  local function whole(n) return string.format('%.0f', n) end

  function standing(base)
    local from = level_at[base]
    if not from or not tenant[from] then return nil end
    local amount = tonumber(tenant[from]) + tonumber(tenant[from + 1]) - tonumber(tenant[from + 2])
    if amount >= 0 then return amount end
    owed[ARGV[base + 1]] = -amount
    return 0
  end

  function move_level(metric, add, after)
    if add > 0 then
      call('HINCRBY', KEYS[1], 'a:' .. metric, whole(add + (owed[metric] or 0)))
      call('HINCRBY', KEYS[3], 'la:' .. metric, whole(add))
      owed[metric] = nil
    else
      call('HINCRBY', KEYS[1], 'r:' .. metric, whole(-add))
      call('HINCRBY', KEYS[3], 'lr:' .. metric, whole(-add))
    end
    local peak = tonumber(call('HGET', KEYS[3], 'lp:' .. metric) or -1)
    call('HSET', KEYS[3], 'lp:' .. metric, whole(math.max(peak, after - add, after)), 'lc:' .. metric, whole(after))
    return whole(add)
  end
end

-- Decide. `now` holds what each metric stands at after the charges so far, `tat` its burst's time; `adds` and `afters`
-- what each charge adds, and what its metric stands at then.
local now, adds, afters, tat, sets, set_of = {}, {}, level_at and {}, nil, 0, nil
local refused, cause, wait, changes = nil, nil, 0, false
local forced = ARGV[5] ~= '0'
at = 6
for base = FIRST, last, WIDTH do
  local op, metric = ARGV[base], ARGV[base + 1]
  local used, stop = now[metric] or standing and standing(base) or tonumber(account[at]), tonumber(account[at + 2])
  if not stop or not used then return turn_away('2' .. clock) end

  local add = 0
  if op == 's' then add = tonumber(ARGV[base + 2])
  elseif op == 'l' then add = math.max(tonumber(ARGV[base + 2]), -used)
  elseif op == 'm' then add = tonumber(ARGV[base + 2]) - used
  elseif op == 'd' then
    local member = metric .. ':' .. ARGV[base + 4]
    sets = sets + 1
    if not now[member] and call('SISMEMBER', KEYS[6 + sets], ARGV[base + 4]) == 0 then
      add, now[member], set_of = 1, 1, set_of or {}
      set_of[base] = KEYS[6 + sets]
    end
  end
  if add > MOST - used then return turn_away('6,' .. (base - FIRST) / WIDTH) end  -- their sum would be rounded

  local after = used + add
  if not forced and op ~= 'm' and op ~= 'p' then
    local cap = account[at + 3]
    if op == 'g' then
      if stop >= 0 and used >= stop then cause = 1 elseif cap ~= '-1' and used >= tonumber(cap) then cause = 2 end
    elseif add > 0 then
      if stop >= 0 and after > stop then cause = 1
      elseif cap ~= '-1' and after > tonumber(cap) then cause = 2
      elseif account[at + 4] ~= '-1' then
        local burst = tonumber(account[at + 4])
        if add > burst then return turn_away('5,' .. (base - FIRST) / WIDTH) end
        tat = tat or {}
        local ready = (tat[metric] or math.max(tonumber(account[at + 5]), micro)) + math.floor(add * MINUTE / burst)
        if ready - micro > MINUTE then
          cause, wait = 3, math.ceil((ready - micro - MINUTE) / 1000000)
        else
          tat[metric] = ready
        end
      end
    end
    if cause then refused = base break end
  end
  now[metric] = after
  if add ~= 0 then
    changes, adds[base] = true, add
    if level_at then afters[base] = after end
  end
  at = at + 6
end

-- The reply is known before anything is written.
local text = '0,' .. account[4]
if refused then text = table.concat({1, account[4], (refused - FIRST) / WIDTH, cause, wait}, ',') end
at = 6
for base = FIRST, last, WIDTH do
  local burst, rest = account[at + 4], ',-1,0'
  local used = not refused and now[ARGV[base + 1]] or standing and standing(base) or tonumber(account[at])
  if burst ~= '-1' then
    local ready = not refused and tat and tat[ARGV[base + 1]] or tonumber(account[at + 5])
    local ahead = math.max(0, ready - micro)
    rest = ',' .. math.max(0, math.floor((MINUTE - ahead) * burst / MINUTE)) .. ',' .. math.ceil(ahead / 1000)
  end
  -- Lua writes large numbers with an exponent.
  if used >= 100000000000000 then used = string.format('%.0f', used) end
  text = text .. ',' .. used .. ',' .. account[at + 1] .. ',' .. account[at + 2] .. ',' .. account[at + 3]
    .. ',' .. burst .. rest
  at = at + 6
end

-- One command keeps the reply and looks at the last one. A call that was answered already, by its resend or before a
-- later one, comes late: nobody waits for it, and it must change nothing.
if number ~= '0' then
  local kept = call('SET', caller, number .. ':' .. text, 'EX', 3600, 'GET')
  if kept and kept >= number then
    call('SET', caller, kept, 'EX', 3600)
    return turn_away(nil)
  end
end

if refused then
  local metric = ARGV[refused + 1]
  call('HINCRBY', KEYS[2], 'x:' .. metric, 1)
  call('HINCRBY', KEYS[3], 'x:' .. metric .. ':' .. cause, 1)
  call('LPUSH', KEYS[5], table.concat({time[1], metric, cause, ARGV[3], ARGV[refused + 3]}, '|'))
  call('LTRIM', KEYS[5], 0, 49)
elseif changes then
  for base = FIRST, last, WIDTH do
    local op, metric, add = ARGV[base], ARGV[base + 1], adds[base]
    if add then
      local units, field = ARGV[base + 2], 'u:' .. metric .. ':' .. ARGV[base + 3]
      if op == 'l' or op == 'm' then
        units = move_level(metric, add, afters[base])
      else
        if op == 'd' then
          call('SADD', set_of[base], ARGV[base + 4])
          call('EXPIRE', set_of[base], 5800000)
          call('SADD', KEYS[6], ARGV[7] .. '|' .. metric .. '|' .. ARGV[base + 4])
        end
        -- What these add is the amount as it came: nothing has to be written out anew.
        call('HINCRBY', KEYS[2], 'u:' .. metric, units)
      end
      if add > 0 and call('HINCRBY', KEYS[3], field, units) == add
        and call('HINCRBY', KEYS[3], 'n:' .. metric, 1) > LABELS and ARGV[base + 3] ~= 'other' then
        call('HDEL', KEYS[3], field)
        call('HINCRBY', KEYS[3], 'n:' .. metric, -1)
        call('HINCRBY', KEYS[3], 'u:' .. metric .. ':other', units)
      end
    end
  end
  if tat then
    for metric, ready in pairs(tat) do call('HSET', KEYS[2], 'g:' .. metric, string.format('%.0f', ready)) end
  end
end
if (refused or changes) and not is_marked then
  if not hour_epoch then call('HSET', KEYS[3], 'epoch', epoch) end
  call('HSET', KEYS[2], 'hour', ARGV[6])
  -- A flushed hour has a time to live; one that is dirty again must not be lost to it. A score may have an exponent.
  if call('ZADD', KEYS[4], micro, ARGV[8]) == 1 then call('PERSIST', KEYS[3]) end
end
return text
