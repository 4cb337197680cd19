-- KEYS: state, heard, inside. ARGV: now, believed until, indexes. Who has left (0) does not come back.
local forget = redis.call('HGET', KEYS[1], 'forget')
if not forget then return 0 end
for i = 3, #ARGV do
    if redis.call('HGET', KEYS[2], ARGV[i]) ~= '0' then
        redis.call('HSET', KEYS[2], ARGV[i], ARGV[1])
        redis.call('ZADD', KEYS[3], 'XX', ARGV[2], ARGV[i])
    end
end
redis.call('PEXPIREAT', KEYS[2], forget)
return 1
