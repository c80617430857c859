/** Expressions that are sound by themselves, and hold less than who wrote them believes. */
import type { Problem } from '../../config/load.ts';
import { senseOf } from '../conditions.ts';
import { type PolicyDocument, placeOf } from '../document.ts';
import type { When } from '../when.ts';

/** More than anyone mends in one go. */
const maxFindings = 100;

export function looseExpressions(policies: readonly PolicyDocument[], when: When): readonly Problem[] {
  const problems = policies.flatMap(({ name, origin, when: source, action }): Problem[] => {
    if (source === undefined) return [];
    const reads = when.reads(source);
    if (!reads.has('indices') || reads.has('reach')) return [];
    const call = senseOf(action) === 'covers' ? 'covers' : 'touches';
    return [
      {
        where: placeOf(origin),
        path: 'spec.when',
        wrong: `policy ${name} rests on request.indices, which holds nothing of what a body or a query names, is empty where all indices are meant, and has wildcards and date math as they were written`,
        fix: `ask ${call}(["logs-*"]) instead`,
      },
    ];
  });
  return problems.slice(0, maxFindings);
}
