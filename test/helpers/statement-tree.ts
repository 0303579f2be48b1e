import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import type { AskedQuestion } from '../services/query-api/recording-environment.ts'
import { shapeOf } from './sql-shape.ts'
import { TABLE_NAMES } from './stored-tables.ts'

/** A node of the tree that the engine makes of a statement. */
interface Node {
  /** As `EXPLAIN AST` says it, e.g. `Function equals`; without an alias. */
  readonly is: string
  readonly parts: Node[]
}

/** Lines of `EXPLAIN AST`, one for each node, indented by their depth. */
export async function explained(
  clickhouse: Pick<ClickHouse, 'query'>,
  { sql, parameters }: Pick<AskedQuestion, 'sql' | 'parameters'>,
): Promise<string[]> {
  const rows = await clickhouse.query<{ explain: string }>(`EXPLAIN AST ${sql}`, parameters)
  return rows.map(({ explain }) => explain)
}

/** The same without what literals say: what may differ between two values of one parameter. */
export function treeShape(lines: readonly string[]): string[] {
  return lines.map((line) => shapeOf(line).replace(/Literal [\s\S]*/, 'Literal'))
}

/**
 * The stored tables of a tree, each of which stands alone in a SELECT whose condition is, or has among what AND joins, that
 * `dataset_id` equals the dataset.
 *
 * @throws Error for a table that is read in any other way, and for functions in the place of tables
 */
export function guardedInTree(lines: readonly string[], dataset: string): string[] {
  const tables: string[] = []
  for (const node of nodesOf(treeOf(lines))) {
    if (node.is === 'Function in' || node.is === 'Function notIn') {
      const of = node.parts[0]?.parts[1]?.is ?? ''
      if (/^(Table)?Identifier /.test(of) && TABLE_NAMES.has(of.split(' ')[1] as string))
        throw new Error(`${of} stands after IN.`)
    }
    if (node.is !== 'SelectQuery') continue
    const at = node.parts.findIndex(({ is }) => is === 'TablesInSelectQuery')
    const sources = node.parts[at]?.parts ?? []
    for (const source of sources.flatMap(({ parts }) => parts.filter(({ is }) => is === 'TableExpression'))) {
      const read = source.parts[0]?.is ?? ''
      if (read === 'Subquery') continue
      const name = /^TableIdentifier (\w+)$/.exec(read)?.[1]
      if (name === undefined) throw new Error(`${read} is read.`)
      if (QUERY_NAMES.test(name)) continue
      if (!TABLE_NAMES.has(name)) throw new Error(`The table ${name} is read.`)
      if (sources.length > 1 || !holdsDataset(node.parts[at + 1], dataset))
        throw new Error(`${name} is read without its dataset.`)
      tables.push(name)
    }
  }
  return tables
}

/** Names that our own statements give to queries. */
const QUERY_NAMES = /^q\d+$/

function holdsDataset(condition: Node | undefined, dataset: string): boolean {
  if (condition === undefined) return false
  const operands = condition.parts[0]?.parts ?? []
  if (condition.is === 'Function and') return operands.some((one) => holdsDataset(one, dataset))
  const [left, right] = operands
  return (
    condition.is === 'Function equals' &&
    left?.is === 'Identifier dataset_id' &&
    right?.is === `Literal '${dataset}'`
  )
}

function treeOf(lines: readonly string[]): Node {
  const root: Node = { is: '', parts: [] }
  const path = [root]
  for (const line of lines) {
    const depth = line.length - line.trimStart().length
    const is = line.trim().replace(/( \(alias [^)]*\))?( \(children \d+\))?$/, '')
    const node = { is, parts: [] }
    path.length = depth + 1
    path.at(-1)?.parts.push(node)
    path.push(node)
  }
  return root
}

function* nodesOf(node: Node): Generator<Node> {
  yield node
  for (const part of node.parts) yield* nodesOf(part)
}
