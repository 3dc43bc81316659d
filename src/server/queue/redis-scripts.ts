/**
 * The changes of a job on Redis, each a script that runs whole or not at all. A job is a hash of plain texts under
 * `mt:job:ID`; lists by owner, of waiting ones, of ended ones and of webhooks to call stand beside it. Every change
 * is told on the channel `mt:changes`.
 */

/** States that are final, in the language of the scripts. */
const FINAL = '{ done = 1, failed = 1, rejected = 1, canceled = 1 }';

/**
 * Takes a job in.
 *
 * ARGV: id, owner, base (JSON), key or '', keyed, webhook (JSON) or '', limit of the owner, limit of all, time.
 * Gives {'added', turn, sequence}, {'known', id} or {'full', own, all}.
 */
export const ADD = `
local id, owner, base, key, keyed, webhook = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if key ~= '' then
  local known = redis.call('HGET', 'mt:keys:' .. owner, key)
  if known then return { 'known', known } end
end
local own, all = redis.call('SCARD', 'mt:unfinished:' .. owner), redis.call('SCARD', 'mt:unfinished')
if own >= tonumber(ARGV[7]) or all >= tonumber(ARGV[8]) then return { 'full', own, all } end
if all == 0 then redis.call('DEL', 'mt:serving', 'mt:next') end
local turn = math.max(tonumber(redis.call('GET', 'mt:serving') or 0), tonumber(redis.call('HGET', 'mt:next', owner) or 0))
redis.call('HSET', 'mt:next', owner, turn + 1)
local sequence = redis.call('INCR', 'mt:sequence')
redis.call('HSET', 'mt:job:' .. id, 'base', base, 'owner', owner, 'key', key, 'keyed', keyed, 'state', 'queued',
  'turn', turn, 'sequence', sequence, 'fence', 0, 'attempts', 0, 'created', ARGV[9])
if webhook ~= '' then redis.call('HSET', 'mt:job:' .. id, 'webhook', webhook) end
if key ~= '' then redis.call('HSET', 'mt:keys:' .. owner, key, id) end
redis.call('SADD', 'mt:unfinished', id)
redis.call('SADD', 'mt:unfinished:' .. owner, id)
redis.call('ZADD', 'mt:owner:' .. owner, sequence, id)
redis.call('ZADD', 'mt:waiting', turn + sequence / 1e9, id)
redis.call('PUBLISH', 'mt:changes', id)
return { 'added', turn, sequence }
`;

/**
 * Begins an attempt. One that ran before, and never said how it ended, counts as failed.
 *
 * ARGV: id, time. Gives {fence, attempts}, or nothing when there is nothing to do.
 */
export const BEGIN = `
local job = 'mt:job:' .. ARGV[1]
local state = redis.call('HGET', job, 'state')
local final = ${FINAL}
if not state or final[state] then return false end
if state == 'running' then redis.call('HINCRBY', job, 'attempts', 1) end
local fence = redis.call('HINCRBY', job, 'fence', 1)
redis.call('HSET', job, 'state', 'running', 'started', ARGV[2])
redis.call('HDEL', job, 'progress')
redis.call('ZREM', 'mt:waiting', ARGV[1])
local turn = tonumber(redis.call('HGET', job, 'turn'))
if turn > tonumber(redis.call('GET', 'mt:serving') or 0) then redis.call('SET', 'mt:serving', turn) end
redis.call('PUBLISH', 'mt:changes', ARGV[1])
return { fence, tonumber(redis.call('HGET', job, 'attempts')) }
`;

/**
 * Changes a job that runs under a fence, and ends its running where the state is another one. Late workers hold an
 * older fence and change nothing.
 *
 * ARGV: id, fence, state, time, then names and values. Gives 1, or 0 when refused.
 */
export const FINISH = `
local id, state = ARGV[1], ARGV[3]
local job = 'mt:job:' .. id
local final = ${FINAL}
if redis.call('HGET', job, 'fence') ~= ARGV[2] or redis.call('HGET', job, 'state') ~= 'running' then return 0 end
redis.call('HSET', job, 'state', state)
for i = 5, #ARGV, 2 do redis.call('HSET', job, ARGV[i], ARGV[i + 1]) end
if state == 'queued' then
  redis.call('ZADD', 'mt:waiting', redis.call('HGET', job, 'turn') + redis.call('HGET', job, 'sequence') / 1e9, id)
elseif final[state] then
  redis.call('HSET', job, 'finished', ARGV[4])
  redis.call('SREM', 'mt:unfinished', id)
  redis.call('SREM', 'mt:unfinished:' .. redis.call('HGET', job, 'owner'), id)
  redis.call('ZADD', 'mt:finished', ARGV[4], id)
  if redis.call('HEXISTS', job, 'webhook') == 1 then redis.call('SADD', 'mt:webhooks', id) end
end
redis.call('PUBLISH', 'mt:changes', id)
return 1
`;

/** Ends an unfinished job, whoever works on it. ARGV: id, time. Gives 1 when it was unfinished. */
export const CANCEL = `
local id = ARGV[1]
local job = 'mt:job:' .. id
local state = redis.call('HGET', job, 'state')
local final = ${FINAL}
if not state or final[state] then return 0 end
redis.call('HSET', job, 'state', 'canceled', 'finished', ARGV[2])
redis.call('ZREM', 'mt:waiting', id)
redis.call('SREM', 'mt:unfinished', id)
redis.call('SREM', 'mt:unfinished:' .. redis.call('HGET', job, 'owner'), id)
redis.call('ZADD', 'mt:finished', ARGV[2], id)
if redis.call('HEXISTS', job, 'webhook') == 1 then redis.call('SADD', 'mt:webhooks', id) end
redis.call('PUBLISH', 'mt:canceled', id)
redis.call('PUBLISH', 'mt:changes', id)
return 1
`;

/** Forgets a job. ARGV: id. */
export const REMOVE = `
local id = ARGV[1]
local job = 'mt:job:' .. id
local owner, key = redis.call('HGET', job, 'owner'), redis.call('HGET', job, 'key')
if not owner then return 0 end
if key ~= '' then redis.call('HDEL', 'mt:keys:' .. owner, key) end
redis.call('ZREM', 'mt:owner:' .. owner, id)
redis.call('SREM', 'mt:unfinished:' .. owner, id)
redis.call('SREM', 'mt:unfinished', id)
redis.call('ZREM', 'mt:waiting', id)
redis.call('ZREM', 'mt:finished', id)
redis.call('SREM', 'mt:webhooks', id)
redis.call('DEL', job)
redis.call('PUBLISH', 'mt:removed', id .. ' ' .. owner)
return 1
`;

/** Says how a job's webhook stands. ARGV: id, webhook (JSON), 1 when it still has to be called. */
export const WEBHOOK = `
local job = 'mt:job:' .. ARGV[1]
if redis.call('EXISTS', job) == 0 then return 0 end
redis.call('HSET', job, 'webhook', ARGV[2])
if ARGV[3] == '0' then redis.call('SREM', 'mt:webhooks', ARGV[1]) end
redis.call('PUBLISH', 'mt:changes', ARGV[1])
return 1
`;
