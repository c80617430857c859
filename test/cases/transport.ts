/**
 * The one suite that every transport passes, alone and in pairs: `src/net/contract.ts` as tests. The far ends are
 * plain node:net sockets on loopback, and bodies are compared by digest there.
 */
import { after, afterEach, before, describe } from 'node:test';
import { type Transports, Wires } from '../support/wires.ts';
import { addressCases } from './transport/addresses.ts';
import { budgetCases } from './transport/budgets.ts';
import { chunkedCases } from './transport/chunked.ts';
import { endingCases } from './transport/endings.ts';
import { faultCases } from './transport/faults.ts';
import { halfCloseCases } from './transport/half-closes.ts';
import { headCases } from './transport/heads.ts';
import { manyCases } from './transport/many.ts';
import { relayCases } from './transport/relays.ts';
import { watchCases } from './transport/watching.ts';

/** `make` is called once; the transports it gives are closed at the end. */
export function transportSuite(name: string, make: () => Transports): void {
  describe(name, () => {
    const wires = new Wires(make);
    before(() => wires.open());
    afterEach(() => wires.release());
    after(() => wires.close());
    addressCases(wires);
    headCases(wires);
    relayCases(wires);
    chunkedCases(wires);
    budgetCases(wires);
    faultCases(wires);
    endingCases(wires);
    watchCases(wires);
    halfCloseCases(wires);
    manyCases(wires);
  });
}
