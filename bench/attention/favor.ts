import { favorCase } from './favor-case.ts';

export const favor = favorCase(false);
