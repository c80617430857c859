/**
 * Index expressions, read by Sluice and by the server: what the server touches is never outside of what Sluice
 * thought it could touch, and where both claim to say exactly, they say the same.
 */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  compileIndexPatterns,
  covers,
  type IndexExpression,
  type IndexPatterns,
  mayTouch,
  parseIndexExpression,
  resolve,
} from '../../../src/policy/indices.ts';
import { ask, askJson } from '../http.ts';
import type { Stage } from '../stage.ts';

/** Today, for date math. */
const day = new Date().toISOString().slice(0, 10).replaceAll('-', '.');

const plain = ['logs-a', 'logs-b', 'metrics-a', 'a-logs', `logs-${day}`];
const hidden = ['.hidden-a', 'logs-hidden'];
const indices = [...plain, ...hidden];

/** Names for others, and what is behind them. */
const aliases: Readonly<Record<string, string>> = { 'also-a': 'metrics-a', 'Also-B': 'logs-b' };
const stream = 'stream-a';

/** This cluster once more, as a remote one. */
const remote = 'far';

/**
 * `exact`: every server touches what `resolve` says. `at most`: some touch less or refuse, see the reason.
 * `refused`: by Sluice, whatever servers make of it.
 */
type Claim = 'exact' | 'at most' | 'refused';

