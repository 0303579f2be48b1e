import type { Field } from './field.ts'

/** A Markdown table per group, in the order of the fields: the reference that people read. */
export function fieldReference(fields: readonly Field[]): string {
  const groups = [...new Set(fields.map(({ group }) => group))]
  return groups
    .map((group) => {
      const rows = fields
        .filter((field) => field.group === group)
        .map(
          ({ name, type, nullable, doc }) => `| \`${name}\` | ${type}${nullable ? ', null' : ''} | ${doc} |`,
        )
      return [`### ${group}`, '', '| Field | Type | What it is |', '| --- | --- | --- |', ...rows].join('\n')
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
