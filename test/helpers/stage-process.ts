import { type ChildProcess, spawn } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../../infra/engines/ports.ts'

const MILLRACE = join(import.meta.dirname, '../../bin/millrace')

/** A stage as the process it is in production. */
export interface StageProcess {
  readonly opsPort: number
  readonly pid: number
  /** CPU seconds since the process began, and the most memory seen, as its own metrics tell. */
  usage(): Promise<{ readonly cpuSeconds: number; readonly peakRssMiB: number }>
  /** Its metrics as they now are, in Prometheus' text format. */
  metrics(): Promise<string>
  /** SIGTERM; resolves to the exit status when the process is gone. */
  stop(): Promise<number | null>
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>
}

const SAMPLE_MS = 250

/** @throws Error when the stage is not ready within two minutes; its log says why */
export async function startStageProcess(
  stage: string,
  environment: Readonly<Record<string, string>>,
  logFile: string,
): Promise<StageProcess> {
  const opsPort = await freePort()
  const child = spawn(MILLRACE, ['run', stage], {
    env: { ...process.env, ...environment, MILLRACE_OPS_PORT: String(opsPort) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const log = createWriteStream(logFile, { flags: 'a' })
  child.stdout.pipe(log, { end: false })
  child.stderr.pipe(log, { end: false })
  let peakRssMiB = 0
  const metrics = async () => (await fetch(`http://127.0.0.1:${opsPort}/metrics`)).text()
  const sample = async () => {
    const text = await metrics()
    const rssMiB = metric(text, 'process_resident_memory_bytes') / 1024 ** 2
    peakRssMiB = Math.max(peakRssMiB, rssMiB)
    return metric(text, 'process_cpu_seconds_total')
  }
  await untilReady(child, opsPort, `${stage} is not ready; see ${logFile}.`)
  const timer = setInterval(() => sample().catch(() => {}), SAMPLE_MS)
  const gone = new Promise<number | null>((resolve) => child.once('close', resolve))
  const endWithUs = () => child.kill('SIGKILL')
  process.once('exit', endWithUs)
  void gone.then(() => process.removeListener('exit', endWithUs))
  const end = (signal: NodeJS.Signals) => {
    clearInterval(timer)
    child.kill(signal)
    return gone
  }
  return {
    opsPort,
    pid: child.pid as number,
    usage: async () => ({ cpuSeconds: await sample(), peakRssMiB }),
    metrics,
    stop: () => end('SIGTERM'),
    kill: async () => void (await end('SIGKILL')),
  }
}

async function untilReady(child: ChildProcess, opsPort: number, complaint: string): Promise<void> {
  const deadline = Date.now() + 120_000
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
