/** zod/mini with zod's English messages, unless the program that loads this package has chosen a language. */
import { config, locales } from 'zod/mini';

if (!config().localeError) config(locales.en());

export * as z from 'zod/mini';
