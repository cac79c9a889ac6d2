/** An environment variable. Undefined where the variable is unset or empty, and outside Node. */
export function environment(name: string): string | undefined {
  return globalThis.process?.env[name] || undefined;
}
