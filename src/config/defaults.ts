/** Every default, as it would be written in `sluice.yaml`, and the reason where one was chosen against another. */

/** An AWS Network Load Balancer forgets a TCP flow idle for 350 s, and resets what comes after. */
export const balancerIdle = 350_000;

export const defaults = {
  listen: [{ address: '0.0.0.0:9200' }],
  admin: '127.0.0.1:9600',
  backlog: 4096,
  maxConnections: 20_000,
  keepAlive: { idle: '60s', interval: '20s', count: 3 },
  // Behind an address that stands for many pods (a service, a balancer), new pods get their share within minutes; a
  // handshake every ten minutes and connection costs nothing.
  pool: { maxIdlePerNode: 128, idleTimeout: '60s', maxAge: '10m' },
  // Half: one client's requests, each of which fails on any node, must not take a cluster away from the others.
  ejection: { baseTime: '1s', maxTime: '30s', failures: 5, maxPercent: 50 },
  dns: { refresh: '10s' },
  policies: { interval: '10s' },
  preflight: { threshold: '1MiB', timeout: '1s' },
  timeouts: {
    head: '10s',
    // Below the balancer's 350 s, so that the side that closes is the one that tells the client.
    idle: '300s',
    connect: '3s',
    stall: '60s',
    // A search or a reindex may rightly take for ever to begin its answer.
    responseHead: 'none',
    // As long as a balancer with a check every 5 s and a threshold of 2 takes to send no more; Kubernetes is faster.
    accept: '15s',
    drain: '300s',
    linger: '30s',
  },
  limits: {
    // Elasticsearch's own: http.max_header_size and http.max_initial_line_length.
    headBytes: '16KiB',
    targetBytes: 4096,
    // Elasticsearch has no such limit. Its clients send 10 fields; HAProxy and Envoy take 100.
    headFields: 100,
    // Elasticsearch and OpenSearch write a Warning line of 100 to 300 bytes for each deprecation, often one per field of
    // a mapping, which has 1,000 by default; http.max_warning_header_count and _size are unlimited. By then they have
    // acted: a bulk answered 502 for it would be sent again. Clients have limits of their own (Node 16 KiB, Python 100
    // fields, Go 10 MiB, Java's none): which is the narrowest is not for a proxy to decide.
    responseHeadBytes: '512KiB',
    responseHeadFields: 2000,
    trailerBytes: '8KiB',
    lingerBytes: '256MiB',
    attempts: 3,
  },
} as const;
