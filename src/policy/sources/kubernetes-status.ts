/**
 * What became of a policy, written into its status as a condition `Accepted`, by the API conventions of Kubernetes
 * (sig-architecture/api-conventions.md, "Typical status properties"). A status is written only where it would say
 * something new: so replicas that agree write once between them, and a written status never causes another.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type ApiFailure, isPolicy, isRecord, type PolicyObject } from './kubernetes-api.ts';
import type { Following } from './kubernetes-follow.ts';
import type { Outcome } from './source.ts';

export interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration: number;
  readonly lastTransitionTime: string;
}

type Verdict = Omit<Condition, 'type' | 'lastTransitionTime'>;

/** Of a condition's message; the API allows 32,768 characters. */
const longestMessage = 8192;
/** Per policy; the pauses between them double from 200 ms. */
const attempts = 6;

/** What is to be said of the policy `name`, the same on every replica that judges as this one. */
export function verdictOn(name: string, observedGeneration: number, outcome: Outcome): Verdict {
  const problems = outcome.problems.get(name) ?? [];
  if (outcome.accepted) {
    return {
      status: 'True',
      reason: 'Accepted',
      message: shorten(['The policy is in effect.', ...problems].join('\n')),
      observedGeneration,
    };
  }
  if (problems.length > 0) {
    return { status: 'False', reason: 'Invalid', message: shorten(problems.join('\n')), observedGeneration };
  }
  const at = [...outcome.problems.keys()].sort();
  const others = at.length > 3 ? `${at.slice(0, 3).join(', ')} and ${at.length - 3} more` : at.join(', ');
  const message =
    `Nothing is wrong with this policy, but the set that it is part of is refused${others && ` for ${others}`}; ` +
    'until that is mended, the last accepted set stays in effect.';
  return { status: 'False', reason: 'SetInvalid', message: shorten(message), observedGeneration };
}

/**
 * The object's conditions with `verdict` among them; undefined where they say it already, or tell of a later
 * generation. Conditions of other types are left as they are.
 */
export function conditionsWith(
  object: PolicyObject,
  verdict: Verdict,
  now: string,
): readonly unknown[] | undefined {
  const stored = isRecord(object.status) ? object.status.conditions : undefined;
  const conditions: readonly unknown[] = Array.isArray(stored) ? stored : [];
  const isOurs = (one: unknown) => isRecord(one) && one.type === 'Accepted';
  const found = conditions.find(isOurs);
  const old: Readonly<Record<string, unknown>> = isRecord(found) ? found : {};
  if (typeof old.observedGeneration === 'number' && old.observedGeneration > verdict.observedGeneration) {
    return undefined;
  }
  const same = (['status', 'reason', 'message', 'observedGeneration'] as const).every(
    (field) => old[field] === verdict[field],
  );
  if (same) return undefined;
  const unturned = old.status === verdict.status && typeof old.lastTransitionTime === 'string';
  const condition = {
    type: 'Accepted',
    ...verdict,
    lastTransitionTime: unturned ? old.lastTransitionTime : now,
  };
  return [...conditions.filter((one) => !isOurs(one)), condition];
}

/** Objects that were told of together, and by what version. */
export interface Told {
  readonly version: string;
  /** By `namespace/name`. */
  readonly objects: ReadonlyMap<string, PolicyObject>;
}

export class StatusWriter {
  readonly #warn: (message: string) => void;
  readonly #closing: AbortSignal;
  #told: Told | undefined;
  #outcome: Outcome | undefined;
  /** Which run of `#write` goes on; earlier ones end. */
  #run = 0;
  /** What was warned of last, until a status is written: each trouble is told of once. */
  #warned = '';

  constructor(warn: (message: string) => void, closing: AbortSignal) {
    this.#warn = warn;
    this.#closing = closing;
  }

  /** A new set: what was said of the one before it is of no use any more. */
  tell(told: Told): void {
    if (told.version !== this.#told?.version) {
      this.#run++;
      this.#outcome = undefined;
    }
    this.#told = told;
  }

  /** Writes what became of the set told of last; outcomes of others are too late. */
  report(outcome: Outcome, following: Following): void {
    if (outcome.version !== this.#told?.version) return;
    this.#outcome = outcome;
    this.resume(following);
  }

  /** Goes on where the API server was away. */
  resume(following: Following): void {
    if (this.#outcome && this.#told) void this.#write(this.#outcome, this.#told, following);
  }

  async #write(outcome: Outcome, { objects }: Told, following: Following): Promise<void> {
    const run = ++this.#run;
    const isCurrent = () => run === this.#run && !this.#closing.aborted;
    // Replicas begin in different places and look first at what the watch brought, so they share the work.
    const all = [...objects];
    const first = Math.floor(Math.random() * all.length);
    for (const [name, told] of [...all.slice(first), ...all.slice(0, first)]) {
      const result = await writeOne(name, told, outcome, { following, isCurrent });
      if (!isCurrent()) return;
      if (result === 'written') this.#warned = '';
      else if (result) return this.#complain(name, result);
    }
  }

  #complain(name: string, { status, why }: ApiFailure): void {
    const kind = String(status);
    if (kind === this.#warned) return;
    this.#warned = kind;
    this.#warn(
      `the status of the policy ${name} can not be written, the policies are in effect all the same: ${why}`,
    );
  }
}

/** Undefined where there is nothing to write: it is written already, or the policy is another by now. */
async function writeOne(
  name: string,
  told: PolicyObject,
  outcome: Outcome,
  { following, isCurrent }: { readonly following: Following; readonly isCurrent: () => boolean },
): Promise<'written' | ApiFailure | undefined> {
  const { uid, generation, name: own } = told.metadata;
  const verdict = verdictOn(name, generation, outcome);
  let object = following.get(own);
  for (let attempt = 1; isCurrent(); attempt++) {
    // Otherwise deleted or changed since, and another set is about to be told of.
    if (object?.metadata.uid !== uid || object.metadata.generation !== generation) return undefined;
    const conditions = conditionsWith(object, verdict, `${new Date().toISOString().slice(0, 19)}Z`);
    if (!conditions) return undefined;
    const answer = await following.api.patchStatus(object, { conditions });
    if (answer.kind === 'answered') return 'written';
    if (answer.status === 404) return undefined;
    const passing =
      answer.status === 0 || answer.status === 409 || answer.status === 429 || answer.status >= 500;
    if (!passing || attempt === attempts) return answer;
    if (answer.status === 409) {
      const fresh = await following.api.get(own);
      if (fresh.kind === 'answered') object = isPolicy(fresh.body) ? fresh.body : undefined;
    } else {
      await sleep(100 * 2 ** attempt * (0.5 + Math.random()), undefined, { ref: false });
    }
  }
  return undefined;
}

function shorten(message: string): string {
  return message.length <= longestMessage ? message : `${message.slice(0, longestMessage - 1)}…`;
}
