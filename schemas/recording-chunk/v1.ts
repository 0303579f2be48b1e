/**
 * A chunk of a session's recording: the value of a record in `recordings.raw` is this object as one line of JSON, a
 * newline, and then the chunk's own line, compressed with gzip: `{"window_id": …, "data": [rrweb events]}` and a newline.
 * What carries the pages themselves is compressed once, where it comes in, and copied from there on.
 */
export interface RecordingChunk {
  readonly v: 1
  /** The client's own, or one that the collector gave it. A repeat has the same. */
  readonly event_id: string
  readonly dataset_id: string
  readonly session_id: string
  /** The session's id where the client names no window. */
  readonly window_id: string
  /** Empty for nobody. */
  readonly distinct_id: string
  /** Epoch milliseconds. */
  readonly collector_time: number
  /** Name of the recording library, where it tells. */
  readonly library: string | null
  /** rrweb events in it, at least one. */
  readonly events: number
  /** Size of the line before compression, bytes. */
  readonly bytes: number
}
