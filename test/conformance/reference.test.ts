import { createReferenceBackend } from '../../src/backend/reference.ts';
import { testLeftOut } from './left-out.ts';

testLeftOut('reference', createReferenceBackend());
