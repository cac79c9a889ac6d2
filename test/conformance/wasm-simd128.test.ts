import { testConformance } from './conformance.ts';

await testConformance('wasm', 'simd128');
