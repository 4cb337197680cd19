-- KEYS: places, inside. ARGV: users.
for _, user in ipairs(ARGV) do
    local index = redis.call('HGET', KEYS[1], user)
    if index then redis.call('ZREM', KEYS[2], index) end
end
return 1
