-- KEYS: state, let in, inside. ARGV: from, to, used, at, believed until, indexes. 1 if it was done.
local state = redis.call('HMGET', KEYS[1], 'admitted', 'forget')
if state[1] ~= ARGV[1] then return 0 end
redis.call('HSET', KEYS[1], 'admitted', ARGV[2], 'used', ARGV[3])
for i = 6, #ARGV do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[4])
    redis.call('ZADD', KEYS[3], ARGV[5], ARGV[i])
end
if #ARGV > 5 then
    redis.call('PEXPIREAT', KEYS[2], state[2])
    redis.call('PEXPIREAT', KEYS[3], state[2])
end
return 1
