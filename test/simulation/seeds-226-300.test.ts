import { testHistories } from './test-histories.ts'

testHistories(226, 300)
