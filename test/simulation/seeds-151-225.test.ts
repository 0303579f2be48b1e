import { testHistories } from './test-histories.ts'

testHistories(151, 225)
