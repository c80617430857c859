import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { errors } from '../errors.ts';
import type { RelayEndKind } from '../net/contract.ts';
import { requestBodyFailure, responseBodyFailure } from './body.ts';

/** What each end means for a request's body and for a response's; `none` where it is no failure by itself. */
const meanings: Record<RelayEndKind, readonly [string, string]> = {
  complete: ['none', 'none'],
  'source-end': ['client-gone', 'upstream-truncated'],
  'source-reset': ['client-gone', 'upstream-truncated'],
  'source-lost': ['client-lost', 'upstream-truncated'],
  'source-malformed': ['chunk-malformed', 'upstream-body-malformed'],
  'source-trailers-too-long': ['trailers-too-long', 'upstream-trailers-too-long'],
  'source-stalled': ['body-stalled', 'upstream-stalled'],
  'sink-reset': ['none', 'client-gone'],
  'sink-lost': ['none', 'client-lost'],
  'sink-stalled': ['upstream-not-reading', 'client-stalled'],
  stopped: ['none', 'shutting-down'],
};

describe('how a body ended', () => {
  for (const [end, [ofRequest, ofResponse]] of Object.entries(meanings)) {
    it(`${end} is ${ofRequest} for a request and ${ofResponse} for a response`, () => {
      assert.equal(requestBodyFailure(end as RelayEndKind)?.code ?? 'none', ofRequest);
      assert.equal(responseBodyFailure(end as RelayEndKind)?.code ?? 'none', ofResponse);
    });
  }

  it('blames the side whose doing it was', () => {
    for (const end of Object.keys(meanings) as RelayEndKind[]) {
      const [request, response] = [requestBodyFailure(end), responseBodyFailure(end)];
      // A request's body comes from the client, a response's goes there; nobody stops one but the proxy.
      if (end === 'stopped') assert.equal(response && errors[response.code].side, 'proxy');
      else if (response)
        assert.equal(errors[response.code].side, end.startsWith('source') ? 'upstream' : 'client');
      if (request) assert.equal(errors[request.code].side, end.startsWith('source') ? 'client' : 'upstream');
    }
  });

  it('is never worth another try: a byte may have been lost', () => {
    for (const end of Object.keys(meanings) as RelayEndKind[]) {
      for (const fault of [requestBodyFailure(end), responseBodyFailure(end)]) {
        if (fault) assert.equal(errors[fault.code].retryable, false, fault.code);
      }
    }
  });
});
