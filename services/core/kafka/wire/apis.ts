/**
 * Requests of Kafka's protocol in the versions spoken here: flexible ones, the lowest that say what is needed, so
 * that every broker from Kafka 3.1 on understands them.
 */
export interface Api {
  readonly name: string
  readonly key: number
  readonly version: number
}

export const APIS = {
  produce: { name: 'Produce', key: 0, version: 9 },
  fetch: { name: 'Fetch', key: 1, version: 12 },
  listOffsets: { name: 'ListOffsets', key: 2, version: 7 },
  metadata: { name: 'Metadata', key: 3, version: 12 },
  offsetCommit: { name: 'OffsetCommit', key: 8, version: 8 },
  offsetFetch: { name: 'OffsetFetch', key: 9, version: 8 },
  findCoordinator: { name: 'FindCoordinator', key: 10, version: 4 },
  joinGroup: { name: 'JoinGroup', key: 11, version: 7 },
  heartbeat: { name: 'Heartbeat', key: 12, version: 4 },
  leaveGroup: { name: 'LeaveGroup', key: 13, version: 4 },
  syncGroup: { name: 'SyncGroup', key: 14, version: 4 },
  apiVersions: { name: 'ApiVersions', key: 18, version: 3 },
  createTopics: { name: 'CreateTopics', key: 19, version: 7 },
  deleteTopics: { name: 'DeleteTopics', key: 20, version: 6 },
  initProducerId: { name: 'InitProducerId', key: 22, version: 4 },
  addPartitionsToTxn: { name: 'AddPartitionsToTxn', key: 24, version: 3 },
  addOffsetsToTxn: { name: 'AddOffsetsToTxn', key: 25, version: 3 },
  endTxn: { name: 'EndTxn', key: 26, version: 3 },
  txnOffsetCommit: { name: 'TxnOffsetCommit', key: 28, version: 3 },
  describeConfigs: { name: 'DescribeConfigs', key: 32, version: 4 },
} as const satisfies Record<string, Api>

/**
 * What a transaction is made of where the cluster has `transaction.version` 2 (KIP-890): partitions and groups join a
 * transaction by being written to, and each transaction has an epoch of its own. Bodies are as above but for the answer
 * to EndTxn.
 */
export const TRANSACTION_2_APIS = {
  produce: { name: 'Produce', key: 0, version: 12 },
  endTxn: { name: 'EndTxn', key: 26, version: 5 },
  txnOffsetCommit: { name: 'TxnOffsetCommit', key: 28, version: 5 },
} as const satisfies Record<string, Api>
