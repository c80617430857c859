/** Questions about the tree of an expression. */
import type { ASTNode } from '@marcbachmann/cel-js';

export const isRequest = (node: ASTNode): boolean => node.op === 'id' && node.args === 'request';
export const isPart = (node: ASTNode, name: string): boolean =>
  node.op === '.' && node.args[1] === name && isRequest(node.args[0]);
export const isPrincipal = (node: ASTNode): boolean => isPart(node, 'principal');
export const isHeaders = (node: ASTNode): boolean => isPart(node, 'headers');

export const loops: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter']);

export const isLoop = (node: ASTNode): boolean => node.op === 'rcall' && loops.has(node.args[0]);

export function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case '!_':
    case '-_':
      return [node.args];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    default:
      return node.args;
  }
}

/** Of `a + b + c` all three; of anything else itself. */
export function summandsOf(node: ASTNode): readonly ASTNode[] {
  return node.op === '+' ? node.args.flatMap(summandsOf) : [node];
}
