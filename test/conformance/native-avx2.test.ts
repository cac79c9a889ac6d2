import { testConformance } from './conformance.ts';

await testConformance('native', 'avx2');
