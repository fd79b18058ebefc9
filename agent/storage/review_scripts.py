"""The Lua scripts of the review queue; see `scripts` for what their answers mean."""

HELD = -5
"""Answered when another reviewer holds the item; the second value is the name."""

# Writes an item of the queue; `open` ones are ordered by their score, done ones by their time.
_PUT_ITEM = """
local function put_item(key, id, revision, data, words, state, score, queue, reviewed, at, keep)
  redis.call('HSET', key, 'data', data, 'words', words, 'state', state, 'revision', revision)
  local disputed = KEYS[#KEYS]
  if state == 'disputed' then redis.call('SADD', disputed, id)
  else redis.call('SREM', disputed, id) end
  if state == 'done' then
    redis.call('ZREM', queue, id)
    redis.call('ZADD', reviewed, at, id)
    if tonumber(keep) > 0 then
      redis.call('EXPIRE', key, keep)
      redis.call('ZREMRANGEBYSCORE', reviewed, '-inf', tonumber(at) - tonumber(keep))
    end
  else
    redis.call('ZADD', queue, score, id)
    redis.call('ZREM', reviewed, id)
    redis.call('PERSIST', key)
  end
end
"""

# KEYS stream, queue, reviewed, signals, latest turn, waiting conversations, conversation's items,
#      the items, disputed
# ARGV group or '', entry, now (s), items' lifetime, latest turn JSON or '', its lifetime,
#      since when the conversation waits ('' = as it was, '-' = it does not), conversation id,
#      signals' length, number of items,
#      for each: id, expected revision, new revision, JSON, words, state, score;
#      then the signals' JSON
TAKE_IN = (
    _PUT_ITEM
    + """
if ARGV[1] ~= '' then
  if #redis.call('XPENDING', KEYS[1], ARGV[1], ARGV[2], ARGV[2], 1) == 0 then return {0, ''} end
end
local n = tonumber(ARGV[10])
for i = 1, n do
  local a = 11 + (i - 1) * 7
  local found = redis.call('HGET', KEYS[7 + i], 'revision') or '0'
  if found ~= ARGV[a + 1] then return {-4, found} end
end
for i = 1, n do
  local a = 11 + (i - 1) * 7
  put_item(KEYS[7 + i], ARGV[a], ARGV[a + 2], ARGV[a + 3], ARGV[a + 4], ARGV[a + 5], ARGV[a + 6],
    KEYS[2], KEYS[3], ARGV[3], ARGV[4])
  if ARGV[8] ~= '' then redis.call('SADD', KEYS[7], ARGV[a]) end
end
if ARGV[8] ~= '' and tonumber(ARGV[4]) > 0 then redis.call('EXPIRE', KEYS[7], ARGV[4]) end
if ARGV[5] ~= '' then redis.call('SET', KEYS[5], ARGV[5], 'EX', ARGV[6]) end
if ARGV[7] == '-' then redis.call('ZREM', KEYS[6], ARGV[8])
elseif ARGV[7] ~= '' then redis.call('ZADD', KEYS[6], ARGV[7], ARGV[8]) end
for i = 11 + n * 7, #ARGV do
  redis.call('XADD', KEYS[4], 'MAXLEN', '~', ARGV[9], '*', 'data', ARGV[i])
end
if ARGV[1] ~= '' then redis.call('XACK', KEYS[1], ARGV[1], ARGV[2]) end
return {1, ''}
"""
)

