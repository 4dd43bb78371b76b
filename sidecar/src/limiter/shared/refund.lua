-- Gives back what a charge took. KEYS: one for each limit. ARGV: its increment in microseconds.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
for i, key in ipairs(KEYS) do
  local arrival = tonumber(redis.call('GET', key) or '')
  if arrival and arrival >= 0 and arrival <= 9007199254740991 then
    arrival = arrival - tonumber(ARGV[i])
    if arrival > now then
      redis.call('SET', key, string.format('%.0f', arrival), 'PX', string.format('%.0f', math.ceil((arrival - now) / 1000)))
    else
      redis.call('DEL', key)
    end
  end
end
return 0
