-- KEYS: state, places, heard. ARGV: now, users. The index of each, -1 where none is left.
local state = redis.call('HMGET', KEYS[1], 'joined', 'reserved', 'forget')
if not state[1] then return false end
local joined, reserved = tonumber(state[1]), tonumber(state[2])
local indexes = {}
for i = 2, #ARGV do
    local index = tonumber(redis.call('HGET', KEYS[2], ARGV[i]) or -1)
    if index < 0 and joined < reserved then
        index = joined
        joined = joined + 1
        redis.call('HSET', KEYS[2], ARGV[i], index)
    end
    if index >= 0 then redis.call('HSET', KEYS[3], index, ARGV[1]) end
    indexes[i - 1] = index
end
redis.call('HSET', KEYS[1], 'joined', joined)
redis.call('PEXPIREAT', KEYS[2], state[3])
redis.call('PEXPIREAT', KEYS[3], state[3])
return indexes
