/**
 * What an expression can cost at worst, in nanoseconds as measured and rounded up, from its tree and the largest
 * values that it can meet. Whatever is not in these tables is refused: a function that nobody has measured, or that
 * takes longer than its arguments suggest.
 */
import type { ASTNode } from '@marcbachmann/cel-js';
import { longestNeedle } from './when-functions.ts';
import { patternParts } from './when-indices.ts';
import {
  address,
  calendar,
  call,
  clock,
  dynamic,
  failure,
  free,
  functions,
  globPrice,
  indexTestPrice,
  inPrice,
  iteration,
  lookUp,
  methods,
  unary,
  visit,
  type Work,
} from './when-prices.ts';
import {
  costLimit,
  fixes,
  longNeedle,
  misnamed,
  partsThereAre,
  type Refusal,
  seeDocs,
  tooCostly,
} from './when-refusals.ts';
import {
  averageOf,
  either,
  extentOf,
  headers,
  itemOf,
  itemsOf,
  literalText,
  mostOf,
  pickedFrom,
  principalShapes,
  requestShapes,
  type Shape,
  scalar,
  textOf,
} from './when-shapes.ts';
import { isHeaders, isPart, isPrincipal, isRequest, loops } from './when-tree.ts';

export interface Analysis {
  readonly refusals: readonly Refusal[];
  readonly cost: number;
  /** Parts of the request; of the principal also `claims`, where they are read. */
  readonly reads: ReadonlySet<string>;
  readonly headers: ReadonlySet<string> | 'all';
  /** Calls whose only argument is a literal, which may be none that they take. */
  readonly constants: readonly ASTNode[];
}

export function analyse(root: ASTNode): Analysis {
  const walk = new Walk();
  const { cost, fails } = walk.visit(root);
  const total = cost + (fails ? failure(root) : 0);
  if (walk.refusals.length === 0 && total > costLimit) walk.refusals.push(tooCostly(root, total, walk.costs));
  const { refusals, reads, headers: named, constants } = walk;
  return { refusals, cost: total, reads, headers: named, constants };
}

interface Part {
  readonly shape: Shape;
  readonly cost: number;
  /** Whether it can end in an error. */
  readonly fails: boolean;
}

const nothing: Part = { shape: scalar, cost: 0, fails: false };

class Walk {
  readonly refusals: Refusal[] = [];
  readonly reads = new Set<string>();
  headers: Set<string> | 'all' = new Set();
  readonly constants: ASTNode[] = [];
  /** Of nodes, what is under them included. */
  readonly costs = new Map<ASTNode, number>();
  readonly #variables = new Map<string, Shape>();

  visit(node: ASTNode): Part {
    const part = this.#measure(node);
    const total = { ...part, cost: part.cost + visit };
    this.costs.set(node, total.cost);
    return total;
  }

