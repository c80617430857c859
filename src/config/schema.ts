/**
 * The one schema of `sluice.yaml`. Flags of the command line are laid over the same document, the JSON Schema
 * for editors (docs/sluice.schema.json) and the reference (docs/configuration.md) are printed from it.
 */
import { z } from 'zod';
import { readAddress, readNetwork, readNode } from './address.ts';
import { defaults } from './defaults.ts';
import { toJsonSchema } from './json-schema.ts';
import { identity, policies } from './policies-schema.ts';
import { count, day, duration, hour, read, seconds, size } from './quantities.ts';

const socket = z.strictObject({
  keepAlive: z
    .strictObject({
      idle: seconds({ min: 1000, max: 32_767_000 })
        .prefault(defaults.keepAlive.idle)
        .describe('TCP keep-alive: silence before the first probe'),
      interval: seconds({ min: 1000, max: 32_767_000 })
        .prefault(defaults.keepAlive.interval)
        .describe('TCP keep-alive: time between two probes'),
      count: count({ min: 1, max: 127 })
        .prefault(defaults.keepAlive.count)
        .describe('TCP keep-alive: unanswered probes that end the connection'),
    })
    .prefault({}),
  userTimeout: z
    .union([z.literal('auto'), duration({ min: 1000, max: day })])
    .prefault('auto')
    .describe(
      'TCP_USER_TIMEOUT: how long sent bytes may go unacknowledged, or unsent because the peer has no room; more than timeouts.stall; auto is idle + interval * count, or stall + 10s where that is longer',
    ),
  congestionControl: z
    .string()
    .regex(/^[a-z\d_-]{1,15}$/)
    .optional()
    .meta({ description: "TCP_CONGESTION of this leg; absent leaves the system's", examples: ['cubic'] }),
  allowOver350s: z
    .boolean()
    .prefault(false)
    .describe('Accept times of 350 s and more, which an AWS NLB in the way does not survive'),
});

const listener = z.strictObject({
  address: read(readAddress).meta({
    description: 'Where to accept clients: an address and a port, 0 for any free one',
    examples: ['0.0.0.0:9200', '[::]:9200'],
  }),
  ipv6Only: z.boolean().prefault(false).describe('Refuse IPv4 clients on an IPv6 address'),
  backlog: count({ min: 1, max: 65_535 })
    .prefault(defaults.backlog)
    .describe('Connections the kernel holds until they are accepted; it caps them at net.core.somaxconn'),
  reusePort: z.boolean().prefault(false).describe('SO_REUSEPORT: several processes share the address'),
  maxConnections: count({ min: 1, max: 10_000_000 })
    .prefault(defaults.maxConnections)
    .describe('Above it new clients wait in the backlog; a low limit of open files allows fewer'),
  socket: socket.prefault({}),
});

