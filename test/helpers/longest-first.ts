import { BaseSequencer, type TestSpecification } from 'vitest/node'

/**
 * Files that take minutes however fast the machine is. Begun last, they would be all that is left to wait for. Those that
 * start a whole system each would wait for one another when all run at once, past their bounds: histories, which start
 * nothing, stand between them.
 */
const LONGEST = [/\/e2e\/chaos/, /\/e2e\/whole-path/, /\/simulation\/seeds-/, /\/e2e\//]

/** What takes longest begins first, of both projects; everything else in Vitest's own order. */
export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification) => {
      const at = LONGEST.findIndex((pattern) => pattern.test(moduleId))
      return at < 0 ? LONGEST.length : at
    }
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b))
  }
}
