import { favorCase } from './favor-passes.ts';

export const favor = favorCase(false);
