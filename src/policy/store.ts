/**
 * The set in effect, and how it came to be: snapshots of the source are read, built and put into effect whole, one
 * after the other. What is wrong changes nothing and is told.
 */
import { type BuildProblem, type Built, buildSet } from './build.ts';
import type { PolicySet } from './compile.ts';
import { type PolicyDocument, placeOf } from './document.ts';
import { type SecretsOptions, secretsFingerprint } from './secrets.ts';
import type { Outcome, PolicySource, Snapshot, SourceText } from './sources/source.ts';

/** What the reader makes of texts: documents, or every problem by the name of its text. */
export type Reading =
  | {
      readonly kind: 'read';
      readonly documents: readonly PolicyDocument[];
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'invalid'; readonly problems: readonly TextProblem[] };

export interface TextProblem {
  /** The name of the text. */
  readonly source: string;
  /** `team-a.yaml:3:7: spec.order: ...; ...`. */
  readonly message: string;
}

export interface StoreOptions {
  readonly source: PolicySource;
  /** Rejects only when it could not read at all: then it is asked again, less and less often. */
  readonly read: (texts: readonly SourceText[]) => Promise<Reading>;
  readonly fallback: 'allow' | 'deny';
  readonly secrets: SecretsOptions;
  /** A set goes into effect: called before any request is judged by it. */
  readonly onSwap: (set: PolicySet) => void;
  readonly tell: (event: StoreEvent) => void;
}

/** For the operator's log. */
export type StoreEvent =
  | {
      readonly kind: 'accepted';
      readonly version: string;
      readonly policies: number;
      readonly warnings: readonly string[];
    }
  | { readonly kind: 'refused'; readonly version: string; readonly problems: readonly string[] }
  /** Nothing is known of the set: it is read again in `retry` milliseconds. */
  | { readonly kind: 'unread'; readonly version: string; readonly why: string; readonly retry: number }
  | { readonly kind: 'unreachable'; readonly source: string; readonly why: string };

export interface StoreState {
  readonly source: string;
  /** Undefined while no set has been in effect. */
  readonly set: PolicySet | undefined;
  /** When it went into effect, milliseconds since 1970. */
  readonly since: number | undefined;
  readonly accepted: number;
  readonly refused: number;
  /** Of the newest snapshot, where it was refused or not read: a set that is in effect is an older one. */
  readonly problems: readonly string[];
  readonly unreachable: string | undefined;
}

export interface PolicyStore {
  readonly state: StoreState;
  /** Resolves when the first set is in effect. */
  readonly first: Promise<void>;
  close(): void;
}

type ReadSnapshot = Extract<Snapshot, { kind: 'read' }>;

interface Tried {
  readonly snapshot: ReadSnapshot;
  readonly documents: readonly PolicyDocument[];
  readonly fingerprint: string;
}

/** Secrets that policies send are rotated under their files' names. */
const secretsInterval = 2000;
/** Milliseconds until a set that could not be read is read again: doubled each time. */
const firstRetry = 1000;
const longestRetry = 30_000;

