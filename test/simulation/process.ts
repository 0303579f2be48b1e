import type { GroupConsumer } from '../../services/core/kafka/log.ts'
import type { Clock } from '../../services/core/runtime/clock.ts'
import {
  type Dependency,
  DependencyError,
  type DependencyErrorCode,
} from '../../services/core/runtime/errors.ts'
import type { MemoryLog } from '../helpers/memory-log.ts'
import type { Kernel } from './kernel.ts'
import type { Tally } from './tally.ts'

/** How unkind the world is; probabilities per call. */
export interface Faults {
  /** A request does not arrive. */
  loss: number
  /** A request is carried out and its answer does not arrive. */
  lostAnswer: number
  /** The process dies before or after the call has its effect. */
  crash: number
  /** The process stands still, often longer than its session. */
  pause: number
  /** Longest way of a request or an answer, ms. */
  latencyMaxMs: number
  /** A call of this kind is where processes stand still many times as often. */
  pauseAt: string
  /** Tables forget tokens sooner than some processes wake up. */
  forgetful: boolean
  /** Processes of this role die and stand still this many times as often. */
  focus: { readonly role: string; readonly times: number }
}

export const NO_FAULTS: Readonly<Faults> = {
  loss: 0,
  lostAnswer: 0,
  crash: 0,
  pause: 0,
  latencyMaxMs: 5,
  pauseAt: '',
  forgetful: false,
  focus: { role: '', times: 1 },
}

/** What a failing call looks like to the caller. */
export interface CallErrors {
  readonly dependency: Dependency
  readonly lost: DependencyErrorCode
  readonly lostAnswer: DependencyErrorCode
}

export const SESSION_MS = 10_000
/** How long a process may work on without hearing that its groups forgot it. */
export const DEAF_MAX_MS = 5_000
/** What a process does next after it stood still does not begin in one moment, ms. */
const WAKING_MS = 200
/** How many times as often a process stands still at the kind of call that the history has chosen. */
const PAUSE_AT_TIMES = 40
/** Whatever asks or tells a coordinator something. */
const COORDINATOR = /^commit/
/** What others see of a stage's work. */
const WRITE = /^(put|insert into (?!batches)|send \d)/

/**
 * One operating system process: everything that the code in it asks of the world goes through `call`, where it may be
 * slow, fail, stand still or die. A dead process hears nothing more: none of its calls ever come back.
 */
export class SimulatedProcess {
  readonly name: string
  readonly stopping = new AbortController()
  alive = true
  /** How far its clock is off, ms. */
  clockErrorMs = 0
  /** Told once, when it dies. */
  onDeath: () => void = () => {}
  readonly #kernel: Kernel
  readonly #faults: Readonly<Faults>
  readonly #tally: Tally
  readonly #log: MemoryLog
  readonly #consumers: GroupConsumer[] = []
  #pausedUntil = 0
  #deafUntil = 0
  #cutUntil = 0
  #pauseAtWriteMs = 0

  constructor(kernel: Kernel, name: string, faults: Readonly<Faults>, tally: Tally, log: MemoryLog) {
    this.#kernel = kernel
    this.name = name
    this.#faults = faults
    this.#tally = tally
    this.#log = log
  }

