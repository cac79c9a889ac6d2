#!/usr/bin/env node
import { isInterruption, wasInterrupted } from './interrupt.ts';
import { say } from './output.ts';
import { createProgram } from './program.ts';

try {
  await createProgram().parseAsync();
} catch (error) {
  if (isInterruption(error)) wasInterrupted('Stopped; nothing is half-written.');
  else fail(error);
}

function fail(error: unknown): void {
  say(`performers: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
