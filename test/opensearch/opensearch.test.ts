import { accountCases } from './cases/account.ts';
import { answerCases, tight } from './cases/answers.ts';
import { claimAttackCases } from './cases/attacks-claims.ts';
import { denyAttackCases } from './cases/attacks-deny.ts';
import { queryAttackCases } from './cases/attacks-queries.ts';
import { searchAttackCases } from './cases/attacks-searches.ts';
import { bulkCases } from './cases/bulk.ts';
import { corsCases, corsSettings } from './cases/cors.ts';
import { crowdCases } from './cases/crowd.ts';
import { endingCases } from './cases/endings.ts';
import { expectCases } from './cases/expect.ts';
import { halfCloseCases } from './cases/half-closes.ts';
import { indexExpressionCases } from './cases/index-expressions.ts';
import { readCases } from './cases/read.ts';
import { routeCases } from './cases/routes.ts';
import { shippedExampleCases } from './cases/shipped-example.ts';
import { slashCases } from './cases/slashes.ts';
import { onStage } from './stage.ts';

onStage('opensearch', { title: 'with a limit of 100 MB', heap: '2g' }, (stage) => {
  routeCases(stage);
  bulkCases(stage);
  readCases(stage);
  crowdCases(stage);
  expectCases(stage);
  endingCases(stage);
  halfCloseCases(stage);
  accountCases(stage);
  indexExpressionCases(stage);
  claimAttackCases(stage);
  searchAttackCases(stage);
  denyAttackCases(stage);
  queryAttackCases(stage);
  slashCases(stage);
});

onStage('opensearch', { title: 'with tight limits', heap: '512m', settings: tight }, answerCases);

onStage('opensearch', { title: 'behind the shipped example', heap: '512m' }, shippedExampleCases);

onStage('opensearch', { title: 'with CORS', heap: '512m', settings: corsSettings }, corsCases);
