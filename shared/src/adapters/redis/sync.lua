-- Brings a product in line with the ledger; the only thing that creates it here.
-- KEYS[1]  {p:ID}:gate     ARGV  version, free, '1' to take an equal version too
local version = tonumber(ARGV[1])
local known = tonumber(redis.call('HGET', KEYS[1], 'version'))
if known and (known > version or (known == version and ARGV[3] ~= '1')) then
  return 0
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'free', ARGV[2])
return 1
