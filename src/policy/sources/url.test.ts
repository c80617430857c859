import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import { type AddressInfo, createServer as createRawServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Certificate, makeCertificates } from '../../../test/support/certificates.ts';
import { patience } from '../../../test/support/deadline.ts';
import { Listener, textsOf } from '../../../test/support/snapshots.ts';
import { bounds } from './polling.ts';
import { type UrlOptions, UrlSource } from './url.ts';

const deadline = { timeout: patience };
const interval = 20;

async function bound(t: TestContext, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    if ('closeAllConnections' in server) (server as ReturnType<typeof createServer>).closeAllConnections();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

/** A server that answers as `answer` does, and a source that asks it. */
async function served(t: TestContext, answer: RequestListener, options: Partial<UrlOptions> = {}) {
  const requests: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response);
  });
  const url = `http://127.0.0.1:${await bound(t, server)}/policies.yaml`;
  return { url, requests, listener: listen(t, { url: `${url}?key=secret`, interval, ...options }) };
}

function listen(t: TestContext, options: UrlOptions): Listener {
  const source = new UrlSource(options);
  t.after(() => source.close());
  return new Listener(source);
}

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'sluice-url-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

test('what is unchanged is asked for with its validators, and told once', deadline, async (t) => {
  let text = 'one';
  const modified = 'Wed, 21 Oct 2015 07:28:00 GMT';
  const { url, requests, listener } = await served(t, (request, response) => {
    const same = request.headers['if-none-match'] === `"${text}"`;
    response
      .writeHead(same ? 304 : 200, { ETag: `"${text}"`, 'Last-Modified': modified })
      .end(same ? '' : text);
  });
  assert.deepEqual(textsOf(await listener.read()), { [url]: 'one' });
  while (requests.length < 4) await sleep(5);
  assert.equal(listener.heard.length, 1);
  assert.equal(requests[0]?.headers['if-none-match'], undefined);
  assert.equal(requests[0]?.headers['accept-encoding'], 'identity');
  assert.equal(requests[1]?.headers['if-none-match'], '"one"');
  assert.equal(requests[1]?.headers['if-modified-since'], modified);
  text = 'two';
  assert.deepEqual(textsOf(await listener.read(1)), { [url]: 'two' });
});

test(
  'a failure is told once for each reason, and what comes back is asked for whole',
  deadline,
  async (t) => {
    let status = 200;
    const { url, requests, listener } = await served(t, (request, response) => {
      const same = status === 200 && request.headers['if-none-match'] !== undefined;
      response.writeHead(same ? 304 : status, { ETag: '"one"' }).end(same ? '' : 'one');
    });
    await listener.read();
    const fail = async (as: number) => {
      status = as;
      const heard = listener.heard.length;
      const why = await listener.why(heard);
      const before = requests.length;
      while (requests.length < before + 2) await sleep(5);
      assert.equal(listener.heard.length, heard + 1);
      return why;
    };
    assert.match(await fail(500), /answers 500; check the URL/);
    assert.match(await fail(403), /answers 403; check the token/);
    status = 200;
    assert.deepEqual(textsOf(await listener.read(listener.heard.length)), { [url]: 'one' });
  },
);

test('answers that can not be trusted are refused, each with its reason', deadline, async (t) => {
  const refused: readonly [string, (response: ServerResponse) => void, RegExp][] = [
    [
      'a redirect',
      (r) => r.writeHead(302, { Location: '/other?token=secret' }).end(),
      /redirects to http:\/\/127[^?]*\/other; name the final URL/,
    ],
    ['304 unasked', (r) => r.writeHead(304).end(), /answers 304/],
    ['a part', (r) => r.writeHead(206, { 'Content-Range': 'bytes 0-1/4' }).end('on'), /answers 206/],
    ['gzip unasked', (r) => r.writeHead(200, { 'Content-Encoding': 'gzip' }).end('x'), /compressed/],
    ['no UTF-8', (r) => r.writeHead(200).end(Buffer.from([0xff])), /is not UTF-8/],
    [
      'too much, declared',
      (r) => r.writeHead(200, { 'Content-Length': bounds.totalBytes + 1 }).write('x'),
      /larger than 16 MiB/,
    ],
    [
      'too much, counted',
      (r) => r.writeHead(200).end(Buffer.alloc(bounds.totalBytes + 1)),
      /larger than 16 MiB/,
    ],
    [
      'short of its length',
      (r) => {
        r.writeHead(200, { 'Content-Length': 10 }).write('half');
        setTimeout(() => r.destroy(), 10);
      },
      /aborted; look why the server ends/,
    ],
    [
      'chunks without an end',
      (r) => {
        r.writeHead(200).write('half');
        setTimeout(() => r.destroy(), 10);
      },
      /aborted; look why the server ends/,
    ],
    [
      'never complete',
      (r) => r.writeHead(200, { 'Content-Length': 10 }).write('half'),
      /not answered completely within 300 ms/,
    ],
    ['never begun', () => {}, /not answered completely within 300 ms/],
  ];
  for (const [what, answer, why] of refused) {
    await t.test(what, deadline, async (one) => {
      // Short only where it is what ends the wait: the others may take as long as a busy machine needs.
      const timeout = what.startsWith('never') ? 300 : patience;
      const { listener } = await served(one, (_request, response) => answer(response), { timeout });
      const said = await listener.why();
      assert.match(said, why);
      assert.doesNotMatch(said, /secret/);
      assert.ok(listener.heard.every(({ kind }) => kind === 'unreachable'));
    });
  }
});

