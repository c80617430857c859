/**
 * prom-client's parts, taken one by one: its index also loads a push gateway, and with it node:http, node:https
 * and zlib, 15 MB of resident memory for nothing.
 */
declare module 'prom-client/lib/counter.js' {
  export { Counter as default } from 'prom-client';
}
declare module 'prom-client/lib/gauge.js' {
  export { Gauge as default } from 'prom-client';
}
declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}
