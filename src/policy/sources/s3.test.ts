import assert from 'node:assert/strict';
import { registerHooks } from 'node:module';
import { test } from 'node:test';
import { patience } from '../../../test/support/deadline.ts';
import { Listener } from '../../../test/support/snapshots.ts';
import { S3Source } from './s3.ts';

/** With a real S3 API: test/s3. */
test('without the SDK the source says what to install', { timeout: patience }, async (t) => {
  const hooks = registerHooks({
    resolve: (specifier, context, next) => {
      // A package that is not there, found missing by Node itself.
      return next(specifier === '@aws-sdk/client-s3' ? '@aws-sdk/not-installed' : specifier, context);
    },
  });
  t.after(() => hooks.deregister());
  const source = new S3Source({ bucket: 'b', objects: { prefix: 'p/' } });
  t.after(() => source.close());
  const why = await new Listener(source).why();
  assert.match(why, /^s3:\/\/b\/p\/: the package @aws-sdk\/client-s3 is not installed; run npm install/);
});
