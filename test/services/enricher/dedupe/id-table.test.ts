import { hash } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createIdTable, ID_BYTES_MAX } from '../../../../services/enricher/dedupe/id-table.ts'

const keyOf = (id: number) => hash('sha256', `key ${id}`, 'buffer').subarray(0, 16)
const viewOf = (key: Buffer, payload: Buffer) => new DataView(Uint8Array.from([...key, ...payload]).buffer)
const payloadOf = (n: number) => hash('sha256', `payload ${n}`, 'buffer').subarray(0, 8)

test('it answers like a map from which whole generations are dropped', () => {
  const step = fc.oneof(
    { weight: 10, arbitrary: fc.record({ id: fc.nat(400), payload: fc.nat(2) }) },
    { weight: 1, arbitrary: fc.constant('forget' as const) },
  )
  fc.assert(
    fc.property(fc.array(step, { maxLength: 1_000, size: 'max' }), (steps) => {
      const table = createIdTable()
      const model = new Map<number, { payload: number; generation: number }>()
      const forgotten = new Map<number, number>()
      let [generation, floor] = [1, 1]
      for (const each of steps) {
        if (each === 'forget') {
          generation++
          floor = Math.max(floor, generation - 2)
          table.forgetBelow(floor)
          for (const [id, held] of model)
            if (held.generation < floor) {
              forgotten.set(id, held.generation)
              model.delete(id)
            }
          continue
        }
        const held = model.get(each.id)
        expect(table.find(keyOf(each.id), payloadOf(each.payload))).toBe(
          held === undefined ? 'absent' : held.payload === each.payload ? 'equal' : 'other',
        )
        const lost = table.put(viewOf(keyOf(each.id), payloadOf(each.payload)), 0, generation)
        if (held) expect(lost).toBe(held.generation)
        // What was forgotten may be remembered as such, but only what was.
        else if (lost !== null) expect(forgotten.get(each.id)).toBe(lost)
        model.set(each.id, { payload: each.payload, generation })
      }
      for (let id = 0; id <= 400; id++) {
        const held = model.get(id)
        expect(table.find(keyOf(id), payloadOf(held?.payload ?? 0))).toBe(held ? 'equal' : 'absent')
      }
    }),
    { numRuns: 10 },
  )
})

test('200,000 ids take at most 44 bytes each, and the place of forgotten ones is used again', () => {
  const table = createIdTable()
  const entry = new DataView(new ArrayBuffer(24))
  const put = (n: number, generation: number) => {
    // Any bijection that spreads well stands for a hash here.
    entry.setUint32(0, Math.imul(n, 0x9e3779b1), true)
    entry.setUint32(4, n, true)
    entry.setUint32(12, n, true)
    table.put(entry, 0, generation)
  }
  for (let n = 0; n < 200_000; n++) put(n, 1)
  const full = table.bytes
  expect(full / 200_000).toBeLessThanOrEqual(ID_BYTES_MAX)
  expect(ID_BYTES_MAX).toBeLessThan(44)
  table.forgetBelow(2)
  for (let n = 200_000; n < 400_000; n++) put(n, 2)
  expect(table.bytes / 200_000).toBeLessThanOrEqual(ID_BYTES_MAX)
})
