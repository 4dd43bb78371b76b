-- How counts stand, without a charge: nothing is written. KEYS: the counts. ARGV: the tolerance of each, in microseconds.
-- Returns what is owed to each, in microseconds, as a charge would find it.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local owed = {}
for i, key in ipairs(KEYS) do
  local tolerance = tonumber(ARGV[i])
  local stored = redis.pcall('GET', key)
  if type(stored) == 'table' then
    if not string.find(stored.err, 'WRONGTYPE', 1, true) then return stored end
    stored = ''
  end
  local arrival = now
  if stored then
    arrival = tonumber(stored)
    local readable = arrival and arrival >= 0 and arrival <= 9007199254740991
    if not readable or arrival > now + tolerance then
      arrival = now + tolerance
    elseif arrival < now then
      arrival = now
    end
  end
  owed[i] = arrival - now
end
return owed
