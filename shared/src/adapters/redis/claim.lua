-- Takes units off a product's free count, in order of arrival, while they last.
-- KEYS[1]  {p:ID}:gate     ARGV  the quantities wanted
-- Answers one '1' or '0' per quantity, or nothing for a product the gate does not know.
local free = tonumber(redis.call('HGET', KEYS[1], 'free'))
if not free then
  return false
end
local left, answers = free, {}
for i = 1, #ARGV do
  local quantity = tonumber(ARGV[i])
  if left >= quantity then
    left = left - quantity
    answers[i] = '1'
  else
    answers[i] = '0'
  end
end
if left ~= free then
  redis.call('HSET', KEYS[1], 'free', string.format('%.0f', left))
end
return table.concat(answers)