  /** Its own clock: a dead process never wakes up, one that stands still wakes up late. */
  readonly clock: Clock = {
    now: () => this.#kernel.clock.now() + this.clockErrorMs,
    monotonic: () => this.#kernel.now,
    sleep: (ms, signal) =>
      new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        this.#wake(ms, resolve)
        signal?.addEventListener('abort', () => this.#wake(0, resolve), { once: true })
      }),
  }

  owns(consumer: GroupConsumer): void {
    this.#consumers.push(consumer)
  }

  /** Resolves after a while of this process's time. */
  delay(ms: number): Promise<void> {
    return new Promise((resolve) => this.#wake(ms, resolve))
  }

  /**
   * @param effect what the call does to the world, at one moment
   */
  async call<T>(operation: string, errors: CallErrors, effect: () => Promise<T> | T): Promise<T> {
    const kernel = this.#kernel
    const faults = this.#faults
    await this.delay(kernel.between(0, faults.latencyMaxMs))
    const times = this.name.startsWith(`${faults.focus.role}#`) ? faults.focus.times : 1
    const isChosen = faults.pauseAt !== '' && operation.startsWith(faults.pauseAt)
    if (kernel.chance(faults.pause * times * (isChosen ? PAUSE_AT_TIMES : 1))) {
      this.pause(kernel.between(100, 3 * SESSION_MS))
      // Either the request is out already, or it goes out when much else has happened.
      if (isChosen || kernel.chance(0.5)) await this.delay(0)
    }
    if (this.#pauseAtWriteMs > 0 && !this.isCutOff && WRITE.test(operation)) {
      this.pause(this.#pauseAtWriteMs)
      this.#pauseAtWriteMs = 0
      await this.delay(0)
    }
    if (kernel.chance(faults.crash * times)) return this.#die(`before ${operation}`)
    if ((this.isCutOff && COORDINATOR.test(operation)) || kernel.chance(faults.loss)) {
      this.#tally.lost++
      this.#note(`${operation} is lost`)
      await this.delay(kernel.between(faults.latencyMaxMs, 500))
      throw new DependencyError(errors.dependency, errors.lost, `${operation} was not answered.`)
    }
    const isAnswerLost = kernel.chance(faults.lostAnswer)
    const isLast = kernel.chance(faults.crash * times)
    let outcome: { readonly value: T } | { readonly error: unknown }
    try {
      outcome = { value: await effect() }
    } catch (error) {
      outcome = { error }
    }
    this.#note('error' in outcome ? `${operation} fails: ${(outcome.error as Error).message}` : operation)
    if (isLast) return this.#die(`after ${operation}`)
    await this.delay(kernel.between(0, faults.latencyMaxMs))
    if (isAnswerLost) {
      this.#tally.lostAnswers++
      this.#note(`the answer to ${operation} is lost`)
      throw new DependencyError(errors.dependency, errors.lostAnswer, `${operation} was not answered.`)
    }
    if ('error' in outcome) throw outcome.error
    return outcome.value
  }

  /** Its groups do not count on it any more. */
  leave(): void {
    for (const consumer of this.#consumers) this.#log.controls.expel(consumer)
  }

  /** SIGKILL. */
  kill(): void {
    if (!this.alive) return
    this.alive = false
    this.#tally.crashes++
    for (const consumer of this.#consumers) {
      this.#log.controls.die(consumer)
      this.#kernel.at(SESSION_MS, () => this.#log.controls.expel(consumer))
    }
    this.onDeath()
  }

  /** The coordinator gives up on it, and it hears nothing of that for a while: all it does meanwhile it does as before. */
  forget(ms: number): void {
    this.#note(`is forgotten by its groups and hears of it in ${ms.toFixed(0)} ms`)
    this.#tally.forgotten++
    this.#deafUntil = this.#kernel.now + ms
    this.leave()
  }

  /** Stands still for so long as it is next about to write something, unless it is cut off then. */
  pauseAtWrite(ms: number): void {
    this.#pauseAtWriteMs = ms
  }

  /** Its coordinators do not hear it for a while, too short for them to give up on it. */
  cutOff(ms: number): void {
    this.#note(`is cut off from its coordinators for ${ms.toFixed(0)} ms`)
    this.#tally.cutOff++
    this.#cutUntil = this.#kernel.now + ms
  }

  get isCutOff(): boolean {
    return this.#kernel.now < this.#cutUntil
  }

  /** Resolves when it hears what its groups' coordinator has to say. */
  async hearing(): Promise<void> {
    while (this.#kernel.now < this.#deafUntil) await this.delay(this.#deafUntil - this.#kernel.now)
  }

  /** SIGSTOP, and SIGCONT after a while. */
  pause(ms: number): void {
    if (this.#pausedUntil > this.#kernel.now) return
    this.#tally.pauses++
    this.#note(`stands still for ${ms.toFixed(0)} ms`)
    this.#pausedUntil = this.#kernel.now + ms
    if (ms > SESSION_MS)
      for (const consumer of this.#consumers)
        this.#kernel.at(SESSION_MS, () => this.alive && this.#log.controls.expel(consumer))
  }

  #wake(ms: number, action: () => void): void {
    this.#kernel.at(ms, () => {
      if (!this.alive) return
      if (this.#kernel.now < this.#pausedUntil)
        this.#wake(this.#pausedUntil - this.#kernel.now + this.#kernel.between(0, WAKING_MS), action)
      else action()
    })
  }

  #die(where: string): Promise<never> {
    this.#note(`dies ${where}`)
    this.kill()
    return new Promise<never>(() => {})
  }

  #note(text: string): void {
    this.#kernel.note(`${this.name}: ${text}`)
  }
}
