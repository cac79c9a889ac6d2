/** What `--help` of a command ends with: an example to copy, and the guide that says more. */
import { commandLine, isCheckout } from '../src/entries/internal.ts';

interface Help {
  readonly example: string;
  /** The name of a file of docs/. */
  readonly guide: string;
}

export const helpOf: Readonly<Record<string, Help>> = {
  train: { example: 'train --data "books/*.txt" --out runs/mine --steps 2000', guide: 'training' },
  finetune: {
    example: 'finetune --from runs/mine --data "letters/*.txt" --minutes 10 --out runs/letters',
    guide: 'training',
  },
  generate: { example: 'generate --model runs/mine --prompt "Once" --tokens 200', guide: 'training' },
  evaluate: { example: 'evaluate --model runs/mine --data other.txt.gz', guide: 'training' },
  info: { example: 'info runs/mine', guide: 'training' },
  convert: { example: 'convert --from models/all-MiniLM-L6-v2 --out models/performer', guide: 'pretrained' },
  export: { example: 'export --from runs/mine --to onnx --out exported', guide: 'export' },
  demo: { example: 'demo --minutes 1', guide: 'training' },
  reproduce: { example: 'reproduce fig4 --quick', guide: 'experiments' },
  serve: { example: 'serve --model runs/mine --port 8080', guide: 'serving' },
};

/** The text below the options of a command, or of the program. */
export function helpText(command: string): string {
  const { example, guide } = helpOf[command] ?? { example: 'train --help', guide: 'training' };
  const docs = isCheckout() ? 'docs' : 'node_modules/performers/docs';
  return `\nExample:\n  ${commandLine()} ${example}\nGuide:\n  ${docs}/${guide}.md`;
}