  #refuse(node: ASTNode, wrong: string, fix: string): Part {
    this.refusals.push({ node, wrong, fix });
    return nothing;
  }

  /** The operands, and the work that is done on them. */
  #sum(nodes: readonly ASTNode[], work: (...shapes: readonly Shape[]) => Work): Part {
    const parts = nodes.map((node) => this.visit(node));
    const { shape, cost, fails } = work(...parts.map((part) => part.shape));
    return {
      shape,
      cost: parts.reduce((sum, part) => sum + part.cost, cost),
      fails: fails === true || parts.some((part) => part.fails),
    };
  }

  #measure(node: ASTNode): Part {
    switch (node.op) {
      case 'value':
        return this.#literal(node, node.args);
      case 'id':
        return this.#name(node, node.args);
      case '.':
        return this.#field(node, node.args);
      case '[]':
        return this.#index(node, node.args);
      case 'call':
        return this.#call(node, node.args);
      case 'rcall':
        return this.#method(node, node.args);
      case 'list':
        return this.#list(node, node.args);
      case 'map':
        return this.#map(node, node.args);
      case '?:':
        return this.#choice(node, node.args);
      case '&&':
      case '||':
        return this.#logical(node.args);
      case '!_':
      case '-_':
        return this.#sum([node.args], (shape) => unary(shape));
      case '.?':
      case '[?]':
        return this.#refuse(node, 'optional values are not supported', 'ask with `in` or has() first');
      default:
        return this.#binary(node, node.op, node.args);
    }
  }

  #literal(node: ASTNode, value: unknown): Part {
    if (typeof value === 'string') return { ...nothing, shape: literalText(value.length) };
    if (typeof value === 'bigint' && BigInt.asIntN(64, value) !== value) {
      return this.#refuse(node, 'the number does not fit into 64 bits', 'write a smaller one');
    }
    if (typeof value === 'object' && value !== null) {
      return this.#refuse(node, 'bytes and unsigned numbers are not supported', 'write a string or an int');
    }
    return nothing;
  }

  #name(node: ASTNode, name: string): Part {
    const variable = this.#variables.get(name);
    if (variable !== undefined) return { ...nothing, shape: variable };
    if (name === 'request') {
      return this.#refuse(node, 'the request can not be taken as a whole', 'name a part: request.path');
    }
    if (typeNames.has(name)) return nothing;
    return this.#refuse(node, `${name} is not supported`, 'the only variable is request');
  }

  #field(node: ASTNode, [object, name]: readonly [ASTNode, string]): Part {
    if (isRequest(object)) {
      if (name === 'principal') {
        const fix = 'name a part: request.principal.name';
        return this.#refuse(node, 'the principal can not be taken as a whole', fix);
      }
      if (name === 'headers') this.headers = 'all';
      return this.#known(node, name, requestShapes);
    }
    if (isPrincipal(object)) {
      this.reads.add('principal');
      return this.#known(node, name, principalShapes);
    }
    if (isHeaders(object)) return this.#header(node, name);
    return this.#sum([object], (shape = scalar) => this.#pick(node, shape, lookUp));
  }

  /** Of what has no parts, the library would take JavaScript's. */
  #pick(node: ASTNode, shape: Shape, cost: number): Work {
    if (shape.kind === 'scalar' || shape.kind === 'text') this.#refuse(node, 'it has no parts', seeDocs);
    return { shape: pickedFrom(shape), cost, fails: true };
  }

  #known(node: ASTNode, name: string, shapes: ReadonlyMap<string, Shape>): Part {
    const shape = shapes.get(name);
    if (shape === undefined) {
      return this.#refuse(node, `No such key: ${name}`, partsThereAre);
    }
    if (shapes === requestShapes || name === 'claims') this.reads.add(name);
    return { shape, cost: lookUp, fails: false };
  }

  #index(node: ASTNode, [object, key]: readonly [ASTNode, ASTNode]): Part {
    if (isHeaders(object) && key.op === 'value' && typeof key.args === 'string') {
      return this.#header(key, key.args);
    }
    return this.#sum([object, key], (shape = scalar, by = scalar) =>
      this.#pick(node, shape, lookUp + averageOf(by) + (shape.kind === 'dynamic' ? dynamic : 0)),
    );
  }

  /** A header named in the expression. */
  #header(node: ASTNode, name: string): Part {
    const wrong = misnamed(name);
    if (wrong !== undefined) return this.#refuse(node, ...wrong);
    this.reads.add('headers');
    if (this.headers !== 'all') this.headers.add(name);
    return { shape: pickedFrom(headers), cost: 2 * lookUp, fails: true };
  }

  #call(node: ASTNode, [name, args]: readonly [string, readonly ASTNode[]]): Part {
    const [first, second] = args;
    switch (name) {
      case 'has':
        // Of its argument the last part alone may be missing.
        return first === undefined ? nothing : { ...this.visit(first), shape: scalar };
      case 'header': {
        if (first?.op !== 'value') return nothing;
        return { ...this.#header(first, String(first.args).toLowerCase()), fails: false };
      }
      case 'glob':
      case 'inNetwork': {
        if (first === undefined || second?.op !== 'value') return nothing;
        const pattern = String(second.args);
        if (pattern.length > longestNeedle) return this.#refuse(second, ...longNeedle);
        const price = name === 'glob' ? globPrice(pattern) : () => address;
        return this.#sum([first], (text = scalar) => ({
          shape: scalar,
          cost: call + price(text),
          fails: text.kind === 'dynamic',
        }));
      }
      case 'covers':
      case 'touches':
        return this.#indexTest(first);
      case 'duration':
      case 'timestamp': {
        if (first?.op === 'value' && String(first.args).length <= 40) {
          this.constants.push(node);
          return { ...nothing, cost: 1000 };
        }
        return this.#refuse(node, `${name}() of what is not a short literal`, `write ${name}("…")`);
      }
      default: {
        const work = functions.get(name);
        if (work !== undefined) return this.#sum(args, work);
        return this.#refuse(node, `${name}() is not supported`, seeDocs);
      }
    }
  }

  /** Its parts are put together, and the patterns compared with all indices of the request. */
  #indexTest(list: ASTNode | undefined): Part {
    if (list?.op !== 'list') return nothing;
    this.reads.add('reach');
    const computed = list.args.flatMap(patternParts).filter((part) => typeof part !== 'string');
    return this.#sum(computed, () => ({
      shape: scalar,
      cost: indexTestPrice(list.args.length, computed.length),
      fails: computed.length > 0,
    }));
  }

  #method(node: ASTNode, [name, receiver, args]: readonly [string, ASTNode, readonly ASTNode[]]): Part {
    const [first, second, third] = args;
    if (loops.has(name)) return this.#loop(node, receiver, args);
    if (name === 'bind' && receiver.op === 'id' && receiver.args === 'cel' && second && third) {
      const bound = this.visit(second);
      const body = this.#within(first, bound.shape, third);
      return { shape: body.shape, cost: call + bound.cost + body.cost, fails: bound.fails || body.fails };
    }
    if (name.startsWith('get')) {
      if (name === 'getDayOfYear' && args.length === 0) {
        return this.#refuse(node, 'getDayOfYear() without a zone', 'write getDayOfYear("UTC")');
      }
      const cost = first === undefined || isPart(receiver, 'time') ? clock : calendar;
      return this.#sum([receiver], (of) => ({ shape: scalar, cost, fails: of?.kind === 'dynamic' }));
    }
    const work = methods.get(name);
    if (work === undefined)
      return this.#refuse(node, `${name}() is not supported`, fixes.get(name) ?? seeDocs);
    if (name === 'split' && (first?.op !== 'value' || first.args === '')) {
      return this.#refuse(node, 'split() by what is not a literal', 'write a separator in quotes');
    }
    return this.#sum([receiver, ...args], (text = scalar, ...others) => {
      const { shape, cost, fails } = work(text, ...others);
      const unsure = [text, ...others].some(({ kind }) => kind === 'dynamic');
      return { shape, cost: call + cost + (unsure ? dynamic : 0), fails: fails === true || unsure };
    });
  }

  #loop(node: ASTNode, receiver: ASTNode, args: readonly ASTNode[]): Part {
    const over = this.visit(receiver);
    const bodies = args.slice(1).map((body) => this.#within(args[0], itemOf(over.shape), body));
    const items = itemsOf(over.shape);
    const each = bodies.reduce((sum, body) => sum + body.cost, iteration);
    const name = node.op === 'rcall' ? node.args[0] : '';
    const last = bodies.at(-1)?.shape ?? scalar;
    const of = name === 'map' ? last : name === 'filter' ? itemOf(over.shape) : undefined;
    return {
      shape: of === undefined ? scalar : { kind: 'list', items, of },
      cost: call + over.cost + items * each,
      fails: over.fails || over.shape.kind === 'dynamic' || bodies.some(({ fails }) => fails),
    };
  }

  /** `body` with a variable more. */
  #within(variable: ASTNode | undefined, shape: Shape, body: ASTNode): Part {
    if (variable?.op !== 'id') return nothing;
    const name = variable.args;
    if (name === 'request' || typeNames.has(name) || name === 'cel') {
      return this.#refuse(variable, `a variable can not be called ${name}`, 'choose another name');
    }
    const outer = this.#variables.get(name);
    this.#variables.set(name, shape);
    const part = this.visit(body);
    if (outer === undefined) this.#variables.delete(name);
    else this.#variables.set(name, outer);
    return part;
  }

  #list(node: ASTNode, items: readonly ASTNode[]): Part {
    return this.#sum(items, (...shapes) => {
      const of = this.#joined(node, shapes);
      return { shape: { kind: 'list', items: items.length, of: shared(of, items.length) }, cost: call };
    });
  }

  #map(node: ASTNode, entries: readonly (readonly [ASTNode, ASTNode])[]): Part {
    const keys = this.#sum(
      entries.map(([key]) => key),
      (...shapes) => ({ shape: this.#joined(node, shapes), cost: 0 }),
    );
    const values = this.#sum(
      entries.map(([, value]) => value),
      (...shapes) => ({
        shape: this.#joined(node, shapes),
        cost: 0,
      }),
    );
    const items = entries.length;
    return {
      shape: { kind: 'map', items, key: shared(keys.shape, items), of: shared(values.shape, items) },
      cost: call + keys.cost + values.cost + items * 3 * lookUp + 2 * averageOf(keys.shape),
      fails: keys.fails || values.fails,
    };
  }

  #joined(node: ASTNode, shapes: readonly Shape[]): Shape {
    return shapes.reduce((joined: Shape, shape) => this.#either(node, joined, shape), scalar);
  }

  #either(node: ASTNode, one: Shape, other: Shape): Shape {
    const joined = either(one, other);
    if (joined !== undefined) return joined;
    return this.#refuse(node, 'a list or a map where something else can stand too', 'keep them apart').shape;
  }

  #choice(node: ASTNode, args: readonly [ASTNode, ASTNode, ASTNode]): Part {
    return this.#sum(args, (_condition, one = scalar, other = scalar) => ({
      shape: this.#either(node, one, other),
      cost: 0,
    }));
  }

  /** An error on the left is caught, and does not count when the right settles it. */
  #logical([left, right]: readonly [ASTNode, ASTNode]): Part {
    const one = this.visit(left);
    const other = this.visit(right);
    const caught = one.fails ? failure(left) : 0;
    return { shape: scalar, cost: one.cost + other.cost + caught, fails: one.fails || other.fails };
  }

  #binary(node: ASTNode, op: string, [left, right]: readonly [ASTNode, ASTNode]): Part {
    if (op === 'in' && isHeaders(right)) {
      if (left.op === 'value' && typeof left.args === 'string') {
        return { ...this.#header(left, left.args), shape: scalar, fails: false };
      }
    }
    return this.#sum([left, right], (one = scalar, other = scalar) => {
      const unsure = one.kind === 'dynamic' || other.kind === 'dynamic';
      const { shape, cost, fails } = this.#operate(node, op, [one, other]);
      return { shape, cost: cost + (unsure ? dynamic : 0), fails: fails === true || unsure };
    });
  }

  #operate(node: ASTNode, op: string, [one, other]: readonly [Shape, Shape]): Work {
    switch (op) {
      case '==':
      case '!=':
        return { shape: scalar, cost: Math.min(extentOf(one), extentOf(other)) * 5 };
      case 'in':
        return { shape: scalar, cost: lookUp + averageOf(one) + inPrice(one, other) };
      case '+':
        return this.#add(node, one, other);
      case '-':
      case '*':
      case '/':
      case '%':
        return { shape: scalar, cost: call, fails: true };
      default:
        return { shape: scalar, cost: Math.min(averageOf(one), averageOf(other)) };
    }
  }

  #add(node: ASTNode, one: Shape, other: Shape): Work {
    if (one.kind === 'dynamic' && other.kind === 'dynamic') {
      this.#refuse(node, 'a sum of two claims', 'say what they are: string(a) + string(b)');
      return free;
    }
    if (one.kind === 'list' || other.kind === 'list') {
      const listed = (shape: Shape): Shape =>
        shape.kind === 'dynamic' ? { kind: 'list', items: itemsOf(shape), of: itemOf(shape) } : shape;
      const shape = this.#either(node, listed(one), listed(other));
      return { shape, cost: 5 * itemsOf(shape) };
    }
    const average = averageOf(one) + averageOf(other);
    if (average === 0) return { shape: scalar, cost: call, fails: true };
    return { shape: textOf(average, mostOf(one) + mostOf(other)), cost: average / 5 };
  }
}

/** The items of a list together have the sum of what each can have. */
function shared(sum: Shape, items: number): Shape {
  if (sum.kind !== 'text' && sum.kind !== 'dynamic') return sum;
  return { ...sum, average: sum.average / Math.max(1, items) };
}

const typeNames: ReadonlySet<string> = new Set([
  'string',
  'bool',
  'int',
  'uint',
  'double',
  'map',
  'list',
  'bytes',
  'null_type',
  'type',
]);
