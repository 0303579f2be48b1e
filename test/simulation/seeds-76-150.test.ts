import { testHistories } from './test-histories.ts'

testHistories(76, 150)
