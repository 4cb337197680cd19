-- Takes one more for each key that has taken something already (GCRA), or gives one back. A key's remaining life
-- is what was taken and is not earned yet, so there is nothing to store in it.
-- KEYS  one per ask     ARGV  '1' to take or '-1' to give back; then burst and interval (milliseconds) per ask
-- Answers per ask what is taken and not earned afterwards, in milliseconds; where it was refused, -1 minus that.
local answers = {}
for i = 1, #KEYS do
  local burst, interval = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  -- More than a burst was taken by another rule.
  local ahead = math.min(math.max(redis.call('PTTL', KEYS[i]), 0), burst * interval)
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
    redis.call('SET', KEYS[i], '', 'PX', ahead)
  else
    redis.call('DEL', KEYS[i])
  end
end
return answers
