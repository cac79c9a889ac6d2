import { testConformance } from './conformance.ts';

await testConformance('native', 'sse2');
