import { readFileSync, writeFileSync } from 'node:fs';

const canReset = (() => {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return /VmHWM/.test(readFileSync('/proc/self/status', 'utf8'));
  } catch {
    return false;
  }
})();

/**
 * Starts to watch this process's resident memory. The result says by how many bytes the peak since then is above the
 * start. Only Linux can forget an earlier peak; elsewhere growth below an earlier peak is not seen.
 */
export function watchResident(): () => number {
  if (!canReset) {
    const { rss } = process.memoryUsage();
    const { maxRSS } = process.resourceUsage();
    return () => {
      const peak = process.resourceUsage().maxRSS;
      return peak > maxRSS ? peak * 1024 - rss : 0;
    };
  }
  writeFileSync('/proc/self/clear_refs', '5');
  const start = residentPeak();
  return () => residentPeak() - start;
}

const residentPeak = (): number => 1024 * Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
