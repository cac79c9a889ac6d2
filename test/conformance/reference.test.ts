import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { testLeftOut } from './left-out.ts';

// One layout, and no wide heads: plain loops take their time.
testLeftOut('reference', createReferenceBackend(), (name) => !/blhd|wide/.test(name));
