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
  fetch: { name: 'Fetch', key: 1, version: 12 },
  listOffsets: { name: 'ListOffsets', key: 2, version: 7 },
  metadata: { name: 'Metadata', key: 3, version: 12 },
  offsetFetch: { name: 'OffsetFetch', key: 9, version: 8 },
  findCoordinator: { name: 'FindCoordinator', key: 10, version: 4 },
  apiVersions: { name: 'ApiVersions', key: 18, version: 3 },
  createTopics: { name: 'CreateTopics', key: 19, version: 7 },
  deleteTopics: { name: 'DeleteTopics', key: 20, version: 6 },
  describeConfigs: { name: 'DescribeConfigs', key: 32, version: 4 },
} as const satisfies Record<string, Api>