test(
  'an answer that ends with its connection could have been cut short, and is refused',
  deadline,
  async (t) => {
    const server = createRawServer((socket) => {
      socket.on('error', () => {});
      socket.end('HTTP/1.1 200 OK\r\n\r\nhalf a policy');
    });
    const url = `http://127.0.0.1:${await bound(t, server)}/`;
    assert.match(await listen(t, { url, interval }).why(), /does not say how long its answer is/);
  },
);

test('a source that fails is asked less and less', deadline, async (t) => {
  const { requests } = await served(t, (_request, response) => response.writeHead(500).end(), {
    interval: 10,
  });
  await sleep(1000);
  assert.ok(requests.length >= 3 && requests.length <= 9, `${requests.length} requests`);
});

test('the token is read anew for each request, and never told', deadline, async (t) => {
  const tokenFile = join(folder(t), 'token');
  writeFileSync(tokenFile, 'first-token\n');
  let wanted = 'first-token';
  const answer = (request: IncomingMessage, response: ServerResponse) =>
    void response.writeHead(request.headers.authorization === `Bearer ${wanted}` ? 200 : 401).end('one');
  const { listener } = await served(t, answer, { tokenFile });
  await listener.read();
  wanted = 'second-token';
  assert.match(await listener.why(1), /answers 401; check the token/);
  writeFileSync(tokenFile, 'second-token');
  await listener.read(2);
  writeFileSync(tokenFile, 'two words');
  const malformed = await listener.why(3);
  assert.match(malformed, /token does not hold a bearer token/);
  rmSync(tokenFile);
  assert.match(await listener.why(4), /ENOENT.*create the file/);
  assert.doesNotMatch(JSON.stringify(listener.heard), /first-token|second-token|two words/);
});

test('only a server with the right certificate is believed', deadline, async (t) => {
  const certificates = makeCertificates();
  if (!certificates) return t.skip('there is no openssl');
  const caFile = join(folder(t), 'ca.pem');
  writeFileSync(caFile, certificates.authority);
  const ask = async (one: TestContext, certificate: Certificate, options: Partial<UrlOptions> = {}) => {
    const server = createSecureServer(certificate, (_request, response) => response.end('one'));
    const url = `https://127.0.0.1:${await bound(one, server)}/`;
    return { url, listener: listen(one, { url, interval, caFile, ...options }) };
  };
  const { authority, ...rest } = certificates;
  const whys: Record<Exclude<keyof typeof rest, 'good'>, RegExp> = {
    expired: /expired; renew/,
    selfSigned: /self-signed.*caFile/,
    misnamed: /altnames.*use the name/,
    strange: /caFile/,
  };
  for (const kind of ['expired', 'selfSigned', 'misnamed', 'strange'] as const) {
    await t.test(kind, deadline, async (one) => {
      const { listener } = await ask(one, rest[kind]);
      assert.match(await listener.why(), whys[kind]);
    });
  }
  await t.test('good, but nobody told of its authority', deadline, async (one) => {
    const server = createSecureServer(rest.good, (_request, response) => response.end('one'));
    const url = `https://127.0.0.1:${await bound(one, server)}/`;
    assert.match(await listen(one, { url, interval }).why(), /caFile/);
  });
  await t.test('good, and its authority is changed', deadline, async (one) => {
    const { url, listener } = await ask(one, rest.good);
    assert.deepEqual(textsOf(await listener.read()), { [url]: 'one' });
    writeFileSync(caFile, rest.strange.cert);
    await listener.why(1);
    writeFileSync(caFile, '');
    await listener.until(
      ({ kind, why = '' }: { kind: string; why?: string }) =>
        kind === 'unreachable' && /no certificate/.test(why),
    );
    const heard = listener.heard.length;
    writeFileSync(caFile, authority);
    await listener.read(heard);
  });
});

test('a URL that anybody on the way could answer for, or that holds a secret, is no source', () => {
  for (const url of [
    'http://example.org/p',
    'http://127.0.0.1.example.org/',
    'ftp://localhost/',
    'p.yaml',
    'file:///p',
  ]) {
    assert.throws(() => new UrlSource({ url }), /write https:\/\//, url);
  }
  assert.throws(
    () => new UrlSource({ url: 'https://me:hidden@example.org/' }),
    (error: Error) => /tokenFile/.test(error.message) && !/hidden/.test(error.message),
  );
  assert.equal(new UrlSource({ url: 'https://example.org/p?key=hidden#x' }).name, 'https://example.org/p');
  for (const host of ['localhost', '127.0.0.2', '[::1]'])
    assert.ok(new UrlSource({ url: `http://${host}/` }));
});

test('no request is left behind by a source that is closed', deadline, async (t) => {
  const { promise: asked, resolve } = Promise.withResolvers<void>();
  const { promise: ended, resolve: end } = Promise.withResolvers<void>();
  const server = createServer((request) => {
    request.socket.on('close', () => end());
    resolve();
  });
  const source = new UrlSource({ url: `http://127.0.0.1:${await bound(t, server)}/` });
  const listener = new Listener(source);
  await asked;
  source.close();
  await ended;
  assert.equal(listener.heard.length, 0);
});
