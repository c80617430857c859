/** Clients that end their side after their request: through the proxy the server decides as it does without one. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, askJson } from '../http.ts';
import type { Stage } from '../stage.ts';
import { Wire } from '../wire.ts';

const times = 40;

interface Tasks {
  readonly nodes: Readonly<Record<string, { readonly tasks: Readonly<Record<string, unknown>> }>>;
}

async function searches(stage: Stage): Promise<number> {
  const running = (await askJson(stage.direct, 'GET', '/_tasks?actions=indices:data/read/search*')) as Tasks;
  return Object.values(running.nodes).reduce((sum, { tasks }) => sum + Object.keys(tasks).length, 0);
}

async function until(what: string, condition: () => Promise<boolean>): Promise<void> {
  const late = Date.now() + 60_000;
  while (!(await condition())) {
    if (Date.now() > late) throw new Error(`it did not come to ${what}`);
    await sleep(50);
  }
}

/** Many different words in one field, and a search that has to look at all of them some hundred times: minutes. */
async function withWords(
  stage: Stage,
  body: (index: string, search: string) => Promise<void>,
): Promise<void> {
  const index = 'words';
  await askJson(stage.direct, 'PUT', `/${index}`, {
    settings: { number_of_shards: 1, number_of_replicas: 0, refresh_interval: '-1' },
    mappings: { properties: { word: { type: 'keyword' } } },
  });
  try {
    for (let batch = 0; batch < 5; batch++) {
      const lines = Array.from({ length: 20_000 }, () => {
        return `{"index":{}}\n{"word":"${randomBytes(24).toString('hex')}"}\n`;
      });
      const { status } = await ask(stage.direct, {
        method: 'POST',
        path: `/${index}/_bulk`,
        body: lines.join(''),
      });
      assert.equal(status, 200);
    }
    await askJson(stage.direct, 'POST', `/${index}/_refresh`);
    const should = Array.from({ length: 600 }, (_, nth) => {
      return { wildcard: { word: { value: `*${nth}*a*b*c*d*e*f*` } } };
    });
    await body(index, JSON.stringify({ query: { bool: { should } } }));
  } finally {
    await askJson(stage.direct, 'DELETE', `/${index}`);
  }
}

export function halfCloseCases(stage: Stage): void {
  test('a quick answer reaches a client that has ended its side, as often as without the proxy', async () => {
    const answers = { direct: 0, proxy: 0 };
    for (let nth = 0; nth < times; nth++) {
      for (const [way, base] of [
        ['direct', stage.direct],
        ['proxy', stage.sluice.url],
      ] as const) {
        const wire = await Wire.open(base);
        wire.sendAndEnd('GET /_search?size=0 HTTP/1.1\r\nHost: search.test\r\n\r\n');
        const answer = await wire.answer();
        if (answer?.status === 200 && JSON.parse(answer.body).hits) answers[way] += 1;
        wire.close();
      }
    }
    assert.deepEqual(answers, { direct: times, proxy: times });
    const logged = (await stage.sluice.exchanges('/_search', times)).filter(({ end }) => end === 'complete');
    assert.ok(logged.length >= times);
  });

  test('a long search is cancelled when its client ends its side, as without the proxy', async () => {
    await withWords(stage, async (index, search) => {
      const path = `/${index}/_search`;
      for (const base of [stage.direct, stage.sluice.url]) {
        const wire = await Wire.open(base);
        const fields = `Host: search.test\r\nContent-Type: application/json\r\nContent-Length: ${search.length}`;
        await wire.send(`POST ${path} HTTP/1.1\r\n${fields}\r\n\r\n${search}`);
        await until('a search under way', async () => (await searches(stage)) > 0);
        await sleep(500);
        assert.ok((await searches(stage)) > 0, 'the search is too short for this test');
        wire.sendAndEnd('');
        assert.equal(await wire.answer(60_000), undefined);
        await until('no search under way', async () => (await searches(stage)) === 0);
        wire.close();
      }
      const [exchange] = await stage.sluice.exchanges(path, 1);
      assert.deepEqual([exchange?.status, exchange?.end], [499, 'client-gone']);
    });
  });
}
