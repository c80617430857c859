/**
 * `when:`, a CEL expression over a request. It decides by the request alone, in bounded time; docs/when.md says what
 * it can ask. The library takes 7 MB, so it is loaded when the first set has such an expression.
 */
import type { Environment, ParseResult } from '@marcbachmann/cel-js';
import { type Analysis, analyse } from './when-cost.ts';
import { registerFunctions, timestamp } from './when-functions.ts';
import { type IndexReach, reachVariable } from './when-indices.ts';
import { partsThereAre } from './when-refusals.ts';
import {
  headersOver,
  PrincipalView,
  principalTexts,
  RequestView,
  requestTexts,
  type Seen,
  see,
  type WhenRequest,
} from './when-request.ts';

export type { IndexReach } from './when-indices.ts';
export type { WhenPrincipal, WhenRequest } from './when-request.ts';

export interface WhenProblem {
  readonly wrong: string;
  readonly fix: string;
  /** In its line, the first being 1; of further lines `wrong` says which. Undefined where it is the whole. */
  readonly column: number | undefined;
}

/** True or false, or why it could not be told; the message holds nothing of the request. */
export type WhenOutcome = boolean | { readonly error: string };

export interface When {
  /** Syntax, types (it must be a bool), cost; undefined where nothing is wrong. */
  check(source: string): WhenProblem | undefined;
  /** Throws for a source that `check` refuses. The function never throws; without a reach `covers` is an error. */
  compile(source: string): (request: WhenRequest, reach?: IndexReach) => WhenOutcome;
  /**
   * Which parts of the request it reads: `headers`, `source`, ...; `principal`, with `claims` where those are read;
   * `reach` where it asks `covers()` or `touches()`. Empty for a source that `check` refuses.
   */
  reads(source: string): ReadonlySet<string>;
  /** Microseconds that it takes at worst, as reckoned, not measured. 0 for a source that `check` refuses. */
  cost(source: string): number;
}

/** Characters of an expression. */
export const longestSource = 2048;

let loaded: Promise<When> | undefined;

/** Loads the library once. */
export function loadWhen(): Promise<When> {
  loaded ??= load();
  return loaded;
}

/** What the library counts as it parses: nodes of the tree, nesting, items of a list or a map written down. */
const structure = {
  maxAstNodes: 500,
  maxDepth: 32,
  maxListElements: 256,
  maxMapEntries: 256,
  maxCallArguments: 8,
};

interface Compiled {
  readonly run: ParseResult;
  readonly analysis: Analysis;
}

type Reading = { readonly compiled: Compiled } | { readonly problem: WhenProblem };

type Library = typeof import('@marcbachmann/cel-js');

async function load(): Promise<When> {
  const library = await import('@marcbachmann/cel-js');
  const environment = new library.Environment({ limits: structure });
  declareRequest(environment);
  registerFunctions(environment, library);
  const read = (source: string): Reading => readSource(source, environment, library);
  return {
    check: (source) => {
      const reading = read(source);
      return 'problem' in reading ? reading.problem : undefined;
    },
    compile: (source) => {
      const reading = read(source);
      if ('problem' in reading) throw new Error(`when: ${reading.problem.wrong}`);
      return evaluator(reading.compiled, library);
    },
    reads: (source) => {
      const reading = read(source);
      return 'problem' in reading ? new Set() : reading.compiled.analysis.reads;
    },
    cost: (source) => {
      const reading = read(source);
      return 'problem' in reading ? 0 : reading.compiled.analysis.cost / 1000;
    },
  };
}

function declareRequest(environment: Environment): void {
  const texts = (sizes: object) => Object.fromEntries(Object.keys(sizes).map((name) => [name, 'string']));
  environment
    .registerType('Principal', {
      ctor: PrincipalView,
      fields: { ...texts(principalTexts), verified: 'bool', claims: 'map<string, dyn>' },
    })
    .registerType('Request', {
      ctor: RequestView,
      fields: {
        ...texts(requestTexts),
        headers: 'map<string, string>',
        indices: 'list<string>',
        length: 'int',
        chunked: 'bool',
        principal: 'Principal',
        time: timestamp,
      },
    })
    .registerVariable('request', 'Request')
    .registerVariable(reachVariable, 'dyn');
}

