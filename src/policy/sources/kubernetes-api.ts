/**
 * The little of the Kubernetes API that policies need besides following them: who we are there, and single requests.
 *
 * The official client is an optional package, and loading it costs 70 to 90 MB: so only types of it are named here,
 * and `loadClient` brings it in. It knows how to log in everywhere (ServiceAccount, kubeconfig, plugins). Requests go
 * over node:https all the same, since each of the client's own would leave a connection open behind it.
 */
import http from 'node:http';
import https from 'node:https';
import type { Cluster, KubeConfig } from '@kubernetes/client-node';

export type Client = typeof import('@kubernetes/client-node');

export const group = 'sluice.dev';
export const version = 'v1alpha1';

/** A Policy as the API server gives it. */
export interface PolicyObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    /** Counts changes of the spec; a written status leaves it as it is. */
    readonly generation: number;
    readonly resourceVersion: string;
  };
  readonly spec?: unknown;
  readonly status?: unknown;
}

/** `why` says what is wrong and, after a semicolon, how to mend it. `status` is 0 where no answer came. */
export interface ApiFailure {
  readonly kind: 'failed';
  readonly status: number;
  readonly why: string;
}

export type ApiAnswer = { readonly kind: 'answered'; readonly body: unknown } | ApiFailure;

export interface Access {
  /** Unless told, that of the Pod or of the kubeconfig's context; `default` where these name none. */
  readonly namespace?: string | undefined;
  /** A kubeconfig file; without one, the Pod's ServiceAccount is used. */
  readonly kubeconfig?: string | undefined;
  /** Of the kubeconfig file; unless told, its current one. */
  readonly context?: string | undefined;
  /** What the ServiceAccount's path begins with, where it isn't mounted in its usual place. */
  readonly root?: string | undefined;
}

/** Of one request, in milliseconds. */
const deadline = 15_000;
/** A status or a thousand go over one connection, which is closed when it was idle for five seconds. */
const reuse = { keepAlive: true, timeout: 5000 } as const;
/** Of one answer: a thousand policies are about 2 MB of it. */
const largestAnswer = 64 * 2 ** 20;

/** Undefined where the package isn't there. */
export async function loadClient(): Promise<Client | undefined> {
  try {
    return await import('@kubernetes/client-node');
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND') return undefined;
    throw error;
  }
}

export class PolicyApi {
  readonly namespace: string;
  /** Of the policies, behind the server's address. */
  readonly path: string;
  readonly config: KubeConfig;
  readonly #cluster: Cluster;
  readonly #closing: AbortSignal;
  readonly #agent: http.Agent;

  constructor(config: KubeConfig, cluster: Cluster, namespace: string, closing: AbortSignal) {
    this.config = config;
    this.#cluster = cluster;
    this.#agent = cluster.server.startsWith('http:') ? new http.Agent(reuse) : new https.Agent(reuse);
    this.namespace = namespace;
    this.path = `/apis/${group}/${version}/namespaces/${encodeURIComponent(namespace)}/policies`;
    this.#closing = closing;
  }

  get(name: string): Promise<ApiAnswer> {
    return this.#request('GET', this.#pathOf(name));
  }

