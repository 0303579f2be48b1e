import type { WireReader } from './codec.ts'

/** Reads an answer that has a code for each partition and nothing else. @returns the codes, in the broker's order */
export function partitionCodes(answer: WireReader): readonly number[] {
  return answer
    .array(() => {
      answer.string() // topic
      const codes = answer.array(() => {
        answer.int32() // partition
        const code = answer.int16()
        answer.tags()
        return code
      })
      answer.tags()
      return codes
    })
    .flat()
}
