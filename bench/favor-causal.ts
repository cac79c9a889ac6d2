import { favorCase } from './favor-passes.ts';

export const favorCausal = favorCase(true);
