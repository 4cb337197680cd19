-- KEYS: state, inside. ARGV: now. The line, and how many are inside.
local state = redis.call('HMGET', KEYS[1], 'joined', 'reserved', 'early', 'seed', 'admitted', 'used', 'since')
if not state[1] then return false end
redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[1])
state[8] = redis.call('ZCARD', KEYS[2])
for i = 1, 8 do state[i] = state[i] or '' end
return state
