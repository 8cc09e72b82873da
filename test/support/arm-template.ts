/** A compiled template as the deployment engine reads it: which resources a deployment creates, and which it looks up. */
import { evaluate, type Scope } from './arm-expressions.ts';

interface Resource {
  type: string;
  name: string;
  existing?: boolean;
  condition?: unknown;
  copy?: unknown;
  dependsOn?: string[];
  resourceGroup?: string;
  properties?: {
    subnets?: { name: string }[];
    parameters?: Record<string, { value?: unknown } | string>;
    template?: ArmTemplate;
  };
}

/** A compiled template. Resources have symbolic names when it uses types of its own; the engine then looks up existing ones. */
export interface ArmTemplate {
  parameters?: Record<string, { defaultValue?: unknown; metadata?: { description?: string; azd?: object } }>;
  variables?: Record<string, unknown>;
  resources: Record<string, Resource> | Resource[];
}

/** A resource that a module of the deployment looks up; the deployment fails when it does not exist. */
export interface Lookup {
  module: string;
  /** The symbolic name in the module. */
  symbol: string;
  /** RESOURCE-GROUP/TYPE/NAME */
  id: string;
}

/** What a deployment with some parameters does. */
export interface Deployment {
  /** The resources that it looks up. */
  lookups: Lookup[];
  /** The modules that create each resource, by its id. */
  created: Map<string, string>;
  /** The modules that are deployed. */
  modules: string[];
  /** The modules that are complete when this one begins. */
  before: (module: string) => Set<string>;
  /** The names of the parameters on which all this depends. */
  read: Set<string>;
}

/** Reads the template with these parameters. */
export function readDeployment(template: ArmTemplate, parameters: Record<string, unknown>): Deployment {
  const read = new Set<string>();
  const main = scopeOf(template, (name) => {
    read.add(name);
    return parameters[name];
  });
  const all = Object.entries(template.resources);
  const modules = all.filter(([, resource]) => resource.properties?.template && isDeployed(resource, main));
  const lookups: Lookup[] = [];
  const created = new Map<string, string>();
  for (const [module, { resourceGroup, properties }] of modules) {
    const given = properties?.parameters ?? {};
    const inner = scopeOf(properties?.template, (name) => argument(given[name], main));
    const group = String(evaluate(resourceGroup, main));
    for (const [symbol, resource] of Object.entries(properties?.template?.resources ?? [])) {
      if (resource.copy !== undefined || !isDeployed(resource, inner)) continue;
      const own = resource.resourceGroup === undefined ? group : evaluate(resource.resourceGroup, inner);
      const id = `${String(own)}/${resource.type}/${String(evaluate(resource.name, inner))}`;
      if (resource.existing) lookups.push({ module, symbol, id });
      else for (const each of [id, ...subnetsOf(id, resource)]) created.set(each, module);
    }
  }
  const names = modules.map(([module]) => module);
  const before = (module: string): Set<string> => predecessors(module, Object.fromEntries(modules));
  return { lookups, created, modules: names, before, read };
}

/** Every existing resource in the modules of the template, deployed or not, as MODULE.SYMBOL. */
export const existingOf = (template: ArmTemplate): string[] =>
  Object.entries(template.resources).flatMap(([module, { properties }]) =>
    Object.entries(properties?.template?.resources ?? [])
      .filter(([, { existing }]) => existing)
      .map(([symbol]) => `${module}.${symbol}`),
  );

const isDeployed = ({ condition = true }: Resource, scope: Scope): boolean =>
  evaluate(condition, scope) === true;

function scopeOf(template: ArmTemplate | undefined, given: (name: string) => unknown): Scope {
  const scope: Scope = {
    parameters: (name) => given(name) ?? evaluate(template?.parameters?.[name]?.defaultValue, scope),
    variables: (name) => evaluate(template?.variables?.[name], scope),
  };
  return scope;
}

/** The value that a module is given. With a condition, the whole of `{ value }` is an expression. */
function argument(given: { value?: unknown } | string | undefined, scope: Scope): unknown {
  const evaluated = typeof given === 'string' ? (evaluate(given, scope) as { value?: unknown }) : given;
  return evaluate(evaluated?.value, scope);
}

/** Subnets are created with their network. */
const subnetsOf = (id: string, { type, properties }: Resource): string[] =>
  type === 'Microsoft.Network/virtualNetworks'
    ? (properties?.subnets ?? []).map(({ name }) => `${id.replace(type, `${type}/subnets`)}/${name}`)
    : [];

/** Modules that are not deployed are no predecessors, and nothing waits for theirs. */
function predecessors(module: string, deployed: Record<string, Resource>): Set<string> {
  const found = new Set<string>();
  const visit = (name: string): void => {
    for (const each of deployed[name]?.dependsOn ?? []) {
      if (found.has(each) || !(each in deployed)) continue;
      found.add(each);
      visit(each);
    }
  };
  visit(module);
  return found;
}
