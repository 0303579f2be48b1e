/** A broker's refusal: an error code of Kafka's protocol (https://kafka.apache.org/protocol#protocol_error_codes). */
export class BrokerError extends Error {
  readonly code: number

  constructor(code: number, detail?: string | null) {
    super(detail || NAMES.get(code) || 'the broker refused')
    this.name = 'BrokerError'
    this.code = code
  }
}

/** What operators meet, in words; other codes are told by their number. */
const NAMES: ReadonlyMap<number, string> = new Map([
  [1, 'the offset is not there any more, or not yet'],
  [3, 'no such topic or partition'],
  [6, 'another broker leads the partition'],
  [7, 'the request timed out'],
  [10, 'the records are larger than the topic allows'],
  [19, 'too few replicas are in sync'],
  [20, 'too few replicas were in sync when the records were stored'],
  [15, 'the coordinator is not available'],
  [16, 'another broker coordinates the group'],
  [14, 'the coordinator is still reading the group'],
  [17, 'the topic’s name is not allowed'],
  [22, 'the group is in another generation'],
  [23, 'the group’s members use another protocol'],
  [24, 'the group’s id is not allowed'],
  [25, 'the group does not know this member'],
  [26, 'the session timeout is outside of what the broker allows'],
  [27, 'the group is rebalancing'],
  [29, 'no permission for the topic'],
  [30, 'no permission for the group'],
  [31, 'no permission for the cluster'],
  [37, 'the number of partitions is not allowed'],
  [38, 'fewer brokers than replicas'],
  [40, 'a topic setting is not allowed'],
  [42, 'the request is not valid'],
  [45, 'records came in another order than they were sent'],
  [47, 'a newer producer took over'],
  [48, 'the transaction is in another state'],
  [50, 'the transaction’s time limit is above what the broker allows'],
  [51, 'the transaction before is still being ended'],
  [53, 'no permission for the transactional id'],
  [59, 'the broker does not know this producer any more'],
  [90, 'a newer producer took over'],
  [44, 'a policy of the cluster forbids it'],
  [58, 'wrong user or password'],
  [81, 'the group is full'],
  [82, 'another process joined under the same instance id'],
  [88, 'a transaction over the position is under way'],
])

export const CODES = {
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  LEADER_NOT_AVAILABLE: 5,
  NOT_LEADER_OR_FOLLOWER: 6,
  REPLICA_NOT_AVAILABLE: 9,
  REQUEST_TIMED_OUT: 7,
  MESSAGE_TOO_LARGE: 10,
  RECORD_LIST_TOO_LARGE: 18,
  NOT_ENOUGH_REPLICAS: 19,
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: 20,
  DUPLICATE_SEQUENCE_NUMBER: 46,
  CONCURRENT_TRANSACTIONS: 51,
  OPERATION_NOT_ATTEMPTED: 55,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  INCONSISTENT_GROUP_PROTOCOL: 23,
  INVALID_GROUP_ID: 24,
  UNKNOWN_MEMBER_ID: 25,
  INVALID_SESSION_TIMEOUT: 26,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_ALREADY_EXISTS: 36,
  KAFKA_STORAGE_ERROR: 56,
  GROUP_ID_NOT_FOUND: 69,
  FENCED_LEADER_EPOCH: 74,
  UNKNOWN_LEADER_EPOCH: 75,
  OFFSET_NOT_AVAILABLE: 78,
  MEMBER_ID_REQUIRED: 79,
  GROUP_MAX_SIZE_REACHED: 81,
  FENCED_INSTANCE_ID: 82,
  UNSTABLE_OFFSET_COMMIT: 88,
} as const

/** The partition is led elsewhere, or its leader is not ready: asking the cluster who leads it now puts it right. */
export const LEADER_MOVED: ReadonlySet<number> = new Set([
  CODES.UNKNOWN_TOPIC_OR_PARTITION,
  CODES.LEADER_NOT_AVAILABLE,
  CODES.NOT_LEADER_OR_FOLLOWER,
  CODES.REPLICA_NOT_AVAILABLE,
  CODES.KAFKA_STORAGE_ERROR,
  CODES.FENCED_LEADER_EPOCH,
  CODES.UNKNOWN_LEADER_EPOCH,
  CODES.OFFSET_NOT_AVAILABLE,
])

/** The group is kept elsewhere, or its keeper is not ready: nothing was taken, and asking who keeps it now puts it right. */
export const COORDINATOR_MOVED: ReadonlySet<number> = new Set([
  CODES.COORDINATOR_LOAD_IN_PROGRESS,
  CODES.COORDINATOR_NOT_AVAILABLE,
  CODES.NOT_COORDINATOR,
])
