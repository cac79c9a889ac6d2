import { favorCase } from './favor-case.ts';

export const favorCausal = favorCase(true);
