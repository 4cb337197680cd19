-- Takes one for each key (GCRA), or gives one back, by this server's clock.
-- KEYS  one per ask     ARGV  '1' to take or '-1' to give back; then burst and interval (microseconds) per ask
-- Answers per ask what is taken and not earned yet, in microseconds; where it was refused, -1 minus that.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local answers = {}
for i = 1, #KEYS do
  local burst, interval = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local earned = tonumber(redis.call('GET', KEYS[i]) or now)
  -- A moment further ahead than a burst is from before the clock was set back, or by another rule.
  local ahead = math.min(math.max(earned - now, 0), burst * interval)
  if ARGV[1] == '-1' then
    ahead = math.max(ahead - interval, 0)
    answers[i] = ahead
  elseif ahead + interval <= burst * interval then
    ahead = ahead + interval
    answers[i] = ahead
  else
    answers[i] = -1 - ahead
  end
  if ahead > 0 then
    redis.call('SET', KEYS[i], string.format('%.0f', now + ahead), 'PX', math.ceil(ahead / 1000))
  else
    redis.call('DEL', KEYS[i])
  end
end
return answers
