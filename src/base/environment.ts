/**
 * An environment variable. Undefined where the variable is unset or empty, outside Node, and in Deno without the
 * permission to read the variable.
 */
export function environment(name: string): string | undefined {
  try {
    return globalThis.process?.env[name] || undefined;
  } catch {
    return undefined;
  }
}
