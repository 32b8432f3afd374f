-- Writes the keys of a batch of users, all of a user's from one row; an older version never replaces a newer one.
--
-- KEYS  per user three: rec, profile, seg, and then the lists of further slots, equally many for every user.
--       One more key at the end, if any, is the marker to check for.
-- ARGV  1 time to live (s), 2 channel for changes of segments, 3 number of further slots; then per user:
--       rec value, profile value, segments separated by line feeds, values of the further slots. A list that is
--       '' stays as it is.
-- All values begin {"v":1,"seq":"<24 characters>, compared here by their place alone. The segments
-- follow the profile's version. Equal versions overwrite: the same row written twice changes nothing.
-- Returns {lists written, profiles written, users whose segments changed, 1 if the marker is there else 0}.
--
-- On Redis Cluster: one call per slot of the uid's hash tag, without the marker, which is asked of each node.

local FROM, TO = 14, 37  -- GETRANGE's places of the version, counted from 0 and inclusive

local function is_current(key, value)
  return redis.call('GETRANGE', key, FROM, TO) <= string.sub(value, FROM + 1, TO + 1)
end

local function json_list(names)
  local quoted = {}
  for i, name in ipairs(names) do quoted[i] = cjson.encode(name) end
  return '[' .. table.concat(quoted, ',') .. ']'
end

local function without(names, known)
  local rest = {}
  for _, name in ipairs(names) do
    if not known[name] then rest[#rest + 1] = name end
  end
  table.sort(rest)
  return rest
end

local function as_set(names)
  local set = {}
  for _, name in ipairs(names) do set[name] = true end
  return set
end

-- The message for subscribers when the stored segments differ from `joined`, else nil.
local function write_segments(key, joined, ttl, version)
  if joined == '' and redis.call('EXISTS', key) == 0 then return nil end
  local wanted = {}
  for name in string.gmatch(joined, '[^\n]+') do wanted[#wanted + 1] = name end
  local stored = redis.call('SMEMBERS', key)
  local entered = without(wanted, as_set(stored))
  local left = without(stored, as_set(wanted))
  if #left > 0 then redis.call('SREM', key, unpack(left)) end
  if #entered > 0 then redis.call('SADD', key, unpack(entered)) end
  redis.call('EXPIRE', key, ttl)
  if #entered == 0 and #left == 0 then return nil end
  local uid = string.match(key, '{(.-)}') or key
  return '{"v":1,"uid":' .. cjson.encode(uid) .. ',"seq":"' .. version .. '","entered":'
    .. json_list(entered) .. ',"left":' .. json_list(left) .. '}'
end

local ttl, channel = ARGV[1], ARGV[2]
local lists, profiles, changed = 0, 0, 0
local slots = tonumber(ARGV[3])
local stride = 3 + slots
local users = math.floor(#KEYS / stride)
for user = 0, users - 1 do
  local at = user * stride
  local rec_key, profile_key, seg_key = KEYS[at + 1], KEYS[at + 2], KEYS[at + 3]
  local rec, profile, segments = ARGV[at + 4], ARGV[at + 5], ARGV[at + 6]
  if rec ~= '' and is_current(rec_key, rec) then
    redis.call('SET', rec_key, rec, 'EX', ttl)
    lists = lists + 1
  end
  for slot = 1, slots do
    local key, list = KEYS[at + 3 + slot], ARGV[at + 6 + slot]
    if list ~= '' and is_current(key, list) then redis.call('SET', key, list, 'EX', ttl) end
  end
  if is_current(profile_key, profile) then
    redis.call('SET', profile_key, profile, 'EX', ttl)
    profiles = profiles + 1
    local message = write_segments(seg_key, segments, ttl, string.sub(profile, FROM + 1, TO + 1))
    if message then
      redis.call('PUBLISH', channel, message)
      changed = changed + 1
    end
  end
end

local alive = 1
if #KEYS % stride == 1 then alive = redis.call('EXISTS', KEYS[#KEYS]) end
return {lists, profiles, changed, alive}
