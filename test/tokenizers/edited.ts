/** A copy of a tokenizer.json that `change` was made to. */
// biome-ignore lint/suspicious/noExplicitAny: a file as it may be
export function edited(tokenizer: { toJSON(): object }, change: (json: any) => void): unknown {
  const json = JSON.parse(JSON.stringify(tokenizer.toJSON()));
  change(json);
  return json;
}
