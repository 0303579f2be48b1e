import { FAULTS } from './faults.ts'

/** A test of the repository, and its name where the file holds others. */
export type Proof = readonly [file: string, test?: string]

/** One fault that the pipeline must withstand. */
export interface MatrixRow {
  readonly row: number
  readonly fault: string
  /** It is part of what every run sends. */
  readonly inLoad?: true
  readonly tests?: readonly Proof[]
  /** Why it is not tried, or what of it is not. */
  readonly not?: string
}

const SIMULATION: Proof = ['test/simulation/seeds-1-75.test.ts']
const RUNNER = 'test/core/stream/run-partitions.test.ts'
const PRODUCER = 'test/core/kafka/wire/producer.test.ts'
const SEGMENTS = 'test/services/collector/store/segment-log.test.ts'
const ENRICHER = 'test/services/enricher/pipeline.test.ts'
const ROUTER_FAULTS = 'test/services/subscriber-router/router-faults.test.ts'

/** Every fault of the list that this project holds itself to, and where it is tried; those that chaos inflicts name their rows themselves. */
export const FAULT_MATRIX: readonly MatrixRow[] = [
  {
    row: 1,
    fault: 'a broker is killed and comes back',
    tests: [['test/integration/kafka-crash.test.ts']],
  },
  { row: 2, fault: 'a broker stands still' },
  { row: 3, fault: 'a broker is slow' },
  { row: 4, fault: 'a connection to a broker is reset in the middle of a produce', tests: [SIMULATION] },
  {
    row: 5,
    fault: 'records are stored and the acknowledgement is lost',
    tests: [
      [
        PRODUCER,
        'a batch whose answer was lost is sent again as the same bytes, and a repetition counts as stored',
      ],
    ],
  },
  {
    row: 6,
    fault: 'the disk of a broker is full',
    not: 'a broker whose only disk fails ends itself: to its clients it is one that was killed (1)',
  },
  {
    row: 7,
    fault: 'a broker loses the end of its log',
    tests: [[RUNNER, 'a position that is gone is found although no poll tells of it']],
    not: 'on a real broker: it takes a power cut of the disk; three replicas are what guards against it',
  },
  {
    row: 8,
    fault: 'leaders and coordinators move',
    tests: [
      [PRODUCER, 'a leader that moved is asked for, and gets the same bytes'],
      ['test/core/kafka/wire/fetcher.test.ts', 'a new leader is found, and a broken connection mended'],
    ],
  },
  {
    row: 9,
    fault: 'a broker has forgotten a producer, or its numbers do not follow',
    tests: [
      [
        PRODUCER,
        'where epochs are used up, or the brokers take the id for another, there is a new producer id',
      ],
      [
        PRODUCER,
        'records missing before a batch leave its outcome open: it is not sent again, and the partition starts a new epoch',
      ],
    ],
  },
  {
    row: 10,
    fault: 'the end of a transaction is carried out late, when the next one is open',
    tests: [
      [
        'test/core/kafka/wire/transactional-producer.test.ts',
        'a commit without an answer ends the producer: what became of it is for the next one to find',
      ],
      SIMULATION,
    ],
    not: 'on a real broker, which cannot be told to hold it back',
  },
  {
    row: 11,
    fault: 'a process sleeps past its session and wakes as an owner of before',
    tests: [
      [ENRICHER, 'a process that slept through its replacement is fenced and writes nothing'],
      SIMULATION,
    ],
  },
  {
    row: 12,
    fault: 'the enricher dies at any point of a batch',
    tests: [['test/integration/enricher.test.ts'], ['test/services/enricher/exactly-once.test.ts']],
  },
  {
    row: 13,
    fault: 'the S3 sink dies at any point of a batch',
    tests: [
      [
        'test/integration/s3-sink.test.ts',
        'killed at every fail point, every delivery ends with every row exactly once and verifies',
      ],
    ],
  },
  {
    row: 14,
    fault: 'the ClickHouse sink dies at any point of a batch, or the server with it',
    tests: [
      ['test/integration/clickhouse-sink.test.ts', 'killed at every fail point, every event is there once'],
      [
        'test/integration/clickhouse-sink.test.ts',
        'ClickHouse killed again and again while it is written to: every event is there once',
      ],
    ],
  },
  {
    row: 15,
    fault: 'the collector dies at any point of a request',
    tests: [
      [
        'test/integration/collector.test.ts',
        'a killed collector loses nothing that it acknowledged and doubles nothing',
      ],
    ],
  },
  { row: 16, fault: 'everything is killed at once' },
  {
    row: 17,
    fault: 'members join and leave without a pause',
    tests: [['test/integration/kafka-run-partitions.test.ts']],
  },
  { row: 18, fault: 'one batch takes longer than a session lasts', tests: [SIMULATION] },
  {
    row: 19,
    fault: 'a partition is taken away in the middle of a batch',
    tests: [
      [RUNNER, 'a revocation in the middle of a batch waits for it, and the next owner starts after it'],
    ],
  },
  {
    row: 20,
    fault: 'clients send requests again, in any order',
    inLoad: true,
    tests: [
      [
        'test/services/enricher/exactly-once.test.ts',
        'a fifth of the events sent again, in any order, leaves no duplicate',
      ],
    ],
  },
  {
    row: 21,
    fault: 'another payload under a taken id',
    inLoad: true,
    tests: [
      [
        'test/services/enricher/judge-record.test.ts',
        'an occupied id refuses another payload once, whatever sent_at and the envelope say',
      ],
    ],
  },
  {
    row: 22,
    fault: 'a repetition after the dedupe window',
    tests: [
      [ENRICHER, 'an event that comes again after the window is a new event, and counted as one past it'],
    ],
  },
  { row: 23, fault: 'S3 answers SlowDown and 500 in bursts' },
  {
    row: 24,
    fault: 'S3 carries a request out and its answer is lost',
    tests: [
      ['test/services/s3-sink/pipeline.test.ts', 'an answer of the store that was lost is not a second row'],
    ],
  },
  {
    row: 25,
    fault: 'an upload is cut',
    tests: [['test/chaos/s3-double.test.ts', 'a request that is cut never arrives whole']],
  },
  { row: 26, fault: 'S3 answers 409, or 200 with an error' },
  {
    row: 27,
    fault: 'S3, or ClickHouse, lets us in no more for a while',
    tests: [
      [
        RUNNER,
        'a partition that is denied asks again with an alarm, and goes on by itself once it is let in',
      ],
    ],
  },
  {
    row: 28,
    fault: 'S3 is away for half an hour',
    tests: [
      ['test/services/s3-sink/pipeline.test.ts', 'a delivery that fails holds up no other, and catches up'],
    ],
    not: 'for so long on real engines: runs are short',
  },
  {
    row: 29,
    fault: 'a byte of an upload is another',
    tests: [
      [
        'test/integration/s3-store.test.ts',
        'the server refuses bytes that do not match their checksum, and pages its listings',
      ],
    ],
  },
  { row: 30, fault: 'ClickHouse is killed in the middle of an insert' },
  { row: 31, fault: 'ClickHouse takes many seconds for an insert' },
  {
    row: 32,
    fault: 'ClickHouse is read-only, has too many parts, no memory, no disk, or a quota that is used up',
    tests: [['test/chaos/clickhouse-double.test.ts']],
  },
  {
    row: 33,
    fault: 'ClickHouse inserts and its answer is lost',
    tests: [
      ['test/core/clickhouse/insert-exactly.test.ts', 'a replay is counted even where everything was clean'],
    ],
  },
  {
    row: 34,
    fault: 'ClickHouse has forgotten the token of an insert',
    tests: [
      [
        'test/core/clickhouse/insert-exactly.test.ts',
        'a replay whose token the table has forgotten doubles nothing',
      ],
    ],
  },
  {
    row: 35,
    fault: 'one batch with events of more months than an insert may touch',
    tests: [
      [
        'test/integration/clickhouse-tables.test.ts',
        'events of twenty years in one batch go through, where a table by months as sent refuses them',
      ],
    ],
  },
  {
    row: 36,
    fault: 'records that nobody can decode',
    tests: [
      [
        'test/services/enricher/judge-record.test.ts',
        'an undecodable record without headers belongs to nobody',
      ],
      [
        'test/integration/clickhouse-sink.test.ts',
        'rejected events, ticks and records that are none: each has its place, and nothing stops for them',
      ],
    ],
  },
  {
    row: 37,
    fault: 'a record that ends every process that reads it',
    tests: [
      [
        ENRICHER,
        'a record that ends the process again and again is set aside, and its neighbours go through',
      ],
    ],
  },
  {
    row: 38,
    fault: 'rejected events cannot be written',
    tests: [
      [
        ENRICHER,
        'while rejected events cannot be written nothing of their batch is, and all of it once they can',
      ],
    ],
  },
  {
    row: 39,
    fault: 'schemas and configuration change on the way',
    tests: [
      [
        'test/services/enricher/judge-record.test.ts',
        'a schema change between a refused event and its retry neither swallows nor doubles it',
      ],
      [
        'test/services/s3-sink/delivery-sink.test.ts',
        'an open batch keeps the configuration it began with, and a replay the one that was pinned',
      ],
    ],
    not: 'columns of a table that change under traffic: properties are one column',
  },
  { row: 40, fault: 'two versions of a stage work side by side', tests: [SIMULATION] },
  {
    row: 41,
    fault: 'an event, body or header of one byte more than its limit',
    tests: [
      ['test/services/collector/limits.test.ts'],
      ['test/services/collector/raw-socket.test.ts', 'headers over their limit are 431'],
    ],
  },
  {
    row: 42,
    fault: 'clients leave in the middle of a body, trickle, or never end',
    tests: [
      [
        'test/services/collector/raw-socket.test.ts',
        'a hundred clients that leave in the middle of their bodies leave nothing behind',
      ],
      [
        'test/services/collector/raw-socket.test.ts',
        'a body that trickles, or never ends, is cut with 408 and leaves nothing',
      ],
    ],
  },
  {
    row: 43,
    fault: 'ten times more than can be taken',
    tests: [['test/services/collector/overload.test.ts']],
    not: 'here: `make overload` measures it',
  },
  {
    row: 44,
    fault: 'one dataset sends nine tenths of everything',
    tests: [
      [
        'test/services/collector/admission.test.ts',
        'next to one that sends ten times the capacity, small ones are not refused at all',
      ],
    ],
    not: 'here: `make overload MODE=neighbour` measures it',
  },
  { row: 45, fault: 'a process is asked to end under load', tests: [['test/core/runtime/stage.test.ts']] },
  { row: 46, fault: 'a wall clock jumps by hours or decades, or drifts', tests: [SIMULATION] },
  {
    row: 47,
    fault: 'clients’ clocks that are wrong by years, and times that are none',
    inLoad: true,
    tests: [['test/services/enricher/timestamps.test.ts']],
  },
  {
    row: 48,
    fault: 'the disk of a store is full, read-only, fails its syncs, is torn or rots',
    tests: [
      [SEGMENTS, 'after a failed sync its records are unknown, and that file is not written again'],
      [SEGMENTS, 'damage in the middle costs the records that it is in, and is told'],
      [SEGMENTS, 'a torn tail is cut at start, counted, and not damage at the start after'],
    ],
  },
  {
    row: 49,
    fault: 'a process gets no handle, or no memory',
    not: 'a limit of memory: it takes cgroups that a test may set; the kernel’s kill is a kill like others',
  },
  { row: 50, fault: 'an event loop that is held for longer than a session', tests: [SIMULATION] },
  {
    row: 51,
    fault: 'an error that nobody foresaw',
    tests: [
      [
        'test/core/runtime/stage.test.ts',
        'an unexpected error ends the process with 1, so that a supervisor restarts it',
      ],
    ],
  },
  {
    row: 52,
    fault: 'a name that is not found, or has another address',
    tests: [['test/core/object-store/s3-errors.test.ts', 'a network that fails is unavailable or a timeout']],
    not: 'addresses that change: it takes a name server of our own',
  },
  { row: 53, fault: 'a connection on which nothing comes any more' },
  {
    row: 54,
    fault: 'questions that are too many, too large or given up',
    tests: [
      [
        'test/services/query-api/server.test.ts',
        'a client that goes away aborts its question, and its place is free again',
      ],
      ['test/integration/query-api.test.ts', 'a question that costs too much is a 400 that says what to do'],
    ],
  },
  {
    row: 55,
    fault: 'keys that cannot be looked up, or are taken away',
    tests: [
      ['test/services/collector/credentials.test.ts', 'while the keys cannot be confirmed nobody gets in'],
      ['test/services/query-api/server.test.ts', 'a revoked key stops working at once'],
    ],
  },
  {
    row: 56,
    fault: 'a subscriber’s topic is missing, deleted or denied',
    tests: [
      [
        'test/integration/router.test.ts',
        'a subscriber’s topic is deleted under load: the others go on, it is made again and gets the rest once',
      ],
      [
        ROUTER_FAULTS,
        'one broken subscriber holds nobody up, and gets everything once when its topic works again',
      ],
    ],
  },
  {
    row: 57,
    fault: 'retention took records that were not read yet',
    tests: [
      [RUNNER, 'a position that retention has passed stops its partition with an alarm, never skips'],
      [ROUTER_FAULTS, 'what retention took from a broken subscription is lost loudly, the rest is delivered'],
    ],
  },
  {
    row: 58,
    fault: 'nobody reads what a process prints',
    tests: [
      [
        'test/core/runtime/log-pipe.test.ts',
        'a stage whose output nobody reads goes on working, and says afterwards what is missing',
      ],
    ],
  },
]

/** Every row, with how often chaos inflicted it. */
export function renderMatrix(inflicted: Readonly<Record<string, number>>): string {
  const rows = FAULT_MATRIX.map(
    (each) => `| ${each.row} | ${each.fault} | ${howItIsTried(each, inflicted)} |`,
  )
  return `| | fault | where it is tried; how often these runs inflicted it |\n|---|---|---|\n${rows.join('\n')}`
}

function howItIsTried(
  { row, inLoad, tests = [], not }: MatrixRow,
  inflicted: Readonly<Record<string, number>>,
): string {
  const faults = FAULTS.filter(({ rows }) => rows.includes(row))
  const times = faults.reduce((sum, { name }) => sum + (inflicted[name] ?? 0), 0)
  return [
    ...(faults.length > 0 ? [`chaos, ${times.toLocaleString('en-US')} times`] : []),
    ...(inLoad ? ['chaos, in the load of every run'] : []),
    ...new Set(tests.map(([file]) => `\`${file.replace(/^test\/|\.test\.ts$/g, '')}\``)),
    ...(not === undefined ? [] : [`not run ${/^(for|on|here)\b/.test(not) ? '' : '– '}${not}`]),
  ].join('; ')
}