const expressions: readonly (readonly [Claim, string, string?])[] = [
  ['exact', 'logs-a'],
  ['exact', 'logs-a,metrics-a'],
  ['exact', 'logs-a,logs-a'],
  ['exact', 'logs-*'],
  ['exact', '*'],
  ['exact', '**'],
  ['exact', '_all'],
  ['exact', '*-a'],
  ['exact', '*s-*'],
  ['exact', 'l*-*b'],
  ['exact', 'logs-a*b'],
  ['exact', 'absent*'],
  ['exact', '.*'],
  ['exact', '.h*'],
  ['exact', '*hidden*'],
  ['exact', 'Logs-*'],
  ['at most', 'LOGS-A', 'an index that is not there is an error'],
  ['at most', 'absent', 'an index that is not there is an error'],
  ['at most', 'logs-a,absent', 'an index that is not there is an error'],
  // Exclusions.
  ['exact', 'logs-*,-logs-a'],
  ['exact', 'logs-*,-logs-a,logs-a'],
  ['exact', '*,-logs-*'],
  ['exact', '*,-logs-*,logs-b'],
  ['exact', '*,-*'],
  ['exact', '*,-*,metrics-a'],
  ['at most', '*,-.*', 'what is behind the data stream goes as well'],
  ['exact', 'logs-a*,logs-b,-logs-b'],
  ['exact', 'logs-b,logs-a*,-logs-b'],
  ['exact', '-logs-*'],
  ['exact', '-*'],
  ['exact', '-logs-*,metrics-a'],
  ['exact', 'absent*,logs-a,-logs-a'],
  ['at most', 'logs-a,-logs-a', 'Elasticsearch 9 takes exclusions without a wildcard before them'],
  ['at most', 'logs-a,-logs-*', 'Elasticsearch 9 takes exclusions without a wildcard before them'],
  ['at most', '-logs-a', 'OpenSearch and Elasticsearch 7 look for an index of that name'],
  ['at most', '-logs-a,logs-a', 'OpenSearch and Elasticsearch 7 look for an index of that name'],
  ['at most', 'logs-*,-<logs-{now/d}>', 'only Elasticsearch 9 computes what is excluded'],
  // Date math.
  ['exact', '<logs-a>'],
  ['exact', '<logs-*>'],
  ['exact', '<*>'],
  ['exact', "<logs-{now{'*'}}>"],
  ['at most', '<logs-{now/d}>', 'one day of all'],
  ['at most', '<*-{now/d{yyyy.MM.dd}}>,logs-a', 'one day of all'],
  ['at most', '<logs-{now/d{yyyy.MM.dd|UTC}}>', 'one day of all'],
  ['at most', '<logs-{now/d{yyyy.MM.dd|+00:00}}>', 'one day of all'],
  ['at most', "logs-*,<{now{'-logs-a'}}>", 'OpenSearch and Elasticsearch 7 exclude what was computed'],
  ['at most', '<_all>', 'Elasticsearch 9 refuses it'],
  ['at most', "<{now{'_all'}}>", 'Elasticsearch 9 refuses it'],
  ['at most', "<_{now{'all'}}>", 'Elasticsearch 9 refuses it'],
  ['at most', '<logs-\\{a\\}>', 'no such index'],
  // Selectors: Elasticsearch alone has them, others take the name for that of a remote cluster.
  ['at most', 'logs-a::data', 'a selector'],
  ['at most', 'logs-*::data', 'a selector'],
  ['at most', '_all::data', 'a selector'],
  ['at most', '<logs-a>::data', 'a selector'],
  ['at most', 'logs-a::failures', 'a selector'],
  ['at most', 'logs-*::failures', 'a selector'],
  ['at most', '*,-logs-*::data', 'a selector'],
  ['at most', '*,-logs-a::data', 'a selector'],
  // Remote clusters.
  ['exact', 'far:logs-a'],
  ['exact', 'far:logs-*'],
  ['exact', 'far:_all'],
  ['exact', 'far:<logs-*>'],
  ['exact', 'far:logs-*,far:-logs-a'],
  ['exact', 'far:logs-a,metrics-a'],
  ['exact', 'logs-a,f*:logs-b'],
  ['exact', 'logs-a,near*:logs-b'],
  ['at most', '*:logs-a', 'in this cluster only where there is no remote one'],
  ['at most', '*:*', 'in this cluster only where there is no remote one'],
  ['at most', 'near*:absent', 'Elasticsearch 9 searches this cluster instead, all of it'],
  ['at most', 'near*:a,*absent:b', 'Elasticsearch 9 searches this cluster instead, all of it'],
  ['at most', 'near:logs-a', 'no such cluster'],
  ['at most', 'FAR:logs-a', 'no such cluster'],
  ['at most', '-far:*', 'nothing is left, which Elasticsearch 9 refuses'],
  ['at most', 'logs-a,-far:*', 'Elasticsearch 9 refuses to exclude what was not included'],
  ['at most', '*:*,-far:*', 'nothing is left, which Elasticsearch 9 refuses'],
  ['at most', 'far:logs-*,-far:logs-a', 'only Elasticsearch 9 has this form'],
  ['at most', 'far:-logs-a', 'OpenSearch and Elasticsearch 7 look for an index of that name'],
  ['at most', '-logs-a,near*:absent', 'OpenSearch and Elasticsearch 7 look for an index of that name'],
  // A lone comma means all indices, a trailing one nothing.
  ['refused', ','],
  ['refused', 'logs-a,'],
  ['refused', ',logs-a'],
  ['refused', 'logs-a,,logs-b'],
  ['refused', 'logs-a, logs-b'],
  ['refused', '+logs-a'],
  ['refused', '_bulk'],
  ['refused', '_ALL'],
  ['refused', '_local:logs-a'],
  ['refused', 'logs-?'],
  ['refused', '*,-_all'],
  // This cluster asks the remote one, and that one the next.
  ['refused', 'far:far:logs-a'],
  ['refused', 'far:'],
  ['refused', ':logs-a'],
  ['refused', 'logs-*::*'],
  ['refused', 'logs-a::data::data'],
  ['refused', '<*:absent>'],
  ['refused', "<logs-{now{':\\:failures'}}>"],
  ['refused', "<{now{'far:logs-a'}}>"],
  ['refused', '<logs-{now>'],
  ['refused', '<logs-{now{yyyy,MM}}>'],
];

