/** The policy stage as a whole: sources, reader, store, identity, limits, and the judge that requests meet. */
import { compileSet, type PolicySet } from './compile.ts';
import type { CredentialRefusal } from './credential-refusals.ts';
import { createIdentity } from './identity/identify.ts';
import type { IdentityOptions } from './identity/options.ts';
import type { IdentityEvent } from './identity/taken.ts';
import { type Hits, Judge } from './judge.ts';
import { createLimiters, type LimiterReadings } from './limits/limiter.ts';
import { createReaderProcess } from './reader-process.ts';
import { openSources, type SourceOptions } from './sources/open.ts';
import { createStore, type StoreEvent } from './store.ts';
import { verifiedBy } from './surroundings.ts';

export interface PolicyServiceOptions {
  readonly sources: readonly SourceOptions[];
  readonly fallback: 'allow' | 'deny';
  /** Until a first set is there: `wait` is for the caller to do, by `ready`. */
  readonly onStart: 'wait' | 'deny' | 'allow';
  readonly secretsDirectory: string | undefined;
  readonly identity: IdentityOptions;
  /** Names that policies may route to. */
  readonly clusters: readonly string[];
  /** Arguments that start the reader of documents. */
  readonly readerCommand: readonly string[];
  readonly log: {
    info(fields: object, message: string): void;
    warn(fields: object, message: string): void;
    error(fields: object, message: string): void;
  };
}

export interface PolicyService {
  readonly judge: Judge;
  /** Resolves once there is a set to judge by, of the sources or for the start. */
  readonly ready: Promise<void>;
  /** Which set is in effect, and whether it is what its sources hold. */
  status(): PolicySetReport;
  /** The same, with what each policy decided. */
  report(): PolicyReport;
  /** For metrics: what each policy decided, and why credentials were refused. */
  decisions(): readonly PolicyDecisions[];
  readonly credentialRefusals: () => Iterable<CredentialRefusal>;
  use(): readonly (LimiterReadings & { readonly policy: string })[];
  readonly counts: {
    readonly accepted: number;
    readonly refused: number;
    readonly since: number | undefined;
  };
  close(): void;
}

export interface PolicyDecisions extends Readonly<Hits> {
  readonly policy: string;
  /** What it decides in the set that is in effect. */
  readonly verdict: 'allow' | 'deny' | 'audit';
}

export interface PolicySetReport {
  readonly version: string;
  readonly policies: number;
  readonly since: string;
  readonly stale: boolean;
  readonly problems: readonly string[];
  readonly sources: readonly { readonly source: string; readonly reachable: boolean; readonly why: string }[];
}

export interface PolicyReport extends PolicySetReport {
  readonly default: 'allow' | 'deny';
  readonly hits: readonly PolicyHits[];
}

export interface PolicyHits {
  readonly policy: string;
  readonly order: number;
  readonly action: string;
  readonly allowed: number;
  readonly denied: number;
  readonly audited: number;
  readonly streams: number;
  readonly waiting: number;
  readonly limited: number;
}

/** Throws what the configuration has wrong. */
export async function createPolicyService(options: PolicyServiceOptions): Promise<PolicyService> {
  const { fallback, onStart, log } = options;
  const identity = await createIdentity(options.identity, (event) => tellIdentity(event, log));
  const limiters = createLimiters();
  const judge = new Judge({
    identify: (head, source) => identity.identify(head, source),
    challenge: challengeOf(options.identity),
    limiters,
  });
  if (onStart !== 'wait') judge.use(startingSet(onStart));

  using opened = new DisposableStack();
  opened.defer(() => limiters.close());
  opened.defer(() => identity.close());
  const source = await openSources(options.sources, {
    onState: ({ name, reachable, why }) => {
      if (reachable) log.info({ source: name }, 'policies: the source is read');
      else log.warn({ source: name, why }, 'policies: the source can not be read');
    },
    warn: (why) => log.warn({ why }, 'policies'),
  });
  const reader = createReaderProcess({
    command: options.readerCommand,
    surroundings: { clusters: options.clusters, verifies: verifiedBy(options.identity) },
  });
  opened.defer(() => reader.close());
  const store = createStore({
    source,
    read: (texts) => reader.read(texts),
    fallback,
    secrets: { directory: options.secretsDirectory, environment: process.env },
    onSwap: (set) => judge.use(set),
    tell: (event) => tell(event, log),
  });
  opened.defer(() => store.close());

  const status = (): PolicySetReport => {
    const { set, since, problems } = store.state;
    const sources = source
      .states()
      .map(({ name, reachable, why }) => ({ source: name, reachable, why: why ?? '' }));
    return {
      version: set?.version ?? '',
      policies: set?.policies.length ?? 0,
      since: since === undefined ? '' : new Date(since).toISOString(),
      stale: problems.length > 0 || sources.some(({ reachable }) => !reachable),
      problems,
      sources,
    };
  };
  const parts = opened.move();
  return {
    judge,
    ready: onStart === 'wait' ? store.first : Promise.resolve(),
    status,
    report() {
      const readings = new Map([...limiters.all()].map(([name, one]) => [name, one.readings()]));
      return { ...status(), default: fallback, hits: hitsOf(store.state.set, judge, readings) };
    },
    decisions: () => decisionsOf(store.state.set, fallback, judge),
    credentialRefusals: () => judge.credentialRefusals(),
    use: () => [...limiters.all()].map(([policy, limiter]) => ({ policy, ...limiter.readings() })),
    get counts() {
      return store.state;
    },
    close: () => parts.dispose(),
  };
}