export function createStore(options: StoreOptions): PolicyStore {
  const { source, tell } = options;
  const { promise: first, resolve: onFirst } = Promise.withResolvers<void>();
  let state: StoreState = {
    source: source.name,
    set: undefined,
    since: undefined,
    accepted: 0,
    refused: 0,
    problems: [],
    unreachable: undefined,
  };
  let next: ReadSnapshot | undefined;
  /** The newest snapshot that was read, whatever became of it: with other secrets it may be another set. */
  let tried: Tried | undefined;
  let working = false;
  let open = true;
  let retry: NodeJS.Timeout | undefined;
  /** Of the newest snapshot, in a row. */
  let failures = 0;

  /** The newest snapshot is the one that counts: those that came while another was read are passed over. */
  async function work(): Promise<void> {
    if (working) return;
    working = true;
    while (next !== undefined && open) {
      const snapshot = next;
      next = undefined;
      const reading = await options.read(snapshot.texts).catch((error: unknown) => String(error));
      if (!open) break;
      if (typeof reading === 'string') {
        tryAgain(snapshot, reading);
        continue;
      }
      failures = 0;
      await take(snapshot, reading);
    }
    working = false;
  }

  /** A source says the same thing once, so that nobody else would ask for it again. */
  function tryAgain(snapshot: ReadSnapshot, why: string): void {
    // What came meanwhile is read at once instead.
    if (next !== undefined) return;
    const wait = Math.min(firstRetry * 2 ** failures++, longestRetry);
    state = { ...state, problems: [`policies can't be read: ${why}`], unreachable: undefined };
    tell({ kind: 'unread', version: snapshot.version, why, retry: wait });
    retry = setTimeout(() => put(snapshot), wait);
  }

  function put(snapshot: ReadSnapshot): void {
    clearTimeout(retry);
    retry = undefined;
    next = snapshot;
    void work();
  }

  async function take(snapshot: ReadSnapshot, reading: Reading): Promise<void> {
    const { version } = snapshot;
    try {
      tried = { snapshot, documents: [], fingerprint: '' };
      if (reading.kind === 'invalid') return refuse(snapshot, reading.problems);
      const { documents } = reading;
      const emptied = documents.length === 0 && state.set !== undefined && state.set.policies.length > 0;
      if (emptied && options.fallback === 'allow') return refuse(snapshot, [wouldOpenAll]);
      tried = { snapshot, documents, fingerprint: secretsFingerprint(documents, options.secrets) };
      const built: Built = await buildSet(documents, { ...options, version });
      if (!open) return;
      if (built.kind === 'wrong') return refuse(snapshot, built.problems.map(toTextProblem));
      options.onSwap(built.set);
      const accepted = state.accepted + 1;
      state = { ...state, set: built.set, since: Date.now(), accepted, problems: [], unreachable: undefined };
      source.report?.({ version, accepted: true, problems: new Map() });
      const warnings = emptied ? [...reading.warnings, letsNothingIn] : reading.warnings;
      tell({ kind: 'accepted', version, policies: documents.length, warnings });
      onFirst();
    } catch (error) {
      refuse(snapshot, [{ source: '', message: `policies can't be put into effect: ${String(error)}` }]);
    }
  }

  function refuse({ version }: ReadSnapshot, found: readonly TextProblem[]): void {
    const problems = found.map(({ message }) => message);
    state = { ...state, refused: state.refused + 1, problems, unreachable: undefined };
    const bySource = Map.groupBy(found, (problem) => problem.source);
    const outcome: Outcome = {
      version,
      accepted: false,
      problems: new Map([...bySource].map(([name, ones]) => [name, ones.map(({ message }) => message)])),
    };
    source.report?.(outcome);
    tell({ kind: 'refused', version, problems });
  }

  source.start((snapshot) => {
    if (!open) return;
    if (snapshot.kind === 'read') {
      failures = 0;
      put(snapshot);
      return;
    }
    state = { ...state, unreachable: snapshot.why };
    tell({ kind: 'unreachable', source: source.name, why: snapshot.why });
  });

  const timer = setInterval(() => {
    if (tried === undefined || next !== undefined || working || retry !== undefined) return;
    if (secretsFingerprint(tried.documents, options.secrets) === tried.fingerprint) return;
    put(tried.snapshot);
  }, secretsInterval).unref();

  return {
    get state() {
      return state;
    },
    first,
    close() {
      open = false;
      clearInterval(timer);
      clearTimeout(retry);
      source.close();
    },
  };
}

/** A mistake of whoever fills the source, most likely: the first set may be empty, but no set becomes so. */
const wouldOpenAll: TextProblem = {
  source: '',
  message:
    'the source holds no policies any more; with policies.default: allow that would let everything in; put a policy into it or set default: deny',
};
const letsNothingIn =
  'the source holds no policies any more; with policies.default: deny nothing is let in; put a policy into it';

function toTextProblem({ document, path, wrong, fix }: BuildProblem): TextProblem {
  const { origin } = document;
  return { source: origin.source, message: `${placeOf(origin)}: ${path}: ${wrong}; ${fix}` };
}
