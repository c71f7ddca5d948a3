import { describe, expect, it } from 'vitest';
import { clusters } from './clusters.ts';

describe('clusters', () => {
  it('joins texts whose word bigrams overlap by more than the threshold', () => {
    const texts = [
      'Ann has number0 red apples in a box',
      'rain fell for number0 days',
      'Ann has number0 red apples in a bag',
      'Ann has number0 green apples in a bag',
      'Bob has number0 green apples in a bag',
    ];
    // 0 and 2 share 6 of 8 bigrams, 2 and 3 share 5 of 9, 3 and 4 share 6 of 8; 0 and 4 only 2.
    expect(clusters(texts)).toEqual([0, 1, 0, 0, 0]);
    expect(clusters(texts, 0.7)).toEqual([0, 1, 0, 3, 3]);
  });

  it('does not join at exactly the threshold, nor texts without bigrams', () => {
    expect(clusters(['a b c', 'a b d e'], 0.25)).toEqual([0, 1]);
    expect(clusters(['a b c', 'a b d e'], 0.24)).toEqual([0, 0]);
    expect(clusters(['', '', 'one'])).toEqual([0, 1, 2]);
  });

  it('ignores case and spacing', () => {
    expect(clusters(['How  many ?', 'how many ?'])).toEqual([0, 0]);
  });
});
