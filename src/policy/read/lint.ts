import type { Problem } from '../../config/load.ts';
import type { PolicyDocument } from '../document.ts';

export function lint(_policies: readonly PolicyDocument[]): readonly Problem[] {
  return [];
}
