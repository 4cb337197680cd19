-- KEYS: state, let in, inside. ARGV: joined, reserved, early, seed, admitted, since, forget; then of each who
-- was let in: index, when, until when.
if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
redis.call('DEL', KEYS[2], KEYS[3])
redis.call('HSET', KEYS[1], 'joined', ARGV[1], 'reserved', ARGV[2], 'admitted', ARGV[5], 'used', 0,
    'since', ARGV[6], 'forget', ARGV[7])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'early', ARGV[3], 'seed', ARGV[4]) end
for i = 8, #ARGV, 3 do
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    redis.call('ZADD', KEYS[3], ARGV[i + 2], ARGV[i])
end
for _, key in ipairs(KEYS) do redis.call('PEXPIREAT', key, ARGV[7]) end
return 1
