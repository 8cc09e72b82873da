/** Evaluates the expressions of a compiled template that name resources and decide whether they are deployed. */

/** Gives the value of a parameter or a variable. */
export interface Scope {
  parameters(name: string): unknown;
  variables(name: string): unknown;
  /** Gives what a resource has once it exists; by default a text. */
  reference?(): unknown;
}

/** The functions that names and conditions use: learn.microsoft.com/azure/azure-resource-manager/templates/template-functions */
const FUNCTIONS: Record<string, (...values: unknown[]) => unknown> = {
  and: (...values) => values.every((value) => value === true),
  createArray: (...values) => values,
  createObject: (...values) =>
    Object.fromEntries(
      values.flatMap((name, index) => (index % 2 === 0 ? [[String(name), values[index + 1]]] : [])),
    ),
  empty: (value) => value === '' || (Array.isArray(value) && value.length === 0),
  equals: (left, right) => left === right,
  format: (text, ...values) =>
    String(text).replaceAll(/\{(\d+)\}/g, (_, index) => String(values[Number(index)])),
  not: (value) => value !== true,
  or: (...values) => values.includes(true),
  toLower: (text) => String(text).toLowerCase(),
  union: (...values) => Object.assign({}, ...values) as unknown,
};

/** Evaluates a value of the template: an expression in square brackets, or an object or list that contains some. */
export function evaluate(value: unknown, scope: Scope): unknown {
  if (Array.isArray(value)) return value.map((each) => evaluate(each, scope));
  if (value !== null && typeof value === 'object') return lazy(value, scope);
  if (typeof value !== 'string' || !/^\[(?!\[).*\]$/s.test(value)) return value;
  return new Expression(value.slice(1, -1), scope).value();
}

/** Evaluates a member when it is read, so that only what matters counts as read. */
function lazy(value: object, scope: Scope): object {
  const members = Object.entries(value).map(([name, each]) => [
    name,
    { enumerable: true, get: () => evaluate(each, scope) },
  ]);
  return Object.defineProperties({}, Object.fromEntries(members) as PropertyDescriptorMap);
}

const TOKEN = /\s*('(?:[^']|'')*'|-?\d+|[A-Za-z_]\w*|[()[\],.])/y;

/** A recursive-descent parser that evaluates as it reads. */
class Expression {
  readonly #tokens: string[];
  readonly #scope: Scope;
  #next = 0;

  constructor(text: string, scope: Scope) {
    this.#tokens = [...text.matchAll(new RegExp(TOKEN, 'g'))].map(([, token = '']) => token);
    this.#scope = scope;
  }

  value(): unknown {
    let value = this.#term();
    for (;;) {
      if (this.#takes('.')) value = member(value, this.#take());
      else if (this.#takes('[')) {
        value = member(value, this.value());
        this.#takes(']');
      } else return value;
    }
  }

  #term(): unknown {
    const token = this.#take();
    if (token.startsWith("'")) return token.slice(1, -1).replaceAll("''", "'");
    if (/^-?\d/.test(token)) return Number(token);
    return this.#call(token);
  }

  #call(name: string): unknown {
    const values: unknown[] = [];
    this.#takes('(');
    while (!this.#takes(')')) {
      values.push(this.value());
      this.#takes(',');
    }
    if (name === 'parameters') return this.#scope.parameters(String(values[0]));
    if (name === 'variables') return this.#scope.variables(String(values[0]));
    if (name === 'reference' && this.#scope.reference) return this.#scope.reference();
    if (name === 'if') return values[values[0] === true ? 1 : 2];
    // What only Azure knows, such as a hash, is a text that is the same for the same arguments.
    return (
      FUNCTIONS[name]?.(...values) ?? `${name}(${values.map((value) => JSON.stringify(value)).join(', ')})`
    );
  }

  #take(): string {
    return this.#tokens[this.#next++] ?? '';
  }

  #takes(token: string): boolean {
    if (this.#tokens[this.#next] !== token) return false;
    this.#next++;
    return true;
  }
}

const member = (value: unknown, name: unknown): unknown =>
  value !== null && typeof value === 'object'
    ? (value as Record<string, unknown>)[String(name)]
    : `${String(value)}.${String(name)}`;
