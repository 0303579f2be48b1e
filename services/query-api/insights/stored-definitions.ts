import type { ActionRow } from '../../core/metadata/metadata-tables.ts'
import { actionDefinition } from '../actions/action-definition.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { FILTER_TYPES, NO_FILTERS, readFilterTree } from '../query/property-filters.ts'
import type { DatasetSettingsStore } from '../settings/dataset-settings-store.ts'
import type { Definitions } from './definitions.ts'

/** What people made through this API, as questions refer to it: read anew with every question. */
export function createStoredDefinitions(stores: {
  readonly actions: Pick<ObjectStore<ActionRow>, 'get'>
  readonly settings: Pick<DatasetSettingsStore, 'get'>
}): Definitions {
  return {
    async action(dataset, id) {
      const row = await stores.actions.get(dataset, id)
      return row === null || row.deleted === 1 ? null : actionDefinition(row)
    },
    cohort: async () => null,
    async testAccountFilters(dataset) {
      const row = await stores.settings.get(dataset)
      if (row === null) return NO_FILTERS
      return readFilterTree(JSON.parse(row.test_account_filters), 'test_account_filters', FILTER_TYPES)
    },
  }
}
