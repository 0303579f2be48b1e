import type { Field } from './field.ts'

/** A Markdown table per group, in the order of the fields: the reference that people read. */
export function fieldReference(fields: readonly Field[]): string {
  const groups = [...new Set(fields.map(({ group }) => group))]
  return groups
    .map((group) => {
      const rows = fields
        .filter((field) => field.group === group)
        .map(({ name, type, nullable, doc }) => [`\`${name}\``, `${type}${nullable ? ', null' : ''}`, doc])
      return [`### ${group}`, '', table([['Field', 'Type', 'What it is'], ...rows])].join('\n')
    })
    .join('\n\n')
}

/** Text between `<!-- name -->` and `<!-- end of name -->`, replaced. */
export function withGenerated(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- end of ${name} -->`]
  const [from, to] = [document.indexOf(begin), document.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`The document has no ${begin} … ${end}.`)
  return `${document.slice(0, from + begin.length)}\n\n${text}\n\n${document.slice(to)}`
}

/** A table with its columns lined up, as the formatter leaves it. */
function table(rows: readonly (readonly string[])[]): string {
  const head = rows[0] as readonly string[]
  const widths = head.map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] as number)).join(' | ')} |`
  return [line(head), line(widths.map((width) => '-'.repeat(width))), ...rows.slice(1).map(line)].join('\n')
}
