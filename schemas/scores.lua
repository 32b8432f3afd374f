-- Raises log-scores in the sorted sets of the item side; a score never falls, so writing twice changes nothing.
--
-- ARGV  1 prefix of the sets' names, 2 set of names to be rendered again, 3 set of all names, 4 most members of a
--       set, 5 time to live (s), 6 MessagePack of {names, members, scores}: three lists of one length.
-- One argument instead of four a pair: the client's time goes into packing arguments.
-- On Redis Cluster: one call per node, for the names whose keys it holds.

local prefix, dirty, known = ARGV[1], ARGV[2], ARGV[3]
local most, ttl = tonumber(ARGV[4]), ARGV[5]
local names, members, scores = unpack(cmsgpack.unpack(ARGV[6]))
local touched = {}
for i, name in ipairs(names) do
  local key = prefix .. name
  local added = redis.call('ZADD', key, 'GT', scores[i], members[i])
  if added == 1 and redis.call('ZCARD', key) > most then
    redis.call('ZREMRANGEBYRANK', key, 0, -most - 1)
  end
  touched[name] = key
end
for name, key in pairs(touched) do
  redis.call('EXPIRE', key, ttl)
  redis.call('SADD', dirty, name)
  redis.call('SADD', known, name)
end
return #names
