/** Where Node enters. A proxy catches signals before anything else is loaded, which takes longest. */
import { catchSignals } from './signals.ts';

if (process.argv[2] === 'run') catchSignals();
await import('./main.ts');