  /** Only if the object is still as it was read: otherwise the API server answers 409. */
  patchStatus({ metadata }: PolicyObject, status: unknown): Promise<ApiAnswer> {
    const { resourceVersion } = metadata;
    return this.#request('PATCH', `${this.#pathOf(metadata.name)}/status`, {
      metadata: { resourceVersion },
      status,
    });
  }

  /** Of all of them, or of those with these labels. */
  list(labelSelector: string | undefined): Promise<ApiAnswer> {
    const query = labelSelector === undefined ? '' : `?labelSelector=${encodeURIComponent(labelSelector)}`;
    return this.#request('GET', this.path + query);
  }

  #pathOf(name: string): string {
    return `${this.path}/${encodeURIComponent(name)}`;
  }

  async #request(method: string, path: string, patch?: unknown): Promise<ApiAnswer> {
    const signal = AbortSignal.any([this.#closing, AbortSignal.timeout(deadline)]);
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': 'sluice' };
    if (patch !== undefined) headers['content-type'] = 'application/merge-patch+json';
    const options: https.RequestOptions = { method, signal, headers };
    try {
      await this.config.applyToHTTPSOptions(options);
      // The client's agent never uses a connection twice, but it knows the way through a proxy.
      if (this.#cluster.proxyUrl === undefined) options.agent = this.#agent;
      const url = new URL(this.#cluster.server + path);
      const { request } = url.protocol === 'http:' ? http : https;
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        request(url, options, resolve)
          .on('error', reject)
          .end(patch === undefined ? undefined : JSON.stringify(patch));
      });
      const body = parse(await read(response));
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return { kind: 'answered', body };
      const message = isRecord(body) && typeof body.message === 'string' ? body.message : 'no reason given';
      return refused(status, message);
    } catch (error) {
      return explain(error);
    }
  }
}

/** Says who we are and where the API server is; reads files, and asks nothing of the network. */
export function openApi(client: Client, access: Access, closing: AbortSignal): PolicyApi | ApiFailure {
  const config = new client.KubeConfig();
  const { kubeconfig, context, root = '' } = access;
  try {
    if (kubeconfig !== undefined) config.loadFromFile(kubeconfig);
    else if (process.env.KUBERNETES_SERVICE_HOST) config.loadFromCluster(root);
    else return unusable('this process runs in no Kubernetes cluster; name a kubeconfig file');
  } catch (error) {
    const what = kubeconfig ?? "the Pod's ServiceAccount";
    return unusable(`${what} can not be read (${wordsOf(error)}); name a kubeconfig file that can`);
  }
  if (kubeconfig !== undefined && context !== undefined) config.setCurrentContext(context);
  const cluster = config.getCurrentCluster();
  if (!cluster?.server) {
    const name = config.getCurrentContext();
    return unusable(`${kubeconfig} has no cluster for the context '${name}'; name another context`);
  }
  const own = config.getContextObject(config.getCurrentContext())?.namespace?.trim();
  return new PolicyApi(config, cluster, access.namespace ?? (own || 'default'), closing);
}

function unusable(why: string): ApiFailure {
  return { kind: 'failed', status: 0, why };
}

function refused(status: number, message: string): ApiFailure {
  const said = `the API server answered ${status} (${message.slice(0, 500)})`;
  if (status === 400) return { kind: 'failed', status, why: `${said}; correct the label selector` };
  if (status === 401) return { kind: 'failed', status, why: `${said}; check the token or the certificate` };
  if (status === 403) {
    return { kind: 'failed', status, why: `${said}; grant what deploy/rbac/policy-source.yaml grants` };
  }
  if (status === 404) return { kind: 'failed', status, why: `${said}; apply deploy/crds/policy.yaml` };
  return { kind: 'failed', status, why: `${said}; it is tried again` };
}

/** What a request, or the client's watch, failed of. */
export function explain(error: unknown): ApiFailure {
  if (error instanceof Error && 'statusCode' in error && typeof error.statusCode === 'number') {
    return refused(error.statusCode, error.message);
  }
  return unusable(`the API server can not be asked (${wordsOf(error)}); it is tried again`);
}

/** The code of what was at the bottom of it, such as ECONNREFUSED, and which file; or its words. */
function wordsOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.cause !== undefined) return wordsOf(error.cause);
  if (!('code' in error) || typeof error.code !== 'string') return error.message;
  return 'path' in error ? `${error.code} ${String(error.path)}` : error.code;
}

async function read(response: http.IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > largestAnswer) throw new Error('its answer is larger than 64 MiB');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

export function isPolicy(value: unknown): value is PolicyObject {
  const metadata = isRecord(value) ? value.metadata : undefined;
  return (
    isRecord(metadata) &&
    typeof metadata.name === 'string' &&
    typeof metadata.namespace === 'string' &&
    typeof metadata.uid === 'string' &&
    typeof metadata.generation === 'number' &&
    typeof metadata.resourceVersion === 'string'
  );
}
