/**
 * Policies as they are and as they change, by list and watch. The client's informer does it, and what it takes for
 * granted is seen to here: left alone it would begin a watch after it was stopped, leave rejections to nobody where
 * credentials can't be had, trip over an event that is no object, and wait for ever on a server that hangs.
 */
import type { KubernetesListObject, ListWatch } from '@kubernetes/client-node';
import {
  type ApiFailure,
  type Client,
  explain,
  isPolicy,
  isRecord,
  type PolicyApi,
  type PolicyObject,
} from './kubernetes-api.ts';

export interface Following {
  readonly api: PolicyApi;
  /** As the API server told of it last. */
  get(name: string): PolicyObject | undefined;
  all(): readonly PolicyObject[];
  stop(): void;
}

export interface FollowHandlers {
  /** A list has come, perhaps an empty one, or a policy has changed. */
  readonly onChange: () => void;
  /** Once, and last; without a failure where it was stopped. */
  readonly onEnd: (ending: Ending | undefined) => void;
}

export interface Ending {
  readonly phase: 'listing' | 'watching';
  readonly failure: ApiFailure;
}

export function follow(
  client: Client,
  api: PolicyApi,
  labelSelector: string | undefined,
  handlers: FollowHandlers,
): Following {
  let phase: Ending['phase'] = 'listing';
  let ended = false;

  const end = (ending: Ending | undefined): void => {
    if (ended) return;
    ended = true;
    void informer.stop();
    handlers.onEnd(ending);
  };
  const fail = (error: unknown): void =>
    end({ phase, failure: error instanceof Refusal ? error.failure : explain(error) });

  const list = async (): Promise<KubernetesListObject<PolicyObject>> => {
    phase = 'listing';
    const answer = await api.list(labelSelector);
    if (answer.kind === 'failed') throw new Refusal(answer);
    const { items, metadata } = isRecord(answer.body) ? answer.body : {};
    if (!Array.isArray(items) || !isRecord(metadata)) throw new Error('its answer is no list of policies');
    if (!ended) handlers.onChange();
    return {
      items: items.filter(isPolicy),
      metadata: { resourceVersion: String(metadata.resourceVersion ?? '') },
    };
  };

  class GuardedWatch extends client.Watch {
    override async watch(
      path: string,
      query: Record<string, string>,
      onEvent: (type: string, object: unknown) => void,
      onEnd: (error: unknown) => void,
    ): Promise<AbortController> {
      if (ended) return new AbortController();
      phase = 'watching';
      const onChecked = (type: string, object: unknown): void => {
        if (type === 'ERROR' ? isRecord(object) : isPolicy(object)) onEvent(type, object);
      };
      let open = false;
      // The informer takes every lapse of time for a quiet watch; before the answer it is a server that hangs.
      const onClosed = (error: unknown): void => {
        if (!open && error instanceof Error && error.name === 'TimeoutError') fail(error);
        else onEnd(error);
      };
      try {
        const request = await super.watch(path, query, onChecked, onClosed);
        open = true;
        if (ended) request.abort();
        return request;
      } catch (error) {
        fail(error);
        return new AbortController();
      }
    }
  }

  const delayFn = (milliseconds: number) =>
    new Promise<void>((resolve) => setTimeout(resolve, milliseconds).unref());
  const watch = new GuardedWatch(api.config);
  const informer: ListWatch<PolicyObject> = new client.ListWatch<PolicyObject>(
    api.path,
    watch,
    list,
    false,
    labelSelector,
    undefined,
    { delayFn },
  );
  informer.on('change', () => {
    if (!ended) handlers.onChange();
  });
  informer.on('error', fail);
  informer.start().catch(fail);
  return {
    api,
    get: (name) => informer.get(name, api.namespace),
    all: () => informer.list(api.namespace),
    stop: () => end(undefined),
  };
}

/** Carries a failure through the informer, which knows errors only. */
class Refusal extends Error {
  readonly failure: ApiFailure;

  constructor(failure: ApiFailure) {
    super(failure.why);
    this.failure = failure;
  }
}
