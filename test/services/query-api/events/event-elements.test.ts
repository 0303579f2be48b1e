import { expect, test } from 'vitest'
import { elementsChain, pageElements } from '../../../../services/query-api/events/event-elements.ts'

const told = (...elements: readonly unknown[]) => pageElements({ $elements: elements })

test('elements have what clients know of them, in the order in which they were sent', () => {
  const button = {
    tag_name: 'button',
    $el_text: 'Pay',
    attr__class: ' primary\n  big ',
    attr__id: 'pay',
    'attr__data-n': '3',
    nth_child: 2,
    nth_of_type: 1,
  }
  expect(told(button, { tag_name: 'a', attr__class: ['x', 5], attr__href: '/cart', $el_text: null })).toEqual(
    [
      {
        text: 'Pay',
        tag_name: 'button',
        attr_class: ['primary', 'big'],
        href: null,
        attr_id: 'pay',
        nth_child: 2,
        nth_of_type: 1,
        attributes: { attr__class: ' primary\n  big ', attr__id: 'pay', 'attr__data-n': '3' },
        order: 0,
      },
      {
        text: null,
        tag_name: 'a',
        attr_class: ['x'],
        href: '/cart',
        attr_id: null,
        nth_child: null,
        nth_of_type: null,
        attributes: { attr__class: ['x', 5], attr__href: '/cart' },
        order: 1,
      },
    ],
  )
})

test('what is no list of objects has no elements', () => {
  for (const $elements of [undefined, null, 'a', 5, {}, [], [null, 'a', 5, [], {}]])
    expect(pageElements({ $elements } as never)).toEqual([])
  expect(elementsChain([])).toBe('')
})

test('the chain has one part for each element, with its classes, and the rest in quotes by name', () => {
  const elements = told(
    { tag_name: 'button', $el_text: 'Say "hi"', attr__class: 'b a"', nth_child: 2, nth_of_type: 1 },
    { attr__id: 'x', attr__href: '/;:', 'attr__data-n': 3 },
  )
  expect(elementsChain(elements)).toBe(
    'button.a.b:attr__class="b a\\""nth-child="2"nth-of-type="1"text="Say \\"hi\\"";' +
      ':attr__data-n="3"attr__href="/;:"attr__id="x"attr_id="x"href="/;:"nth-child="0"nth-of-type="0"',
  )
})
