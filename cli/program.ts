import { Command } from 'commander';
import { version } from '../package.json' with { type: 'json' };
import { convertCommand } from './commands/convert.ts';
import { demoCommand } from './commands/demo.ts';
import { evaluateCommand } from './commands/evaluate.ts';
import { exportCommand } from './commands/export.ts';
import { finetuneCommand } from './commands/finetune.ts';
import { generateCommand } from './commands/generate.ts';
import { infoCommand } from './commands/info.ts';
import { reproduceCommand } from './commands/reproduce.ts';
import { serveCommand } from './commands/serve.ts';
import { trainCommand } from './commands/train.ts';
import { helpText } from './help.ts';

/** The command line with all of its commands, not yet run. */
export function createProgram(): Command {
  const program = new Command('performers')
    .description('Linear-time attention (FAVOR+) that trains, streams and runs in Node and in the browser.')
    .version(`performers ${version}`, '-v, --version', 'print the version')
    .addHelpText('after', helpText('performers'))
    .showHelpAfterError('(add --help for the options)')
    .configureHelp({ showGlobalOptions: true });
  for (const command of [
    trainCommand(),
    finetuneCommand(),
    generateCommand(),
    evaluateCommand(),
    infoCommand(),
    convertCommand(),
    exportCommand(),
    demoCommand(),
    reproduceCommand(),
    serveCommand(),
  ]) {
    program.addCommand(command.addHelpText('after', helpText(command.name())));
  }
  return program;
}
