/** The proxy in this process under policies that are read, built and put into effect as a running Sluice does it. */
import assert from 'node:assert/strict';
import type { Exchange } from '../../src/exchange.ts';
import type { TransportKind } from '../../src/net/contract.ts';
import { buildSet } from '../../src/policy/build.ts';
import type { PolicySet } from '../../src/policy/compile.ts';
import { Judge } from '../../src/policy/judge.ts';
import { createLimiters, type LimiterReadings, type Limiters } from '../../src/policy/limits/limiter.ts';
import { readSet } from '../../src/policy/read/reading.ts';
import type { SecretsOptions } from '../../src/policy/secrets.ts';
import { policyText, type Specs } from './policy-text.ts';
import type { RawPeer } from './raw-peer.ts';
import { Stand, type StandOptions } from './stand.ts';

export interface PolicyStandOptions extends Omit<StandOptions, 'judge'> {
  readonly policies: Specs;
  readonly fallback?: 'allow' | 'deny';
  readonly secrets?: SecretsOptions;
}

export class PolicyStand {
  readonly stand: Stand;
  readonly judge: Judge;
  readonly #limiters: Limiters;
  readonly #options: PolicyStandOptions;

  private constructor(stand: Stand, judge: Judge, limiters: Limiters, options: PolicyStandOptions) {
    this.stand = stand;
    this.judge = judge;
    this.#limiters = limiters;
    this.#options = options;
  }

  /** Where no policy matches, a request is denied unless told otherwise. */
  static async open(kind: TransportKind, options: PolicyStandOptions): Promise<PolicyStand> {
    const limiters = createLimiters();
    const judge = new Judge({ identify: undefined, challenge: '', limiters });
    judge.use(await readPolicies(options));
    return new PolicyStand(await Stand.open(kind, { ...options, judge }), judge, limiters, options);
  }

  /** Puts other policies into effect. */
  async use(policies: Specs): Promise<void> {
    this.judge.use(await readPolicies({ ...this.#options, policies }));
  }

  client(): Promise<RawPeer> {
    return this.stand.client();
  }

  /** The next record that nobody has fetched yet. */
  ended(): Promise<Exchange> {
    return this.stand.ended();
  }

  /** What the limits of one policy have come to. */
  readings(policy: string): LimiterReadings {
    const limiter = new Map(this.#limiters.all()).get(policy);
    assert.ok(limiter, `no policy is named ${policy}`);
    return limiter.readings();
  }

  /** Whatever became of the requests, none may go on holding a place, or waiting for one. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.stand[Symbol.asyncDispose]();
    const held = [...this.#limiters.all()]
      .map(([name, limiter]) => ({ name, ...limiter.readings() }))
      .filter(({ streams, waiting, throttled }) => streams + waiting + throttled > 0);
    this.#limiters.close();
    assert.deepEqual(held, []);
  }
}

export async function readPolicies({
  policies,
  clusters = {},
  fallback = 'deny',
  secrets = { directory: undefined, environment: {} },
}: Pick<PolicyStandOptions, 'policies' | 'clusters' | 'fallback' | 'secrets'>): Promise<PolicySet> {
  const texts = [{ name: 'policies.yaml', text: policyText(policies) }];
  const reading = await readSet(texts, {
    clusters: ['default', ...Object.keys(clusters)],
    verifies: undefined,
  });
  assert.ok(reading.kind === 'read', JSON.stringify(reading));
  const built = await buildSet(reading.policies, { version: 'test', fallback, secrets });
  assert.ok(built.kind === 'built', JSON.stringify(built));
  return built.set;
}
