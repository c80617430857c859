/** The problems of a set, which may be many. */
import type { Problem } from '../../config/load.ts';

/** More than anyone mends in one go. */
export const maxProblems = 200;

/** What is wrong, up to a number that still helps. */
export class Problems {
  readonly #shown: Problem[] = [];
  #hidden = 0;

  get none(): boolean {
    return this.#shown.length === 0;
  }

  get full(): boolean {
    return this.#shown.length >= maxProblems;
  }

  add(problem: Problem): void {
    if (this.full) this.#hidden++;
    else this.#shown.push(problem);
  }

  /** Of those that were not even put into words. */
  hide(count: number): void {
    this.#hidden += count;
  }

  all(): readonly Problem[] {
    if (this.#hidden === 0) return this.#shown;
    const wrong = `${this.#hidden} more problems are not shown`;
    return [...this.#shown, { where: 'policies', path: '', wrong, fix: 'mend these first' }];
  }
}
