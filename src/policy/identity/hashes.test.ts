import assert from 'node:assert/strict';
import crypto, { createHash } from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';
import { describe, it, mock } from 'node:test';
import { readHashFile } from './hash-file.ts';
import { type Hash, hashSecret, matches, readHash } from './hashes.ts';

const hashOf = (text: string): Hash => {
  const hash = readHash(text);
  if (typeof hash === 'string') throw new Error(hash);
  return hash;
};
const digestOf = (key: string) => `$sha256$${createHash('sha256').update(key).digest('base64')}`;

/** RFC 7914, section 12: scrypt("pleaseletmein", "SodiumChloride", 16384, 8, 1), of which these are 32 bytes. */
const vector = {
  password: 'pleaseletmein',
  hash: '$scrypt$ln=14,r=8,p=1$U29kaXVtQ2hsb3JpZGU$cCO9yzr9c0hGHAbNgf046/2o+7qQT44+qbVD9lRdofI',
};

describe('a hash', () => {
  it('is that of RFC 7914', async () => {
    const hex = '7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2';
    const hash = hashOf(vector.hash);
    assert.equal(hash.digest.toString('hex'), hex);
    assert.equal(await matches(hash, vector.password), true);
    assert.equal(await matches(hash, 'pleaseletmeIn'), false);
  });

  it('is made with another salt each time, and proves its own secret alone', async () => {
    const [one, two] = [hashSecret('pa:ss wörd'), hashSecret('pa:ss wörd')];
    assert.notEqual(one, two);
    assert.match(one, /^\$scrypt\$ln=15,r=8,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/);
    assert.equal(await matches(hashOf(one), 'pa:ss wörd'), true);
    assert.equal(await matches(hashOf(one), 'pa:ss word'), false);
    assert.throws(() => hashSecret(''), /empty/);
  });

  it('of an API key may be a bare digest', () => {
    assert.equal(matches(hashOf(digestOf('k')), 'k'), true);
    assert.equal(matches(hashOf(digestOf('k').replace('=', '')), 'K'), false);
  });

  it('is compared in constant time, right or wrong, whole digests only', async () => {
    const spy = mock.method(crypto, 'timingSafeEqual');
    syncBuiltinESMExports();
    try {
      await matches(hashOf(vector.hash), vector.password);
      await matches(hashOf(vector.hash), 'wrong');
      await matches(hashOf(digestOf('k')), 'k');
      await matches(hashOf(digestOf('k')), '');
      const calls = spy.mock.calls.map(({ arguments: [a, b], result }) => [
        a.byteLength,
        b.byteLength,
        result,
      ]);
      assert.deepEqual(calls, [
        [32, 32, true],
        [32, 32, false],
        [32, 32, true],
        [32, 32, false],
      ]);
    } finally {
      spy.mock.restore();
      syncBuiltinESMExports();
    }
  });

  it('that is cheap to guess, ruinous to check or malformed is refused, with what belongs there', () => {
    const costs = (ln: number, r: number, p: number) =>
      vector.hash.replace('ln=14,r=8,p=1', `ln=${ln},r=${r},p=${p}`);
    for (const text of [
      costs(13, 8, 1),
      costs(17, 8, 1),
      costs(99, 8, 1),
      costs(15, 99, 1),
      costs(15, 8, 0),
    ]) {
      assert.equal(readHash(text), 'the costs of scrypt must be ln=14 to 16, r=8, p=1 to 4', text);
    }
    for (const text of [`${vector.hash}x`, vector.hash.slice(0, -1), '$scrypt$', `${vector.hash}$`]) {
      assert.match(String(readHash(text)), /^a scrypt hash reads/, text);
    }
    assert.match(String(readHash('$sha256$abc')), /32 bytes/);
    for (const text of ['', 'hunter2', '$2b$12$abc', '$argon2id$v=19$m=1,t=1,p=1$a$b']) {
      assert.match(String(readHash(text)), /^it is no hash: .*sluice hash/, text);
    }
  });
});

describe('a file of hashes', () => {
  it('holds a name and a hash a line, comments and empty lines, with either line ending', () => {
    const text = `# users\r\n\r\nalice:${vector.hash}\r\n  # more\n jörg : ${vector.hash} \n`;
    const read = readHashFile(text.replace('jörg :', 'jörg:'), 'user');
    assert.deepEqual(typeof read === 'string' ? read : [...read.keys()], ['alice', 'jörg']);
    assert.deepEqual(readHashFile('', 'user'), new Map());
  });

  it('names the line and the fix, and quotes nothing that may be a secret', () => {
    const line = (text: string, holder: 'user' | 'api-key' = 'user') => String(readHashFile(text, holder));
    assert.match(line('# x\n\nalice:hunter2'), /^line 3: it is no hash: .*`sluice hash`/);
    assert.match(line('hunter2'), /^line 1: a line reads `name:hash`/);
    assert.match(line(`:${vector.hash}`), /^line 1: a line reads/);
    assert.match(line(`alice :${vector.hash}`), /^line 1: the name holds blanks/);
    assert.match(line(`al\0ice:${vector.hash}`), /^line 1: the name holds/);
    assert.match(line(`al\ufffdice:${vector.hash}`), /^line 1: the name holds/);
    assert.match(line(`a:${vector.hash}\na:${vector.hash}`), /^line 2: this name stands further up/);
    assert.match(line(`alice:${digestOf('k')}`), /^line 1: a password can be guessed/);
    assert.equal(typeof readHashFile(`id:${digestOf('k')}`, 'api-key'), 'object');
    for (const text of ['alice:hunter2', 'hunter2', 'alice:$scrypt$hunter2', 'x:$sha256$hunter2']) {
      assert.doesNotMatch(line(text), /hunter2/);
    }
  });
});
