import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../infra/engines/engine-process.ts'

const MILLRACE = join(import.meta.dirname, '../../bin/millrace')

/** A stage as the process it is in production, and what it costs. */
export interface MeasuredStage {
  readonly opsPort: number
  /** CPU seconds since the process began, and the most memory seen, as its own metrics tell. */
  usage(): Promise<{ readonly cpuSeconds: number; readonly peakRssMiB: number }>
  stop(): Promise<void>
}

const SAMPLE_MS = 250

/** @throws Error when the stage is not ready within a minute; its log says why */
export async function startMeasuredStage(
  stage: string,
  environment: Readonly<Record<string, string>>,
  logFile: string,
): Promise<MeasuredStage> {
  const opsPort = await freePort()
  const child = spawn(MILLRACE, ['run', stage], {
    env: { ...process.env, ...environment, MILLRACE_OPS_PORT: String(opsPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(logFile, { flags: 'a' })
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  let peakRssMiB = 0
  const sample = async () => {
    const text = await (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()
    const rssMiB = metric(text, 'process_resident_memory_bytes') / 1024 ** 2
    peakRssMiB = Math.max(peakRssMiB, rssMiB)
    return metric(text, 'process_cpu_seconds_total')
  }
  await untilReady(child, opsPort, `${stage} is not ready; see ${logFile}.`)
  const timer = setInterval(() => sample().catch(() => {}), SAMPLE_MS)
  return {
    opsPort,
    usage: async () => ({ cpuSeconds: await sample(), peakRssMiB }),
    stop: async () => {
      clearInterval(timer)
      const gone = new Promise((resolve) => child.once('close', resolve))
      child.kill('SIGTERM')
      await gone
    },
  }
}

async function untilReady(child: ChildProcess, opsPort: number, complaint: string): Promise<void> {
  const deadline = Date.now() + 60_000
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${opsPort}/readyz`).catch(() => null)
    if (answer?.ok) return
    if (child.exitCode !== null || Date.now() > deadline) throw new Error(complaint)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}

function metric(text: string, name: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${name} `))
  return line === undefined ? Number.NaN : Number(line.slice(name.length + 1))
}
