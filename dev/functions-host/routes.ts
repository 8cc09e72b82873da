/** Matches requests to functions: routes, route parameters and constraints. */
import type { RegisteredFunction } from './core.ts';

/** The function for a request, the decoded path, and the values of its route parameters. */
export interface Match {
  fn: RegisteredFunction;
  path: string;
  params: Record<string, string>;
}

/** Returns a function that matches a method and a decoded path. The most specific route is tried first. */
export function createRouter(functions: RegisteredFunction[], prefix: string) {
  const routes = functions
    .filter((fn) => /^httptrigger$/i.test(fn.trigger.type))
    .map((fn) => ({ fn, methods: fn.trigger.methods ?? [], ...compileRoute(fn, prefix) }))
    .toSorted((a, b) => (a.rank < b.rank ? -1 : 1));
  return (method: string, path: string): Match | undefined => {
    for (const { fn, methods, pattern } of routes) {
      const found = methods.length === 0 || methods.includes(method) ? pattern.exec(path) : null;
      if (!found) continue;
      const params = Object.entries(found.groups ?? {}).filter((entry) => entry[1] !== undefined);
      return { fn, path, params: Object.fromEntries(params) };
    }
    return undefined;
  };
}

/** Ranks sort as in ASP.NET, by segment: literal, constrained parameter, parameter, catch-all parameter. */
function compileRoute(fn: RegisteredFunction, prefix: string): { pattern: RegExp; rank: string } {
  const route = fn.trigger.route || fn.name;
  const refuse = (why: string) => new Error(`The route "${route}" of the function "${fn.name}" ${why}.`);
  if (route.startsWith('/')) throw refuse('must not start with "/"');
  if (/^(admin|runtime)/i.test(route))
    throw refuse('conflicts with the reserved routes "admin" and "runtime"');
  const segments = [...prefix.split('/'), ...route.split('/')].filter(Boolean).map((segment) => {
    const compiled = compileSegment(segment);
    if (!compiled) throw refuse(`has a segment that this host does not support: "${segment}"`);
    return compiled;
  });
  const pattern = new RegExp(`^${segments.map(({ source }) => source).join('')}$`, 'is');
  return { pattern, rank: segments.map(({ rank }) => rank).join('') };
}

function compileSegment(segment: string): { source: string; rank: number } | undefined {
  if (!/[{}]/.test(segment)) return { source: `/${segment.replaceAll(/\W/g, String.raw`\$&`)}`, rank: 1 };
  const parts = /^\{(\*{0,2})([a-z]\w*)((?::[^:]+?)*?)(\??)\}$/i.exec(segment);
  if (!parts) return undefined;
  const [, catchAll = '', name = '', constraints = '', optional = ''] = parts;
  if (catchAll) return constraints ? undefined : { source: `(?:/(?<${name}>.*))?`, rank: 5 };
  const checks = constraints.split(':').slice(1).map(compileConstraint);
  if (checks.includes(undefined)) return undefined;
  const source = `/(?<${name}>${checks.join('')}[^/]+)`;
  return { source: optional ? `(?:${source})?` : source, rank: checks.length > 0 ? 2 : 3 };
}

function compileConstraint(constraint: string): string | undefined {
  if (constraint === 'int') return String.raw`(?=-?\d+(?:/|$))`;
  if (constraint === 'alpha') return '(?=[a-z]*(?:/|$))';
  const maxLength = /^maxlength\((\d+)\)$/.exec(constraint)?.[1];
  return maxLength && `(?![^/]{${Number(maxLength) + 1}})`;
}

/** Returns a request's path, decoded once. An encoded slash stays encoded, as in the real host. */
export function decodePath(url: string): string {
  if (!url.startsWith('/')) return url;
  const path = new URL(`http://localhost${url}`).pathname.replace(/\/$/, '');
  try {
    return decodeURIComponent(path.replaceAll(/%(2f)/gi, '%25$1'));
  } catch {
    return path;
  }
}

/** Encodes a decoded path again, as the proxy of the real host does: "a%2Fb", which was not decoded, becomes "a%252Fb". */
export const encodePath = (path: string): string => encodeURI(path).replaceAll(/[?#]/g, encodeURIComponent);
