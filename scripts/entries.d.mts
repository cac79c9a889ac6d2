/** `dist/NAME.js` → the source of the entry. */
export const publicEntries: Readonly<Record<string, string>>;
/** The `exports` of package.json. */
export function packageExports(): Record<string, unknown>;