const upstream = z.strictObject({
  nodes: z
    .array(read(readNode).meta({ examples: ['http://10.0.0.1:9200', 'https://search.internal'] }))
    .min(1)
    .meta({
      description:
        'The nodes of the cluster, http:// or https://, port 9200 unless given; a name is a node for each of its addresses',
    }),
  host: z
    .enum(['client', 'node'])
    .prefault('client')
    .describe(
      "Host that nodes are sent: client passes the client's on, node sends that of the node's URL, for an ingress or a hosted cluster",
    ),
  dns: z
    .strictObject({
      refresh: duration({ min: 100, max: day })
        .prefault(defaults.dns.refresh)
        .describe('Names are looked up again after it; the last good answer stays in use while lookups fail'),
    })
    .prefault({}),
  tls: z
    .strictObject({
      caFile: z
        .string()
        .min(1)
        .optional()
        .meta({
          description: "PEM file of the authorities to trust instead of the system's; relative to this file",
          examples: ['/etc/sluice/ca.pem'],
        }),
      serverName: z
        .string()
        .min(1)
        .optional()
        .meta({
          description: 'Name to verify and to send as SNI; absent is the host of the node',
          examples: ['search.internal'],
        }),
      verify: z.boolean().prefault(true).describe("Verify the node's certificate"),
    })
    .prefault({}),
  socket: socket.prefault({}),
  pool: z
    .strictObject({
      maxIdlePerNode: count({ min: 0, max: 65_535 })
        .prefault(defaults.pool.maxIdlePerNode)
        .describe('Idle connections kept for each node'),
      idleTimeout: duration({ min: 1, max: day })
        .prefault(defaults.pool.idleTimeout)
        .describe("Idle connections are closed after it; keep it under the server's own"),
      maxAge: z
        .union([z.literal('none'), duration({ min: 1, max: day })])
        .prefault(defaults.pool.maxAge)
        .transform((age) => (age === 'none' ? Number.POSITIVE_INFINITY : age))
        .describe('A connection as old as this, give or take a tenth, serves no further request; or none'),
    })
    .prefault({}),
  ejection: z
    .strictObject({
      baseTime: duration({ min: 1, max: day })
        .prefault(defaults.ejection.baseTime)
        .describe('How long a node that could not be reached is left alone; doubles each time'),
      maxTime: duration({ min: 1, max: day }).prefault(defaults.ejection.maxTime).describe('The longest'),
      failures: count({ min: 1, max: 1_000_000 })
        .prefault(defaults.ejection.failures)
        .describe(
          'So many requests in a row that a node answers 502, 503 or 504, or not at all, eject it as well',
        ),
      maxPercent: count({ min: 0, max: 100 })
        .prefault(defaults.ejection.maxPercent)
        .describe('Failed requests eject no more than this share of the nodes; 0 for none'),
    })
    .prefault({}),
});

const clusters = z.record(z.string().regex(/^[a-z\d](?:[a-z\d-]{0,61}[a-z\d])?$/), upstream);

const preflight = z.strictObject({
  threshold: z
    .union([z.literal('off'), size({ min: 0, max: Number.MAX_SAFE_INTEGER })])
    .prefault(defaults.preflight.threshold)
    .transform((threshold) => (threshold === 'off' ? Number.POSITIVE_INFINITY : threshold))
    .describe('Bodies above it are sent only once the server has answered Expect: 100-continue; or off'),
  timeout: duration({ min: 1, max: hour })
    .prefault(defaults.preflight.timeout)
    .describe('A server that has not answered by then gets the body anyway'),
});

const timeouts = z.strictObject({
  head: duration({ min: 1, max: hour })
    .prefault(defaults.timeouts.head)
    .describe('A request head must be whole so long after its first byte'),
  idle: duration({ min: 1, max: day })
    .prefault(defaults.timeouts.idle)
    .describe('A client connection without a request is closed after it; told in Keep-Alive'),
  connect: duration({ min: 1, max: hour })
    .prefault(defaults.timeouts.connect)
    .describe('A node must accept, TLS included'),
  stall: duration({ min: 1, max: day })
    .prefault(defaults.timeouts.stall)
    .describe('A body of which no byte moves for so long is given up; there is no total timeout'),
  responseHead: z
    .union([z.literal('none'), duration({ min: 1, max: day })])
    .prefault(defaults.timeouts.responseHead)
    .transform((time) => (time === 'none' ? 0 : time))
    .describe('The answer must begin so long after the whole request was sent; or none'),
  accept: duration({ min: 0, max: hour })
    .prefault(defaults.timeouts.accept)
    .describe(
      'After SIGTERM, new connections are still taken and idle ones kept for so long, while a balancer takes notice; part of drain',
    ),
  drain: duration({ min: 1, max: day })
    .prefault(defaults.timeouts.drain)
    .describe('After SIGTERM, streams have so long to end'),
  linger: duration({ min: 1, max: hour })
    .prefault(defaults.timeouts.linger)
    .describe(
      'After a last answer, what still comes of the request is thrown away for so long, and an answer may take so long to arrive',
    ),
});

