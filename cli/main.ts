#!/usr/bin/env node
import { say } from './output.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  say(`performers: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
