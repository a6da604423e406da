// Prints what tools/house.py judges of the TypeScript, as JSON: for each file its functions of more than 50 lines of
// code as [name, line, count], the names that it exports, and every name that it binds as [name, line].
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

const MOST_LINES = 50;
const widgets = join(dirname(fileURLToPath(import.meta.url)), "..", "widgets");

/** Numbers of the lines that hold a token; comments are none. */
function codeLines(node, source) {
  const lines = new Set();
  const visit = (part) => {
    if (ts.isJSDoc(part)) return;
    const children = part.getChildren(source);
    if (children.length > 0 || part.kind === ts.SyntaxKind.SyntaxList) return children.forEach(visit);
    const lineOf = (position) => source.getLineAndCharacterOfPosition(position).line;
    for (let line = lineOf(part.getStart(source)); line <= lineOf(part.end); line += 1) lines.add(line);
  };
  visit(node);
  return lines.size;
}

/** Its own name, or that of the variable, property or argument that it is given as. */
function functionName(node, source) {
  const named = node.name ?? (ts.isConstructorDeclaration(node) ? { getText: () => "constructor" } : node.parent?.name);
  return named ? named.getText(source) : "(anonymous)";
}

function namesOf(name) {
  if (ts.isIdentifier(name) || ts.isPrivateIdentifier(name)) return [name.text.replace("#", "")];
  return name.elements.flatMap((element) => (ts.isOmittedExpression(element) ? [] : namesOf(element.name)));
}

/** What a node gives a name to: a variable, an argument, a function, a class, a type or a member of one of these. */
function boundNames(node) {
  const binds =
    ts.isVariableDeclaration(node) ||
    ts.isParameter(node) ||
    ts.isFunctionDeclaration(node) ||
    ts.isClassDeclaration(node) ||
    ts.isInterfaceDeclaration(node) ||
    ts.isTypeAliasDeclaration(node) ||
    ts.isPropertyDeclaration(node) ||
    ts.isPropertySignature(node) ||
    ts.isMethodDeclaration(node) ||
    ts.isMethodSignature(node);
  if (!binds || !node.name) return [];
  if (
    ts.isIdentifier(node.name) ||
    ts.isPrivateIdentifier(node.name) ||
    ts.isObjectBindingPattern(node.name) ||
    ts.isArrayBindingPattern(node.name)
  ) {
    return namesOf(node.name);
  }
  return [];
}

function exportedNames(statement) {
  if (!statement.modifiers?.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return [];
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => namesOf(name));
  return statement.name ? [statement.name.text] : [];
}

function measure(path) {
  const text = readFileSync(join(widgets, path), "utf8");
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true);
  const lineOf = (node) => source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
  const long = [];
  const names = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node) && node.body) {
      const count = codeLines(node, source);
      if (count > MOST_LINES) long.push([functionName(node, source), lineOf(node), count]);
    }
    names.push(...boundNames(node).map((name) => [name, lineOf(node)]));
    ts.forEachChild(node, visit);
  };
  visit(source);
  return { path: `widgets/${path}`, long, exports: source.statements.flatMap(exportedNames), names };
}

const paths = readdirSync(widgets, { recursive: true }).filter((path) => path.endsWith(".ts"));
console.log(JSON.stringify(paths.sort().map(measure)));
