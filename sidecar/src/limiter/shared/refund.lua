-- Gives back what a charge took. KEYS: one for each limit. ARGV: for each its increment in microseconds, and the time at which
-- the count was paid back after that charge. What is paid back by now is not given back once more: it may be another's debt.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local back = math.min(tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i]) - now)
  local arrival = tonumber(redis.call('GET', key) or '')
  if back > 0 and arrival and arrival >= 0 and arrival <= 9007199254740991 then
    arrival = arrival - back
    if arrival > now then
      redis.call('SET', key, string.format('%.0f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) / 1000)))
    else
      redis.call('DEL', key)
    end
  end
end
return 0
