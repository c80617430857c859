/**
 * Requests that go for an index which the request's owner may not reach, for the judge alone and before real servers.
 * There, `team-b-secret` holds a document, and the client is of a team `a` that may reach `a-*`.
 */

export interface Attack {
  readonly method: string;
  /** As it is sent. */
  readonly path: string;
  readonly body?: string;
}

/** The index that must be neither read nor written. */
export const target = 'team-b-secret';

const write = `{"index":{"_index":"${target}","_id":"planted"}}\n{"text":"planted"}\n`;
const document = '{"text":"planted"}';
const search = '{"query":{"match_all":{}}}';

/** Against a policy that allows `a-*`. */
export const claimAttacks: readonly Attack[] = [
  { method: 'POST', path: '/a-1/_bulk', body: write },
  { method: 'POST', path: '/_bulk', body: write },
  { method: 'GET', path: '/_search' },
  { method: 'GET', path: '/_all/_search' },
  { method: 'GET', path: '/*/_search' },
  { method: 'GET', path: '/*secret/_search' },
  { method: 'GET', path: '/team-b-s*t/_search' },
  { method: 'GET', path: `/a-1,${target}/_search` },
  { method: 'GET', path: '/*,-a-*/_search' },
  { method: 'GET', path: '/-a-*/_search' },
  { method: 'GET', path: '/%3Cteam-b-secret%3E/_search' },
  { method: 'GET', path: "/%3Cteam-b-%7Bnow%7B'secret'%7D%7D%3E/_search" },
  { method: 'GET', path: "/%3C%7Bnow%7B'team-b-secret'%7D%7D%3E/_search" },
  { method: 'GET', path: `/_search?index=${target}` },
  { method: 'GET', path: `/a-1/_search?index=${target}` },
  { method: 'GET', path: `/_search?q=x&index=${target}` },
  { method: 'GET', path: `/${target}/_doc/1` },
  { method: 'PUT', path: `/${target}/_doc/planted`, body: document },
  { method: 'PUT', path: `/a-1/_doc/1?index=${target}`, body: document },
  { method: 'POST', path: '/a-1/_msearch', body: `{"index":"${target}"}\n${search}\n` },
  { method: 'POST', path: '/_mget', body: `{"docs":[{"_index":"${target}","_id":"1"}]}` },
  { method: 'POST', path: '/a-1/_mget', body: `{"docs":[{"_index":"${target}","_id":"1"}]}` },
];

/** Against a policy that denies what touches `*secret*`, before one that allows everything. */
export const denyAttacks: readonly Attack[] = [
  ...claimAttacks.filter(({ path }) => !path.startsWith('/a-1/_doc')),
  { method: 'GET', path: '/team*/_search' },
  { method: 'GET', path: '/team-b-%2A/_search' },
  { method: 'GET', path: '/*-b-*/_search' },
];
