-- KEYS: places, heard, inside. ARGV: user, index. A place that was given to the same user anew stays theirs.
if redis.call('HGET', KEYS[1], ARGV[1]) == ARGV[2] then redis.call('HDEL', KEYS[1], ARGV[1]) end
redis.call('HSET', KEYS[2], ARGV[2], 0)
redis.call('ZREM', KEYS[3], ARGV[2])
return 1