function readSource(source: string, environment: Environment, library: Library): Reading {
  if (source.length > longestSource) {
    return whole(`longer than ${longestSource} characters`, 'make several policies of it');
  }
  let run: ParseResult;
  try {
    run = environment.parse(source);
  } catch (error) {
    return problemOf(error, source, library);
  }
  const { valid, type, error } = run.check();
  if (!valid) return problemOf(error, source, library);
  if (type !== 'bool') {
    return whole(`not a bool but ${type}`, 'compare it with something: request.method == "GET"');
  }
  const analysis = analyse(run.ast);
  const [refusal] = analysis.refusals;
  if (refusal !== undefined) return placed(refusal.wrong, refusal.fix, { source, at: refusal.node.start });
  for (const { start, end } of analysis.constants) {
    try {
      environment.evaluate(source.slice(start, end));
    } catch {
      return placed(
        'not a moment or a duration',
        'write timestamp("2026-01-31T12:00:00Z") or duration("90s")',
        {
          source,
          at: start,
        },
      );
    }
  }
  return { compiled: { run, analysis } };
}

function whole(wrong: string, fix: string): Reading {
  return { problem: { wrong, fix, column: undefined } };
}

function placed(wrong: string, fix: string, { source, at }: { source: string; at: number }): Reading {
  const before = source.slice(0, at).split('\n');
  const line = before.length === 1 ? '' : `line ${before.length}: `;
  return { problem: { wrong: line + wrong, fix, column: (before.at(-1) ?? '').length + 1 } };
}

/** Of what the library throws when it does not understand a source. */
function problemOf(
  error: unknown,
  source: string,
  { ParseError, TypeError: CelTypeError }: Library,
): Reading {
  if (!(error instanceof ParseError || error instanceof CelTypeError)) throw error;
  const fix = fixes.get(error.code) ?? 'docs/when.md says what can be written';
  return error.range === undefined
    ? whole(error.summary, fix)
    : placed(error.summary, fix, { source, at: error.range.start });
}

/** By the library's codes. */
const fixes: ReadonlyMap<string, string> = new Map([
  ['unknown_variable', 'the only variable is request'],
  ['no_such_key', partsThereAre],
  ['no_such_overload', 'make both sides of one type: int("5"), string(5)'],
  ['limit_exceeded', 'make several policies of it'],
  ['unterminated_string', 'close the quotes'],
]);

function evaluator(
  { run, analysis }: Compiled,
  library: Library,
): (request: WhenRequest, reach?: IndexReach) => WhenOutcome {
  const { headers } = analysis;
  // What is too large for the one is so for the other.
  const reads = analysis.reads.has('reach') ? new Set([...analysis.reads, 'indices']) : analysis.reads;
  const named = headers === 'all' || headers.size > 0;
  return (request, reach) => {
    const { context, over } = seeOnce(request);
    for (const part of over) if (reads.has(part)) return tooLarge(part);
    if (named && headersOver(request.headers, headers)) return tooLarge('headers');
    // An error is a value here: where in the library it was made is of no use, and takes four times as long.
    const { stackTraceLimit } = Error;
    Error.stackTraceLimit = 0;
    try {
      const outcome: unknown = run(reach === undefined ? context : { ...context, [reachVariable]: reach });
      return typeof outcome === 'boolean' ? outcome : { error: 'not a bool' };
    } catch (error) {
      return { error: faultOf(error, run.ast.input, library) };
    } finally {
      Error.stackTraceLimit = stackTraceLimit;
    }
  };
}

function tooLarge(part: string): { readonly error: string } {
  return { error: `request.${part === 'claims' ? 'principal.claims' : part} is too large` };
}

interface Sight {
  readonly request: WhenRequest;
  readonly seen: Seen;
}

/** Several policies ask about one request, one after the other, and some about two readings of it. */
let last: Sight | undefined;
let before: Sight | undefined;

function seeOnce(request: WhenRequest): Seen {
  if (last?.request === request) return last.seen;
  const seen = before?.request === request ? before.seen : see(request);
  before = last;
  last = { request, seen };
  return seen;
}

/** What went wrong and where, from the expression alone: the library's message can quote the request. */
function faultOf(error: unknown, source: string, { EvaluationError }: Library): string {
  if (!(error instanceof EvaluationError)) return 'it can not be computed';
  const what = error.code.replaceAll('_', ' ');
  return error.range === undefined ? what : `${what}: ${source.slice(error.range.start, error.range.end)}`;
}
