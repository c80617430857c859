import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { fieldValue } from '../../test/support/generated-heads.ts';
import { parseRequestHead, type RequestHead } from '../http1/request-head.ts';
import {
  droppedFromRequests,
  newRequestId,
  requestAdditions,
  requestId,
  responseAdditions,
} from './additions.ts';
import { viaLine } from './via.ts';

function head(fields: string, version = '1.1'): RequestHead {
  const bytes = Buffer.from(`GET / HTTP/${version}\r\nHost: es:9200\r\n${fields}\r\n`, 'latin1');
  const parsed = parseRequestHead(bytes, 0, bytes.length, { maxTarget: 4096, maxFields: 100 });
  assert.ok(!('code' in parsed), JSON.stringify(parsed));
  return parsed;
}

const said = 'X-Forwarded-For: 1.1.1.1\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outside\r\n';

describe('what is added to a request', () => {
  it('is what Sluice saw, where nobody is trusted', () => {
    for (const fields of ['', said]) {
      assert.equal(
        requestAdditions(head(fields), { address: '10.0.0.9', believed: false }, 'id-1'),
        'X-Forwarded-For: 10.0.0.9\r\nX-Forwarded-Proto: http\r\nX-Forwarded-Host: es:9200\r\n' +
          'X-Request-Id: id-1\r\n',
      );
    }
  });

  it('continues what was said before, where it is trusted', () => {
    assert.equal(
      requestAdditions(
        head(`${said}X-Forwarded-For: 2.2.2.2\r\n`, '1.0'),
        { address: '10.0.0.9', believed: true },
        'id-1',
      ),
      'X-Forwarded-For: 1.1.1.1, 2.2.2.2, 10.0.0.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: outside\r\n' +
        'X-Request-Id: id-1\r\n',
    );
  });

  it('is dropped from what the client sent, so that none of it stands there twice', () => {
    for (const believed of [false, true]) {
      const added =
        viaLine(head(''), 'sluice-1') + requestAdditions(head(''), { address: '10.0.0.9', believed }, 'id');
      for (const line of added.trimEnd().split('\r\n')) {
        const name = line.slice(0, line.indexOf(':')).toLowerCase();
        assert.ok(droppedFromRequests(believed).has(name), `${name} (${believed})`);
      }
    }
  });
});

describe('a request id', () => {
  it("is the client's only if it can stand in a log and in a head; any other is made anew", () => {
    fc.assert(
      fc.property(fieldValue, (value) => {
        const id = requestId(head(`X-Request-Id: ${value}\r\n`));
        assert.match(id, /^[\x21-\x7e]{1,128}$/);
        if (/^[\x21-\x7e]+$/.test(value)) assert.equal(id, value);
      }),
    );
    assert.notEqual(requestId(head(`X-Request-Id: ${'x'.repeat(129)}\r\n`)), 'x'.repeat(129));
  });

  it('is never made twice', () => {
    assert.equal(new Set(Array.from({ length: 1000 }, newRequestId)).size, 1000);
  });
});

describe('what is added to an answer', () => {
  it('tells a kept client to let go before Sluice does, and another that this was the last', () => {
    const kept = 'X-Request-Id: i\r\nConnection: keep-alive\r\nKeep-Alive: timeout=';
    assert.equal(responseAdditions('i', true, 300_000), `${kept}295\r\n`);
    assert.equal(responseAdditions('i', true, 1000), `${kept}1\r\n`);
    assert.equal(responseAdditions('i', false, 300_000), 'X-Request-Id: i\r\nConnection: close\r\n');
  });
});

it('nobody is taken for another user by a field that OpenSearch believes of a proxy', () => {
  for (const key of ['x-proxy-user', 'x_proxy_user', 'x-proxy_roles', 'x-proxy-ext-team', 'x-proxy-ext']) {
    assert.equal(droppedFromRequests(false).has(key), true, key);
    assert.equal(droppedFromRequests(true).has(key), false, key);
  }
  for (const key of ['x-proxy', 'x-proxy-users', 'proxy-user', 'x-opaque-id', 'accept']) {
    assert.equal(droppedFromRequests(false).has(key), false, key);
  }
});
