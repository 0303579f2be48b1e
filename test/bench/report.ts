/** One line of the table. */
export interface BenchRow {
  readonly name: string
  readonly events: number
  readonly eventsPerSecond: number
  readonly cpuMicrosPerEvent: number
  readonly peakRssMiB: number
  /** What takes the two times below: a row is measured by the unit of work that its clients or operators wait for. */
  readonly latencyOf: string
  /** Null where nothing of the kind happened. */
  readonly p50Ms: number | null
  readonly p99Ms: number | null
}

/** One question to the analytics API, asked again and again. */
export interface QuestionRow {
  readonly name: string
  /** Of the dataset that it is about. */
  readonly events: number
  readonly p50Ms: number
  readonly p95Ms: number
  /** What p95 should not pass. */
  readonly targetMs: number
  /** Of ClickHouse, for one answer. */
  readonly cpuSeconds: number
  /** By all statements of one answer, as ClickHouse last told of each while it ran. */
  readonly rowsRead: number
  readonly bytesRead: number
  /** Of the statement that took most. */
  readonly memoryMiB: number
}

export interface BenchReport {
  readonly machine: {
    readonly cpu: string
    readonly cores: number
    readonly memoryGiB: number
    readonly node: string
  }
  readonly commit: string
  readonly rows: readonly BenchRow[]
  readonly questions: readonly QuestionRow[]
}

/** The tables, with each row's speed against the baseline's row of the same name where there is one. */
export function renderReport(report: BenchReport, baseline: BenchReport | null): string {
  const header = [
    'row',
    'events/s',
    'CPU µs/event',
    'peak RSS MiB',
    'p50 ms',
    'p99 ms',
    'vs baseline',
    'p50, p99 of',
  ]
  const lines = report.rows.map((row) => {
    const before = baseline?.rows.find(({ name }) => name === row.name)
    return [
      row.name,
      number(row.eventsPerSecond),
      number(row.cpuMicrosPerEvent, 1),
      number(row.peakRssMiB),
      number(row.p50Ms, 1),
      number(row.p99Ms, 1),
      before ? `${number(row.eventsPerSecond / before.eventsPerSecond, 2)}×` : '–',
      row.latencyOf,
    ]
  })
  const { cpu, cores, memoryGiB, node } = report.machine
  return [
    `${cores} × ${cpu}, ${memoryGiB} GiB, Node ${node}, commit ${report.commit}`,
    ...(lines.length > 0 ? table(header, lines) : []),
    ...(report.questions.length > 0 ? questionTable(report.questions) : []),
    '',
  ].join('\n')
}

function questionTable(questions: readonly QuestionRow[]): string[] {
  const header = [
    'question',
    'events',
    'p50 ms',
    'p95 ms',
    'target ms',
    'CPU s',
    'rows read',
    'MB read',
    'memory MiB',
    '',
  ]
  const lines = questions.map((row) => [
    row.name,
    number(row.events),
    number(row.p50Ms),
    number(row.p95Ms),
    number(row.targetMs),
    number(row.cpuSeconds, 2),
    number(row.rowsRead),
    number(row.bytesRead / 1e6),
    number(row.memoryMiB),
    row.p95Ms <= row.targetMs ? 'met' : 'missed',
  ])
  return table(header, lines)
}

/** @param lines first and last cells are texts, all others numbers */
function table(header: readonly string[], lines: readonly (readonly string[])[]): string[] {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...lines.map((line) => line[column]!.length)),
  )
  const isText = (column: number) => column === 0 || column === header.length - 1
  const render = (cells: readonly string[]) =>
    cells
      .map((cell, column) => (isText(column) ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
      .join('  ')
      .trimEnd()
  return [render(header), render(widths.map((width) => '-'.repeat(width))), ...lines.map(render)]
}

function number(value: number | null, digits = 0): string {
  if (value === null) return '–'
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** @param sorted ascending; @param share 0.5 for the median */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
