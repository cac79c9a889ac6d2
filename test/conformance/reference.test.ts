import { createReferenceBackend } from '../../src/backend/reference/backend.ts';
import { testLeftOut } from './left-out.ts';

// One layout, and neither wide heads nor long sequences: plain loops take their time.
testLeftOut('reference', createReferenceBackend(), (name) => !/blhd|wide|long|round/.test(name));
