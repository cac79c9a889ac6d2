/** `performers/pretrained` in Node: as in a browser, and what needs files or the native kernels. */

export * from './browser/pretrained.ts';

// Models of Hugging Face, in and out.
export { directoryFiles } from '../storage/directory-files.ts';