/** What is in effect before any set was read. */
function startingSet(fallback: 'allow' | 'deny'): PolicySet {
  return compileSet([], { version: '', fallback });
}

/** How a client may authenticate (RFC 7617, RFC 6750); where Sluice verifies nobody, the server knows users. */
function challengeOf({ tokens, users }: IdentityOptions): string {
  const bearer = tokens.length === 0 ? [] : ['Bearer realm="sluice"'];
  const basic = users === undefined && bearer.length > 0 ? [] : ['Basic realm="sluice", charset="UTF-8"'];
  return [...basic, ...bearer].join(', ');
}

function tell(event: StoreEvent, log: PolicyServiceOptions['log']): void {
  switch (event.kind) {
    case 'accepted': {
      const { version, policies, warnings } = event;
      for (const warning of warnings) log.warn({ warning }, 'policies: worth a look');
      log.info({ version, policies }, 'policies: a set is in effect');
      break;
    }
    case 'refused': {
      const { version, problems } = event;
      log.error({ version, problems }, 'policies: a set was refused, nothing has changed');
      break;
    }
    case 'unread': {
      const { version, why, retry } = event;
      log.error({ version, why, retry }, 'policies: a set could not be read, nothing has changed');
      break;
    }
    case 'unreachable':
      log.warn({ source: event.source, why: event.why }, 'policies: no set can be read');
  }
}

function tellIdentity(event: IdentityEvent, log: PolicyServiceOptions['log']): void {
  if (event.kind === 'trouble') log.warn({ why: event.why }, 'identity');
  else {
    const { source, entries, recovered } = event;
    log.info({ source, entries }, recovered ? 'identity: read again, the trouble is over' : 'identity: read');
  }
}

function decisionsOf(
  set: PolicySet | undefined,
  fallback: 'allow' | 'deny',
  judge: Judge,
): readonly PolicyDecisions[] {
  const of = (policy: string, verdict: PolicyDecisions['verdict']): PolicyDecisions => {
    return { policy, verdict, ...(judge.hits.get(policy) ?? noHits) };
  };
  const policies = set?.policies ?? [];
  return [
    ...policies.map(({ name, document }) => of(name, document.action.kind)),
    of('default', set?.fallback ?? fallback),
  ];
}

const noHits: Readonly<Hits> = { allowed: 0, denied: 0, audited: 0 };

function hitsOf(
  set: PolicySet | undefined,
  judge: Judge,
  limits: ReadonlyMap<string, LimiterReadings>,
): readonly PolicyHits[] {
  const row = (policy: string, order: number, action: string): PolicyHits => {
    const { allowed, denied, audited } = judge.hits.get(policy) ?? noHits;
    const readings = limits.get(policy);
    const { streams, waiting, refused: limited } = readings ?? { streams: 0, waiting: 0, refused: 0 };
    return { policy, order, action, allowed, denied, audited, streams, waiting, limited };
  };
  return [
    ...(set?.policies ?? []).map(({ name, document }) => row(name, document.order, document.action.kind)),
    row('default', Number.MAX_SAFE_INTEGER, set?.fallback ?? ''),
  ];
}
