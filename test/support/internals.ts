/**
 * What the tests use of the build behind the public face: a file that moves, or a name that changes, is followed here
 * alone.
 */

export { type Call, readAnswer, writeCall } from '../../dist/src/calls/batch.js';
export { type ConnectionMemory, reserveConnectionMemory } from '../../dist/src/calls/link.js';
export { Refused, refusals } from '../../dist/src/calls/refused.js';
export { parseLogLine, parseLogTime } from '../../dist/src/cli/access-log.js';
export { type Demo, startDemo } from '../../dist/src/cli/demo/host.js';
export { LONGEST_LINE, readLines } from '../../dist/src/cli/log-lines.js';
export { replayLog } from '../../dist/src/cli/replay.js';
export { RequestLog } from '../../dist/src/cli/request-log.js';
export { clearCookie, cookieData, createCookieFormat } from '../../dist/src/cookies/cookies.js';
export type { CookieFormat } from '../../dist/src/cookies/format.js';
export { CLOCK_TOLERANCE } from '../../dist/src/cookies/jwt.js';
export { resolveCookieOptions } from '../../dist/src/cookies/options.js';
export { clientAddress, isProxy, sameClient, trustIn } from '../../dist/src/http/options/address.js';
export { resolveHttpOptions } from '../../dist/src/http/options/options.js';
export { setHeaders } from '../../dist/src/http/response/write-head.js';
export { csrfTokenOf, isCsrfTokenOf } from '../../dist/src/http/session/csrf.js';
export { findSession } from '../../dist/src/http/session/find.js';
export { idleTimeoutOf } from '../../dist/src/http/store/cookie-expiry.js';
export { Handles } from '../../dist/src/lookup/handles.js';
export { Listing } from '../../dist/src/lookup/listing.js';
export { Lookup } from '../../dist/src/lookup/lookup.js';
export { Attachment } from '../../dist/src/manager/attachment.js';
export { ManagerClient } from '../../dist/src/manager/client.js';
export { EndDetector } from '../../dist/src/manager/end-detector.js';
export { Events } from '../../dist/src/manager/events.js';
export { isManualClock, memoryOf } from '../../dist/src/manager/manual-clock.js';
export { startSessionManager } from '../../dist/src/manager/start.js';
export { resolveOptions } from '../../dist/src/options/options.js';
export { timeoutLimitsUnder } from '../../dist/src/options/policy.js';
export { settingsOf } from '../../dist/src/options/settings.js';
export { ByteReader, ByteWriter, MalformedBytes } from '../../dist/src/protocol/bytes.js';
export {
  ANSWERS,
  type Answer,
  CALL,
  type CloseAllCall,
  CONNECTION,
  MOST_IN_FLIGHT,
  type Refusal,
  readRotate,
  readTarget,
  readText,
  type Target,
  writeClose,
  writeCloseAll,
  writeCloseByKey,
  writeNewSession,
  writeRotate,
  writeSetIdleTimeout,
  writeTarget,
} from '../../dist/src/protocol/calls.js';
export {
  clockOffset,
  judgeAnchor,
  readClock,
  reserveClock,
  setClockOffset,
  toSessionTime,
} from '../../dist/src/protocol/clock.js';
export { decodeData, decodeKey, decodeValue } from '../../dist/src/protocol/data/decode.js';
export { encodeData, encodePatch } from '../../dist/src/protocol/data/encode.js';
export { checkEntries, encodeKey, findEntry, mergeEntries } from '../../dist/src/protocol/data/entries.js';
export { KnownKeys } from '../../dist/src/protocol/data/strings.js';
export {
  readLogin,
  readReplace,
  readSet,
  readTake,
  writeLogin,
  writeReplace,
  writeSet,
  writeTake,
} from '../../dist/src/protocol/data-calls.js';
export { SessionError, texts } from '../../dist/src/protocol/errors.js';
export { formatId } from '../../dist/src/protocol/ids.js';
export {
  CELL_BYTES,
  CELL_WORDS,
  ENDED,
  HEADER,
  LAYOUT_VERSION,
  PICKED,
  RECORD_HEADER,
  reserveTable,
  SEGMENT_CELLS,
  SLOT_WORDS,
  STATUS,
  shapeFor,
} from '../../dist/src/protocol/layout.js';
export { wordsOf } from '../../dist/src/protocol/memory.js';
export { EVENT_BITS, REASONS } from '../../dist/src/protocol/notices.js';
export { SessionRecord } from '../../dist/src/protocol/record.js';
export { beginMark, raiseMark, seenAt } from '../../dist/src/protocol/seen.js';
export { isPort, isReport } from '../../dist/src/protocol/startup.js';
export { markPlace, REMOVED, TableView } from '../../dist/src/protocol/table.js';
export { reserveTombstones, TOMBSTONES } from '../../dist/src/protocol/tombstones.js';
export type { SessionContext, WatchedSession } from '../../dist/src/session/context.js';
export { keyDigestInto } from '../../dist/src/session/keys.js';
export { SessionHandle } from '../../dist/src/session/session.js';
export { digestOf, drawIdInto, drawToken, randomness, seal } from '../../dist/src/session/tokens.js';
export { HangDetector } from '../../dist/src/threads/hang-detector.js';
export { Supervisor, type SupervisorOptions } from '../../dist/src/threads/supervisor.js';
export type { JoinTicket } from '../../dist/src/threads/ticket.js';
export type {
  ManagerOptions,
  ManualClock,
  Session,
  SessionEvents,
  SessionFilter,
  SessionInfo,
  SessionManager,
} from '../../dist/src/types/types.js';
export {
  checkConnectOptions,
  checkFilter,
  checkGrace,
  checkRotateOptions,
  checkUserId,
  resolveNewSession,
} from '../../dist/src/validation/arguments.js';
export { defaults } from '../../dist/src/validation/defaults.js';
export { parseDuration } from '../../dist/src/validation/durations.js';
export { BatchJob } from '../../dist/worker/calls/batch.js';
export { CallerConnection, Connections } from '../../dist/worker/calls/connections.js';
export { Executor } from '../../dist/worker/calls/executor.js';
export { isCall } from '../../dist/worker/calls/gate.js';
export { serve } from '../../dist/worker/calls/serve.js';
export { Sweeper } from '../../dist/worker/calls/sweeper.js';
export { Queue, Turns } from '../../dist/worker/calls/turns.js';
export { armFailpoints, STEPS, type Step } from '../../dist/worker/failpoints.js';
export { type Recovered, recover } from '../../dist/worker/recovery.js';
export { isPrepared, type Ruling } from '../../dist/worker/rules/changes.js';
export { Endings } from '../../dist/worker/rules/endings.js';
export type { Notifier } from '../../dist/worker/rules/notifier.js';
export { Rules } from '../../dist/worker/rules/rules.js';
export { Sessions } from '../../dist/worker/rules/sessions.js';
export { SlotHeap } from '../../dist/worker/rules/slot-heap.js';
export { Users } from '../../dist/worker/rules/users.js';
export { IndexWriter } from '../../dist/worker/table/index-writer.js';
export { Journal } from '../../dist/worker/table/journal.js';
export { Fenced, Owner } from '../../dist/worker/table/owner.js';
export { Pace, STEP, type Steps, UNITS } from '../../dist/worker/table/pace.js';
export { RecordDraft } from '../../dist/worker/table/record-draft.js';
export { TableWriter } from '../../dist/worker/table/table.js';
export { Tombstones } from '../../dist/worker/table/tombstones.js';
