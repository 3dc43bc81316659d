/**
 * The changes of a job on Redis, each a script that runs whole or not at all. A job is a hash of plain texts under
 * `mt:job:ID`; lists by owner, of waiting ones, of ended ones and of webhooks to call stand beside it. Every change
 * is told on the channel `mt:changes`.
 */

/** States that are final, in the language of the scripts. */
const FINAL = '{ done = 1, failed = 1, rejected = 1, canceled = 1 }';

/** Has an unfinished job wait for a worker. */
const WAIT = `
local function wait(id)
  local job = 'mt:job:' .. id
  redis.call('ZADD', 'mt:waiting', redis.call('HGET', job, 'turn') + redis.call('HGET', job, 'sequence') / 1e9, id)
  if redis.call('HEXISTS', job, 'of') == 1 then redis.call('SADD', 'mt:waiting-parts', id) end
end
`;

/** Gives an unfinished job the next turn of its owner. */
const TURN = `
local function take_turn(owner)
  local serving, own = redis.call('GET', 'mt:serving') or 0, redis.call('HGET', 'mt:next', owner) or 0
  local turn = math.max(tonumber(serving), tonumber(own))
  redis.call('HSET', 'mt:next', owner, turn + 1)
  return turn
end
`;

/** Forgets the parts of a job, whoever works on them, and takes an ended job off the lists of unfinished ones. */
const END = `
local function forget_parts(id)
  for index = 0, tonumber(redis.call('HGET', 'mt:job:' .. id, 'parts') or 0) - 1 do
    local part = id .. '.' .. index
    redis.call('ZREM', 'mt:waiting', part)
    redis.call('SREM', 'mt:waiting-parts', part)
    redis.call('DEL', 'mt:job:' .. part)
    redis.call('PUBLISH', 'mt:canceled', part)
  end
end
local function end_job(id, time)
  local job = 'mt:job:' .. id
  redis.call('HSET', job, 'finished', time)
  redis.call('ZREM', 'mt:waiting', id)
  redis.call('SREM', 'mt:unfinished', id)
  redis.call('SREM', 'mt:unfinished:' .. redis.call('HGET', job, 'owner'), id)
  redis.call('ZADD', 'mt:finished', time, id)
  if redis.call('HEXISTS', job, 'webhook') == 1 then redis.call('SADD', 'mt:webhooks', id) end
  forget_parts(id)
end
`;

/**
 * Takes a job in.
 *
 * ARGV: id, owner, base (JSON), key or '', keyed, webhook (JSON) or '', limit of the owner, limit of all, time.
 * Gives {'added', turn, sequence}, {'known', id} or {'full', own, all}.
 */
export const ADD = `${WAIT}${TURN}
local id, owner, base, key, keyed, webhook = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5], ARGV[6]
if key ~= '' then
  local known = redis.call('HGET', 'mt:keys:' .. owner, key)
  if known then return { 'known', known } end
end
local own, all = redis.call('SCARD', 'mt:unfinished:' .. owner), redis.call('SCARD', 'mt:unfinished')
if own >= tonumber(ARGV[7]) or all >= tonumber(ARGV[8]) then return { 'full', own, all } end
if all == 0 then redis.call('DEL', 'mt:serving', 'mt:next') end
local turn = take_turn(owner)
local sequence = redis.call('INCR', 'mt:sequence')
redis.call('HSET', 'mt:job:' .. id, 'base', base, 'owner', owner, 'key', key, 'keyed', keyed, 'state', 'queued',
  'turn', turn, 'sequence', sequence, 'fence', 0, 'attempts', 0, 'created', ARGV[9])
if webhook ~= '' then redis.call('HSET', 'mt:job:' .. id, 'webhook', webhook) end
if key ~= '' then redis.call('HSET', 'mt:keys:' .. owner, key, id) end
redis.call('SADD', 'mt:unfinished', id)
redis.call('SADD', 'mt:unfinished:' .. owner, id)
redis.call('ZADD', 'mt:owner:' .. owner, sequence, id)
wait(id)
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
redis.call('HSET', job, 'state', 'running')
if redis.call('HEXISTS', job, 'parts') == 0 then redis.call('HSET', job, 'started', ARGV[2]) end
redis.call('HDEL', job, 'progress')
redis.call('ZREM', 'mt:waiting', ARGV[1])
redis.call('SREM', 'mt:waiting-parts', ARGV[1])
local turn = tonumber(redis.call('HGET', job, 'turn'))
if turn > tonumber(redis.call('GET', 'mt:serving') or 0) then redis.call('SET', 'mt:serving', turn) end
redis.call('PUBLISH', 'mt:changes', redis.call('HGET', job, 'of') or ARGV[1])
return { fence, tonumber(redis.call('HGET', job, 'attempts')) }
`;

