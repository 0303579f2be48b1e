import type { Field, FieldType } from '../../../schemas/field.ts'

export const WAREHOUSES = ['redshift', 'bigquery', 'snowflake', 'clickhouse', 'duckdb'] as const
export type Warehouse = (typeof WAREHOUSES)[number]

/** What one kind of warehouse writes differently. */
interface Dialect {
  readonly types: Readonly<Record<FieldType, string>>
  quote(name: string): string
  /** The type of a column that may, or may never, be null. */
  column(type: string, fieldType: FieldType, nullable: boolean): string
  /** What stands after the column list. */
  tail(timeColumn: string): string
  load(table: string, fields: readonly Field[]): string
}

const notNull = (type: string, _: FieldType, nullable: boolean) => (nullable ? type : `${type} NOT NULL`)
const doubleQuoted = (name: string) => `"${name}"`
const backQuoted = (name: string) => `\`${name}\``

const DIALECTS: Readonly<Record<Warehouse, Dialect>> = {
  redshift: {
    types: {
      text: 'VARCHAR(65535)',
      integer: 'BIGINT',
      number: 'DOUBLE PRECISION',
      boolean: 'BOOLEAN',
      timestamp: 'TIMESTAMPTZ',
      text_list: 'SUPER',
      json: 'VARCHAR(65535)',
    },
    quote: doubleQuoted,
    column: notNull,
    tail: (time) => `\nDISTSTYLE AUTO\nSORTKEY ("dataset_id", "${time}")`,
    load: (
      table,
    ) => `-- Once per manifest: it names exactly the files of one batch, and COPY fails when one is missing.
-- JSON columns are text: read them with JSON_PARSE("properties").
COPY "${table}"
FROM 's3://<bucket>/_manifests/<delivery>/<topic>-<partition>/<start>.json'
IAM_ROLE '<role>'
FORMAT AS PARQUET SERIALIZETOJSON MANIFEST;`,
  },
  bigquery: {
    types: {
      text: 'STRING',
      integer: 'INT64',
      number: 'FLOAT64',
      boolean: 'BOOL',
      timestamp: 'TIMESTAMP',
      text_list: 'ARRAY<STRING>',
      json: 'STRING',
    },
    quote: backQuoted,
    // An array is never null there, and NOT NULL on one is refused.
    column: (type, fieldType, nullable) =>
      nullable || fieldType === 'text_list' ? type : `${type} NOT NULL`,
    tail: (time) => `\nPARTITION BY DATE(\`${time}\`)\nCLUSTER BY \`dataset_id\``,
    load: (
      table,
    ) => `-- Once per manifest, with the objects that it names under "objects", copied to Cloud Storage.
-- JSON columns are text: read them with PARSE_JSON(properties).
LOAD DATA INTO \`${table}\`
FROM FILES (
  format = 'PARQUET',
  enable_list_inference = TRUE,
  uris = ['gs://<bucket>/<object>']
);`,
  },
  snowflake: {
    types: {
      text: 'VARCHAR',
      integer: 'NUMBER(19, 0)',
      number: 'FLOAT',
      boolean: 'BOOLEAN',
      timestamp: 'TIMESTAMP_TZ',
      text_list: 'ARRAY',
      json: 'VARIANT',
    },
    // Upper case in quotes is what a plain name means there, and SET is a reserved word.
    quote: (name) => `"${name.toUpperCase()}"`,
    column: notNull,
    tail: (time) => `\nCLUSTER BY (DATASET_ID, TO_DATE(${time.toUpperCase()}))`,
    load: (
      table,
      fields,
    ) => `-- Once per manifest, with the objects that it names under "objects". The stage points at the bucket.
-- COPY remembers the files it has loaded for 64 days; past that, the manifests tell what is loaded.
COPY INTO "${table.toUpperCase()}" FROM (
  SELECT
${fields.map((field) => `    ${snowflakeValue(field)}`).join(',\n')}
  FROM @<stage>
)
FILES = ('<object>')
FILE_FORMAT = (TYPE = PARQUET USE_LOGICAL_TYPE = TRUE);`,
  },
  clickhouse: {
    types: {
      text: 'String',
      integer: 'Int64',
      number: 'Float64',
      boolean: 'Bool',
      timestamp: "DateTime64(3, 'UTC')",
      text_list: 'Array(String)',
      json: 'String',
    },
    quote: backQuoted,
    column: (type, fieldType, nullable) =>
      nullable && fieldType !== 'text_list' ? `Nullable(${type})` : type,
    tail: (time) =>
      `\nENGINE = MergeTree\nPARTITION BY toYYYYMM(collector_time)\nORDER BY (dataset_id, toDate(${time}), event_id)`,
    load: (table) => `-- Once per manifest, with the objects that it names under "objects".
INSERT INTO \`${table}\`
SELECT * FROM s3('https://<bucket>.s3.<region>.amazonaws.com/<object>', 'Parquet');`,
  },
  duckdb: {
    types: {
      text: 'VARCHAR',
      integer: 'BIGINT',
      number: 'DOUBLE',
      boolean: 'BOOLEAN',
      timestamp: 'TIMESTAMPTZ',
      text_list: 'VARCHAR[]',
      json: 'JSON',
    },
    quote: doubleQuoted,
    column: notNull,
    tail: () => '',
    load: (table) => `-- Once per manifest, with the objects that it names under "objects".
INSERT INTO "${table}" BY NAME
SELECT * FROM read_parquet(['s3://<bucket>/<object>'], hive_partitioning = false);`,
  },
}

function snowflakeValue({ name, type }: Field): string {
  if (type === 'json') return `TRY_PARSE_JSON($1:"${name}"::VARCHAR)`
  return `$1:"${name}"::${DIALECTS.snowflake.types[type]}`
}

/**
 * The table for a delivery's files in that warehouse, and the statement that loads one batch into it.
 *
 * @param timeColumn the time that rows are kept by
 */
export function warehouseDdl(
  warehouse: Warehouse,
  table: string,
  fields: readonly Field[],
  timeColumn: string,
): string {
  const dialect = DIALECTS[warehouse]
  const columns = fields.map(
    ({ name, type, nullable }) =>
      `  ${dialect.quote(name)} ${dialect.column(dialect.types[type], type, nullable)}`,
  )
  const tableName = dialect.quote(table)
  return `CREATE TABLE ${tableName} (\n${columns.join(',\n')}\n)${dialect.tail(timeColumn)};\n\n${dialect.load(table, fields)}\n`
}
