/** `performers/training` in Node: as in a browser, and what needs files or the native kernels. */

export * from './browser/training.ts';

// A whole run: progress, checkpoints, resuming.
export { train, type HeldOutData, type RunEvent, type RunOptions } from '../training/run.ts';
export { loadCheckpoint, type Checkpoint, type TrainingState } from '../training/checkpoint.ts';

// Learning from a teacher.
export { loadTeacher, type Teacher } from '../training/teacher.ts';
export type { DataFingerprint } from '../training/data-fingerprint.ts';
export type { RunLock } from '../training/run-lock.ts';
