-- Brings a product in line with the ledger; the only thing that creates it here.
-- KEYS[1]  {p:ID}:gate     ARGV  version, free, '1' to take an equal version too
-- Answers what was there before: free, version.
local version = tonumber(ARGV[1])
local found = redis.call('HMGET', KEYS[1], 'free', 'version')
local known = tonumber(found[2])
if known and (known > version or (known == version and ARGV[3] ~= '1')) then
  return found
end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'free', ARGV[2])
return found
