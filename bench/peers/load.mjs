// Imports a peer by name from bench/node_modules. A file of its own, not bundled: a name resolves from where `import` stands.
export const load = (name) => import(name);
