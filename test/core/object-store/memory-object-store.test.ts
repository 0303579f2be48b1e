import { objectStoreContract } from '../../contract/object-store.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'

objectStoreContract('memory', createMemoryObjectStore)