const policies = [
  ['*'],
  ['logs-*'],
  ['logs-a'],
  ['*-a'],
  ['.*'],
  ['l*', 'm*'],
  ['also-*'],
  ['stream-*'],
  ['*:*'],
  ['*', '*:*'],
  ['far:*'],
  ['far:logs-*', 'logs-*'],
  ['f*:*-a'],
  ['logs-*::data'],
].map(patternsOf);

function patternsOf(patterns: readonly string[]): IndexPatterns {
  const compiled = compileIndexPatterns(patterns);
  if (compiled.kind === 'wrong') throw new Error(`${compiled.pattern}: ${compiled.wrong}`);
  return compiled.patterns;
}

function parse(expression: string): IndexExpression {
  const parsed = parseIndexExpression([expression]);
  if ('code' in parsed) throw new Error(`${expression}: ${parsed.detail}`);
  return parsed;
}

/** Who a request may have meant to touch an index: the index itself, or what else leads to it. */
function namesOf(touched: string): readonly string[] {
  const cluster = touched.startsWith(`${remote}:`) ? `${remote}:` : '';
  const index = touched.slice(cluster.length);
  const others = Object.keys(aliases).filter((alias) => aliases[alias] === index);
  if (index.startsWith(`.ds-${stream}-`)) others.push(stream);
  return [index, ...others].map((name) => cluster + name);
}

/** The questions that tell what was touched, with hidden indices and without. */
const questions: readonly { readonly suffix: string; touched(body: never): readonly string[] }[] = [
  ...['', '&expand_wildcards=all'].map((more) => ({
    suffix: `/_search?size=1000&_source=false&filter_path=hits.hits._index${more}`,
    touched: (body: { hits?: { hits: { _index: string }[] } }) =>
      (body.hits?.hits ?? []).map((hit) => hit._index),
  })),
  {
    suffix: '/_field_caps?fields=n&expand_wildcards=all',
    touched: (body: { indices?: string[] }) => body.indices ?? [],
  },
  {
    suffix: '/_settings?flat_settings=true&expand_wildcards=all',
    touched: (body: object) => Object.keys(body),
  },
];

