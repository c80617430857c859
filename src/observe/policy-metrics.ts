/** Metrics of the policy stage, read at a scrape from what the stage itself counts. */
import Counter from 'prom-client/lib/counter.js';
import Gauge from 'prom-client/lib/gauge.js';
import type Registry from 'prom-client/lib/registry.js';

/** The set in effect, and what has become of its source. */
export interface PolicySetState {
  readonly version: string;
  readonly policies: number;
  /** When it went into effect, milliseconds since 1970; undefined while none has. */
  readonly since: number | undefined;
  readonly accepted: number;
  readonly refused: number;
  /** What the source holds now is not what is in effect. */
  readonly stale: boolean;
}

export interface PolicyHits {
  readonly policy: string;
  readonly allowed: number;
  readonly denied: number;
  readonly audited: number;
}

export interface PolicyUse {
  readonly policy: string;
  readonly streams: number;
  readonly waiting: number;
  readonly throttled: number;
  readonly refused: number;
  readonly requestBytes: number;
  readonly responseBytes: number;
  readonly throttledMs: number;
}

/** Whom to ask. Names of policies are the operator's: strangers can't make series. */
export interface PolicySources {
  readonly state: () => PolicySetState;
  readonly hits: () => readonly PolicyHits[];
  readonly use: () => readonly PolicyUse[];
}

export function registerPolicies(registry: Registry, { state, hits, use }: PolicySources): void {
  registerSet(registry, state);
  const registers = [registry];
  new Counter({
    name: 'sluice_policy_decisions_total',
    help: 'Requests by the policy that decided (default: none matched) and its verdict; audit counts what a deny would have caught.',
    labelNames: ['policy', 'verdict'] as const,
    registers,
    collect() {
      this.reset();
      for (const { policy, allowed, denied, audited } of hits()) {
        if (allowed > 0) this.inc({ policy, verdict: 'allow' }, allowed);
        if (denied > 0) this.inc({ policy, verdict: 'deny' }, denied);
        if (audited > 0) this.inc({ policy, verdict: 'audit' }, audited);
      }
    },
  });
  for (const [name, help, read] of useGauges) {
    new Gauge({
      name,
      help,
      labelNames: ['policy'] as const,
      registers,
      collect() {
        this.reset();
        for (const one of use()) this.set({ policy: one.policy }, read(one));
      },
    });
  }
  for (const [name, help, read] of useCounters) {
    new Counter({
      name,
      help,
      labelNames: ['policy'] as const,
      registers,
      collect() {
        this.reset();
        for (const one of use()) this.inc({ policy: one.policy }, read(one));
      },
    });
  }
}

type UseRow = readonly [name: string, help: string, read: (use: PolicyUse) => number];

const useGauges: readonly UseRow[] = [
  ['sluice_policy_streams', 'Exchanges under way that a policy let in.', (use) => use.streams],
  ['sluice_policy_queued', "Exchanges that wait for a policy's limits.", (use) => use.waiting],
  [
    'sluice_policy_throttled_streams',
    "Bodies that stand still for a policy's bandwidth.",
    (use) => use.throttled,
  ],
];

const useCounters: readonly UseRow[] = [
  [
    'sluice_policy_limited_total',
    "Exchanges turned away by a policy's limits with 429.",
    (use) => use.refused,
  ],
  [
    'sluice_policy_metered_bytes_total',
    "Body bytes that moved under a policy's bandwidth, both directions.",
    (use) => use.requestBytes + use.responseBytes,
  ],
  [
    'sluice_policy_throttled_seconds_total',
    "Time that bodies stood still for a policy's bandwidth, summed over them.",
    (use) => use.throttledMs / 1000,
  ],
];

function registerSet(registry: Registry, state: PolicySources['state']): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: (of: PolicySetState) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      collect() {
        this.set(read(state()));
      },
    });
  };
  gauge('sluice_policies', 'Policies in effect.', ({ policies }) => policies);
  gauge(
    'sluice_policy_set_stale',
    '1 while the source can not be read or holds a set that was refused: an older one is in effect.',
    ({ stale }) => Number(stale),
  );
  gauge(
    'sluice_policy_set_timestamp_seconds',
    'When the set in effect was put into effect, seconds since 1970; 0 while none has been.',
    ({ since }) => (since ?? 0) / 1000,
  );
  new Gauge({
    name: 'sluice_policy_set_info',
    help: 'Always 1; the version of the set in effect.',
    labelNames: ['version'] as const,
    registers,
    collect() {
      this.reset();
      this.set({ version: state().version }, 1);
    },
  });
  new Counter({
    name: 'sluice_policy_reloads_total',
    help: 'Sets read from the source, by what became of them.',
    labelNames: ['outcome'] as const,
    registers,
    collect() {
      this.reset();
      this.inc({ outcome: 'accepted' }, state().accepted);
      this.inc({ outcome: 'refused' }, state().refused);
    },
  });
}
