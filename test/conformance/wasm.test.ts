import { testConformance } from './conformance.ts';

await testConformance('wasm', 'relaxed');
