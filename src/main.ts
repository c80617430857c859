/** Wiring: the only place that builds the parts and puts them together. */
import { createAdmin } from './admin/server.ts';
import { execute, readerCommand } from './cli/execute.ts';
import { version } from './cli/version.ts';
import type { ClusterConfig, Config, PoliciesConfig } from './config/config.ts';
import type { Observer } from './exchange.ts';
import { Front } from './listen/front.ts';
import type { Transport } from './net/contract.ts';
import { createEngineTransport } from './net/engine.ts';
import { createStreamsTransport } from './net/streams.ts';
import { createAccessLog } from './observe/access-log.ts';
import { createLog, type Log } from './observe/log.ts';
import { createMetrics } from './observe/metrics.ts';
import type { PolicySources } from './observe/policy-metrics.ts';
import type { PolicyService } from './policy/service.ts';
import type { ProxyOptions } from './proxy/options.ts';
import { createProxy } from './proxy/proxy.ts';
import { Cluster } from './upstream/cluster.ts';
import { logEvents } from './upstream/operator-log.ts';
import { oneAtATime, systemResolver } from './upstream/resolver.ts';

/** Runs until it has been told to stop and has drained. Rejects when it can't start. 3: exchanges were cut. */
async function run(config: Config): Promise<0 | 3> {
  const log = createLog(config.log.level);
  const streams = createStreamsTransport();
  const plain = chooseTransport(config.transport, streams, log);
  const transports = plain === streams ? [streams] : [plain, streams];

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
  const policies = config.policies && (await servePolicies(config.policies, config, log));
  const accessLog = config.accessLog.enabled
    ? createAccessLog(config.accessLog.destination, (why) =>
        log.error({ why }, 'the access log can not be written'),
      )
    : undefined;
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
    trust: config.forwarded.trust,
    draining: () => front.draining,
    preflight: config.preflight,
    timeouts: config.timeouts,
    limits: config.limits,
  };
  const proxy = createProxy(options);
  const front = new Front(plain, proxy.serve);

  const signal = firstSignal(() => front.hurry());
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
  });
  observers.push(metrics);

  const admin = await createAdmin({
    ...config.admin,
    metrics: () => metrics.text(),
    readiness: () => ({
      ready,
      reason: reason(),
      ...(policies && { policies: policies.status() }),
    }),
    policies: policies && (() => policies.report()),
  });
  // A proxy that can't judge yet must not take clients whom another could serve.
  if (policies !== undefined) await Promise.race([policies.ready, signal]);
  for (const listen of config.listen) {
    const listener = await front.listen({ ...listen, ...listen.socket });
    log.info({ host: listener.host, port: listener.port, transport: plain.kind }, 'listening');
  }
  ready = true;

  process.on('SIGHUP', () => accessLog?.reopen());
  const told = await signal;
  ready = false;
  log.info({ signal: told, connections: front.connections }, 'draining');
  // An operator at a terminal does not wait for a load balancer.
  const cut = await front.drain(told === 'SIGINT' ? 0 : config.timeouts.accept, config.timeouts.drain);
  if (cut > 0) log.warn({ exchanges: cut }, 'cut at the end of the drain');
  for (const one of all) one.close();
  policies?.close();
  await accessLog?.close();
  await admin.close();
  for (const transport of transports) transport.close();
  log.info('stopped');
  return cut > 0 ? 3 : 0;
}

/** Loaded only where there are policies: it costs memory. */
async function servePolicies(policies: PoliciesConfig, config: Config, log: Log): Promise<PolicyService> {
  const { createPolicyService } = await import('./policy/service.ts');
  return createPolicyService({
    sources: policies.sources,
    fallback: policies.default,
    onStart: policies.onStart,
    secretsDirectory: policies.secrets.directory,
    identity: config.identity,
    clusters: ['default', ...Object.keys(config.clusters)],
    readerCommand: [...process.execArgv, process.argv[1] ?? '', readerCommand],
    log,
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

function chooseTransport(wanted: Config['transport'], streams: Transport, log: Log): Transport {
  if (wanted === 'streams') return streams;
  const engine = createEngineTransport();
  if (engine) return engine;
  if (wanted === 'engine') {
    throw new Error('transport: engine was asked for, but the native engine is not built: run `make engine`');
  }
  log.warn('the native engine is not built: bodies are copied through node:net, at several times the cost');
  return streams;
}

/**
 * The first of SIGTERM and SIGINT starts the drain; at a second one of either it waits no longer, cuts what has not
 * ended, and writes the records; a third ends the process at once.
 */
function firstSignal(onSecond: () => void): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let seen = 0;
    const onSignal = (signal: NodeJS.Signals): void => {
      seen += 1;
      if (seen === 1) resolve(signal);
      else if (seen === 2) onSecond();
      else process.exit(130);
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

process.exitCode = await execute(process.argv.slice(2), { run });
