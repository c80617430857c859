/**
 * What an expression can call besides the library's own. They are macros: CEL expands a macro by its name and number
 * of arguments before it knows any type, so that literal arguments are compiled once, and so that a macro wins over
 * a function of the library whatever type it is declared for (the type of those below is one they never meet).
 */
import type { ASTNode, Environment, TypeDeclaration } from '@marcbachmann/cel-js';
import { type AddressBits, addressBits, networkBits } from '../networks.ts';
import { compileGlob } from './glob.ts';
import {
  computedPatterns,
  type IndexReach,
  indexTests,
  isNamePart,
  patternParts,
  reachVariable,
  wrongPattern,
} from './when-indices.ts';
import type { RequestView } from './when-request.ts';
import { compileZone, getters } from './when-zones.ts';

type Library = typeof import('@marcbachmann/cel-js');

/** The parts of the library's type checker, evaluator and variables that macros are handed. */
interface Checker {
  check(node: ASTNode, scope: Scope): TypeDeclaration;
  getType(name: string): TypeDeclaration;
}
interface Evaluator {
  run(node: ASTNode, scope: Scope): unknown;
}
interface Scope {
  getValue(name: string): unknown;
  forkWithVariable(name: string, type: TypeDeclaration): LoopScope;
}
interface LoopScope extends Scope {
  reuse(outer: Scope): LoopScope;
  setIterValue(value: unknown, evaluator: Evaluator): LoopScope;
}

interface Call {
  readonly ast: ASTNode;
  readonly args: readonly [ASTNode, ASTNode];
  readonly receiver: ASTNode;
}

interface Macro {
  readonly async: false;
  typeCheck(checker: Checker, macro: Macro, scope: Scope): TypeDeclaration;
  evaluate(evaluator: Evaluator, macro: Macro, scope: Scope): unknown;
}

