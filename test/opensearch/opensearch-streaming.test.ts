import { streamedBulkCases, streaming } from './cases/streamed-bulk.ts';
import { onStage } from './stage.ts';

onStage(
  'opensearchStreaming',
  { title: 'with its reactive HTTP module', heap: '1g', settings: streaming },
  streamedBulkCases,
);
