"""The Lua scripts: an effect and the mark that it was done, in one step.

Each answers a list whose first item is 1 (done), 0 (was done before) or a negative reason.
Random ids and times are fine in them: Redis 5 and later write effects, not scripts, to the
append-only file.
"""

from functools import cache
from hashlib import sha1
from typing import Any

from redis.exceptions import NoScriptError

DONE, BEFORE, LOST, FORGOTTEN, UNKNOWN, CONFLICT = 1, 0, -1, -2, -3, -4


async def run_script(client: Any, script: str, keys: int, *values: Any) -> Any:
    """What a script answers; its text is sent only to a server that does not have it yet."""
    try:
        return await client.evalsha(_digest(script), keys, *values)
    except NoScriptError:
        return await client.eval(script, keys, *values)


@cache
def _digest(script: str) -> str:
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


# KEYS turn mark, turn stream, events, conversation's turns, fence, counters, conversations,
#      tombstone, lock
# ARGV turn id, conversation id, turn JSON, events JSON or '', fence or '', events lifetime,
#      turn lifetime, stream length, time of the turn (s), counters' lifetime,
#      token of the lock to give back or '', (name, n)...
COMMIT_TURN = """
local before = redis.call('GET', KEYS[1])
if before then return {0, before} end
local forgotten = redis.call('GET', KEYS[8])
if forgotten and tonumber(forgotten) >= tonumber(ARGV[9]) then return {-2, ''} end
if ARGV[5] ~= '' and redis.call('GET', KEYS[5]) ~= ARGV[5] then return {-1, ''} end
local entry
if tonumber(ARGV[8]) > 0 then
  entry = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*',
    'turn', ARGV[1], 'conversation', ARGV[2], 'data', ARGV[3])
else
  entry = redis.call('XADD', KEYS[2], '*',
    'turn', ARGV[1], 'conversation', ARGV[2], 'data', ARGV[3])
end
redis.call('SET', KEYS[1], entry)
redis.call('RPUSH', KEYS[4], ARGV[1])
if tonumber(ARGV[7]) > 0 then
  redis.call('EXPIRE', KEYS[1], ARGV[7])
  redis.call('EXPIRE', KEYS[4], ARGV[7])
end
if ARGV[4] ~= '' then
  redis.call('RPUSH', KEYS[3], ARGV[4])
  redis.call('ZADD', KEYS[7], ARGV[9], ARGV[2])
  if tonumber(ARGV[6]) > 0 then
    redis.call('EXPIRE', KEYS[3], ARGV[6])
    redis.call('ZREMRANGEBYSCORE', KEYS[7], '-inf', tonumber(ARGV[9]) - tonumber(ARGV[6]))
  end
end
for i = 12, #ARGV, 2 do redis.call('HINCRBY', KEYS[6], ARGV[i], ARGV[i + 1]) end
redis.call('EXPIRE', KEYS[6], ARGV[10])
if ARGV[11] ~= '' and redis.call('GET', KEYS[9]) == ARGV[11] then redis.call('DEL', KEYS[9]) end
return {1, entry}
"""

# KEYS events, fence, conversations
# ARGV events JSON, fence or '', lifetime, now (s), conversation id, '1' to replace them all
ADD_EVENTS = """
if ARGV[2] ~= '' and redis.call('GET', KEYS[2]) ~= ARGV[2] then return {-1, ''} end
if ARGV[6] == '1' then redis.call('DEL', KEYS[1]) end
if ARGV[1] ~= '' then redis.call('RPUSH', KEYS[1], ARGV[1]) end
redis.call('ZADD', KEYS[3], ARGV[4], ARGV[5])
if tonumber(ARGV[3]) > 0 then redis.call('EXPIRE', KEYS[1], ARGV[3]) end
return {1, ''}
"""