export function registerFunctions(environment: Environment, { EvaluationError, ParseError }: Library): void {
  /** Refuses the expression as it is read. */
  const refuse = (node: ASTNode, message: string): never => {
    throw new ParseError({ code: 'refused', message, node });
  };
  const fail = (node: ASTNode, message: string, code = 'wrong_type'): never => {
    throw new EvaluationError({ code, message, node });
  };
  const literal = (node: ASTNode, what: string): string =>
    node.op === 'value' && typeof node.args === 'string' ? node.args : refuse(node, `not ${what} in quotes`);

  const header = ({ args: [name] }: Call): Macro => {
    const key = literal(name, 'the name of a header').toLowerCase();
    return {
      async: false,
      typeCheck: (checker) => checker.getType('string'),
      evaluate: (_evaluator, _macro, scope) =>
        (scope.getValue('request') as RequestView).headers.get(key) ?? '',
    };
  };

  /** A test of a text by something compiled from a literal. */
  const textTest = (subject: ASTNode, test: (text: string) => boolean): Macro => ({
    async: false,
    typeCheck: (checker, _macro, scope) => {
      const type = checker.check(subject, scope);
      if (type.name !== 'string' && type.kind !== 'dyn') refuse(subject, `not a string but ${type.name}`);
      return checker.getType('bool');
    },
    evaluate: (evaluator, _macro, scope) => {
      const text = evaluator.run(subject, scope);
      return test(typeof text === 'string' ? text : fail(subject, 'not a string'));
    },
  });

  const glob = ({ args: [subject, pattern] }: Call): Macro =>
    textTest(subject, compileGlob(literal(pattern, 'a pattern')));

  const inNetwork = ({ args: [subject, block] }: Call): Macro => {
    const text = literal(block, 'a CIDR block');
    const network = networkBits(text) ?? refuse(block, `${JSON.stringify(text)} is no CIDR block`);
    return textTest(subject, (address) => bitsOf(address)?.startsWith(network) === true);
  };

  /** `covers` and `touches`: patterns of literals alone are compiled once. */
  const indexTest =
    (asks: keyof IndexReach) =>
    ({ args: [list] }: Call): Macro => {
      const items = list.op === 'list' && list.args.length > 0 ? list.args : undefined;
      if (items === undefined) return refuse(list, 'not a list of patterns, written down: ["logs-*"]');
      const patterns = items.map((item) => {
        const parts = patternParts(item);
        const wrong = wrongPattern(parts);
        return wrong === undefined ? parts : refuse(item, `no pattern of indices: ${wrong}`);
      });
      const computed = patterns.flat().filter((part) => typeof part !== 'string');
      const fixed =
        computed.length === 0 ? computedPatterns(patterns.map((parts) => parts.join(''))) : undefined;
      return {
        async: false,
        typeCheck: (checker, _macro, scope) => {
          for (const part of computed) {
            const type = checker.check(part, scope);
            if (type.name !== 'string' && type.kind !== 'dyn') refuse(part, `not a string but ${type.name}`);
          }
          return checker.getType('bool');
        },
        evaluate: (evaluator, _macro, scope) => {
          const textOf = (part: string | ASTNode): string => {
            if (typeof part === 'string') return part;
            const text = evaluator.run(part, scope);
            return isNamePart(text) ? text : fail(part, 'not a part of a name', 'no_part_of_a_name');
          };
          const asked = fixed ?? computedPatterns(patterns.map((parts) => parts.map(textOf).join('')));
          if (asked === undefined) return fail(list, 'not patterns', 'no_pattern_of_indices');
          return (scope.getValue(reachVariable) as IndexReach)[asks](asked);
        },
      };
    };

  /**
   * `all` and `exists`, but an error ends them, where CEL goes on to look for an item that settles it: an error for
   * each of many items takes long, and a policy that needs a missing header is better told so.
   */
  const quantifier = (settles: boolean) => (call: Call) => {
    const { receiver, args } = call;
    const [variable, predicate] = args;
    const name = variable.op === 'id' ? variable.args : refuse(variable, 'not the name of a variable');
    let own: LoopScope | undefined;
    const macro: Macro = {
      async: false,
      typeCheck: (checker, _macro, scope) => {
        const list = checker.check(receiver, scope);
        const item = itemType(list) ?? refuse(receiver, `not a list or a map but ${list.name}`);
        own = scope.forkWithVariable(name, item);
        const type = checker.check(predicate, own);
        if (!type.isDynOrBool()) refuse(predicate, `not a bool but ${type.name}`);
        return checker.getType('bool');
      },
      evaluate: (evaluator, _macro, scope) => {
        const items = itemsOf(evaluator.run(receiver, scope)) ?? fail(receiver, 'not a list or a map');
        const inner = own?.reuse(scope);
        if (inner === undefined) throw new Error('evaluated before it was checked');
        for (const item of items) {
          const holds = evaluator.run(predicate, inner.setIterValue(item, evaluator));
          if (holds === settles) return settles;
          if (typeof holds !== 'boolean') fail(predicate, 'not a bool');
        }
        return !settles;
      },
    };
    return macro;
  };

  const getter = (get: (time: Date) => number) => (call: Call) => {
    const { receiver, args } = call;
    const zone = literal(args[0], 'the name of a zone');
    const local = compileZone(zone) ?? refuse(args[0], `${JSON.stringify(zone)} is no time zone`);
    const macro: Macro = {
      async: false,
      typeCheck: (checker, _macro, scope) => {
        const type = checker.check(receiver, scope);
        if (type.name !== timestamp && type.kind !== 'dyn')
          refuse(receiver, `not a timestamp but ${type.name}`);
        return checker.getType('int');
      },
      evaluate: (evaluator, _macro, scope) => {
        const time = evaluator.run(receiver, scope);
        return BigInt(get(local(time instanceof Date ? time : fail(receiver, 'not a timestamp'))));
      },
    };
    return macro;
  };

  environment
    .registerFunction('header(ast): string', header)
    .registerFunction('glob(ast, ast): bool', glob)
    .registerFunction('inNetwork(ast, ast): bool', inNetwork)
    .registerFunction('bool.all(ast, ast): bool', quantifier(false))
    .registerFunction('bool.exists(ast, ast): bool', quantifier(true));
  for (const name of indexTests) environment.registerFunction(`${name}(ast): bool`, indexTest(name));
  for (const [name, get] of Object.entries(getters)) {
    environment.registerFunction(`bool.${name}(ast): int`, getter(get));
  }
}

export const timestamp = 'google.protobuf.Timestamp';

function itemType(type: TypeDeclaration): TypeDeclaration | undefined {
  if (type.kind === 'dyn') return type;
  return type.kind === 'list' ? type.valueType : type.kind === 'map' ? type.keyType : undefined;
}

/** Of a map its keys, as CEL says. A map that an expression writes down is an object, all others are Maps. */
function itemsOf(value: unknown): Iterable<unknown> | undefined {
  if (Array.isArray(value)) return value;
  if (value instanceof Map) return value.keys();
  return typeof value === 'object' && value?.constructor === Object ? Object.keys(value) : undefined;
}

/** Several policies may ask about the same address. */
let known: { readonly address: string; readonly bits: AddressBits | undefined } = {
  address: '',
  bits: undefined,
};

function bitsOf(address: string): AddressBits | undefined {
  if (address !== known.address) {
    const bits = address.length <= longestAddress ? addressBits(address) : undefined;
    known = { address, bits };
  }
  return known.bits;
}

/** An IPv6 address with an IPv4 tail and the name of an interface. */
const longestAddress = 64;

/** Longer patterns take time that grows with their length as well. */
export const longestNeedle = 250;
