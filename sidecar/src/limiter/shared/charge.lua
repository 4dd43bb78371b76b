-- Charges every count or none. KEYS: one for each limit, all in one slot. ARGV: for each its increment and its tolerance,
-- in microseconds. A count is the time at which everything that was admitted is paid back, by this server's clock.
-- Returns the number of the limit that refuses and the microseconds until it would admit, or 0 and the time, and for each limit
-- that was looked at what is owed to it in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answer, arrivals = {0, now}, {}

local function keep(key, arrival)
  redis.call('SET', key, string.format('%.0f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) / 1000)))
end

for i, key in ipairs(KEYS) do
  local increment, tolerance = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
  local stored = redis.pcall('GET', key)
  if type(stored) == 'table' then
    -- What is no text is no count, and written over like any other that can't be read.
    if not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
    stored = ''
  end
  local arrival = now
  if stored then
    arrival = tonumber(stored)
    local readable = arrival and arrival >= 0 and arrival <= 9007199254740991
    -- More than the whole burst can't be owed: a rate was lowered, or this clock is behind that of the server before. The
    -- bound is written, or the debt would not shrink until the clock is there.
    if not readable or arrival > now + tolerance then
      arrival = now + tolerance
      keep(key, arrival)
    elseif arrival < now then
      arrival = now
    end
  end
  local owed = arrival - now + increment
  if owed > tolerance then
    answer[1], answer[2], answer[i + 2] = i, owed - tolerance, arrival - now
    return answer
  end
  answer[i + 2], arrivals[i] = owed, now + owed
end
for i, key in ipairs(KEYS) do
  keep(key, arrivals[i])
end
return answer
