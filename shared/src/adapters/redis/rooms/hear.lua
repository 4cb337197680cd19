-- KEYS: state, heard, inside, places. ARGV: now, believed until, then index and user of each. Who has left (0)
-- does not come back.
local forget = redis.call('HGET', KEYS[1], 'forget')
if not forget then return 0 end
local function left(index)
    redis.call('HSET', KEYS[2], index, 0)
    redis.call('ZREM', KEYS[3], index)
end
for i = 3, #ARGV, 2 do
    local index, user = ARGV[i], ARGV[i + 1]
    if redis.call('HGET', KEYS[2], index) ~= '0' then
        local place = redis.call('HGET', KEYS[4], user)
        if place and tonumber(place) < tonumber(index) then
            left(index)
        else
            if place ~= index then
                if place then left(place) end
                redis.call('HSET', KEYS[4], user, index)
            end
            redis.call('HSET', KEYS[2], index, ARGV[1])
            redis.call('ZADD', KEYS[3], 'XX', ARGV[2], index)
        end
    end
end
redis.call('PEXPIREAT', KEYS[2], forget)
redis.call('PEXPIREAT', KEYS[4], forget)
return 1
