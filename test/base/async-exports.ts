/** Finds what of the public API is asynchronous, from its sources. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import ts from 'typescript';
import * as api from '../library.ts';

const source = join(import.meta.dirname, '../../src');

/**
 * Exported functions and public methods of exported classes that return promises or asynchronous iterators: `name` or
 * `Class.name`.
 */
export function asyncExports(): string[] {
  const exported = new Set(Object.keys(api));
  const found = new Set<string>();
  for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (!file.endsWith('.ts')) continue;
    const text = readFileSync(join(source, file), 'utf8');
    for (const statement of ts.createSourceFile(file, text, ts.ScriptTarget.Latest).statements) {
      if (ts.isVariableStatement(statement) && has(statement, ts.SyntaxKind.ExportKeyword)) {
        for (const { name, initializer } of statement.declarationList.declarations) {
          if (ts.isIdentifier(name) && exported.has(name.text) && isMadeAsync(initializer)) found.add(name.text);
        }
      }
      if (!ts.isFunctionDeclaration(statement) && !ts.isClassDeclaration(statement)) continue;
      const name = statement.name?.text ?? '';
      if (!exported.has(name) || !has(statement, ts.SyntaxKind.ExportKeyword)) continue;
      if (ts.isFunctionDeclaration(statement)) {
        if (isAsync(statement)) found.add(name);
        continue;
      }
      for (const member of statement.members) {
        if (!ts.isMethodDeclaration(member) || !ts.isIdentifier(member.name) || !isAsync(member)) continue;
        if (!has(member, ts.SyntaxKind.PrivateKeyword)) found.add(`${name}.${member.name.text}`);
      }
    }
  }
  return [...found].sort();
}

function has(node: ts.HasModifiers, kind: ts.SyntaxKind): boolean {
  return ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false;
}

/** An asynchronous function, or what a call makes of one, as `reader` does. */
function isMadeAsync(node: ts.Expression | undefined): boolean {
  if (!node) return false;
  if (ts.isCallExpression(node)) return node.arguments.some(isMadeAsync);
  return (ts.isArrowFunction(node) || ts.isFunctionExpression(node)) && has(node, ts.SyntaxKind.AsyncKeyword);
}

function isAsync(node: ts.FunctionDeclaration | ts.MethodDeclaration): boolean {
  if (has(node, ts.SyntaxKind.AsyncKeyword)) return true;
  const { type } = node;
  if (!type || !ts.isTypeReferenceNode(type) || !ts.isIdentifier(type.typeName)) return false;
  return ['Promise', 'AsyncGenerator', 'AsyncIterable'].includes(type.typeName.text);
}
