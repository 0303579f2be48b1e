import { Argument, type Command, Option } from 'commander'
import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import { WAREHOUSES, type Warehouse, warehouseDdl } from '../ddl/warehouse-ddl.ts'

/** `millrace schema ddl <warehouse>`: the table for delivered files, and the statement that loads them. */
export function registerSchema(program: Command): void {
  program
    .command('schema')
    .description('What events look like, for other systems.')
    .command('ddl')
    .description('Print the table for delivered files in a warehouse, and the statement that loads a batch.')
    .addArgument(new Argument('<warehouse>', 'which one').choices(WAREHOUSES))
    .addOption(
      new Option('--table <table>', 'enriched or rejected events')
        .choices(['events', 'rejected'])
        .default('events'),
    )
    .action((warehouse: Warehouse, { table }: { readonly table: 'events' | 'rejected' }) => {
      process.stdout.write(
        table === 'events'
          ? warehouseDdl(warehouse, 'events', ENRICHED_EVENT_FIELDS, 'event_time')
          : warehouseDdl(warehouse, 'rejected_events', REJECTED_EVENT_FIELDS, 'collector_time'),
      )
    })
}
