/** Metrics of the policy stage, read at a scrape from what the stage itself counts. */
import type { Sample, Scraped } from './scraped.ts';

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
  /** What the policy decides today; a reload may have changed it. */
  readonly verdict: 'allow' | 'deny' | 'audit';
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
  readonly credentialRefusals: () => Iterable<{
    readonly policy: string;
    readonly reason: string;
    readonly count: number;
  }>;
}

export function registerPolicies(scraped: Scraped, sources: PolicySources): void {
  const { state, hits, use, credentialRefusals } = sources;
  registerSet(scraped, state);
  scraped.counters(
    'sluice_policy_credentials_refused_total',
    'Requests refused for their credentials, by reason and by the policy that decided (empty: before any was asked).',
    ['policy', 'reason'],
    () => [...credentialRefusals()].map(({ policy, reason, count }) => [{ policy, reason }, count]),
  );
  scraped.counters(
    'sluice_policy_decisions_total',
    'Requests by the policy that decided (default: none matched) and its verdict; audit counts what a deny would have caught.',
    ['policy', 'verdict'],
    () => hits().flatMap(decisionsOf),
  );
  for (const [name, help, read] of useGauges) {
    scraped.gauges(name, help, ['policy'], () => use().map((one) => [{ policy: one.policy }, read(one)]));
  }
  for (const [name, help, read] of useCounters) {
    scraped.counters(name, help, ['policy'], () => use().map((one) => [{ policy: one.policy }, read(one)]));
  }
}

/** What a policy decides has a sample from the start; what it decided under an older set, where there is something to tell. */
function decisionsOf({ policy, verdict: own, allowed, denied, audited }: PolicyHits): readonly Sample[] {
  const counts = { allow: allowed, deny: denied, audit: audited };
  return Object.entries(counts)
    .filter(([verdict, count]) => verdict === own || count > 0)
    .map(([verdict, count]): Sample => [{ policy, verdict }, count]);
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

function registerSet(scraped: Scraped, state: PolicySources['state']): void {
  scraped.gauge('sluice_policies', 'Policies in effect.', () => state().policies);
  scraped.gauge(
    'sluice_policy_set_stale',
    '1 while the source can not be read or holds a set that was refused: an older one is in effect.',
    () => Number(state().stale),
  );
  scraped.gauge(
    'sluice_policy_set_timestamp_seconds',
    'When the set in effect was put into effect, seconds since 1970; 0 while none has been.',
    () => (state().since ?? 0) / 1000,
  );
  scraped.gauges('sluice_policy_set_info', 'Always 1; the version of the set in effect.', ['version'], () => [
    [{ version: state().version }, 1],
  ]);
  scraped.counters(
    'sluice_policy_reloads_total',
    'Sets read from the source, by what became of them.',
    ['outcome'],
    () => {
      const { accepted, refused } = state();
      return [
        [{ outcome: 'accepted' }, accepted],
        [{ outcome: 'refused' }, refused],
      ];
    },
  );
}
