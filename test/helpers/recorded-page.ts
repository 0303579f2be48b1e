import { readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { type Browser, chromium, type Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { chromiumPath } from './chromium.ts'

const FIXTURE = join(import.meta.dirname, '../fixtures/recorded-page')
const FILES: Readonly<Record<string, readonly [string, string]>> = {
  '/': [join(FIXTURE, 'index.html'), 'text/html'],
  '/playback': [join(FIXTURE, 'playback.html'), 'text/html'],
  '/page.js': [join(FIXTURE, 'page.js'), 'text/javascript'],
  '/rrweb.js': [join(import.meta.dirname, '../../node_modules/rrweb/dist/rrweb.umd.cjs'), 'text/javascript'],
}
const VIEWPORT = { width: 900, height: 600 }

/** Where chunks go. */
export interface ChunkTarget {
  readonly collectorUrl: string
  readonly key: string
  readonly session: string
}

/** A page in Chromium that the stock recorder of rrweb recorded, and its player. */
export interface RecordedPage {
  /** What rrweb emitted, in its order. */
  readonly events: readonly unknown[]
  /** What the collector answered to each chunk. */
  readonly answers: readonly unknown[]
  /** What was seen of the page at the end: elements with their text, state and place. */
  readonly seen: unknown
  /** What is seen at the end of these events when rrweb plays them. */
  play(events: readonly unknown[]): Promise<unknown>
}

/**
 * Visits a page, does things on it, and sends what was recorded in chunks, those of odd numbers as older clients did. The
 * browser ends with the test that this is called in.
 */
export async function recordPage(target: ChunkTarget): Promise<RecordedPage> {
  const files = createServer(({ url = '/' }, response) => {
    const [path, type] = FILES[url] ?? []
    if (path === undefined) return response.writeHead(404).end()
    response.writeHead(200, { 'content-type': `${type}; charset=utf-8` }).end(readFileSync(path))
  })
  onTestFinished(() => void files.close())
  await new Promise<void>((resolve) => files.listen(0, '127.0.0.1', resolve))
  const address = `http://127.0.0.1:${(files.address() as AddressInfo).port}`
  const browser = await chromium.launch({ executablePath: chromiumPath() ?? '' })
  onTestFinished(() => browser.close())
  const page = await browser.newPage({ viewport: VIEWPORT })
  await page.goto(address)
  await call(page, 'startRecording')
  const answers: unknown[] = []
  for (const visit of VISITS) {
    await visit(page)
    const { collectorUrl, ...rest } = target
    const number = answers.length
    answers.push(
      await call(page, 'sendChunk', {
        ...rest,
        url: `${collectorUrl}/v1/events`,
        id: `${target.session}-${number}`,
        isOld: number % 2 === 1,
      }),
    )
  }
  const seen = await page.evaluate('seenIn(document)')
  const events = await page.evaluate<unknown[]>('emitted.map((text) => JSON.parse(text))')
  return {
    events,
    answers,
    seen,
    play: (recorded) => play(browser, `${address}/playback`, recorded),
  }
}

/** What a visitor does between one chunk and the next. */
const VISITS: readonly ((page: Page) => Promise<void>)[] = [
  async (page) => {
    await page.locator('#name').pressSequentially('Ada “L.” 漢字')
    await page.locator('#secret').pressSequentially('hunter2')
  },
  async (page) => {
    for (let n = 0; n < 3; n++) await page.locator('#add').click()
    await page.locator('#note').fill('line 1\nline 2 </script> 👢')
    await page.locator('#gift').check()
    await page.locator('#size').selectOption('39')
  },
  async (page) => {
    await page.mouse.move(300, 300, { steps: 5 })
    // One after the other: of what is scrolled at once rrweb may tell only in part.
    await page.evaluate("document.querySelector('#log').scrollTop = 40")
    await page.waitForFunction('toldOfScrollingTo(40)')
    await page.mouse.wheel(0, 120)
    await page.waitForFunction('toldOfScrollingTo(120)')
    await call(page, 'stopRecording')
  },
]

async function play(browser: Browser, url: string, events: readonly unknown[]): Promise<unknown> {
  const page = await browser.newPage({ viewport: VIEWPORT })
  await page.goto(url)
  const seen = await call(page, 'playBack', events)
  await page.close()
  return seen
}

/** Calls a function of the page's own. */
function call(page: Page, name: string, argument?: unknown): Promise<unknown> {
  return page.evaluate(`${name}(${argument === undefined ? '' : JSON.stringify(argument)})`)
}