export function indexExpressionCases(stage: Pick<Stage, 'direct'>): void {
  /** What was touched by each of the questions; undefined for one that was refused. */
  const touchedBy = (expression: string): Promise<(readonly string[] | undefined)[]> =>
    Promise.all(
      questions.map(async ({ suffix, touched }) => {
        const path = `/${encodeURIComponent(expression)}${suffix}`;
        const reply = await ask(stage.direct, { method: 'GET', path });
        if (reply.status >= 400) return undefined;
        return [...new Set(touched(JSON.parse(reply.body.toString()) as never))].sort();
      }),
    );

  describe('index expressions', () => {
    /** The index behind the data stream; undefined where the server has none. */
    let backing: string | undefined;

    before(async () => {
      const nodes = (await askJson(stage.direct, 'GET', '/_nodes/transport')) as {
        nodes: Record<string, { transport: { publish_address: string } }>;
      };
      const seeds = Object.values(nodes.nodes).map((node) => node.transport.publish_address);
      const setting = { [`cluster.remote.${remote}.seeds`]: seeds };
      await askJson(stage.direct, 'PUT', '/_cluster/settings', { persistent: setting });
      for (const index of indices) {
        const settings = { number_of_replicas: 0, 'index.hidden': hidden.includes(index) };
        await askJson(stage.direct, 'PUT', `/${index}`, { settings });
        await askJson(stage.direct, 'PUT', `/${index}/_doc/1?refresh=true`, { n: 1 });
      }
      for (const [alias, index] of Object.entries(aliases)) {
        await askJson(stage.direct, 'PUT', `/${index}/_alias/${alias}`);
      }
      const template = { index_patterns: ['stream-*'], data_stream: {}, priority: 500 };
      const body = JSON.stringify(template);
      const made = await ask(stage.direct, { method: 'PUT', path: '/_index_template/streams', body });
      // Those of Elasticsearch 7 are in a module that is not here.
      if (made.status >= 300) return;
      const document = { '@timestamp': '2026-01-01T00:00:00Z', n: 1 };
      const added = await askJson(stage.direct, 'POST', `/${stream}/_doc?refresh=true`, document);
      backing = (added as { _index: string })._index;
    });

    after(async () => {
      // Elasticsearch 9 can make a data stream, and has what deletes one in a module that is not here.
      for (const path of [`/_data_stream/${stream}`, '/_index_template/streams']) {
        await ask(stage.direct, { method: 'DELETE', path });
      }
      for (const index of indices) await askJson(stage.direct, 'DELETE', `/${index}`);
      const setting = { [`cluster.remote.${remote}.seeds`]: null };
      await askJson(stage.direct, 'PUT', '/_cluster/settings', { persistent: setting });
    });

    for (const [claim, expression] of expressions) {
      test(`${expression || 'none'}: ${claim}`, async () => {
        const parsed = parseIndexExpression([expression]);
        assert.equal('code' in parsed, claim === 'refused');
        if ('code' in parsed) return;
        const answers = await touchedBy(expression);
        const most = expected(parsed);
        for (const touched of answers) {
          if (touched === undefined) continue;
          assertSound(parsed, touched);
          for (const index of touched) assert.ok(most.includes(index), `${index} was touched`);
        }
        // The second question is a search that also goes to remote clusters, and to all that is hidden.
        if (claim === 'exact') assert.deepEqual(answers[1], most);
      });
    }

    test('a name that stands for others is touched by that name', async () => {
      const names = [...Object.keys(aliases), 'also-*', 'Also-*', '*lso-*,-also-a', '*,-also-a'];
      for (const expression of backing === undefined
        ? names
        : [...names, stream, 'str*', '.ds-*', '*,-stream-a']) {
        for (const touched of await touchedBy(expression)) {
          assert.ok(touched, expression);
          assertSound(parse(expression), touched);
        }
      }
      assert.deepEqual((await touchedBy('also-a'))[1], ['metrics-a']);
    });

    test('of no index and a lone comma the server makes all indices', async () => {
      const all = expected(parse('*'));
      assert.deepEqual((await touchedBy(','))[1], all);
      const { suffix, touched } = questions[1]!;
      const reply = (await askJson(stage.direct, 'GET', suffix)) as never;
      assert.deepEqual([...new Set(touched(reply))].sort(), all);
    });

    /** Every index there is that `resolve` says the expression touches, here and in the remote cluster. */
    function expected(expression: IndexExpression): string[] {
      // `resolve` is about this cluster: what goes to the other one is read there, without its prefix.
      const away = (expression.values[0] ?? '')
        .split(',')
        .filter((item) => /^[f*][^:]*:/.test(item))
        .map((item) => item.slice(item.indexOf(':') + 1));
      const there = away.length === 0 ? [] : local(parse(away.join(',')));
      return [...local(expression), ...there.map((index) => `${remote}:${index}`)].sort();
    }

    function local(expression: IndexExpression): readonly string[] {
      if (backing === undefined) return resolve(expression, indices);
      const touched = resolve(expression, [...indices, backing]);
      const streamed = resolve(expression, [stream]).length > 0;
      return [...new Set(streamed ? [...touched, backing] : touched)];
    }
  });
}

/** No policy that covers the expression can have been walked around, nor one that denies it. */
function assertSound(expression: IndexExpression, touched: readonly string[]): void {
  for (const index of touched) {
    const names = namesOf(index);
    for (const policy of policies) {
      const matched = names.some((name) => covers(policy, parse(name)));
      if (covers(policy, expression)) assert.ok(matched, `${policy.sources} let ${index} be touched`);
      // Through an alias an index is touched that no name tells of.
      if (names.length === 1 && matched) {
        assert.ok(mayTouch(policy, expression), `${policy.sources} missed ${index}`);
      }
    }
    const included = names.some((name) => mayTouch(patternsOf([name]), expression));
    assert.ok(included, `${index} was touched`);
  }
}