const limits = z.strictObject({
  headBytes: size({ min: 1024, max: 2 ** 20 })
    .prefault(defaults.limits.headBytes)
    .describe(
      'Longest request head; 431 above it. A client can make each of its connections hold twice that',
    ),
  headFields: count({ min: 16, max: 10_000 })
    .prefault(defaults.limits.headFields)
    .describe('Most fields of a request head; 431 above it'),
  targetBytes: size({ min: 64, max: 2 ** 20 })
    .prefault(defaults.limits.targetBytes)
    .describe('Longest request target; 414 above it. Less than headBytes, of which it is a part'),
  responseHeadBytes: size({ min: 1024, max: 2 ** 20 })
    .prefault(defaults.limits.responseHeadBytes)
    .describe(
      'Longest response head; 502 above it, when the server has acted on the request. Each connection can hold twice that',
    ),
  responseHeadFields: count({ min: 16, max: 10_000 })
    .prefault(defaults.limits.responseHeadFields)
    .describe('Most fields of a response head, Warning lines of deprecations among them; 502 above it'),
  trailerBytes: size({ min: 256, max: 2 ** 16 })
    .prefault(defaults.limits.trailerBytes)
    .describe('Longest trailers of a chunked body: 431 above it, and an answer is cut'),
  lingerBytes: size({ min: 0, max: Number.MAX_SAFE_INTEGER })
    .prefault(defaults.limits.lingerBytes)
    .describe('After an early answer, at most so much of the request is read and thrown away'),
  attempts: count({ min: 1, max: 100 })
    .prefault(defaults.limits.attempts)
    .describe('Nodes tried for one request while no byte of its body has left'),
});

export const schema = z.strictObject({
  listen: z
    .union([listener.transform((one) => [one]), z.array(listener).min(1)])
    .prefault([...defaults.listen])
    .describe('One listener or several'),
  admin: z
    .strictObject({
      address: read(readAddress)
        .prefault(defaults.admin)
        .meta({
          description: 'Where /livez, /readyz and /metrics are served; keep it off the public network',
          examples: ['127.0.0.1:9600'],
        }),
    })
    .prefault({}),
  upstream: upstream.meta({
    description: 'The cluster behind the proxy',
    examples: [{ nodes: ['http://10.0.0.1:9200'] }],
  }),
  clusters: clusters.prefault({}).meta({
    description: 'More clusters, by name, that policies route to; each with the settings of upstream',
  }),
  policies: policies.optional().describe('Absent: every request goes to upstream, unjudged'),
  identity: identity.prefault({}),
  preflight: preflight.prefault({}),
  timeouts: timeouts.prefault({}),
  limits: limits.prefault({}),
  forwarded: z
    .strictObject({
      trust: z
        .union([
          z.enum(['none', 'all']),
          z.array(read(readNetwork).meta({ examples: ['10.1.0.0/16'] })).min(1),
        ])
        .prefault('none')
        .describe(
          'Whose X-Forwarded-* and X-Proxy-User, -Roles, -Ext-* are believed: those of peers in these networks, of all or none; others are dropped',
        ),
    })
    .prefault({}),
  accessLog: z
    .strictObject({
      enabled: z.boolean().prefault(true).describe('One JSON line per exchange'),
      destination: z
        .string()
        .min(1)
        .prefault('stdout')
        .describe('stdout, stderr or a file, relative to this file'),
    })
    .prefault({}),
  log: z
    .strictObject({
      level: z
        .enum(['debug', 'info', 'warn', 'error'])
        .prefault('info')
        .describe("The operator's log, JSON lines on stderr"),
    })
    .prefault({}),
  transport: z
    .enum(['auto', 'engine', 'streams'])
    .prefault('auto')
    .describe('auto takes the native engine where it was built, and node:net elsewhere and for TLS'),
});

/** The document, checked and with its defaults; load.ts makes a `Config` of it. */
export type Settings = z.output<typeof schema>;

export function jsonSchema(): Record<string, unknown> {
  return {
    ...toJsonSchema(schema),
    title: 'sluice.yaml',
    description: 'Configuration of Sluice, a non-buffering HTTP/1.1 proxy for Elasticsearch and OpenSearch',
  };
}
