/** Wiring: the only place that builds the parts and puts them together. */
import { createAdmin } from './admin/server.ts';
import { CanNotGoOn, type ExitCode, exitCodes } from './cli/actions.ts';
import { execute, readerCommand } from './cli/execute.ts';
import { version } from './cli/version.ts';
import type { ClusterConfig, Config, ListenConfig, PoliciesConfig } from './config/config.ts';
import { descriptorLimit, fitListeners, trafficBound } from './config/descriptors.ts';
import type { Observer } from './exchange.ts';
import { bindFailure, writeAddress } from './listen/bind-failure.ts';
import { Front } from './listen/front.ts';
import type { Transport, TransportOptions } from './net/contract.ts';
import { createEngineTransport } from './net/engine.ts';
import { createStreamsTransport } from './net/streams.ts';
import { type AccessLog, createAccessLog } from './observe/access-log.ts';
import { createLog, type Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import type { PolicySources } from './observe/policy-metrics.ts';
import { Shortages } from './observe/shortages.ts';
import type { PolicyService } from './policy/service.ts';
import type { ProxyOptions } from './proxy/options.ts';
import { createProxy } from './proxy/proxy.ts';
import { newPseudonym } from './proxy/via.ts';
import { catchSignals, type Signals } from './signals.ts';
import { Cluster } from './upstream/cluster.ts';
import { logEvents } from './upstream/operator-log.ts';
import { oneAtATime, systemResolver } from './upstream/resolver.ts';

const signals = process.argv[2] === 'run' ? catchSignals() : undefined;

/** Runs until it has been told to stop and has drained. A start that fails is undone, and told in the log. */
async function run(config: Config, file: string | undefined): Promise<ExitCode> {
  const log = createLog(config.log.level);
  try {
    const code = await startAndUndo({ config, file, log, signals: signals ?? catchSignals() });
    log.info({ exit: code }, 'stopped');
    return code;
  } catch (error) {
    const known = error instanceof CanNotGoOn;
    if (known) log.fatal({ exit: error.exitCode }, `can't start: ${error.message}`);
    else log.fatal({ error: error instanceof Error ? error.stack : String(error) }, 'a bug');
    return known ? error.exitCode : exitCodes.unexpected;
  } finally {
    endSoon(log);
  }
}

async function startAndUndo(given: Omit<Serving, 'parts'>): Promise<ExitCode> {
  await using parts = new AsyncDisposableStack();
  return await serve({ ...given, parts });
}

interface Serving {
  readonly config: Config;
  /** Where the configuration stands; undefined where flags do. */
  readonly file: string | undefined;
  readonly log: Log;
  readonly signals: Signals;
  /** What has been started, and is closed in the reverse order: after the drain, or where a later step fails. */
  readonly parts: AsyncDisposableStack;
}

async function serve({ config, file, log, signals, parts }: Serving): Promise<ExitCode> {
  const { stop } = signals;
  signals.onIgnored((signal) => log.info({ signal }, 'a signal without meaning'));
  log.debug({ pid: process.pid, version, node: process.version }, 'starting');
  const shortages = new Shortages(log);
  const limit = descriptorLimit();
  const resources: TransportOptions = {
    descriptors: trafficBound(limit ?? Number.POSITIVE_INFINITY),
    onShortage: (shortage) => shortages.failed(shortage),
  };
  const streams = createStreamsTransport(resources);
  const plain = chooseTransport(config.transport, streams, resources, log);
  const transports = plain === streams ? [streams] : [plain, streams];
  for (const transport of transports) parts.defer(() => transport.close());

  const resolver = oneAtATime(systemResolver);
  const openCluster = (name: string, { socket, ...rest }: ClusterConfig): Cluster =>
    new Cluster({
      name,
      ...rest,
      resolver,
      onEvent: logEvents(name, log),
      dial: { plain, secure: streams, timeout: config.timeouts.connect, socket },
    });
  const cluster = openCluster('default', config.upstream);
  const clusters = new Map(
    Object.entries(config.clusters).map(([name, one]) => [name, openCluster(name, one)]),
  );
  const all = [cluster, ...clusters.values()];
  for (const one of all) parts.defer(() => one.close());
  const policies = config.policies && (await servePolicies(config.policies, config, log));
  if (policies) parts.defer(() => policies.close());
  const accessLog = openAccessLog(config, log);
  if (accessLog) parts.defer(() => accessLog.close());
  signals.onReopen((signal) => {
    if (accessLog) log.info({ signal }, 'the access log is opened anew');
    accessLog?.reopen();
  });
  const observers: Observer[] = accessLog ? [accessLog] : [];
  const options: ProxyOptions = {
    cluster,
    clusters,
    judge: policies?.judge,
    observers,
    onDecision:
      config.log.level === 'debug'
        ? ({ kind, ...fields }) => log.debug(fields, `request ${kind}`)
        : undefined,
    backlog: accessLog,
    trust: config.forwarded.trust,
    pseudonym: newPseudonym(),
    draining: () => front.draining,
    preflight: config.preflight,
    timeouts: config.timeouts,
    limits: config.limits,
  };
  const proxy = createProxy(options);
  const front = new Front(plain, proxy.serve, (listener) => shortages.full(listener));

  signals.onHurry(() => front.hurry());
  let ready = false;
  const reason = (): string => {
    if (ready) return 'serving';
    return front.draining ? 'draining' : 'starting';
  };
  const now = () => performance.now();
  const metrics = createMetrics({
    transports: () =>
      transports.map((transport) => ({ kind: transport.kind, counters: transport.counters() })),
    ready: () => ready,
    inFlight: () => proxy.inFlight,
    lostLines: accessLog && (() => accessLog.lost),
    version,
    nodes: () =>
      all.flatMap(({ name, nodes }) =>
        nodes.map((node) => ({
          cluster: name,
          node: node.name,
          name: node.resolvedFrom || node.name,
          bytesInFlight: node.bytesInFlight,
          idleConnections: node.idleConnections,
          ejected: node.isEjected(now()),
        })),
      ),
    policies: policies && policySources(policies),
    failedCalls: () => shortages.counts(),
    descriptorLimit,
  });
  observers.push(metrics);

  const admin = await binding('admin', config.admin, () =>
    createAdmin({
      ...config.admin,
      metrics: () => metrics.text(),
      readiness: () => ({
        ready,
        reason: reason(),
        ...(policies && { policies: policies.status() }),
      }),
      policies: policies && (() => policies.report()),
    }),
  );
  parts.defer(() => admin.close());
  // A proxy that can't judge yet must not take clients whom another could serve.
  if (policies !== undefined) await Promise.race([policies.ready, stopped(stop)]);
  if (stop.aborted) {
    log.info({ signal: stop.reason }, 'stopped before it listened');
    return exitCodes.done;
  }
  parts.defer(() => front.stopListening());
  const listening: string[] = [];
  for (const [index, listen] of fitted(config.listen, plain, limit, log).entries()) {
    const { host, port } = await binding(`listen[${index}]`, listen, () =>
      front.listen({ ...listen, ...listen.socket }),
    );
    listening.push(writeAddress({ host, port }));
  }
  ready = true;
  log.info(
    {
      version,
      node: process.version,
      pid: process.pid,
      config: file,
      listen: listening,
      admin: writeAddress(admin),
      transport: plain.kind,
      clusters: Object.fromEntries(all.map(({ name, nodes }) => [name, nodes.length])),
      policies: policies?.status().sources.map(({ source }) => source),
    },
    'listening',
  );

  await stopped(stop);
  const told: NodeJS.Signals = stop.reason;
  ready = false;
  log.info({ signal: told, connections: front.connections }, 'draining');
  // An operator at a terminal does not wait for a load balancer.
  const cut = await front.drain(told === 'SIGINT' ? 0 : config.timeouts.accept, config.timeouts.drain);
  if (cut > 0) log.warn({ exchanges: cut }, 'cut at the end of the drain');
  return cut > 0 ? exitCodes.cut : exitCodes.done;
}

function stopped(stop: AbortSignal): Promise<void> {
  if (stop.aborted) return Promise.resolve();
  return new Promise((resolve) => stop.addEventListener('abort', () => resolve(), { once: true }));
}

/** `what` is the setting whose address is bound. */
async function binding<Bound>(
  what: string,
  address: { readonly host: string; readonly port: number },
  bind: () => Promise<Bound>,
): Promise<Bound> {
  try {
    return await bind();
  } catch (error) {
    // What has no errno is a bug, or an engine that is older than its caller, and not about the address.
    if (!(error instanceof Error && 'code' in error)) throw error;
    throw new CanNotGoOn(exitCodes.machine, `${what}: ${bindFailure(error, writeAddress(address))}`);
  }
}

function openAccessLog({ accessLog }: Config, log: Log): AccessLog | undefined {
  if (!accessLog.enabled) return undefined;
  const { destination } = accessLog;
  try {
    return createAccessLog(destination, (why) => log.error({ why }, 'the access log can not be written'));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CanNotGoOn(exitCodes.machine, `accessLog.destination: can't write to ${destination}: ${why}`);
  }
}

/** All is closed, so nothing holds the process. What does all the same is a mistake, and must not hold it for ever. */
function endSoon(log: Log): void {
  const end = (): void => {
    log.warn({ left: process.getActiveResourcesInfo() }, 'something was left open');
    process.exit();
  };
  setTimeout(end, leftoverTimeout).unref();
}

/** Milliseconds. */
const leftoverTimeout = 2000;

/** Loaded only where there are policies: it costs memory. */
async function servePolicies(policies: PoliciesConfig, config: Config, log: Log): Promise<PolicyService> {
  const { createPolicyService } = await import('./policy/service.ts');
  const opening = createPolicyService({
    sources: policies.sources,
    fallback: policies.default,
    onStart: policies.onStart,
    secretsDirectory: policies.secrets.directory,
    identity: config.identity,
    clusters: ['default', ...Object.keys(config.clusters)],
    readerCommand: [...process.execArgv, process.argv[1] ?? '', readerCommand],
    log,
  });
  return opening.catch((error: unknown) => {
    throw new CanNotGoOn(exitCodes.file, error instanceof Error ? error.message : String(error));
  });
}

function policySources(service: PolicyService): PolicySources {
  return {
    state: () => ({ ...service.status(), ...service.counts }),
    hits: service.decisions,
    use: service.use,
    credentialRefusals: service.credentialRefusals,
  };
}

/** The listeners, with no more connections than the limit of descriptors allows. */
function fitted(
  listeners: readonly ListenConfig[],
  { kind }: Transport,
  limit: number | undefined,
  log: Log,
): readonly (ListenConfig & { readonly waiting: number })[] {
  const asked = listeners.map(({ maxConnections, backlog }) => ({
    maxConnections,
    // The engine leaves those in the kernel's backlog.
    waiting: kind === 'streams' ? backlog : 0,
  }));
  const fit = fitListeners(asked, limit ?? Number.POSITIVE_INFINITY);
  if (fit.kind === 'short') {
    const maxConnections = fit.rooms.map((room) => room.maxConnections);
    log.warn(
      { limit, needed: fit.needed, maxConnections },
      'maxConnections is more than the limit of open files allows: new clients wait at fewer',
    );
  }
  return listeners.map((listen, index) => ({ ...listen, ...(fit.rooms[index] ?? { waiting: 0 }) }));
}

function chooseTransport(
  wanted: Config['transport'],
  streams: Transport,
  resources: TransportOptions,
  log: Log,
): Transport {
  if (wanted === 'streams') return streams;
  const engine = createEngineTransport(resources);
  if (engine) return engine;
  if (wanted === 'engine') {
    const why = 'transport: engine was asked for, but the native engine is not built: run `make engine`';
    throw new CanNotGoOn(exitCodes.machine, why);
  }
  log.warn('the native engine is not built: bodies are copied through node:net, at several times the cost');
  return streams;
}

process.exitCode = await execute(process.argv.slice(2), {
  run,
  stop: signals?.stop ?? new AbortController().signal,
});