# KEYS correction, log, conversation's corrections, tombstone, counters, one set per state
# ARGV id, state, expected revision ('' for a new one), revision, JSON, creation time (s),
#      conversation id, log length, counters' lifetime, the states in the order of their sets
PUT_CORRECTION = """
local now = redis.call('HGET', KEYS[1], 'revision')
if ARGV[3] == '' then
  if now then return {0, now} end
  local forgotten = redis.call('GET', KEYS[4])
  if forgotten and tonumber(forgotten) >= tonumber(ARGV[6]) then return {-2, ''} end
else
  if not now then return {-3, ''} end
  if now ~= ARGV[3] then
    if now == ARGV[4] and redis.call('HGET', KEYS[1], 'data') == ARGV[5] then return {0, now} end
    return {-4, now}
  end
end
for i = 10, #ARGV do
  if ARGV[i] == ARGV[2] then redis.call('ZADD', KEYS[i - 4], ARGV[6], ARGV[1])
  else redis.call('ZREM', KEYS[i - 4], ARGV[1]) end
end
if ARGV[7] ~= '' then redis.call('SADD', KEYS[3], ARGV[1]) end
local entry = redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[8], '*',
  'correction', ARGV[1], 'state', ARGV[2], 'revision', ARGV[4])
redis.call('HSET', KEYS[1], 'data', ARGV[5], 'state', ARGV[2], 'revision', ARGV[4],
  'conversation', ARGV[7], 'entry', entry)
redis.call('HINCRBY', KEYS[5], 'corrections_' .. ARGV[2], 1)
redis.call('EXPIRE', KEYS[5], ARGV[9])
return {1, ARGV[4]}
"""

# KEYS seen, items, windows, state, one hash per window
# ARGV now (s), oldest seen id kept (s), length of the item log, source, its position,
#      number of totals, the newest window, (name, n)..., then per item: id, JSON, window,
#      its place among the hashes (from 0), number of fields, fields...
COMMIT_ITEMS = """
local added, at = {}, 8
for _ = 1, tonumber(ARGV[6]) do
  redis.call('HINCRBY', KEYS[4], ARGV[at], ARGV[at + 1])
  at = at + 2
end
while at <= #ARGV do
  local fields = tonumber(ARGV[at + 4])
  if redis.call('ZADD', KEYS[1], 'NX', ARGV[1], ARGV[at]) == 1 then
    redis.call('XADD', KEYS[2], 'MAXLEN', '~', ARGV[3], '*', 'data', ARGV[at + 1])
    redis.call('ZADD', KEYS[3], ARGV[at + 2], ARGV[at + 2])
    local counts = KEYS[5 + ARGV[at + 3]]
    for i = 1, fields do redis.call('HINCRBY', counts, ARGV[at + 4 + i], 1) end
    redis.call('HINCRBY', KEYS[4], 'items', 1)
    if tonumber(ARGV[at + 2]) < tonumber(ARGV[7]) then
      redis.call('HINCRBY', KEYS[4], 'late', 1)
    end
    added[#added + 1] = ARGV[at]
  end
  at = at + 5 + fields
end
if ARGV[4] ~= '' then redis.call('HSET', KEYS[4], 'position:' .. ARGV[4], ARGV[5]) end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2])
return added
"""

# KEYS lock, fence    ARGV token, lease (ms), fence's lifetime
TAKE_LOCK = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return {0, ''} end
local fence = redis.call('INCR', KEYS[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return {1, fence}
"""

# KEYS lock    ARGV token, lease (ms)
RENEW_LOCK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1, ''} end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return {1, ''}
"""

# KEYS lock    ARGV token
DROP_LOCK = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return {-1, ''} end
redis.call('DEL', KEYS[1])
return {1, ''}
"""

# KEYS schema    ARGV our version
CLAIM_SCHEMA = """
local stored = redis.call('GET', KEYS[1])
if stored and tonumber(stored) and tonumber(stored) > tonumber(ARGV[1]) then
  return {-1, stored}
end
if stored ~= ARGV[1] then redis.call('SET', KEYS[1], ARGV[1]) end
return {1, ARGV[1]}
"""