/**
 * Changes a job that runs under a fence, and ends its running where the state is another one. Late workers hold an
 * older fence and change nothing. The last part that is done has its job wait again; one that is given up ends it.
 *
 * ARGV: id, fence, state, time, then names and values. Gives 1; 2 when the job of a part is to be handed out; 0 when
 * refused.
 */
export const FINISH = `${WAIT}${END}
local id, state = ARGV[1], ARGV[3]
local job = 'mt:job:' .. id
local final = ${FINAL}
if redis.call('HGET', job, 'fence') ~= ARGV[2] or redis.call('HGET', job, 'state') ~= 'running' then return 0 end
redis.call('HSET', job, 'state', state)
for i = 5, #ARGV, 2 do redis.call('HSET', job, ARGV[i], ARGV[i + 1]) end
local of = redis.call('HGET', job, 'of')
local answer = 1
if state == 'queued' then
  wait(id)
elseif final[state] and not of then
  end_job(id, ARGV[4])
elseif state == 'done' then
  if redis.call('HINCRBY', 'mt:job:' .. of, 'left', -1) == 0 then
    redis.call('HSET', 'mt:job:' .. of, 'state', 'queued')
    wait(of)
    answer = 2
  end
elseif final[state] then
  for i = 5, #ARGV, 2 do redis.call('HSET', 'mt:job:' .. of, ARGV[i], ARGV[i + 1]) end
  redis.call('HSET', 'mt:job:' .. of, 'state', state)
  end_job(of, ARGV[4])
end
redis.call('PUBLISH', 'mt:changes', of or id)
return answer
`;

/**
 * Divides a job that runs under a fence. ARGV: id, fence, time, then the base (JSON) of each part. Gives the turn of
 * each part; nothing when refused.
 */
export const SPLIT = `${WAIT}${TURN}
local id = ARGV[1]
local job = 'mt:job:' .. id
if redis.call('HGET', job, 'fence') ~= ARGV[2] or redis.call('HGET', job, 'state') ~= 'running' then return {} end
local owner = redis.call('HGET', job, 'owner')
redis.call('HDEL', job, 'progress', 'error')
redis.call('HSET', job, 'state', 'split', 'parts', #ARGV - 3, 'left', #ARGV - 3)
local turns = {}
for i = 4, #ARGV do
  local part = id .. '.' .. (i - 4)
  local turn = take_turn(owner)
  redis.call('HSET', 'mt:job:' .. part, 'base', ARGV[i], 'owner', owner, 'key', '', 'keyed', '', 'state', 'queued',
    'turn', turn, 'sequence', redis.call('INCR', 'mt:sequence'), 'fence', 0, 'attempts', 0, 'created', ARGV[3],
    'of', id, 'index', i - 4)
  wait(part)
  turns[#turns + 1] = turn
end
redis.call('PUBLISH', 'mt:changes', id)
return turns
`;

/** Ends an unfinished job, whoever works on it. ARGV: id, time. Gives 1 when it was unfinished. */
export const CANCEL = `${END}
local id = ARGV[1]
local job = 'mt:job:' .. id
local state = redis.call('HGET', job, 'state')
local final = ${FINAL}
if not state or final[state] then return 0 end
redis.call('HSET', job, 'state', 'canceled')
end_job(id, ARGV[2])
redis.call('PUBLISH', 'mt:canceled', id)
redis.call('PUBLISH', 'mt:changes', id)
return 1
`;

/** Forgets a job. ARGV: id. */
export const REMOVE = `${END}
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
forget_parts(id)
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
