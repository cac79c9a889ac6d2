import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { environment } from '../../src/base/environment.ts';

afterEach(() => vi.unstubAllEnvs());

describe('environment variables', () => {
  it('that are empty count as unset', () => {
    vi.stubEnv('PERFORMERS_DEBUG', 'value');
    expect(environment('PERFORMERS_DEBUG')).toBe('value');
    vi.stubEnv('PERFORMERS_DEBUG', '');
    expect(environment('PERFORMERS_DEBUG')).toBeUndefined();
  });

  it('are read in src/ by this function alone', () => {
    const src = join(import.meta.dirname, '../../src');
    const readers = readdirSync(src, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .filter((name) => /process\??\.env|\{ env \}/.test(readFileSync(join(src, name), 'utf8')));
    expect(readers).toEqual([join('base', 'environment.ts')]);
  });
});
