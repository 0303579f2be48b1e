import { identityStoreContract } from '../../../contract/identity-store.ts'
import { createMemoryIdentityStore } from '../memory-identity-store.ts'

identityStoreContract('in memory', async () => {
  const store = createMemoryIdentityStore()
  return { open: async () => ({ ...store }) }
})