# KEYS item, queue, reviewed, lease, review log, reviewers, correction log, counters,
#      three sets of states, then for each correction: itself, conversation's set, tombstone;
#      held, disputed
# ARGV reviewer, item id, expected revision, new revision, JSON, state, score, now (s),
#      items' lifetime, review log's length, action, correction log's length,
#      counters' lifetime, three states, number of corrections,
#      for each: id, state, expected revision or '', revision, JSON, creation (s), conversation;
#      the item's words
JUDGE = (
    _PUT_ITEM
    + """
local held = redis.call('GET', KEYS[4])
if held and held ~= ARGV[1] then return {-5, held} end
local found = redis.call('HGET', KEYS[1], 'revision')
if not found then return {-3, ''} end
if found ~= ARGV[3] then return {-4, found} end
local n = tonumber(ARGV[17])
for i = 1, n do
  local k, a = 12 + (i - 1) * 3, 18 + (i - 1) * 7
  local seen = redis.call('HGET', KEYS[k], 'revision') or ''
  if seen ~= ARGV[a + 2] then return {-4, seen} end
end
for i = 1, n do
  local k, a = 12 + (i - 1) * 3, 18 + (i - 1) * 7
  for s = 1, 3 do
    if ARGV[13 + s] == ARGV[a + 1] then redis.call('ZADD', KEYS[8 + s], ARGV[a + 5], ARGV[a])
    else redis.call('ZREM', KEYS[8 + s], ARGV[a]) end
  end
  if ARGV[a + 6] ~= '' then redis.call('SADD', KEYS[k + 1], ARGV[a]) end
  local entry = redis.call('XADD', KEYS[7], 'MAXLEN', '~', ARGV[12], '*',
    'correction', ARGV[a], 'state', ARGV[a + 1], 'revision', ARGV[a + 3], 'item', ARGV[2])
  redis.call('HSET', KEYS[k], 'data', ARGV[a + 4], 'state', ARGV[a + 1], 'revision', ARGV[a + 3],
    'conversation', ARGV[a + 6], 'item', ARGV[2], 'entry', entry)
  redis.call('HINCRBY', KEYS[8], 'corrections_' .. ARGV[a + 1], 1)
end
redis.call('EXPIRE', KEYS[8], ARGV[13])
put_item(KEYS[1], ARGV[2], ARGV[4], ARGV[5], ARGV[#ARGV], ARGV[6], ARGV[7],
  KEYS[2], KEYS[3], ARGV[8], ARGV[9])
redis.call('DEL', KEYS[4])
redis.call('ZREM', KEYS[#KEYS - 1], ARGV[2])
redis.call('ZADD', KEYS[6], ARGV[8], ARGV[1])
redis.call('XADD', KEYS[5], 'MAXLEN', '~', ARGV[10], '*',
  'by', ARGV[1], 'item', ARGV[2], 'action', ARGV[11], 'at', ARGV[8])
return {1, ARGV[4]}
"""
)

# KEYS lease, item, reviewers, held    ARGV reviewer, lease (ms), now (s), id
CLAIM_ITEM = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return {-5, held} end
local state = redis.call('HGET', KEYS[2], 'state')
if not state then return {-3, ''} end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('ZADD', KEYS[3], ARGV[3], ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', ARGV[3])
redis.call('ZADD', KEYS[4], ARGV[3] + ARGV[2] / 1000, ARGV[4])
return {1, state}
"""

# KEYS lease, held    ARGV reviewer, id
RELEASE_ITEM = """
local held = redis.call('GET', KEYS[1])
if held and held ~= ARGV[1] then return {-5, held} end
redis.call('DEL', KEYS[1])
redis.call('ZREM', KEYS[2], ARGV[2])
return {1, ''}
"""

# Ids in the order of a sorted set, highest first, whose items hold every one of some words
# (or were written before items had words).
# KEYS queue or reviewed    ARGV what an item's key begins with, how many at most, the words
FIND = """
local found = {}
for _, id in ipairs(redis.call('ZREVRANGE', KEYS[1], 0, -1)) do
  local words = redis.call('HGET', ARGV[1] .. id, 'words')
  local fits = true
  for i = 3, #ARGV do
    if words and not string.find(words, ARGV[i], 1, true) then fits = false break end
  end
  if fits then
    found[#found + 1] = id
    if #found >= tonumber(ARGV[2]) then break end
  end
end
return found
"""
