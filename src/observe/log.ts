/**
 * The operator's log: what the proxy itself does, JSON lines on stderr. What clients do is in the access log.
 * Fields are names, addresses, counts and error codes; never a header, a query or a URL with credentials.
 */
import { type Logger, pino } from 'pino';
import { standardError } from './sink.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** `log.warn({ node, code }, 'the node is left alone for 2s')`. */
export type Log = Pick<Logger, LogLevel | 'fatal'>;

/** Each line is written at once where stderr has room, so that the last one before an end is not lost. */
export function createLog(level: LogLevel): Log {
  return pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: (line: string) => standardError().line(line) },
  );
}
