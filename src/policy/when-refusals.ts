/** What an expression is refused for, in words that say what to write instead. */
import type { ASTNode } from '@marcbachmann/cel-js';
import { longestNeedle } from './when-functions.ts';
import { secretHeaders } from './when-request.ts';
import { principalShapes, requestShapes } from './when-shapes.ts';
import { childrenOf, isLoop } from './when-tree.ts';

export interface Refusal {
  readonly node: ASTNode;
  readonly wrong: string;
  readonly fix: string;
}

export const partsThereAre = `request has ${[...requestShapes.keys(), 'principal'].join(', ')}; request.principal has ${[...principalShapes.keys()].join(', ')}`;

export const seeDocs = 'docs/when.md lists what is';
export const longNeedle = [
  `a pattern of more than ${longestNeedle} characters`,
  'write a shorter one',
] as const;

export const fixes: ReadonlyMap<string, string> = new Map([
  ['matches', 'write glob(text, "a*z"), startsWith(), endsWith() or contains()'],
  ['lastIndexOf', 'write endsWith() or indexOf()'],
]);

/** Why a header is not to be had by a name. */
export function misnamed(name: string): readonly [wrong: string, fix: string] | undefined {
  if (name !== name.toLowerCase()) {
    return [`no header is called ${JSON.stringify(name)}`, `write it in lower case: ${name.toLowerCase()}`];
  }
  return secretHeaders.has(name)
    ? [`${name} is not shown to expressions`, 'ask request.principal']
    : undefined;
}

/** An expression that can take longer is refused. */
export const costLimit = 200_000;

/** Names the part of a costly expression where most of the time goes. */
export function tooCostly(root: ASTNode, total: number, costs: ReadonlyMap<ASTNode, number>): Refusal {
  let node = root;
  while (!isLoop(node)) {
    const worst = childrenOf(node).find((child) => (costs.get(child) ?? 0) > total / 2);
    if (worst === undefined) break;
    node = worst;
  }
  const share = node === root ? '' : `, most of it for ${excerpt(node)}`;
  return {
    node,
    wrong: `it could take ${Math.ceil(total / 1000)} µs${share}; ${costLimit / 1000} µs are the limit`,
    fix: isLoop(node)
      ? 'ask less of each item, compute what is the same for all before with cel.bind(), or match indices instead'
      : 'look for literals in shorter parts of the request, or make several policies of it',
  };
}

function excerpt({ input, start, end }: ASTNode): string {
  return end - start <= 80 ? input.slice(start, end) : `${input.slice(start, start + 80)}…`;
}
