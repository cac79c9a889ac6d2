import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import type { Backend } from '../../src/backend/types.ts';
import { createBackend } from '../../src/entries/performers.ts';
import { hasAddon } from '../backend/available.ts';

/** The backends that attention is tested on, each with what one rounding amounts to. Test files share them, so that none closes them. */
export const backends: readonly { readonly backend: Backend; readonly rounding: number }[] = [
  { backend: createReferenceBackend(), rounding: 1e-12 },
  ...(hasAddon ? [{ backend: await createBackend({ backend: 'native', numThreads: 2 }), rounding: 1e-5 }] : []),
];
