/**
 * Answers of Sluice's own, in the JSON shape that Elasticsearch's and OpenSearch's clients read errors from.
 */
import { errors, type Failure } from '../errors.ts';

export interface AnswerOptions {
  readonly requestId: string;
  /** Of `connectionLines`. */
  readonly connection: string;
  /** Of the request: HEAD gets the head alone. */
  readonly method: string;
  /** More field lines, each with its CRLF. */
  readonly fields?: string;
}

const reasons: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  411: 'Length Required',
  413: 'Content Too Large',
  414: 'URI Too Long',
  417: 'Expectation Failed',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
  508: 'Loop Detected',
};

/**
 * A whole response: head and body as one latin1 string. Never carries X-Elastic-Product, which only a real
 * server may claim. A client is told exactly what it did wrong; of the servers behind, it learns no more than
 * the table says, since details hold their addresses. The request id must be free of CR and LF, as any parsed
 * value is.
 */
export function writeAnswer(status: number, failure: Failure, options: AnswerOptions): string {
  const { side, reason: general } = errors[failure.code];
  const type = `sluice_${failure.code.replaceAll('-', '_')}`;
  const reason = side === 'client' ? failure.detail : general;
  const body = asciiJson({ error: { root_cause: [{ type, reason }], type, reason }, status });
  const fields = options.fields ?? (status === 429 || status === 503 ? 'Retry-After: 1\r\n' : '');
  return (
    `HTTP/1.1 ${status} ${reasons[status] ?? ''}\r\n` +
    `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n` +
    `${fields}X-Request-Id: ${options.requestId}\r\n${options.connection}\r\n` +
    (options.method === 'HEAD' ? '' : body)
  );
}

/**
 * ASCII alone, so that its length in bytes is that of the string, and latin1 on the wire is UTF-8 as well.
 */
function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[\u007f-\uffff]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
